// SCN-01…16, SCN-19…21, SCN-30, SCN-31: scenarios in a real host, with other plugins as their tools.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootScenarios, type ScenarioHost } from '../../../test/kit/scenario-host.ts';

let scenarios: ScenarioHost;
beforeAll(async () => {
  scenarios = await bootScenarios();
}, 60_000);
afterAll(() => scenarios.host.close());

test('steps go one after the other, call other plugins, and end with a value', async () => {
  const id = await scenarios.save(`
id: first
steps:
  - {name: two, set: {n: '\${ctx.n + 1}'}}
  - {name: ask, call: tool.do, with: {n: '\${bag.n}'}, save: got}
  - {name: end, return: '\${bag.got.doubled}'}
`);
  const run = await scenarios.run(id, { ctx: { n: 20 } });
  const status = await scenarios.ended(run);
  expect(status).toMatchObject({
    state: 'succeeded',
    returned: 42,
    bag: { n: 21, got: { n: 21, doubled: 42 } },
    costs: { calls: 1 },
  });
  const { steps, tree } = await scenarios.ask('trace', { run_id: run });
  expect(steps.map(({ step, what }: Record<string, string>) => `${step} ${what}`)).toEqual([
    'two ok',
    'ask started',
    'ask ok',
    'end ok',
  ]);
  expect(tree).toContain('ask ok');
  expect((await scenarios.effects()).at(-1)).toMatchObject({ key: `first/${run}/ask`, times: 1 });
});

test('a definition that is wrong is refused with line and column, one that lacks grants with what to grant', async () => {
  const wrong = await scenarios.ask('save', {
    files: { 'scenario.yaml': 'id: bad\nsteps:\n  - call: tool.do\n    retires: 3\n' },
  });
  expect(wrong).toMatchObject({
    ok: false,
    error: {
      code: 'SCENARIO_INVALID',
      details: { problems: [{ line: 4, message: 'unknown key `retires`' }] },
    },
  });
  const saved = await scenarios.ask('save', {
    files: { 'scenario.yaml': 'id: ungranted\nsteps:\n  - {call: tool.do}\n' },
  });
  expect(saved).toMatchObject({
    state: 'waiting_consent',
    missing: ['bus.publish:tool.do'],
    problems: [{ line: 3, column: 5, remedy: 'neira plugin grant scenario.engine --principal ungranted' }],
  });
  expect(await scenarios.ask('run', { id: 'ungranted' })).toMatchObject({
    ok: false,
    error: { code: 'SCENARIO_UNGRANTED', status: 403 },
  });
  expect(await scenarios.ask('run', { id: 'nobody' })).toMatchObject({
    ok: false,
    error: { code: 'SCENARIO_UNKNOWN' },
  });
});

test('a failure is undone, the last first', async () => {
  const id = await scenarios.save(`
id: saga
steps:
  - {name: hold, call: tool.do, with: {n: 1}, compensate: {name: release, call: tool.undo, with: {n: 1}}}
  - {name: pay, call: tool.do, with: {n: 2}, compensate: {name: refund, call: tool.undo, with: {n: 2}}}
  - {name: confirm, call: tool.do, with: {n: 3, fails: true}}
`);
  const run = await scenarios.run(id);
  const status = await scenarios.ended(run);
  expect(status).toMatchObject({ state: 'failed', error: { code: 'NEIRA_PLUGIN_FAILED' } });
  const { steps } = await scenarios.ask('trace', { run_id: run });
  expect(steps.slice(5).map(({ step, what }: Record<string, string>) => `${step} ${what}`)).toEqual([
    'confirm failed',
    'pay undoing',
    'pay/undo/refund started',
    'pay/undo/refund ok',
    'pay undone',
    'hold undoing',
    'hold/undo/release started',
    'hold/undo/release ok',
    'hold undone',
  ]);
});

