/**
 * What the engines have in common for a cell: scripts (quickjs/instance.ts) and components
 * (component/component-instance.ts). This is the only file that knows both.
 */
import { isComponent, unpackComponent } from './component/built-component.ts';
import { type ComponentImage, digestOfComponentImage } from './component/component-image.ts';
import { ComponentInstance } from './component/component-instance.ts';
import type { BootSpec } from './messages.ts';
import type { GuestCode } from './quickjs/guest-code.ts';
import { digestOfImage, type ScriptImage } from './quickjs/image.ts';
import { Instance } from './quickjs/instance.ts';
import { MAX_MEMORY_MB, STACK_AND_DATA_MB } from './quickjs/layout.ts';
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

/** Top-level code and `prepare()`. @throws BootError */
export async function bootInstance(
  spec: BootSpec,
  guestCode: GuestCode,
  host: HostCalls,
  budget: Budget,
): Promise<EngineInstance> {
  if (isComponent(spec.code)) return ComponentInstance.boot(unpackComponent(spec.code), host, budget);
  const source = { ...guestCode, code: spec.code, name: `plugin:${spec.plugin}` };
  return Instance.boot(
    source,
    Math.min(spec.limits.memoryMb + STACK_AND_DATA_MB, MAX_MEMORY_MB),
    host,
    budget,
  );
}

/** Another instance of what was booted, in any thread. */
export function restoreInstance(image: Image, { polyfills }: Pick<GuestCode, 'polyfills'>): EngineInstance {
  return image.kind === 'wasm' ? ComponentInstance.restore(image) : Instance.restore(image, polyfills);
}

/** The same code that was told the same makes the same. */
export function imageDigest(image: Image): string {
  return image.kind === 'wasm' ? digestOfComponentImage(image) : digestOfImage(image);
}
