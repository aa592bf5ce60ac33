/** What goes into a run of guest code, and the ways in which it can end. */

/** Takes fuel of the run, and ends it where none is left. */
export type Charge = (fuel: number) => void;

/** What a running guest may ask for; the functions behind it decide and refuse. */
export interface HostCalls {
  /**
   * Answers `V<json>`, `U`, `E<json of a refusal>`, or `P<number>` of a wait whose answer is handed to
   * `resume` later. Throwing ends the turn. What a call costs beyond a small one it charges before it does it.
   */
  call(op: string, args: readonly string[], charge: Charge): string;
  /** The answer of that wait is not wanted any more. */
  dropWait?(wait: number): void;
  randomBytes(count: number): Uint8Array;
  nowMs(): number;
}

export interface Budget {
  /** Above this the guest is interrupted, with a stack that shows where. */
  readonly softFuel: number;
  /** Above this it is ended in the middle of whatever it does. */
  readonly hardFuel: number;
  /** What the wall time is worth in fuel: of it too an engine can end a guest that never asks for anything. */
  readonly wallFuel?: number;
  /** Moment of `performance.now()` at which it is ended however little fuel it used. */
  readonly wallDeadlineMs: number;
  readonly maxOutputBytes: number;
}

export interface ThrownReport {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** When a host function refused and the plugin let it through: what the host had said, JSON. */
  readonly refusal: string;
}

export type RunResult =
  /** What was answered: JSON of a script, any text of a component. */
  | { readonly kind: 'value'; readonly json: string | undefined }
  | { readonly kind: 'thrown'; readonly report: ThrownReport }
  /** Out of soft fuel (`cpu`), at the place the stack names. */
  | { readonly kind: 'interrupted'; readonly stack: string }
  /** Ended by hard fuel (`cpu`) or by the clock (`turn`). */
  | { readonly kind: 'aborted'; readonly why: 'cpu' | 'turn' }
  /** The promise can no longer settle. */
  | { readonly kind: 'pending' }
  | { readonly kind: 'output-too-large' }
  | { readonly kind: 'refused'; readonly error: unknown }
  | { readonly kind: 'fault'; readonly message: string };

/** Nothing is left to run until the answer of an open wait comes. */
export interface Suspended {
  readonly kind: 'suspended';
}

export type Failure = Exclude<RunResult, { kind: 'value' }>;

/** A boot failed inside the guest; `result` says how. */
export class BootError extends Error {
  readonly result: Failure;
  readonly during: 'load' | 'prepare';

  constructor(during: 'load' | 'prepare', result: Failure) {
    super(`boot failed during ${during}: ${result.kind}`);
    this.during = during;
    this.result = result;
  }
}
