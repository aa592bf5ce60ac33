/** The world of a turn that is run again: it is told what it was told before, and nothing else. */
import { compareKeys, type KeyRange } from '../store/ranges.ts';
import type { StateEntry, StateReader } from '../turn-context.ts';
import type { Answered, EntrySeen, KeySeen, ScanSeen, Seen } from './transcript.ts';

/** Another version asks for what was never said; the replay ends there and says so. */
export class NeverSeen extends Error {
  constructor(what: string) {
    super(what);
  }
}

export class TurnReplay implements StateReader {
  readonly #seen: Seen;
  readonly #observed = new Map<string, string[]>();
  /** Answers by what was asked, each in the order of the questions; open ones are undefined. */
  readonly #askedBefore = new Map<string, (Answered | undefined)[]>();
  /** What waits now: its recorded answer by the number that it has in this run. */
  readonly #open = new Map<number, Answered | undefined>();
  #answers = 0;

  constructor(seen: Seen) {
    this.#seen = seen;
    for (const [what, answer] of seen.observed) push(this.#observed, what, answer);
    for (const [wait, op, args] of seen.asked) {
      push(
        this.#askedBefore,
        `${op}\n${args}`,
        seen.answers.find(([answered]) => answered === wait),
      );
    }
  }

  begin(): void {}
  end(): void {}

  get(_plugin: string, key: string): Omit<StateEntry, 'key'> | undefined {
    const found = nearest(
      this.#seen.keys.filter((each) => each[1] === key),
      this.#answers,
    );
    if (found) return entryOf(found);
    const scanned = this.#scanned({ prefix: key }, true);
    if (!scanned) throw new NeverSeen(`storage key \`${key}\``);
    const entry = scanned.find(([name]) => name === key);
    return entry && seenValue(entry[1], entry[2], entry[3]);
  }

  *scan(_plugin: string, range: KeyRange): Iterable<StateEntry> {
    const scan = this.#sameScan(range);
    const entries = scan?.[2] ?? this.#scanned(range, false);
    if (!entries) throw new NeverSeen(`storage entries under \`${range.prefix}\``);
    for (const [key, value, version, pii] of entries) yield { key, ...seenValue(value, version, pii) };
    if (scan && !scan[3]) throw new NeverSeen(`more storage entries under \`${range.prefix}\``);
  }

  lastOf(_plugin: string, log: string): number {
    const found = nearest(
      this.#seen.lasts.filter((each) => each[1] === log),
      this.#answers,
    );
    if (!found) throw new NeverSeen(`the end of the log \`${log}\``);
    return found[2];
  }

  /** A turn observes its principals, so what they were is told there. */
  principal(_plugin: string, id: string): undefined {
    throw new NeverSeen(`the principal \`${id}\``);
  }

  /** So it is of what was saved. */
  records(after: number): never {
    throw new NeverSeen(`records behind ${after}`);
  }

  hasObserved(what: string): boolean {
    return this.#observed.has(what);
  }

  observed(what: string): string {
    const answers = this.#observed.get(what);
    if (!answers) throw new NeverSeen(what.slice(0, 200));
    // The last one stands for what is asked more often than before.
    return answers.length > 1 ? answers.shift()! : answers[0]!;
  }

  asked(wait: number, op: string, args: string): void {
    const before = this.#askedBefore.get(`${op}\n${args}`);
    if (!before || before.length === 0) {
      const { what } = JSON.parse(args) as { what: string };
      throw new NeverSeen(`the answer to ${op} ${what}`);
    }
    this.#open.set(wait, before.shift());
  }

  /** The next answer to come, in the order in which they came; undefined when none will. */
  nextAnswer(): Answered | undefined {
    const order = this.#seen.answers;
    let next: { readonly wait: number; readonly answer: Answered } | undefined;
    for (const [wait, answer] of this.#open) {
      if (answer && (!next || order.indexOf(answer) < order.indexOf(next.answer))) next = { wait, answer };
    }
    if (!next) return undefined;
    this.#open.delete(next.wait);
    this.#answers++;
    return [next.wait, next.answer[1], next.answer[2]];
  }

  /** The same range as it was looked at in this snapshot, as far as it ever was. */
  #sameScan(range: KeyRange): ScanSeen | undefined {
    const same = this.#seen.scans.filter((each) => isSame(each[1], range));
    const at = nearest(same, this.#answers)?.[0];
    const [first, ...others] = same.filter((each) => each[0] === at);
    return others.reduce(
      (best, each) => (best === undefined || each[3] || each[2].length > best[2].length ? each : best),
      first,
    );
  }

  /** Entries of a range that lies inside one that was looked at to its end. */
  #scanned(range: KeyRange, exact: boolean): readonly EntrySeen[] | undefined {
    const covering = this.#seen.scans.filter(
      ([, { prefix, after }, , whole]) => whole && after === undefined && range.prefix.startsWith(prefix),
    );
    const scan = nearest(covering, this.#answers);
    if (!scan) return undefined;
    const within = scan[2].filter(([key]) =>
      exact ? key === range.prefix : key.startsWith(range.prefix) && isBehind(key, range),
    );
    return scan[1].reverse === range.reverse ? within : within.toReversed();
  }
}

function push<Value>(map: Map<string, Value[]>, name: string, value: Value): void {
  const known = map.get(name);
  if (known) known.push(value);
  else map.set(name, [value]);
}

/** Of the snapshot that the turn is in, else of the one before it, else of the first after it. */
function nearest<Item extends KeySeen | ScanSeen | readonly [number, ...unknown[]]>(
  items: readonly Item[],
  answers: number,
): Item | undefined {
  return items.findLast(([at]) => at <= answers) ?? items[0];
}

function entryOf([, , value, version, pii]: KeySeen) {
  return value === null ? undefined : seenValue(value, version, pii);
}

function seenValue(value: string, version: number, pii: string | undefined) {
  return { value, version, ...(pii !== undefined && { pii }) };
}

function isSame(a: KeyRange, b: KeyRange): boolean {
  return a.prefix === b.prefix && a.after === b.after && (a.reverse ?? false) === (b.reverse ?? false);
}

function isBehind(key: string, { after, reverse }: KeyRange): boolean {
  if (after === undefined) return true;
  const order = compareKeys(key, after);
  return reverse ? order < 0 : order > 0;
}
