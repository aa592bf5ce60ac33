import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { bundlePlugin } from './bundle.ts';
import { bootFolder, folderOf } from './test-instance.ts';

const PACKAGE = {
  'node_modules/tiny/package.json':
    '{"name": "tiny", "version": "1.0.0", "type": "module", "exports": {"import": "./lib/esm.js", "require": "./lib/cjs.cjs"}}',
  'node_modules/tiny/lib/esm.js': "import { inner } from './inner.js'; export const tiny = `tiny ${inner}`;",
  'node_modules/tiny/lib/inner.js': "export const inner = 'inside';",
  'node_modules/old/package.json': '{"name": "old", "version": "1.0.0", "main": "index.js"}',
  'node_modules/old/index.js': 'module.exports = { old: 2 };',
};

const refuses = (folder: string) => expect(bundlePlugin(folder, 'main.ts')).rejects;

test('several files, packages of its own, JSON and TypeScript become one module', async () => {
  const folder = folderOf({
    ...PACKAGE,
    'main.ts': `
      import { tiny } from 'tiny';
      import old from 'old';
      import { twice, type Unused } from './lib/math.ts';
      import data from './data.json';
      enum Kind { A = 1, B }
      const table = { a: 1 } satisfies Record<string, number>;
      export function handle(n: number): unknown { return [tiny, old.old, twice(n), data.greeting, Kind.B, table.a]; }`,
    'lib/math.ts':
      'export interface Unused { a: 1 }\nexport const twice = <T extends number>(n: T): number => n * 2;',
    'data.json': '{"greeting": "привет"}',
  });
  const plugin = await bootFolder(folder);
  expect(plugin.value(21)).toEqual(['tiny inside', 2, 42, 'привет', 2, 1]);
  expect([...plugin.bundle.inputs].sort()).toEqual([
    'data.json',
    'lib/math.ts',
    'main.ts',
    'node_modules/old/index.js',
    'node_modules/tiny/lib/esm.js',
    'node_modules/tiny/lib/inner.js',
  ]);
});

test('nothing is written into the folder', async () => {
  const folder = folderOf('export const handle = () => 1;');
  await bundlePlugin(folder, 'main.ts');
  expect(readdirSync(folder)).toEqual(['main.ts']);
});

test("the plugin's tsconfig is ignored, also one that it extends or that lies above it", async () => {
  const evil = JSON.stringify({
    compilerOptions: {
      paths: { './other.ts': ['./evil.ts'], 'neira:host/storage': ['./evil.ts'] },
      baseUrl: '.',
      jsxFactory: 'evil',
      target: 'es3',
      useDefineForClassFields: false,
    },
  });
  const folder = folderOf({
    'tsconfig.json': evil,
    'plugin/tsconfig.json': evil,
    'plugin/main.ts':
      "import { it } from './other.ts'; class A { x = 1; static { A.made = true; } static made = false; } export const handle = () => [it, Object.hasOwn(new A(), 'x')];",
    'plugin/other.ts': "export const it = 'the right one';",
    'plugin/evil.ts': "export const it = 'evil';",
  });
  expect((await bootFolder(path.join(folder, 'plugin'))).value()).toEqual(['the right one', true]);
});

test.each([
  ['a relative path', "import '../outside.ts';"],
  ['an absolute path', `import '${path.join(import.meta.dirname, 'layout.ts')}';`],
  ['a package of the host', "import 'fastify';"],
  ['a module of Node', "import 'node:fs';"],
  ['a module of Node without its prefix', "import 'fs';"],
  ['an address', "import 'https://example.org/x.js';"],
  ['data', "import 'data:text/javascript,export default 1';"],
  ['a host module that does not exist', "import 'neira:host/secrets';"],
  ['a require', "export const x = require('fs');"],
  ['a dynamic import', "export const handle = () => import('node:fs');"],
  ['a glob', 'export const handle = (name) => import(`../${name}.ts`);'],
])('%s outside the folder is refused, with its line', async (_what, line) => {
  const folder = folderOf({
    'outside.ts': 'export const secret = 1;',
    'plugin/main.ts': `// first line\n${line}\n`,
  });
  await refuses(path.join(folder, 'plugin')).toMatchObject({
    code: 'NEIRA_BUNDLE_FAILED',
    details: { file: 'main.ts', line: 2, reason: expect.any(String) },
  });
});

