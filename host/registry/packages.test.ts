// HOST-15, HOST-27: a plugin of a monorepo has its packages from above, and its tree is whole.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bundlePlugin } from '../sandbox/quickjs/bundle.ts';
import { digestOf, sourceFromFolder } from './source.ts';

let root: string;
let plugin: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'neira-packages-'));
  plugin = join(root, 'plugins', 'one');
  write('plugins/one/manifest.yaml', 'id: one');
});
afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, content: string | object): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
}

const packaged = (at: string, name: string, code: string, dependencies: object = {}) => {
  write(`${at}/package.json`, { name, version: '1.0.0', main: 'index.js', dependencies });
  write(`${at}/index.js`, code);
};

const needs = (...names: string[]) =>
  write('plugins/one/package.json', {
    dependencies: Object.fromEntries(names.map((name) => [name, '1.0.0'])),
  });

const taken = async () => {
  const { files } = await sourceFromFolder(plugin);
  return [...files.keys()].filter((path) => path.startsWith('node_modules/')).sort();
};

test('what it names is taken along with what that needs, and nothing else', async () => {
  packaged('node_modules/a', 'a', `import b from 'b'; export default b + 1;`, { b: '1' });
  packaged('node_modules/b', 'b', 'export default 1;');
  packaged('node_modules/c', 'c', 'export default 1;');
  write('node_modules/a/README.md', 'long');
  write('node_modules/a/index.js.map', '{}');
  write('node_modules/a/LICENSE', 'MIT');
  needs('a');
  expect(await taken()).toEqual([
    'node_modules/a/LICENSE',
    'node_modules/a/index.js',
    'node_modules/a/package.json',
    'node_modules/b/index.js',
    'node_modules/b/package.json',
  ]);
});

test('two versions of one package lie apart, and links are followed to where they lead', async () => {
  packaged('node_modules/a', 'a', '', { b: '2' });
  packaged('node_modules/a/node_modules/b', 'b', '2');
  packaged('elsewhere/b', 'b', '1');
  symlinkSync(join(root, 'elsewhere/b'), join(root, 'node_modules/b'));
  needs('a', 'b');
  expect(await taken()).toEqual([
    'node_modules/a/index.js',
    'node_modules/a/node_modules/b/index.js',
    'node_modules/a/node_modules/b/package.json',
    'node_modules/a/package.json',
    'node_modules/b/index.js',
    'node_modules/b/package.json',
  ]);
});

test('its own `node_modules` comes first, and without package.json nothing comes from above', async () => {
  packaged('node_modules/a', 'a', 'above');
  expect(await taken()).toEqual([]);
  packaged('plugins/one/node_modules/a', 'a', 'own');
  needs('a');
  const { files } = await sourceFromFolder(plugin);
  expect(String(files.get('node_modules/a/index.js'))).toBe('own');
});

test('one that is not installed, and what is no name of a package, is refused by name', async () => {
  needs('gone');
  await expect(sourceFromFolder(plugin)).rejects.toMatchObject({
    code: 'NEIRA_SOURCE_REFUSED',
    details: { entry: 'gone' },
  });
  needs('../../etc');
  await expect(sourceFromFolder(plugin)).rejects.toMatchObject({
    details: { reason: expect.stringContaining('no name') },
  });
});

test('the digest follows a package that changes', async () => {
  packaged('node_modules/a', 'a', 'export default 1;');
  needs('a');
  const before = digestOf(await sourceFromFolder(plugin));
  expect(digestOf(await sourceFromFolder(plugin))).toBe(before);
  await new Promise((resolve) => setTimeout(resolve, 20));
  packaged('node_modules/a', 'a', 'export default 2;');
  expect(digestOf(await sourceFromFolder(plugin))).not.toBe(before);
});

test('the bundle has what is named, and cannot reach its neighbour', async () => {
  packaged('node_modules/a', 'a', 'export default 41;');
  packaged('node_modules/b', 'b', 'export default 1;');
  needs('a');
  write('plugins/one/main.ts', `import a from 'a'; export const handle = () => a + 1;`);
  const { packages } = await sourceFromFolder(plugin);
  expect((await bundlePlugin(plugin, 'main.ts', packages)).code).toContain('41');
  write('plugins/one/main.ts', `import b from 'b'; export const handle = () => b;`);
  await expect(bundlePlugin(plugin, 'main.ts', packages)).rejects.toMatchObject({
    code: 'NEIRA_BUNDLE_FAILED',
  });
});
