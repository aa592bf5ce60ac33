/**
 * A scenario as the engine runs it: what the language (language/) makes of YAML, and what the interpreter (run/) reads.
 * It is JSON, stored under its digest, and never changed: a run that began with one ends with it.
 */

export type Priority = 'LOW' | 'NORM' | 'HIGH';
/** What a start does when runs of the scenario go on already (SCN-13, `mode:`). */
export type Mode = 'single' | 'restart' | 'queued' | 'parallel';
/**
 * Whether doing a step twice does harm. `pure`: nothing outside is changed, it may be done in a dry run. `idempotent`:
 * twice is as good as once. `once`: where nobody knows whether it was done, it is not done again.
 */
export type EffectClass = 'pure' | 'idempotent' | 'once';

/** Source of a CEL expression, without `${` and `}`. */
export type Expression = string;
/**
 * JSON with expressions in it: `{"$": "<CEL>"}` stands for the value of one, `{"$$": ["a ", {"$": "<CEL>"}, …]}` for the
 * text that the parts make. No other object has a key `$` or `$$`.
 */
export type Template = unknown;
/** Places in {@link Program.nodes}, in the order in which they are done. */
export type Block = readonly number[];

export interface Program {
  readonly format: 1;
  readonly id: string;
  /** SHA-256, hex, of everything below in canonical JSON (RFC 8785), after includes and macros. */
  readonly digest: string;
  readonly version?: string;
  readonly title: string | { readonly en?: string; readonly ru?: string };
  readonly description?: string | { readonly en?: string; readonly ru?: string };
  readonly mode: Mode;
  /** Runs at a time in `parallel`, runs that may wait in `queued`. */
  readonly max: number;
  readonly maxConcurrent?: number;
  readonly priority: Priority;
  readonly timeoutMs?: number;
  /** JSON Schema of `ctx`. */
  readonly input?: object;
  readonly expectedOutputs: readonly ExpectedOutput[];
  /** As a manifest's `permissions`: what it names itself, and what its steps need. */
  readonly permissions: PermissionsAsked;
  /** `<command>@<version>` and `<event>@<version>` that its steps send. */
  readonly sends: readonly string[];
  /** Transitions of one run, so that a loop without an end has one. */
  readonly maxSteps: number;
  readonly quota?: { readonly daily: Readonly<Record<string, number>>; readonly per: 'node' | 'user' };
  readonly retain: { readonly succeededMs: number; readonly failedMs: number };
  readonly triggers: readonly Trigger[];
  readonly schedules: readonly Schedule[];
  readonly steps: Block;
  readonly nodes: readonly Node[];
}

export interface PermissionsAsked {
  readonly bus?: { readonly publish?: readonly string[]; readonly subscribe?: readonly string[] };
  readonly io?: { readonly ports?: readonly string[]; readonly http?: readonly object[] };
  readonly secrets?: readonly (string | object)[];
}

/** What is true of a run's result when it ends well (CAP-13). `field` is a path in `bag`: `slot.time`. */
export interface ExpectedOutput {
  readonly field: string;
  /** A named type (`isodate`, `string`, `number`, `integer`, `boolean`, `array`, `object`), or a JSON Schema. */
  readonly type?: string;
  readonly schema?: object;
}

export interface Trigger {
  readonly event: string;
  readonly version?: number;
  /** CEL over `event`. */
  readonly filter?: Expression;
  /** RFC 9535 singular path: debounce, throttle and singleton count by its value. */
  readonly key?: string;
  readonly debounceMs?: number;
  readonly throttleMs?: number;
  readonly singleton?: boolean;
  /** What the run gets as `ctx`; expressions see `event`. */
  readonly ctx: Template;
  readonly priority?: Priority;
}

export interface Schedule {
  /** One of the three. */
  readonly cron?: string;
  readonly at?: string;
  readonly everyMs?: number;
  readonly timezone?: string;
  readonly overlap?: 'skip' | 'queue' | 'parallel';
  readonly catchUpMs?: number;
  readonly jitterMs?: number;
  readonly ctx: Template;
  readonly priority?: Priority;
}

interface Common {
  /** Unique among its siblings: given by the author, or `<kind>_<place>`. */
  readonly name: string;
  /** Names from the outside in, with `/` between: `days/charge`. With the iterations it is what a step is known by. */
  readonly path: string;
  /** Where it begins in the author's file, from 1. */
  readonly line: number;
  readonly column?: number;
  readonly file?: string;
  /** It is skipped unless this is true. */
  readonly when?: Expression;
  /** Of all attempts together. */
  readonly timeoutMs?: number;
  readonly retry?: Retry;
  readonly breaker?: { readonly threshold: number; readonly resetMs: number };
  /** Instead of failing: a value for `save`, or other steps. They see `error`. */
  readonly fallback?: { readonly value?: Template; readonly steps?: Block };
  /** Done when the run fails or is cancelled after this step began; last begun first. Sees `result` and `bag`. */
  readonly compensate?: Block;
  readonly locks?: readonly string[];
  /** Whether its locks are given back while the run waits for time, an event, a signal or a person. */
  readonly releaseLocks?: boolean;
  readonly pool?: 'cpu' | 'io';
  /** Name in `bag` of what it came to. */
  readonly save?: string;
}

