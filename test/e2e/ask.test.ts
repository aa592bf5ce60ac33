// BUS-11, BUS-16; design §4: a command whose answer comes as an event, exactly once, whatever becomes of whom.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type SpawnedHost, spawnHost, type TestHost } from '../kit/boot-host.ts';

const COMMANDS = ['work.do@1!', 'work.nobody@1!'];

/** Asks as it is told, and keeps every answer that comes, in the order in which they come. */
const ASKER = `
import { ask, cancel, publish } from 'neira:host/bus';
import { as, register } from 'neira:host/principals';
import { append, get, list, set } from 'neira:host/storage';

export function handle(event) {
  const { payload } = event;
  if (event.event_name === 'command.answered') {
    append('answers', { ...payload, attempt: undefined, source: event.source });
    return {};
  }
  const { asks = [], cancels, principal, read, fail } = payload.params;
  if (read) return { actions: list('answers/', { limit: 1000 }).map(({ value }) => value) };
  if (principal) register({ id: principal, title: 'p', permissions: { bus: { publish: ['work.do'] } } });
  const bus = principal ? as(principal).bus : { ask };
  const ids = asks.map(({ command = 'work.do', payload, options }) => bus.ask(command, payload, options));
  for (const id of cancels ?? []) cancel(id);
  if (fail) throw new Error('changed its mind');
  return { actions: [{ ids }] };
}`;

/** Does as the command says. */
const WORKER = `
import { append } from 'neira:host/storage';
export async function handle(event) {
  const { n, fails, sleepMs } = event.payload;
  append('done', { n, key: event.headers.idempotency_key ?? null });
  if (sleepMs) await new Promise((resolve) => setTimeout(resolve, sleepMs));
  if (fails) throw new Error('cannot do ' + n);
  return n === undefined ? {} : { result: { n, twice: n * 2 } };
}`;

const ASKER_MANIFEST = {
  id: 'asker',
  permissions: { storage: ['read', 'write'], principals: ['delegate'] },
  publishes: ['work.do@1', 'work.nobody@1'],
  ui: { buttons: [{ id: 'asker', title: 'Ask', event: 'asker.go' }] },
};
const WORKER_MANIFEST = {
  id: 'worker',
  permissions: { storage: ['write'] },
  subscribes: [{ event: 'work.do@1' }],
  retry: { max: 1, base_ms: 10 },
  limits: { wait_ms: 30_000 },
};

async function install(host: TestHost): Promise<void> {
  await host.events(...COMMANDS);
  for (const [manifest, source] of [
    [ASKER_MANIFEST, ASKER],
    [WORKER_MANIFEST, WORKER],
  ] as const) {
    const { status, body } = await host.script(manifest, source);
    expect(status, JSON.stringify(body)).toBe(201);
  }
}

interface Answered {
  readonly id: string;
  readonly ok: boolean;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
  readonly context?: unknown;
}

async function answersOf(host: TestHost): Promise<readonly Answered[]> {
  return (await host.event('asker', { read: true })).body.actions;
}

let host: TestHost;
beforeAll(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
  await install(host);
});
afterAll(() => host.close());

const asking = async (...asks: object[]): Promise<string[]> => {
  const { body } = await host.event('asker', { asks });
  expect(body.actions, JSON.stringify(body)).toBeDefined();
  return body.actions[0].ids;
};

async function answerTo(id: string): Promise<Answered> {
  await expect
    .poll(async () => (await answersOf(host)).filter((each) => each.id === id).length, { timeout: 10_000 })
    .toBe(1);
  return (await answersOf(host)).find((each) => each.id === id)!;
}

test('what was answered comes back with what it is about', async () => {
  const [id] = await asking({ payload: { n: 21 }, options: { context: { run: 'r1', wait: 3 } } });
  expect(await answerTo(id!)).toEqual({
    id,
    command: 'work.do',
    version: 1,
    ok: true,
    result: { n: 21, twice: 42 },
    context: { run: 'r1', wait: 3 },
    source: 'host',
  });
  const [silent] = await asking({ payload: {} });
  expect(await answerTo(silent!)).toMatchObject({ ok: true });
});

test('a failure comes when all tries are used up, and a command that nobody handles at once', async () => {
  const [fails, nobody] = await asking(
    { payload: { n: 1, fails: true } },
    { command: 'work.nobody', payload: {} },
  );
  expect(await answerTo(nobody!)).toMatchObject({ ok: false, error: { code: 'NEIRA_COMMAND_UNHANDLED' } });
  const { error } = await answerTo(fails!);
  expect(error).toMatchObject({
    code: 'NEIRA_PLUGIN_FAILED',
    message: expect.stringContaining('cannot do 1'),
  });
  const { body } = await host.call('GET', '/api/neira/dead-letters');
  const letter = body.dead_letters.find((each: { plugin: string }) => each.plugin === 'worker');
  expect(letter.attempts).toBe(2);
  // Put back by hand it may be done after all; nobody waits for it any more.
  await host.call('POST', `/api/neira/dead-letters/${letter.id}/retry`);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect((await answersOf(host)).filter((each) => each.id === fails)).toHaveLength(1);
});

