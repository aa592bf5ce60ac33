import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import { describe, expect, test } from 'vitest';
import { remedyFor } from '../../../errors.ts';
import { buildComponent } from './build-component.ts';
import { componentOfText, componentOfWorld, echoText, LIMITS, refusalOf } from './test-components.ts';

const good = await componentOfText(echoText());

/** What HOST-14 asks of every kind of bad file: a code of its own, and words that help. */
describe('a file that is no component is refused by what it is', () => {
  test.each([
    ['text of a component', '(component)', 'WebAssembly text (WAT), which is to be assembled first'],
    [
      'text of a module',
      ';; mine\n (module (func))',
      'WebAssembly text (WAT), which is to be assembled first',
    ],
    ['a Linux program', '\x7fELF\x02\x01\x01', 'an ELF program'],
    ['a Windows program', 'MZ\x90\0\x03', 'a Windows program'],
    ['a script', 'export function handle() {}', 'source text'],
    ['nothing', '', 'empty'],
    ['noise', '\x01\x02\0\xfe', 'a file of an unknown kind'],
  ])('%s', async (_, content, found) => {
    const refused = await refusalOf(Buffer.from(content, 'latin1'));
    expect(refused).toMatchObject({ code: 'NEIRA_COMPONENT_NOT_WASM', details: { found } });
  });

  test('a core module', async () => {
    const refused = await refusalOf(await parse('(module)'));
    expect(refused.code).toBe('NEIRA_COMPONENT_CORE_MODULE');
    expect(remedyFor('NEIRA_COMPONENT_CORE_MODULE', {})).toContain('wasm-tools component new');
  });

  test('a version of the format that is not known', async () => {
    const bytes = Buffer.from(good);
    bytes[4] = 0x0e;
    expect(await refusalOf(bytes)).toMatchObject({
      code: 'NEIRA_COMPONENT_UNSUPPORTED',
      message: expect.stringContaining('version 14 of layer 1'),
    });
  });

  test('a file that was cut off', async () => {
    const refused = await refusalOf(good.subarray(0, good.length - 5));
    expect(refused).toMatchObject({ code: 'NEIRA_COMPONENT_TRUNCATED', details: { bytes: good.length - 5 } });
  });

  test('a file that is too large', async () => {
    expect(await refusalOf(good, { maxBytes: 100 })).toMatchObject({
      code: 'NEIRA_COMPONENT_TOO_LARGE',
      details: { bytes: good.length, maxBytes: 100 },
    });
  });
});

