// SCN-11, SCN-33, SCN-35, SCHED-01, OBS-04, the scenarios that come with the engine: each in a whole host, with others' services as a plugin.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES } from '../../../test/kit/boot-host.ts';
import { installScenarios, type ScenarioHost, scenariosOf } from '../../../test/kit/scenario-host.ts';

const FOLDER = path.join(import.meta.dirname, 'scenarios');
const COMMANDS = ['slot.hold', 'slot.release', 'slot.confirm', 'pay.charge', 'pay.refund'];
const QUESTIONS = ['weather.now', 'calendar.today', 'site.numbers', 'report.store'];

/** What other people's services would do, and what the user was told. */
const SERVICES = `
import { append, list } from 'neira:host/storage';
const ANSWERS = {
  'slot.hold': ({ slot }) => ({ id: 'h-' + slot, at: '2026-11-26T09:00:00Z' }),
  'pay.charge': () => ({ id: 'p1' }),
  'slot.confirm': ({ id }) => { if (id === 'h-gone') throw new Error('it is gone'); return {}; },
  'weather.now': () => ({ t: 7 }),
  'calendar.today': () => ({ items: ['dentist', 'shopping'] }),
  'site.numbers': ({ site }) => ({ count: site.length }),
};
export function handle({ event_name, payload }) {
  if (event_name === 'services.read') return { actions: [{ result: list('said/', { limit: 500 }).map(({ value }) => value) }] };
  const result = ANSWERS[event_name]?.(payload) ?? {};
  append('said', { name: event_name, ...payload });
  return { result };
}`;

let home: string;
let scenarios: ScenarioHost;

async function boot(): Promise<void> {
  scenarios = scenariosOf(await bootHost({ gates: SCRIPT_GATES, home }));
}

beforeAll(async () => {
  home = mkdtempSync(path.join(tmpdir(), 'neira-live-'));
  await boot();
  const { host } = scenarios;
  await installScenarios(host);
  for (const [folder, gate] of [
    ['scheduler_cron', 'scheduler_cron'],
    ['trigger_rules', 'trigger_rules'],
  ] as const) {
    const where = path.join(import.meta.dirname, '..', folder);
    const added = await host.call(
      'POST',
      '/api/neira/plugins',
      { path: where },
      { query: '?enable=1&grant=all' },
    );
    expect(added.status, JSON.stringify(added.body)).toBe(201);
    await host.open(gate);
  }
  await host.events(...[...COMMANDS, ...QUESTIONS].map((name) => `${name}@1!`), 'sensor.changed@1');
  const manifest = {
    id: 'services',
    permissions: { storage: ['read', 'write'] },
    subscribes: [...COMMANDS, ...QUESTIONS, 'ui.notify'].map((name) => ({ event: `${name}@1` })),
    limits: { turn_ms: 10_000, concurrency: 8 },
    retry: { max: 0 },
    ui: { buttons: [{ id: 'services', title: 'Services', event: 'services.read' }] },
  };
  const added = await host.script(manifest, SERVICES);
  expect(added.status, JSON.stringify(added.body)).toBe(201);
  for (const file of readdirSync(FOLDER).filter((name) => /(?<!\.test)\.yaml$/.test(name)))
    await install(file);
}, 90_000);

afterAll(async () => {
  await scenarios.host.close();
  rmSync(home, { recursive: true, force: true });
});

/** Saved and granted as an administrator does it; what its triggers need as well. */
async function install(file: string, change = (text: string) => text): Promise<string> {
  const text = change(readFileSync(path.join(FOLDER, file), 'utf8'));
  const id = await scenarios.save(text);
  const grants = '/api/neira/plugins/trigger.rules/principals';
  const { body } = await scenarios.host.call('GET', grants);
  for (const { id: rule } of body.principals as { id: string }[])
    await scenarios.host.call('PUT', `${grants}/${rule}/grants`, {}, { query: '?grant=all' });
  return id;
}

async function said(name: string): Promise<Record<string, unknown>[]> {
  const { body } = await scenarios.host.event('services');
  return body.actions[0].result.filter((each: { name: string }) => each.name === name);
}

async function question(run: string): Promise<{ question_id: string; text: string }> {
  let found: { question_id: string; text: string } | undefined;
  await expect
    .poll(
      async () => {
        const { questions } = await scenarios.ask('questions');
        found = questions.find(({ run_id }: { run_id: string }) => run_id === run);
        return found;
      },
      { timeout: 15_000 },
    )
    .toBeDefined();
  return found!;
}

