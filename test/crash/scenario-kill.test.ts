// SCN-07, SCN-09, SCN-30, SCN-31: whatever kills the process, and whenever, each step of a run takes effect once.
import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { FAULT_POINTS } from '../../host/store/fault.ts';
import { seededRandom } from '../../host/store/test-store.ts';
import { SCRIPT_GATES, type SpawnedHost, spawnHost } from '../kit/boot-host.ts';
import { installScenarios, scenariosOf } from '../kit/scenario-host.ts';
import { templateHome } from '../kit/template-home.ts';
import { BAD, begun, GOOD, requireOnce } from './scenario-kit.ts';

const preparedHome = templateHome(async (home) => {
  const host = await spawnHost({ home, gates: SCRIPT_GATES });
  await installScenarios(host);
  const scenarios = scenariosOf(host);
  for (const text of [GOOD, BAD]) await scenarios.save(text);
  await host.close();
});

const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);

test(`killed again and again at any moment (CRASH_SEED=${SEED})`, async () => {
  console.log(`scenario crash test: CRASH_SEED=${SEED}`);
  const random = seededRandom(SEED);
  const home = await preparedHome();
  let host = await spawnHost({ home });
  const runs = await begun(host);
  for (let round = 0; round < 6; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10 + random(250)));
    await host.kill();
    host = await spawnHost({ home });
  }
  await requireOnce(host, runs);
  await host.close();
}, 90_000);

/** Each passed so often that a run is in the middle of its steps. */
const POINTS = [
  ['writer.mid-group', 25],
  ['writer.after-commit', 11],
  ['mailbox.mid-due', 2],
  ['mailbox.mid-answer', 4],
] as const satisfies readonly (readonly [(typeof FAULT_POINTS)[number], number])[];

test.each(POINTS)(
  'killed at %s, passing it the %i. time',
  async (point, nth) => {
    const home = await preparedHome();
    const doomed = await spawnHost({ home, env: { NEIRA_FAULT: `${point}:${nth}` } });
    const runs = await begun(doomed).catch(() => undefined);
    if (runs) expect(await doomed.exited).toBe('SIGKILL');
    else await doomed.kill();
    const host = await spawnHost({ home });
    if (runs) await requireOnce(host, runs);
    else expect((await scenariosOf(host).effects()).filter(({ times }) => times !== 1)).toEqual([]);
    await host.close();
  },
  60_000,
);

const EVERY_COMMIT_MS = 30 * 60_000;

// Minutes of it: `npm run test:long`.
test.runIf(process.env['NEIRA_EVERY_COMMIT']).each(['writer.before-commit', 'writer.after-commit'] as const)(
  'killed at %s of every commit that there is until both have ended',
  async (point) => {
    let isOver = false;
    for (let nth = 2; !isOver; nth += 1) {
      const home = await preparedHome();
      const doomed = await spawnHost({ home, env: { NEIRA_FAULT: `${point}:${nth}` } }).catch(
        () => undefined,
      );
      // It died before it could listen.
      if (!doomed) continue;
      const runs = await begun(doomed).catch(() => undefined);
      if (!runs) {
        await doomed.kill();
        continue;
      }
      isOver = (await Promise.race([doomed.exited, haveEnded(doomed, runs)])) === 'ended';
      await doomed.kill();
      const host = await spawnHost({ home });
      await requireOnce(host, runs).catch((error: unknown) => {
        throw new Error(`commit ${nth}: ${String(error)}`, { cause: error });
      });
      await host.close();
      rmSync(home, { recursive: true, force: true });
    }
  },
  EVERY_COMMIT_MS,
);

async function haveEnded(host: SpawnedHost, { good, bad }: { good: string; bad: string }) {
  try {
    for (const run of [good, bad]) await scenariosOf(host).ended(run);
    return 'ended';
  } catch {
    return await host.exited;
  }
}
