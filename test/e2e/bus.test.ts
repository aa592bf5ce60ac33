import { expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';

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