test('booking: holds, asks, pays and confirms; or gives back what it took', async () => {
  const good = await scenarios.run('booking', { ctx: { slot: 'nine', amount: 20 } });
  const { question_id, text } = await question(good);
  expect(text).toContain('Записать на 2026-11-26T09:00:00Z за 20?');
  await scenarios.ask('answer', { question_id, value: 'yes' });
  expect(await scenarios.ended(good)).toMatchObject({
    state: 'succeeded',
    returned: '2026-11-26T09:00:00Z',
  });
  expect(await said('pay.refund')).toEqual([]);

  const bad = await scenarios.run('booking', { ctx: { slot: 'ten', amount: 5 } });
  await scenarios.ask('answer', { question_id: (await question(bad)).question_id, value: 'no' });
  expect(await scenarios.ended(bad)).toMatchObject({ state: 'failed', error: { code: 'NOT_WANTED' } });
  expect(await said('slot.release')).toMatchObject([{ id: 'h-ten' }]);
}, 60_000);

test('reminder: at its time it asks, is put off, asks again, and is done', async () => {
  const ctx = { text: 'call Ann', at: new Date(Date.now() + 300).toISOString(), lang: 'en', snooze_ms: 200 };
  const run = await scenarios.run('reminder', { ctx });
  const first = await question(run);
  expect(first.text).toBe('Remember: call Ann');
  await scenarios.ask('answer', { question_id: first.question_id, value: 'later' });
  await expect.poll(async () => (await question(run)).question_id).not.toBe(first.question_id);
  await scenarios.ask('answer', { question_id: (await question(run)).question_id, value: 'done' });
  expect(await scenarios.ended(run)).toMatchObject({
    state: 'succeeded',
    returned: 'done',
    bag: { asked: 2 },
  });
}, 60_000);

test('nightly report: asks all sites side by side, stores and tells', async () => {
  const run = await scenarios.run('nightly_report', { ctx: { sites: ['north', 'south', 'west'] } });
  expect(await scenarios.ended(run)).toMatchObject({
    state: 'succeeded',
    returned: 0,
    bag: { total: [5, 5, 4] },
  });
  expect(await said('report.store')).toHaveLength(1);
  expect((await said('ui.notify')).map(({ text }) => text)).toContain('Отчёт / report: 3 ✓, 0 ✗');
}, 30_000);

test('morning brief: its schedule is kept by scheduler.cron, and begins it', async () => {
  const { host } = scenarios;
  const { body } = await host.call('GET', '/api/schedule?scenario_id=morning_brief');
  expect(body.jobs).toMatchObject([{ cron: '0 8 * * MON-FRI', timezone: 'Europe/Moscow' }]);
  const soon = {
    scenario_id: 'morning_brief',
    at: new Date(Date.now() + 500).toISOString(),
    ctx: { city: 'Москва', lang: 'ru' },
  };
  expect((await host.call('POST', '/api/schedule', soon)).status).toBe(200);
  await expect
    .poll(async () => (await said('ui.notify')).map(({ text }) => text), { timeout: 20_000 })
    .toContain('Доброе утро! Москва: 7°, дел на сегодня: 2');
}, 30_000);

test('watch and alert: what stays too high is told once; what calms down is not', async () => {
  const quick = (text: string) =>
    text.replace('debounce: 30s', 'debounce: 200ms').replace('timeout: 5m', 'timeout: 900ms');
  await install('watch_and_alert.yaml', quick);
  const changed = async (sensor: string, value: number) => {
    const event = { event_name: 'sensor.changed', payload: { sensor, value, limit: 80 } };
    expect((await scenarios.host.call('POST', '/api/neira/events', event)).status).toBe(200);
  };
  const alerts = async () =>
    (await said('ui.notify')).map(({ text }) => String(text)).filter((text) => / > 80$/.test(text));
  const runs = async () => (await scenarios.ask('runs', { scenario_id: 'watch_and_alert' })).runs;
  for (const value of [90, 91, 92]) await changed('boiler', value);
  await expect.poll(alerts, { timeout: 20_000 }).toEqual(['boiler: 92 > 80']);
  await changed('oven', 95);
  await expect.poll(async () => (await runs()).length, { timeout: 20_000 }).toBe(2);
  await changed('oven', 60);
  await expect
    .poll(async () => (await runs()).every(({ state }: { state: string }) => state === 'succeeded'), {
      timeout: 20_000,
    })
    .toBe(true);
  expect(await alerts()).toEqual(['boiler: 92 > 80']);
}, 60_000);

test('greet on boot: the next start of the host greets', async () => {
  const greeting = 'The host has started, all is ready.';
  const before = (await said('ui.notify')).filter(({ text }) => text === greeting).length;
  await scenarios.host.close();
  await boot();
  await expect
    .poll(async () => (await said('ui.notify')).filter(({ text }) => text === greeting).length, {
      timeout: 20_000,
    })
    .toBe(before + 1);
}, 60_000);
