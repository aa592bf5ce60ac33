// BUS-30, BUS-50, SCN-11, SCN-32: events begin scenarios, in a real host with the real engine.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { SCRIPT_GATES, spawnHost, type TestHost } from '../../../test/kit/boot-host.ts';
import {
  bootScenarios,
  installScenarios,
  type ScenarioHost,
  scenariosOf,
} from '../../../test/kit/scenario-host.ts';

const FOLDER = new URL('.', import.meta.url).pathname;

async function addTriggers(host: TestHost): Promise<void> {
  const { status, body } = await host.call(
    'POST',
    '/api/neira/plugins',
    { path: FOLDER },
    { query: '?enable=1&grant=all' },
  );
  expect(status, JSON.stringify(body)).toBe(201);
  await host.open('trigger_rules');
}

async function consent(host: TestHost, rule: string): Promise<void> {
  const where = `/api/neira/plugins/trigger.rules/principals/${encodeURIComponent(rule)}/grants`;
  const { status, body } = await host.call('PUT', where, {}, { query: '?grant=all' });
  expect(status, JSON.stringify(body)).toBe(200);
  await expect
    .poll(
      async () =>
        (await host.call('GET', '/api/trigger')).body.rules.find(({ id }: { id: string }) => id === rule)
          ?.state,
    )
    .toBe('active');
}

let scenarios: ScenarioHost;
beforeAll(async () => {
  scenarios = await bootScenarios();
  await addTriggers(scenarios.host);
  await scenarios.save(`id: greet\nmode: parallel\nmax: 100\nsteps: [{return: '\${ctx.text}'}]\n`);
  await scenarios.save('id: long\nmode: parallel\nmax: 100\nsteps: [{wait: {signal: go}}]\n');
}, 60_000);
afterAll(() => scenarios.host.close());

const trigger = (method: string, where: string, body?: object) =>
  scenarios.host.call(method as 'GET', `/api/trigger${where}`, body);
const runsOf = async (scenario: string) =>
  (await scenarios.host.call('GET', `/api/scenario/runs?scenario_id=${scenario}&limit=100`)).body.runs;
const said = (text: string, chat = 'c1') => scenarios.publish('chat.said', { chat, text });

test('a rule waits for consent and says for what; then its event begins the scenario, as its filter says', async () => {
  const made = await trigger('POST', '', {
    id: 'hello',
    event: 'chat.said@1',
    filter: '$.payload.text != "quiet"',
    scenario_id: 'greet',
    ctx: { text: 'you said ${event.payload.text}' },
  });
  expect(made.body, JSON.stringify(made.body)).toEqual({
    ok: true,
    rule_id: 'hello',
    state: 'waiting_consent',
    missing: ['bus.subscribe:chat.said', 'bus.publish:scenario.run'],
    remedy: 'neira plugin grant trigger.rules --principal hello',
  });
  await said('too early');
  await consent(scenarios.host, 'hello');
  await said('quiet');
  await said('hi');
  await expect.poll(async () => (await runsOf('greet')).length, { timeout: 10_000 }).toBe(1);
  const [{ run_id }] = await runsOf('greet');
  expect(await scenarios.ended(run_id)).toMatchObject({ state: 'succeeded', returned: 'you said hi' });
  await trigger('POST', '/hello/disable');
  await said('nobody hears');
  await trigger('POST', '/hello/enable');
  await said('again');
  await expect.poll(async () => (await runsOf('greet')).length, { timeout: 10_000 }).toBe(2);
  expect((await trigger('DELETE', '/hello')).body.ok).toBe(true);
  expect((await trigger('DELETE', '/hello')).status).toBe(404);
}, 30_000);

test('debounced it begins once, with the last event, for each value of its key', async () => {
  const before = (await runsOf('greet')).length;
  await trigger('POST', '', {
    id: 'calm',
    event: 'chat.said@1',
    key: '$.payload.chat',
    scenario_id: 'greet',
    debounce_ms: 400,
    ctx: { text: '${event.payload.text}' },
  });
  await consent(scenarios.host, 'calm');
  for (const text of ['a', 'b', 'c']) {
    await said(text, 'c1');
    await said(text.toUpperCase(), 'c2');
  }
  await expect.poll(async () => (await runsOf('greet')).length, { timeout: 10_000 }).toBe(before + 2);
  const ends = await Promise.all(
    (await runsOf('greet')).slice(0, 2).map(({ run_id }: { run_id: string }) => scenarios.ended(run_id)),
  );
  expect(ends.map(({ returned }) => returned).sort()).toEqual(['C', 'c']);
  await trigger('DELETE', '/calm');
}, 30_000);

