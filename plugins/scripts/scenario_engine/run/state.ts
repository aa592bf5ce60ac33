/**
 * A run as it is stored: where each of its threads stands, what it knows, and what has to be undone. It is JSON. A turn
 * reads it, the interpreter moves it on, and the turn's commit keeps it.
 */
import type { Priority } from '../program.ts';

export interface StepError {
  /** Of the host's catalogue, of the plugin that was called, or `SCENARIO_…`. */
  readonly code: string;
  readonly message: string;
  readonly details?: unknown;
}

export type Outcome = 'succeeded' | 'failed' | 'cancelled';
export type Scope = Readonly<Record<string, unknown>>;

export interface Run {
  readonly id: string;
  readonly scenario: string;
  /** Of the definition that it began with, and ends with. */
  readonly digest: string;
  readonly priority: Priority;
  readonly ctx: unknown;
  /** Envelope of what triggered it. */
  readonly event?: unknown;
  /** Who began it: source of the command. */
  readonly by: string;
  readonly createdAtMs: number;
  /** The run that waits for this one, and the number of its wait. */
  readonly parent?: { readonly run: string; readonly wait: number };
  /** Runs that this one was begun by, from the outside in: it may hold what they hold. */
  readonly within?: readonly string[];
  readonly forkOf?: { readonly run: string; readonly step: string };
  readonly replayOf?: string;
  readonly dry?: true;
  phase: 'queued' | 'forward' | 'undoing' | 'ended';
  startedAtMs?: number;
  endedAtMs?: number;
  /** Of the run; it is not undone later than it likes. */
  deadlineMs?: number;
  bag: Record<string, unknown>;
  /** The first is the run itself, the others are branches of it. */
  threads: Thread[];
  /** What is compensated when it ends badly, oldest first. */
  undo: Undo[];
  /** How it will have ended when everything is undone. */
  ending?: { readonly outcome: 'failed' | 'cancelled'; readonly error?: StepError };
  /** Compensations that failed, by their step. */
  notUndone?: { readonly step: string; readonly error: StepError }[];
  outcome?: Outcome;
  error?: StepError;
  returned?: unknown;
  paused?: Pause;
  breakpoints?: string[];
  /** Goes on to the next step at this depth of this thread, and pauses there. */
  stepping?: { readonly thread: number; readonly depth: number };
  /** What came while it was paused. */
  held?: RunEvent[];
  /** Steps that were begun. */
  transitions: number;
  /** Rows of its journal. */
  rows: number;
  nextNumber: number;
  /** The one delayed event that wakes it. */
  timer?: { readonly id: string; readonly atMs: number };
  costs: Record<string, number>;
  /** How far a dry run is ahead of the clock. */
  aheadMs?: number;
  /** Where it waits among those that want to begin. */
  queuedAs?: string;
  /** It counts among those that go on, and among those that work now. */
  admitted?: true;
  slot?: true;
}

export interface Pause {
  /** `slot`: so many runs work that it waits for its turn. */
  readonly reason: 'asked' | 'breakpoint' | 'step' | 'no_progress' | 'slot';
  readonly atMs: number;
  /** The step before which it stands, and where that is. */
  readonly step?: string;
  readonly thread?: number;
  readonly depth?: number;
  readonly message?: string;
  /** It goes on over one step when it has a place. */
  readonly over?: true;
}

export interface Thread {
  readonly id: number;
  /** The thread whose step it is a branch of, and the depth of that step there. */
  readonly of?: { readonly thread: number; readonly depth: number };
  readonly branch?: string;
  /** Turns of the loops that it lies in. */
  readonly turns: readonly number[];
  /** Variables of these loops, by name. */
  readonly vars: Scope;
  /** Innermost last. The first has no node of its own. */
  frames: Frame[];
}

export const ROOT = -1;

