import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import { COUNT, files, place, seen, shop } from './event-kit.ts';

// BUS-16, BUS-27: what was given up is kept with its reason, and an administrator decides about it.

const FAIL = `export function handle(event) {
  throw new TypeError('no stock for ' + event.payload.n);
}`;

let host: TestHost;

beforeEach(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
  onTestFinished(() => host.close());
  expect((await host.script(shop(), files(FAIL))).status).toBe(201);
});

const letters = async (query = '') => (await host.call('GET', `/api/neira/dead-letters${query}`)).body;

/** Publishes so many, and waits until all of them are dead letters. */
async function bury(count: number, key?: string): Promise<number[]> {
  const before = (await letters('?limit=1000')).dead_letters.length;
  for (let n = 1; n <= count; n++) await place(host, n, key === undefined ? {} : { key });
  await expect
    .poll(async () => (await letters('?limit=1000')).dead_letters.length, { timeout: 10_000 })
    .toBe(before + count);
  return (await letters('?limit=1000')).dead_letters.slice(before).map(({ id }: { id: number }) => id);
}

const mend = async () =>
  expect((await host.script(shop({ version: '1.0.1' }), files(COUNT))).status).toBe(200);

async function journalOf(action: string) {
  const { entries } = (await host.call('GET', '/api/neira/journal?limit=1000')).body;
  return entries.filter((entry: { action: string }) => entry.action === action);
}

test('a dead letter says what failed, how often and where, and carries its envelope', async () => {
  const [id] = await bury(1, 'a');
  const { status, body } = await host.call('GET', `/api/neira/dead-letters/${id}`);
  expect([status, body]).toEqual([
    200,
    {
      id,
      plugin: 'shop',
      event_id: body.envelope.id,
      event_name: 'order.placed',
      version: 1,
      key: expect.any(String),
      subscriptions: ['order.placed@1'],
      attempts: 2,
      error: {
        code: 'NEIRA_PLUGIN_FAILED',
        message: expect.stringContaining('no stock for 1'),
        details: expect.objectContaining({ plugin: 'shop', file: 'main.ts', line: 2 }),
        stack: expect.stringContaining('main.ts'),
      },
      published_at: expect.stringMatching(/Z$/),
      at: expect.stringMatching(/Z$/),
      envelope: expect.objectContaining({ event_name: 'order.placed', payload: { n: 1, key: 'a' } }),
    },
  ]);
  expect(await letters()).toEqual({ dead_letters: [body], next: null });
  expect((await host.call('GET', '/api/neira/dead-letters/999')).body.code).toBe('NEIRA_NOT_FOUND');
});

test('a retry goes back to the plugin with all its tries; mended, it succeeds', async () => {
  const [id] = await bury(1);
  expect((await host.call('POST', `/api/neira/dead-letters/${id}/retry`)).body).toEqual({ retried: 1 });
  // It fails again, and is another dead letter.
  await expect
    .poll(async () => (await letters()).dead_letters.map((each: { id: number }) => each.id))
    .toEqual([id! + 1]);
  await mend();
  expect((await host.call('POST', `/api/neira/dead-letters/${id! + 1}/retry`)).status).toBe(200);
  await expect.poll(() => seen(host)).toEqual([1]);
  expect((await letters()).dead_letters).toEqual([]);
  expect((await host.call('POST', `/api/neira/dead-letters/${id! + 1}/retry`)).status).toBe(404);
  expect(await journalOf('dead-letter.retried')).toMatchObject([
    { actor: 'admin', target: String(id), before: { ids: [id] } },
    { actor: 'admin', target: String(id! + 1), before: { ids: [id! + 1] } },
  ]);
});

