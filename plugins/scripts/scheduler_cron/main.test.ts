// SCHED-01…05, SCN-32: scenarios begin by themselves, in a real host with the real engine.
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

async function addScheduler(host: TestHost): Promise<void> {
  const { status, body } = await host.call(
    'POST',
    '/api/neira/plugins',
    { path: FOLDER },
    { query: '?enable=1&grant=all' },
  );
  expect(status, JSON.stringify(body)).toBe(201);
  await host.open('scheduler_cron');
}

let scenarios: ScenarioHost;
beforeAll(async () => {
  scenarios = await bootScenarios();
  await addScheduler(scenarios.host);
  await scenarios.save(`id: quick\nmode: parallel\nmax: 100\nsteps: [{return: '\${ctx.n}'}]\n`);
  await scenarios.save('id: long\nmode: parallel\nmax: 100\nsteps: [{wait: {signal: go}}]\n');
}, 60_000);
afterAll(() => scenarios.host.close());

const schedule = (method: string, where: string, body?: object) =>
  scenarios.host.call(method as 'GET', `/api/schedule${where}`, body);
const runsOf = async (scenario: string) =>
  (await scenarios.host.call('GET', `/api/scenario/runs?scenario_id=${scenario}&limit=100`)).body.runs;
const eventsOf = async (subject: string) =>
  (await scenarios.host.call('GET', `/api/neira/events?subject=${subject}&limit=1000`)).body.events.map(
    ({ payload }: { payload: object }) => payload,
  );

test('an interval begins its scenario again and again, until it is deleted', async () => {
  const made = await schedule('POST', '', { scenario_id: 'quick', every_ms: 1000, ctx: { n: 7 } });
  expect(made.body, JSON.stringify(made.body)).toEqual({
    ok: true,
    job_id: expect.any(String),
    next: expect.any(String),
  });
  await expect
    .poll(async () => (await runsOf('quick')).length, { timeout: 15_000 })
    .toBeGreaterThanOrEqual(2);
  const fired = await eventsOf('schedule.fired');
  expect(fired[0]).toMatchObject({
    job_id: made.body.job_id,
    scenario_id: 'quick',
    late_ms: expect.any(Number),
  });
  expect(fired[0].run_id).toBe((await runsOf('quick')).at(-1).run_id);
  expect((await schedule('DELETE', `/${made.body.job_id}`)).body).toMatchObject({ ok: true });
  expect((await schedule('DELETE', `/${made.body.job_id}`)).status).toBe(404);
}, 30_000);

test('a tick while the run before goes on is skipped, or waits for its end', async () => {
  const skip = (await schedule('POST', '', { id: 'skips', scenario_id: 'long', every_ms: 1000 })).body.job_id;
  await expect
    .poll(
      async () =>
        (await eventsOf('schedule.missed')).filter(({ job_id }: { job_id: string }) => job_id === skip)
          .length,
      { timeout: 15_000 },
    )
    .toBeGreaterThanOrEqual(1);
  expect((await runsOf('long')).length).toBe(1);
  await schedule('DELETE', '/skips');
  const [{ run_id }] = await runsOf('long');
  await scenarios.ask('cancel', { run_id });
  await scenarios.ended(run_id);

  await schedule('POST', '', { id: 'queues', scenario_id: 'long', every_ms: 1000, overlap: 'queue' });
  await expect.poll(async () => (await runsOf('long')).length, { timeout: 15_000 }).toBe(2);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect((await runsOf('long')).length).toBe(2);
  await schedule('POST', '/queues/pause');
  const [second] = await runsOf('long');
  await scenarios.ask('cancel', { run_id: second.run_id });
  await schedule('POST', '/queues/resume');
  await expect.poll(async () => (await runsOf('long')).length, { timeout: 15_000 }).toBe(3);
  await schedule('DELETE', '/queues');
}, 60_000);

