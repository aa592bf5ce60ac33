import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import { ENGINES, Probe, PUBLISHED, type Step } from './probe.ts';

/** Adds one to a counter, as authors write it: read, add, write. */
const COUNT = `
import { get, set } from 'neira:host/storage';
export function handle(event) {
  const seen = (get('count')?.value ?? 0) + 1;
  set('count', seen);
  set('by/' + event.id, seen);
  return { actions: [{ type: 'count', seen }] };
}
`;

describe.each(ENGINES)('$name', (engine) => {
  let host: TestHost;
  let probe: Probe;

  beforeAll(async () => {
    host = await bootHost({ gates: [...new Set([...SCRIPT_GATES, engine.gate])], env: { NEIRA_CELLS: '3' } });
    probe = await Probe.register(host, engine, 'probe');
  });
  afterAll(() => host.close());

  const everyEffect = (name: string): Step[] => [
    ['storage.set', name, 1],
    ['storage.add', `${name}-count`, 1],
    ['storage.append', `${name}-log`, 1],
    ['storage.save-annotation', { chatId: name, sessionId: 's', kind: 'k', data: name }],
    ['storage.save-message', { chatId: name, sessionId: 's', role: 'user', text: name }],
    ['bus.publish', PUBLISHED, { name }],
    ['io.send', 'console', name, { name }],
    ['io.log', 'info', `log of ${name}`],
  ];

  async function found(name: string) {
    const { body: search } = await host.call('GET', `/api/neira/search?chat=${name}`);
    const { body: events } = await host.call('GET', `/api/neira/events?subject=${PUBLISHED}&limit=1000`);
    const file = (kind: string) => existsSync(path.join(host.home, 'context', name, `s.${kind}.ndjson`));
    return {
      value: await probe.stored(name),
      count: await probe.stored(`${name}-count`),
      log: await probe.stored(`${name}-log/0000000000000001`),
      records: search.results.length,
      published: events.events.filter((event: { payload: { name?: string } }) => event.payload.name === name)
        .length,
      files: [file('annotations'), file('messages')],
      logged: (await probe.logs()).filter(({ message }) => message === `log of ${name}`).length,
    };
  }

  test('a turn that returns keeps all that it did', async () => {
    await probe.run(everyEffect('kept'));
    expect(await found('kept')).toEqual({
      value: 1,
      count: 1,
      log: 1,
      records: 2,
      published: 1,
      files: [true, true],
      logged: 1,
    });
    const text = readFileSync(path.join(host.home, 'context/kept/s.annotations.ndjson'), 'utf8');
    expect(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { type: 'annotation', kind: 'k', data: 'kept', chat_id: 'kept', session_id: 's', plugin: 'probe' },
    ]);
  });

  // UIT-05
  test('a turn that throws keeps its log and its failure, and nothing else', async () => {
    const problem = await probe.fail([...everyEffect('lost'), ['probe.throw', 'не вышло']]);
    expect(problem).toMatchObject({
      code: 'NEIRA_PLUGIN_FAILED',
      status: 500,
      name: 'Error',
      reason: 'не вышло',
      event_id: expect.any(String),
    });
    expect(await found('lost')).toEqual({
      value: undefined,
      count: undefined,
      log: undefined,
      records: 0,
      published: 0,
      files: [false, false],
      logged: 1,
    });
    const { body } = await host.call('GET', '/api/neira/plugins/probe');
    expect(body.recent_errors[0]).toMatchObject({
      code: 'NEIRA_PLUGIN_FAILED',
      details: { reason: 'не вышло' },
    });
    const { body: events } = await host.call('GET', '/api/neira/events?subject=probe.run&limit=1000');
    const at = events.events.findIndex((event: { id: string }) => event.id === problem['event_id']);
    expect(events.places[at]).toMatchObject({ disposition: 'failed' });
  });

  test('a refusal that the plugin lets through ends the turn with its own code', async () => {
    expect(
      await probe.fail([
        ['storage.set', 'x', 1],
        ['probe.uncaught', 'storage.get', ''],
      ]),
    ).toMatchObject({ code: 'NEIRA_VALUE_INVALID' });
    expect(await probe.stored('x')).toBeUndefined();
  });

  test('a dry run shows what it would do and keeps none of it', async () => {
    const { status, body } = await probe.send(everyEffect('dry'), { query: '?dry_run=1' });
    expect(status).toBe(200);
    expect(body).toMatchObject({ mode: 'dry-run', ran: true });
    const planned = body.planned.map(({ op, type }: { op: string; type?: string }) => type ?? op);
    expect(planned).toEqual(['set', 'add', 'append', 'annotation', 'message', 'publish', 'send']);
    expect(await found('dry')).toMatchObject({
      value: undefined,
      count: undefined,
      records: 0,
      published: 0,
      files: [false, false],
    });
  });

  describe('idempotency', () => {
    const once = (steps: readonly Step[], key: string) =>
      probe.send(steps, { headers: { 'idempotency-key': key } });

    test('the same request again gets the first reply and runs nothing', async () => {
      const key = randomUUID();
      const first = await once([['storage.append', 'once', key]], key);
      const second = await once([['storage.append', 'once', key]], key);
      expect(second.status).toBe(200);
      expect(second.body).toEqual(first.body);
      const [listed] = await probe.run([['storage.list', 'once/']]);
      expect(listed!.value).toMatchObject([{ value: key }]);
    });

    test('many at the same moment are applied once, and all get the same reply', async () => {
      const key = randomUUID();
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => once([['storage.append', 'race', 1]], key)),
      );
      expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
      expect((await probe.run([['storage.list', 'race/']]))[0]!.value).toHaveLength(1);
    });

    test('another body under the same key is refused', async () => {
      const key = randomUUID();
      await once([['storage.set', 'a', 1]], key);
      expect(await once([['storage.set', 'a', 2]], key)).toMatchObject({
        status: 422,
        body: { code: 'NEIRA_IDEMPOTENCY_MISMATCH' },
      });
      expect(await probe.stored('a')).toBe(1);
    });

    test('a failure is not remembered: the request may be tried again', async () => {
      const key = randomUUID();
      const steps: Step[] = [['storage.get', 'flag']];
      const failing = await probe.send([...steps, ['probe.throw', 'no']], {
        headers: { 'idempotency-key': key },
      });
      expect(failing.status).toBe(500);
      expect(
        (await probe.send([...steps, ['probe.throw', 'no']], { headers: { 'idempotency-key': key } })).body
          .event_id,
      ).not.toBe(failing.body.event_id);
    });

    test("keys belong to a token: another client's is another key", async () => {
      const { body } = await host.call('POST', '/api/neira/tokens', { name: 'other', scopes: ['write'] });
      const key = randomUUID();
      await once([['storage.append', 'mine', 1]], key);
      const other = await probe.send([['storage.append', 'mine', 2]], {
        token: body.token,
        headers: { 'idempotency-key': key },
      });
      expect(other.status).toBe(200);
      expect((await probe.run([['storage.list', 'mine/']]))[0]!.value).toHaveLength(2);
    });

    test('a dry run uses no key up', async () => {
      const key = randomUUID();
      const headers = { 'idempotency-key': key };
      await probe.send([['storage.append', 'dry-key', 1]], { headers, query: '?dry_run=1' });
      expect((await probe.send([['storage.append', 'dry-key', 1]], { headers })).body.mode).toBe('executed');
      expect((await probe.run([['storage.list', 'dry-key/']]))[0]!.value).toHaveLength(1);
    });
  });

  test('increments from many connections end at exactly their number', async () => {
    const events = 200;
    const button = { id: 'count', title: 'Count', event: 'count.one' };
    const manifest = { id: 'count', permissions: { storage: ['read', 'write'] }, ui: { buttons: [button] } };
    expect((await host.script(manifest, COUNT)).status).toBe(201);
    const answers = await Promise.all(
      Array.from({ length: events }, () =>
        host.call('POST', '/api/neira/ui/events', {
          tool_id: 'count',
          event: 'count.one',
          params: {},
          context: {},
        }),
      ),
    );
    expect(answers.map(({ status, body }) => (status === 200 ? 200 : body))).toEqual(answers.map(() => 200));
    const seen = answers.map(({ body }) => body.actions[0].seen as number).sort((a, b) => a - b);
    expect(seen).toEqual(Array.from({ length: events }, (_, n) => n + 1));
  });

  test('two writes that read the same both apply, and an append needs no second run', async () => {
    const steps: Step[] = [['storage.append', 'blind', 1]];
    await Promise.all(Array.from({ length: 50 }, () => probe.run(steps)));
    const [listed] = await probe.run([['storage.list', 'blind/']]);
    const keys = (listed!.value as { key: string }[]).map(({ key }) => Number(key.slice(-16)));
    expect(keys).toEqual(Array.from({ length: 50 }, (_, n) => n + 1));
  });

  test('64 turns that add to one counter and read other keys all count', async () => {
    const source = `
import { add, list } from 'neira:host/storage';
export function handle() { list('rates/'); add('hits', 1); return { actions: [] }; }`;
    const button = { id: 'hits', title: 'H', event: 'hits.one' };
    const manifest = { id: 'hits', permissions: { storage: ['read', 'write'] }, ui: { buttons: [button] } };
    expect((await host.script(manifest, source)).status).toBe(201);
    const body = { tool_id: 'hits', event: 'hits.one', params: {}, context: {} };
    const answers = await Promise.all(
      Array.from({ length: 64 }, () => host.call('POST', '/api/neira/ui/events', body)),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const reading = `
import { get } from 'neira:host/storage';
export function handle() { return { actions: [{ type: 'hits', hits: get('hits').value }] }; }`;
    expect((await host.script(manifest, reading)).status).toBe(200);
    const { body: read } = await host.call('POST', '/api/neira/ui/events', body);
    expect(read.actions).toEqual([{ type: 'hits', hits: 64 }]);
  });

  test('an addition to a value that is no number fails its turn and keeps nothing of it', async () => {
    await probe.run([['storage.set', 'words', 'many']]);
    const problem = await probe.fail([
      ['storage.set', 'beside', 1],
      ['storage.add', 'words', 1],
    ]);
    expect(problem).toMatchObject({ code: 'NEIRA_ADD_REFUSED', status: 500, key: 'words' });
    expect([await probe.stored('beside'), await probe.stored('words')]).toEqual([undefined, 'many']);
  });

  test('deliveries of one key run in the order in which they came', async () => {
    const source = `
import { append } from 'neira:host/storage';
export function handle(event) { append('order', event.payload.params.n); return { actions: [] }; }`;
    const button = { id: 'ordered', title: 'O', event: 'ordered.one' };
    const subscribes = [{ event: 'ordered.one@1', key: '$.payload.params.key' }];
    const manifest = {
      id: 'ordered',
      permissions: { storage: ['read', 'write'] },
      subscribes,
      ui: { buttons: [button] },
    };
    expect((await host.script(manifest, source)).status).toBe(201);
    const sent: Promise<unknown>[] = [];
    for (let n = 0; n < 30; n++) {
      sent.push(
        host.call('POST', '/api/neira/ui/events', {
          tool_id: 'ordered',
          event: 'ordered.one',
          params: { n, key: 'one' },
          context: {},
        }),
      );
      // So that they arrive in this order although each has a connection of its own.
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await Promise.all(sent);
    const { body } = await host.call('GET', '/api/neira/events?subject=ordered.one&limit=100');
    expect(
      body.events.map((event: { payload: { params: { n: number } } }) => event.payload.params.n),
    ).toEqual(Array.from({ length: 30 }, (_, n) => n));
  });
});