test('when the time is over, that is the answer, and nothing of the command is kept', async () => {
  const [slow] = await asking({ payload: { n: 77, sleepMs: 20_000 }, options: { timeoutMs: 100 } });
  expect(await answerTo(slow!)).toMatchObject({ ok: false, error: { code: 'NEIRA_DEADLINE' } });
});

test('one that is taken back is not answered', async () => {
  const [slow] = await asking({ payload: { n: 5, sleepMs: 300 } });
  expect((await host.event('asker', { cancels: [slow] })).status).toBe(200);
  const [after] = await asking({ payload: { n: 6, sleepMs: 600 } });
  await answerTo(after!);
  expect((await answersOf(host)).some((each) => each.id === slow)).toBe(false);
});

test('nothing is asked by a turn that fails, and nobody else hears the answer', async () => {
  const before = (await answersOf(host)).length;
  expect((await host.event('asker', { asks: [{ payload: { n: 8 } }], fail: true })).status).toBe(500);
  const listener = await host.script(
    {
      id: 'listener',
      permissions: { storage: ['write'], bus: { subscribe: ['>'] } },
      subscribes: [{ event: '>' }],
    },
    `import { set } from 'neira:host/storage'; export function handle(event) { set('heard/' + event.event_name, 1); }`,
  );
  expect(listener.status, JSON.stringify(listener.body)).toBe(201);
  const [id] = await asking({ payload: { n: 9 } });
  await answerTo(id!);
  const { body } = await host.call('GET', '/api/neira/plugins/listener');
  expect(body.counters.failures).toBe(0);
  expect((await answersOf(host)).length).toBe(before + 1);
  const events = await host.call('GET', '/api/neira/events?subject=command.answered&limit=1000');
  expect(events.body.events.length).toBeGreaterThan(0);
});

test('a principal asks by its own grants', async () => {
  const asks = [{ payload: { n: 3 } }];
  const refused = await host.event('asker', { asks, principal: 'p1' });
  expect(refused.body.code).toBe('NEIRA_PERMISSION_DENIED');
  await host.event('asker', { principal: 'p1' });
  const granted = await host.call('PUT', '/api/neira/plugins/asker/principals/p1/grants', {
    permissions: { bus: { publish: ['work.do'] } },
  });
  expect(granted.status, JSON.stringify(granted.body)).toBe(200);
  const { body } = await host.event('asker', { asks, principal: 'p1' });
  expect(await answerTo(body.actions[0].ids[0])).toMatchObject({ result: { twice: 6 } });
});

test('what is no option, no command or too long is refused', async () => {
  for (const [ask, code] of [
    [{ command: 'work.other', payload: {} }, 'NEIRA_UNKNOWN_EVENT'],
    [{ payload: {}, options: { until: 1 } }, 'NEIRA_VALUE_INVALID'],
    [{ payload: {}, options: { timeoutMs: 0 } }, 'NEIRA_VALUE_INVALID'],
    [{ payload: {}, options: { timeoutMs: 31 * 86_400_000 } }, 'NEIRA_VALUE_INVALID'],
    [{ payload: {}, options: { key: '' } }, 'NEIRA_VALUE_INVALID'],
    [{ payload: {}, options: { context: 'x'.repeat(5000) } }, 'NEIRA_VALUE_INVALID'],
  ] as const)
    expect((await host.event('asker', { asks: [ask] })).body.code, JSON.stringify(ask)).toBe(code);
});

test('followed, a dry run does the command dry and hands on its answer', async () => {
  const { event_id } = (await host.event('asker', { asks: [{ payload: { n: 2 } }] })).body;
  const turnOf = async () => {
    const { turns } = (await host.call('GET', '/api/neira/turns?plugin=asker&limit=50')).body;
    return turns.find((each: { event_id: string }) => each.event_id === event_id)?.id;
  };
  await expect.poll(turnOf).toBeDefined();
  const { body } = await host.call('POST', '/api/neira/dry-run', { turn: await turnOf(), follow: true });
  expect(
    body.turns?.map(
      ({ plugin, event_name }: { plugin: string; event_name: string }) => `${plugin} ${event_name}`,
    ),
    JSON.stringify(body),
  ).toEqual(['asker asker.go', 'worker work.do', 'asker command.answered']);
});

test('answers of one key come in order with everything else of that key, also across kills, each once', async () => {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-ask-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  let doomed: SpawnedHost = await spawnHost({ home, gates: SCRIPT_GATES });
  await install(doomed);
  const ids: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    const asks = Array.from({ length: 20 }, (_, n) => ({
      payload: { n: round * 20 + n },
      options: { key: `k${n % 3}`, idempotencyKey: `key-${round}-${n}` },
    }));
    ids.push(...(await doomed.event('asker', { asks })).body.actions[0].ids);
    await doomed.kill();
    const fault = round === 1 ? { NEIRA_FAULT: 'mailbox.mid-answer:5' } : {};
    doomed = await spawnHost({ home, env: fault });
    if (round === 1) {
      expect(await doomed.exited).toBe('SIGKILL');
      doomed = await spawnHost({ home });
    }
  }
  await expect.poll(async () => (await answersOf(doomed)).length, { timeout: 20_000 }).toBe(60);
  const answers = await answersOf(doomed);
  expect(answers.map(({ id }) => id).sort()).toEqual([...ids].sort());
  expect(answers.every(({ ok }) => ok)).toBe(true);
  await doomed.close();
}, 60_000);
