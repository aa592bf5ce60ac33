// INT-01, INT-04, INT-07, SCN-32: what is written or said becomes an intent, and the intent begins its scenario; one trace.
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { bootScenarios, type ScenarioHost } from '../../../test/kit/scenario-host.ts';

const FOLDER = new URL('.', import.meta.url).pathname;

let scenarios: ScenarioHost;
beforeAll(async () => {
  scenarios = await bootScenarios();
  const { host } = scenarios;
  const added = await host.call(
    'POST',
    '/api/neira/plugins',
    { path: FOLDER },
    { query: '?enable=1&grant=all' },
  );
  expect(added.status, JSON.stringify(added.body)).toBe(201);
  await host.open('intent_rules');
  await scenarios.save(
    `id: weather_now\nmode: parallel\nmax: 10\nsteps: [{return: "\${ctx.city + ' for ' + event.payload.input.ctx.user_id}"}]\n`,
  );
  const rules = ['погода [в] {city}', 'сломай {city}'].map(
    (sentence, n) => `  - '"${sentence}" -> scenario.run(${['weather_now', 'no_such'][n]}, {city})'`,
  );
  const files = {
    'weather.yaml': `language: ru\nrules:\n${rules.join('\n')}\nlists: {city: {values: [Берлин]}}\n`,
  };
  const saved = await host.call('POST', '/api/intent/rules', { files });
  expect(saved.body, JSON.stringify(saved.body)).toMatchObject({ ok: true });
  const served = async () =>
    (await host.call('POST', '/api/intent/recognize', { text: 'погода в берлине' })).body.intent;
  await vi.waitFor(async () => expect(await served()).toBe('weather.now'), { timeout: 10_000 });
}, 60_000);
afterAll(() => scenarios.host.close());

const say = async (event_name: string, payload: object): Promise<string> => {
  const { status, body } = await scenarios.host.call('POST', '/api/neira/events', {
    event_name,
    version: 1,
    payload,
  });
  expect(status, JSON.stringify(body)).toBeLessThan(300);
  return body.event_id;
};
/** The recorded events of this name that came of it. */
const cameOf = async (name: string, root: string, key = 'causation_id') => {
  const { body } = await scenarios.host.call('GET', `/api/neira/events?subject=${name}`);
  return body.events.filter((event: Record<string, unknown>) => event[key] === root);
};
const first = async (name: string, root: string) => {
  let found: { payload: Record<string, unknown>; correlation_id: string } | undefined;
  await expect
    .poll(
      async () => {
        [found] = await cameOf(name, root);
        return found !== undefined;
      },
      { timeout: 10_000 },
    )
    .toBe(true);
  return found!;
};

test('a message is understood, told with where it came from, and begins the scenario of its rule', async () => {
  const from = {
    modality: 'text',
    channel: 'telegram',
    address: '4711',
    message_id: '17',
    ctx: { user_id: 'anna', session_id: 's' },
  };
  const input = await say('chat.input', { raw: 'Погода в Берлине?', ...from });
  const detected = await first('nlp.intent.detected', input);
  expect(detected.payload).toEqual({
    intent: 'weather.now',
    confidence: 0.98,
    locale: 'ru',
    text: 'Погода в Берлине?',
    slots: { city: 'Берлин' },
    input: from,
  });
  const runs = async () => (await scenarios.ask('runs', { scenario_id: 'weather_now' })).runs;
  await expect.poll(async () => (await runs()).length, { timeout: 10_000 }).toBe(1);
  const [{ run_id: run }] = await runs();
  expect(await scenarios.ended(run)).toMatchObject({ state: 'succeeded', returned: 'Берлин for anna' });
  const completed = await scenarios.host.call('GET', '/api/neira/events?subject=scenario.completed');
  const own = completed.body.events.find(
    ({ payload }: { payload: { run_id: string } }) => payload.run_id === run,
  );
  expect(own.correlation_id).toBe(detected.correlation_id);
});

test('what nobody understands is told with what came nearest, also what was spoken', async () => {
  const input = await say('voice.input', {
    raw: 'погода в париже',
    modality: 'voice',
    ctx: { user_id: 'anna' },
  });
  expect((await first('intent.missed', input)).payload).toMatchObject({
    text: 'погода в париже',
    locale: 'ru',
    nearest: { kind: 'unknown_value', slot: 'city', text: 'париже' },
    message: 'Не знаю «париже» (city)',
    input: { modality: 'voice', ctx: { user_id: 'anna' } },
  });
  expect(await cameOf('nlp.intent.detected', input)).toEqual([]);
});

test('what holds no words is told as well: nothing that was heard goes without an answer', async () => {
  const input = await say('chat.input', { raw: '?!', modality: 'text' });
  expect((await first('intent.missed', input)).payload).toMatchObject({ nearest: { kind: 'no_words' } });
});

test('a scenario that there is not is told, and the intent all the same', async () => {
  const input = await say('action.input', { raw: 'сломай Берлин', modality: 'click' });
  expect((await first('intent.failed', input)).payload).toMatchObject({
    intent: 'no.such',
    scenario_id: 'no_such',
    error: { code: 'SCENARIO_UNKNOWN' },
  });
  expect((await first('nlp.intent.detected', input)).payload).toMatchObject({ intent: 'no.such' });
});
