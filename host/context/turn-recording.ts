/** Listens to what a turn is told, for its transcript. */

import type { PrincipalEntry } from '../store/principals.ts';
import type { KeyRange } from '../store/ranges.ts';
import type { RecordRow } from '../store/record-reads.ts';
import type { StateEntry, StateReader } from '../turn-context.ts';
import type { WaitArguments } from './open-waits.ts';
import { answerForRecord } from './secret-reveal.ts';
import {
  type Answered,
  type Asked,
  type KeySeen,
  type LastSeen,
  MAX_SEEN_BYTES,
  type Observed,
  type ScanSeen,
  type Seen,
  type SeenTooMuch,
} from './transcript.ts';

/** About what an entry takes beside its texts. */
const ENTRY_BYTES = 16;

/** Reads through `reader` and keeps what it said. One for each turn. */
export class TurnRecording implements StateReader {
  readonly #reader: StateReader;
  readonly #keys = new Map<string, KeySeen>();
  readonly #scans: ScanSeen[] = [];
  readonly #lasts: LastSeen[] = [];
  readonly #observed: Observed[] = [];
  readonly #asked: Asked[] = [];
  readonly #answers: Answered[] = [];
  #bytes = 0;

  constructor(reader: StateReader) {
    this.#reader = reader;
  }

  begin(): void {
    this.#reader.begin();
  }

  end(): void {
    this.#reader.end();
  }

  get(plugin: string, key: string): Omit<StateEntry, 'key'> | undefined {
    const found = this.#reader.get(plugin, key);
    const answers = this.#answers.length;
    // Within one snapshot a key says the same each time.
    const name = answers === 0 ? key : `${answers}\n${key}`;
    if (this.#has(key.length + (found?.value.length ?? 0)) && !this.#keys.has(name))
      this.#keys.set(name, [answers, key, found?.value ?? null, found?.version ?? 0, ...marksOf(found)]);
    return found;
  }

  *scan(plugin: string, range: KeyRange): Iterable<StateEntry> {
    const scan: ScanSeen = [this.#answers.length, range, [], false];
    if (this.#has(range.prefix.length)) this.#scans.push(scan);
    for (const entry of this.#reader.scan(plugin, range)) {
      const { key, value, version } = entry;
      if (this.#has(key.length + value.length)) scan[2].push([key, value, version, ...marksOf(entry)]);
      yield entry;
    }
    scan[3] = true;
  }

  lastOf(plugin: string, log: string): number {
    const last = this.#reader.lastOf(plugin, log);
    if (this.#has(log.length)) this.#lasts.push([this.#answers.length, log, last]);
    return last;
  }

  /** What the turn makes of it goes through {@link observed}. */
  principal(plugin: string, id: string): PrincipalEntry | undefined {
    return this.#reader.principal(plugin, id);
  }

  /** Likewise: of the rows, a turn observes the page that it was given. */
  records(after: number): Iterable<RecordRow> {
    return this.#reader.records(after);
  }

  observed(what: string, answer: string): void {
    if (this.#has(what.length + answer.length)) this.#observed.push([what, answer]);
  }

  asked(wait: number, op: string, args: string): void {
    if (this.#has(args.length)) this.#asked.push([wait, op, args]);
  }

  answered(wait: number, answer: string, atMs: number): void {
    if (!this.#has(answer.length)) return;
    const [, op, args] = this.#asked.find(([asked]) => asked === wait)!;
    this.#answers.push([wait, answerForRecord(op, JSON.parse(args) as WaitArguments, answer), atMs]);
  }

  get seen(): Seen | SeenTooMuch {
    if (this.#bytes > MAX_SEEN_BYTES) return { overBytes: MAX_SEEN_BYTES };
    return {
      keys: [...this.#keys.values()],
      scans: this.#scans,
      lasts: this.#lasts,
      observed: this.#observed,
      asked: this.#asked,
      answers: this.#answers,
    };
  }

  /** Counts what is to be kept; false once it is too much, and then the turn is told all the same. */
  #has(length: number): boolean {
    this.#bytes += length + ENTRY_BYTES;
    return this.#bytes <= MAX_SEEN_BYTES;
  }
}

/** Marks of what is personal come along only where there are any. */
function marksOf(entry: { readonly pii?: string | null } | undefined): readonly [] | readonly [pii: string] {
  return entry?.pii ? [entry.pii] : [];
}
