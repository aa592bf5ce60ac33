import { describe, expect, test } from 'vitest';
import { CARD_BYTES, meterText, run, start } from './test-module.ts';

// A reset copies back the pages whose cards are marked, and the first 16 bytes of the page behind each.

const STORES: readonly (readonly [string, string])[] = [
  ['i32.store', '(i32.const 7)'],
  ['i32.store8', '(i32.const 7)'],
  ['i32.store16', '(i32.const 7)'],
  ['i64.store', '(i64.const 7)'],
  ['i64.store8', '(i64.const 7)'],
  ['i64.store16', '(i64.const 7)'],
  ['i64.store32', '(i64.const 7)'],
  ['f32.store', '(f32.const 7)'],
  ['f64.store', '(f64.const 7)'],
  ['v128.store', '(v128.const i64x2 7 7)'],
  ['v128.store8_lane', '(v128.const i64x2 7 7)'],
  ['v128.store16_lane', '(v128.const i64x2 7 7)'],
  ['v128.store32_lane', '(v128.const i64x2 7 7)'],
  ['v128.store64_lane', '(v128.const i64x2 7 7)'],
];

const storing = (instruction: string, offset: number, value: string) => {
  const lane = instruction.endsWith('_lane') ? ' 0' : '';
  return `(${instruction} offset=${offset}${lane} (local.get 0) ${value})`;
};

describe('a store marks the page where it begins, and nothing else', () => {
  test.each(STORES)('%s', async (instruction, value) => {
    const running = await run(`(module (memory (export "m") 2)
      (func (export "store") (param i32) ${storing(instruction, 0, value)})
      (func (export "further") (param i32) ${storing(instruction, 4097, value)}))`);
    const { exports } = running;
    const before = Buffer.from(exports['m'].buffer.slice(0));
    exports['store'](2 * CARD_BYTES + 5);
    expect(running.marked).toEqual([2]);
    exports['further'](5 * CARD_BYTES - 1);
    expect(running.marked).toEqual([2, 6]);
    const after = Buffer.from(exports['m'].buffer);
    expect(after.subarray(2 * CARD_BYTES, 3 * CARD_BYTES)).not.toEqual(
      before.subarray(2 * CARD_BYTES, 3 * CARD_BYTES),
    );
    expect(after.subarray(0, 2 * CARD_BYTES)).toEqual(before.subarray(0, 2 * CARD_BYTES));
  });
});

describe('a store out of bounds traps as it would, and changes nothing', () => {
  test.each(STORES)('%s', async (instruction, value) => {
    const running = await run(`(module (memory (export "m") 1)
      (func (export "store") (param i32) ${storing(instruction, 0, value)})
      (func (export "wrapped") (param i32) ${storing(instruction, 0xffff_fff0, value)}))`);
    for (const address of [65_536, 1 << 28, -1]) {
      expect(() => running.exports['store'](address)).toThrow('memory access out of bounds');
    }
    expect(() => running.exports['wrapped'](32)).toThrow('memory access out of bounds');
    expect(Buffer.from(running.exports['m'].buffer).every((byte) => byte === 0)).toBe(true);
  });
});

describe('bulk operations mark their whole range', () => {
  const bulk = `(module (memory (export "m") 4) (data $d "${'x'.repeat(9000)}")
    (func (export "fill") (param i32 i32) (memory.fill (local.get 0) (i32.const 1) (local.get 1)))
    (func (export "copy") (param i32 i32) (memory.copy (local.get 0) (i32.const 0) (local.get 1)))
    (func (export "init") (param i32 i32) (memory.init $d (local.get 0) (i32.const 0) (local.get 1))))`;

  test.each(['fill', 'copy', 'init'])('memory.%s', async (name) => {
    for (const [address, length, pages] of [
      [0, 0, []],
      [4095, 1, [0]],
      [4095, 2, [0, 1]],
      [4095, 4097, [0, 1]],
      [4095, 4098, [0, 1, 2]],
      [8192, 8192, [2, 3]],
      [4 * 65_536 - 9000, 9000, [61, 62, 63]],
      [4 * 65_536, 0, []],
    ] as const) {
      const running = await run(bulk);
      running.exports[name](address, length);
      expect(running.marked).toEqual(pages);
    }
  });

  test.each(['fill', 'copy', 'init'])('memory.%s out of bounds traps as it would', async (name) => {
    const running = await run(bulk);
    for (const [address, length] of [
      [4 * 65_536 - 10, 11],
      [-1, 2],
      [5, -3],
      [4 * 65_536 + 1, 0],
    ] as const) {
      expect(() => running.exports[name](address, length)).toThrow('memory access out of bounds');
    }
    expect(Buffer.from(running.exports['m'].buffer).every((byte) => byte === 0)).toBe(true);
  });
});

