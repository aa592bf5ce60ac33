import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';

// BUS-22, design §1.3: a turn is recorded, and comes out the same when it is run again.

const FILES = (limit: number) => ({
  'main.ts': `
import { publish, request } from 'neira:host/bus';
import { log } from 'neira:host/io';
import { add, append, get, list, saveMessage, set, settings } from 'neira:host/storage';

let prepared = 0;
export function prepare() { prepared = list('day/').length + (get('base')?.value ?? 0); }

export async function handle(event) {
  const { n, fail, day } = event.payload;
  const before = get('count')?.value ?? 0;
  set('count', before + 1);
  add('sum', n);
  append('log', { n, at: Date.now(), luck: Math.random() });
  const seen = list('log/', { reverse: true, limit: 3 });
  if (n % 10 === 3) {
    const twice = await request('math.double', { n });
    set('twice', { twice, after: get('count').value, at: new Date().toISOString() });
  }
  if (day) set('day/' + day, n);
  log('info', 'turn ' + n + ' ' + crypto.randomUUID() + ' ' + prepared);
  if (fail) throw new RangeError('asked to fail ' + n);
  if (n > ${limit}) set('large', n);
  saveMessage({ chatId: 'c', sessionId: 's', role: 'user', text: 'n ' + n });
  publish('count.changed', { n, of: seen.length });
}`,
});

const MANIFEST = {
  id: 'counter',
  permissions: { storage: ['read', 'write'] },
  subscribes: [{ event: 'count.up@1', key: '$.payload.key' }],
  publishes: ['count.changed@1', 'math.double@1'],
  retry: { max: 0 },
};

let host: TestHost;

