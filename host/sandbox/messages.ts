/**
 * What main and a cell say to each other: two unions, nothing else crosses.
 *
 * A cell sends the record of a finished turn straight to the writer of the store, through a port of its
 * own; to main it answers boots and dry runs, and says what turns wait for. What a turn may do and what it did is opaque here: the
 * composition root of the cell (host/cell-main.ts) and host/turn.ts understand it.
 */
import type { MessagePort } from 'node:worker_threads';
import type { ErrorShape } from '../errors.ts';
import type { Image } from './engine.ts';
import type { GuestCode } from './quickjs/guest-code.ts';

/** The limits that the sandbox itself enforces; the host functions enforce the others. */
export interface RunLimits {
  /** Wall time of one turn. */
  readonly turnMs: number;
  /** Computation of one turn, in calibrated fuel. */
  readonly cpuMs: number;
  readonly memoryMb: number;
  readonly outputBytes: number;
}

/** A version of a plugin that is ready to serve: what a cell needs to run its turns. */
export interface Program {
  /** Rises with every swap; a delivery names the generation that it runs on. */
  readonly generation: number;
  readonly plugin: string;
  readonly limits: RunLimits;
  readonly image: Image;
  /** Source map of the bundle, JSON. */
  readonly sourceMap: string;
  /** What host functions decide by; opaque to the sandbox. */
  readonly policy: unknown;
}

/** One delivery on its way into a cell. More rides along for the host functions. */
export interface Delivery {
  /** Number of this attempt, unique in the process and above 0; names the turn in shared memory. */
  readonly attempt: number;
  readonly generation: number;
  /** Sealed envelope, JSON: the argument of `handle`. */
  readonly envelope: string;
  /** The record goes back to main instead of to the writer. */
  readonly dryRun: boolean;
  /** Attempt of the delivery at the head of the batch that this one is part of, right behind those before it. */
  readonly batch?: number;
}

export interface BootSpec {
  readonly plugin: string;
  readonly limits: RunLimits;
  /** The bundle, an ES module; of a component what registration made of it (component/built-component.ts). */
  readonly code: string;
  readonly sourceMap: string;
  readonly policy: unknown;
  /** JSON of what an earlier boot was told: this one is told the same. */
  readonly seen?: string;
}

export type ToCell =
  | { readonly type: 'program'; readonly program: Program }
  | { readonly type: 'policy'; readonly generation: number; readonly policy: unknown }
  | { readonly type: 'unload'; readonly generation: number }
  /** JSON of Delivery[]; one message a group. */
  | { readonly type: 'deliveries'; readonly batch: string }
  /** Settles one wait of a suspended turn with `V<json>`, `U` or `E<refusal>`; its clock goes on to `atMs`. */
  | {
      readonly type: 'answer';
      readonly attempt: number;
      readonly wait: number;
      readonly answer: string;
      readonly atMs: number;
    }
  /** Ends a suspended turn with this failure; its record goes the usual way. */
  | { readonly type: 'abort'; readonly attempt: number; readonly error: ErrorShape }
  | { readonly type: 'boot'; readonly id: number; readonly spec: BootSpec }
  /** Recorded turns (JSON each), to be run again from this program's image. */
  | {
      readonly type: 'replay';
      readonly id: number;
      readonly program: Program;
      readonly recordings: readonly string[];
    };

export interface BootReply {
  readonly image: Image;
  readonly hasHandler: boolean;
  /** What boot did through host functions, as the composition root reports it. */
  readonly observed: unknown;
  readonly bootMs: number;
  /** Of the image's memory: the same code that was told the same makes the same. */
  readonly imageDigest: string;
}

export type FromCell =
  | { readonly type: 'ready' }
  | { readonly type: 'booted'; readonly id: number; readonly reply: BootReply }
  | { readonly type: 'boot-failed'; readonly id: number; readonly error: ErrorShape }
  /** These were not run: one before them in their batch failed, or staged so much that the batch ends. */
  | { readonly type: 'cut'; readonly attempts: readonly number[] }
  /** A turn called something whose answer has to come from main; `args` is JSON. */
  | {
      readonly type: 'wait';
      readonly attempt: number;
      readonly wait: number;
      readonly op: string;
      readonly args: string;
    }
  /** A turn has nothing left to do until an answer comes; so many it has been given so far. */
  | { readonly type: 'suspended'; readonly attempt: number; readonly answered: number }
  /** What came of each recorded turn, JSON. */
  | { readonly type: 'replayed'; readonly id: number; readonly reports: readonly string[] }
  /** The record of a dry run, which goes nowhere else. */
  | { readonly type: 'dry'; readonly attempt: number; readonly record: string };

/** Shared between a cell and main, so that main can tell what a stuck cell is doing. */
export const SLOT_ATTEMPT = 0;
export const SLOT_STARTED_MS = 1;
export const SLOT_WORDS = 2;

/** Time of day in the unit of SLOT_STARTED_MS: the clock of one thread means nothing in another. */
export function slotNow(): number {
  return Date.now() & 0x7fff_ffff;
}

/** What scripts run on: the module of their engine, and the host's own code inside it. */
export interface ScriptParts {
  readonly engine: WebAssembly.Module;
  readonly guestCode: GuestCode;
}

/** What a cell is started with. */
export interface CellData {
  /** Absent where a component has the cell to itself, which then loads what it needs when it needs it. */
  readonly scripts?: ScriptParts;
  readonly slot: SharedArrayBuffer;
  /** Where records of finished turns go. */
  readonly records: MessagePort;
  /** Of the composition root. */
  readonly root: unknown;
}
