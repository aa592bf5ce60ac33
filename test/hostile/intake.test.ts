/** What comes in from outside: manifests, zips and bodies that are wrong, refused one by one (HOST-08, HOST-18, HOST-25). */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer } from '../kit/boot-host.ts';
import { Arena } from './harness.ts';
import { type ZipEntry, zipOf } from './zip-file.ts';

const MAIN = 'export function handle() { return { actions: [] }; }';
const MANIFEST = { id: 'hostile.intake', version: '1.0.0', kind: 'script', entry: 'main.ts' };
const REFUSED =
  /^NEIRA_(MANIFEST_INVALID|SOURCE_REFUSED|ARCHIVE_REFUSED|INVALID|BAD_REQUEST|BODY_TOO_LARGE|BUNDLE_FAILED)$/;
const IN_TIME_MS = 10_000;

let arena: Arena;
beforeAll(async () => {
  arena = await Arena.open();
});
afterAll(() => arena?.close(), 60_000);

/** Nothing of it came to be: no plugin, no file outside, and the neighbour goes on (asserted by the arena). */
async function refuses(send: () => Promise<Answer>, code: string | RegExp = REFUSED): Promise<Answer> {
  const started = performance.now();
  const answer = await send();
  expect(performance.now() - started).toBeLessThan(IN_TIME_MS);
  expect(answer.status, JSON.stringify(answer.body)).toBeGreaterThanOrEqual(400);
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(500);
  if (typeof code === 'string') expect(answer.body.code).toBe(code);
  else expect(answer.body.code).toMatch(code);
  expect(answer.body.detail).toMatch(/\S/);
  const { body } = await arena.host.call('GET', '/api/neira/plugins');
  expect(body.plugins.map(({ id }: { id: string }) => id)).toEqual(['good.neighbour']);
  return answer;
}

describe('manifests', () => {
  const register = (manifest: unknown, files: unknown = { 'main.ts': MAIN }) =>
    arena.host.call('POST', '/api/neira/plugins', { manifest, files }, { query: '?enable=1&grant=all' });

  const ODD: Readonly<Record<string, unknown>> = {
    'no object': [],
    'a number': 7,
    'an unknown field': { ...MANIFEST, sudo: true },
    'a kind of its own': { ...MANIFEST, kind: 'process' },
    'an id that is a path': { ...MANIFEST, id: '../../evil' },
    'an id with a slash': { ...MANIFEST, id: 'a/b' },
    'an id of dots': { ...MANIFEST, id: '..' },
    'an id with NUL': { ...MANIFEST, id: 'a\0b' },
    'an id of ten thousand letters': { ...MANIFEST, id: 'a'.repeat(10_000) },
    'an id that is a name of the language': { ...MANIFEST, id: '__proto__' },
    'an entry that leaves the folder': { ...MANIFEST, entry: '../../../etc/passwd' },
    'an absolute entry': { ...MANIFEST, entry: '/etc/passwd' },
    'an entry that is not there': { ...MANIFEST, entry: 'other.ts' },
    'a limit below its range': { ...MANIFEST, limits: { cpu_ms: 0 } },
    'a limit above its range': { ...MANIFEST, limits: { memory_mb: 1e9 } },
    'a limit that is infinite': { ...MANIFEST, limits: { turn_ms: '1e999' } },
    'a limit that nothing enforces': { ...MANIFEST, limits: { gpu_ms: 1 } },
    'events that only the host publishes': { ...MANIFEST, publishes: ['plugin.reloaded@1'] },
    'a permission that does not exist': { ...MANIFEST, permissions: { shell: ['exec'] } },
    'a gate that does not exist': { ...MANIFEST, gate: 'no.such.gate' },
    'two buttons with one id': {
      ...MANIFEST,
      ui: { buttons: [1, 2].map(() => ({ id: 'b', title: 'B', event: 'a.b' })) },
    },
    'the tool of another plugin': {
      ...MANIFEST,
      ui: { buttons: [{ id: 'count', title: 'B', event: 'a.b' }] },
    },
    'a thousand buttons': {
      ...MANIFEST,
      ui: { buttons: Array.from({ length: 1000 }, (_, i) => ({ id: `b${i}`, title: 'B', event: 'a.b' })) },
    },
    'settings with a catastrophic pattern': {
      ...MANIFEST,
      settings: { type: 'object', properties: { a: { type: 'string', pattern: '^(a+)+$(?=b)' } } },
    },
    'settings that refer to a file': { ...MANIFEST, settings: { $ref: 'file:///etc/passwd' } },
    'settings that refer to themselves': {
      ...MANIFEST,
      settings: { type: 'object', properties: { a: { $ref: '#' } } },
    },
    'settings nested very deeply': { ...MANIFEST, settings: nested(60) },
    'a key path that is no path': { ...MANIFEST, subscribes: [{ event: 'a.b@1', key: '$..[?(@.a)]' }] },
    'texts of another kind': { ...MANIFEST, title: { en: ['x'] } },
  };
  for (const [what, manifest] of Object.entries(ODD)) {
    test(`a manifest with ${what} is refused`, async () => {
      await refuses(
        () => register(manifest),
        /^NEIRA_(MANIFEST_INVALID|SOURCE_REFUSED|INVALID|CONFLICT|BAD_REQUEST)$/,
      );
    });
  }

  const TEXTS: Readonly<Record<string, string>> = {
    'a billion laughs': `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
      .split('')
      .map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefghi'[i]}`).join()}]`)
      .join('\n')}`,
    'an alias of itself': 'a: &a [*a]\nid: x',
    'a tag that makes objects': 'id: !!js/function "function(){}"',
    'nesting without end': `id: ${'['.repeat(50_000)}`,
    'a key named __proto__':
      'id: hostile.intake\nversion: 1.0.0\nkind: script\nentry: main.ts\n__proto__: {polluted: true}',
    'two documents': 'id: a\n---\nid: b',
    'no YAML': '\t{: }\0',
    'a megabyte of one line': `id: ${'x'.repeat(900_000)}`,
    'the same key twice': 'id: a\nid: b',
  };
  for (const [what, text] of Object.entries(TEXTS)) {
    test(`a manifest text with ${what} is refused`, async () => {
      await refuses(() =>
        arena.host.call('POST', '/api/neira/plugins', { manifest: text, files: { 'main.ts': MAIN } }),
      );
    });
  }
});

