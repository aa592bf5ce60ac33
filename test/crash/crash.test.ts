import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FAULT_POINTS } from '../../host/store/fault.ts';
import { seededRandom } from '../../host/store/test-store.ts';
import { spawnHost } from '../kit/boot-host.ts';
import { templateHome } from '../kit/template-home.ts';
import {
  type CounterKind,
  consoleLines,
  GATES,
  Load,
  loadUntilGone,
  prepareHome,
  verify,
  verifySends,
} from './load.ts';

const TEST_MS = 60_000;
/** Points that turns and journaled changes pass; the others belong to boots (host/store/crash.test.ts), the bus, requests, secrets. */
const working = FAULT_POINTS.filter((point) => !/^(repair|migrate|mailbox|http|secrets)\./.test(point));
/** What a host commits before it listens: that it is up. */
const BOOT_COMMITS = 1;
const env = { NEIRA_CELLS: '2', NEIRA_DURABILITY: 'power' };

const preparedHome = templateHome((home, kind: CounterKind) => prepareHome(home, kind));

function newHome(): string {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-crash-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

// UIT-09, HOST-25, BUS-16
// The first passing of some is a moment of its own; of a file's lines each is like the other.
const PASSINGS = working.flatMap((point) =>
  (point.startsWith('writer.') ? [1, 40] : [25]).map((nth) => [point, nth] as const),
);

test.each(PASSINGS)(
  'killed at %s, passing %i: acknowledged events are there once, others whole or not at all',
  async (point, nth) => {
    const home = await preparedHome('script');
    const load = new Load();
    const doomed = await spawnHost({
      home,
      env: { ...env, NEIRA_FAULT: `${point}:${point.startsWith('writer.') ? nth + BOOT_COMMITS : nth}` },
    });
    expect(await loadUntilGone(doomed, load), doomed.log().slice(-2000)).toBe('SIGKILL');

    await using host = await spawnHost({ home, env });
    const applied = await verify(host, load);
    expect(applied).toBeGreaterThanOrEqual(load.acknowledged);
    await verifySends(host, load);
    await load.resend(host);
    await verify(host, load);
  },
  TEST_MS,
);

const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);

// A component takes longer until its first answer.
test.each([
  ['script', 5, 20],
  ['wasm', 2, 400],
] as const)(
  `killed at any moment, again and again, over one home, with a plugin of kind %s (CRASH_SEED=${SEED})`,
  async (kind, rounds, leastMs) => {
    console.log(`crash test: CRASH_SEED=${SEED}`);
    const random = seededRandom(SEED);
    const home = await preparedHome(kind);
    const load = new Load();
    for (let round = 0; round < rounds; round++) {
      const doomed = await spawnHost({ home, env });
      // The last of them answers something, however busy the machine is.
      const afterMs = round === rounds - 1 ? 2500 : leastMs + random(350);
      expect(
        await loadUntilGone(doomed, load, { signal: 'SIGKILL', after: { ms: afterMs } }),
        `round ${round}, ${afterMs} ms`,
      ).toBe('SIGKILL');
      const host = await spawnHost({ home, env });
      await verify(host, load);
      await verifySends(host, load);
      if (random(2) === 0) await load.resend(host);
      await verify(host, load);
      await host.close();
      load.logs.push(host.log());
    }
    expect(load.acknowledged).toBeGreaterThan(0);
  },
  2 * TEST_MS,
);

test(
  'killed between a send and its confirmation: it is sent again, and says that it may be the second time',
  async () => {
    const home = await preparedHome('script');
    // The first commit is the turn's, the second that of the confirmation.
    const doomed = await spawnHost({
      home,
      env: { ...env, NEIRA_FAULT: `writer.before-commit:${BOOT_COMMITS + 2}` },
    });
    const params = { n: 1, key: 'k1' };
    const context = { chat_id: 'c', session_id: 's' };
    expect(await doomed.event('count', params, context)).toMatchObject({ status: 200 });
    expect(await doomed.exited).toBe('SIGKILL');
    const [first, ...others] = consoleLines(doomed.log());
    expect([first?.payload, others]).toEqual([{ n: 1 }, []]);

    const host = await spawnHost({ home, env });
    const again = () => consoleLines(host.log());
    await expect.poll(again).toEqual([expect.objectContaining({ send: first!.send, doubtful: true })]);
    await host.close();

    await using third = await spawnHost({ home, env });
    expect(await third.event('count', { n: 2, key: 'k1' }, context)).toMatchObject({ status: 200 });
    await expect.poll(() => consoleLines(third.log()).map(({ payload }) => payload.n)).toEqual([2]);
  },
  TEST_MS,
);

test(
  'however many sends wait for a restart, all of them leave then, in order',
  async () => {
    const home = newHome();
    const sends = 1500;
    const burst = `
    import { send } from 'neira:host/io';
    export const handle = () => { for (let n = 0; n < ${sends}; n++) send('console', 'burst', { n }); };`;
    const manifest = {
      id: 'burst',
      permissions: { io: { ports: ['console'] } },
      limits: { publishes: 10_000, host_calls: 10_000, cpu_ms: 2000, turn_ms: 5000 },
      ui: { buttons: [{ id: 'burst', title: 'Burst', event: 'burst.go' }] },
    };
    const first = await spawnHost({ home, env, gates: GATES });
    expect((await first.script(manifest, burst)).status).toBe(201);
    await first.close();
    const doomed = await spawnHost({
      home,
      env: { ...env, NEIRA_FAULT: `writer.before-commit:${BOOT_COMMITS + 2}` },
    });
    await doomed.event('burst').catch(() => {});
    expect(await doomed.exited).toBe('SIGKILL');

    await using host = await spawnHost({ home, env });
    await expect.poll(() => consoleLines(host.log()).length, { timeout: 10_000 }).toBe(sends);
    expect(consoleLines(host.log()).map(({ payload }) => payload.n)).toEqual([...Array(sends).keys()]);
  },
  TEST_MS,
);
