import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootHost, type TestHost } from '../kit/boot-host.ts';

// Design §1.3: a thousand turns of each first-party plugin, and of one that does all that a turn can, come out the
// same to the last effect and unit of fuel; also after a restart.

const TURNS = 1000;
const ALL_GATES = ['runtime_scripting', 'ui_tools_registry', 'annotations_pencil'];
const SCRIPTS = fileURLToPath(new URL('../../plugins/scripts/', import.meta.url));

const PLUGINS = {
  hello: (n: number) => ({ tool: 'hello.greet', params: { name: `Anna ${n % 7}` } }),
  'ui.pencil': (n: number) => ({
    tool: 'pencil',
    params: {
      points: [
        [n, 2],
        [3, n],
      ],
      size: 1 + (n % 5),
    },
  }),
  busy: (n: number) => ({ tool: 'busy', params: { n } }),
};

const BUSY = `
import { request } from 'neira:host/bus';
import { log, request as ask } from 'neira:host/io';
import { add, append, get, list, set, settings } from 'neira:host/storage';

const words = new Map();
export function prepare() { for (let i = 0; i < 500; i++) words.set('w' + i, i * Math.random()); }

export async function handle(event) {
  const { n } = event.payload.params;
  set('n/' + (n % 50), { n, at: new Date().toString(), was: get('n/' + (n % 50))?.version ?? null });
  add('sum', n / 3);
  append('log', Math.random());
  const answers = n % 4 === 0 ? await Promise.all([request('math.double', { n }), request('math.double', { n: 1 })]) : [];
  const prices = new Intl.NumberFormat('ru-RU', { style: 'currency', currency: 'EUR' });
  const days = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'long', timeZone: 'Europe/Berlin' });
  log('info', crypto.randomUUID() + ' ' + prices.format(n / 7) + ' ' + days.format(new Date()));
  if (n % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const page = n % 10 === 0 ? (await ask({ url: settings().url, method: n % 20 === 0 ? 'POST' : 'GET', query: { n } })).body : '';
  const listed = list('n/', { limit: 1 + (n % 20), reverse: n % 2 === 0 }).length;
  if (n % 100 === 99) throw new TypeError('turn ' + n);
  return { actions: [{ listed, answers, word: words.get('w' + (n % 500)), sum: get('sum').value, page }] };
}`;

const home = mkdtempSync(path.join(tmpdir(), 'neira-replay-'));
let host: TestHost;
let asked = 0;
const server = createServer((call, answer) => {
  asked++;
  answer.end(`${call.method} ${call.url} ${asked}`);
});
const peer = await new Promise<{ readonly host: string; readonly url: string }>((resolve) => {
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    resolve({ host: `127.0.0.1:${port}`, url: `http://127.0.0.1:${port}/price` });
  });
});

