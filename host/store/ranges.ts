import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { RangeRead, Reads } from './records.ts';

/** The keys that start with `prefix`, in the order of their UTF-8 bytes, or against it. */
export interface KeyRange {
  readonly prefix: string;
  /** Only what comes behind this key: above it, in reverse below it. */
  readonly after?: string;
  readonly reverse?: boolean;
}

export interface KvEntry {
  readonly key: string;
  readonly value: string;
  readonly version: number;
  readonly pii?: string | null;
}

/** Above every text: SQLite orders blobs after texts. */
const NO_END = new Uint8Array(0);

/** The least text above all that start with `prefix`, in the order of UTF-8 bytes. */
export function prefixEnd(prefix: string): string | Uint8Array {
  const points = Array.from(prefix.toWellFormed());
  while (points.length > 0) {
    const last = points.pop()!.codePointAt(0)!;
    if (last === 0x10ffff) continue;
    const next = last === 0xd7ff ? 0xe000 : last + 1;
    return points.join('') + String.fromCodePoint(next);
  }
  return NO_END;
}

/** SQLite orders text by its UTF-8 bytes, that is by code points; JavaScript by UTF-16 units. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left !== right) return rankOf(left) - rankOf(right);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above all that one unit can say. */
function rankOf(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

interface Bounds {
  readonly lower: string;
  readonly upper: string | Uint8Array;
  /** Comparisons with `lower` and `upper`. */
  readonly above: '>' | '>=';
  readonly below: '<' | '<=';
}

/** Between which keys a range lies; of one that was seen, as far as `until`. */
function boundsOf({ prefix, after, reverse }: KeyRange, until?: string): Bounds {
  const end = prefixEnd(prefix);
  if (reverse) {
    const behind = after !== undefined && (typeof end !== 'string' || compareKeys(after, end) < 0);
    return { lower: until ?? prefix, above: '>=', upper: behind ? after : end, below: '<' };
  }
  const upper = until ?? end;
  const below = until === undefined ? '<' : '<=';
  return after !== undefined && compareKeys(after, prefix) >= 0
    ? { lower: after, above: '>', upper, below }
    : { lower: prefix, above: '>=', upper, below };
}

/** Walks the index of the primary key, in its order or against it: nothing is sorted or read ahead. */
export const scanSql = (above: '>' | '>=', reverse: boolean) =>
  `select k as key, value, version, pii from kv where plugin = ? and k ${above} ? and k < ?
   order by k ${reverse ? 'desc' : 'asc'}`;

/** Ends one row after as many as were seen: that is enough to know that there are more. */
export const rangeSql = (above: '>' | '>=', below: '<' | '<=') =>
  `select count(*) as count, coalesce(max(version), 0) as highest from (
     select version from kv where plugin = ? and k ${above} ? and k ${below} ? limit ?)`;

/** Entries of a range, read one by one as they are asked for. One walk at a time. */
export function prepareScan(db: DatabaseSync): (plugin: string, range: KeyRange) => Iterable<KvEntry> {
  const [from, after, reverse] = [
    db.prepare(scanSql('>=', false)),
    db.prepare(scanSql('>', false)),
    db.prepare(scanSql('>=', true)),
  ];
  return (plugin, range) => {
    const { lower, upper, above } = boundsOf(range);
    const forward = above === '>' ? after : from;
    return (range.reverse ? reverse : forward).iterate(plugin, lower, upper) as unknown as Iterable<KvEntry>;
  };
}

/** Whether everything that was read is still so: a seek for each key, a walk over what was seen for each range. */
export function prepareHolds(db: DatabaseSync): (plugin: string, reads: Reads) => boolean {
  const version = db.prepare('select version from kv where plugin = ? and k = ?');
  const ranges = new Map<string, StatementSync>();
  for (const above of ['>', '>='] as const) {
    for (const below of ['<', '<='] as const) ranges.set(above + below, db.prepare(rangeSql(above, below)));
  }
  const rangeHolds = (plugin: string, range: RangeRead) => {
    const { lower, upper, above, below } = boundsOf(range, range.until);
    const now = ranges.get(above + below)!.get(plugin, lower, upper, range.count + 1)!;
    return now['count'] === range.count && now['highest'] === range.highest;
  };
  const principal = db.prepare('select seq from principal where plugin = ? and id = ?');
  return (plugin, { keys, ranges, principals = [] }) =>
    keys.every((read) => (version.get(plugin, read.key)?.['version'] ?? 0) === read.version) &&
    ranges.every((range) => rangeHolds(plugin, range)) &&
    principals.every((read) => (principal.get(plugin, read.id)?.['seq'] ?? 0) === read.version);
}
