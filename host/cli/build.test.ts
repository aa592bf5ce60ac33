import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootPlugin } from '../../test/kit/boot-plugin.ts';
import { neira } from './test-kit.ts';

const PLUGINS = path.resolve(import.meta.dirname, '../../plugins');
const PENCIL = path.join(PLUGINS, 'scripts/ui_pencil');

let home: string;
beforeAll(() => {
  home = mkdtempSync(path.join(tmpdir(), 'neira-build-test-'));
});
afterAll(() => rmSync(home, { recursive: true }));

/** The compiler of that version that is here; the checked-in components are of it. */
function compiler(names: readonly string[], version: string): string | undefined {
  return names.find((name) => {
    try {
      return execFileSync(name, ['--version'], { encoding: 'utf8', stdio: 'pipe' }).includes(version);
    } catch {
      return false;
    }
  });
}

const CLANG = compiler(['clang', 'clang-14'], '14.0.6');
const RUSTC = compiler(['rustc', '/usr/bin/rustc'], 'rustc 1.63.0');

interface Template {
  readonly lang: string;
  readonly id: string;
  readonly folder: string;
  readonly env: Record<string, string>;
  /** Undefined where the compiler is here; else what would have to be. */
  readonly missing: string | undefined;
}

const TEMPLATES: readonly Template[] = [
  { lang: 'assemblyscript', id: 'hello.as', folder: 'hello_as', env: {}, missing: undefined },
  { lang: 'c', id: 'hello.c', folder: 'hello_c', env: {}, missing: CLANG ? undefined : 'clang 14.0.6' },
  {
    lang: 'rust',
    id: 'hello.rust',
    folder: 'hello_rust',
    env: RUSTC ? { RUSTC } : {},
    missing: RUSTC ? undefined : 'rustc 1.63.0',
  },
];

describe.each(TEMPLATES)('a new component in $lang', ({ lang, id, folder, env, missing }) => {
  test('builds by one command, and its bytes are those of the template that is checked in', async ({
    skip,
  }) => {
    if (missing) skip(`there is no ${missing} here, by which the checked-in component was built`);
    const made = path.join(home, id);
    expect(await neira(['new', id, '--kind', 'wasm', '--lang', lang, '--dir', home])).toMatchObject({
      code: 0,
    });
    expect(existsSync(path.join(made, 'plugin.wasm'))).toBe(false);
    expect(await neira(['build', made], env)).toMatchObject({ code: 0, stderr: '' });
    const built = readFileSync(path.join(made, 'plugin.wasm'));
    expect(built.equals(readFileSync(path.join(PLUGINS, 'wasm', folder, 'plugin.wasm')))).toBe(true);
  });
});

test('a new component in TypeScript builds and greets at once', async () => {
  const made = path.join(home, 'my.tool');
  expect(await neira(['new', 'my.tool', '--kind', 'wasm', '--dir', home])).toMatchObject({ code: 0 });
  const { stdout } = await neira(['build', made, '--json']);
  expect(JSON.parse(stdout)).toMatchObject({
    id: 'my.tool',
    language: 'typescript',
    path: path.join(made, 'plugin.wasm'),
  });
  await using plugin = await bootPlugin(pathToFileURL(made + path.sep), { grant: 'all' });
  const { actions } = await plugin.send('my.tool.greet', { params: { name: 'Anna' } });
  expect(actions).toEqual([{ type: 'notify', text: 'Good day, Anna. This is visit 1.' }]);
});

test('a script becomes a component in a folder of its own, and stays a script', async () => {
  const out = path.join(home, 'pencil');
  expect(await neira(['build', PENCIL, '--out', out])).toMatchObject({ code: 0 });
  expect(readdirSync(out).sort()).toEqual(['README.md', 'events', 'manifest.yaml', 'plugin.wasm']);
  const [script, component] = [PENCIL, out].map((each) =>
    readFileSync(path.join(each, 'manifest.yaml'), 'utf8'),
  );
  expect(component).toBe(
    script!.replace('kind: script', 'kind: wasm').replace('entry: main.ts', 'entry: plugin.wasm'),
  );
});

