/** Pages of a listing: what is committed and what the turn staged, merged as they are read. */
import { addTo } from '../store/kv.ts';
import { compareKeys, type KeyRange, type KvEntry } from '../store/ranges.ts';
import type { RangeRead } from '../store/records.ts';

/** The version of what the turn itself staged: the commit gives it another. */
export const STAGED_VERSION = 0;

/** What a turn staged for a key: a value, a removal, or numbers to add to whatever is committed. */
export type Change =
  | { readonly value: string | undefined /** Marks of what is personal in it. */; readonly pii?: string }
  | { readonly amounts: number[] };

/** Staged changes by key. */
export type Changes = Map<string, Change>;

export interface PageSize {
  readonly limit: number;
  /** Of keys and values; the first entry is taken whatever its size. */
  readonly maxBytes: number;
}

/**
 * The value of a changed key over its committed one. Additions become a value by it: the turn has seen the
 * committed one and depends on it from here on.
 * @throws NEIRA_ADD_REFUSED
 */
export function settle(changes: Changes, key: string, committed: string | undefined): string | undefined {
  const change = changes.get(key);
  if (!change) return committed;
  if ('value' in change) return change.value;
  // In the order in which the commit adds them: sums of fractions depend on it.
  const value = change.amounts.reduce((sum: string | undefined, n) => addTo(key, sum, n), committed);
  changes.set(key, { value });
  return value;
}

/** Marks of the value that is staged for a key. */
export function stagedMarks(changes: Changes, key: string): { readonly pii?: string } {
  const change = changes.get(key);
  return change && 'value' in change && change.pii !== undefined ? { pii: change.pii } : {};
}

/**
 * Adds to the change of a key; what is added to a value that the turn does not know is kept apart.
 * @throws NEIRA_ADD_REFUSED
 */
export function stageAddition(changes: Changes, key: string, amount: number): void {
  const before = changes.get(key);
  if (!before) changes.set(key, { amounts: [amount] });
  else if ('value' in before) changes.set(key, { value: addTo(key, before.value, amount) });
  else before.amounts.push(amount);
}

/**
 * Reads one page, and no further than it reaches: neither the entries behind it nor more than its bytes are
 * loaded. `note` is told the part of the range that the page depends on, also when it throws.
 * @throws NEIRA_ADD_REFUSED
 */
export function readPage(
  committed: Iterable<KvEntry>,
  changes: Changes,
  range: KeyRange,
  { limit, maxBytes }: PageSize,
  note: (read: RangeRead) => void,
): readonly KvEntry[] {
  const staged = stagedIn(changes, range);
  const page: KvEntry[] = [];
  let [bytes, next, count, highest] = [0, 0, 0, 0];
  let until: string | undefined;

  /** False when the page ends here. An entry that is too large for it was seen all the same. */
  function show(entry: KvEntry): boolean {
    bytes += Buffer.byteLength(entry.key) + Buffer.byteLength(entry.value);
    const fits = page.length === 0 || bytes <= maxBytes;
    if (fits) page.push(entry);
    return fits && page.length < limit;
  }

  function showStaged(key: string, below: string | undefined): boolean {
    const value = settle(changes, key, below);
    return value === undefined || show({ key, value, version: STAGED_VERSION, ...stagedMarks(changes, key) });
  }

  /** Everything in the order of the range, until the page ends; {@link until} is where. */
  function fill(): void {
    for (const entry of committed) {
      while (next < staged.length && isBefore(staged[next]!, entry.key, range)) {
        until = staged[next++]!;
        if (!showStaged(until, undefined)) return;
      }
      count++;
      highest = Math.max(highest, entry.version);
      until = entry.key;
      const changed = staged[next] === entry.key;
      if (changed) next++;
      if (!(changed ? showStaged(entry.key, entry.value) : show(entry))) return;
    }
    while (next < staged.length) {
      until = staged[next++]!;
      if (!showStaged(until, undefined)) return;
    }
    until = undefined;
  }

  try {
    fill();
  } finally {
    note({ ...range, ...(until !== undefined && { until }), count, highest });
  }
  return page;
}

/** The changed keys of the range, in its order. */
function stagedIn(changes: Changes, range: KeyRange): readonly string[] {
  const { prefix, after } = range;
  return [...changes.keys()]
    .filter((key) => key.startsWith(prefix) && (after === undefined || isBefore(after, key, range)))
    .sort((a, b) => (isBefore(a, b, range) ? -1 : 1));
}

function isBefore(a: string, b: string, { reverse }: KeyRange): boolean {
  return compareKeys(a, b) < 0 !== (reverse === true) && a !== b;
}
