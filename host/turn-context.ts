/**
 * One turn as the host functions see it: who is asking, what it may do, what it read, what it staged.
 *
 * Reads answer the committed state plus the turn's own staged writes. Everything read is kept with its
 * version, so that the writer can tell at commit whether it still holds; everything staged commits
 * together or not at all (design §4).
 */
import { decide, type GateView } from '../gates/decide.ts';
import type { Mode, Scope } from '../gates/gates.ts';
import { type ErrorCode, NeiraError } from './errors.ts';
import { type Ask, MAX_OPEN_WAITS, OpenWaits, type Wait, type WaitArguments } from './open-waits.ts';
import type { Delivery } from './sandbox/messages.ts';
import { logKey } from './store/kv.ts';
import type { Effect, KeyRead, LogLine, RangeRead, Reads } from './store/records.ts';
import type { TurnRandom } from './turn-random.ts';

export interface TurnLimits {
  readonly turnMs: number;
  /** Waiting time of one turn, over all its waits. */
  readonly waitMs: number;
  readonly cpuMs: number;
  readonly memoryMb: number;
  readonly hostCalls: number;
  readonly publishes: number;
  readonly outputBytes: number;
  readonly logBytes: number;
  readonly storageMb: number;
}

/** What an installed plugin may do, as flat permission names (`storage.read`, `io.send:console`, …). */
export interface PluginPolicy {
  readonly plugin: string;
  /** Content digest of the version. */
  readonly version: string;
  readonly gate: GateView;
  readonly asked: readonly string[];
  readonly granted: readonly string[];
  /** `name@version` of the events that the manifest names under `publishes`. */
  readonly publishes: readonly string[];
  readonly limits: TurnLimits;
  /** JSON of the settings, defaults filled in. */
  readonly settings: string;
}

/** The committed state, as the reader of a cell gives it. */
export interface StateReader {
  begin(): void;
  end(): void;
  get(plugin: string, key: string): { readonly value: string; readonly version: number } | undefined;
  list(plugin: string, prefix: string, after: string | undefined, limit: number): readonly StateEntry[];
  /** The number of the newest entry of the log `key`; 0 when it has none. */
  lastOf(plugin: string, key: string): number;
}

export interface StateEntry {
  readonly key: string;
  readonly value: string;
  readonly version: number;
}

export interface TurnOrigin {
  readonly turnId: string;
  readonly eventId: string;
  readonly correlationId: string;
  readonly tenant: string;
  readonly caller: Scope | 'host';
  readonly mode: Mode;
  /** Staged effects are shown and dropped. */
  readonly dryRun: boolean;
  readonly startedAtMs: number;
}

/** What rides along with a delivery into a cell, for the host functions and the record. */
export interface TurnDelivery extends Delivery, Omit<TurnOrigin, 'startedAtMs' | 'dryRun'> {
  readonly subject: string;
  /** After this moment the writer refuses the commit. */
  readonly deadlineAtMs: number;
  readonly idempotency?: { readonly key: string; readonly digest: string };
}

/** What a cell's composition root is given beside the sandbox's own parts. */
export interface CellRoot {
  readonly databasePath: string;
  readonly secret: Uint8Array;
}

/** What one turn may stage at all, so that a plugin cannot fill the host's memory with what it will write. */
const MAX_STAGED_BYTES = 8 * 1024 * 1024;
/** The version of what the turn itself staged: the commit gives it another. */
const STAGED_VERSION = 0;
/** Beside their budget in bytes: empty lines cost rows all the same. */
const MAX_LOG_LINES = 1000;

export class TurnContext {
  readonly policy: PluginPolicy;
  readonly origin: TurnOrigin;
  readonly random: TurnRandom;
  readonly effects: Effect[] = [];
  readonly logs: LogLine[] = [];
  #hostCalls = 0;
  #publishes = 0;
  #logBytes = 0;
  #droppedLogs = 0;
  #stagedBytes = 0;
  #reading = false;
  #nowMs: number;
  readonly #reader: StateReader;
  readonly #waits: OpenWaits | undefined;
  readonly #keysRead = new Map<string, KeyRead>();
  readonly #rangesRead: RangeRead[] = [];
  /** Staged values by key; undefined is a staged removal. */
  readonly #staged = new Map<string, string | undefined>();
  /** Logs with staged appends; reading one gives them numbers. */
  readonly #appended = new Set<string>();

