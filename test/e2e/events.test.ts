import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { bootHost, SCRIPT_GATES, spawnHost, type TestHost } from '../kit/boot-host.ts';
import { COUNT, files, IDLE, place, SCHEMA, seen, shop } from './event-kit.ts';

// Publishing from outside, what is refused and how that is counted; topics and replay. BUS-13, BUS-18, BUS-19.

let host: TestHost;

beforeEach(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
  onTestFinished(() => host.close());
});

const register = async (manifest = shop(), source = COUNT, schema: object = SCHEMA) => {
  const answer = await host.script(manifest, files(source, schema));
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
};
const publish = (body: object, options = {}) => host.call('POST', '/api/neira/events', body, options);

async function metric(name: string): Promise<number> {
  const { body } = await host.call('GET', '/metrics');
  const line = body.split('\n').find((each: string) => each.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}

const refusedAs = (reason: string) => metric(`neira_publish_refused_total{reason="${reason}"}`);

test('what is refused says why and where, is counted, and takes nothing else with it', async () => {
  await register();
  const bad = { event_name: 'order.placed', payload: { n: 'one', other: { deep: 1 } } };
  const refusals = [
    ['invalid', bad, 422, 'NEIRA_EVENT_INVALID'],
    ['invalid', { ...bad, payload: [] }, 422, 'NEIRA_EVENT_INVALID'],
    ['too-large', { ...bad, payload: { n: 1, pad: 'x'.repeat(256 * 1024) } }, 413, 'NEIRA_VALUE_TOO_LARGE'],
    ['unknown', { event_name: 'order.lost', payload: {} }, 422, 'NEIRA_EVENT_UNREGISTERED'],
    [
      'unknown',
      { event_name: 'order.placed', version: 2, payload: { n: 1 } },
      422,
      'NEIRA_EVENT_UNREGISTERED',
    ],
    ['forbidden', { event_name: 'system.boot.completed', payload: {} }, 403, 'NEIRA_EVENT_RESERVED'],
    ['forbidden', { event_name: 'timer.tick', payload: {} }, 403, 'NEIRA_EVENT_RESERVED'],
    [
      'invalid',
      { event_name: 'order.placed', payload: { n: 1 }, headers: { replay_of: 'x' } },
      422,
      'NEIRA_INVALID',
    ],
    [
      'invalid',
      { event_name: 'order.placed', payload: { n: 1 }, headers: { traceparent: 'x' } },
      422,
      'NEIRA_INVALID',
    ],
    [
      'invalid',
      { event_name: 'order.placed', payload: { n: 1 }, at: '2999-01-01T00:00:00Z' },
      422,
      'NEIRA_INVALID',
    ],
  ] as const;
  for (const [index, [reason, body, status, code]] of refusals.entries()) {
    const before = await refusedAs(reason);
    const answer = await publish(body);
    expect([body, answer.status, answer.body.code]).toEqual([body, status, code]);
    expect([code, await refusedAs(reason)]).toEqual([code, before + 1]);
    expect((await place(host, index)).status).toBe(200);
  }
  const paths = (await publish(bad)).body.errors.map(({ path }: { path: string }) => path);
  expect(paths).toEqual(expect.arrayContaining([expect.stringMatching(/^payload\.(n|other)$/)]));
  const reserved = await publish({ ...bad, headers: { tracestate: 'a=b' } });
  expect(reserved.body.errors).toEqual([{ path: 'headers.tracestate', message: expect.any(String) }]);
  const { token } = (await host.call('POST', '/api/neira/tokens', { name: 'r', scopes: ['read'] })).body;
  expect((await publish(bad, { token })).body.code).toBe('NEIRA_FORBIDDEN');
  await expect.poll(async () => (await seen(host)).toSorted((a, b) => a - b)).toEqual([...refusals.keys()]);
  expect(await metric('neira_events_published_total{event="order.placed"}')).toBe(refusals.length);
});

test('a full mailbox refuses the publish as a whole and says when to come back; nothing that was accepted is lost', async () => {
  await register(
    shop({ mailbox: { max: 3 }, gates: [{ id: 'shop_gate', title: 'Shop' }], gate: 'shop_gate' }),
  );
  for (let n = 1; n <= 3; n++) expect((await place(host, n)).status).toBe(200);
  const { status, body, headers } = await place(host, 4);
  expect([status, body.code, body.plugin, headers.get('retry-after')]).toEqual([
    503,
    'NEIRA_MAILBOX_FULL',
    'shop',
    '1',
  ]);
  expect(await refusedAs('busy')).toBe(1);
  expect(await metric('neira_events_published_total{event="order.placed"}')).toBe(3);
  expect(await metric('neira_mailbox_depth{plugin="shop",subscription="order.placed@1"}')).toBe(3);
  expect((await host.call('GET', '/api/neira/status')).body.deliveries.waiting).toBe(3);
  await host.open('shop_gate');
  await expect.poll(() => seen(host)).toEqual([1, 2, 3]);
  expect((await place(host, 5)).status).toBe(200);
  await expect.poll(() => seen(host)).toEqual([1, 2, 3, 5]);
});

test('an idempotency key counts once, from the header as from the body', async () => {
  await register();
  const headers = { 'idempotency-key': 'order-1' };
  const event = { event_name: 'order.placed', payload: { n: 1 } };
  const first = await publish(event, { headers });
  const second = await publish({ ...event, headers: { idempotency_key: 'order-1' } });
  expect(second.body).toEqual({ event_id: first.body.event_id, duplicate: true });
  expect((await publish({ ...event, headers: { idempotency_key: 'order-2' } }, { headers })).status).toBe(
    422,
  );
  await expect.poll(() => seen(host)).toEqual([1]);
});

test('a published event belongs to the trace of its call', async () => {
  await register();
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  await place(host, 1);
  await publish(
    { event_name: 'order.placed', payload: { n: 2 } },
    { headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01` } },
  );
  const { events } = (await host.call('GET', '/api/neira/events?subject=order.placed')).body;
  expect(events[0].headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  expect(events[1].headers.traceparent).toMatch(
    new RegExp(`^00-${trace}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$`),
  );
});

test('pages of recorded events follow each other, within their times', async () => {
  await register(shop({ subscribes: [] }), IDLE);
  for (let n = 1; n <= 7; n++) await place(host, n);
  const read = async (query: string) =>
    (await host.call('GET', `/api/neira/events?subject=order.*&${query}`)).body;
  const of = ({ events }: { events: { payload: { n: number } }[] }) => events.map(({ payload }) => payload.n);
  expect(of(await read('limit=2'))).toEqual([6, 7]);
  const first = await read('after=0&limit=3');
  expect(of(first)).toEqual([1, 2, 3]);
  expect(first.next).toBe(first.places.at(-1).seq);
  const rest = await read(`after=${first.next}&limit=10`);
  expect([of(rest), rest.next]).toEqual([[4, 5, 6, 7], null]);
  const { events } = rest;
  await new Promise((resolve) => setTimeout(resolve, 5));
  const between = new Date().toISOString();
  await place(host, 8);
  expect(of(await read(`since=${events[0].ts}&until=${between}`))).toContain(7);
  expect(of(await read(`since=${events[0].ts}&until=${between}`))).not.toContain(8);
  expect(of(await read(`until=${between}&limit=1`))).toEqual([7]);
  expect(of(await read(`since=${between}`))).toEqual([8]);
});

test('topics tell who publishes, who hears and how much waits', async () => {
  await register(
    shop({
      permissions: { storage: ['read', 'write'], bus: { subscribe: ['order.>'] } },
      publishes: ['order.placed@1'],
      subscribes: [{ event: 'order.placed@1', key: '$.payload.key', filter: '$.payload.n < 100' }],
    }),
    `import { subscribe } from 'neira:host/bus';
     export function handle() { subscribe({ name: 'all', event: 'order.*', group: 'workers' }); }`,
  );
  await place(host, 1);
  const topic = async () => {
    const { topics } = (await host.call('GET', '/api/neira/events/topics')).body;
    return topics.find(({ fqdn }: { fqdn: string }) => fqdn === 'order.placed@1');
  };
  await expect.poll(async () => (await topic()).subscriber_count).toBe(2);
  expect(await topic()).toMatchObject({
    kind: 'event',
    status: 'stable',
    owner: 'shop',
    publishers: ['shop'],
    subscribers: [
      { plugin: 'shop', subscription: 'order.placed@1', filter: '$.payload.n < 100', dynamic: false },
      {
        plugin: 'shop',
        subscription: 'all',
        pattern: 'order.*',
        version: null,
        group: 'workers',
        dynamic: true,
      },
    ],
    waiting: 0,
  });
  await host.call('PUT', '/api/neira/plugins/shop/grants', { permissions: {} });
  expect(await topic()).toMatchObject({ publishers: [], subscribers: [], subscriber_count: 0 });
});

test('a replay publishes again, in order, marked and caused by the first, and never a replay', async () => {
  await register();
  const since = new Date().toISOString();
  const ids: string[] = [];
  for (let n = 1; n <= 5; n++)
    ids.push((await place(host, n, { key: 'a' }, { headers: { idempotency_key: `k${n}` } })).body.event_id);
  const replay = (body: object) => host.call('POST', '/api/neira/events/replay', { since, ...body });
  expect((await replay({ subject: 'order.>' })).body).toEqual({
    replayed: 5,
    skipped: 0,
    refused: [],
    refused_count: 0,
    next: null,
  });
  await expect.poll(() => seen(host)).toEqual([1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
  const { events } = (await host.call('GET', `/api/neira/events?subject=order.placed&limit=5`)).body;
  for (const [index, event] of events.entries()) {
    expect(ids).not.toContain(event.id);
    expect(event).toMatchObject({
      causation_id: ids[index],
      correlation_id: ids[index],
      source: 'client:admin',
      headers: { replay_of: ids[index], idempotency_key: `k${index + 1}` },
      payload: { n: index + 1 },
    });
  }
  // Piece by piece; events of the host and replays stay out.
  const pieces: Record<string, number>[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const { body } = await replay({ after, limit: 4 });
    pieces.push(body);
    after = body.next;
    if (pieces.length > 10) break;
  }
  const sum = (field: string) => pieces.reduce((total, piece) => total + piece[field]!, 0);
  expect([sum('replayed'), sum('skipped')]).toEqual([5 + 0, expect.any(Number)]);
  expect(sum('skipped')).toBeGreaterThanOrEqual(5);
  const { entries } = (await host.call('GET', '/api/neira/journal?limit=1000')).body;
  const told = entries.filter(({ action }: { action: string }) => action === 'event.replayed');
  expect(told[0]).toMatchObject({ actor: 'admin', target: 'order.>', after: { since } });
  expect(told).toHaveLength(1 + pieces.length);
});

test('a replay refuses what is no valid event any more, and says which', async () => {
  await register();
  const since = new Date().toISOString();
  const first = await place(host, 1);
  await place(host, 2, { pad: 'x' });
  const { pad: _gone, ...properties } = SCHEMA.properties;
  await register(shop({ version: '1.0.1' }), COUNT, { ...SCHEMA, properties });
  const { body } = await host.call('POST', '/api/neira/events/replay', { since, subject: 'order.placed' });
  expect(body).toMatchObject({ replayed: 1, refused_count: 1 });
  expect(body.refused).toEqual([
    {
      event_id: expect.not.stringContaining(first.body.event_id),
      event_name: 'order.placed',
      code: 'NEIRA_EVENT_INVALID',
      message: expect.stringContaining('payload'),
    },
  ]);
});

test('a replay of more than a mailbox holds goes as fast as the plugin takes it', async () => {
  await register(shop({ mailbox: { max: 5 }, subscribes: [{ event: 'order.placed@1' }] }));
  const since = new Date().toISOString();
  const accepted: number[] = [];
  for (let n = 1; accepted.length < 40 && n < 1000; n++)
    if ((await place(host, n)).status === 200) accepted.push(n);
  await expect.poll(async () => (await seen(host)).length).toBe(40);
  const { status, body } = await host.call('POST', '/api/neira/events/replay', {
    since,
    subject: 'order.placed',
  });
  expect([status, body]).toMatchObject([200, { replayed: 40, next: null }]);
  await expect.poll(async () => (await seen(host)).length, { timeout: 10_000 }).toBe(80);
});

test('who publishes what is deprecated is told, and the log of the host says it once', async () => {
  await using spawned = await spawnHost({ gates: SCRIPT_GATES });
  const made = await spawned.script(shop({ publishes: ['order.placed@1'] }), {
    ...files(COUNT),
    'events/order/placed/v1/meta.yaml': 'status: deprecated',
  });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  for (const n of [1, 2]) {
    const { status, body } = await place(spawned, n);
    expect([status, body.warning]).toEqual([200, expect.stringContaining('order.placed@1` is deprecated')]);
  }
  await expect.poll(() => spawned.log()).toContain('the event order.placed@1 is deprecated');
  expect(spawned.log().match(/order\.placed@1 is deprecated/g)).toHaveLength(1);
});
