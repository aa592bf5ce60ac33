// SCN-22, SCN-23: authors test scenarios against stubs, in virtual time, with golden snapshots.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootScenarios, type ScenarioHost } from '../../../../test/kit/scenario-host.ts';

let scenarios: ScenarioHost;
beforeAll(async () => {
  scenarios = await bootScenarios();
}, 60_000);
afterAll(() => scenarios.host.close());

const SCENARIO = `
id: brief
steps:
  - {name: weather, call: weather.now, with: {city: '\${ctx.city}'}, save: weather, retries: {max: 2, backoff: {base: 1s, factor: 1, jitter: 0}}}
  - {name: ask, wait: {answer: {question: 'Go out?', choices: [yes, no]}, timeout: 1h}, save: answer, on_error: {strategy: fallback, value: no}}
  - {name: heard, wait: {event: door.opened@1, timeout: 2h}}
  - {name: say, publish: ui.notify, with: {text: 'It is \${bag.weather.t}°, \${bag.answer}'}}
  - {return: '\${bag.answer}'}
`;
const TESTS = `
scenario: scenario.yaml
tests:
  - name: asks the weather twice and goes out
    ctx: {city: Riga}
    stubs:
      - {call: weather.now, with: {city: Riga}, fails: {code: BUSY}, times: 1}
      - {call: weather.now, returns: {t: 7}, after: 2s}
    answers: [{question: Go out, value: yes, after: 10m}]
    happens: [{after: 1h, event: door.opened, payload: {}}]
    golden: golden/brief.json
    expect: {returns: yes, bag: {weather: {t: 7}}, sends: [weather.now@1, weather.now@1, ui.notify@1], took: 1h}
  - name: nobody answers
    ctx: {city: Riga}
    stubs: [{call: weather.now, returns: {t: 1}}]
    happens: [{after: 90m, event: door.opened}]
    expect: {returns: no}
  - name: the door stays shut
    ctx: {city: Riga}
    stubs: [{call: weather.now, returns: {t: 1}}]
    expect: {error: SCENARIO_WAIT_TIMEOUT}
`;
const files = (more: Record<string, string> = {}) => ({
  'scenario.yaml': SCENARIO,
  'brief.test.yaml': TESTS,
  ...more,
});

test('each test says what it expects, and golden files are written when that is asked for', async () => {
  const missing = await scenarios.ask('test', { files: files() });
  expect(missing, missing.text).toMatchObject({ ok: true, passed: 2, failed: 1 });
  expect(missing.text).toContain('golden/brief.json is not there; write it with --update');
  const { golden } = await scenarios.ask('test', { files: files(), update: true });
  expect(JSON.parse(golden['golden/brief.json']).at(-1)).toMatchObject({
    after_ms: 3_600_000,
    what: 'publish',
    name: 'ui.notify@1',
    payload: { text: 'It is 7°, yes' },
  });
  const laidOut = { 'golden/brief.json': JSON.stringify(JSON.parse(golden['golden/brief.json'])) };
  expect(await scenarios.ask('test', { files: files(laidOut) })).toMatchObject({ failed: 0 });
  const broken = await scenarios.ask('test', { files: files({ 'golden/brief.json': '[' }) });
  expect(broken.text).toContain('golden/brief.json is no JSON; write it again with --update');
  const all = await scenarios.ask('test', { files: files(golden) });
  expect(all, all.text).toMatchObject({ passed: 3, failed: 0 });
  const changed = { ...files(golden), 'scenario.yaml': SCENARIO.replace('It is', 'Now') };
  const differs = await scenarios.ask('test', { files: changed });
  expect(differs.failed).toBe(1);
  expect(differs.text).toContain('"text": "It is 7°, yes"');
  expect(differs.text).toContain('"text": "Now 7°, yes"');
});

test('what is not as expected is told, and what is no test is refused', async () => {
  const wrong = TESTS.replace('{returns: no}', '{returns: yes, took: 5s, sends: []}');
  const { results } = await scenarios.ask('test', { files: { ...files(), 'brief.test.yaml': wrong } });
  expect(results[1].problems).toEqual([
    'it returns "no", expected is "yes"',
    'it sends weather.now@1, ui.notify@1, expected is nothing',
    'it takes 5400000 ms, expected are 5000',
  ]);
  const unknown = TESTS.replace('{call: weather.now, returns: {t: 1}}', '{call: other.now, returns: {t: 1}}');
  const told = await scenarios.ask('test', { files: { ...files(), 'brief.test.yaml': unknown } });
  expect(told.text).toContain('SCENARIO_NOT_STUBBED');
  expect(await scenarios.ask('test', { files: { 'a.yaml': 'id: a' } })).toMatchObject({
    ok: false,
    error: { code: 'SCENARIO_TEST_INVALID' },
  });
});