test('one at a time it begins nothing while what it began goes on', async () => {
  await trigger('POST', '', { id: 'alone', event: 'chat.said@1', scenario_id: 'long', singleton: true });
  await consent(scenarios.host, 'alone');
  await said('one');
  await expect.poll(async () => (await runsOf('long')).length, { timeout: 10_000 }).toBe(1);
  await said('two');
  const [{ run_id }] = await runsOf('long');
  await scenarios.ask('cancel', { run_id });
  await scenarios.ended(run_id);
  await expect
    .poll(
      async () => {
        await said('three');
        return (await runsOf('long')).length;
      },
      { timeout: 10_000, interval: 200 },
    )
    .toBe(2);
  await trigger('DELETE', '/alone');
}, 30_000);

test('a scenario that triggers itself is stopped, and it is said why', async () => {
  await scenarios.save(
    'id: echo\nmode: parallel\nmax: 100\nsteps: [{publish: chat.said@1, with: {chat: loop, text: again}}]\n',
  );
  await trigger('POST', '', {
    id: 'loop',
    event: 'chat.said@1',
    filter: 'event.payload.chat == "loop"',
    scenario_id: 'echo',
  });
  await consent(scenarios.host, 'loop');
  await said('begin', 'loop');
  await expect
    .poll(async () => (await trigger('GET', '?scenario_id=echo')).body.rules[0].error?.code, {
      timeout: 15_000,
    })
    .toBe('TRIGGER_LOOP');
  const runs = (await runsOf('echo')).length;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect((await runsOf('echo')).length).toBe(runs);
  // Eight of one chain; a busy engine may take a run up in the turn of another, whose chain it then belongs to.
  expect(runs).toBeLessThan(20);
  await trigger('DELETE', '/loop');
}, 30_000);

test('triggers of a definition are rules that come and go with it, and greet at boot (SCN-11)', async () => {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-trigger-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const first = await spawnHost({ home, gates: SCRIPT_GATES });
  await installScenarios(first);
  await scenariosOf(first).save(
    `id: greet_on_boot\nmode: parallel\nmax: 100\ntriggers: [system.boot.completed@1]\nsteps: [{log: hello}, {return: '\${event.event_name}'}]\n`,
  );
  // Enabled later than the scenario was saved.
  await addTriggers(first);
  const rule = 'scenario:greet_on_boot:0';
  await expect
    .poll(
      async () => (await first.call('GET', '/api/trigger')).body.rules?.map(({ id }: { id: string }) => id),
      { timeout: 10_000 },
    )
    .toEqual([rule]);
  await consent(first, rule);
  await first.kill();
  await using second = await spawnHost({ home });
  const runs = async () =>
    (await second.call('GET', '/api/scenario/runs?scenario_id=greet_on_boot')).body.runs;
  await expect.poll(async () => (await runs()).length, { timeout: 15_000 }).toBe(1);
  expect(await scenariosOf(second).ended((await runs())[0].run_id)).toMatchObject({
    returned: 'system.boot.completed',
  });
  await scenariosOf(second).ask('remove', { id: 'greet_on_boot' });
  await expect.poll(async () => (await second.call('GET', '/api/trigger')).body.rules).toEqual([]);
}, 60_000);

test('with its gate locked nothing begins, and what cannot be is refused', async () => {
  await scenarios.host.call('PUT', '/api/neira/gates/trigger_rules', { stage: 'locked' });
  expect((await trigger('GET', '')).body.reason).toContain('trigger_rules');
  await scenarios.host.open('trigger_rules');
  expect(
    (await trigger('POST', '', { event: 'chat.said@1', scenario_id: 'greet', key: 'payload' })).body.code,
  ).toBe('TRIGGER_INVALID');
  expect((await trigger('POST', '', { event: 'chat.said@1' })).status).toBe(422);
});