describe('waits', () => {
  test('for an event of this run, and a timeout', async () => {
    const id = await scenarios.save(`
id: listens
mode: parallel
steps:
  - {name: wait, wait: {event: chat.said@1, filter: event.payload.loud == true, correlate: {payload.chat: '\${ctx.chat}'}, timeout: 20s}, save: said}
  - {return: '\${bag.said.payload.text}'}
`);
    const [one, two] = [
      await scenarios.run(id, { ctx: { chat: 'c1' } }),
      await scenarios.run(id, { ctx: { chat: 'c2' } }),
    ];
    await scenarios.ended(one, ['waiting']);
    await scenarios.ended(two, ['waiting']);
    await scenarios.publish('chat.said', { chat: 'c2', loud: false, text: 'quiet' });
    await scenarios.publish('chat.said', { chat: 'c2', loud: true, text: 'two' });
    expect(await scenarios.ended(two)).toMatchObject({ state: 'succeeded', returned: 'two' });
    expect(await scenarios.ask('status', { run_id: one })).toMatchObject({ state: 'waiting', step: 'wait' });
    await scenarios.publish('chat.said', { chat: 'c1', loud: true, text: 'one' });
    expect(await scenarios.ended(one)).toMatchObject({ returned: 'one' });
  });

  test('for time, a signal and a person, who may choose', async () => {
    const id = await scenarios.save(`
id: patient
steps:
  - wait: 300ms
  - {wait: {signal: go}, save: went}
  - {name: ask, wait: {answer: {question: 'Book \${ctx.slot}?', choices: [yes, no]}}, save: said}
`);
    const run = await scenarios.run(id, { ctx: { slot: 'nine' } });
    const waiting = async (for_: string) =>
      expect
        .poll(async () => (await scenarios.ask('status', { run_id: run }))['steps'][0]?.waits_for, {
          timeout: 10_000,
        })
        .toBe(for_);
    await waiting('signal');
    await scenarios.ask('signal', { run_id: run, signal: 'go', payload: { n: 1 } });
    await waiting('person');
    const { questions } = await scenarios.ask('questions');
    expect(questions).toMatchObject([{ run_id: run, text: 'Book nine?', choices: ['yes', 'no'] }]);
    const { question_id } = questions[0];
    expect(await scenarios.ask('answer', { question_id, value: 'perhaps' })).toMatchObject({
      ok: false,
      error: { code: 'SCENARIO_ANSWER_INVALID' },
    });
    expect(await scenarios.ask('answer', { question_id, value: 'yes' })).toMatchObject({ ok: true });
    expect(await scenarios.ended(run)).toMatchObject({
      state: 'succeeded',
      bag: { went: { n: 1 }, said: 'yes' },
    });
    expect(await scenarios.ask('answer', { question_id, value: 'yes' })).toMatchObject({
      error: { code: 'SCENARIO_QUESTION_CLOSED' },
    });
  });
});

test('a cancel reaches a step that waits for a plugin, and undoes it', async () => {
  const id = await scenarios.save(`
id: slow
steps:
  - {name: work, call: tool.do, with: {sleepMs: 20000}, compensate: {name: undo, call: tool.undo, with: {n: 9}}}
`);
  const run = await scenarios.run(id);
  await scenarios.ended(run, ['running']);
  expect(await scenarios.ask('cancel', { run_id: run, reason: 'enough' })).toMatchObject({ ok: true });
  expect(await scenarios.ended(run)).toMatchObject({ state: 'cancelled', error: { message: 'enough' } });
});