/** A step that has begun and not ended. */
export interface Frame {
  /** In `nodes`, or {@link ROOT}. */
  readonly node: number;
  attempt: number;
  startedAtMs: number;
  deadlineMs?: number;
  /** Which of its blocks is done: `body`, `b0`, `c2`, `else`, `fallback`; of the root `undo:<node>` or none. */
  block?: string;
  /** The next step in the block. */
  at: number;
  /** Turn of a loop, from 0, and what it goes over. */
  turn?: number;
  items?: readonly unknown[];
  values?: unknown[];
  /** What its last step came to, where somebody wants to know. */
  value?: unknown;
  wants?: true;
  /** Parameters of a fragment. */
  vars?: Scope;
  wait?: Wait;
  /** It holds its locks and its place in the pool, under this number. */
  holds?: number;
  /** What it holds was given back while all of it waits; it is taken again before it goes on. */
  lent?: true;
  /** Its compensation is registered. */
  undone?: number;
  /** What its fallback sees. */
  error?: StepError;
  /** Of branches: how many ended well and how many did not. */
  ended?: { good: number; bad: number; error?: StepError };
}

interface Waiting {
  /** Unique within the run: an answer names it. */
  readonly id: number;
  readonly dueMs?: number;
}

export type Wait = Waiting &
  (
    | { readonly kind: 'answer'; readonly ask: string }
    | { readonly kind: 'retry' }
    | { readonly kind: 'time' }
    | { readonly kind: 'event'; readonly place: string }
    | { readonly kind: 'signal'; readonly signal: string }
    | { readonly kind: 'person'; readonly question: string }
    | { readonly kind: 'child'; readonly run: string }
    | { readonly kind: 'branches' }
    /** `lentBy`: for the step around it that gave back what it held. */
    | { readonly kind: 'locks'; readonly lentBy?: { readonly thread: number; readonly depth: number } }
  );

/** A compensation that was registered when its step began. */
export interface Undo {
  readonly number: number;
  readonly node: number;
  readonly step: string;
  readonly turns: readonly number[];
  readonly vars: Scope;
  result?: unknown;
}

/** What moves a run. */
export type RunEvent =
  | { readonly kind: 'begin' }
  | { readonly kind: 'continue' }
  | { readonly kind: 'time' }
  | { readonly kind: 'answer'; readonly wait: number; readonly result?: unknown; readonly error?: StepError }
  | { readonly kind: 'heard'; readonly wait: number; readonly event: unknown }
  | { readonly kind: 'signal'; readonly signal: string; readonly payload?: unknown }
  | { readonly kind: 'reply'; readonly wait: number; readonly value: unknown }
  | {
      readonly kind: 'child';
      readonly wait: number;
      readonly outcome: Outcome;
      readonly returned?: unknown;
      readonly error?: StepError;
    }
  | { readonly kind: 'woken'; readonly wait: number }
  | { readonly kind: 'cancel'; readonly reason: string }
  | { readonly kind: 'pause'; readonly reason: Pause['reason']; readonly message?: string }
  | {
      readonly kind: 'resume';
      readonly over?: boolean;
      readonly breakpoints?: readonly string[];
      /** It was given a place among those that work. */
      readonly slot?: true;
    };

/** What happened to a step, for the journal of the run: kept by run, step (path and turns) and attempt (SCN-07). */
export interface StepRow {
  readonly step: string;
  readonly name: string;
  readonly what: StepChange;
  readonly attempt: number;
  readonly atMs: number;
  readonly latencyMs?: number;
  /** What it put into the bag. */
  readonly set?: Readonly<Record<string, unknown>>;
  /** What it sent: `weather.now@1`, and with what. */
  readonly sent?: { readonly name: string; readonly payload: unknown };
  /** Number of the wait that began; what came to it is in the events of the journal. */
  readonly wait?: number;
  readonly error?: StepError;
  /** What it waits for: `event weather.changed`, `retry at …`. */
  readonly waits?: string;
  /** What its answer says it used: `{tts_seconds: 4, tokens: 120}` (SCN-24). */
  readonly costs?: Readonly<Record<string, number>>;
}

export type StepChange =
  | 'started'
  | 'ok'
  | 'failed'
  | 'skipped'
  | 'retrying'
  | 'cancelled'
  | 'fell_back'
  | 'undoing'
  | 'undone'
  | 'not_undone';

export function newRun(
  given: Pick<Run, 'id' | 'scenario' | 'digest' | 'priority' | 'ctx' | 'by' | 'createdAtMs'> & Partial<Run>,
): Run {
  return {
    phase: 'queued',
    bag: {},
    threads: [],
    undo: [],
    transitions: 0,
    rows: 0,
    nextNumber: 1,
    costs: {},
    ...given,
  };
}
