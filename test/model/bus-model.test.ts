import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { history } from './history.ts';
import { live, type Ran } from './world.ts';

const SEED = Number(process.env['NEIRA_MODEL_SEED'] ?? Date.now() % 0x7fff_ffff);
const PATH = process.env['NEIRA_MODEL_PATH'];
const RUNS = Number(process.env['NEIRA_MODEL_RUNS'] ?? 3_000);
const TEST_MS = 30 * 60_000;

// BUS-13, BUS-16, BUS-31, BUS-37
test(
  `${RUNS} histories: what was acknowledged is handled once in its effects, in order per key, or is a dead letter (NEIRA_MODEL_SEED=${SEED})`,
  async () => {
    const home = mkdtempSync(path.join(tmpdir(), 'neira-model-'));
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    const sums = { crashes: 0, published: 0, handled: 0, dead: 0 };
    const begunMs = performance.now();
    const property = fc.asyncProperty(history, async (one) => {
      const ran = await live(one, home);
      for (const name of Object.keys(sums) as (keyof Ran)[]) sums[name] += ran[name];
    });
    const details = await fc.check(property, {
      seed: SEED,
      ...(PATH !== undefined && { path: PATH }),
      numRuns: RUNS,
    });
    const seconds = ((performance.now() - begunMs) / 1000).toFixed(1);
    console.log(
      `bus model: ${details.numRuns} histories, ${JSON.stringify(sums)}, ${seconds} s, seed ${SEED}`,
    );
    const again = `NEIRA_MODEL_SEED=${SEED} NEIRA_MODEL_PATH=${details.counterexamplePath} npx vitest run --project model`;
    const cause = details.errorInstance as Error | null;
    expect(
      details.failed ? `${again}\n${JSON.stringify(details.counterexample)}\n${cause?.stack ?? ''}` : '',
    ).toBe('');
    for (const [what, count] of Object.entries(sums))
      if (PATH === undefined) expect(count, what).toBeGreaterThan(0);
  },
  TEST_MS,
);