describe('who may begin', () => {
  const waits = (id: string, more: string) => `id: ${id}\n${more}\nsteps: [{wait: {signal: go}}]\n`;

  test('one at a time, or with force', async () => {
    const id = await scenarios.save(waits('alone', 'mode: single'));
    const first = await scenarios.run(id);
    expect(await scenarios.ask('run', { id })).toMatchObject({
      ok: false,
      error: { code: 'SCENARIO_BUSY', details: { run_id: first } },
    });
    const second = await scenarios.run(id, { force: true });
    for (const run_id of [first, second]) await scenarios.ask('signal', { run_id, signal: 'go' });
    await scenarios.ended(first);
    await scenarios.ended(second);
    await scenarios.ask('signal', { run_id: await scenarios.run(id), signal: 'go' });
  });

  test('the new one instead of the old one', async () => {
    const id = await scenarios.save(waits('again', 'mode: restart'));
    const first = await scenarios.run(id);
    const second = await scenarios.run(id);
    expect(await scenarios.ended(first)).toMatchObject({ state: 'cancelled' });
    expect(await scenarios.ask('status', { run_id: second })).toMatchObject({ state: 'waiting' });
    await scenarios.ask('cancel', { run_id: second });
  });

  test('one after the other, the more urgent first, so many at most', async () => {
    const id = await scenarios.save(waits('queue', 'mode: queued\nmax: 2'));
    const first = await scenarios.run(id);
    const low = await scenarios.run(id, { priority: 'LOW' });
    const high = await scenarios.run(id, { priority: 'HIGH' });
    expect(await scenarios.ask('run', { id })).toMatchObject({ error: { code: 'SCENARIO_QUEUE_FULL' } });
    expect(await scenarios.ask('status', { run_id: low })).toMatchObject({ state: 'queued' });
    await scenarios.ask('signal', { run_id: first, signal: 'go' });
    await scenarios.ended(high, ['waiting']);
    expect(await scenarios.ask('status', { run_id: low })).toMatchObject({ state: 'queued' });
    await scenarios.ask('signal', { run_id: high, signal: 'go' });
    await scenarios.ended(low, ['waiting']);
    await scenarios.ask('cancel', { run_id: low });
    await scenarios.ended(low);
  });

  test('of many who ask at the same moment one begins, and those who name an order keep it', async () => {
    const { host } = scenarios;
    const id = await scenarios.save(waits('crowded', 'mode: single'));
    const asked = Array.from({ length: 12 }, () => host.call('POST', '/api/scenario/run', { id }));
    const begun = (await Promise.all(asked)).filter(({ status }) => status === 200);
    expect(begun).toHaveLength(1);
    await scenarios.ask('cancel', { run_id: begun[0]!.body.run_id });

    await scenarios.save(
      'id: ordered\nmode: queued\nmax: 100\nsteps: [{name: do, call: tool.do, with: {n: "${ctx.n}"}}]\n',
    );
    const burst = `
import { publish } from 'neira:host/bus';
export function handle() { for (let n = 0; n < 20; n++) publish('scenario.run', { id: 'ordered', ctx: { n }, order: 'mine' }); }`;
    const manifest = {
      id: 'burst',
      permissions: {},
      publishes: ['scenario.run@1'],
      ui: { buttons: [{ id: 'burst', title: 'Burst', event: 'burst.go' }] },
    };
    expect((await host.script(manifest, burst)).status).toBe(201);
    await host.event('burst');
    const done = async () => (await scenarios.effects()).filter(({ key }) => key.startsWith('ordered/'));
    await expect.poll(async () => (await done()).length, { timeout: 20_000 }).toBe(20);
    const place = new Map((await done()).map(({ key, n }) => [key, n]));
    const order = (await scenarios.order()).filter((key) => place.has(key)).map((key) => place.get(key));
    expect(order).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });
});

test('a dry run shows what it would send and does nothing; pure steps are asked (SCN-15)', async () => {
  const id = await scenarios.save(`
id: rehearsed
steps:
  - {name: look, call: tool.do, with: {n: 5}, effect: pure, save: seen}
  - {name: work, call: tool.do, with: {n: '\${bag.seen.doubled}'}, save: got, dry_run: {returns: {n: 0}}}
  - wait: 1h
  - {return: '\${bag.got.n}'}
`);
  const before = (await scenarios.effects()).length;
  const run = await scenarios.run(id, { dry_run: true });
  expect(await scenarios.ended(run)).toMatchObject({ state: 'succeeded', dry_run: true, returned: 0 });
  const { steps } = await scenarios.ask('trace', { run_id: run });
  expect(
    steps.find(({ step, what }: Record<string, string>) => step === 'work' && what === 'started').sent,
  ).toEqual({
    name: 'tool.do@1',
    payload: { n: 10 },
  });
  expect((await scenarios.effects()).length).toBe(before + 1);
});