// HOST-11: nothing of the world but what the host gives.
describe('imports', () => {
  test('all that are forbidden are named at once, with what to do', async () => {
    const bytes = await componentOfText(
      echoText({
        before: ['filesystem/types@0.2.0', 'sockets/tcp@0.2.0', 'cli/environment@0.2.3']
          .map((name) => `(import "wasi:${name}" (instance))`)
          .join(''),
      }),
    );
    const refused = await refusalOf(bytes);
    expect(refused).toMatchObject({
      code: 'NEIRA_COMPONENT_IMPORTS',
      details: {
        count: 3,
        imports: ['wasi:filesystem/types@0.2.0', 'wasi:sockets/tcp@0.2.0', 'wasi:cli/environment@0.2.3'],
      },
    });
    expect(remedyFor('NEIRA_COMPONENT_IMPORTS', refused.details)).toContain('neira build');
  });

  test.each([
    [
      'a typing error',
      'neira:host/storrage@1.0.0',
      /not provided by this host \(has: neira:host\/\w+@1\.0\.0, /,
    ],
    ['a newer version', 'neira:host/storage@1.4.0', /in that version \(has: neira:host\/storage@1\.0\.0\)/],
    ['another major version', 'neira:host/storage@0.1.0', /in that version/],
    ['no version', 'neira:host/storage', /in that version/],
    ['a package that looks alike', 'neira:hosts/storage@1.0.0', /is not given to plugins/],
    ['a later WASI', 'wasi:random/random@0.3.0', /in that version \(has: 0\.2\)/],
  ])('%s is refused as that', async (_, name, reason) => {
    const refused = await refusalOf(
      await componentOfText(echoText({ before: `(import "${name}" (instance))` })),
    );
    expect(refused.code).toBe('NEIRA_COMPONENT_IMPORTS');
    expect(refused.message).toContain(name);
    expect(refused.message).toMatch(reason);
  });

  test('a function that belongs to no interface is refused', async () => {
    const refused = await refusalOf(await componentOfText(echoText({ before: '(import "spawn" (func))' })));
    expect(refused).toMatchObject({ code: 'NEIRA_COMPONENT_IMPORTS', details: { imports: ['spawn'] } });
  });

  test('an interface of ours with a function that it does not have is a wrong world', async () => {
    const lie = '(import "neira:host/timer@1.0.0" (instance (export "stop" (func))))';
    const refused = await refusalOf(await componentOfText(echoText({ before: lie })));
    expect(refused.code).toBe('NEIRA_COMPONENT_WORLD');
    expect(refused.message).toContain('neira:host/timer@1.0.0');
    expect(refused.message).toContain('stop');
  });

  test('a resource of inert WASI that claims to be another is a wrong world', async () => {
    const lie = `(import "wasi:io/error@0.2.0" (instance (export "pollable" (type (sub resource)))))`;
    expect((await refusalOf(await componentOfText(echoText({ before: lie })))).code).toBe(
      'NEIRA_COMPONENT_WORLD',
    );
  });
});

// HOST-10: only a component that satisfies the WIT is loaded.
describe('the world', () => {
  test('a component without handle is refused with what it exports instead', async () => {
    const refused = await refusalOf(await componentOfWorld('export handel: func(text: string);'));
    expect(refused).toMatchObject({
      code: 'NEIRA_COMPONENT_WORLD',
      details: { expected: 'handle: func(input-json: string) -> result<string, string>', found: 'handel' },
    });
  });

  test.each([
    ['another parameter', { param: '"text" string' }, 'handle: func(text: string) -> result<string, string>'],
    [
      'another result',
      { result: '(result string (error (tuple u32 u32)))' },
      'handle: func(input-json: string) -> result<string, tuple<u32, u32>>',
    ],
  ])('handle with %s is refused, and both types are shown', async (_, change, found) => {
    const refused = await refusalOf(await componentOfText(echoText(change)));
    expect(refused).toMatchObject({ code: 'NEIRA_COMPONENT_WORLD', details: { found } });
    expect(refused.message).toContain(found);
    expect(refused.message).toContain('handle: func(input-json: string) -> result<string, string>');
  });

  test('prepare of another type is refused', async () => {
    const refused = await refusalOf(await componentOfWorld('include plugin; export prepare: func() -> u32;'));
    expect(refused).toMatchObject({
      code: 'NEIRA_COMPONENT_WORLD',
      details: { expected: 'prepare: func() -> result<_, string>', found: 'prepare: func() -> u32' },
    });
  });

  test('an asynchronous handle is of another type', async () => {
    const refused = await refusalOf(await componentOfWorld('export handle: async func(input-json: string);'));
    expect(refused).toMatchObject({
      code: 'NEIRA_COMPONENT_WORLD',
      details: { found: 'handle: async func(input-json: string)' },
    });
  });
});

// What waits is a plain function in our world; the rest of asynchrony is state in the host that nobody bounds.
test.each([
  ['a waitable set', '(canon waitable-set.new)'],
  ['a task that ends itself', '(canon task.cancel)'],
  ['a stream', '(canon stream.new 0)'],
])('an asynchronous built-in is refused: %s', async (_, canonical) => {
  const before = `(type (stream u8)) (core func ${canonical})`;
  const refused = await refusalOf(await componentOfText(echoText({ before })));
  expect(refused.code).toBe('NEIRA_COMPONENT_UNSUPPORTED');
  expect(refused.message).toContain('asynchronous built-ins');
});

// HOST-12, HOST-25: what a module may ask for.
describe('core modules', () => {
  test.each([
    ['too much memory', '(memory 2000)', 'NEIRA_COMPONENT_LIMITS'],
    ['shared memory', '(memory 1 2 shared)', 'NEIRA_COMPONENT_UNSUPPORTED'],
    ['64-bit memory', '(memory i64 1)', 'NEIRA_COMPONENT_UNSUPPORTED'],
    ['a huge table', '(table 9000000 funcref)', 'NEIRA_COMPONENT_LIMITS'],
    ['managed objects', '(type (struct (field i32)))', 'NEIRA_COMPONENT_UNSUPPORTED'],
    ['exceptions', '(tag)', 'NEIRA_COMPONENT_UNSUPPORTED'],
  ])('%s', async (_, field, code) => {
    const bytes = await componentOfText(
      echoText({
        before: `(core module $extra ${field}) (core instance (instantiate $extra))`,
      }),
    );
    expect((await refusalOf(bytes)).code).toBe(code);
  });

  test('too many of them', async () => {
    const before = '(core module)'.repeat(33);
    expect(await refusalOf(await componentOfText(echoText({ before })))).toMatchObject({
      code: 'NEIRA_COMPONENT_TOO_MANY_PARTS',
      details: { what: 'core modules', max: 32 },
    });
  });

  test('too many instances of them', async () => {
    const before = `(core module $x) ${'(core instance (instantiate $x))'.repeat(65)}`;
    expect(await refusalOf(await componentOfText(echoText({ before })))).toMatchObject({
      code: 'NEIRA_COMPONENT_TOO_MANY_PARTS',
      details: { what: 'core instances', max: 64 },
    });
  });
});

test('a component that is not valid is refused with the reason of the validator', async () => {
  const refused = await refusalOf(
    await componentOfText(
      '(component (core module $m) (core instance (instantiate $m)) (func $h (canon lift (core func 7))) (export "handle" (func $h)))',
    ),
  );
  expect(refused.code).toBe('NEIRA_COMPONENT_CORRUPT');
  expect(refused.message).toContain('core function');
});

test('an analysis that takes too long is ended, and the next component is built', async () => {
  expect(await refusalOf(good, { timeoutMs: 0 })).toMatchObject({
    code: 'NEIRA_COMPONENT_TOO_COMPLEX',
    message: expect.stringContaining('longer than 0 ms'),
  });
  expect((await buildComponent(good, LIMITS)).facts.exports).toEqual(['handle']);
});
