import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';

// Design §1.2, SCN-15: any delivery can be run dry, and so can all that would come of it.

let host: TestHost;

const dry = (body: object) => host.call('POST', '/api/neira/dry-run', body);
const order = (payload: object, more: object = {}) =>
  dry({ event: { event_name: 'order.placed', payload }, ...more });

beforeAll(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
  await host.events('order.placed@1', 'order.counted@1', 'order.reminded@1', 'price.ask@1!');
  const all = [
    await host.script(
      {
        id: 'counter',
        permissions: { storage: ['read', 'write'] },
        subscribes: [{ event: 'order.placed@1' }, { event: 'order.reminded@1' }],
        publishes: ['order.counted@1', 'order.reminded@1'],
        retry: { max: 0 },
      },
      `import { cancel, publish } from 'neira:host/bus';
      import { get, set } from 'neira:host/storage';
      export function handle(event) {
        if (event.payload.fail) throw new Error('cannot count');
        const count = (get('count')?.value ?? 0) + 1;
        set('count', count);
        publish('order.counted', { count });
        if (event.event_name === 'order.placed') {
          const at = new Date(Date.now() + 3_600_000);
          publish('order.reminded', { count }, { at });
          cancel(publish('order.reminded', { never: true }, { at }));
        }
        return { actions: [{ type: 'counted', count, at: new Date().toISOString() }] };
      }`,
    ),
    await host.script(
      { id: 'prices', permissions: { storage: ['write'] }, subscribes: [{ event: 'price.ask@1' }] },
      `import { set } from 'neira:host/storage';
      export function handle() { set('asked', 1); return { result: 7 }; }`,
    ),
    await host.script(
      {
        id: 'buyer',
        permissions: { storage: ['read', 'write'] },
        subscribes: [{ event: 'order.counted@1' }],
        publishes: ['price.ask@1'],
      },
      `import { request } from 'neira:host/bus';
      import { append } from 'neira:host/storage';
      export async function handle(event) { append('bought', { n: event.payload.count, price: await request('price.ask', {}) }); }`,
    ),
  ];
  for (const { status, body } of all) expect(status, JSON.stringify(body)).toBe(201);
});
afterAll(() => host.close());

async function nothingWasKept() {
  const { body } = await host.call('GET', '/api/neira/events', undefined, { query: '?subject=order.>' });
  expect(body.events).toEqual([]);
  const counter = await host.call('GET', '/api/neira/plugins/counter');
  expect(counter.body.counters.turns ?? 0).toBe(0);
}

test('a dry run shows what the subscribers would keep and publish, and keeps nothing', async () => {
  const { status, body } = await order({});
  expect(status, JSON.stringify(body)).toBe(200);
  expect(body).toMatchObject({
    complete: true,
    turns: [
      {
        plugin: 'counter',
        event_name: 'order.placed',
        caused_by: null,
        outcome: 'ok',
        actions: [{ type: 'counted', count: 1 }],
        planned: [
          { op: 'set', key: 'count', value: 1 },
          { op: 'publish' },
          { op: 'publish' },
          { op: 'publish' },
          { op: 'cancel' },
        ],
      },
    ],
  });
  await nothingWasKept();
});

test('followed, each turn sees what those before it would have kept, and delays are jumped', async () => {
  const { body } = await order({}, { follow: true });
  expect(body.complete).toBe(true);
  const turns = body.turns.map(
    ({ plugin, event_name, outcome }: Record<string, string>) => `${plugin} ${event_name} ${outcome}`,
  );
  expect(turns).toEqual([
    'counter order.placed ok',
    'prices price.ask ok',
    'buyer order.counted ok',
    'counter order.reminded ok',
    'prices price.ask ok',
    'buyer order.counted ok',
  ]);
  const [first, , bought, reminded] = body.turns;
  expect(reminded).toMatchObject({ caused_by: 0, actions: [{ count: 2, at: reminded.at }] });
  expect(Date.parse(reminded.at) - Date.parse(first.at)).toBe(3_600_000);
  expect(bought.planned).toEqual([{ op: 'append', key: 'bought', value: { n: 1, price: 7 } }]);
  await nothingWasKept();
});

