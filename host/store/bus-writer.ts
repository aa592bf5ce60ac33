import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { describe, type ErrorCode, type ErrorDetails, NeiraError } from '../errors.ts';
import { answerEvent } from './answers.ts';
import { NewsDesk } from './bus-news.ts';
import type {
  AskDraft,
  BusNews,
  DeliveryRef,
  EventDraft,
  EventRouter,
  RequestRecord,
  RouteTarget,
  Settlement,
} from './bus-records.ts';
import { DeadLetterWriter } from './dead-letters.ts';
import { DelayedEvents } from './delayed.ts';
import { DelayedSends } from './delayed-sends.ts';
import { EventLog } from './event-log.ts';
import { fault } from './fault.ts';
import type { AttemptEnd } from './http-requests.ts';
import { MailboxPolicies } from './mailbox-policies.ts';
import { type DeliveryRow, MailboxWriter, type PublishOrigin } from './mailboxes.ts';
import { OutboxWriter } from './outbox.ts';
import { answerText, type TurnFailure, type TurnOutcome } from './records.ts';
import { type OpenAsk, RequestBook } from './requests.ts';
import { SubscriptionWriter } from './subscriptions.ts';

/** How long an idempotency key of a publish is remembered. */
export const DEDUPE_WINDOW_MS = 24 * 60 * 60 * 1000;
/** Plugins that may wait for each other in a row. */
const MAX_CHAIN = 16;
/** Answers whose turn never came back for them. */
const KEPT_REQUESTS_MS = 24 * 60 * 60 * 1000;
const FULL_DEAD_LETTERS_RETRY_MS = 10 * 60_000;
/** A due event that a full mailbox does not take comes again after this. */
const DUE_AGAIN_MS = 1000;
/** What the log of events reaches back, in time and in number. */
const KEPT_EVENTS_MS = 30 * 24 * 60 * 60 * 1000;
const KEPT_EVENTS = 1_000_000;

interface Mark {
  readonly news: ReturnType<NewsDesk['mark']>;
  readonly depths: number;
}

type Reply = Pick<Extract<TurnOutcome, { status: 'ok' }>, 'result' | 'pii'>;

export const FROM_HOST: PublishOrigin = {
  turnId: null,
  plugin: null,
  disposition: 'published',
  whenFull: 'shed',
};
export const FROM_OUTSIDE: PublishOrigin = { ...FROM_HOST, whenFull: 'refuse' };

/** The bus within the writer's transaction: events, mailboxes, and what becomes of each delivery. */
export class BusWriter {
  readonly #router: EventRouter;
  readonly #news = new NewsDesk();
  readonly policies: MailboxPolicies;
  readonly log: EventLog;
  readonly mailboxes: MailboxWriter;
  readonly deadLetters: DeadLetterWriter;
  readonly delayed: DelayedEvents;
  readonly sends: DelayedSends;
  readonly subscriptions: SubscriptionWriter;
  readonly outbox: OutboxWriter;
  readonly #book: RequestBook;
  readonly #registered: StatementSync;
  readonly #seen: StatementSync;
  readonly #remember: StatementSync;

  constructor(db: DatabaseSync, router: EventRouter) {
    this.#router = router;
    const news = this.#news;
    const book = new RequestBook(db, news, (ask, answer) => this.#bringAnswer(ask, answer));
    const policies = new MailboxPolicies(db, router);
    const log = new EventLog(db, news);
    const outbox = new OutboxWriter(db, router);
    const mailboxes = new MailboxWriter(db, router, { policies, news, log, book, outbox });
    this.#book = book;
    this.policies = policies;
    this.log = log;
    this.mailboxes = mailboxes;
    this.outbox = outbox;
    this.deadLetters = new DeadLetterWriter(db, { policies, news, log, book, mailboxes });
    this.delayed = new DelayedEvents(db, news);
    this.sends = new DelayedSends(db, news);
    this.subscriptions = new SubscriptionWriter(db, policies);
    this.#registered = db.prepare('select 1 from plugin where id = ?');
    this.#seen = db.prepare('select reply from idempotency where key = ? and expires_at_ms > ?');
    this.#remember = db.prepare(
      `insert or replace into idempotency(key, digest, reply, expires_at_ms) values(?, '', ?, ?)`,
    );
  }

  // --- events

  /**
   * Publishes an event now or, when it says so, later.
   * @returns the id of the event that the idempotency key had brought before, if any: then nothing was done.
   * @throws NEIRA_MAILBOX_FULL, NEIRA_TOO_MANY
   */
  publish(event: EventDraft, origin: PublishOrigin, nowMs: number): string | undefined {
    const known = this.#seenBefore(event, origin, nowMs);
    if (known !== undefined) return known;
    if (event.ask) this.#ask(event, event.ask, origin, nowMs);
    else if (event.atMs !== undefined && event.atMs > nowMs)
      this.delayed.add(event, event.atMs, origin.plugin, origin.turnId);
    else this.mailboxes.bring(event, origin, nowMs);
    return undefined;
  }

