/** The image of a component: what every instance is made from, and what of it `prepare()` left. */
import { createHash } from 'node:crypto';
import type { MemoryImage } from './memory-image.ts';

/** What instances are made of. */
export interface ComponentProgram {
  readonly glue: string;
  readonly modules: Readonly<Record<string, WebAssembly.Module>>;
  /** It may stand still in a call, on a stack of its own; else a turn is one plain call. */
  readonly waits: boolean;
}

export interface ComponentImage {
  readonly kind: 'wasm';
  readonly program: ComponentProgram;
  /** Seeds what code sees while it is instantiated. */
  readonly seed: string;
  /** By core instance, in the order in which they are made. */
  readonly cores: readonly CoreImage[];
  /** Instances have to be given the memory, which instantiation alone does not leave as it is here. */
  readonly prepared: boolean;
  /** An instance can be put back to it where nothing but memory and globals changed. */
  readonly resettable: boolean;
  /** Of all its memories. */
  readonly memoryBytes: number;
}

export interface CoreImage {
  /** Of the memory that it defines. */
  readonly memory?: MemoryImage;
  /** Of the globals that can change. */
  readonly globals: readonly (number | bigint)[];
}

/** Names the memory of an image: the same code that was told the same leaves the same. */
export function digestOfComponentImage({ cores, seed }: ComponentImage): string {
  const hash = createHash('sha256').update(seed);
  for (const { memory, globals } of cores) {
    if (memory) hash.update(new Uint8Array(memory.pages)).update(new Uint8Array(memory.index));
    hash.update(globals.map((value) => `${typeof value}${value}`).join());
  }
  return hash.digest('hex');
}
