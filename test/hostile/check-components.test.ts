// Components from outside, each tried in a process of its own (HOST-10…12, HOST-25).
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { neira } from '../../host/cli/test-kit.ts';
import { componentOf } from '../kit/component.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const SEARCH = readFileSync(path.join(ROOT, 'plugins/wasm/text_search/plugin.wasm'));
const CORE = path.join(ROOT, 'node_modules/@jitl/quickjs-wasmfile-release-sync/dist/emscripten-module.wasm');
const FOREVER = '(loop $l (br $l)) unreachable';

interface Said {
  readonly file: string;
  readonly verdict: string;
  readonly code?: string;
  readonly reason?: string;
  readonly asked?: readonly string[];
}

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'neira-check-'));
  mkdirSync(path.join(folder, 'below'));
  const files: Readonly<Record<string, Uint8Array | string>> = {
    'search.wasm': SEARCH,
    'below/echo.wasm': await componentOf(),
    'begins-for-ever.wasm': await componentOf({ more: `(func $s ${FOREVER}) (start $s)` }),
    'runs-for-ever.wasm': await componentOf({ handle: FOREVER }),
    'traps.wasm': await componentOf({ handle: 'unreachable' }),
    'grows.wasm': await componentOf({
      handle: '(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable',
    }),
    'begins-large.wasm': await componentOf({ memory: '16384' }),
    'core.wasm': readFileSync(CORE),
    'text.wasm': '(component)',
    'empty.wasm': '',
    'cut.wasm': SEARCH.subarray(0, SEARCH.length >> 1),
    'ignored.txt': 'no component',
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content);
});
afterAll(() => rmSync(folder, { recursive: true }));

test('each file of a folder is decided, and says why', async () => {
  const { code, stdout } = await neira(['check-components', folder, '--json']);
  const { files, counts } = JSON.parse(stdout) as { files: Said[]; counts: Record<string, number> };
  const said = Object.fromEntries(
    files.map(({ file, verdict, code: why }) => [
      path.relative(folder, file),
      why ? `${verdict} ${why}` : verdict,
    ]),
  );
  expect(said).toEqual({
    'below/echo.wasm': 'runs',
    'begins-for-ever.wasm': 'refused NEIRA_BOOT_FAILED',
    'begins-large.wasm': 'refused NEIRA_COMPONENT_LIMITS',
    'core.wasm': 'refused NEIRA_COMPONENT_CORE_MODULE',
    'cut.wasm': 'refused NEIRA_COMPONENT_TRUNCATED',
    'empty.wasm': 'refused NEIRA_COMPONENT_NOT_WASM',
    'grows.wasm': 'runs NEIRA_MEMORY_EXCEEDED',
    'runs-for-ever.wasm': 'runs NEIRA_CPU_EXCEEDED',
    'search.wasm': 'runs NEIRA_PERMISSION_DENIED',
    'text.wasm': 'refused NEIRA_COMPONENT_NOT_WASM',
    'traps.wasm': 'runs NEIRA_PLUGIN_FAILED',
  });
  expect(files.find(({ file }) => file.endsWith('search.wasm'))!.asked).toEqual(['storage.get']);
  expect(files.every(({ code: why, reason }) => why === undefined || reason !== undefined)).toBe(true);
  expect(counts['runs']).toBe(5);
  expect(code).toBe(0);
}, 60_000);

test('what does not end in its time is named, and the exit code says so', async () => {
  const file = path.join(folder, 'below/echo.wasm');
  const { code, stdout } = await neira(['check-components', file, '--timeout', '0.05']);
  expect(stdout).toMatch(/echo\.wasm {2}hung it was not decided within 50 ms\n1 files: 1 hung/);
  expect(code).toBe(1);
});

test('a file larger than any that is read is refused by its size', async () => {
  const file = path.join(folder, 'huge.bin');
  writeFileSync(file, '');
  truncateSync(file, 3 * 1024 ** 3);
  const { code, stdout } = await neira(['check-components', file]);
  expect(stdout).toMatch(/huge\.bin {2}refused NEIRA_COMPONENT_TOO_LARGE: The component is 3221225472 bytes/);
  expect(code).toBe(0);
});

test('what cannot be read is not decided: it is named, and the exit code says so', async () => {
  const file = path.join(folder, 'socket');
  await using server = createServer().listen(file);
  await once(server, 'listening');
  const { code, stdout } = await neira(['check-components', file]);
  expect(stdout).toMatch(/socket {2}crashed exit 1: Error: ENXIO.*\n1 files: 1 crashed/);
  expect(code).toBe(1);
});

test('a folder without components, and one that is not there, are refused', async () => {
  const empty = path.join(folder, 'empty');
  mkdirSync(empty);
  const none = await neira(['check-components', empty]);
  expect(none).toMatchObject({ code: 1 });
  expect(none.stderr).toContain('there is no `.wasm` file');
  const gone = await neira(['check-components', path.join(folder, 'gone')]);
  expect(gone.stderr).toContain('(ENOENT)');
});