describe('inline files', () => {
  const register = (files: unknown) =>
    arena.host.call('POST', '/api/neira/plugins', { manifest: MANIFEST, files });
  for (const name of [
    '../evil.ts',
    '/etc/evil.ts',
    'a/../../evil.ts',
    'C:/evil.ts',
    'a\\..\\evil.ts',
    './x.ts',
    'a//b.ts',
    'x\0.ts',
    '.git/config',
    'a'.repeat(5000),
    'manifest.yaml',
    '\ud800.ts',
    `${'d/'.repeat(100)}x.ts`,
  ]) {
    test(`a file named ${JSON.stringify(name.slice(0, 40))} is refused`, async () => {
      await refuses(() => register({ 'main.ts': MAIN, [name]: 'x' }));
    });
  }
  test('two names that some systems hold for one are refused', async () => {
    await refuses(() => register({ 'main.ts': MAIN, 'Main.ts': MAIN }), 'NEIRA_SOURCE_REFUSED');
    await refuses(() => register({ 'main.ts': MAIN, 'é.ts': '', 'e\u0301.ts': '' }), 'NEIRA_SOURCE_REFUSED');
  });
  test('content that is neither text nor base64 is refused', async () => {
    for (const content of [1, null, {}, { base64: '!' }, { base64: 7 }, [], { base64: 'AAA' }])
      await refuses(() => register({ 'main.ts': MAIN, 'x.bin': content }));
  });
  test('a folder of the host that is no plugin is refused', async () => {
    for (const folder of [
      '/etc',
      '/',
      '/dev/zero',
      '/proc/self/mem',
      '/no/such/folder',
      'relative/path',
      '/tmp\0',
    ])
      await refuses(
        () => arena.host.call('POST', '/api/neira/plugins', { path: folder }),
        /^NEIRA_(SOURCE_REFUSED|MANIFEST_INVALID|NOT_FOUND|INVALID)$/,
      );
  });
  test('a folder with links that leave it, links in a circle or pipes is refused', async () => {
    for (const spoil of [
      (folder: string) => symlinkSync('/etc/passwd', path.join(folder, 'secret.ts')),
      (folder: string) => symlinkSync('/etc', path.join(folder, 'lib')),
      (folder: string) => symlinkSync('.', path.join(folder, 'again')),
      (folder: string) => symlinkSync('self', path.join(folder, 'self')),
      (folder: string) => symlinkSync('/no/such/file', path.join(folder, 'gone')),
      (folder: string) => execFileSync('mkfifo', [path.join(folder, 'pipe.ts')]),
    ]) {
      const folder = mkdtempSync(path.join(tmpdir(), 'neira-hostile-'));
      writeFileSync(path.join(folder, 'manifest.json'), JSON.stringify(MANIFEST));
      writeFileSync(path.join(folder, 'main.ts'), MAIN);
      spoil(folder);
      await refuses(
        () => arena.host.call('POST', '/api/neira/plugins', { path: folder }),
        'NEIRA_SOURCE_REFUSED',
      );
      rmSync(folder, { recursive: true });
    }
  });
});

