import type { MessagePort } from 'node:worker_threads';
import type { KnownText } from '../base/masker.ts';
import type { ErrorShape } from '../errors.ts';
import type { BusNews } from './bus-records.ts';
import type { Durability } from './database.ts';
import type { Ack, WriteRecord } from './records.ts';

/**
 * What main and the writer thread say to each other. Records and acks travel as JSON text, which threads
 * copy faster than objects; control is rare and travels as it is.
 */

export interface WriterOptions {
  readonly home: string;
  readonly durability: Durability;
  readonly maxPageCount: number | undefined;
}

/** The text that main posts: an array of `[number, record]`; the number comes back with the ack. */
export type Submission = readonly [number, WriteRecord];

/** What a cell posts: an array of turns and batches as JSON text, and the transcripts of their turns, in order. */
export type FromStoreCell = readonly [records: string, ...transcripts: string[]];

export type ToWriter =
  | { readonly op: 'cell'; readonly cell: number; readonly port: MessagePort }
  | { readonly op: 'fence' | 'retire'; readonly cell: number; readonly request: number }
  | { readonly op: 'max-pages'; readonly count: number; readonly request: number }
  | { readonly op: 'backup'; readonly path: string; readonly request: number }
  /** Plugins that could run now. */
  | { readonly op: 'listening'; readonly plugins: readonly string[] }
  /** Subject patterns of what leaves for other hubs. */
  | { readonly op: 'carrying'; readonly patterns: readonly string[] }
  /** All that must not be told, from now on. */
  | { readonly op: 'learn'; readonly known: readonly KnownText[]; readonly request: number }
  | { readonly op: 'close' };

/** The text that the writer posts after each group. */
export interface AckBatch {
  /** Answers to what main submitted. */
  readonly submitted: readonly (readonly [number, Ack])[];
  /** Answers to turns that cells posted. */
  readonly turns: readonly Ack[];
  /** What the bus did in the group. */
  readonly news: BusNews;
  /** Records of the group, and how long its commit took in microseconds. */
  readonly commit: readonly [records: number, micros: number];
}

export type FromWriter =
  | { readonly op: 'ready' }
  /** It could not begin; nothing was changed. */
  | { readonly op: 'failed'; readonly error: ErrorShape }
  | { readonly op: 'done'; readonly request: number; readonly error?: ErrorShape }
  | { readonly op: 'problem'; readonly what: string; readonly reason: string }
  | { readonly op: 'closed' };
