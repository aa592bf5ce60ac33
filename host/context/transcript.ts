/**
 * The record of a turn from which it can be run again: what came in, what the host told it, what came of it
 * (design §4, "Transcripts"). One is a line of JSON.
 *
 * What the home's secret and the turn's own staged work say is not in it, because both are there again.
 */
import type { Mode } from '../../gates/gates.ts';
import type { KeyRange } from '../store/ranges.ts';
import type { Effect, TurnRecord } from '../store/records.ts';

/** `answers` in these: how many answers the turn had been given by then, since each opens another snapshot. */
export type KeySeen = readonly [
  answers: number,
  key: string,
  value: string | null,
  version: number,
  pii?: string,
];
export type EntrySeen = readonly [key: string, value: string, version: number, pii?: string];
/** The entries that were looked at; `whole` when there were no more. */
export type ScanSeen = [answers: number, range: KeyRange, entries: EntrySeen[], whole: boolean];
export type LastSeen = readonly [answers: number, log: string, last: number];
/** What {@link TurnContext.observe} was told. */
export type Observed = readonly [what: string, answer: string];
export type Asked = readonly [wait: number, op: string, args: string];
/** In order of arrival. A secret is never in it: `R{"secret": <name>}` stands for it (secret-reveal.ts). */
export type Answered = readonly [wait: number, answer: string, atMs: number];

export interface Seen {
  readonly keys: readonly KeySeen[];
  readonly scans: readonly ScanSeen[];
  readonly lasts: readonly LastSeen[];
  readonly observed: readonly Observed[];
  readonly asked: readonly Asked[];
  readonly answers: readonly Answered[];
}

/** More was read than is kept. */
export interface SeenTooMuch {
  readonly overBytes: number;
}

export interface TurnInput {
  readonly deliveryId: string;
  readonly mode: Mode;
  /** Attempts before this one, and the subscriptions (JSON array) that brought the event. */
  readonly attempts: number;
  readonly subscriptions: string;
  /** Absent where the record has it. */
  readonly envelope?: string;
  /** Ends of logs that those before it in its batch had looked up. */
  readonly ends?: readonly (readonly [log: string, last: number])[];
}

export interface Transcript {
  readonly input: TurnInput;
  readonly seen: Seen | SeenTooMuch;
  /** The turn of the same batch that it ran behind, on what that had staged. */
  readonly follows?: string;
  /** Of a fixture: what it draws at random from, in place of the home's secret. */
  readonly seed?: string;
  /** What those before it in its batch had staged, where they are not kept beside it. */
  readonly prior?: readonly Effect[];
  /** As the cell reported it, `recipe` included; what the writer made of it stands in the store. */
  readonly turn: TurnRecord;
}

/** What main gets of a turn that was run again. */
export interface ReplayReport {
  readonly asked: readonly Asked[];
  /** What it asked for and was never told; then `turn` is only how far it came. */
  readonly missing?: string;
  readonly turn: TurnRecord;
}

/** What one turn may have been told for its transcript to be kept whole. */
export const MAX_SEEN_BYTES = 1024 * 1024;

export function wasSeen(seen: Seen | SeenTooMuch): seen is Seen {
  return 'keys' in seen;
}
