// Design §1.2, §1.3; HOST-11, HOST-14: turns of components run dry and come out the same again, as those of scripts do.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildScriptComponent } from '../../host/sandbox/guest-build/script.ts';
import { bootHost, COMPONENT_GATES, type TestHost } from '../kit/boot-host.ts';

const TURNS = 40;
const HELLO_C = path.resolve(import.meta.dirname, '../../plugins/wasm/hello_c');

/** All that a turn can do: `prepare`, reads, effects, chance, time, waits for another plugin and for the world. */
const BUSY = (more = '') => `
import { request } from 'neira:host/bus';
import { log, request as ask } from 'neira:host/io';
import { add, append, get, list, set, settings } from 'neira:host/storage';

const words = new Map();
export function prepare() { for (let i = 0; i < 500; i++) words.set('w' + i, i * Math.random()); }

export async function handle(event) {
  const { n } = event.payload.params;
  set('n/' + (n % 7), { n, at: new Date().toString(), was: get('n/' + (n % 7))?.version ?? null });
  add('sum', n / 3);
  append('log', Math.random());
  const answer = n % 4 === 0 ? await request('math.double', { n }) : null;
  const prices = new Intl.NumberFormat('ru-RU', { style: 'currency', currency: 'EUR' });
  log('info', crypto.randomUUID() + ' ' + prices.format(n / 7));
  const page = n % 5 === 0 ? (await ask({ url: settings().url, query: { n } })).body : '';
  if (n % 10 === 9) throw new TypeError('turn ' + n);
  ${more}
  return { actions: [{ listed: list('n/').length, answer, word: words.get('w' + (n % 500)), sum: get('sum').value, page }] };
}`;

let asked = 0;
const server = createServer((call, answer) => {
  asked += 1;
  answer.end(`${call.url} ${asked}`);
});

const home = mkdtempSync(path.join(tmpdir(), 'neira-component-turns-'));
let host: TestHost;
let manifest: Record<string, unknown>;

async function component(source: string): Promise<Uint8Array> {
  const folder = mkdtempSync(path.join(tmpdir(), 'neira-busy-'));
  writeFileSync(path.join(folder, 'main.ts'), source);
  return buildScriptComponent(folder, 'busy', 'main.ts').finally(() => rmSync(folder, { recursive: true }));
}

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const peer = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  manifest = {
    id: 'busy',
    permissions: {
      storage: ['read', 'write'],
      io: { http: [{ host: peer, methods: ['GET'], schemes: ['http'], private: true }] },
    },
    publishes: ['math.double@1'],
    limits: { cpu_ms: 3000, turn_ms: 8000, requests_per_minute: 1000 },
    settings: { type: 'object', properties: { url: { type: 'string', default: `http://${peer}/price` } } },
    ui: { buttons: [{ id: 'busy', title: 'Busy', event: 'ui.busy.run' }] },
  };
  host = await bootHost({ home, gates: COMPONENT_GATES });
  await host.events('math.double@1!');
  const added = [
    await host.script(
      { id: 'doubler', subscribes: [{ event: 'math.double@1' }] },
      'export function handle(event) { return { result: event.payload.n * 2 }; }',
    ),
    await host.component(manifest, await component(BUSY())),
    await host.call('POST', '/api/neira/plugins', { path: HELLO_C }, { query: '?enable=1&grant=all' }),
  ];
  for (const { status, body } of added) expect(status, JSON.stringify(body)).toBe(201);
}, 60_000);
afterAll(async () => {
  await host.close();
  server.close();
  rmSync(home, { recursive: true, force: true });
});

/** A transcript is written right behind the answer to its event, so the last may be on its way. */
async function replayed(plugin: string) {
  await expect
    .poll(
      async () =>
        (await host.call('POST', '/api/neira/turns/replay', { plugin, limit: TURNS })).body.replayed,
      {
        timeout: 20_000,
      },
    )
    .toBe(TURNS);
  return (await host.call('POST', '/api/neira/turns/replay', { plugin, limit: TURNS })).body;
}

const SAME = { replayed: TURNS, same: TURNS, different: 0, not_comparable: 0, turns: [] };

test('turns come out the same to the last effect and unit of fuel, and ask nobody for it', async () => {
  for (let n = 0; n < TURNS; n += 1) {
    const { status, body } = await host.event('busy', { n });
    expect(status).toBe(n % 10 === 9 ? 500 : 200);
    if (status === 200) expect(body.actions[0].word).toBeTypeOf('number');
    expect(await host.event('hello.c.greet', { name: `Anna ${n % 7}` })).toMatchObject({ status: 200 });
  }
  const before = asked;
  expect(await replayed('busy')).toEqual(SAME);
  expect(await replayed('hello.c')).toEqual(SAME);
  expect(asked).toBe(before);
}, 60_000);

test('so they do after a restart', async () => {
  await host.close();
  host = await bootHost({ home });
  const before = asked;
  expect(await replayed('busy')).toEqual(SAME);
  expect(await replayed('hello.c')).toEqual(SAME);
  expect(asked).toBe(before);
}, 60_000);

test('a turn that waited shows what it was told, and runs dry without asking anybody', async () => {
  const { body } = await host.event('busy', { n: 20 });
  expect(body.actions, JSON.stringify(body)).toBeDefined();
  expect(body.actions[0]).toMatchObject({ answer: 40, page: expect.stringContaining('/price?n=20') });
  const turn = await expect
    .poll(async () => (await host.call('GET', '/api/neira/turns?plugin=busy&limit=1')).body.turns[0])
    .toMatchObject({ outcome: 'ok' })
    .then(async () => (await host.call('GET', '/api/neira/turns?plugin=busy&limit=1')).body.turns[0]);
  const shown = await host.call('GET', `/api/neira/turns/${encodeURIComponent(turn.id)}`);
  expect(shown.status).toBe(200);
  expect(JSON.stringify(shown.body)).toContain('/price?n=20');

  const before = asked;
  const sum = (await host.event('busy', { n: 0 })).body.actions[0].sum;
  const asking = asked;
  const dry = await host.call(
    'POST',
    '/api/neira/ui/events',
    { tool_id: 'busy', event: 'ui.busy.run', params: { n: 3 }, context: {} },
    { query: '?dry_run=1' },
  );
  expect(dry.body, JSON.stringify(dry.body)).toMatchObject({
    mode: 'dry-run',
    planned: [
      { op: 'set', key: 'n/3' },
      { op: 'add', key: 'sum' },
      { op: 'append', key: 'log' },
    ],
  });
  expect(asked).toBe(asking);
  expect(asking).toBeGreaterThan(before);
  expect((await host.event('busy', { n: 0 })).body.actions[0].sum).toBe(sum);
}, 30_000);

test('a version that does otherwise is told from one that does not, before it serves', async () => {
  const same = await host.component(manifest, await component(BUSY()));
  expect(same.status, JSON.stringify(same.body)).toBe(200);
  const other = await host.component(
    { ...manifest, version: '1.1.0' },
    await component(BUSY(`if (n === 20) set('x', 1);`)),
  );
  expect(other.status, JSON.stringify(other.body)).toBe(200);
  const { last } = (await host.call('GET', '/api/neira/plugins/busy/rehearsal')).body;
  expect(last.different).toBeGreaterThan(0);
  expect(last.turns[0].differences.map(({ what }: { what: string }) => what)).toContain('set x');
}, 60_000);
