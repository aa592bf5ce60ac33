/**
 * One turn as the host functions see it: who is asking, what it may do, what it read, what it staged.
 *
 * Reads answer the committed state plus the turn's own staged writes. Everything read is kept with its
 * version, so that the writer can tell at commit whether it still holds; everything staged commits
 * together or not at all (design §4).
 */
import type { Mode } from '../gates/gates.ts';
import { Confidential } from './context/confidential.ts';
import { type Ask, MAX_OPEN_WAITS, OpenWaits, type Wait, type WaitArguments } from './context/open-waits.ts';
import type { StateEntry, StateReader } from './context/state-reader.ts';
import { LogNumbers } from './context/turn-log-numbers.ts';
import {
  type PageSize,
  readPage,
  STAGED_VERSION,
  settle,
  stageAddition,
  stagedMarks,
} from './context/turn-page.ts';
import type { PluginPolicy } from './context/turn-policy.ts';
import { TurnPrincipals } from './context/turn-principals.ts';
import type { TurnRandom } from './context/turn-random.ts';
import { type RecordPage, readRecords, showRecords } from './context/turn-records.ts';
import { TurnState } from './context/turn-state.ts';
import { type ErrorCode, NeiraError } from './errors.ts';
import type { Delivery } from './sandbox/messages.ts';
import type { EventCaller } from './store/bus-records.ts';
import { addTo } from './store/kv.ts';
import type { KeyRange } from './store/ranges.ts';
import type { Effect, LogLine, RangeRead, Reads } from './store/records.ts';

export type { StateEntry, StateReader } from './context/state-reader.ts';
export type { TurnLimits } from './context/turn-limits.ts';
export type { PluginPolicy, PrincipalPolicy } from './context/turn-policy.ts';

/** `what` names a question with everything that its answer depends on. */
export type Observe = (what: string, compute: () => string, isPure: boolean) => string;

export interface TurnOrigin {
  readonly turnId: string;
  readonly eventId: string;
  readonly correlationId: string;
  readonly tenant: string;
  readonly caller: EventCaller;
  readonly mode: Mode;
  /** Staged effects are shown and dropped. */
  readonly dryRun: boolean;
  readonly startedAtMs: number;
  /** Attempts before this one, and the subscriptions (JSON array) that brought the event. */
  readonly attempts: number;
  readonly subscriptions: string;
  /** Of the span that the event comes from; absent where nothing came in. */
  readonly traceparent?: string | undefined;
}

/** What rides along with a delivery into a cell, for the host functions and the record. */
export interface TurnDelivery extends Delivery {
  readonly turnId: string;
  /** `<event id>:<plugin>`, the same for every attempt: what the turn draws at random follows from it. */
  readonly deliveryId: string;
  readonly eventId: string;
  readonly subject: string;
  readonly caller: EventCaller;
  readonly mode: Mode;
  /** After this moment the writer refuses the commit. */
  readonly deadlineAtMs?: number;
  readonly idempotency?: { readonly key: string; readonly digest: string };
  readonly mailbox?: MailboxDelivery;
  /** Of a dry run: what earlier turns of its chain staged for this plugin. */
  readonly prior?: readonly Effect[];
  /** Of a dry run: the moment at which it plays. */
  readonly startsAtMs?: number;
}

/** A delivery that lies in a mailbox until its turn commits. */
export interface MailboxDelivery {
  readonly id: number;
  /** Attempts before this one, and how many of them were made before its tries were counted anew. */
  readonly attempts: number;
  readonly triesLeftFrom: number;
  /** JSON array: names of the subscriptions that it matched. */
  readonly subscriptions: string;
}

/** What a cell's composition root is given beside the sandbox's own parts. */
export interface CellRoot {
  readonly databasePath: string;
  readonly secret: Uint8Array;
}

type Arrangement = Exclude<Effect['op'], 'set' | 'delete' | 'add' | 'append' | 'record' | 'publish' | 'send'>;

/** What one turn may stage at all, so that a plugin cannot fill the host's memory with what it will write. */
const MAX_STAGED_BYTES = 8 * 1024 * 1024;
/** About what a number takes in the record of the turn. */
const NUMBER_BYTES = 24;
/** Beside their budget in bytes: empty lines cost rows all the same. */
const MAX_LOG_LINES = 1000;

export class TurnContext {
  readonly policy: PluginPolicy;
  readonly origin: TurnOrigin;
  readonly random: TurnRandom;
  readonly effects: Effect[] = [];
  readonly logs: LogLine[] = [];
  readonly confidential = new Confidential();
  #hostCalls = 0;
  #publishes = 0;
  #requests = 0;
  #logBytes = 0;
  #droppedLogs = 0;
  #stagedBytes = 0;
  #reading = false;
  #nowMs: number;
  readonly #reader: StateReader;
  readonly #waits: OpenWaits | undefined;
  readonly #state: TurnState;
  readonly #logs: LogNumbers;
  readonly #observe: Observe;
  readonly principals: TurnPrincipals;

