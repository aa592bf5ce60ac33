/**
 * The core instances of one component instance: made on behalf of the glue, wired to fuel and cards, and put back to
 * their image after a turn.
 *
 * What the guest writes marks its cards itself (meter). What the glue writes for it lies in memory that the guest
 * allocated, which is marked there, and in the few bytes where a call returns more than one value: these are marked here.
 */
import type { CoreImage } from './component-image.ts';
import { layMemory, putBackMarked, takeMemory } from './memory-image.ts';
import { CARD_PAGE_BYTES, CARDS, FUEL, GLOBAL, MEMORY, METER_MODULE } from './meter/layout.ts';

/** The largest record that a host function returns is smaller: `result<http-response, refusal>` has 48 bytes. */
const RETURN_AREA_BYTES = 256;

/** Of 64 KB. */
const ROOM_PAGES = 16;

type Exports = Record<string, unknown>;
/** Of whatever type: a reference keeps what it is put back to out of reach, so there is none. */
type AnyGlobal = { value: number | bigint };
type HostFunction = (...args: unknown[]) => unknown;

interface Core {
  readonly memory?: WebAssembly.Memory;
  /** Of {@link memory}, or of one that it was given. */
  readonly cards?: WebAssembly.Memory;
  readonly ownsMemory: boolean;
  readonly globals: readonly AnyGlobal[];
}

export class CoreInstances {
  readonly #fuel: WebAssembly.Global<'i64'>;
  readonly #cores: Core[] = [];
  /** Exported functions of modules that were made before: they need no marking, and must stay what they are. */
  readonly #guest = new WeakSet<object>();

  constructor(fuel: WebAssembly.Global<'i64'>) {
    this.#fuel = fuel;
  }

  /** What the glue calls instead of `new WebAssembly.Instance`. */
  readonly make = (module: WebAssembly.Module, imports: WebAssembly.Imports = {}): { exports: Exports } => {
    const instance = new WebAssembly.Instance(module, {
      ...this.#marking(imports),
      [METER_MODULE]: { [FUEL]: this.#fuel },
    });
    const exports = instance.exports as Exports;
    for (const value of Object.values(exports))
      if (typeof value === 'function') this.#guest.add(value as object);
    this.#cores.push(coreOf(exports, this.#cores));
    return { exports };
  };

  get memoryBytes(): number {
    let bytes = 0;
    for (const { memory, ownsMemory } of this.#cores)
      if (memory && ownsMemory) bytes += memory.buffer.byteLength;
    return bytes;
  }

  /** Whether a memory has no room for what an allocation takes at least. Only of an instance that is given up. */
  get isFull(): boolean {
    return this.#cores.some(({ memory, ownsMemory }) => {
      if (!memory || !ownsMemory) return false;
      try {
        memory.grow(ROOM_PAGES);
        return false;
      } catch {
        return true;
      }
    });
  }

  take(): readonly CoreImage[] {
    return this.#cores.map(({ memory, cards, ownsMemory, globals }) => {
      if (cards) new Uint8Array(cards.buffer).fill(0);
      return {
        ...(memory && ownsMemory && { memory: takeMemory(memory) }),
        globals: globals.map((global) => global.value),
      };
    });
  }

  /** After instantiation, where that alone does not lead to the image. */
  lay(images: readonly CoreImage[]): void {
    this.#cores.forEach((core, at) => {
      const { memory, globals } = images[at]!;
      if (memory) layMemory(core.memory!, memory);
      putGlobals(core, globals);
    });
    this.clearCards();
  }

  clearCards(): void {
    for (const { cards } of this.#cores) if (cards) new Uint8Array(cards.buffer).fill(0);
  }

  /** The memories must be as large as in the image. */
  putBack(images: readonly CoreImage[]): void {
    this.#cores.forEach((core, at) => {
      const owner =
        core.memory &&
        this.#cores.findIndex(({ memory, ownsMemory }) => ownsMemory && memory === core.memory);
      const image = owner === undefined || owner < 0 ? undefined : images[owner]!.memory;
      if (core.memory && core.cards && image) putBackMarked(core.memory, core.cards, image);
      putGlobals(core, images[at]!.globals);
    });
  }

  #marking(imports: WebAssembly.Imports): WebAssembly.Imports {
    const marked: WebAssembly.Imports = {};
    for (const [module, fields] of Object.entries(imports)) {
      marked[module] = {};
      for (const [name, value] of Object.entries(fields)) {
        const byHost = typeof value === 'function' && !this.#guest.has(value);
        marked[module][name] = byHost ? this.#markReturned(value as HostFunction) : value;
      }
    }
    return marked;
  }

  /** A call that returns more than a word is given the place for it last. */
  #markReturned(call: HostFunction): HostFunction {
    return (...args) => {
      const result = call(...args);
      const place = args.at(-1);
      if (typeof place === 'number') this.#mark(place >>> 0);
      return result;
    };
  }

  #mark(place: number): void {
    const first = Math.floor(place / CARD_PAGE_BYTES);
    const last = Math.floor((place + RETURN_AREA_BYTES) / CARD_PAGE_BYTES);
    for (const { cards } of this.#cores) {
      if (!cards) continue;
      const marks = new Uint8Array(cards.buffer);
      if (first < marks.length) marks[first] = 1;
      if (last < marks.length) marks[last] = 1;
    }
  }
}

function coreOf(exports: Exports, before: readonly Core[]): Core {
  const memory = exports[MEMORY] as WebAssembly.Memory | undefined;
  const cards = exports[CARDS] as WebAssembly.Memory | undefined;
  const globals: AnyGlobal[] = [];
  for (const [name, value] of Object.entries(exports))
    if (name.startsWith(GLOBAL)) globals.push(value as AnyGlobal);
  return {
    ...(memory && { memory }),
    ...(cards && { cards }),
    ownsMemory: memory !== undefined && !before.some((core) => core.memory === memory),
    globals,
  };
}

function putGlobals({ globals }: Core, values: readonly (number | bigint)[]): void {
  globals.forEach((global, at) => {
    global.value = values[at]!;
  });
}