export interface Retry {
  /** Attempts after the first. */
  readonly max: number;
  readonly baseMs: number;
  readonly factor: number;
  readonly maxMs: number;
  /** Share of the wait that chance takes off: 0 none, 1 all. */
  readonly jitter: number;
  /** No attempt begins later than this after the first. */
  readonly giveUpAfterMs?: number;
  /** Only errors with these codes; all but those of the definition without it. */
  readonly codes?: readonly string[];
}

export type Node = Common & Doing;
export type Doing =
  | CallStep
  | PublishStep
  | SetStep
  | IfStep
  | SwitchStep
  | EachStep
  | WhileStep
  | ParallelStep
  | GroupStep
  | WaitStep
  | RunStep
  | AbortStep
  | ReturnStep
  | ObserveStep
  | LogStep;

export interface CallStep {
  readonly kind: 'call';
  readonly command: string;
  readonly version: number;
  readonly with: Template;
  readonly effect: EffectClass;
  /** What a dry run takes for the answer. */
  readonly dryRun?: Template;
}

export interface PublishStep {
  readonly kind: 'publish';
  readonly event: string;
  readonly version: number;
  readonly with: Template;
  readonly afterMs?: Template;
}

export interface SetStep {
  readonly kind: 'set';
  readonly values: Readonly<Record<string, Template>>;
}

export interface IfStep {
  readonly kind: 'if';
  readonly branches: readonly { readonly when: Expression; readonly steps: Block }[];
  readonly otherwise: Block;
}

export interface SwitchStep {
  readonly kind: 'switch';
  readonly on: Expression;
  readonly cases: readonly { readonly equals: readonly Template[]; readonly steps: Block }[];
  readonly otherwise: Block;
}

/** `loop: {for: …}`. With `save` it yields the list of what its turns' last `return`ed or saved as `loop.result`. */
export interface EachStep {
  readonly kind: 'each';
  /** A list, or an object whose entries are `{key, value}`. */
  readonly items: Expression;
  readonly as: string;
  readonly max: number;
  /** 1: one after the other. */
  readonly atATime: number;
  readonly steps: Block;
}

export interface WhileStep {
  readonly kind: 'while';
  readonly while: Expression;
  /** More turns than this fail with SCENARIO_LOOP_LIMIT. */
  readonly max: number;
  readonly steps: Block;
}

export interface ParallelStep {
  readonly kind: 'parallel';
  readonly branches: readonly { readonly name: string; readonly steps: Block }[];
  /** How many branches have to succeed; those that still go on then are cancelled. */
  readonly wait: 'all' | number;
  /** `settle`: a failed branch does not end the others; it fails when all have ended. */
  readonly onFailure: 'cancel' | 'settle';
}

export interface GroupStep {
  readonly kind: 'group';
  /** Parameters of an included fragment: what is inside of it knows them by these names. */
  readonly vars?: Readonly<Record<string, Template>>;
  readonly steps: Block;
}

export interface WaitStep {
  readonly kind: 'wait';
  readonly for: WaitFor;
  /** Of waiting; without `fallback` its end is SCENARIO_WAIT_TIMEOUT. */
  readonly patienceMs?: number;
}

export type WaitFor =
  | { readonly kind: 'time'; readonly ms?: Template; readonly until?: Template }
  | {
      readonly kind: 'event';
      readonly event: string;
      readonly version?: number;
      /** CEL over `event` alone: decides what is delivered at all. */
      readonly filter?: Expression;
      /** Paths into the envelope (`payload.chat_id`), and what has to be there when the wait begins. */
      readonly correlate: readonly { readonly path: string; readonly equals: Template }[];
      /** CEL over `event`, `ctx` and `bag`. */
      readonly accept?: Expression;
    }
  | { readonly kind: 'signal'; readonly signal: Template }
  | {
      readonly kind: 'answer';
      readonly question: Template;
      readonly choices?: Template;
      /** Who is asked, and by which channel: for the plugin that brings questions to people. */
      readonly to?: Template;
    };

export interface RunStep {
  readonly kind: 'run';
  readonly scenario: string;
  readonly with: Template;
  /** Begun and not waited for. */
  readonly detached: boolean;
}

export interface AbortStep {
  readonly kind: 'abort';
  readonly code: string;
  readonly message: Template;
}

export interface ReturnStep {
  readonly kind: 'return';
  readonly value: Template;
}

/** `observability.event(name, props)` (OBS-01). */
export interface ObserveStep {
  readonly kind: 'observe';
  readonly event: string;
  readonly props: Template;
}

export interface LogStep {
  readonly kind: 'log';
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: Template;
}