test('what cannot be is refused with what is wrong, and a preview shows what would be', async () => {
  const wrong = await schedule('POST', '', { scenario_id: 'quick', cron: '* * 99 * *' });
  expect([wrong.status, wrong.body.code]).toEqual([422, 'SCHEDULE_INVALID']);
  expect(wrong.body.detail).toContain('99');
  expect((await schedule('POST', '', { scenario_id: 'quick' })).body.detail).toContain(
    'one of `cron`, `at` and `every_ms`',
  );
  expect(
    (await schedule('POST', '', { scenario_id: 'quick', at: '2020-01-01T00:00:00Z' })).body.detail,
  ).toContain('over already');
  const { body } = await schedule('GET', '/preview?cron=0%208%20*%20*%20*&timezone=Europe/Riga&count=2');
  expect(body.ticks).toHaveLength(2);
  expect(body.ticks[0]).toMatch(/T0[56]:00:00\.000Z$/);
});

test('a scenario that is not there is told, and the job goes on', async () => {
  await schedule('POST', '', { id: 'lost', scenario_id: 'nowhere', every_ms: 1000 });
  await expect
    .poll(async () => (await eventsOf('schedule.failed')).length, { timeout: 15_000 })
    .toBeGreaterThan(0);
  const { jobs } = (await schedule('GET', '?scenario_id=nowhere')).body;
  expect(jobs).toMatchObject([{ id: 'lost', state: 'waiting', error: { code: 'SCENARIO_UNKNOWN' } }]);
  await schedule('DELETE', '/lost');
}, 30_000);

test('schedules of a definition come, change and go with it', async () => {
  const text = (more: string) => `id: brief\n${more}\nsteps: [{return: 1}]\n`;
  await scenarios.save(text('schedule: ["0 8 * * *", {every: 1h}]'));
  const jobs = async () => (await schedule('GET', '?scenario_id=brief')).body.jobs;
  await expect
    .poll(async () => (await jobs()).map(({ id }: { id: string }) => id))
    .toEqual(['scenario:brief:0', 'scenario:brief:1']);
  await scenarios.save(text('schedule: 30 9 * * *'));
  await expect
    .poll(async () => (await jobs()).map(({ cron }: { cron: string }) => cron))
    .toEqual(['30 9 * * *']);
  await scenarios.ask('remove', { id: 'brief' });
  await expect.poll(jobs).toEqual([]);
});

test('with the gate locked nothing begins; what was missed is made up for once, also across a kill', async () => {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-schedule-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const first = await spawnHost({ home, gates: SCRIPT_GATES });
  await installScenarios(first);
  await addScheduler(first);
  await scenariosOf(first).save('id: tick\nmode: parallel\nmax: 100\nsteps: [{return: 1}]\n');
  const made = await first.call('POST', '/api/schedule', {
    id: 'often',
    scenario_id: 'tick',
    every_ms: 1000,
  });
  expect(made.status, JSON.stringify(made.body)).toBe(200);
  await first.kill();
  await new Promise((resolve) => setTimeout(resolve, 3500));
  await using second = await spawnHost({ home });
  const fired = async () =>
    (await second.call('GET', '/api/neira/events?subject=schedule.fired&limit=100')).body.events;
  await expect.poll(async () => (await fired()).length, { timeout: 15_000 }).toBeGreaterThanOrEqual(2);
  const missed = (await second.call('GET', '/api/neira/events?subject=schedule.missed&limit=100')).body
    .events;
  expect(missed[0].payload).toMatchObject({ job_id: 'often', reason: 'they are made up for once' });
  const ticks = (await fired()).map(({ payload }: { payload: { at: string } }) => payload.at);
  expect(new Set(ticks).size).toBe(ticks.length);

  await second.call('PUT', '/api/neira/gates/scheduler_cron', { stage: 'locked' });
  expect((await second.call('GET', '/api/schedule')).body.reason).toContain('scheduler_cron');
  const before = (await fired()).length;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect((await fired()).length - before).toBeLessThanOrEqual(1);
}, 60_000);