test('a run is done again with the answers that came, and anew from one of its steps (SCN-16)', async () => {
  const text = (factor: number) => `
id: forked
steps:
  - {name: a, call: tool.do, with: {n: 3}, save: a}
  - {name: b, set: {b: '\${bag.a.doubled * ${factor}}'}}
  - {name: c, call: tool.do, with: {n: '\${bag.b}'}, save: c}
  - {return: '\${bag.c.n}'}
`;
  const id = await scenarios.save(text(2));
  const run = await scenarios.run(id);
  expect(await scenarios.ended(run)).toMatchObject({ returned: 12 });
  expect(await scenarios.ask('replay', { run_id: run })).toMatchObject({
    ok: true,
    same: true,
    outcome: 'succeeded',
    differences: [],
  });

  await scenarios.save(text(10));
  const { digest } = await scenarios.ask('get', { id });
  const other = await scenarios.ask('replay', { run_id: run, digest });
  expect(other['same']).toBe(false);
  const calls = (await scenarios.effects()).length;
  const { run_id } = await scenarios.ask('fork', {
    run_id: run,
    step: 'b',
    latest: true,
  });
  expect(await scenarios.ended(run_id)).toMatchObject({ returned: 60, fork_of: { run, step: 'b' } });
  expect((await scenarios.effects()).length).toBe(calls + 1);
});

test('it stands still at a breakpoint and goes on step by step (SCN-20)', async () => {
  const id = await scenarios.save(
    `id: stepped\nsteps: [{name: a, set: {n: 1}}, {name: gate, wait: {signal: go}}, {name: b, set: {n: 2}}, {name: c, set: {n: 3}}]\n`,
  );
  const run = await scenarios.run(id);
  await scenarios.ask('pause', { run_id: run });
  await scenarios.ask('signal', { run_id: run, signal: 'go' });
  expect(await scenarios.ask('status', { run_id: run })).toMatchObject({ state: 'paused', bag: { n: 1 } });
  expect(await scenarios.ask('resume', { run_id: run, breakpoints: ['b'] })).toMatchObject({
    state: 'paused',
  });
  expect(await scenarios.ask('resume', { run_id: run, over: true })).toMatchObject({ state: 'paused' });
  expect(await scenarios.ask('status', { run_id: run })).toMatchObject({
    bag: { n: 2 },
    paused: { reason: 'step', step: 'c' },
  });
  await scenarios.ask('resume', { run_id: run });
  expect(await scenarios.ended(run)).toMatchObject({ bag: { n: 3 } });
});

test('over HTTP it is run, watched and cancelled as the source says (SCN-04…06, OBS-03)', async () => {
  const { host } = scenarios;
  const id = await scenarios.save(
    `id: byhttp\nmode: parallel\ninput: {type: object, required: [n]}\nsteps: [{wait: {signal: go}}]\n`,
  );
  const begun = await host.call('POST', '/api/scenario/run', { id, ctx: { n: 1 }, priority: 'HIGH' });
  expect([begun.status, begun.body], JSON.stringify(begun.body)).toEqual([
    200,
    { ok: true, run_id: expect.any(String) },
  ]);
  const { run_id } = begun.body;
  const status = await host.call('GET', `/api/scenario/status?run_id=${run_id}`);
  expect(status.body).toMatchObject({
    run_id,
    scenario_id: id,
    state: 'waiting',
    step: 'wait_1',
    priority: 'HIGH',
    started_at: expect.any(String),
  });
  const runs = await host.call('GET', `/api/scenario/runs?scenario_id=${id}&limit=5`);
  expect(runs.body.runs).toMatchObject([{ run_id, state: 'waiting' }]);
  const wrong = await host.call('POST', '/api/scenario/run', { id, ctx: {} });
  expect([wrong.status, wrong.body.code]).toEqual([422, 'SCENARIO_INPUT']);
  expect((await host.call('GET', '/api/scenario/status?run_id=nobody')).status).toBe(404);
  expect((await host.call('POST', '/api/scenario/cancel', { run_id })).body).toMatchObject({
    ok: true,
    state: 'cancelled',
  });
  const { body } = await host.call('GET', `/api/scenario/definitions/${id}`);
  expect(body.files['scenario.yaml']).toContain('id: byhttp');
});

