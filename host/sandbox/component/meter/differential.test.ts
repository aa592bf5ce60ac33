import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { meterModule } from './meter.ts';
import { CARD_BYTES, LIMITS, start } from './test-module.ts';
import { INSTRUCTIONS_PER_STEP, program } from './test-programs.ts';

/** NEIRA_TEST_SEED runs what failed again; vitest prints the seed of a failure. */
const SEED = Number(process.env['NEIRA_TEST_SEED'] ?? Date.now() % 2 ** 31);
/** Bytes behind a marked page that a store which crosses its end may have changed. */
const SPILL_BYTES = 16;

test('a rewritten program does what the program does, pays for every step, and marks what it changes', async () => {
  const seen = { loops: 0, traps: 0, calls: 0 };
  await fc.assert(
    fc.asyncProperty(program, fc.integer(), async (text, argument) => {
      const bytes = await parse(text);
      const plain = new WebAssembly.Instance(new WebAssembly.Module(bytes), {}).exports as unknown as Exports;
      const running = start(meterModule(bytes, LIMITS));
      const exports = running.exports as Exports;
      const image = Buffer.from(exports.memory.buffer.slice(0));

      const expected = outcome(plain, argument);
      let actual: Outcome | undefined;
      const burned = running.burned(() => {
        actual = outcome(exports, argument);
      });
      expect(actual).toEqual(expected);
      expect(exports.memory.buffer).toEqual(plain.memory.buffer);
      if (!('trap' in expected)) {
        expect(burned).toBeGreaterThanOrEqual(exports.steps.value * BigInt(INSTRUCTIONS_PER_STEP));
      }
      const after = Buffer.from(exports.memory.buffer);
      putBack(after, image, running.marked);
      expect(after.equals(image)).toBe(true);

      if (text.includes('(loop')) seen.loops++;
      if (text.includes('(call $f')) seen.calls++;
      if ('trap' in expected) seen.traps++;
    }),
    { seed: SEED, numRuns: 100 },
  );
  // The programs are worth the test: many loop and call, some trap.
  expect(seen.loops).toBeGreaterThan(20);
  expect(seen.calls).toBeGreaterThan(20);
  expect(seen.traps).toBeGreaterThan(0);
});

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly steps: WebAssembly.Global<'i64'>;
  readonly g: WebAssembly.Global<'i32'>;
  readonly h: WebAssembly.Global<'i64'>;
  run(argument: number): number;
}

type Outcome = { readonly globals: readonly unknown[] } & (
  | { readonly value: number }
  | { readonly trap: string }
);

function outcome(exports: Exports, argument: number): Outcome {
  const globals = () => [exports.g.value, exports.h.value, exports.steps.value];
  try {
    const value = exports.run(argument);
    return { value, globals: globals() };
  } catch (error) {
    return { trap: (error as Error).message, globals: globals() };
  }
}

function putBack(memory: Buffer, image: Buffer, marked: readonly number[]): void {
  for (const card of marked) {
    const page = card * CARD_BYTES;
    // The mark of a store that trapped behind the end.
    if (page >= memory.length) continue;
    image.copy(memory, page, page, page + CARD_BYTES + SPILL_BYTES);
  }
}
