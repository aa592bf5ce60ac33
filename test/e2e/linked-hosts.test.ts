import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import { type LossyLink, lossyLink } from '../kit/linked-transport.ts';
import { randomOf, seen } from './event-kit.ts';

// BUS-20, BUS-21: hosts that a transport joins; what it loses, repeats and delays is lost and handled twice nowhere.

const KEYED = [{ event: 'pair.order.placed@1', key: '$.payload.key' }];
const POLL = { timeout: 20_000, interval: 50 };

interface Side {
  host: TestHost;
  reboot(whileDown?: () => Promise<unknown>): Promise<void>;
}

async function join(link: LossyLink, name: 'a' | 'b'): Promise<Side> {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-test-'));
  const boot = () => bootHost({ home, gates: SCRIPT_GATES, transport: link.end(name) });
  const side: Side = {
    host: await boot(),
    async reboot(whileDown) {
      await side.host.close();
      await whileDown?.();
      side.host = await boot();
    },
  };
  onTestFinished(async () => {
    await side.host.close();
    rmSync(home, { recursive: true, force: true });
  });
  await side.host.events('pair.order.placed@1', 'pair.order.counted@1');
  return side;
}

async function pairOf(seed: number) {
  const link = lossyLink(['pair.>'], randomOf(seed));
  return { link, a: await join(link, 'a'), b: await join(link, 'b') };
}

async function register(host: TestHost, id: string, source: string, manifest: Record<string, unknown>) {
  const answer = await host.script({ id, retry: { max: 9, base_ms: 10, max_ms: 20 }, ...manifest }, source);
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
}

const NOTE = `export function handle(event) { console.log('seen ' + event.payload.n); }`;

async function place(host: TestHost, n: number) {
  const body = { event_name: 'pair.order.placed', payload: { n, key: `k${n % 3}` } };
  expect((await host.call('POST', '/api/neira/events', body)).status).toBe(200);
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);
const sorted = (list: readonly number[]) => list.toSorted((a, b) => a - b);
const ofKey = (list: readonly number[], key: number) => list.filter((n) => n % 3 === key);

test('over a line that loses half, repeats and delays, each event is handled once on each host, in order per key, through reboots of both', async ({
  annotate,
}) => {
  const seed = Number(process.env['NEIRA_TEST_SEED'] ?? Date.now() % 1e6);
  annotate(`NEIRA_TEST_SEED=${seed}`);
  console.info(`NEIRA_TEST_SEED=${seed}`);
  const { link, a, b } = await pairOf(seed);
  await register(a.host, 'near', NOTE, { subscribes: KEYED });
  await register(a.host, 'book', NOTE, {
    subscribes: [{ event: 'pair.order.counted@1', key: '$.payload.key' }],
  });
  await register(
    b.host,
    'far',
    `import { delivery, publish } from 'neira:host/bus';
export function handle({ payload }) {
  if (payload.n % 7 === 0 && delivery().attempt === 1) throw new Error('not yet');
  publish('pair.order.counted', payload);
  console.log('seen ' + payload.n);
}`,
    { subscribes: KEYED, publishes: ['pair.order.counted@1'] },
  );
  const place_ = async (from: number, to: number) => {
    for (const n of numbers(from, to)) await place(a.host, n);
  };
  await place_(1, 30);
  // Each is ended in the middle of it: what was sent and not answered, and what was taken and not acknowledged.
  await b.reboot(() => place_(31, 60));
  await place_(61, 70);
  await a.reboot();
  await place_(71, 100);
  await b.reboot();
  const all = numbers(1, 100);
  const everywhere = [
    [a.host, 'near'],
    [b.host, 'far'],
    [a.host, 'book'],
  ] as const;
  for (const [host, plugin] of everywhere) {
    await expect.poll(async () => (await seen(host, plugin)).length, POLL).toBeGreaterThanOrEqual(all.length);
    expect([plugin, sorted(await seen(host, plugin))]).toEqual([plugin, all]);
    for (const key of [0, 1, 2]) expect(ofKey(await seen(host, plugin), key)).toEqual(ofKey(all, key));
  }
  // Copies that are still on their way find that they came before; and nothing goes back where it came from.
  await new Promise((resolve) => setTimeout(resolve, 200));
  for (const [host, plugin] of everywhere) expect(await seen(host, plugin)).toHaveLength(all.length);
  expect(link.counts.lost + link.counts.unanswered + link.counts.repeated).toBeGreaterThan(0);
}, 60_000);

test('a line that is cut keeps nobody from publishing; what is mended goes on in order', async () => {
  const { link, a, b } = await pairOf(1);
  await register(b.host, 'far', NOTE, { subscribes: KEYED });
  link.cut();
  for (const n of numbers(1, 20)) await place(a.host, n * 3);
  expect(await seen(b.host, 'far')).toEqual([]);
  link.mend();
  await expect.poll(() => seen(b.host, 'far'), POLL).toEqual(numbers(1, 20).map((n) => n * 3));
});

test('what another hub sends is judged here: unknown, reserved and malformed events are refused, and take no other with them', async () => {
  const link = lossyLink([], () => 0.6);
  const b = await join(link, 'b');
  const sender = link.end('a');
  await register(b.host, 'far', NOTE, { subscribes: KEYED });
  const carried = (id: string, more: Record<string, unknown> = {}, name = 'pair.order.placed') => ({
    id,
    subject: name,
    mode: 'event' as const,
    envelope: JSON.stringify({
      id,
      event_name: name,
      version: 1,
      ts: '2026-11-24T07:00:00.000Z',
      source: 'plugin:other',
      correlation_id: id,
      causation_id: null,
      tenant: 'default',
      headers: {},
      payload: { n: 1, key: 'k' },
      ...more,
    }),
  });
  await sender.send([
    carried('e1', { payload: { n: 1, key: 'k' } }),
    carried('e2', {}, 'pair.order.unknown'),
    carried('e3', {}, 'system.boot.completed'),
    { ...carried('e4'), envelope: '{' },
    carried('e5', { id: 'e1' }),
    carried('e6', { extra: true }),
    carried('e7', { payload: { n: 2, pad: 'x'.repeat(300 * 1024) } }),
    carried('e1', { payload: { n: 1, key: 'k' } }),
    carried('e8', { payload: { n: 8, key: 'k' } }),
  ]);
  await expect.poll(() => seen(b.host, 'far'), POLL).toEqual([1, 8]);
  const { events } = (await b.host.call('GET', '/api/neira/events?subject=pair.>')).body;
  expect(events.map(({ id }: { id: string }) => id)).toEqual(['e1', 'e8']);
});

test('a command is handled once: where it was published, and elsewhere only when nobody there handles it', async () => {
  const { a, b } = await pairOf(2);
  for (const host of [a.host, b.host]) await host.events('pair.both.run@1!', 'pair.far.run@1!');
  const run = (name: string) =>
    a.host.call('POST', '/api/neira/events', { event_name: `pair.${name}.run`, payload: { n: 1 } });
  await register(a.host, 'near', NOTE, { subscribes: [{ event: 'pair.both.run@1' }] });
  await register(b.host, 'far', NOTE, { subscribes: [{ event: 'pair.>' }] });
  for (const name of ['both', 'far']) expect((await run(name)).status).toBe(200);
  await expect.poll(() => seen(a.host, 'near'), POLL).toEqual([1]);
  await expect.poll(() => seen(b.host, 'far'), POLL).toEqual([1]);
  const { events } = (await b.host.call('GET', '/api/neira/events?subject=pair.>')).body;
  expect(events.map(({ event_name }: { event_name: string }) => event_name)).toEqual(['pair.far.run']);
});
