import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { FAULT_POINTS } from '../../host/store/fault.ts';
import { seededRandom } from '../../host/store/test-store.ts';
import { spawnHost } from '../kit/boot-host.ts';
import { drained, Publishers, prepareBusHome, publishUntilKilled, save, verifyBus } from './bus-kit.ts';

const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);
const HOMES = Number(process.env['NEIRA_KILLS'] ?? 0) > 50 ? 4 : 1;
const KILLS = Math.ceil(Number(process.env['NEIRA_KILLS'] ?? 20) / HOMES);
const TEST_MS = 5 * 60_000;
const LONGEST_LIFE_MS = 20_000;
const env = {
  NEIRA_CELLS: '2',
  NEIRA_DURABILITY: 'power',
  NODE_COMPILE_CACHE: path.join(tmpdir(), 'neira-compiled'),
};

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
      const end = { answers: publishers.acknowledged.size + random(60), ms: random(30), lifeMs: 2000 };
      if (random(2) === 0) setTimeout(() => save(saved, index * 1000 + kill), random(100));
      expect(await publishUntilKilled(doomed, publishers, end), doomed.log().slice(-2000)).toBe('SIGKILL');
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

// Nobody asks here, so no answer is written (e2e/ask.test.ts and scenario-kill.test.ts do that).
const POINTS = FAULT_POINTS.filter(
  (point) => /^(?:writer|mailbox)\./.test(point) && point !== 'mailbox.mid-answer',
);

test.each(POINTS)(
  'killed at %s, again and again: each event takes effect once all the same',
  async (point) => {
    const { home } = await prepareBusHome();
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    const publishers = new Publishers();
    for (const nth of [1, 25]) {
      const fault = { ...env, NEIRA_FAULT: `${point}:${nth}` };
      const doomed = await spawnHost({ home, env: fault }).catch(diedEarly);
      if (!doomed) continue;
      await publishers.run(doomed, Promise.race([doomed.exited, sleep(LONGEST_LIFE_MS)]));
      if (doomed.process.exitCode === null && doomed.process.signalCode === null) await doomed.close();
      expect(await doomed.exited, `passing ${nth}`).toBe('SIGKILL');
    }
    const host = await spawnHost({ home, env });
    await drained(host);
    await host.close();
    verifyBus(home, publishers);
  },
  TEST_MS,
);

/** What waited from the life before passed the point before the host could listen. */
function diedEarly(error: Error): undefined {
  if (!error.message.startsWith('the host ended with null')) throw error;
}
