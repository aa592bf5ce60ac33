/** What a cell is handed by its composition root: turns, batches, boots and replays as the host functions hold them. */
import type { Delivery, Program } from './messages.ts';
import type { HostCalls } from './run-result.ts';
import type { Settled } from './settled.ts';

/** One turn as the host functions hold it; made anew for each. */
export interface TurnSession extends HostCalls {
  /** The turn stands still: nothing it holds may keep others waiting. */
  suspend(): void;
  /** The answer of `wait` came; the clock of the turn goes on to `atMs`. Answers what the guest is given. */
  answered(wait: number, answer: string, atMs: number): string;
  /** It would have stood still where it may not: nothing of it counts, and it is to begin anew. */
  readonly cut: boolean;
  /** Ends the turn; in a batch, what it read is the batch's. */
  finish(settled: Settled, fuel: number, runMs: number, batched?: 'batched'): Finished;
}

/** What the writer gets of a turn, as texts. */
export interface Finished {
  readonly record: string;
  /** From which the turn can be run again; '' when none is kept. */
  readonly transcript: string;
}

/** A recorded turn on its way to be run again: nothing of it leaves. */
export interface ReplaySession extends TurnSession {
  readonly envelope: string;
  /** The answer that came next when it was recorded; undefined when none came any more. */
  nextAnswer(): readonly [wait: number, answer: string, atMs: number] | undefined;
  /** How a turn ends that stands still for good. */
  ending(): Settled;
  /** The report for main, of a turn that was finished. */
  report(finished: Finished): string;
}

/** Turns that run one after the other and commit together. */
export interface BatchSession {
  openTurn(program: Program, delivery: Delivery): TurnSession;
  /** Whether it may take another turn. */
  readonly hasRoom: boolean;
  /** The record of the batch, from those of its turns. */
  finish(records: readonly string[]): string;
}

/** Top-level code and `prepare()`: fixed time, seed of the code, reads only. */
export interface BootSession extends HostCalls {
  finish(): unknown;
}