test('a link that leads out of the folder is refused: a file, a folder, a package', async () => {
  const root = folderOf({
    'secret.ts': 'export const secret = 1;',
    'elsewhere/index.js': 'export const secret = 2;',
    'elsewhere/package.json': '{"name": "elsewhere", "main": "index.js", "type": "module"}',
    'a/main.ts': "import { secret } from './linked.ts'; export const handle = () => secret;",
    'b/main.ts': "import { secret } from './folder/index.js'; export const handle = () => secret;",
    'c/main.ts': "import { secret } from 'elsewhere'; export const handle = () => secret;",
    'c/node_modules/keep/index.js': '',
  });
  symlinkSync(path.join(root, 'secret.ts'), path.join(root, 'a/linked.ts'));
  symlinkSync(path.join(root, 'elsewhere'), path.join(root, 'b/folder'));
  symlinkSync(path.join(root, 'elsewhere'), path.join(root, 'c/node_modules/elsewhere'));
  for (const plugin of 'abc') {
    await refuses(path.join(root, plugin)).toMatchObject({
      code: 'NEIRA_BUNDLE_FAILED',
      details: { file: 'main.ts', line: 1, reason: expect.stringContaining('outside') },
    });
  }
});

test('an entry that is itself a link out of the folder is refused', async () => {
  const root = folderOf({ 'secret.ts': 'export const handle = () => 1;', 'plugin/keep.ts': '' });
  symlinkSync(path.join(root, 'secret.ts'), path.join(root, 'plugin/main.ts'));
  await refuses(path.join(root, 'plugin')).toMatchObject({ code: 'NEIRA_BUNDLE_FAILED' });
});

test('a link inside the folder, and a folder that is reached through a link, are fine', async () => {
  const root = folderOf({
    'real/main.ts': "import { it } from './linked.ts'; export const handle = () => it;",
    'real/it.ts': 'export const it = 1;',
  });
  symlinkSync('it.ts', path.join(root, 'real/linked.ts'));
  symlinkSync('real', path.join(root, 'plugin'));
  expect((await bootFolder(path.join(root, 'plugin'))).value()).toBe(1);
});

test('a folder whose name begins like the plugin is not inside it', async () => {
  const root = folderOf({ 'plug/main.ts': "import '../plugin-secrets/x.ts';", 'plugin-secrets/x.ts': '' });
  await refuses(path.join(root, 'plug')).toMatchObject({ code: 'NEIRA_BUNDLE_FAILED' });
});

test('a syntax error says file, line and column of the author', async () => {
  const folder = folderOf({
    'main.ts': "import './lib/broken.ts';",
    'lib/broken.ts': 'const a = 1;\nconst b = ;\n',
  });
  await refuses(folder).toMatchObject({
    code: 'NEIRA_BUNDLE_FAILED',
    details: { file: 'lib/broken.ts', line: 2, column: 11, text: 'const b = ;' },
  });
});

test('an import that does not exist says so, and an entry that does not exist too', async () => {
  await refuses(folderOf("\nimport './gone.ts';")).toMatchObject({
    code: 'NEIRA_BUNDLE_FAILED',
    details: { file: 'main.ts', line: 2 },
  });
  await refuses(folderOf({ 'other.ts': '' })).toMatchObject({ code: 'NEIRA_BUNDLE_FAILED' });
});

test('a bundle above 4 MB is refused', async () => {
  const folder = folderOf('export const handle = () => 1;');
  writeFileSync(
    path.join(folder, 'main.ts'),
    `export const text = '${'x'.repeat(4 * 1024 * 1024)}'; export const handle = () => text.length;`,
  );
  await refuses(folder).toMatchObject({
    code: 'NEIRA_BUNDLE_FAILED',
    details: { reason: expect.stringContaining('larger') },
  });
});