describe('zips', () => {
  const plugin: readonly ZipEntry[] = [
    { name: 'manifest.json', content: JSON.stringify(MANIFEST) },
    { name: 'main.ts', content: MAIN },
  ];
  const ODD: Readonly<Record<string, Buffer>> = {
    'a path that leaves the folder': zipOf([...plugin, { name: '../evil.ts', content: 'x' }]),
    'a path that leaves it in the middle': zipOf([...plugin, { name: 'a/../../evil.ts', content: 'x' }]),
    'an absolute path': zipOf([...plugin, { name: '/tmp/evil.ts', content: 'x' }]),
    'a path of Windows': zipOf([...plugin, { name: 'C:\\evil.ts', content: 'x' }]),
    backslashes: zipOf([...plugin, { name: '..\\evil.ts', content: 'x' }]),
    'a link to a file outside': zipOf([
      ...plugin,
      { name: 'link.ts', content: '/etc/passwd', mode: 0o120777 },
    ]),
    'a device': zipOf([...plugin, { name: 'zero', mode: 0o020666 }]),
    'a pipe': zipOf([...plugin, { name: 'pipe', mode: 0o010666 }]),
    'a file twice': zipOf([...plugin, { name: 'main.ts', content: 'throw 1' }]),
    'names that differ in case alone': zipOf([...plugin, { name: 'MAIN.ts', content: 'throw 1' }]),
    'a file where a folder is': zipOf([
      ...plugin,
      { name: 'a/b.ts', content: '' },
      { name: 'a', content: '' },
    ]),
    'a bomb': zipOf([...plugin, { name: 'zeros', content: Buffer.alloc(15_000_000), deflate: true }]),
    'a bomb that says it is small': zipOf([
      ...plugin,
      { name: 'zeros', content: Buffer.alloc(15_000_000), deflate: true, says: { bytes: 100 } },
    ]),
    'many bombs just under the ratio': zipOf([
      ...plugin,
      ...Array.from({ length: 60 }, (_, i) => ({
        name: `z${i}`,
        content: Buffer.alloc(15_000_000, i),
        deflate: true,
      })),
    ]),
    'a file that says it is huge': zipOf([
      ...plugin,
      { name: 'x', content: 'x', says: { bytes: 0xffff_fff0 } },
    ]),
    'a checksum that is wrong': zipOf([...plugin, { name: 'x', content: 'x', says: { crc: 1 } }]),
    'an encrypted file': zipOf([...plugin, { name: 'x', content: 'x', says: { flags: 0x801 } }]),
    'a method that nobody knows': zipOf([...plugin, { name: 'x', content: 'x', says: { method: 99 } }]),
    'bytes that are not deflate': zipOf([
      ...plugin,
      { name: 'x', content: 'not deflate', says: { method: 8 } },
    ]),
    'twenty thousand files': zipOf([
      ...plugin,
      ...Array.from({ length: 20_000 }, (_, i) => ({ name: `f${i}` })),
    ]),
    'a name with NUL': zipOf([...plugin, { name: 'a\0b.ts', content: 'x' }]),
    'no manifest': zipOf([{ name: 'main.ts', content: MAIN }]),
    'two manifests': zipOf([...plugin, { name: 'manifest.yaml', content: 'id: x' }]),
    'nothing in it': zipOf([]),
    'its end cut off': zipOf(plugin).subarray(0, -30),
    'its middle cut out': Buffer.concat([zipOf(plugin).subarray(0, 50), zipOf(plugin).subarray(90)]),
    'random bytes': Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) & 255)),
    'no bytes': Buffer.alloc(0),
  };
  for (const [what, bytes] of Object.entries(ODD)) {
    test(`a zip with ${what} is refused`, async () => {
      await refuses(() => upload(bytes));
    });
  }

  test('a zip as it should be is taken, and can be removed', async () => {
    expect(await upload(zipOf(plugin))).toMatchObject({ status: 201, body: { id: 'hostile.intake' } });
    expect((await arena.host.call('DELETE', '/api/neira/plugins/hostile.intake')).status).toBe(204);
  });

  async function upload(bytes: Buffer): Promise<Answer> {
    const form = new FormData();
    form.set('file', new Blob([new Uint8Array(bytes)], { type: 'application/zip' }), 'plugin.zip');
    return raw('/api/neira/plugins', form);
  }
});

