import { logKey } from '../store/kv.ts';
import { compareKeys, type KeyRange, type KvEntry } from '../store/ranges.ts';
import { type Changes, stageAddition } from './turn-page.ts';
import type { TurnState } from './turn-state.ts';

/** The turn that appends; what is read through it is kept among its reads. */
export interface AppendingTurn {
  readonly state: TurnState;
  readKey(key: string): unknown;
  scan(range: KeyRange): Iterable<KvEntry>;
  /** The number of the newest committed entry; 0 without one. */
  lastOf(log: string): number;
}

/** The numbers that the commit will give to entries which a turn appended and then reads. */
export class LogNumbers {
  readonly #turn: AppendingTurn;

  constructor(turn: AppendingTurn) {
    this.#turn = turn;
  }

  /**
   * A turn that reads a log it appended to needs the numbers that the commit will give: they are found by
   * going through the effects in order, as the commit does, provided that nobody else appends – which the
   * range read makes sure of.
   */
  number(touched: string): void {
    for (const [log, numbered] of this.#turn.state.appended) {
      const prefix = `${log}/`;
      if (!touched.startsWith(prefix) && !prefix.startsWith(touched)) continue;
      if (numbered === this.#turn.state.effects.length) continue;
      const committed = this.#readLastOf(log, prefix);
      const staged: Changes = new Map();
      // Unknown after the turn set or removed entries itself, until an append needs it.
      let last: number | undefined = committed;
      for (const effect of this.#turn.state.effects) {
        if (effect.op === 'append' && effect.key === log) {
          last = (last ?? this.#lastWith(log, committed, staged)) + 1;
          staged.set(logKey(log, last), { value: effect.value, ...marksOf(effect) });
        } else if ('key' in effect && effect.op !== 'append' && isEntryOf(log, effect.key)) {
          if (effect.op === 'add') stageAddition(staged, effect.key, effect.amount);
          else if (effect.op === 'set') staged.set(effect.key, { value: effect.value, ...marksOf(effect) });
          else staged.set(effect.key, { value: undefined });
          last = undefined;
        }
      }
      for (const [key, change] of staged) this.#turn.state.staged.set(key, change);
      this.#turn.state.appended.set(log, this.#turn.state.effects.length);
    }
  }

  /** The committed number of the newest entry, read so that an append of another turn is a conflict. */
  #readLastOf(log: string, prefix: string): number {
    const known = this.#turn.state.lastNumbers.get(log);
    if (known !== undefined) return known;
    const last = this.#turn.lastOf(log);
    this.#turn.state.lastNumbers.set(log, last);
    if (last > 0) this.#turn.readKey(logKey(log, last));
    const range = { prefix, ...(last > 0 && { after: logKey(log, last) }) };
    // Any higher number, whoever sets it.
    const until = `${prefix}${'9'.repeat(16)}`;
    let [count, highest] = [0, 0];
    for (const { key, version } of this.#turn.scan(range)) {
      if (compareKeys(key, until) > 0) break;
      count++;
      highest = Math.max(highest, version);
    }
    this.#turn.state.rangesRead.push({ ...range, until, count, highest });
    return last;
  }

  /** The newest number when the turn itself set or removed entries of the log. */
  #lastWith(log: string, committed: number, staged: Changes): number {
    let last = 0;
    for (const [key, change] of staged) {
      if (!('value' in change) || change.value !== undefined) last = Math.max(last, logNumber(log, key) ?? 0);
    }
    if (committed <= last) return last;
    const range = { prefix: `${log}/`, after: logKey(log, committed + 1), reverse: true };
    let [count, highest] = [0, 0];
    let until: string | undefined;
    for (const { key, version } of this.#turn.scan(range)) {
      count++;
      highest = Math.max(highest, version);
      const number = logNumber(log, key) ?? 0;
      if (number <= last && number > 0) until = key;
      else if (number > last && !staged.has(key)) {
        last = number;
        until = key;
      }
      if (until !== undefined) break;
    }
    this.#turn.state.rangesRead.push({ ...range, ...(until !== undefined && { until }), count, highest });
    return last;
  }
}

function marksOf({ pii }: { readonly pii?: string }): { readonly pii?: string } {
  return pii === undefined ? {} : { pii };
}

function isEntryOf(log: string, key: string): boolean {
  return logNumber(log, key) !== undefined;
}

/** The number of an entry of `log`; undefined for any other key. */
function logNumber(log: string, key: string): number | undefined {
  const digits = key.slice(log.length + 1);
  return key.startsWith(`${log}/`) && /^\d{16}$/.test(digits) ? Number(digits) : undefined;
}
