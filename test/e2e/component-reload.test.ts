// HOST-13, HOST-16, HOST-27, HOST-35: the file of a component is replaced while it serves.
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildGuest } from '../../host/sandbox/guest-build/build.ts';
import { bootHost, COMPONENT_GATES, spawnHost, type TestHost } from '../kit/boot-host.ts';
import { componentOf } from '../kit/component.ts';

const HELLO_C = path.resolve(import.meta.dirname, '../../plugins/wasm/hello_c');
/** Computes for some tens of milliseconds. */
const SLOW =
  '(local $i i32) (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.lt_u (local.get $i) (i32.const 20000000))))';

function answering(v: number, before = ''): Promise<Uint8Array> {
  const text = `{"actions":[{"v":${v}}]}`;
  const quoted = text.replaceAll('"', '\\"');
  return componentOf({
    more: `(data (i32.const 64) "${quoted}")`,
    handle: `${before} (call $ok (i32.const 64) (i32.const ${text.length}))`,
  });
}

const folder = mkdtempSync(path.join(tmpdir(), 'neira-component-'));
const file = path.join(folder, 'plugin.wasm');
let host: TestHost;

/** As a build does it: whole, under another name first. */
function save(bytes: Uint8Array): void {
  writeFileSync(`${file}.new`, bytes);
  renameSync(`${file}.new`, file);
}

const serves = async () => {
  const { body } = await host.event('swapped');
  return body.actions?.[0]?.v ?? body;
};
const detail = async () => (await host.call('GET', '/api/neira/plugins/swapped')).body;

beforeAll(async () => {
  host = await bootHost({ gates: COMPONENT_GATES });
  writeFileSync(
    path.join(folder, 'manifest.yaml'),
    `id: swapped
version: 1.0.0
kind: wasm
entry: plugin.wasm
limits: {cpu_ms: 2000, turn_ms: 5000}
ui: {buttons: [{id: swapped, title: t, event: swapped.go}]}
`,
  );
  save(await answering(1));
  const { status, body } = await host.call(
    'POST',
    '/api/neira/plugins',
    { path: folder },
    { query: '?enable=1' },
  );
  expect(status, JSON.stringify(body)).toBe(201);
  expect(await serves()).toBe(1);
});
afterAll(async () => {
  await host.close();
  rmSync(folder, { recursive: true });
});

test('turns that have begun end on their version, new ones use the new, and none is lost', async () => {
  save(await answering(2, SLOW));
  await expect.poll(serves, { timeout: 10_000 }).toBe(2);
  const running = [serves(), serves()];
  save(await answering(3));
  const seen = new Set<unknown>();
  await expect
    .poll(
      async () => {
        const v = await serves();
        seen.add(v);
        return v;
      },
      { timeout: 10_000 },
    )
    .toBe(3);
  expect(await Promise.all(running)).toEqual([2, 2]);
  expect([...seen].every((v) => v === 2 || v === 3)).toBe(true);
}, 30_000);

test.each([
  ['cut off', async () => (await answering(4)).subarray(0, 200), 'NEIRA_COMPONENT_TRUNCATED'],
  ['no component', async () => Buffer.from('hello'), 'NEIRA_COMPONENT_NOT_WASM'],
  ['of another world', () => parse('(component)'), 'NEIRA_COMPONENT_WORLD'],
  ['one that traps in `prepare`', () => trapping(), 'NEIRA_BOOT_FAILED'],
] as const)(
  'a file that is %s leaves the old version serving, and says why',
  async (_, make, code) => {
    save(await make());
    await expect.poll(async () => (await detail()).last_error?.code, { timeout: 10_000 }).toBe(code);
    expect(await serves()).toBe(3);
  },
  30_000,
);

function trapping(): Promise<Uint8Array> {
  return componentOf({
    world: 'prepared-plugin',
    more: '(func (export "prepare") (result i32) unreachable)',
  });
}

test('mended, it serves; rolled back, the one before does', async () => {
  save(await answering(5));
  await expect.poll(serves, { timeout: 10_000 }).toBe(5);
  expect((await detail()).last_error).toBeUndefined();
  const back = await host.call('POST', '/api/neira/plugins/swapped/rollback');
  expect(back.status, JSON.stringify(back.body)).toBe(200);
  expect(await serves()).toBe(3);
}, 30_000);

test('thirty versions later there are as many threads as before, and the memory is back', async ({
  skip,
}) => {
  if (process.platform !== 'linux') skip('threads are counted in /proc');
  const other = await spawnHost({ gates: COMPONENT_GATES });
  try {
    const threads = () => readdirSync(`/proc/${other.process.pid}/task`).length;
    const residentMb = () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${other.process.pid}/status`, 'utf8'))![1]) / 1024;
    const update = async (v: number) => {
      const manifest = {
        id: 'swapped',
        ui: { buttons: [{ id: 'swapped', title: 't', event: 'swapped.go' }] },
      };
      const { status } = await other.component(manifest, await answering(v));
      expect(status).toBe(v === 0 ? 201 : 200);
      expect((await other.event('swapped')).body.actions).toEqual([{ v }]);
    };
    for (let v = 0; v < 5; v += 1) await update(v);
    const before = { threads: threads(), residentMb: residentMb() };
    for (let v = 5; v < 35; v += 1) await update(v);
    // The thread of the last but one may still be on its way out, a spare one on its way in.
    await expect.poll(() => threads() - before.threads, { timeout: 20_000 }).toBeLessThanOrEqual(8);
    await expect.poll(() => residentMb() - before.residentMb, { timeout: 20_000 }).toBeLessThan(150);
  } finally {
    await other.close();
  }
}, 90_000);

test('what `prepare` of a guest in C made ready is there in every turn', async ({ skip }) => {
  const source = mkdtempSync(path.join(tmpdir(), 'neira-prepared-'));
  try {
    copyFileSync(path.join(HELLO_C, 'json.h'), path.join(source, 'json.h'));
    writeFileSync(path.join(source, 'main.c'), PREPARED);
    const component = await buildGuest(source, 'prepared').then(
      (built) => built.component,
      () => undefined,
    );
    if (!component) return skip('there is no compiler for C here');
    const manifest = {
      id: 'prepared',
      ui: { buttons: [{ id: 'prepared', title: 't', event: 'prepared.go' }] },
    };
    const { status, body } = await host.component(manifest, component);
    expect(status, JSON.stringify(body)).toBe(201);
    for (let turn = 0; turn < 2; turn += 1)
      expect((await host.event('prepared')).body.actions).toEqual([{ ready: 7, turns: 1 }]);
  } finally {
    rmSync(source, { recursive: true });
  }
}, 30_000);

/** It counts its turns in memory, which does not outlive them. */
const PREPARED = `
#define NEIRA_PLUGIN
#define NEIRA_PREPARE
#include "neira.h"
static int ready;
static int turns;
bool neira_prepare(neira_string *error) { ready = 7; return true; }
bool neira_handle(neira_string input, neira_string *answer) {
  turns += 1;
  *answer = ready == 7 && turns == 1 ? NEIRA_TEXT("{\\"actions\\":[{\\"ready\\":7,\\"turns\\":1}]}") : NEIRA_TEXT("null");
  return true;
}
`;