describe('bodies', () => {
  const events = '/api/neira/ui/events';
  const json = { 'content-type': 'application/json' };
  const ODD: Readonly<Record<string, string | Buffer>> = {
    'no JSON': '{"tool_id":',
    'an array': '[]',
    'a number': '7',
    null: 'null',
    'nesting without end': '['.repeat(100_000),
    'nesting of a hundred levels': `{"tool_id":"count","event":"good.count","params":${'{"a":'.repeat(100)}1${'}'.repeat(100)}}`,
    'a key named __proto__':
      '{"tool_id":"count","event":"good.count","params":{"__proto__":{"polluted":true}}}',
    'constructor.prototype':
      '{"tool_id":"count","event":"good.count","params":{"constructor":{"prototype":{"polluted":true}}}}',
    'bytes that are no UTF-8': Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]),
    'two megabytes': JSON.stringify({
      tool_id: 'count',
      event: 'good.count',
      params: { x: 'x'.repeat(2_000_000) },
    }),
    'no tool': '{"event":"good.count","params":{},"context":{}}',
    'a tool that is an object': '{"tool_id":{"$ne":null},"event":"good.count","params":{},"context":{}}',
    'another event than the tool’s': '{"tool_id":"count","event":"system.started","params":{},"context":{}}',
    'params that are an array': '{"tool_id":"count","event":"good.count","params":[],"context":{}}',
    'unknown members':
      '{"tool_id":"count","event":"good.count","params":{},"context":{},"source":"host","tenant":"other"}',
  };
  for (const [what, body] of Object.entries(ODD)) {
    test(`a body with ${what} is refused`, async () => {
      await refuses(() => raw(events, body, json));
    });
  }
  test('a body of another type, or of none, is refused', async () => {
    for (const type of [
      'text/plain',
      'application/xml',
      'multipart/form-data; boundary=x',
      'application/json; charset=utf-16',
      'x',
    ])
      await refuses(() => raw(events, '{}', { 'content-type': type }));
    await refuses(() => raw(events, '', json));
  });
  test('an unknown tool is not found', async () => {
    await refuses(
      () => raw(events, '{"tool_id":"no-such","event":"a.b","params":{},"context":{}}', json),
      'NEIRA_NOT_FOUND',
    );
  });
});

async function raw(
  where: string,
  body: string | Buffer | FormData,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${arena.host.url}${where}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${arena.host.token}`, ...headers },
    body: Buffer.isBuffer(body) ? new Uint8Array(body) : body,
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

function nested(depth: number): unknown {
  return depth === 0 ? { type: 'object' } : { type: 'object', properties: { a: nested(depth - 1) } };
}
