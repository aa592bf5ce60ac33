import { rmSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { seededRandom } from '../../host/store/test-store.ts';
import { spawnHost } from '../kit/boot-host.ts';
import { drained, Publishers, prepareBusHome, save, verifyBus } from './bus-kit.ts';

const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);
const HOMES = 4;
const KILLS = Math.ceil(Number(process.env['NEIRA_KILLS'] ?? 100) / HOMES);
const TEST_MS = 5 * 60_000;
const env = { NEIRA_CELLS: '2', NEIRA_DURABILITY: 'power' };

// BUS-13, BUS-16, BUS-31
test.each(Array.from({ length: HOMES }, (_, index) => index))(
  `killed ${KILLS} times under load: every acknowledged event took effect once, in order per key, or is a dead letter (CRASH_SEED=${SEED}, home %i)`,
  async (index) => {
    const random = seededRandom(SEED + index);
    const { home, saved } = await prepareBusHome();
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    const publishers = new Publishers();
    for (let kill = 0; kill < KILLS; kill++) {
      const doomed = await spawnHost({ home, env });
      const afterMs = 5 + random(250);
      const saveMs = random(250);
      const timers = [
        setTimeout(() => doomed.process.kill('SIGKILL'), afterMs),
        setTimeout(() => save(saved, index * 1000 + kill), saveMs),
      ];
      await publishers.run(doomed, doomed.exited);
      expect(await doomed.exited, `kill ${kill} after ${afterMs} ms: ${doomed.log().slice(-2000)}`).toBe(
        'SIGKILL',
      );
      for (const timer of timers) clearTimeout(timer);
    }
    const host = await spawnHost({ home, env });
    await drained(host);
    await host.close();
    expect(host.log()).not.toMatch(/"level":"(?:error|fatal)"/);
    verifyBus(home, publishers);
    expect(publishers.acknowledged.size).toBeGreaterThan(KILLS);
  },
  TEST_MS,
);
