// SCN-14: locks are kept while a run waits, unless the step says otherwise.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootScenarios, type ScenarioHost } from '../../../test/kit/scenario-host.ts';

let scenarios: ScenarioHost;
beforeAll(async () => {
  scenarios = await bootScenarios();
}, 60_000);
afterAll(() => scenarios.host.close());

const holds = (id: string, more: string) => `
id: ${id}
mode: parallel
steps:
  - locks: [desk]
    ${more}
    steps:
      - {name: before, call: tool.do, with: {n: 1}}
      - {wait: {signal: go}}
      - {name: after, call: tool.do, with: {n: 2}}
`;
const QUICK = 'id: quick\nmode: parallel\nsteps: [{name: use, locks: [desk], call: tool.do, with: {n: 3}}]\n';
const SLOW =
  'id: slow\nmode: parallel\nsteps: [{name: use, locks: [desk], steps: [{call: tool.do, with: {n: 4}}, {wait: {signal: go}}]}]\n';

test('others get the lock only when the run that waits has ended', async () => {
  await scenarios.save(holds('keeps', 'timeout: 1h'));
  await scenarios.save(QUICK);
  const first = await scenarios.run('keeps');
  await scenarios.ended(first, ['waiting']);
  const second = await scenarios.run('quick');
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await scenarios.ask('status', { run_id: second })).toMatchObject({
    state: 'running',
    steps: [{ step: 'use', waits_for: 'locks' }],
  });
  await scenarios.ask('signal', { run_id: first, signal: 'go' });
  expect(await scenarios.ended(second)).toMatchObject({ state: 'succeeded' });
});

test('with `release_locks` others have it meanwhile, and it is taken again before the run goes on', async () => {
  await scenarios.save(holds('lends', 'release_locks: true'));
  await scenarios.save(SLOW);
  const first = await scenarios.run('lends');
  await scenarios.ended(first, ['waiting']);
  const second = await scenarios.run('slow');
  await scenarios.ended(second, ['waiting']);
  // The desk is taken: what it waited for has come, and it waits for the desk.
  await scenarios.ask('signal', { run_id: first, signal: 'go' });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await scenarios.ask('status', { run_id: first })).toMatchObject({
    state: 'running',
    steps: [{ waits_for: 'locks' }],
  });
  await scenarios.ask('signal', { run_id: second, signal: 'go' });
  expect(await scenarios.ended(first)).toMatchObject({ state: 'succeeded' });
  const order = await scenarios.order();
  const of = (text: string) => order.findIndex((key) => key.includes(text));
  expect(of(`lends/${first}/group_1/after`)).toBeGreaterThan(of(`slow/${second}`));
  expect((await scenarios.effects()).every(({ times }) => times === 1)).toBe(true);
});