  /** @param ask tells main of a wait; without it nothing can be waited for. */
  constructor(policy: PluginPolicy, origin: TurnOrigin, reader: StateReader, random: TurnRandom, ask?: Ask) {
    this.policy = policy;
    this.origin = origin;
    this.random = random;
    this.#reader = reader;
    this.#nowMs = origin.startedAtMs;
    this.#waits = ask && new OpenWaits(ask);
  }

  /** Time in the turn: its start, advanced to each answer that it waited for. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get reads(): Reads {
    return { keys: [...this.#keysRead.values()], ranges: this.#rangesRead };
  }

  get publishedCount(): number {
    return this.#publishes;
  }

  // --- waits

  /**
   * Begins what main answers later: a host function returns this instead of its answer.
   * @throws NEIRA_WAITS_EXCEEDED above {@link MAX_OPEN_WAITS}
   */
  wait(op: string, args: WaitArguments): Wait {
    if (!this.#waits || this.#waits.full) throw this.refusal('NEIRA_WAITS_EXCEEDED', { max: MAX_OPEN_WAITS });
    return this.#waits.begin(op, args);
  }

  /** Closes the read snapshot; what is read after the wait is the state of then. */
  suspend(): void {
    if (this.#reading) this.#reader.end();
    this.#reading = false;
  }

  answered(wait: number, atMs: number): void {
    this.#waits?.answered(wait);
    this.#nowMs = Math.max(this.#nowMs, atMs);
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

  /** @throws NEIRA_PERMISSION_DENIED unless asked in the manifest, granted, gate open, mode allowing. */
  require(permission: string): void {
    const { plugin, asked, granted, gate } = this.policy;
    const decision = decide({
      about: 'call',
      plugin,
      permission,
      asked: asked.includes(permission),
      granted: granted.includes(permission),
      gate,
      mode: this.origin.mode,
      caller: this.origin.caller,
    });
    if (decision.verdict === 'run' || (decision.verdict === 'dry-run' && this.origin.dryRun)) return;
    throw this.refusal((decision.code ?? 'NEIRA_PERMISSION_DENIED') as ErrorCode, {
      permission,
      reason: decision.reason,
      remedy: decision.remedy,
      ...decision.details,
    });
  }

  refusal(code: ErrorCode, details: Record<string, unknown> = {}): NeiraError {
    return new NeiraError(code, { plugin: this.policy.plugin, ...details });
  }

  // --- state

  get(key: string): StateEntry | undefined {
    this.#numberAppends(key);
    const committed = this.#readKey(key);
    if (!this.#staged.has(key)) return committed;
    const value = this.#staged.get(key);
    return value === undefined ? undefined : { key, value, version: STAGED_VERSION };
  }

  list(prefix: string, after: string | undefined, limit: number, maxBytes: number): readonly StateEntry[] {
    this.#numberAppends(prefix);
    const staged = [...this.#staged].filter(
      ([key]) => key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0),
    );
    this.#beginReading();
    const wanted = limit + staged.length;
    const committed = this.#reader.list(this.policy.plugin, prefix, after, wanted);
    const last = committed.at(-1);
    this.#rangesRead.push({
      prefix,
      ...(after !== undefined && { after }),
      ...(committed.length === wanted && last && { until: last.key }),
      count: committed.length,
      highest: committed.reduce((highest, { version }) => Math.max(highest, version), 0),
    });
    const merged = new Map(committed.map((entry) => [entry.key, entry]));
    for (const [key, value] of staged) {
      if (value === undefined) merged.delete(key);
      else merged.set(key, { key, value, version: STAGED_VERSION });
    }
    const horizon = committed.length === wanted ? last?.key : undefined;
    const ordered = [...merged.values()]
      .filter(({ key }) => horizon === undefined || compareKeys(key, horizon) <= 0)
      .sort((a, b) => compareKeys(a.key, b.key))
      .slice(0, limit);
    return withinBytes(ordered, maxBytes);
  }

  // --- effects

  set(key: string, value: string): void {
    this.#stage({ op: 'set', key, value }, key.length + value.length);
    this.#staged.set(key, value);
  }

  delete(key: string): void {
    this.#stage({ op: 'delete', key }, key.length);
    this.#staged.set(key, undefined);
  }

  append(key: string, value: string): void {
    this.#stage({ op: 'append', key, value }, key.length + value.length);
    this.#appended.add(key);
  }

  record(effect: Extract<Effect, { op: 'record' }>): void {
    this.#stage(effect, effect.line.length + effect.text.length);
  }

  publish(effect: Extract<Effect, { op: 'publish' }>): void {
    const max = this.policy.limits.publishes;
    if (++this.#publishes > max) throw this.refusal('NEIRA_PUBLISHES_EXCEEDED', { max });
    this.#stage(effect, effect.envelope.length);
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
    this.logs.push({ level, message, atMs: this.#nowMs });
  }

  #stage(effect: Effect, bytes: number): void {
    this.#stagedBytes += bytes;
    if (this.#stagedBytes > MAX_STAGED_BYTES) {
      throw this.refusal('NEIRA_VALUE_TOO_LARGE', {
        what: 'work staged in one turn',
        bytes: this.#stagedBytes,
        maxBytes: MAX_STAGED_BYTES,
      });
    }
    this.effects.push(effect);
  }

  #beginReading(): void {
    if (this.#reading) return;
    this.#reader.begin();
    this.#reading = true;
  }

  #readKey(key: string): StateEntry | undefined {
    this.#beginReading();
    const found = this.#reader.get(this.policy.plugin, key);
    if (!this.#keysRead.has(key)) this.#keysRead.set(key, { key, version: found?.version ?? 0 });
    return found && { key, ...found };
  }

  /**
   * A turn that reads a log it appended to needs the numbers that the commit will give: they are found by
   * going through the effects in order, as the commit does, provided that nobody else appends – which the
   * range read makes sure of.
   */
  #numberAppends(touched: string): void {
    for (const log of this.#appended) {
      const prefix = `${log}/`;
      if (!touched.startsWith(prefix) && !prefix.startsWith(touched)) continue;
      const committed = this.#readLastOf(log, prefix);
      const staged = new Map<string, string | undefined>();
      let last = committed;
      for (const effect of this.effects) {
        if (effect.op === 'append' && effect.key === log) staged.set(logKey(log, ++last), effect.value);
        else if ((effect.op === 'set' || effect.op === 'delete') && effect.key.startsWith(prefix)) {
          staged.set(effect.key, effect.op === 'set' ? effect.value : undefined);
          last = this.#lastWith(log, committed, staged);
        }
      }
      for (const [key, value] of staged) this.#staged.set(key, value);
    }
  }

  /** The committed number of the newest entry, read so that an append of another turn is a conflict. */
  #readLastOf(log: string, prefix: string): number {
    this.#beginReading();
    const { plugin } = this.policy;
    const last = this.#reader.lastOf(plugin, log);
    const after = last > 0 ? logKey(log, last) : undefined;
    const tail = this.#reader.list(plugin, prefix, after, 1)[0];
    this.#rangesRead.push({
      prefix,
      ...(after !== undefined && { after }),
      ...(tail && { until: tail.key }),
      count: tail ? 1 : 0,
      highest: tail?.version ?? 0,
    });
    return last;
  }

  /** The newest number when the turn itself set or removed entries of the log. */
  #lastWith(log: string, committed: number, staged: ReadonlyMap<string, string | undefined>): number {
    let last = committed;
    while (last > 0) {
      const key = logKey(log, last);
      const there = staged.has(key) ? staged.get(key) !== undefined : this.#readKey(key) !== undefined;
      if (there) break;
      last--;
    }
    for (const [key, value] of staged) {
      const number = value === undefined ? undefined : logNumber(log, key);
      if (number !== undefined) last = Math.max(last, number);
    }
    return last;
  }
}

/** The number of an entry of `log`; undefined for any other key. */
function logNumber(log: string, key: string): number | undefined {
  const digits = key.slice(log.length + 1);
  return key.startsWith(`${log}/`) && /^\d{16}$/.test(digits) ? Number(digits) : undefined;
}

/** SQLite orders text by its UTF-8 bytes. */
function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function withinBytes(entries: readonly StateEntry[], maxBytes: number): readonly StateEntry[] {
  let bytes = 0;
  const end = entries.findIndex((entry, index) => {
    bytes += entry.key.length + entry.value.length;
    return index > 0 && bytes > maxBytes;
  });
  return end < 0 ? entries : entries.slice(0, end);
}