test('stubs answer instead of who would be asked', async () => {
  const stubs = [{ request: 'price.*', answer: 99 }];
  const { body } = await order({}, { follow: true, stubs });
  expect(body.turns.map(({ plugin }: { plugin: string }) => plugin)).toEqual([
    'counter',
    'buyer',
    'counter',
    'buyer',
  ]);
  expect(body.turns[1].planned[0].value).toEqual({ n: 1, price: 99 });
  const refused = await order(
    {},
    { follow: true, stubs: [{ request: 'price.ask@1', refuse: { code: 'NEIRA_DEADLINE' } }] },
  );
  expect(refused.body.turns[1]).toMatchObject({ outcome: 'failed', error: { code: 'NEIRA_DEADLINE' } });
});

test('one that fails says where, and a chain without end is cut', async () => {
  const { body } = await order({ fail: true }, { follow: true });
  expect(body.turns).toMatchObject([
    { outcome: 'failed', error: { message: expect.stringContaining('cannot count') } },
  ]);
  await host.events('loop.turned@1');
  await host.script(
    { id: 'loop', subscribes: [{ event: 'loop.turned@1' }], publishes: ['loop.turned@1'] },
    `import { publish } from 'neira:host/bus';
    export function handle() { publish('loop.turned', {}); }`,
  );
  const loop = await dry({ event: { event_name: 'loop.turned', payload: {} }, follow: true });
  expect(loop.body.complete).toBe(false);
  expect(loop.body.turns).toHaveLength(200);
});

test('what is not asked rightly is refused with what is wrong', async () => {
  expect((await dry({})).body).toMatchObject({ code: 'NEIRA_INVALID' });
  expect((await dry({ event: { event_name: 'no.such', payload: 1 } })).body).toMatchObject({
    code: 'NEIRA_EVENT_UNREGISTERED',
  });
  expect((await dry({ turn: 'nothing:like:it' })).status).toBe(404);
  expect((await dry({ dead_letter: 77 })).status).toBe(404);
});

test('a dead letter and the event of a recorded turn are run dry at their own plugin, and stay as they are', async () => {
  const { body: published } = await host.call('POST', '/api/neira/events', {
    event_name: 'order.placed',
    payload: { fail: true },
  });
  const letters = async () =>
    (await host.call('GET', '/api/neira/dead-letters?plugin=counter')).body.dead_letters;
  await expect.poll(letters, { timeout: 20_000 }).toHaveLength(1);
  const [letter] = await letters();
  const again = await dry({ dead_letter: letter.id });
  expect(again.body.turns).toMatchObject([
    {
      plugin: 'counter',
      event_id: published.event_id,
      outcome: 'failed',
      error: { message: expect.stringContaining('cannot count') },
    },
  ]);
  expect(await letters()).toHaveLength(1);
  const { turns } = (await host.call('GET', '/api/neira/turns?plugin=counter&outcome=failed')).body;
  expect(turns[0].event_id).toBe(published.event_id);
  const turn = await dry({ turn: turns[0].id });
  expect(turn.body.turns).toMatchObject([{ plugin: 'counter', outcome: 'failed' }]);
});

test('a plugin that may not run does not run dry either, and the answer says why', async () => {
  const { turns } = (await host.call('GET', '/api/neira/turns?plugin=counter')).body;
  await host.call('POST', '/api/neira/plugins/counter/disable');
  const { body } = await dry({ turn: turns[0].id });
  expect(body.turns).toMatchObject([
    { plugin: 'counter', outcome: 'not-run', reason: expect.stringContaining('disabled') },
  ]);
  // What is disabled hears nothing.
  expect((await order({})).body.turns).toEqual([]);
});
