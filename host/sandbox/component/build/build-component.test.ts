import { expect, test } from 'vitest';
import { packComponent, unpackComponent } from '../built-component.ts';
import { buildComponent } from './build-component.ts';

import { componentOfText, componentOfWorld, echoText, instanceOf, LIMITS } from './test-components.ts';

// HOST-10: a component that satisfies the WIT runs.
test('a component of the world plugin is built, and its handle answers', async () => {
  const built = await buildComponent(await componentOfText(echoText()), LIMITS);
  expect(built.facts).toMatchObject({
    exports: ['handle'],
    prepares: false,
    coreModules: 1,
    coreInstances: 1,
  });
  const instance = instanceOf(built);
  expect(await instance.handle('{"text":"Привет"}')).toBe('{"text":"Привет"}');
});

test('a component that imports all host functions is built, and its glue asks for just these', async () => {
  const built = await buildComponent(await componentOfWorld('include plugin;'), LIMITS);
  expect(built.facts.imports).toEqual([
    'neira:host/bus',
    'neira:host/intl',
    'neira:host/io',
    'neira:host/principals',
    'neira:host/storage',
    'neira:host/timer',
  ]);
});

test('a component that exports prepare is known by it', async () => {
  const built = await buildComponent(await componentOfWorld('include prepared-plugin;'), LIMITS);
  expect(built.facts).toMatchObject({ prepares: true, exports: ['handle', 'prepare'] });
});

test('clocks, random and standard output of WASI may be imported, of any version 0.2', async () => {
  const inert = [
    'clocks/wall-clock',
    'clocks/monotonic-clock',
    'random/random',
    'random/insecure',
    'random/insecure-seed',
    'cli/stdout',
    'cli/stderr',
  ];
  const world = `include plugin; ${inert.map((name) => `import wasi:${name}@0.2.12;`).join(' ')}`;
  const newest = Buffer.from(await componentOfWorld(world));
  const built = await buildComponent(newest, LIMITS);
  expect(built.facts.imports).toEqual(expect.arrayContaining(inert.map((name) => `wasi:${name}`)));
});

test('an import of an older version than that of the host is given', async () => {
  const older = await componentOfText(
    echoText({
      before: `(import "wasi:random/random@0.2.0" (instance $random
        (export "get-random-u64" (func (result u64)))))
        (core func $u64 (canon lower (func $random "get-random-u64")))
        (core instance $args (export "u64" (func $u64)))`,
      fields: '(import "random" "u64" (func (result i64)))',
      withs: '(with "random" (instance $args))',
    }),
  );
  const built = await buildComponent(older, LIMITS);
  expect(built.facts.imports).toEqual(['wasi:random/random']);
  const instance = instanceOf(built, { 'wasi:random/random': { getRandomU64: () => 4n } });
  expect(await instance.handle('"x"')).toBe('"x"');
});

test('an export that nobody asked for is hidden', async () => {
  const stray = 'export stray-thing: func(text: string) -> result<_, string>;';
  const built = await buildComponent(await componentOfWorld(`include plugin; ${stray}`), LIMITS);
  expect(built.facts.exports).toEqual(['handle']);
  expect(/stray-?thing/i.test(built.glue)).toBe(false);
});

// Versions are named by their digest.
test('two builds of the same bytes are the same text', async () => {
  const bytes = await componentOfWorld('include prepared-plugin; import wasi:cli/stdout@0.2.12;');
  const first = packComponent(await buildComponent(bytes, LIMITS));
  const second = packComponent(await buildComponent(bytes, LIMITS));
  expect(second).toBe(first);
  expect(packComponent(unpackComponent(first))).toBe(first);
});

test('what the glue prints for those who debug jco is gone, and so is its way to the process', async () => {
  const built = await buildComponent(await componentOfWorld('include plugin;'), LIMITS);
  const leftovers = ['console', 'process', '_debugLog', 'import(', 'require('];
  expect(leftovers.filter((word) => built.glue.includes(word))).toEqual([]);
  expect(built.glue.slice(0, 13)).toBe("'use strict';");
});
