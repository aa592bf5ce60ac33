import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { describe, NeiraError } from '../errors.ts';
import type {
  BusNews,
  DeliveryRef,
  EventDraft,
  EventRouter,
  MailboxEntry,
  RequestRecord,
  RouteTarget,
  Settlement,
} from './bus-records.ts';
import { MailboxPolicies } from './mailbox-policies.ts';
import type { TurnFailure } from './records.ts';
import { RequestBook } from './requests.ts';

/** Delayed events that one plugin may have waiting. */
export const MAX_DELAYED = 10_000;
/** Dead letters of one plugin; above them its failing deliveries stay in the mailbox and go on being retried. */
export const MAX_DEAD_LETTERS = 10_000;
const FULL_DEAD_LETTERS_RETRY_MS = 10 * 60_000;
/** How far from the head of a mailbox `drop_oldest` takes: what is nearer may be running. */
const DROP_BEHIND = 128;
const EXPIRE_ROWS = 500;
const DUE_ROWS = 500;
/** A due event that a full mailbox does not take comes again after this. */
const DUE_AGAIN_MS = 1000;

/** A delivery as the writer needs it to settle it. */
interface DeliveryRow {
  readonly id: number;
  readonly eventSeq: number;
  readonly plugin: string;
  readonly key: string | null;
  readonly subscriptions: string;
  readonly attempts: number;
  readonly kills: number;
  readonly request: number | null;
}

export interface PublishOrigin {
  /** Turn that published it; null for what comes from outside. */
  readonly turnId: string | null;
  readonly plugin: string | null;
  readonly disposition: string;
  /** The plugin that handled the event already. */
  readonly except?: string;
  /** What happens where a mailbox is full; the host's own events never make their cause fail. */
  readonly whenFull: 'refuse' | 'shed';
  readonly dedupeWindowMs?: number;
}

interface Mark {
  readonly entries: number;
  readonly depths: number;
  readonly answers: number;
  readonly counts: readonly number[];
}

/** Who waits for the answer to a delivery. */
interface Asked {
  readonly request: number | null;
  readonly chain: string | null;
  readonly deadlineMs: number | null;
}

const NOBODY: Asked = { request: null, chain: null, deadlineMs: null };
/** Answers whose turn never came back for them. */
const KEPT_REQUESTS_MS = 24 * 60 * 60 * 1000;
/** Plugins that may wait for each other in a row. */
const MAX_CHAIN = 16;

const ROW = `id, event_seq as eventSeq, plugin, key, subscriptions, attempts, kills, request`;
/** What main is told of a delivery; `d` and `e` are the delivery and its event. */
export const ENTRY = `d.id as id, d.plugin as plugin, d.key as key, d.attempts as attempts, d.tries_from as triesLeftFrom,
  d.due_ms as dueMs, e.event_id as eventId, e.subject as subject, e.caller as caller, e.envelope as envelope,
  d.subscriptions as subscriptions, d.chain as chain, d.deadline_ms as deadlineMs`;

/** Events, the mailboxes they go to, and what becomes of each delivery; all within the writer's transaction. */
export class MailboxWriter {
  readonly #router: EventRouter;
  readonly #policies: MailboxPolicies;
  readonly #requests: RequestBook;
  readonly #deliveryOf: StatementSync;
  readonly #insertEvent: StatementSync;
  readonly #insertDelivery: StatementSync;
  readonly #delivery: StatementSync;
  readonly #entry: StatementSync;
  readonly #deleteDelivery: StatementSync;
  readonly #retryDelivery: StatementSync;
  readonly #eventOf: StatementSync;
  readonly #insertDead: StatementSync;
  readonly #dead: StatementSync;
  readonly #deadCount: StatementSync;
  readonly #deleteDead: StatementSync;
  readonly #oldest: StatementSync;
  readonly #expired: StatementSync;
  readonly #insertDelayed: StatementSync;
  readonly #delayedCount: StatementSync;
  readonly #deleteDelayed: StatementSync;
  readonly #due: StatementSync;
  readonly #nextDue: StatementSync;
  readonly #postpone: StatementSync;
  readonly #dedupe: StatementSync;
  readonly #insertDedupe: StatementSync;
  #entries: MailboxEntry[] = [];
  /** Names, one for each time: what a rolled back record counted is cut off again. */
  readonly #published: string[] = [];
  readonly #shed: string[] = [];
  readonly #expiredBy: string[] = [];
  #dueChanged = true;

