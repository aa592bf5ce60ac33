/**
 * What the engines have in common for a cell: scripts (quickjs/instance.ts) and components
 * (component/component-instance.ts). Which of them a cell has is for its composition root to say.
 */
import type { ComponentImage } from './component/component-image.ts';
import type { BootSpec } from './messages.ts';
import type { ScriptImage } from './quickjs/image.ts';
import type { Budget, HostCalls, RunResult, Suspended } from './run-result.ts';

export type Image = ScriptImage | ComponentImage;

type Ran = RunResult | Suspended;

/** A booted sandbox. It runs one turn at a time, each from its image. */
export interface EngineInstance {
  readonly image: Image;
  /** Guest memory now. */
  readonly memoryBytes: number;
  /** Memory that it really takes. */
  readonly heldBytes: number;
  /** Fuel used by the last run, over all its slices. */
  readonly fuelUsed: number;
  /** Whether the plugin has a `handle`. */
  readonly hasHandler: boolean;
  /** Whether {@link reset} leads back to the image; else another has to take its place. */
  readonly isReusable: boolean;
  /** Runs `handle(event)` to its end or until it waits. Never throws or rejects. */
  run(eventJson: string, host: HostCalls, budget: Budget): Ran | Promise<Ran>;
  /**
   * Hands the answer of `wait` (`V<json>`, `U`, `E<refusal>`) to a suspended run and goes on with it; `budget` has
   * the fuel of the whole run. Never throws or rejects.
   */
  resume(wait: number, answer: string, host: HostCalls, budget: Budget): Ran | Promise<Ran>;
  reset(): void;
}

/** @typeParam Of the images that it makes, and makes instances of */
export interface Engine<Of extends Image = Image> {
  /** Top-level code and `prepare()`. @throws BootError */
  boot(spec: BootSpec, host: HostCalls, budget: Budget): EngineInstance | Promise<EngineInstance>;
  /** Another instance of what was booted, in any thread. */
  restore(image: Of): EngineInstance;
  /** The same code that was told the same makes the same. */
  digest(image: Of): string;
}
