import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ModuleRefused, meterModule } from './meter.ts';
import { meterText, refusalOf, start } from './test-module.ts';
import { program } from './test-programs.ts';

/** NEIRA_TEST_SEED runs what failed again; vitest prints the seed of a failure. */
const SEED = Number(process.env['NEIRA_TEST_SEED'] ?? Date.now() % 2 ** 31);
const WIDE = { maxMemoryBytes: 64 << 20, maxTableElements: 100_000 };

const require = createRequire(import.meta.url);
const vendor = path.resolve(
  path.dirname(require.resolve('@bytecodealliance/jco-transpile/wasm-tools')),
  '../vendor',
);

const EVERYTHING = `(module
  (type $unary (func (param i32) (result i32)))
  (import "env" "call" (func $imported (type $unary)))
  (import "env" "base" (global $base i32))
  (memory (export "memory") 1)
  (table $table (export "table") 4 funcref)
  (global $top (export "top") (mut i32) (i32.add (global.get $base) (i32.const 8)))
  (elem (table $table) (global.get $base) func $double $wide)
  (elem $passive funcref (ref.func $double) (ref.null func))
  (elem declare func $wide)
  (data (i32.const 16) "text") (data $later "later")
  (func $double (type $unary) (i32.mul (local.get 0) (i32.const 2)))
  (func $wide (type $unary) (local $v v128)
    (local.set $v (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (local.get $v) (v128.const i32x4 1 2 3 4)))
    (v128.store offset=64 (local.get 0) (local.get $v))
    (i32x4.extract_lane 1 (local.get $v)))
  (func (export "run") (type $unary) (local i64 f32 f64 externref)
    (memory.init $later (i32.const 0) (i32.const 0) (i32.const 5))
    (memory.copy (i32.const 100) (i32.const 0) (i32.const 5))
    (block $a (block $b (loop $c (br_table $a $b $c (local.get 0)))))
    (i64.store (local.get 0) (i64.trunc_sat_f64_s (f64.const 1.5)))
    (drop (select (result funcref) (ref.func $wide) (ref.null func) (local.get 0)))
    (return_call_indirect $table (type $unary) (call $imported (local.get 0)) (i32.const 0)))
  (start $begin) (func $begin (global.set $top (i32.const 9))))`;

/** Whatever is done with the bytes, they are refused or rewritten; V8 takes or refuses the result, and that is all. */
function survives(bytes: Uint8Array): 'refused' | 'invalid' | 'valid' {
  try {
    const { bytes: rewritten } = meterModule(bytes, WIDE);
    return WebAssembly.validate(rewritten) ? 'valid' : 'invalid';
  } catch (error) {
    expect(error).toBeInstanceOf(ModuleRefused);
    expect((error as ModuleRefused).reason.length).toBeLessThan(300);
    return 'refused';
  }
}

test('a module of every feature on the list runs as it would', async () => {
  const module = await meterText(EVERYTHING);
  const base = new WebAssembly.Global({ value: 'i32', mutable: false }, 0);
  const { exports, marked } = start(module, { env: { call: (value: number) => value + 1, base } });
  expect(marked).toEqual([]);
  expect(exports['run'](1)).toBe(4);
  expect(exports['top'].value).toBe(9);
  expect(Buffer.from(exports['memory'].buffer).toString('latin1', 100, 105)).toBe('later');
});

test('a module cut off anywhere is refused', async () => {
  const bytes = await parse(EVERYTHING);
  const sectionEnds = new Set<string>();
  for (let length = 0; length < bytes.length; length++) {
    const fate = survives(bytes.subarray(0, length));
    // Between two sections what is left may be a whole module.
    if (fate !== 'refused') sectionEnds.add(`${length}`);
  }
  expect(sectionEnds.size).toBeLessThan(12);
});

test('no byte that is changed makes the rewriter fail, and hardly any makes it pass what V8 would refuse', async () => {
  const bytes = await parse(EVERYTHING);
  const fates = { refused: 0, invalid: 0, valid: 0 };
  for (let place = 0; place < bytes.length; place++) {
    for (const value of [
      0,
      1,
      0x7f,
      0x80,
      0xff,
      bytes[place]! ^ 1,
      bytes[place]! ^ 0x40,
      bytes[place]! + 1,
    ]) {
      const changed = Uint8Array.from(bytes);
      changed[place] = value;
      const fate = survives(changed);
      // What V8 refuses as it came it refuses as it is rewritten, unless the change was in a dropped section.
      if (fate === 'valid') expect(WebAssembly.validate(changed)).toBe(true);
      fates[fate]++;
    }
  }
  expect(fates.refused).toBeGreaterThan(500);
  expect(fates.valid).toBeGreaterThan(50);
});

test('random damage to random programs', async () => {
  await fc.assert(
    fc.asyncProperty(
      program,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      async (text, changes) => {
        const bytes = Uint8Array.from(await parse(text));
        for (const [place, value] of changes) bytes[8 + (place % (bytes.length - 8))] = value;
        if (survives(bytes) === 'valid') expect(WebAssembly.validate(bytes)).toBe(true);
      },
    ),
    { seed: SEED, numRuns: 80 },
  );
});

test('lies about lengths are found before anything is kept for them', async () => {
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
  for (let section = 0; section <= 13; section++) {
    const listed = Uint8Array.from([...header, section, huge.length, ...huge]);
    expect((await refusalOf(listed)).kind).toMatch(/malformed|unsupported|limits/);
    expect((await refusalOf(Uint8Array.from([...header, section, ...huge]))).kind).toMatch(
      /malformed|unsupported/,
    );
  }
  const locals = [1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 10, 1, 8, 1, ...huge, 0x7f, 0x0b];
  expect(await refusalOf(Uint8Array.from([...header, ...locals]))).toMatchObject({ kind: 'limits' });
});

test.each([
  ['no bytes', []],
  ['text', [...Buffer.from('(module)')]],
  ['a component', [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]],
  ['an unknown section', [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 99, 0]],
  ['a section that stands twice', [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 1, 0, 1, 1, 0]],
  ['sections out of order', [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 3, 1, 0, 1, 1, 0]],
  ['bytes behind a list', [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 2, 0, 0]],
])('%s is no module', async (_, bytes) => {
  expect((await refusalOf(Uint8Array.from(bytes))).reason).not.toBe('');
});

test.each([
  [
    'the QuickJS of script plugins',
    require.resolve('@jitl/quickjs-wasmfile-release-sync').replace(/index\.\w+$/, 'emscripten-module.wasm'),
  ],
  ['wasm-tools', path.join(vendor, 'wasm-tools.core.wasm')],
  ['the generator of bindings', path.join(vendor, 'js-component-bindgen-component.core.wasm')],
])('a large module of real compilers passes: %s', (_, file) => {
  expect(survives(readFileSync(file))).toBe('valid');
});