test('many are retried by filter in one call, in order, and those that fail anew are not taken again', async () => {
  await host.script(shop({ version: '1.0.0', retry: { max: 0 } }), files(FAIL));
  await bury(110, 'a');
  const none = await host.call('POST', '/api/neira/dead-letters/retry', { plugin: 'nobody' });
  expect(none.body).toEqual({ retried: 0 });
  const again = await host.call('POST', '/api/neira/dead-letters/retry', { subject: 'order.*' });
  expect(again.body).toEqual({ retried: 110 });
  await expect
    .poll(async () => (await letters('?limit=1000')).dead_letters.length, { timeout: 10_000 })
    .toBe(110);
  await mend();
  expect((await host.call('POST', '/api/neira/dead-letters/retry', { plugin: 'shop' })).body).toEqual({
    retried: 110,
  });
  await expect.poll(() => seen(host), { timeout: 10_000 }).toHaveLength(110);
  expect(await seen(host)).toEqual(Array.from({ length: 110 }, (_, n) => n + 1));
  // Two pages, and two more.
  expect(await journalOf('dead-letter.retried')).toHaveLength(4);
});

test('pages, filters and the export agree', async () => {
  const ids = await bury(5);
  const first = await letters('?limit=2');
  expect(first.dead_letters.map((each: { id: number }) => each.id)).toEqual(ids.slice(0, 2));
  const second = await letters(`?limit=10&after=${first.next}`);
  expect(second.dead_letters.map((each: { id: number }) => each.id)).toEqual(ids.slice(2));
  expect((await letters('?plugin=nobody')).dead_letters).toEqual([]);
  expect((await letters('?subject=other.>')).dead_letters).toEqual([]);
  expect((await letters('?subject=order.>&plugin=shop')).dead_letters).toHaveLength(5);
  const { body, headers } = await host.call('GET', '/api/neira/dead-letters?subject=order.>', undefined, {
    headers: { accept: 'application/x-ndjson' },
  });
  expect(headers.get('content-type')).toContain('ndjson');
  const lines = body.trimEnd().split('\n');
  expect(lines.map((line: string) => JSON.parse(line))).toEqual((await letters()).dead_letters);
});

test('what is dropped is gone and journaled; of named ones all or none', async () => {
  const ids = await bury(3);
  const missing = await host.call('POST', '/api/neira/dead-letters/drop', { ids: [...ids, 9999] });
  expect([missing.status, missing.body.code]).toEqual([404, 'NEIRA_NOT_FOUND']);
  expect((await letters()).dead_letters).toHaveLength(3);
  expect((await host.call('DELETE', `/api/neira/dead-letters/${ids[0]}`)).status).toBe(204);
  expect((await host.call('POST', '/api/neira/dead-letters/drop', { ids: ids.slice(1, 2) })).body).toEqual({
    dropped: 1,
  });
  expect((await host.call('POST', '/api/neira/dead-letters/drop', { all: true })).body).toEqual({
    dropped: 1,
  });
  expect((await letters()).dead_letters).toEqual([]);
  expect(await journalOf('dead-letter.dropped')).toHaveLength(3);
  for (const body of [
    { ids: [1], all: true },
    { ids: [1], plugin: 'shop' },
  ])
    expect((await host.call('POST', '/api/neira/dead-letters/drop', body)).status).toBe(422);
});

test('safe mode and lesser tokens look, and change nothing', async () => {
  const [id] = await bury(1);
  const { token } = (await host.call('POST', '/api/neira/tokens', { name: 'w', scopes: ['write'] })).body;
  const changes = [
    ['POST', `/api/neira/dead-letters/${id}/retry`],
    ['DELETE', `/api/neira/dead-letters/${id}`],
    ['POST', '/api/neira/dead-letters/retry', { all: true }],
    ['POST', '/api/neira/dead-letters/drop', { all: true }],
    ['POST', '/api/neira/events/replay', { since: '2026-01-01T00:00:00Z' }],
  ] as const;
  for (const [method, where, body] of changes)
    expect((await host.call(method, where, body, { token })).body.code).toBe('NEIRA_FORBIDDEN');
  await host.call('PUT', '/api/neira/mode', { mode: 'safe' });
  for (const [method, where, body] of changes) {
    const answer = await host.call(method, where, body);
    expect([where, answer.status, answer.body.code]).toEqual([where, 423, 'NEIRA_SAFE_MODE']);
  }
  expect((await letters()).dead_letters).toHaveLength(1);
});
