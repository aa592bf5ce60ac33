import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import { describe, expect, test } from 'vitest';
import { meterModule } from './meter.ts';
import { LIMITS, meterText, refusalOf, start } from './test-module.ts';

// HOST-12, HOST-25: what a module may use, how much, and under which names.

describe('a feature off the list is refused in plain words', () => {
  test.each([
    ['shared memory', '(memory 1 2 shared)', 'shared memory'],
    ['64-bit memory', '(memory i64 1)', 'memory64'],
    ['a 64-bit table', '(table i64 1 funcref)', 'table64'],
    ['a page size of its own', '(memory 1 (pagesize 1))', 'page size'],
    ['two memories', '(memory 1) (memory 1)', 'more than one memory'],
    ['an imported memory beside its own', '(import "a" "m" (memory 1)) (memory 1)', 'more than one memory'],
    ['a struct', '(type (struct (field i32)))', 'wasm GC'],
    ['an array', '(type (array i8))', 'wasm GC'],
    ['recursive types', '(rec (type (func)) (type (func)))', 'wasm GC'],
    ['an extensible type', '(type (sub (func)))', 'wasm GC'],
    ['i31', '(func (drop (ref.i31 (i32.const 1))))', 'wasm GC'],
    ['anyref', '(func (param anyref))', 'wasm GC'],
    ['a null of a type of GC', '(func (drop (ref.null any)))', 'wasm GC'],
    ['ref.eq', '(func (drop (ref.eq (ref.null none) (ref.null none))))', 'wasm GC'],
    ['a typed reference', '(type $f (func)) (func (param (ref null $f)))', 'typed function references'],
    ['call_ref', '(type $f (func)) (func (param funcref) unreachable call_ref $f)', 'call_ref'],
    ['return_call_ref', '(type $f (func)) (func unreachable return_call_ref $f)', 'call_ref'],
    ['br_on_null', '(func (br_on_null 0 unreachable) drop)', 'typed function references'],
    ['a tag', '(tag)', 'exception handling'],
    ['an imported tag', '(import "a" "t" (tag))', 'exception handling'],
    ['try_table', '(func (try_table))', 'exception handling'],
    ['legacy try', '(func try end)', 'exception handling'],
    ['exnref', '(func (local exnref))', 'exception references'],
    ['a fence', '(func atomic.fence)', 'threads'],
    ['relaxed SIMD', '(func (drop (i8x16.relaxed_swizzle unreachable)))', 'relaxed SIMD'],
    ['a continuation', '(type $f (func)) (type (cont $f))', 'type form 0x5d'],
    ['wide arithmetic', '(func (drop (i64.add128 unreachable)))', 'opcode 0xfc'],
    ['a table with an initialiser', '(table 1 funcref (ref.null func))', 'initialiser'],
    ['a memory that an instruction names', '(memory 1) (memory $b 1)', 'more than one memory'],
  ])('%s', async (_, fields, words) => {
    const refusal = await refusalOf(`(module ${fields})`);
    expect(refusal).toMatchObject({ kind: 'unsupported', reason: expect.stringContaining(words) });
    expect(refusal.reason).toMatch(/byte \d+/);
  });
});

describe('a module may not ask for more than its limits', () => {
  test.each([
    ['a memory that starts above them', '(memory 65)', '4259840 bytes; 4194304 are allowed'],
    ['an imported memory that does', '(import "a" "m" (memory 65))', '4259840 bytes; 4194304 are allowed'],
    ['a table that starts above them', '(table 1001 funcref)', '1001 elements; 1000 are allowed'],
    ['tables that do together', '(table 600 funcref) (table 600 funcref)', '1200 elements; 1000 are allowed'],
    ['too many tables', '(table 1 funcref)'.repeat(17), '17 tables'],
    ['too many locals', `(func ${'(local i32)'.repeat(49_001)})`, 'locals'],
    ['too many parameters', `(func (param ${'i32 '.repeat(1001)}))`, '1001 parameters'],
    [
      'blocks that are nested too deep',
      `(func ${'block '.repeat(20_000)} ${'end '.repeat(20_000)})`,
      'nested',
    ],
  ])('%s', async (_, fields, words) => {
    expect(await refusalOf(`(module ${fields})`)).toMatchObject({
      kind: 'limits',
      reason: expect.stringContaining(words),
    });
  });

  test('a memory without a maximum, or with a larger one, gets the cap', async () => {
    for (const declared of ['(memory (export "m") 1)', '(memory (export "m") 1 65536)']) {
      const { exports } = start(await meterText(`(module ${declared})`));
      expect(exports['m'].grow(63)).toBe(1);
      expect(() => exports['m'].grow(1)).toThrow(RangeError);
    }
  });

  test('a smaller maximum stays, and a table gets its cap', async () => {
    const module = await meterText('(module (memory (export "m") 1 2) (table (export "t") 1 funcref))');
    const { exports } = start(module);
    expect(exports['m'].grow(1)).toBe(1);
    expect(() => exports['m'].grow(1)).toThrow(RangeError);
    expect(exports['t'].grow(999)).toBe(1);
    expect(() => exports['t'].grow(1)).toThrow(RangeError);
  });
});

