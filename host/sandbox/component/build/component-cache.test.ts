import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { packComponent } from '../built-component.ts';
import { buildComponent } from './build-component.ts';
import type { CacheOptions } from './component-cache.ts';
import { componentOfText, echoText, instanceOf, LIMITS } from './test-components.ts';

const bytes = await componentOfText(echoText());
let folder: string;
let troubles: string[];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'neira-components-'));
  troubles = [];
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function build(which: Uint8Array = bytes, more: Partial<CacheOptions> & { maxMemoryBytes?: number } = {}) {
  const { maxMemoryBytes = LIMITS.maxMemoryBytes, ...bounds } = more;
  const report = (trouble: string) => troubles.push(trouble);
  return buildComponent(which, { maxMemoryBytes, cache: { folder, report, ...bounds } });
}

const entries = () => readdirSync(folder).sort();
const entry = () => path.join(folder, entries()[0]!);
/** A build that is taken from the cache does not analyse: it needs no time for it. */
const fromCache = () =>
  buildComponent(bytes, {
    ...LIMITS,
    timeoutMs: 0,
    cache: { folder, report: (trouble) => troubles.push(trouble) },
  });

test('a build is kept, and taken again without an analysis', async () => {
  const first = await build();
  expect(entries()).toHaveLength(1);
  const second = await fromCache();
  expect(packComponent(second) === packComponent(first)).toBe(true);
  expect(await instanceOf(second).handle('"x"')).toBe('"x"');
});

test('other bytes and other limits are other builds', async () => {
  await build();
  await build(bytes, { maxMemoryBytes: 1024 * 1024 });
  await build(await componentOfText(echoText({ before: '(core module)' })));
  expect(entries()).toHaveLength(3);
});

test.each([
  ['cut off', (text: string) => text.slice(0, -100)],
  ['changed in one place', (text: string) => text.replace('instantiate', 'instantiatE')],
  ['empty', () => ''],
  ['something else', () => '{}'],
])('an entry that is %s is not used but written anew', async (_, damage) => {
  const built = await build();
  const whole = readFileSync(entry(), 'utf8');
  writeFileSync(entry(), damage(whole));
  await expect(fromCache()).rejects.toMatchObject({ code: 'NEIRA_COMPONENT_TOO_COMPLEX' });
  expect(packComponent(await build()) === packComponent(built)).toBe(true);
  expect(readFileSync(entry(), 'utf8') === whole).toBe(true);
});

test('the entry of another component under this name is not used', async () => {
  await build();
  const name = entry();
  rmSync(name);
  await build(await componentOfText(echoText({ before: '(core module)' })));
  renameSync(entry(), name);
  await expect(fromCache()).rejects.toMatchObject({ code: 'NEIRA_COMPONENT_TOO_COMPLEX' });
});

test('past the bounds the entries go that were not used for longest', async () => {
  const components = await Promise.all(
    [1, 2, 3].map((count) => componentOfText(echoText({ before: '(core module)'.repeat(count) }))),
  );
  await build(components[0]);
  const [oldest] = entries();
  const longAgo = new Date(Date.now() - 60_000);
  utimesSync(entry(), longAgo, longAgo);
  await build(components[1], { maxEntries: 2 });
  await build(components[2], { maxEntries: 2 });
  expect(entries()).toHaveLength(2);
  expect(entries()).not.toContain(oldest);
  await build(bytes, { maxTotalBytes: 1000 });
  expect(entries()).toHaveLength(1);
});

test('a folder that cannot be written costs the cache, not the build', async () => {
  rmSync(folder, { recursive: true });
  writeFileSync(folder, 'a file');
  const built = await build();
  expect(built.facts.exports).toEqual(['handle']);
  expect(troubles.join()).toContain(folder);
});

test('a folder in the place of an entry is reported, and the component is built', async () => {
  await build();
  const name = entry();
  rmSync(name);
  mkdirSync(name);
  expect((await build()).facts.exports).toEqual(['handle']);
  expect(troubles).toHaveLength(2);
  expect(readdirSync(folder)).toEqual([path.basename(name)]);
});

test('what is refused is not kept', async () => {
  await expect(build(Buffer.from('(module)'))).rejects.toMatchObject({ code: 'NEIRA_COMPONENT_NOT_WASM' });
  expect(entries()).toEqual([]);
});