  constructor(db: DatabaseSync, router: EventRouter) {
    this.#router = router;
    this.#policies = new MailboxPolicies(db, router);
    this.#requests = new RequestBook(db);
    this.#deliveryOf = db.prepare(`select ${ROW} from delivery where request = ?`);
    this.#insertEvent = db.prepare(
      `insert into event(event_id, subject, version, disposition, at_ms, turn_id, caller, envelope)
       values(?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#insertDelivery = db.prepare(
      `insert into delivery(event_seq, plugin, key, subscriptions, attempts, tries_from, due_ms, at_ms,
         request, chain, deadline_ms) values(?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)`,
    );
    this.#delivery = db.prepare(`select ${ROW} from delivery where id = ?`);
    this.#entry = db.prepare(
      `select ${ENTRY} from delivery d join event e on e.seq = d.event_seq where d.id = ?`,
    );
    this.#deleteDelivery = db.prepare('delete from delivery where id = ?');
    this.#retryDelivery = db.prepare(
      'update delivery set attempts = attempts + 1, kills = kills + ?, due_ms = ? where id = ?',
    );
    this.#eventOf = db.prepare(
      'select event_id, subject, version, caller, at_ms, envelope from event where seq = ?',
    );
    this.#insertDead = db.prepare(
      `insert into dead_letter(plugin, event_seq, event_id, subject, version, caller, key, subscriptions, attempts,
         error, published_at_ms, at_ms, envelope) values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#dead = db.prepare(
      `select plugin, event_seq as eventSeq, event_id as eventId, subject, version, caller, key, subscriptions, attempts,
         envelope, published_at_ms as publishedAtMs, exists(select 1 from event where seq = event_seq) as recorded
       from dead_letter where id = ?`,
    );
    this.#deadCount = db.prepare('select count(*) as count from dead_letter where plugin = ?');
    this.#deleteDead = db.prepare('delete from dead_letter where id = ?');
    this.#oldest = db.prepare(`select ${ROW} from delivery where plugin = ? order by id limit 1 offset ?`);
    this.#expired = db.prepare(
      `select ${ROW} from delivery where plugin = ? and at_ms <= ? order by id limit ${EXPIRE_ROWS}`,
    );
    this.#insertDelayed = db.prepare(
      'insert into delayed(id, due_ms, plugin, turn_id, draft) values(?, ?, ?, ?, ?)',
    );
    this.#delayedCount = db.prepare('select count(*) as count from delayed where plugin = ?');
    this.#deleteDelayed = db.prepare('delete from delayed where id = ? and plugin is ?');
    this.#due = db.prepare(
      `select id, plugin, turn_id as turnId, draft from delayed where due_ms <= ? order by due_ms, id limit ${DUE_ROWS}`,
    );
    this.#nextDue = db.prepare('select min(due_ms) as due from delayed');
    this.#postpone = db.prepare('update delayed set due_ms = ? where id = ?');
    this.#dedupe = db.prepare('select reply from idempotency where key = ? and expires_at_ms > ?');
    this.#insertDedupe = db.prepare(
      `insert or replace into idempotency(key, digest, reply, expires_at_ms) values(?, '', ?, ?)`,
    );
  }

  get policies(): MailboxPolicies {
    return this.#policies;
  }

  // --- events

  /**
   * Records an event and puts it into the mailboxes of its subscribers.
   * @returns the id of the event that the idempotency key had brought before, if any: then nothing was done.
   * @throws NEIRA_MAILBOX_FULL when a subscriber has no room and slows its publishers down.
   */
  publish(draft: EventDraft, origin: PublishOrigin, nowMs: number): string | undefined {
    const known = this.#seenBefore(draft, origin, nowMs);
    if (known !== undefined) return known;
    if (draft.atMs !== undefined && draft.atMs > nowMs) this.#delay(draft, draft.atMs, origin);
    else {
      const seq = this.record(draft, origin, nowMs);
      this.route(draft, seq, origin, nowMs);
    }
    return undefined;
  }

  /** Records an event without bringing it to anybody. @returns its place in the log of events */
  record(
    { id, subject, version, caller, envelope }: EventDraft,
    { disposition, turnId }: PublishOrigin,
    nowMs: number,
  ): number {
    if (disposition === 'published') this.#published.push(subject);
    const { lastInsertRowid } = this.#insertEvent.run(
      id,
      subject,
      version,
      disposition,
      nowMs,
      turnId,
      caller,
      envelope,
    );
    return Number(lastInsertRowid);
  }

  route(draft: EventDraft, seq: number, origin: PublishOrigin, nowMs: number): void {
    for (const target of this.#router.route(draft)) {
      if (target.plugin !== origin.except && this.#hasRoom(target.plugin, origin))
        this.#deliver(draft, seq, target, nowMs);
    }
  }

  #deliver(draft: EventDraft, seq: number, target: RouteTarget, nowMs: number, asked = NOBODY): void {
    const { plugin, key = null } = target;
    const { request, chain, deadlineMs } = asked;
    const subscriptions = JSON.stringify(target.subscriptions);
    const { lastInsertRowid } = this.#insertDelivery.run(
      seq,
      plugin,
      key,
      subscriptions,
      0,
      0,
      nowMs,
      request,
      chain,
      deadlineMs,
    );
    this.#policies.added(plugin, 1);
    this.#entries.push({
      id: Number(lastInsertRowid),
      plugin,
      key,
      attempts: 0,
      triesLeftFrom: 0,
      dueMs: 0,
      eventId: draft.id,
      subject: draft.subject,
      caller: draft.caller,
      envelope: draft.envelope,
      subscriptions,
      chain,
      deadlineMs,
    });
  }

  /** @throws NEIRA_MAILBOX_FULL */
  #hasRoom(plugin: string, { whenFull }: PublishOrigin): boolean {
    const { max, overflow } = this.#policies.of(plugin);
    const depth = this.#policies.depth(plugin);
    if (depth < max) return true;
    if (overflow === 'slow' && whenFull === 'refuse')
      throw new NeiraError('NEIRA_MAILBOX_FULL', { plugin, max });
    this.#shed.push(plugin);
    if (overflow !== 'drop_oldest') return false;
    const offset = Math.min(DROP_BEHIND, depth >> 1);
    const oldest = this.#oldest.get(plugin, offset) as unknown as DeliveryRow | undefined;
    if (oldest) this.#remove(oldest);
    if (oldest?.request != null) {
      const details = { plugin, max };
      const message = describe('NEIRA_MAILBOX_FULL', details);
      this.#requests.answer(oldest.request, refusal({ code: 'NEIRA_MAILBOX_FULL', details, message }));
    }
    return true;
  }

  #seenBefore(
    draft: EventDraft,
    { dedupeWindowMs = DEDUPE_WINDOW_MS }: PublishOrigin,
    nowMs: number,
  ): string | undefined {
    if (draft.dedupe === undefined) return undefined;
    const key = `bus:${draft.dedupe}`;
    const known = this.#dedupe.get(key, nowMs);
    if (known) return known['reply'] as string;
    this.#insertDedupe.run(key, draft.id, nowMs + dedupeWindowMs);
    return undefined;
  }

  // --- requests

  /**
   * Brings a command to the one who handles it, with the promise of an answer. What was asked before is not
   * asked again. @throws NEIRA_COMMAND_UNHANDLED, NEIRA_REQUEST_CYCLE, NEIRA_MAILBOX_FULL
   */
  request(
    { identity, event, deadlineMs, chain, dry }: RequestRecord,
    nowMs: number,
  ): { request?: number; answer?: string; target?: RouteTarget } {
    const before = dry ? undefined : this.#requests.find(identity);
    if (before) return { request: before.id, ...(before.answer !== null && { answer: before.answer }) };
    const [target] = this.#router.route({ ...event, mode: 'command' });
    const command = `${event.subject}@${event.version}`;
    if (!target) throw new NeiraError('NEIRA_COMMAND_UNHANDLED', { command });
    const { plugin, key = null } = target;
    const waits = chain.some((link) => link.plugin === plugin && link.key === key);
    if (waits || chain.length >= MAX_CHAIN) {
      const way = [...chain, { plugin, key }].map((link) => link.plugin).join(' → ');
      throw new NeiraError('NEIRA_REQUEST_CYCLE', { command, plugin, way });
    }
    if (dry) return { target };
    const origin: PublishOrigin = {
      turnId: null,
      plugin: null,
      disposition: 'published',
      whenFull: 'refuse',
    };
    if (!this.#hasRoom(plugin, origin)) throw new NeiraError('NEIRA_MAILBOX_FULL', { plugin, max: 0 });
    const request = this.#requests.open(identity, deadlineMs);
    const seq = this.record(event, origin, nowMs);
    this.#deliver(event, seq, target, nowMs, { request, chain: JSON.stringify(chain), deadlineMs });
    return { request };
  }

  /** Nobody waits any more: what was not begun is not done, and what runs does not commit. */
  endRequest(id: number, answer: string): void {
    if (!this.#requests.isPending(id)) return;
    const row = this.#deliveryOf.get(id) as unknown as DeliveryRow | undefined;
    if (row) this.#remove(row);
    this.#requests.answer(id, answer);
  }

  /** Whoever asked is settled, or will ask anew: then what failed before may succeed. */
  closeRequests(caller: string, triesAgain: boolean): void {
    if (triesAgain) {
      this.#requests.forgetFailures(caller);
      return;
    }
    for (const id of this.#requests.pendingOf(caller)) this.endRequest(id, 'U');
    this.#requests.close(caller);
  }

  /** Requests whose time is over, and answers that nobody came back for. */
  sweepRequests(nowMs: number): void {
    for (const { id, caller } of this.#requests.overdue(nowMs)) {
      const details = { deadlineMs: 0, caller };
      const message = describe('NEIRA_DEADLINE', details);
      this.endRequest(id, refusal({ code: 'NEIRA_DEADLINE', details, message }));
    }
    this.#requests.purge(nowMs - KEPT_REQUESTS_MS);
  }

  // --- delayed events

  #delay(draft: EventDraft, atMs: number, { plugin, turnId }: PublishOrigin): void {
    if (plugin !== null && Number(this.#delayedCount.get(plugin)!['count']) >= MAX_DELAYED)
      throw new NeiraError('NEIRA_TOO_MANY', { plugin, what: 'delayed events', max: MAX_DELAYED });
    this.#insertDelayed.run(draft.id, atMs, plugin, turnId, JSON.stringify(draft));
    this.#dueChanged = true;
  }

  /** Takes a delayed event of this plugin back; one that was published already is not there any more. */
  cancel(id: string, plugin: string | null): boolean {
    return this.#deleteDelayed.run(id, plugin).changes > 0;
  }

  /** Publishes what is due. An event that a full mailbox does not take comes again a little later. */
  publishDue(nowMs: number): void {
    const due = this.#due.all(nowMs) as unknown as readonly {
      readonly id: string;
      readonly plugin: string | null;
      readonly turnId: string | null;
      readonly draft: string;
    }[];
    for (const { id, plugin, turnId, draft: text } of due) {
      const { atMs: _due, dedupe: _seen, ...draft } = JSON.parse(text) as EventDraft;
      const full = this.#router.route(draft).find((target) => this.#policies.isFull(target.plugin));
      if (full) this.#postpone.run(nowMs + DUE_AGAIN_MS, id);
      else {
        this.#deleteDelayed.run(id, plugin);
        this.publish(draft, { turnId, plugin, disposition: 'published', whenFull: 'shed' }, nowMs);
      }
    }
    this.#dueChanged = true;
  }

  // --- deliveries

  /** The delivery as a turn was given it; undefined when it was settled, dropped or tried since. */
  find({ id, attempts }: DeliveryRef): DeliveryRow | undefined {
    const row = this.#delivery.get(id) as unknown as DeliveryRow | undefined;
    return row?.attempts === attempts ? row : undefined;
  }

  done(row: DeliveryRow, result: string | undefined): Settlement {
    this.#remove(row);
    if (row.request !== null) this.#requests.answer(row.request, result === undefined ? 'U' : `V${result}`);
    return { state: 'done' };
  }

  failed(row: DeliveryRow, ref: DeliveryRef, error: TurnFailure, nowMs: number): Settlement {
    const killedTwice = ref.killed === true && row.kills >= 1;
    if ((ref.afterFailure === 'dead' || killedTwice) && this.#bury(row, row.attempts + 1, error, nowMs))
      return { state: 'dead' };
    const inMs = ref.afterFailure === 'dead' ? FULL_DEAD_LETTERS_RETRY_MS : ref.afterFailure.retryInMs;
    const dueMs = nowMs + Math.round(inMs);
    this.#retryDelivery.run(ref.killed ? 1 : 0, dueMs, row.id);
    return { state: 'retry', dueMs };
  }

  #remove(row: DeliveryRow): void {
    this.#deleteDelivery.run(row.id);
    this.#policies.added(row.plugin, -1);
  }

  // --- dead letters

  /** @returns whether there was room for it; without room it stays in the mailbox, so that nothing is lost. */
  #bury(row: DeliveryRow, attempts: number, error: TurnFailure, nowMs: number): boolean {
    if (Number(this.#deadCount.get(row.plugin)!['count']) >= MAX_DEAD_LETTERS) return false;
    const event = this.#eventOf.get(row.eventSeq)!;
    this.#insertDead.run(
      row.plugin,
      row.eventSeq,
      event['event_id']!,
      event['subject']!,
      event['version']!,
      event['caller']!,
      row.key,
      row.subscriptions,
      attempts,
      JSON.stringify(error),
      event['at_ms']!,
      nowMs,
      event['envelope']!,
    );
    this.#remove(row);
    if (row.request !== null) this.#requests.answer(row.request, refusal(error));
    return true;
  }

  /** Puts a dead letter back at the end of its mailbox, with all its tries. @throws NEIRA_NOT_FOUND */
  retryDead(id: number, nowMs: number): void {
    const letter = this.#dead.get(id);
    if (!letter) throw new NeiraError('NEIRA_NOT_FOUND', { what: 'dead letter', id: String(id) });
    const plugin = letter['plugin'] as string;
    const seq = letter['recorded']
      ? Number(letter['eventSeq'])
      : this.record(
          {
            id: letter['eventId'] as string,
            subject: letter['subject'] as string,
            version: Number(letter['version']),
            caller: letter['caller'] as EventDraft['caller'],
            envelope: letter['envelope'] as string,
            mode: 'event',
          },
          { turnId: null, plugin: null, disposition: 'retried', whenFull: 'shed' },
          nowMs,
        );
    const attempts = Number(letter['attempts']);
    const { key, subscriptions } = letter as { key: string | null; subscriptions: string };
    const { lastInsertRowid } = this.#insertDelivery.run(
      seq,
      plugin,
      key,
      subscriptions,
      attempts,
      attempts,
      nowMs,
      null,
      null,
      null,
    );
    this.#policies.added(plugin, 1);
    this.#deleteDead.run(id);
    this.#entries.push(this.#entry.get(lastInsertRowid) as unknown as MailboxEntry);
  }

  /** @throws NEIRA_NOT_FOUND */
  dropDead(id: number): void {
    if (this.#deleteDead.run(id).changes === 0)
      throw new NeiraError('NEIRA_NOT_FOUND', { what: 'dead letter', id: String(id) });
  }

  /** Gives up what waited longer than its mailbox keeps it. */
  expire(nowMs: number): void {
    for (const [plugin, { maxAgeMs }] of this.#policies.all()) {
      const rows = this.#expired.all(plugin, nowMs - maxAgeMs) as unknown as readonly DeliveryRow[];
      for (const row of rows) {
        const details = { plugin, maxAgeMs };
        const error = {
          code: 'NEIRA_DELIVERY_EXPIRED',
          details,
          message: describe('NEIRA_DELIVERY_EXPIRED', details),
        } as const;
        if (this.#bury(row, row.attempts, error, nowMs)) this.#expiredBy.push(plugin);
      }
    }
  }

  // --- what waits in memory for the end of the group

  mark(): Mark {
    return {
      entries: this.#entries.length,
      depths: this.#policies.mark(),
      answers: this.#requests.mark(),
      counts: this.#tallies.map(({ length }) => length),
    };
  }

  rewind(mark: Mark): void {
    this.#entries.length = mark.entries;
    this.#policies.rewind(mark.depths);
    this.#requests.rewind(mark.answers);
    this.#tallies.forEach((names, index) => {
      names.length = mark.counts[index]!;
    });
    this.#dueChanged = true;
  }

  get #tallies(): readonly string[][] {
    return [this.#published, this.#shed, this.#expiredBy];
  }

  /** The group committed: what main has to know. */
  take(): BusNews {
    const deliveries = this.#entries;
    this.#entries = [];
    this.#policies.settle();
    const answers = this.#requests.take();
    const news: BusNews = {
      deliveries,
      ...(this.#dueChanged && nextDueOf(this.#nextDue.get())),
      ...(answers.length > 0 && { answers }),
      ...(this.#published.length > 0 && { published: countsOf(this.#published) }),
      ...(this.#shed.length > 0 && { shed: countsOf(this.#shed) }),
      ...(this.#expiredBy.length > 0 && { expired: countsOf(this.#expiredBy) }),
    };
    this.#dueChanged = false;
    for (const names of this.#tallies) names.length = 0;
    return news;
  }

  /** The group did not commit. */
  forget(): void {
    this.#entries = [];
    this.#requests.rewind(0);
    for (const names of this.#tallies) names.length = 0;
    this.#policies.load();
  }
}

/** How long an idempotency key of a publish is remembered. */
export const DEDUPE_WINDOW_MS = 24 * 60 * 60 * 1000;

/** A failure as whoever asked is told of it. */
function refusal({ code, message, details }: TurnFailure): string {
  return `E${JSON.stringify({ code, message, details })}`;
}

function nextDueOf(row: Record<string, unknown> | undefined): { dueMs?: number } {
  return typeof row?.['due'] === 'number' ? { dueMs: row['due'] } : {};
}

function countsOf(names: readonly string[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries(counts);
}
