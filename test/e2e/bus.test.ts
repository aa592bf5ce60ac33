import { expect, test } from 'vitest';
import { bootHost, eventFiles, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';

const SCHEMA = JSON.stringify({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'urn:neira:event:order.placed:1.0.0',
  'x-version': '1.0.0',
  type: 'object',
  required: ['n'],
  properties: { n: { type: 'integer' }, key: { type: 'string' } },
  additionalProperties: false,
});

const shop = (more: Record<string, unknown> = {}) => ({
  id: 'shop',
  permissions: { storage: ['read', 'write'] },
  subscribes: [{ event: 'order.placed@1', key: '$.payload.key' }],
  retry: { max: 2, base_ms: 20, max_ms: 50 },
  ...more,
});

const files = (source: string) => ({ 'main.ts': source, 'events/order/placed/v1/schema.json': SCHEMA });

const COUNT = `import { append } from 'neira:host/storage';
export function handle(event) { append('seen', event.payload.n); console.log('seen ' + event.payload.n); }`;

async function seen(host: TestHost, plugin: string): Promise<number[]> {
  const { body } = await host.call('GET', `/api/neira/plugins/${plugin}/logs`);
  return (body.lines ?? [])
    .map(({ message }: { message: string }) => /^seen (\d+)/.exec(message)?.[1])
    .filter(Boolean)
    .map(Number);
}

const place = (host: TestHost, n: number, key?: string) =>
  host.call('POST', '/api/neira/events', { event_name: 'order.placed', payload: { n, ...(key && { key }) } });

test('a published event reaches its subscriber once, after the answer was durable', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  const registered = await host.script(shop(), files(COUNT));
  expect(registered.status, JSON.stringify(registered.body)).toBe(201);
  const published = await place(host, 1);
  expect(published, JSON.stringify(published.body)).toMatchObject({ status: 200 });
  await expect.poll(() => seen(host, 'shop')).toEqual([1]);
});

test('deliveries of one key come in order, also when one of them fails and is tried again', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  const source = `import { append } from 'neira:host/storage';
import { delivery } from 'neira:host/bus';
export function handle(event) {
  if (event.payload.n === 2 && delivery().attempt < 3) throw new Error('not yet');
  append('seen', event.payload.n);
  console.log('seen ' + event.payload.n);
}`;
  expect((await host.script(shop(), files(source))).status).toBe(201);
  for (let n = 1; n <= 5; n++) await place(host, n, 'a');
  await expect.poll(() => seen(host, 'shop')).toEqual([1, 2, 3, 4, 5]);
});

test('an event that waited while its schema changed is validated open: unknown fields pass, what does not fit is a dead letter', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  const owner = (schema: Record<string, unknown>, minor: number) =>
    host.script(
      { id: 'owner', version: `1.${minor}.0` },
      { 'main.ts': 'export function handle() {}', ...eventFiles('stock.moved@1', schema) },
    );
  const object = (properties: Record<string, unknown>) => ({
    type: 'object',
    properties,
    additionalProperties: false,
  });
  await owner(object({ n: { type: 'integer' }, place: { type: 'string' } }), 0);
  // Behind a gate of its own: what comes waits until it opens.
  const registered = await host.script(
    {
      id: 'late',
      gate: 'late_gate',
      gates: [{ id: 'late_gate', title: 'Late', requires: [] }],
      subscribes: [{ event: 'stock.moved@1' }],
    },
    `export function handle(event) { console.log('seen ' + event.payload.n + ' ' + event.payload.place); }`,
  );
  expect(registered.status, JSON.stringify(registered.body)).toBe(201);
  const publish = (payload: unknown) =>
    host.call('POST', '/api/neira/events', { event_name: 'stock.moved', payload });
  expect((await publish({ n: 1, place: 'shelf' })).status).toBe(200);
  expect((await publish({ n: -5, place: 'shelf' })).status).toBe(200);
  expect((await publish({ n: 1, colour: 'red' })).status).toBe(422);
  await owner(
    {
      ...object({ n: { type: 'integer', minimum: 0 } }),
      'x-version': '1.1.0',
      $id: 'urn:neira:event:stock.moved:1.1.0',
    },
    1,
  );
  await host.open('late_gate');
  await expect.poll(() => seen(host, 'late')).toEqual([1]);
  await expect
    .poll(async () => (await host.call('GET', '/api/neira/dead-letters?plugin=late')).body.dead_letters)
    .toMatchObject([
      { error: { code: 'NEIRA_EVENT_INVALID', details: { errors: [{ path: 'payload.n' }] } } },
    ]);
});
