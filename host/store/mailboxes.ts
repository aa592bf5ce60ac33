import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { describe, NeiraError } from '../errors.ts';
import type { NewsDesk } from './bus-news.ts';
import type { EventDraft, EventRouter, MailboxEntry, RouteTarget } from './bus-records.ts';
import type { EventLog, EventPlace } from './event-log.ts';
import type { MailboxPolicies } from './mailbox-policies.ts';
import type { OutboxWriter } from './outbox.ts';
import type { RequestBook } from './requests.ts';

/** How far from the head of a mailbox `drop_oldest` takes: what is nearer may be running. */
const DROP_BEHIND = 128;

/** A delivery as the writer needs it to settle it. */
export interface DeliveryRow {
  readonly id: number;
  readonly eventSeq: number;
  readonly plugin: string;
  readonly key: string | null;
  readonly subscriptions: string;
  readonly attempts: number;
  readonly kills: number;
  readonly request: number | null;
}

export interface PublishOrigin extends EventPlace {
  readonly plugin: string | null;
  /** The plugin that handled the event already. */
  readonly except?: string;
  /** What happens where a mailbox is full; the host's own events never make their cause fail. */
  readonly whenFull: 'refuse' | 'shed';
  readonly dedupeWindowMs?: number;
  /** It came from another hub. */
  readonly remote?: true;
}

/** Who waits for the answer to a delivery. */
export interface Asked {
  readonly request: number | null;
  readonly chain: string | null;
  readonly deadlineMs: number | null;
}

const NOBODY: Asked = { request: null, chain: null, deadlineMs: null };

const ROW = `id, event_seq as eventSeq, plugin, key, subscriptions, attempts, kills, request`;
/** What main is told of a delivery; `d` and `e` are the delivery and its event. */
export const ENTRY = `d.id as id, d.plugin as plugin, d.key as key, d.attempts as attempts, d.tries_from as triesLeftFrom,
  d.due_ms as dueMs, e.event_id as eventId, e.subject as subject, e.caller as caller, e.envelope as envelope,
  e.version as version, e.schema as schema,
  d.subscriptions as subscriptions, d.chain as chain, d.deadline_ms as deadlineMs`;

/** The places of events in the mailboxes of plugins. */
export class MailboxWriter {
  readonly #router: EventRouter;
  readonly #policies: MailboxPolicies;
  readonly #news: NewsDesk;
  readonly #log: EventLog;
  readonly #book: RequestBook;
  readonly #outbox: OutboxWriter;
  readonly #insert: StatementSync;
  readonly #row: StatementSync;
  readonly #rowOf: StatementSync;
  readonly #entry: StatementSync;
  readonly #delete: StatementSync;
  readonly #retry: StatementSync;
  readonly #oldest: StatementSync;