test('an imported memory is marked by each module that writes to it', async () => {
  const owner = await run(`(module (memory (export "m") 1)
    (func (export "store") (i32.store (i32.const 0) (i32.const 1))))`);
  const other = await run(
    `(module (import "a" "m" (memory 1)) (func (export "store") (i32.store (i32.const 8192) (i32.const 1))))`,
    { a: { m: owner.exports['m'] } },
  );
  expect(other.exports['$neira:memory0']).toBe(owner.exports['$neira:memory0']);
  owner.exports['store']();
  other.exports['store']();
  expect([owner.marked, other.marked]).toEqual([[0], [2]]);
});

test('every mutable global of the module is exported under its own number, and constants are not', async () => {
  const { exports } = await run(
    `(module (import "a" "imported" (global i32)) (memory 1)
      (global $constant i32 (i32.const 5))
      (global $counter (export "counter") (mut i32) (i32.const 40))
      (global $big (mut i64) (i64.const 7))
      (global $copy (mut i32) (global.get 0))
      (func (export "step") (result i32)
        (global.set $counter (i32.add (global.get $counter) (global.get $constant)))
        (global.set $big (i64.const 8))
        (global.get $copy)))`,
    { a: { imported: new WebAssembly.Global({ value: 'i32', mutable: false }, 9) } },
  );
  expect(Object.keys(exports).filter((name) => name.startsWith('$neira:'))).toEqual([
    '$neira:global2',
    '$neira:global3',
    '$neira:global4',
    '$neira:memory0',
    '$neira:cards0',
  ]);
  expect(exports['step']()).toBe(9);
  expect([exports['$neira:global2'].value, exports['$neira:global3'].value]).toEqual([45, 8n]);
  exports['$neira:global2'].value = 40;
  exports['step']();
  expect(exports['counter'].value).toBe(45);
});

describe('a module that changes what cannot be put back says so', () => {
  const table = '(table $t 9 funcref) (elem $e func $f) (func $f)';
  test.each<[string, boolean, string]>([
    ['stores, globals and calls', true, '(memory 1) (func (i32.store (i32.const 0) (i32.const 1)))'],
    ['table.get', true, `${table} (func (drop (table.get $t (i32.const 0))))`],
    ['table.set', false, `${table} (func (table.set $t (i32.const 0) (ref.null func)))`],
    ['table.grow', false, `${table} (func (drop (table.grow $t (ref.null func) (i32.const 1))))`],
    ['table.fill', false, `${table} (func (table.fill $t (i32.const 0) (ref.null func) (i32.const 1)))`],
    ['table.copy', false, `${table} (func (table.copy (i32.const 0) (i32.const 0) (i32.const 1)))`],
    ['table.init', false, `${table} (func (table.init $e (i32.const 0) (i32.const 0) (i32.const 1)))`],
    ['elem.drop', false, `${table} (func (elem.drop $e))`],
    [
      'memory.init',
      true,
      '(memory 1) (data $d "x") (func (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)))',
    ],
    ['data.drop', false, '(memory 1) (data $d "x") (func (data.drop $d))'],
    ['a vector in a mutable global', false, '(global (mut v128) (v128.const i64x2 0 0))'],
    ['a vector in a constant', true, '(global v128 (v128.const i64x2 0 0))'],
  ])('%s', async (_, resettable, fields) => {
    const module = await meterText(`(module ${fields})`);
    expect(module.resettable).toBe(resettable);
    start(module);
  });
});