describe('names that could leave a string of generated JavaScript, or clash with the host, are refused', () => {
  test.each([
    ['a quote', `(func (export "a'b"))`],
    ['a backtick', '(func (export "`"))'],
    ['a backslash', '(func (export "a\\\\b"))'],
    ['a brace', '(func (export "${x}"))'],
    ['a line end', '(func (export "a\\0ab"))'],
    ['the end of a comment', '(func (export "a*/b"))'],
    ['a letter beyond ASCII', '(func (export "ы"))'],
    ['513 characters', `(func (export "${'a'.repeat(513)}"))`],
    ['in a module that is imported', `(import "a\\"" "b" (func))`],
    ['in what is imported', `(import "a" "b;" (func))`],
    ['the fuel', '(import "neira" "fuel" (global (mut i64)))'],
    ['anything else of the host', '(import "neira" "other" (func))'],
    ['a module in the host’s names', '(import "$neira:x" "y" (func))'],
    ['an export in the host’s names', '(func (export "$neira:global0"))'],
  ])('%s', async (_, field) => {
    expect(await refusalOf(`(module ${field})`)).toMatchObject({ kind: 'name' });
  });

  test('the names that components use pass', async () => {
    const module = await meterText(`(module
      (import "neira:host/storage@1.0.0" "get" (func))
      (import "$root" "[async-lower][task-return]run" (func))
      (func (export "cm32p2|wasi:io/poll@0.2.0|[method]pollable.ready")))`);
    expect(WebAssembly.validate(Uint8Array.from(module.bytes))).toBe(true);
  });
});

describe('a module cannot reach what the rewriter adds', () => {
  const body = (...code: number[]) =>
    Uint8Array.from([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1],
      ...[10, code.length + 4, 1, code.length + 2, 0, ...code, 0x0b],
    ]);

  test.each([
    ['a scratch local', [0x20, 0, 0x1a], 'no local 0'],
    ['the fuel', [0x23, 0, 0x1a], 'no global 0'],
    ['a helper', [0x41, 0, 0x40, 0, 0x10, 1, 0x1a], 'no function 1'],
    ['the type of a helper', [0x02, 1, 0x0b], 'no type 1'],
    ['the cards by memory.size', [0x3f, 1, 0x1a], 'more than one memory'],
    ['the cards by a store', [0x41, 0, 0x41, 0, 0x3a, 0x40, 1, 0], 'more than one memory'],
    ['the cards by memory.fill', [0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 11, 1], 'more than one memory'],
  ])('%s', async (_, code, words) => {
    expect((await refusalOf(body(...code))).reason).toContain(words);
  });
});

test('custom sections are dropped', async () => {
  const module = await meterText('(module (@custom "producers" "who made it") (func $named))');
  expect(module.bytes.includes('producers')).toBe(false);
  expect(module.bytes.includes('named')).toBe(false);
});

test('rewriting twice gives the same bytes, and a rewritten module is not taken for a plain one', async () => {
  const plain = await parse(
    '(module (memory 1) (func (export "f") (i32.store (i32.const 0) (i32.const 1))))',
  );
  const once = meterModule(plain, LIMITS);
  expect(meterModule(plain, LIMITS).bytes.equals(once.bytes)).toBe(true);
  expect(await refusalOf(once.bytes)).toMatchObject({ kind: 'name' });
});
