// HOST-11, HOST-13, HOST-16: what `prepare` left is where every turn of a component begins, also after one that waited.
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildGuest } from '../../host/sandbox/guest-build/build.ts';
import { buildScriptComponent } from '../../host/sandbox/guest-build/script.ts';
import { bootHost, COMPONENT_GATES, type TestHost } from '../kit/boot-host.ts';

const HELLO_C = path.resolve(import.meta.dirname, '../../plugins/wasm/hello_c');
const LIMITS = { cpu_ms: 2000, turn_ms: 5000 };

let host: TestHost;
beforeAll(async () => {
  host = await bootHost({ gates: COMPONENT_GATES });
});
afterAll(() => host.close());

const manifestOf = (id: string) => ({
  id,
  limits: LIMITS,
  ui: { buttons: [{ id, title: id, event: `${id}.go` }] },
});

async function scriptComponent(source: string): Promise<Uint8Array> {
  const folder = mkdtempSync(path.join(tmpdir(), 'neira-prepared-'));
  writeFileSync(path.join(folder, 'main.ts'), source);
  return buildScriptComponent(folder, 'prepared', 'main.ts').finally(() =>
    rmSync(folder, { recursive: true }),
  );
}

/** Undefined where there is no compiler for C. */
async function cComponent(source: string): Promise<Uint8Array | undefined> {
  const folder = mkdtempSync(path.join(tmpdir(), 'neira-prepared-'));
  copyFileSync(path.join(HELLO_C, 'json.h'), path.join(folder, 'json.h'));
  writeFileSync(path.join(folder, 'main.c'), source);
  const built = buildGuest(folder, 'prepared').then(
    ({ component }) => component,
    () => undefined,
  );
  return built.finally(() => rmSync(folder, { recursive: true }));
}

const PREPARING = `
let prepared = 0;
let turns = 0;
let drawn;
export function prepare() { prepared += 1; drawn = Math.random(); }
export async function handle(event) {
  turns += 1;
  if (event.payload.params.wait) await new Promise((resolve) => setTimeout(resolve, 5));
  return { actions: [{ prepared, turns, drawn }] };
}`;

test('prepare ran once, and all turns begin from what it left, those behind a wait or side by side too', async () => {
  const { status, body } = await host.component(manifestOf('prepared'), await scriptComponent(PREPARING));
  expect(status, JSON.stringify(body)).toBe(201);
  const go = async (wait: boolean) => (await host.event('prepared', { wait })).body.actions;
  const [first] = await go(false);
  expect(first).toEqual({ prepared: 1, turns: 1, drawn: expect.any(Number) });
  for (const wait of [true, false, true, true, false]) expect(await go(wait)).toEqual([first]);
  const together = await Promise.all([true, true, false, true].map(go));
  expect(together).toEqual([[first], [first], [first], [first]]);
}, 30_000);

const FAILING_C = (body: string) => `
#define NEIRA_PLUGIN
#define NEIRA_PREPARE
#include "neira.h"
bool neira_prepare(neira_string *error) { ${body} }
bool neira_handle(neira_string input, neira_string *answer) { *answer = NEIRA_TEXT("null"); return true; }
`;

const REFUSED: readonly (readonly [
  what: string,
  make: () => Promise<Uint8Array | undefined>,
  says: string,
])[] = [
  [
    'a script that throws',
    () =>
      scriptComponent(
        "export function prepare() { throw new Error('no rules'); }\nexport function handle() {}",
      ),
    'no rules',
  ],
  [
    'a guest in C that says so',
    () => cComponent(FAILING_C('*error = NEIRA_TEXT("no rules"); return false;')),
    'no rules',
  ],
  ['a guest in C that traps', () => cComponent(FAILING_C('__builtin_trap();')), 'unreachable'],
];

test.for(REFUSED)(
  '%s in prepare is refused where it is registered, with the reason',
  { timeout: 30_000 },
  async ([, make, says], { skip }) => {
    const component = await make();
    if (!component) return skip('there is no compiler for C here');
    const { status, body } = await host.component(manifestOf('refused'), component);
    expect([status, body.code, body.during], JSON.stringify(body)).toEqual([
      422,
      'NEIRA_BOOT_FAILED',
      'prepare',
    ]);
    expect(body.reason).toContain(says);
    expect((await host.call('GET', '/api/neira/plugins/refused')).status).toBe(404);
  },
);

/** Answers `v` when it has been answered itself. */
const ASKING = (v: number) => `
import { request } from 'neira:host/io';
import { settings } from 'neira:host/storage';
export async function handle() {
  const { body } = await request({ url: settings().url });
  return { actions: [{ v: ${v}, body }] };
}`;

test('turns that stand still while their component is replaced end on their version', async () => {
  const held: ServerResponse[] = [];
  let holds = true;
  await using server = createServer((_, answer) => {
    if (holds) held.push(answer);
    else answer.end('at once');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const peer = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const manifest = {
    ...manifestOf('still'),
    permissions: { io: { http: [{ host: peer, methods: ['GET'], schemes: ['http'], private: true }] } },
    settings: { type: 'object', properties: { url: { type: 'string', default: `http://${peer}/` } } },
  };
  const registered = await host.component(manifest, await scriptComponent(ASKING(1)));
  expect(registered.status, JSON.stringify(registered.body)).toBe(201);
  const standing = [1, 2, 3].map((n) => host.event('still', {}, { chat_id: `c${n}` }));
  await expect.poll(() => held.length, { timeout: 10_000 }).toBe(3);

  holds = false;
  const next = { ...manifest, version: '1.1.0' };
  expect((await host.component(next, await scriptComponent(ASKING(2)))).status).toBe(200);
  expect((await host.event('still')).body.actions).toEqual([{ v: 2, body: 'at once' }]);

  for (const answer of held) answer.end('late');
  const answers = await Promise.all(standing);
  expect(answers.map(({ body }) => body.actions?.[0] ?? body)).toEqual(
    Array.from({ length: 3 }, () => ({ v: 1, body: 'late' })),
  );
}, 30_000);
