/**
 * What a run reaches for: other plugins, time, chance, and what it shares with other runs. In the engine it stands on host
 * functions, in tests and dry runs on memory. Each call answers at once; what takes time comes back as a
 * {@link RunEvent}.
 */
import type { WaitFor } from '../program.ts';
import type { Outcome, StepError } from './state.ts';

export interface World {
  readonly nowMs: number;
  /** 0 to 1. */
  random(): number;

  /**
   * Sends a command whose answer comes as `answer` to `wait`. Answers what it can be taken back by.
   * @throws {StepFailure} where it is refused at once
   */
  ask(command: Command): string;
  takeBack(ask: string): void;
  /** @throws {StepFailure} */
  publish(event: Command & { readonly atMs?: number }): void;
  /** Wakes the run with `time` at that moment; what was arranged before may be given up. */
  wakeAt(atMs: number, before: { readonly id: string; readonly atMs: number } | undefined): string;
  sleepOn(id: string): void;
  /** Wakes the run with `continue`, after whatever waits already. */
  goOn(): void;

  /** Takes all of them under this number, or none and comes back with `woken`. Whoever has them keeps them. */
  take(names: readonly string[], number: number): boolean;
  /** Gives back what was taken under this number, or waits no longer. */
  give(names: readonly string[], number: number): void;
  /** Whether what `key` stands for failed too often lately. */
  isOpen(key: string, resetMs: number): boolean;
  tell(key: string, ended: 'good' | 'bad', threshold: number): void;

  /** Listens for an event until `deafen`; answers the place where it waits. */
  listen(what: Extract<WaitFor, { kind: 'event' }>, equals: readonly unknown[], wait: number): string;
  deafen(place: string): void;
  /** Brings a question to a person; the answer comes as `reply`. */
  question(wait: number, text: unknown, choices: unknown, to: unknown): string;
  /** The question is closed. */
  unquestion(question: string): void;

  /** Ends a run that this one began. */
  cancelChild(run: string): void;
  /** Tells the run that waits for this one. */
  tellParent(
    parent: { readonly run: string; readonly wait: number },
    ended: { readonly outcome: Outcome; readonly returned?: unknown; readonly error?: StepError },
  ): void;
  /** `observability.event(name, props)` (OBS-01). */
  observe(step: string, name: string, props: unknown): void;
  log(step: string, level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
  /** @throws {StepFailure} SCENARIO_QUOTA, where what is used would go beyond the day's limit */
  spend(costs: Readonly<Record<string, number>>): void;
}

export interface Command {
  readonly name: string;
  readonly version: number;
  readonly payload: unknown;
  /** The step that sends it: what is sent twice by it has the same key. */
  readonly step: string;
  readonly attempt: number;
  readonly wait?: number;
  readonly timeoutMs?: number;
  /** What a dry run takes for its answer. */
  readonly dryRun?: unknown;
  /** It changes nothing: a dry run may ask it. */
  readonly isPure?: true;
}

/** A step that fails, as scenarios know it: by its code. */
export class StepFailure extends Error {
  readonly error: StepError;
  constructor(error: StepError) {
    super(error.message);
    this.error = error;
  }
}

export function failed(code: string, message: string, details?: unknown): StepFailure {
  return new StepFailure({ code, message, ...(details !== undefined && { details }) });
}