  #seenBefore(
    { id, dedupe }: EventDraft,
    { dedupeWindowMs = DEDUPE_WINDOW_MS }: PublishOrigin,
    nowMs: number,
  ): string | undefined {
    if (dedupe === undefined) return undefined;
    const key = `bus:${dedupe}`;
    const known = this.#seen.get(key, nowMs);
    if (known) return known['reply'] as string;
    this.#remember.run(key, id, nowMs + dedupeWindowMs);
    return undefined;
  }

  /** Time has passed: what is due, what is overdue, and what nobody needs any more. */
  tick(nowMs: number): void {
    this.#publishDue(nowMs);
    this.sends.release(nowMs);
    this.#sweepRequests(nowMs);
    this.deadLetters.expire(nowMs);
    this.log.sweep(nowMs - KEPT_EVENTS_MS, KEPT_EVENTS);
  }

  #publishDue(nowMs: number): void {
    for (const { id, plugin, turnId, event } of this.delayed.due(nowMs)) {
      // Found once: of a queue group another would be chosen the next time, and it could be full.
      const targets = this.#router.route(event);
      if (targets.some(({ plugin: hearer }) => this.policies.isFull(hearer)))
        this.delayed.postpone(id, nowMs + DUE_AGAIN_MS);
      else {
        this.delayed.cancel(id, plugin);
        this.mailboxes.bring(event, { ...FROM_HOST, turnId, plugin }, nowMs, targets);
        fault('mailbox.mid-due');
      }
    }
  }

  /** Who would get it now. */
  route(event: EventDraft): readonly RouteTarget[] {
    return this.#router.route(event);
  }

  // --- deliveries

  /** The delivery as a turn was given it; undefined when it was settled, dropped or tried since. */
  find({ id, attempts }: DeliveryRef): DeliveryRow | undefined {
    const row = this.mailboxes.find(id);
    return row?.attempts === attempts ? row : undefined;
  }

  /** @param reply of its turn, for whoever asked */
  done(row: DeliveryRow, reply: Reply): Settlement {
    this.mailboxes.remove(row);
    if (row.request !== null) this.#book.answer(row.request, answerText(reply));
    return { state: 'done' };
  }

  failed(row: DeliveryRow, ref: DeliveryRef, error: TurnFailure, nowMs: number): Settlement {
    const killedTwice = ref.killed === true && row.kills >= 1;
    const isOver = ref.afterFailure === 'dead' || killedTwice;
    if (isOver && this.deadLetters.bury(row, row.attempts + 1, error, nowMs)) return { state: 'dead' };
    const inMs = ref.afterFailure === 'dead' ? FULL_DEAD_LETTERS_RETRY_MS : ref.afterFailure.retryInMs;
    const dueMs = nowMs + Math.round(inMs);
    this.mailboxes.retry(row, ref.killed ? 1 : 0, dueMs);
    return { state: 'retry', dueMs };
  }

  // --- requests

  /**
   * Brings a command to the one who handles it, with the promise of an answer. What was asked before is not
   * asked again. @throws NEIRA_COMMAND_UNHANDLED, NEIRA_REQUEST_CYCLE, NEIRA_MAILBOX_FULL, NEIRA_IDEMPOTENCY_MISMATCH
   */
  request(
    { identity, event, deadlineMs, chain, dry }: RequestRecord,
    nowMs: number,
  ): { request?: number; answer?: string; target?: RouteTarget } {
    const before = dry ? undefined : this.#book.find(identity);
    if (before) return { request: before.id, ...(before.answer !== null && { answer: before.answer }) };
    if (this.#book.isOther(identity)) throw new NeiraError('NEIRA_IDEMPOTENCY_MISMATCH');
    const target = this.#targetOf(event, chain);
    if (dry) return { target };
    const { max } = this.policies.of(target.plugin);
    if (!this.mailboxes.hasRoom(target.plugin, FROM_OUTSIDE))
      throw new NeiraError('NEIRA_MAILBOX_FULL', { plugin: target.plugin, max });
    const request = this.#book.open(identity, deadlineMs);
    const seq = this.log.record(event, FROM_OUTSIDE, nowMs);
    const asked = { request, chain: JSON.stringify(chain), deadlineMs };
    this.mailboxes.deliver(event, seq, target, nowMs, asked);
    return { request };
  }

  /** A command whose answer comes as an event; where nobody handles it, that is the answer. */
  #ask(event: EventDraft, ask: AskDraft, origin: PublishOrigin, nowMs: number): void {
    const { id, subject, version, as } = event;
    const { timeoutMs, ...told } = ask;
    const open = {
      plugin: origin.plugin!,
      id,
      command: subject,
      version,
      ...told,
      ...(as !== undefined && { as }),
    };
    const [target] = this.#router.route(event);
    if (!target) {
      this.#bringAnswer(open, refusalText('NEIRA_COMMAND_UNHANDLED', { command: `${subject}@${version}` }));
      return;
    }
    if (!this.mailboxes.hasRoom(target.plugin, origin)) {
      const { max } = this.policies.of(target.plugin);
      this.#bringAnswer(open, refusalText('NEIRA_MAILBOX_FULL', { plugin: target.plugin, max }));
      return;
    }
    const deadlineMs = nowMs + timeoutMs;
    const request = this.#book.openAsk(open, deadlineMs);
    this.#news.delayedMoved();
    const seq = this.log.record(event, origin, nowMs);
    this.mailboxes.deliver(event, seq, target, nowMs, { request, chain: '[]', deadlineMs });
  }

  /** In the commit that settled it. It is never shed: it was promised. */
  #bringAnswer(ask: OpenAsk, answer: string): void {
    if (this.#registered.get(ask.plugin) === undefined) return;
    const nowMs = Date.now();
    const event = answerEvent(ask, answer, nowMs, (draft) => this.#router.seal(draft));
    const seq = this.log.record(event, FROM_HOST, nowMs);
    const target = { plugin: ask.plugin, key: ask.key, subscriptions: [event.subject] };
    this.mailboxes.deliver(event, seq, target, nowMs);
    fault('mailbox.mid-answer');
  }

  /** Takes back an event that waits for its moment, or a command that was asked. */
  cancel(id: string, plugin: string, principal: string | undefined): void {
    this.delayed.cancel(id, plugin, principal);
    const request = this.#book.findAsk(id, plugin, principal);
    if (request === undefined) return;
    const row = this.mailboxes.findAsked(request);
    if (row) this.mailboxes.remove(row);
    this.#book.forget(request);
  }

  #targetOf(event: EventDraft, chain: RequestRecord['chain']): RouteTarget {
    const [target] = this.#router.route({ ...event, mode: 'command' });
    const command = `${event.subject}@${event.version}`;
    if (!target) throw new NeiraError('NEIRA_COMMAND_UNHANDLED', { command });
    const { plugin, key = null } = target;
    const waits = chain.some((link) => link.plugin === plugin && link.key === key);
    if (!waits && chain.length < MAX_CHAIN) return target;
    const way = [...chain, { plugin }].map((link) => link.plugin).join(' → ');
    throw new NeiraError('NEIRA_REQUEST_CYCLE', { command, plugin, way });
  }

  /** Nobody waits any more: what was not begun is not done, and what runs does not commit. */
  endRequest(id: number, answer: string): void {
    if (!this.#book.isPending(id)) return;
    const row = this.mailboxes.findAsked(id);
    if (row) this.mailboxes.remove(row);
    this.#book.answer(id, answer);
  }

  /** Whoever asked is settled, or will ask anew: once it threw, what failed before may succeed. */
  closeRequests(caller: string, end: AttemptEnd): void {
    if (end === 'threw') this.#book.forgetFailures(caller);
    if (end !== 'settled') return;
    for (const id of this.#book.pendingOf(caller)) this.endRequest(id, 'U');
    this.#book.close(caller);
  }

  /** For those whose own end nobody told of: the process that waited for it is gone. */
  #sweepRequests(nowMs: number): void {
    const answer = refusalText('NEIRA_DEADLINE', { deadlineMs: 0 });
    for (const id of this.#book.overdue(nowMs)) this.endRequest(id, answer);
    this.#book.purge(nowMs - KEPT_REQUESTS_MS);
  }

  // --- what waits in memory for the end of the group

  mark(): Mark {
    return { news: this.#news.mark(), depths: this.policies.mark() };
  }

  rewind({ news, depths }: Mark): void {
    this.#news.rewind(news);
    this.policies.rewind(depths);
  }

  /** The group committed: what main has to know. */
  take(): BusNews {
    this.policies.settle();
    return this.#news.take(() =>
      earlier(earlier(this.delayed.nextDueMs(), this.sends.nextDueMs()), this.#book.nextAskDueMs()),
    );
  }

  /** The group did not commit, or the process just began: what memory holds is read from the rows again. */
  reload(): void {
    this.#news.forget();
    this.policies.load();
  }
}

function refusalText(code: ErrorCode, details: ErrorDetails): string {
  return `E${JSON.stringify({ code, message: describe(code, details), details })}`;
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}