test('with its gate locked nothing of it runs, and it says so', async () => {
  const { host } = scenarios;
  await host.call('PUT', '/api/neira/gates/scenario_engine', { stage: 'locked' });
  const refused = await host.call('POST', '/api/scenario/run', { id: 'byhttp', ctx: { n: 1 } });
  expect([refused.status >= 400, refused.body.reason]).toEqual([
    true,
    expect.stringContaining('scenario_engine'),
  ]);
  await host.open('scenario_engine');
});

test('recent runs are listed, the newest first, by scenario or of all', async () => {
  const { runs } = await scenarios.ask('runs', { scenario_id: 'forked', limit: 10 });
  expect(runs.map(({ scenario_id, state }: Record<string, string>) => `${scenario_id} ${state}`)).toEqual([
    'forked succeeded',
    'forked succeeded',
  ]);
  const all = await scenarios.ask('runs', { limit: 3 });
  expect(all['runs']).toHaveLength(3);
  const failed = await scenarios.ask('runs', { state: 'failed', limit: 1 });
  expect(failed['runs']).toMatchObject([{ state: 'failed' }]);
  const more = await scenarios.ask('runs', { state: 'failed', limit: 100, after: failed['next'] });
  expect(more['runs'].every(({ state }: { state: string }) => state === 'failed')).toBe(true);
  expect(more['next']).toBeUndefined();
  expect(await scenarios.ask('runs', { state: 'undoing' })).toMatchObject({ runs: [] });
  expect(all['next']).toBeDefined();
});

test('a scenario begins another and waits for it; locks are held by one at a time', async () => {
  await scenarios.save(`id: inner\nmode: parallel\nsteps: [{return: '\${ctx.n * 2}'}]\n`);
  const outer = await scenarios.save(
    `id: outer\nsteps: [{name: sub, scenario: inner, with: {n: 21}, save: got}, {return: '\${bag.got}'}]\n`,
  );
  expect(await scenarios.ended(await scenarios.run(outer))).toMatchObject({
    state: 'succeeded',
    returned: 42,
  });
  const id = await scenarios.save(`
id: speaks
mode: parallel
steps: [{name: say, locks: [tts], call: tool.do, with: {sleepMs: 150, n: 1}}]
`);
  const runs = await Promise.all([1, 2, 3].map(() => scenarios.run(id)));
  const ends = await Promise.all(runs.map((run) => scenarios.ended(run)));
  expect(ends.map(({ state }) => state)).toEqual(['succeeded', 'succeeded', 'succeeded']);
  const traces = await Promise.all(runs.map((run_id) => scenarios.ask('trace', { run_id })));
  const spans = traces
    .map(({ steps }) => {
      const sent = steps.find((each: Record<string, unknown>) => each['sent']);
      return [Date.parse(sent.at), Date.parse(steps.at(-1).at)] as const;
    })
    .sort((a, b) => a[0] - b[0]);
  for (const [at, [from]] of spans.entries())
    if (at > 0) expect(from).toBeGreaterThanOrEqual(spans[at - 1]![1]);
});