  constructor(
    db: DatabaseSync,
    router: EventRouter,
    parts: {
      policies: MailboxPolicies;
      news: NewsDesk;
      log: EventLog;
      book: RequestBook;
      outbox: OutboxWriter;
    },
  ) {
    this.#router = router;
    this.#policies = parts.policies;
    this.#news = parts.news;
    this.#log = parts.log;
    this.#book = parts.book;
    this.#outbox = parts.outbox;
    this.#insert = db.prepare(
      `insert into delivery(event_seq, plugin, key, subscriptions, attempts, tries_from, due_ms, at_ms,
         request, chain, deadline_ms) values(?, ?, ?, ?, ?5, ?5, 0, ?, ?, ?, ?)`,
    );
    this.#row = db.prepare(`select ${ROW} from delivery where id = ?`);
    this.#rowOf = db.prepare(`select ${ROW} from delivery where request = ?`);
    this.#entry = db.prepare(
      `select ${ENTRY} from delivery d join event e on e.seq = d.event_seq where d.id = ?`,
    );
    this.#delete = db.prepare('delete from delivery where id = ?');
    this.#retry = db.prepare(
      'update delivery set attempts = attempts + 1, kills = kills + ?, due_ms = ? where id = ?',
    );
    this.#oldest = db.prepare(`select ${ROW} from delivery where plugin = ? order by id limit 1 offset ?`);
  }

  /**
   * Records an event and puts it into the mailboxes of its subscribers, and into the outbox where it leaves for
   * other hubs.
   * @throws NEIRA_MAILBOX_FULL when a subscriber has no room and slows its publishers down; NEIRA_OUTBOX_FULL
   */
  bring(
    event: EventDraft,
    origin: PublishOrigin,
    nowMs: number,
    targets: readonly RouteTarget[] = this.#router.route(event),
  ): void {
    const seq = this.#log.record(event, origin, nowMs);
    // A command goes to one: what is handled here is not handled elsewhere too.
    const isHandled = event.mode === 'command' && targets.length > 0;
    if (!origin.remote && !isHandled) this.#outbox.add(event, seq, origin.whenFull);
    for (const target of targets) {
      if (target.plugin !== origin.except && this.hasRoom(target.plugin, origin))
        this.deliver(event, seq, target, nowMs);
    }
  }

  deliver(event: EventDraft, seq: number, target: RouteTarget, nowMs: number, asked = NOBODY): void {
    const { plugin, key = null } = target;
    const subscriptions = JSON.stringify(target.subscriptions);
    const id = this.#add({ seq, plugin, key, subscriptions, attempts: 0, asked }, nowMs);
    const { id: eventId, subject, caller, envelope, version, schema = null } = event;
    const { chain, deadlineMs } = asked;
    const place = { id, plugin, key, attempts: 0, triesLeftFrom: 0, dueMs: 0 };
    const what = { eventId, subject, caller, envelope, version, schema };
    this.#news.delivery({ ...place, ...what, subscriptions, chain, deadlineMs });
  }

  /** Puts what had been given up back at the end of its mailbox, with all its tries. */
  putBack(
    letter: { seq: number; plugin: string; key: string | null; subscriptions: string; attempts: number },
    nowMs: number,
  ): void {
    const id = this.#add({ ...letter, asked: NOBODY }, nowMs);
    this.#news.delivery(this.#entry.get(id) as unknown as MailboxEntry);
  }

  #add(
    row: {
      readonly seq: number;
      readonly plugin: string;
      readonly key: string | null;
      readonly subscriptions: string;
      readonly attempts: number;
      readonly asked: Asked;
    },
    nowMs: number,
  ): number {
    const { seq, plugin, key, subscriptions, attempts, asked } = row;
    const { request, chain, deadlineMs } = asked;
    const added = this.#insert.run(
      seq,
      plugin,
      key,
      subscriptions,
      attempts,
      nowMs,
      request,
      chain,
      deadlineMs,
    );
    this.#policies.added(plugin, 1);
    return Number(added.lastInsertRowid);
  }

  /** Whether a mailbox takes another delivery, by its own policy. @throws NEIRA_MAILBOX_FULL */
  hasRoom(plugin: string, { whenFull }: Pick<PublishOrigin, 'whenFull'>): boolean {
    const { max, overflow } = this.#policies.of(plugin);
    const depth = this.#policies.depth(plugin);
    if (depth < max) return true;
    if (overflow === 'slow' && whenFull === 'refuse')
      throw new NeiraError('NEIRA_MAILBOX_FULL', { plugin, max });
    this.#news.count('shed', plugin);
    if (overflow !== 'drop_oldest') return false;
    const oldest = this.#oldest.get(plugin, Math.min(DROP_BEHIND, depth >> 1));
    if (oldest) this.#drop(oldest as unknown as DeliveryRow, max);
    return true;
  }

  #drop(row: DeliveryRow, max: number): void {
    this.remove(row);
    if (row.request === null) return;
    const details = { plugin: row.plugin, max };
    const message = describe('NEIRA_MAILBOX_FULL', details);
    this.#book.refuse(row.request, { code: 'NEIRA_MAILBOX_FULL', details, message });
  }

  /** The delivery with this id, as it is now. */
  find(id: number): DeliveryRow | undefined {
    return this.#row.get(id) as unknown as DeliveryRow | undefined;
  }

  /** The delivery whose answer this request waits for. */
  findAsked(request: number): DeliveryRow | undefined {
    return this.#rowOf.get(request) as unknown as DeliveryRow | undefined;
  }

  /** @param kills how many more times it ended its cell */
  retry(row: DeliveryRow, kills: number, dueMs: number): void {
    this.#retry.run(kills, dueMs, row.id);
  }

  remove(row: DeliveryRow): void {
    this.#delete.run(row.id);
    this.#policies.added(row.plugin, -1);
  }
}
