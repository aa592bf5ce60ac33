/** Whatever the bytes are, a build ends with a component or with an error of the catalogue. */
import { expect, test } from 'vitest';
import { isNeiraError } from '../../../errors.ts';
import { buildComponent } from './build-component.ts';
import { componentOfText, componentOfWorld, echoText, LIMITS } from './test-components.ts';

const SEED = Number(process.env['NEIRA_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const FLIPS = 150;
const CUTS = 200;

async function outcome(bytes: Uint8Array): Promise<string> {
  try {
    await buildComponent(bytes, LIMITS);
    return 'built';
  } catch (error) {
    if (isNeiraError(error) && /^NEIRA_COMPONENT_/.test(error.code)) return error.code;
    throw error;
  }
}

/** Park and Miller's generator: the same numbers for the same seed. */
function numbers(seed: number): (below: number) => number {
  let state = (seed % 2147483646) + 1;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

test.each([
  ['a small one', () => componentOfText(echoText())],
  ['one with all imports', () => componentOfWorld('include prepared-plugin; import wasi:cli/stdout@0.2.12;')],
])('a component cut off anywhere is refused: %s', async (_, make) => {
  const bytes = await make();
  const every = Math.max(1, Math.floor(bytes.length / CUTS));
  const outcomes = new Map<string, number>();
  for (let length = 0; length < bytes.length; length += every) {
    const found = await outcome(bytes.subarray(0, length));
    outcomes.set(found, (outcomes.get(found) ?? 0) + 1);
  }
  expect(outcomes.get('built') ?? 0).toBeLessThan(3);
  expect(outcomes.get('NEIRA_COMPONENT_TRUNCATED')).toBeGreaterThan(CUTS / 2);
});

test(`a component with one wrong bit is built or refused (NEIRA_TEST_SEED=${SEED})`, async () => {
  const random = numbers(SEED);
  const bytes = await componentOfText(echoText({ before: '(component (core module)) (type (list u8))' }));
  for (let round = 0; round < FLIPS; round++) {
    const flipped = Buffer.from(bytes);
    const at = random(bytes.length);
    flipped[at]! ^= 1 << random(8);
    await outcome(flipped);
  }
});