/** A transcript is written right behind the answer to its event, so the last may be on its way. */
async function replay(plugin: string) {
  for (;;) {
    const { body } = await host.call('POST', '/api/neira/turns/replay', { plugin, limit: TURNS });
    if (body.replayed === TURNS) return body;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

beforeAll(async () => {
  host = await bootHost({ home, gates: ALL_GATES });
  await host.events('math.double@1!');
  const all = [
    await host.call(
      'POST',
      '/api/neira/plugins',
      { path: path.join(SCRIPTS, 'hello') },
      { query: '?enable=1&grant=all' },
    ),
    await host.call(
      'POST',
      '/api/neira/plugins',
      { path: path.join(SCRIPTS, 'ui_pencil') },
      { query: '?enable=1&grant=all' },
    ),
    await host.script(
      { id: 'doubler', subscribes: [{ event: 'math.double@1' }] },
      'export function handle(event) { return { result: event.payload.n * 2 }; }',
    ),
    await host.script(
      {
        id: 'busy',
        permissions: {
          storage: ['read', 'write'],
          io: { http: [{ host: peer.host, methods: ['GET', 'POST'], schemes: ['http'], private: true }] },
        },
        publishes: ['math.double@1'],
        limits: { cpu_ms: 200, turn_ms: 2000, requests_per_minute: 10000 },
        settings: { type: 'object', properties: { url: { type: 'string', default: peer.url } } },
        ui: { buttons: [{ id: 'busy', title: 'Busy', event: 'ui.busy.run' }] },
      },
      BUSY,
    ),
  ];
  for (const { status, body } of all) expect(status, JSON.stringify(body)).toBe(201);
});
afterAll(async () => {
  await host.close();
  server.close();
  rmSync(home, { recursive: true, force: true });
});

async function run(plugin: keyof typeof PLUGINS): Promise<void> {
  const next = Array.from({ length: TURNS }, (_, n) => n);
  const worker = async () => {
    for (let n = next.shift(); n !== undefined; n = next.shift()) {
      const { tool, params } = PLUGINS[plugin](n);
      const { status, body } = await host.event(tool, params, { chat_id: `c${n % 5}`, session_id: 's' });
      // Where all of them read the same, some give way to others: that is no turn which counts.
      if (status !== 200 && body.code !== 'NEIRA_PLUGIN_FAILED') next.push(n);
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}

test.each(Object.keys(PLUGINS) as (keyof typeof PLUGINS)[])(
  'a thousand turns of %s come out the same',
  async (plugin) => {
    await run(plugin);
    const { turns, ...counts } = await replay(plugin);
    expect(turns).toEqual([]);
    expect(counts).toEqual({ replayed: TURNS, same: TURNS, different: 0, not_comparable: 0 });
  },
);

test('so they do after a restart, and a line that was cut off is skipped', async () => {
  await host.close();
  const before = asked;
  for (const plugin of readdirSync(path.join(home, 'transcripts'))) {
    const folder = path.join(home, 'transcripts', plugin);
    const last = readdirSync(folder).sort().at(-1)!;
    appendFileSync(path.join(folder, last), '{"input":{"deliveryId":"torn');
  }
  host = await bootHost({ home });
  for (const plugin of Object.keys(PLUGINS)) {
    const { turns, ...counts } = await replay(plugin);
    expect(turns).toEqual([]);
    expect(counts).toMatchObject({ replayed: TURNS, same: TURNS });
  }
  // A replay asks nobody.
  expect(asked).toBe(before);
  const { status } = await host.event('hello.greet', { name: 'after' });
  expect(status).toBe(200);
  expect((await replay('hello')).same).toBe(TURNS);
});

test('turns run again on the engine that they ran on, as long as it is kept; without it that is noticed', async () => {
  await host.close();
  // What a host with another engine would find: the turns name one that is not its own, and it lies among the blobs.
  const db = new DatabaseSync(path.join(home, 'neira.db'));
  const [{ engine }] = db.prepare(`select body ->> 'engine' as engine from recipe limit 1`).all() as [
    { engine: string },
  ];
  const former = engine.replaceAll(/[0-9a-f]/g, '7');
  db.exec(`insert into blob select 'engine:${former}', bytes from blob where digest = 'engine:${engine}'`);
  db.exec(
    `insert into version_blob select 'engine:${former}', plugin, version from version_blob where blob = 'engine:${engine}'`,
  );
  db.exec(`update recipe set body = replace(body, '${engine}', '${former}') where plugin = 'busy'`);
  db.close();
  host = await bootHost({ home });
  const { turns, ...counts } = await replay('busy');
  expect(turns).toEqual([]);
  expect(counts).toMatchObject({ same: TURNS });

  await host.close();
  const again = new DatabaseSync(path.join(home, 'neira.db'));
  again.exec(`delete from blob where digest = 'engine:${former}'`);
  again.close();
  host = await bootHost({ home });
  const { body } = await host.call('GET', '/api/neira/turns', undefined, { query: '?plugin=busy&limit=1' });
  const one = await host.call('POST', `/api/neira/turns/${encodeURIComponent(body.turns[0].id)}/replay`);
  expect(one.status, JSON.stringify(one.body)).toBe(200);
  expect(one.body, JSON.stringify(one.body)).toMatchObject({
    same: true,
    notes: [expect.stringContaining('engine')],
  });
});
