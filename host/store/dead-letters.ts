import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { describe, NeiraError } from '../errors.ts';
import type { NewsDesk } from './bus-news.ts';
import type { EventDraft } from './bus-records.ts';
import type { EventLog } from './event-log.ts';
import { fault } from './fault.ts';
import type { MailboxPolicies } from './mailbox-policies.ts';
import type { DeliveryRow, MailboxWriter } from './mailboxes.ts';
import type { TurnFailure } from './records.ts';
import type { RequestBook } from './requests.ts';

/** Of one plugin; above them its failing deliveries stay in the mailbox and go on being retried. */
export const MAX_DEAD_LETTERS = 10_000;
const EXPIRE_ROWS = 500;

/** Deliveries that were given up, until an administrator decides about them. */
export class DeadLetterWriter {
  readonly #policies: MailboxPolicies;
  readonly #news: NewsDesk;
  readonly #log: EventLog;
  readonly #book: RequestBook;
  readonly #mailboxes: MailboxWriter;
  readonly #insert: StatementSync;
  readonly #letter: StatementSync;
  readonly #count: StatementSync;
  readonly #delete: StatementSync;
  readonly #expired: StatementSync;

  constructor(
    db: DatabaseSync,
    parts: {
      policies: MailboxPolicies;
      news: NewsDesk;
      log: EventLog;
      book: RequestBook;
      mailboxes: MailboxWriter;
    },
  ) {
    this.#policies = parts.policies;
    this.#news = parts.news;
    this.#log = parts.log;
    this.#book = parts.book;
    this.#mailboxes = parts.mailboxes;
    this.#insert = db.prepare(
      `insert into dead_letter(plugin, event_seq, event_id, subject, version, caller, key, subscriptions, attempts,
         error, published_at_ms, at_ms, envelope)
       select ?, seq, event_id, subject, version, caller, ?, ?, ?, ?, at_ms, ?, envelope from event where seq = ?`,
    );
    this.#letter = db.prepare(
      `select plugin, event_seq as eventSeq, event_id as eventId, subject, version, caller, key, subscriptions,
         attempts, envelope, exists(select 1 from event where seq = event_seq) as recorded
       from dead_letter where id = ?`,
    );
    this.#count = db.prepare('select count(*) as count from dead_letter where plugin = ?');
    this.#delete = db.prepare('delete from dead_letter where id = ?');
    this.#expired = db.prepare(
      `select id from delivery where plugin = ? and at_ms <= ? order by id limit ${EXPIRE_ROWS}`,
    );
  }

  /** @returns whether there was room for it; without room it stays in the mailbox, so that nothing is lost. */
  bury(row: DeliveryRow, attempts: number, error: TurnFailure, nowMs: number): boolean {
    const { plugin, key, subscriptions, eventSeq, request } = row;
    if (Number(this.#count.get(plugin)!['count']) >= MAX_DEAD_LETTERS) return false;
    this.#insert.run(plugin, key, subscriptions, attempts, JSON.stringify(error), nowMs, eventSeq);
    fault('mailbox.mid-bury');
    this.#mailboxes.remove(row);
    if (request !== null) this.#book.refuse(request, error);
    return true;
  }

  /** Puts a dead letter back at the end of its mailbox, with all its tries. @throws NEIRA_NOT_FOUND */
  retry(id: number, nowMs: number): void {
    const letter = this.#letter.get(id) as unknown as Letter | undefined;
    if (!letter) throw new NeiraError('NEIRA_NOT_FOUND', { what: 'dead letter', id: String(id) });
    const { plugin, key, subscriptions, attempts } = letter;
    const seq = letter.recorded ? letter.eventSeq : this.#recordAgain(letter, nowMs);
    this.#mailboxes.putBack({ seq, plugin, key, subscriptions, attempts }, nowMs);
    this.#delete.run(id);
  }

  /** Its event is older than the log of events reaches back. */
  #recordAgain({ eventId, subject, version, caller, envelope }: Letter, nowMs: number): number {
    const event: EventDraft = { id: eventId, subject, version, caller, envelope, mode: 'event' };
    return this.#log.record(event, { turnId: null, disposition: 'retried' }, nowMs);
  }

  /** @throws NEIRA_NOT_FOUND */
  drop(id: number): void {
    if (this.#delete.run(id).changes === 0)
      throw new NeiraError('NEIRA_NOT_FOUND', { what: 'dead letter', id: String(id) });
  }

  /** Gives up what waited longer than its mailbox keeps it. */
  expire(nowMs: number): void {
    for (const [plugin, { maxAgeMs }] of this.#policies.filled()) {
      const details = { plugin, maxAgeMs };
      const message = describe('NEIRA_DELIVERY_EXPIRED', details);
      for (const { id } of this.#expired.all(plugin, nowMs - maxAgeMs)) {
        const row = this.#mailboxes.find(Number(id))!;
        const error = { code: 'NEIRA_DELIVERY_EXPIRED', details, message } as const;
        if (this.bury(row, row.attempts, error, nowMs)) this.#news.count('expired', plugin);
      }
    }
  }
}

interface Letter {
  readonly plugin: string;
  readonly eventSeq: number;
  readonly eventId: string;
  readonly subject: string;
  readonly version: number;
  readonly caller: EventDraft['caller'];
  readonly key: string | null;
  readonly subscriptions: string;
  readonly attempts: number;
  readonly envelope: string;
  /** Whether its event is in the log still. */
  readonly recorded: number;
}
