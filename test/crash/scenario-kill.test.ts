// SCN-07, SCN-09, SCN-30, SCN-31: whatever kills the process, and whenever, each step of a run takes effect once.
import { expect, test } from 'vitest';
import type { FAULT_POINTS } from '../../host/store/fault.ts';
import { seededRandom } from '../../host/store/test-store.ts';
import { SCRIPT_GATES, type SpawnedHost, spawnHost } from '../kit/boot-host.ts';
import { installScenarios, scenariosOf, type Told } from '../kit/scenario-host.ts';
import { templateHome } from '../kit/template-home.ts';

/** Thirty steps and more: one after the other, in a loop, side by side, with retries, a wait and things to undo. */
const long = (id: string, end: string) => `
id: ${id}
mode: parallel
steps:
  - {name: first, call: tool.do, with: {n: 1}, compensate: {name: undo, call: tool.undo, with: {n: 1}}}
  - {name: flaky, call: tool.do, with: {n: 2, notBeforeMs: '\${ctx.at + 300}'}, retries: {max: 90, backoff: {base: 50ms, factor: 1, jitter: 0}}}
  - name: days
    loop:
      for: '\${[1, 2, 3, 4, 5]}'
      as: day
      steps:
        - {name: charge, call: tool.do, with: {n: '\${day}'}, compensate: {name: refund, call: tool.undo, with: {n: '\${day}'}}, save: last}
        - {name: note, set: {sum: '\${coalesce(bag.?sum.orValue(0), 0) + bag.last.doubled}'}}
  - wait: 100ms
  - name: both
    parallel:
      branches:
        a: [{name: one, call: tool.do, with: {n: 11}}, {name: two, call: tool.do, with: {n: 12}}]
        b: [{name: one, call: tool.do, with: {n: 21, sleepMs: 60}}, {name: two, call: tool.do, with: {n: 22}}]
        c: [{name: one, locks: [desk], call: tool.do, with: {n: 31}}]
  - {name: many, loop: {for: '\${[1, 2, 3, 4, 5, 6]}', as: n, at_a_time: 3, steps: [{name: each, call: tool.do, with: {n: '\${n}'}}]}}
  - ${end}
`;
const GOOD = long('good', `{name: end, return: '\${bag.sum}'}`);
const BAD = long('bad', '{name: end, call: tool.do, with: {fails: true}}');
const CALLS = 1 + 1 + 5 + 5 + 6;
/** `first`, and each of the days. */
const UNDONE = 6;

const preparedHome = templateHome(async (home) => {
  const host = await spawnHost({ home, gates: SCRIPT_GATES });
  await installScenarios(host);
  const scenarios = scenariosOf(host);
  for (const text of [GOOD, BAD]) await scenarios.save(text);
  await host.close();
});

/** Begins both and answers their ids. */
async function begun(host: SpawnedHost): Promise<{ good: string; bad: string }> {
  const scenarios = scenariosOf(host);
  const ctx = { at: Date.now() };
  return { good: await scenarios.run('good', { ctx }), bad: await scenarios.run('bad', { ctx }) };
}

/** Both came to the end that they would have come to, and everything was done once. */
async function requireOnce(host: SpawnedHost, { good, bad }: { good: string; bad: string }): Promise<void> {
  const scenarios = scenariosOf(host);
  const [one, other] = [await scenarios.ended(good), await scenarios.ended(bad)] as [Told, Told];
  expect(one).toMatchObject({
    state: 'succeeded',
    returned: 30,
    bag: { sum: 30 },
    costs: { calls: expect.any(Number) },
  });
  expect(other).toMatchObject({ state: 'failed', error: { code: 'NEIRA_PLUGIN_FAILED' } });
  expect(other.not_undone).toBeUndefined();
  const effects = await scenarios.effects();
  expect(effects.filter(({ times }) => times !== 1)).toEqual([]);
  const of = (run: string) => effects.filter(({ key }) => key.includes(`/${run}/`));
  expect(of(good)).toHaveLength(CALLS);
  expect(of(bad)).toHaveLength(CALLS + UNDONE);
  const undone = (await scenarios.order()).filter(
    (key) => key.includes(`/${bad}/`) && /\/(undo|refund)/.test(key),
  );
  expect(undone.map((key) => /\[(\d)\]/.exec(key)?.[1] ?? 'first')).toEqual([
    '4',
    '3',
    '2',
    '1',
    '0',
    'first',
  ]);
}

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
