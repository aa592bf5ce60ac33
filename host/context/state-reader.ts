import type { PrincipalEntry } from '../store/principals.ts';
import type { KeyRange } from '../store/ranges.ts';
import type { RecordRow } from '../store/record-reads.ts';

/** The committed state, as the reader of a cell gives it. */
export interface StateReader {
  begin(): void;
  end(): void;
  get(plugin: string, key: string): Omit<StateEntry, 'key'> | undefined;
  /** Reads entry by entry: what is not asked for is not loaded. One walk at a time. */
  scan(plugin: string, range: KeyRange): Iterable<StateEntry>;
  /** The number of the newest entry of the log `key`; 0 when it has none. */
  lastOf(plugin: string, key: string): number;
  principal(plugin: string, id: string): PrincipalEntry | undefined;
  /** What all plugins saved, behind the number `after`, row by row. */
  records(after: number): Iterable<RecordRow>;
}

export interface StateEntry {
  readonly key: string;
  readonly value: string;
  readonly version: number;
  /** Marks of what is personal in it, see confidential.ts; null or absent without any. */
  readonly pii?: string | null;
}
