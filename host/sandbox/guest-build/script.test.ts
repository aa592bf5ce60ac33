import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Guest, refuse, startGuest } from '../../../test/kit/guest-host.ts';
import { buildScriptComponent } from './script.ts';

let folder: string;
let guest: Guest;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'neira-script-'));
  writeFileSync(path.join(folder, 'main.ts'), SOURCE);
  guest = await startGuest(await buildScriptComponent(folder, 'sample', 'main.ts'), { limit: 3 });
});
afterAll(() => {
  guest[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const SOURCE = `
import { publish, request as ask } from 'neira:host/bus';
import { request } from 'neira:host/io';
import { as } from 'neira:host/principals';
import { add, get, list, saveAnnotation, set, settings } from 'neira:host/storage';
import { sleep } from 'neira:host/timer';
import { NeiraError } from 'neira:host/types';

const atBuild = [Date.now(), Math.random(), crypto.randomUUID()];
async function* numbers() { yield 1; await null; yield 2; }
async function fails() { await null; throw new TypeError('deep'); }

const cases: Record<string, (given: any) => unknown> = {
  atBuild: () => atBuild,
  time: () => [Date.now(), new Date().toISOString(), new Date(5).getTime(), new Date() instanceof Date, typeof Date()],
  chance: () => [Math.random(), Math.random(), crypto.randomUUID()],
  storage: () => [get('none'), get('one'), list('o', { limit: 2 }), settings()],
  write: () => { set('two', { a: [1, null] }, 4); add('n', -0.5); publish('a.b', {}, { version: 2, headers: { x: 'y' } }); },
  record: () => saveAnnotation({ chatId: 'c', sessionId: 's', kind: 'k', data: { points: [[1, 2]] } }),
  refused: () => { try { get('x'); } catch (e) { const { name, code, details, message } = e as NeiraError;
    return { name, code, details, message, known: e instanceof NeiraError && e instanceof Error }; } },
  letThrough: () => get('x'),
  fails,
  generator: async () => { const out = []; for await (const each of numbers()) out.push(each); return out; },
  sleeps: () => Promise.all([sleep(30).then(() => Date.now()), sleep(10).then(() => Date.now())]),
  timers: async () => {
    const out: unknown[] = [];
    setTimeout((x) => out.push(x), 20, 'late'); setTimeout(() => out.push('soon'), 5);
    clearTimeout(setTimeout(() => out.push('never'), 6));
    queueMicrotask(() => out.push('job'));
    await new Promise((done) => setTimeout(done, 30));
    return out;
  },
  pending: () => new Promise(() => {}),
  http: () => request({ url: 'https://a.example/', headers: { a: 'b' }, json: { n: 1 } }),
  asked: () => ask('a.do', { n: 1 }).catch((e: NeiraError) => e.code),
  principal: () => as('scenario:one').storage.set('k', 1),
  globals: () => [new URL('../b', 'https://e.example/a/c').href, new TextEncoder().encode('я').length, btoa('x'),
    structuredClone({ a: [1] }), 'host' in globalThis, '__neira' in globalThis, 'performance' in globalThis],
  log: () => { console.warn('line', { a: 1 }); },
};

export function handle(event: any) { return cases[event.payload.run]!(event.payload); }
`;

async function run(name: string) {
  const { reply, calls } = await guest.send('sample.run', { run: name });
  return { reply, calls };
}

test('two builds of one source are the same bytes, and name no folder of this machine', async () => {
  const first = Buffer.from(await buildScriptComponent(folder, 'sample', 'main.ts'));
  expect(first.equals(Buffer.from(await buildScriptComponent(folder, 'sample', 'main.ts')))).toBe(true);
  for (const name of [tmpdir() + path.sep, process.cwd(), path.basename(folder)])
    expect(first.includes(name), name).toBe(false);
});

// HOST-11, HOST-12: nothing beside the host functions, the time and chance of the turn.
test('it imports the host functions and two inert interfaces, and nothing else', () => {
  const names = ['bus', 'intl', 'io', 'principals', 'storage', 'timer', 'types'];
  const known = [
    ...names.map((name) => `neira:host/${name}`),
    'wasi:clocks/wall-clock',
    'wasi:random/random',
  ];
  expect(guest.imports.filter((name) => !known.includes(name))).toEqual([]);
});

test('time is that of the turn, and what ran at build saw the moment that scripts see', async () => {
  const { reply } = await run('time');
  const at = guest.host.nowMs;
  expect(reply).toEqual([at, new Date(at).toISOString(), 5, true, 'string']);
  expect((await run('atBuild')).reply).toMatchObject({ 0: Date.UTC(2000, 0, 1) });
});

test('chance is the stream of the turn, and no seed comes from the build', async () => {
  const { reply } = await run('chance');
  expect((await run('chance')).reply).toEqual(reply);
  guest.host.random = (length) => new Uint8Array(length).fill(9);
  const other = (await run('chance')).reply as unknown[];
  expect(other[0]).not.toBe((reply as unknown[])[0]);
  expect(other[2]).toBe('09090909-0909-4909-8909-090909090909');
});

test('host functions take and answer values, as scripts have them', async () => {
  guest.host.stored.set('one', '{"b":[1]}');
  const entry = { key: 'one', value: { b: [1] }, version: 1 };
  expect((await run('storage')).reply).toEqual([null, entry, [entry], { limit: 3 }]);
  expect((await run('write')).calls).toEqual([
    ['storage.set', 'two', '{"a":[1,null]}', 4n],
    ['storage.add', 'n', -0.5],
    ['bus.publish', 'a.b', '{}', expect.objectContaining({ version: 2, headers: '{"x":"y"}' })],
  ]);
  expect((await run('record')).calls).toEqual([
    ['storage.saveAnnotation', { chatId: 'c', sessionId: 's', kind: 'k', data: '{"points":[[1,2]]}' }],
  ]);
});

test('a refusal is a NeiraError; one that is let through fails the turn by its code', async () => {
  guest.host.answers.set('storage.get', () => refuse('NEIRA_PERMISSION_DENIED', 'no', { why: 'grant' }));
  const refusal = {
    name: 'NeiraError',
    code: 'NEIRA_PERMISSION_DENIED',
    details: { why: 'grant' },
    message: 'no',
  };
  expect((await run('refused')).reply).toEqual({ ...refusal, known: true });
  await expect(run('letThrough')).rejects.toBe('NEIRA_PERMISSION_DENIED');
  guest.host.answers.clear();
});

test('async functions, generators and what they throw', async () => {
  expect((await run('generator')).reply).toEqual([1, 2]);
  await expect(run('fails')).rejects.toMatch(/^TypeError: deep\n/);
  await expect(run('pending')).rejects.toMatch('nothing is left to wait for');
});

test('sleeps run side by side, timers in their order', async () => {
  const at = guest.host.nowMs;
  const { reply, calls } = await run('sleeps');
  expect(reply).toEqual([at + 30, at + 10]);
  expect(calls).toEqual([
    ['timer.sleep', 10],
    ['timer.sleep', 20],
  ]);
  expect((await run('timers')).reply).toEqual(['job', 'soon', 'late']);
});

test('what waits is asked at once and answers a promise', async () => {
  guest.host.answers.set('io.request', async () => ({
    status: 200,
    url: 'u',
    headers: '{"x":"y"}',
    body: 'hi',
  }));
  const { reply, calls } = await run('http');
  expect(reply).toEqual({ status: 200, url: 'u', headers: { x: 'y' }, body: 'hi' });
  expect(calls[0]![1]).toMatchObject({ url: 'https://a.example/', headers: '{"a":"b"}', json: '{"n":1}' });
  guest.host.answers.set('bus.request', async () => refuse('NEIRA_DEADLINE'));
  expect((await run('asked')).reply).toBe('NEIRA_DEADLINE');
});

test('a principal acts for the one call', async () => {
  guest.host.answers.set('principals.actAs', () => undefined);
  expect((await run('principal')).calls).toEqual([
    ['principals.actAs', 'scenario:one'],
    ['storage.set', 'k', '1', undefined],
    ['principals.actAs', undefined],
  ]);
});

test('globals of scripts are there, and no way in for their makers', async () => {
  expect((await run('globals')).reply).toEqual([
    'https://e.example/b',
    2,
    'eA==',
    { a: [1] },
    false,
    false,
    false,
  ]);
  expect((await run('log')).calls).toEqual([['io.log', 'warn', 'line {"a":1}']]);
});

test('a host function at top level, and a source without `handle`, are refused where they are built', async () => {
  const build = (source: string) => {
    writeFileSync(path.join(folder, 'other.ts'), source);
    return buildScriptComponent(folder, 'sample', 'other.ts');
  };
  await expect(
    build(`import { get } from 'neira:host/storage'; get('x'); export function handle() {}`),
  ).rejects.toMatchObject({
    code: 'NEIRA_BUILD_FAILED',
    details: { reason: expect.stringContaining('storage.get') },
  });
  await expect(build('export const other = 1;')).rejects.toMatchObject({ code: 'NEIRA_NO_HANDLER' });
});