async function settled(count: number): Promise<void> {
  for (;;) {
    const { body } = await host.call('GET', '/api/neira/status');
    if (body.deliveries.waiting === 0 && body.turns.count >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function up(...payloads: unknown[]): Promise<void> {
  await Promise.all(
    payloads.map(async (payload) => {
      const { status, body } = await host.call('POST', '/api/neira/events', {
        event_name: 'count.up',
        version: 1,
        payload,
      });
      expect(status, JSON.stringify(body)).toBe(200);
    }),
  );
}

/** A transcript is written right behind the answer to its event, so the last may be on its way. */
async function replay(turns: number, body: object = {}) {
  const replayed = () =>
    host.call('POST', '/api/neira/turns/replay', { plugin: 'counter', limit: 10_000, ...body });
  let answer = await replayed();
  for (let tries = 0; answer.body.replayed < turns && tries < 50; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    answer = await replayed();
  }
  return answer;
}

beforeAll(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
  await host.events('count.up@1', 'count.changed@1', 'math.double@1!');
  const doubler = await host.script(
    { id: 'doubler', subscribes: [{ event: 'math.double@1' }] },
    'export function handle(event) { return { result: event.payload.n * 2 }; }',
  );
  expect(doubler.status, JSON.stringify(doubler.body)).toBe(201);
  const counter = await host.script(MANIFEST, FILES(1000));
  expect(counter.status, JSON.stringify(counter.body)).toBe(201);
});
afterAll(() => host.close());

test('turns that read, list, request, wait and draw at random all come out the same', async () => {
  const turns = Array.from({ length: 120 }, (_, n) => ({ n, key: `k${n % 3}`, fail: n % 40 === 39 }));
  await up(...turns);
  await settled(120);
  const { body } = await replay(120);
  expect(body.turns).toEqual([]);
  expect(body).toMatchObject({ replayed: 120, same: 120, different: 0, not_comparable: 0 });
  const failed = await replay(3, { outcome: 'failed' });
  expect(failed.body).toMatchObject({ replayed: 3, same: 3 });
});

test('a transcript shows what a turn was told and what it did', async () => {
  const { body } = await host.call('GET', '/api/neira/turns', undefined, {
    query: '?plugin=counter&outcome=ok&limit=1000',
  });
  expect(body.turns).toHaveLength(117);
  const asked = [];
  for (const { id } of body.turns) {
    const { body: turn } = await host.call('GET', `/api/neira/turns/${encodeURIComponent(id)}`);
    if (turn.envelope.payload.n === 13) asked.push(turn);
  }
  expect(asked).toHaveLength(1);
  expect(asked[0]).toMatchObject({
    plugin: 'counter',
    outcome: 'ok',
    replayable: true,
    requests: [{ op: 'bus.request', command: 'math.double', answer: 26 }],
    ground: { granted: expect.arrayContaining(['storage.read']) },
  });
});

test('a version that does otherwise is reported, refactoring is not', async () => {
  const refactored = await host.script(
    MANIFEST,
    FILES(1000)['main.ts'].replace('const before', 'const   before'),
  );
  expect(refactored.status, JSON.stringify(refactored.body)).toBe(200);
  const quiet = await host.call('GET', '/api/neira/plugins/counter/rehearsal');
  expect(quiet.body).toMatchObject({ mode: 'report', last: { held: false, turns: [] } });
  // As many of the last hundred as there was time for.
  const { replayed, same } = quiet.body.last;
  expect(replayed).toBeGreaterThan(0);
  expect(same).toBe(replayed);

  await up(...Array.from({ length: 30 }, (_, n) => ({ n, key: `k${n % 3}` })));
  await settled(150);
  const changed = await host.script(MANIFEST, FILES(26));
  expect(changed.status).toBe(200);
  const { body } = await host.call('GET', '/api/neira/plugins/counter/rehearsal');
  expect(body.last).toMatchObject({ replayed: 30, same: 27, different: 3, not_comparable: 0, held: false });
  expect(body.last.turns[0].differences).toEqual([
    { what: 'set large', after: expect.objectContaining({ value: expect.any(Number) }) },
  ]);
});

test('block keeps the old version until an administrator accepts the new one', async () => {
  const path = '/api/neira/plugins/counter';
  await host.call('PUT', `${path}/rehearsal`, { mode: 'block' });
  await up(...Array.from({ length: 10 }, (_, n) => ({ n, key: 'k' })));
  await settled(160);
  const before = (await host.call('GET', path)).body.versions.find(
    (each: { current: boolean }) => each.current,
  );
  const held = await host.script(MANIFEST, FILES(7));
  expect(held.status).toBe(409);
  expect(held.body).toMatchObject({ code: 'NEIRA_REHEARSAL_DIFFERS', different: 2, replayed: 10 });
  const still = (await host.call('GET', path)).body.versions.find(
    (each: { current: boolean }) => each.current,
  );
  expect(still.digest).toBe(before.digest);
  const { body } = await host.call('GET', '/api/neira/journal?limit=1000');
  expect(body.entries.map((each: { action: string }) => each.action)).toContain('plugin.held-back');

  const accepted = await host.call('POST', `${path}/rehearsal/accept`);
  expect(accepted.status, JSON.stringify(accepted.body)).toBe(200);
  const now = accepted.body.versions.find((each: { current: boolean }) => each.current);
  expect(now.digest).toBe(held.body.version);
  const again = await host.call('POST', `${path}/rehearsal/accept`);
  expect(again.status).toBe(404);
});

test('code is kept as long as a recorded turn needs it, also when its version is not', async () => {
  await using old = await bootHost({ gates: SCRIPT_GATES, settings: 'versions_kept: 1\n' });
  const manifest = { id: 'old', ui: { buttons: [{ id: 'old', title: 'Old', event: 'ui.old.go' }] } };
  const source = (n: number) => `export const handle = () => ({ actions: [{ type: 'v', n: ${n} }] });`;
  for (let n = 0; n < 40; n++) {
    await old.script(manifest, source(n));
    expect((await old.event('old')).body.actions).toEqual([{ type: 'v', n }]);
  }
  const detail = await old.call('GET', '/api/neira/plugins/old');
  expect(detail.body.versions).toHaveLength(1);
  const { body } = await old.call('POST', '/api/neira/turns/replay', { plugin: 'old' });
  expect(body).toMatchObject({ replayed: 40, same: 40 });
  await old.call('DELETE', '/api/neira/plugins/old', undefined, { query: '?data=drop' });
  const gone = await old.call('GET', '/api/neira/turns', undefined, { query: '?plugin=old' });
  expect(gone.body.turns).toEqual([]);
});

// A rehearsal has a quarter of a second: on a busy machine it gets less far than this looks for.
test('a change of behaviour planted in the pencil is found, and a refactoring passes', {
  retry: 2,
}, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'neira-pencil-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(fileURLToPath(new URL('../../plugins/scripts/ui_pencil/', import.meta.url)), folder, {
    recursive: true,
  });
  await using pencils = await bootHost({ gates: [...SCRIPT_GATES, 'annotations_pencil'] });
  const added = await pencils.call(
    'POST',
    '/api/neira/plugins',
    { path: folder },
    { query: '?enable=1&grant=all' },
  );
  expect(added.status, JSON.stringify(added.body)).toBe(201);
  const draw = async () => {
    for (let n = 0; n < 30; n++) {
      const params =
        n % 3 === 0
          ? { points: 'none' }
          : {
              points: [
                [n, 1],
                [2, n],
              ],
              size: 1 + (n % 4),
            };
      await pencils.event('pencil', params, { chat_id: 'c', session_id: 's' });
    }
  };
  /** A transcript is written right behind the answer. */
  const recorded = () =>
    expect
      .poll(async () => {
        const { body } = await pencils.call('GET', '/api/neira/turns?plugin=ui.pencil&limit=100');
        return body.turns.length % 30;
      })
      .toBe(0);
  const save = async (file: string, from: string, to: string) => {
    const text = readFileSync(path.join(folder, file), 'utf8');
    expect(text).toContain(from);
    const last = async () => (await pencils.call('GET', '/api/neira/plugins/ui.pencil/rehearsal')).body.last;
    const before = JSON.stringify(await last());
    // The folder is watched: asked for as well, it would be rehearsed twice.
    writeFileSync(path.join(folder, file), text.replace(from, to));
    await expect.poll(async () => JSON.stringify(await last()), { timeout: 10_000 }).not.toBe(before);
    return last();
  };
  await draw();
  await recorded();
  const same = await save('main.ts', "const KIND = 'stroke';", "const KIND = ['st', 'roke'].join('');");
  expect(same).toMatchObject({ replayed: 30, same: 30, turns: [] });
  await draw();
  await recorded();
  const changed = await save('main.ts', "const KIND = ['st', 'roke'].join('');", "const KIND = 'scribble';");
  expect(changed).toMatchObject({ replayed: 30, same: 10, different: 20, not_comparable: 0 });
  expect(changed.turns[0].differences.map(({ what }: { what: string }) => what).sort()).toEqual([
    'publish annotation.saved@1',
    'reply',
    'save annotation c/s',
  ]);
});

test('a version that formats otherwise is compared, although its texts were never asked for', async () => {
  await using plain = await bootHost({ gates: SCRIPT_GATES });
  const manifest = { id: 'dates', ui: { buttons: [{ id: 'dates', title: 'Dates', event: 'ui.dates.go' }] } };
  const source = (style: string) => `export function handle() {
    const day = new Intl.DateTimeFormat('ru-RU', { dateStyle: '${style}', timeZone: 'Europe/Moscow' });
    return { actions: [{ type: 'day', day: day.format(new Date()) }] };
  }`;
  expect((await plain.script(manifest, source('full'))).status).toBe(201);
  for (let n = 0; n < 3; n++) expect((await plain.event('dates')).status).toBe(200);
  await plain.script(manifest, source('short'));
  const { body } = await plain.call('GET', '/api/neira/plugins/dates/rehearsal');
  expect(body.last).toMatchObject({ replayed: 3, different: 3, not_comparable: 0 });
  expect(body.last.turns[0].differences[0]).toMatchObject({
    what: 'reply',
    before: [{ day: expect.stringContaining('г.') }],
    after: [{ day: expect.stringMatching(/^\d\d\.\d\d\.\d{4}$/) }],
  });
});
