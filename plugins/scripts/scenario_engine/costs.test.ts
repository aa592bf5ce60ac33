// SCN-24, SCN-25: what runs use is counted by step and run, and bounded by day.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootScenarios, type ScenarioHost } from '../../../test/kit/scenario-host.ts';

let scenarios: ScenarioHost;
beforeAll(async () => {
  scenarios = await bootScenarios({ engine: { daily_per_user: { pages: 3 } } });
}, 60_000);
afterAll(() => scenarios.host.close());

const speaks = (id: string, more: string) => `
id: ${id}
mode: parallel
${more}
steps:
  - {name: say, call: tool.do, with: {n: 1, returns: {cost: {tokens: 120, tts_seconds: 2.5}}}}
  - {name: free, call: tool.do, with: {n: 2}}
`;

test('what an answer says it used is counted by step, by run, and by day where that is bounded', async () => {
  await scenarios.save(speaks('speaks', 'quota: {daily: {tokens: 250}}'));
  const first = await scenarios.run('speaks');
  expect(await scenarios.ended(first)).toMatchObject({
    state: 'succeeded',
    costs: { calls: 2, tokens: 120, tts_seconds: 2.5 },
  });
  const { steps } = await scenarios.ask('trace', { run_id: first });
  const costs = Object.fromEntries(
    steps
      .filter(({ what }: { what: string }) => what === 'ok')
      .map(({ step, costs: used }: { step: string; costs?: object }) => [step, used]),
  );
  expect(costs).toEqual({ say: { tokens: 120, tts_seconds: 2.5 }, free: undefined });

  await scenarios.ended(await scenarios.run('speaks'));
  const over = await scenarios.ended(await scenarios.run('speaks'));
  expect(over).toMatchObject({ state: 'failed', error: { code: 'SCENARIO_QUOTA' } });
  expect(over['error'].message).toMatch(/240 of 250 tokens of `speaks` .* needs 120 more/);
});

test('a user has a day’s share of the node, whatever the scenario', async () => {
  await scenarios.save(
    'id: prints\nmode: parallel\nsteps: [{call: tool.do, with: {n: 1, returns: {cost: {pages: 2}}}}]\n',
  );
  expect(await scenarios.ended(await scenarios.run('prints'))).toMatchObject({ state: 'succeeded' });
  const over = await scenarios.ended(await scenarios.run('prints'));
  expect(over).toMatchObject({ state: 'failed', error: { code: 'SCENARIO_QUOTA' } });
  expect(over['error'].message).toContain('daily_per_user');
});

test('a scenario whose runs of the day are used up begins no more, and says when it does again', async () => {
  await scenarios.save('id: twice\nmode: parallel\nquota: {daily: {runs: 2}}\nsteps: [{set: {a: 1}}]\n');
  for (const n of [1, 2]) expect(await scenarios.run('twice'), String(n)).toBeTruthy();
  expect(await scenarios.ask('run', { id: 'twice' })).toMatchObject({
    ok: false,
    error: {
      code: 'SCENARIO_QUOTA',
      status: 429,
      message: expect.stringContaining('free again tomorrow (UTC)'),
    },
  });
});