// It decodes base64 where it can, and that polyfill needs another one.
test('packages that a script names and a folder above it holds are built in, as when it is registered', async () => {
  const above = mkdtempSync(path.join(home, 'monorepo-'));
  symlinkSync(path.join(import.meta.dirname, '../../node_modules'), path.join(above, 'node_modules'));
  const folder = path.join(above, 'reader');
  mkdirSync(folder);
  const files = {
    'manifest.yaml': 'id: yaml.reader\nversion: 1.0.0\nkind: script\nentry: main.ts\n',
    'package.json': '{"name": "yaml-reader", "dependencies": {"yaml": "2.9.1"}}\n',
    'main.ts': `import { parse } from 'yaml';\nexport const handle = () => ({ result: parse('a: 1') });\n`,
  };
  for (const [file, text] of Object.entries(files)) writeFileSync(path.join(folder, file), text);
  expect(await neira(['build', folder, '--out', path.join(home, 'reader')])).toMatchObject({ code: 0 });
});

describe('what is missing is named, with what to do', () => {
  const folderOf = (name: string, files: Record<string, string>) => {
    const folder = mkdtempSync(path.join(home, `${name}-`));
    const manifest = `id: ${name}\nversion: 1.0.0\nkind: wasm\nentry: plugin.wasm\n`;
    for (const [file, text] of Object.entries({ 'manifest.yaml': manifest, ...files }))
      writeFileSync(path.join(folder, file), text);
    return folder;
  };

  test.each([
    [
      'a C compiler',
      'main.c',
      '',
      { CLANG: '/nowhere/clang' },
      'apt install clang lld wasi-libc libclang-rt-dev-wasm32',
    ],
    [
      'a Rust compiler',
      'main.rs',
      '',
      { RUSTC: '/nowhere/rustc' },
      'apt install rustc libstd-rust-dev-wasm32',
    ],
  ])('%s', async (_name, file, source, env, said) => {
    const { code, stderr } = await neira(['build', folderOf('some', { [file]: source })], env);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(said) });
    expect(stderr).toContain('NEIRA_BUILD_FAILED');
  });

  test('a source, or one too many', async () => {
    const none = await neira(['build', folderOf('none', {})]);
    expect(none.stderr).toContain('there is none of main.ts, main.as, main.c, main.rs');
    const two = await neira(['build', folderOf('two', { 'main.c': '', 'main.as': '' })]);
    expect(two.stderr).toContain('there is main.as and main.c');
  });

  test('a manifest', async () => {
    const { code, stderr } = await neira(['build', mkdtempSync(path.join(home, 'bare-'))]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining('there is no manifest.yaml'),
    });
  });

  test('what the compiler says names the file that the author knows', async () => {
    const folder = folderOf('wrong', { 'main.as': 'export function handle(): nothing {}\n' });
    const { stderr } = await neira(['build', folder]);
    expect(stderr).toMatch(/the compiler refuses it: .*'nothing'[\s\S]*main\.as/);
  });

  test.skipIf(CLANG === undefined)('an interface of the machine that C code asks for', async () => {
    const source = '#define NEIRA_PLUGIN\n#include "neira.h"\n#include <stdio.h>\n';
    const body =
      'bool neira_handle(neira_string in, neira_string *out) { printf("%.3s", in.ptr); *out = in; return true; }\n';
    const { stderr } = await neira(['build', folderOf('prints', { 'main.c': source + body })]);
    expect(stderr).toMatch(/it uses what a sandbox has not: .*fd_write/);
  });

  test('--lang without --kind wasm is not how it is used', async () => {
    expect(await neira(['new', 'x', '--lang', 'c', '--dir', home])).toMatchObject({ code: 2 });
  });
});
