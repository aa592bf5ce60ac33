import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import { type MeteredModule, type ModuleLimits, ModuleRefused, meterModule } from './meter.ts';

export const LIMITS: ModuleLimits = { maxMemoryBytes: 4 << 20, maxTableElements: 1000 };
export const CARD_BYTES = 4096;
const PLENTY_OF_FUEL = 1n << 60n;

export async function meterText(wat: string, limits = LIMITS): Promise<MeteredModule> {
  return meterModule(await parse(wat), limits);
}

/** What a refused module is told; fails when it is not refused. */
export async function refusalOf(wat: string | Uint8Array, limits = LIMITS): Promise<ModuleRefused> {
  const bytes = typeof wat === 'string' ? await parse(wat) : wat;
  try {
    meterModule(bytes, limits);
  } catch (error) {
    if (error instanceof ModuleRefused) return error;
    throw error;
  }
  throw new Error('the module was not refused');
}

// biome-ignore lint/suspicious/noExplicitAny: what a module of a test exports is known to the test.
type Exports = Record<string, any>;

type Imports = ConstructorParameters<typeof WebAssembly.Instance>[1];

export interface Running {
  readonly exports: Exports;
  readonly fuel: WebAssembly.Global<'i64'>;
  /** Fuel that `work` takes. */
  burned(work: () => unknown): bigint;
  /** Numbers of the marked cards. */
  readonly marked: number[];
}

/** Compiles and starts a rewritten module. */
export function start({ bytes }: MeteredModule, imports: Imports = {}, fuelUnits = PLENTY_OF_FUEL): Running {
  const fuel = new WebAssembly.Global({ value: 'i64', mutable: true }, fuelUnits);
  const module = new WebAssembly.Module(Uint8Array.from(bytes));
  const { exports }: { exports: Exports } = new WebAssembly.Instance(module, { ...imports, neira: { fuel } });
  return {
    exports,
    fuel,
    burned(work) {
      const before = fuel.value;
      work();
      return before - fuel.value;
    },
    get marked() {
      const cards = new Uint8Array((exports['$neira:cards0'] as WebAssembly.Memory).buffer);
      return [...cards.keys()].filter((card) => cards[card] !== 0);
    },
  };
}

export async function run(wat: string, imports: Imports = {}): Promise<Running> {
  return start(await meterText(wat), imports);
}
