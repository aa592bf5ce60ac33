import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import { expect, test } from 'vitest';
import type { AnalysisJob } from './analysis.ts';
import { analyse } from './analyst.ts';
import { capMemory } from './cap-memory.ts';
import { hostWorld, witFor } from './host-world.ts';
import { componentOfText, echoText } from './test-components.ts';

const TIMEOUT_MS = 25_000;

async function jobOf(text: string): Promise<AnalysisJob> {
  return {
    bytes: await componentOfText(text),
    given: [],
    linked: [],
    wit: witFor(hostWorld(), []),
    exported: ['handle'],
    waiting: [],
    moduleLimits: { maxMemoryBytes: 65536, maxTableElements: 10 },
    maxCoreModules: 32,
  };
}

/** Twelve levels of four instances each: what readComponent() counts and refuses before it comes here. */
function bomb(): string {
  let text = '(component $c (core module $m) (core instance (instantiate $m)))';
  for (let level = 0; level < 12; level++) {
    text = `(component $c ${text} ${'(instance (instantiate $c))'.repeat(4)})`;
  }
  return echoText({ before: `${text} (instance (instantiate $c))` });
}

// HOST-14, HOST-25: the last line of defence, for a bomb of a kind that nobody thought of.
test('a component that takes all memory of the analysis is answered for, and the next one is analysed', async () => {
  expect(await analyse(await jobOf(bomb()), TIMEOUT_MS)).toMatchObject({ kind: 'broken' });
  expect(await analyse(await jobOf(echoText()), TIMEOUT_MS)).toMatchObject({ kind: 'transpiled' });
});

test('analyses that are asked for at once are answered one after the other', async () => {
  const job = await jobOf(echoText());
  const answers = await Promise.all([1, 2, 3].map(() => analyse(job, TIMEOUT_MS)));
  expect(answers.map(({ kind }) => kind)).toEqual(['transpiled', 'transpiled', 'transpiled']);
});

test('a capped module grows to its cap and no further', async () => {
  const text =
    '(module (memory 1) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))';
  const module = new WebAssembly.Module(capMemory(await parse(text), 3 * 65536));
  const { grow } = new WebAssembly.Instance(module, {}).exports as { grow(pages: number): number };
  expect([grow(2), grow(1)]).toEqual([1, -1]);
});