  /**
   * @param ask tells main of a wait; without it nothing can be waited for.
   * @param state of the batch that the turn is part of.
   * @param observe keeps what {@link observe} is told, or says it again.
   */
  constructor(
    policy: PluginPolicy,
    origin: TurnOrigin,
    reader: StateReader,
    random: TurnRandom,
    ask?: Ask,
    state = new TurnState(),
    observe: Observe = (_what, compute) => compute(),
  ) {
    this.policy = policy;
    this.origin = origin;
    this.random = random;
    this.#reader = reader;
    this.#state = state;
    this.#logs = new LogNumbers({
      state,
      readKey: (key) => this.#readKey(key),
      scan: (range) => this.#read().scan(policy.plugin, range),
      lastOf: (log) => this.#read().lastOf(policy.plugin, log),
    });
    this.#observe = observe;
    this.principals = new TurnPrincipals(policy, origin, state, (id) => {
      this.countCall();
      const read = () => JSON.stringify(this.#read().principal(policy.plugin, id) ?? null);
      return this.observe(`principal ${id}`, read);
    });
    this.#nowMs = origin.startedAtMs;
    this.#waits = ask && new OpenWaits(ask);
  }

  /** Time in the turn: its start, advanced to each answer that it waited for. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get reads(): Reads {
    return this.#state.reads;
  }

  get publishedCount(): number {
    return this.#publishes;
  }

  // --- waits

  /** Begins what main answers later, in place of an answer. @throws NEIRA_WAITS_EXCEEDED */
  wait(op: string, args: WaitArguments): Wait {
    if (!this.#waits?.hasRoom(op)) throw this.refusal('NEIRA_WAITS_EXCEEDED', { max: MAX_OPEN_WAITS });
    this.confidential.requireNone(this.policy.plugin, args.what, args);
    return this.#waits.begin(op, args);
  }

  /** Closes the read snapshot; what is read after the wait is the state of then. */
  suspend(): void {
    if (this.#reading) this.#reader.end();
    this.#reading = false;
  }

  /** Takes the answer of a wait, and answers it as the guest is given it: `V<json>`, `U` or `E<refusal>`. */
  answered(wait: number, atMs: number, answer: string): string {
    const asked = this.#waits?.answered(wait);
    this.#nowMs = Math.max(this.#nowMs, atMs);
    return asked ? this.confidential.answered(asked, answer) : answer;
  }

  /** The plugin does not want that answer any more; it stays an open wait of nobody. */
  dropWait(wait: number): void {
    this.#waits?.drop(wait);
  }

  /** Closes the read snapshot. */
  end(): void {
    this.suspend();
    if (this.#droppedLogs > 0) {
      const message = `${this.#droppedLogs} log lines above limits.log_kb were dropped`;
      this.logs.push({ level: 'warn', message, atMs: this.#nowMs });
    }
  }

  /** @throws NEIRA_HOST_CALLS_EXCEEDED, which ends the turn: a plugin cannot catch it and go on calling. */
  countCall(): void {
    this.#hostCalls++;
    const max = this.policy.limits.hostCalls;
    if (this.#hostCalls > max) throw this.refusal('NEIRA_HOST_CALLS_EXCEEDED', { max });
  }

  /** @throws NEIRA_REQUESTS_EXCEEDED */
  countRequest(): void {
    const max = this.policy.limits.requests;
    if (++this.#requests > max) throw this.refusal('NEIRA_REQUESTS_EXCEEDED', { max });
  }

  /** @throws NEIRA_PERMISSION_DENIED unless whoever acts asked and was granted it, gate open, mode allowing. */
  require(permission: string): void {
    this.principals.require(permission);
  }

  refusal(code: ErrorCode, details: Record<string, unknown> = {}): NeiraError {
    return new NeiraError(code, { plugin: this.policy.plugin, ...details });
  }

  /**
   * What a host function learns from anywhere but the turn's own state – a secret, a library of the host –, so
   * that a replay is told the same again. `what` names the question with everything that it depends on;
   * one whose answer follows from the question alone (`isPure`) may be answered anew where it was not asked before.
   */
  observe(what: string, compute: () => string, isPure = false): string {
    return this.#observe(what, compute, isPure);
  }

  // --- state

  get(name: string): StateEntry | undefined {
    const key = this.principals.keyOf(name);
    this.#logs.number(key);
    const committed = this.#readKey(key);
    const { staged } = this.#state;
    if (!staged.has(key)) return committed && this.confidential.given({ ...committed, key: name });
    const value = settle(staged, key, committed?.value);
    const found = { key: name, version: STAGED_VERSION, ...stagedMarks(staged, key) };
    return value === undefined ? undefined : this.confidential.given({ ...found, value });
  }

  list(wanted: KeyRange, size: PageSize): readonly StateEntry[] {
    const range = this.principals.rangeOf(wanted);
    this.#logs.number(range.prefix);
    const committed = this.#read().scan(this.policy.plugin, range);
    const see = (read: RangeRead) => this.#state.rangesRead.push(read);
    const page = readPage(committed, this.#state.staged, range, size, see);
    return this.principals.show(page).map((entry) => this.confidential.given(entry));
  }

  /**
   * JSON of the page that lies behind `after`: committed records only. What was saved never changes and what is saved
   * later lies behind it, so the turn depends on nothing by it.
   */
  records(wanted: RecordPage): string {
    const what = `records after ${wanted.after}, ${wanted.limit} at most${wanted.textOnly ? ', text only' : ''}`;
    const page = this.observe(what, () => readRecords(this.#read().records(wanted.after), wanted));
    return showRecords(page, wanted, this.confidential);
  }

  // --- effects

  set(name: string, value: string): void {
    const key = this.principals.keyOf(name);
    const marks = this.confidential.marks(value, name);
    this.#stage({ op: 'set', key, value, ...marks }, key.length + value.length);
    this.#state.staged.set(key, { value, ...marks });
  }

  delete(name: string): void {
    const key = this.principals.keyOf(name);
    this.#stage({ op: 'delete', key }, key.length);
    this.#state.staged.set(key, { value: undefined });
  }

  /** @throws NEIRA_ADD_REFUSED when the turn knows the value already; nothing is staged then. */
  add(name: string, amount: number): void {
    const key = this.principals.keyOf(name);
    const before = this.#state.staged.get(key);
    if (before && 'value' in before) addTo(key, before.value, amount);
    this.#stage({ op: 'add', key, amount }, key.length + NUMBER_BYTES);
    stageAddition(this.#state.staged, key, amount);
  }

  append(name: string, value: string): void {
    const key = this.principals.keyOf(name);
    const marks = this.confidential.marks(value, name);
    this.#stage({ op: 'append', key, value, ...marks }, key.length + value.length);
    if (!this.#state.appended.has(key)) this.#state.appended.set(key, 0);
  }

  record(effect: Extract<Effect, { op: 'record' }>): void {
    this.#stage(
      { ...effect, ...this.confidential.marks(effect.line) },
      effect.line.length + effect.text.length,
    );
  }

  publish(effect: Extract<Effect, { op: 'publish' }>): void {
    const max = this.policy.limits.publishes;
    if (++this.#publishes > max) throw this.refusal('NEIRA_PUBLISHES_EXCEEDED', { max });
    this.#stage(effect, effect.event.envelope.length);
  }

  /** Stages what changes the plugin's own place on the bus, and its principals, or takes back what it had delayed. */
  arrange(effect: Extract<Effect, { op: Arrangement }>): void {
    this.#stage(effect, JSON.stringify(effect).length);
    if (effect.op === 'principal.register') this.principals.register(effect.principal);
    if (effect.op === 'principal.remove') this.principals.remove(effect.id);
  }

  send(effect: Extract<Effect, { op: 'send' }>): void {
    const max = this.policy.limits.publishes;
    if (++this.#publishes > max) throw this.refusal('NEIRA_PUBLISHES_EXCEEDED', { max });
    this.#stage(effect, effect.payload.length);
  }

  /** Keeps the line within the byte budget of the turn; what is over is counted and dropped. */
  log(level: LogLine['level'], message: string): void {
    const bytes = Buffer.byteLength(message) + 1;
    if (this.#logBytes + bytes > this.policy.limits.logBytes || this.logs.length >= MAX_LOG_LINES) {
      this.#droppedLogs++;
      return;
    }
    this.#logBytes += bytes;
    this.logs.push({ level, message, atMs: this.#nowMs, ...this.principals.mark });
  }

  /** @throws NEIRA_SECRET_LEAK: what a turn was shown of secrets is not to be kept by it. */
  #stage(unmarked: Effect, bytes: number): void {
    const effect = { ...unmarked, ...this.principals.mark };
    this.confidential.requireNone(this.policy.plugin, `the effect \`${effect.op}\``, effect);
    this.#stagedBytes += bytes;
    if (this.#stagedBytes > MAX_STAGED_BYTES) {
      throw this.refusal('NEIRA_VALUE_TOO_LARGE', {
        what: 'work staged in one turn',
        bytes: this.#stagedBytes,
        maxBytes: MAX_STAGED_BYTES,
      });
    }
    this.effects.push(effect);
    this.#state.effects.push(effect);
    this.#state.stagedBytes += bytes;
  }

  /** The committed state; the snapshot opens with the first read. */
  #read(): StateReader {
    if (!this.#reading) this.#reader.begin();
    this.#reading = true;
    return this.#reader;
  }

  #readKey(key: string): StateEntry | undefined {
    const found = this.#read().get(this.policy.plugin, key);
    if (!this.#state.keysRead.has(key)) this.#state.keysRead.set(key, { key, version: found?.version ?? 0 });
    return found && { key, ...found };
  }
}
