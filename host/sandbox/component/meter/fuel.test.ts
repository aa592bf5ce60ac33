import { describe, expect, test } from 'vitest';
import { meterText, run, start } from './test-module.ts';

// HOST-12, HOST-25: no guest outlives its fuel, however it spends its time.

const ENDLESS: readonly (readonly [string, string])[] = [
  ['a loop', '(func (export "run") (loop (br 0)))'],
  ['a loop in a loop', '(func (export "run") (loop (loop (br 1))))'],
  ['a loop closed by br_table', '(func (export "run") (loop (block (br_table 0 1 1 (i32.const 5)))))'],
  [
    'a loop behind a branch of a condition',
    '(func (export "run") (if (i32.const 1) (then) (else (nop))) (loop (br_if 0 (i32.const 1))))',
  ],
  ['recursion that returns to begin again', '(func $f (export "run") (loop (call $g) (br 0))) (func $g)'],
  ['a tail call', '(func $f (export "run") (return_call $f))'],
  [
    'two functions that call each other last',
    '(func $f (export "run") (return_call $g)) (func $g (return_call $f))',
  ],
  [
    'an indirect tail call',
    '(type $t (func)) (table funcref (elem $f)) (func $f (export "run") (return_call_indirect (type $t) (i32.const 0)))',
  ],
  [
    'a doubling recursion',
    `(func $f (export "double") (param i32) (if (local.get 0) (then
      (call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1))))))
     (func (export "run") (call $f (i32.const 60)))`,
  ],
  [
    'copying',
    '(memory 64) (func (export "run") (loop (memory.copy (i32.const 0) (i32.const 9) (i32.const 4000000)) (br 0)))',
  ],
  [
    'filling',
    '(memory 64) (func (export "run") (loop (memory.fill (i32.const 0) (i32.const 9) (i32.const 4000000)) (br 0)))',
  ],
  ['growing by nothing', '(memory 1) (func (export "run") (loop (drop (memory.grow (i32.const 0))) (br 0)))'],
  [
    'asking for more than there is',
    '(memory 1) (func (export "run") (loop (drop (memory.grow (i32.const 65536))) (br 0)))',
  ],
  [
    'filling a table',
    `(table 1000 funcref) (func (export "run")
      (loop (table.fill (i32.const 0) (ref.null func) (i32.const 1000)) (br 0)))`,
  ],
  [
    'growing a table',
    '(table 1 funcref) (func (export "run") (loop (drop (table.grow (ref.null func) (i32.const 1))) (br 0)))',
  ],
];

describe('what never ends by itself traps when the fuel is out', () => {
  test.each(ENDLESS)('%s', async (_, fields) => {
    const { exports, fuel } = await run(`(module ${fields})`);
    fuel.value = 10_000_000n;
    expect(() => exports['run']()).toThrow(WebAssembly.RuntimeError);
    expect(fuel.value).toBeLessThan(0n);
  });

  test('a start function', async () => {
    const module = await meterText('(module (func $f (loop (br 0))) (start $f))');
    expect(() => start(module, {}, 1_000_000n)).toThrow(WebAssembly.RuntimeError);
  });

  test('nothing runs again until there is fuel', async () => {
    const { exports, fuel } = await run(`(module (func (export "run") (loop (br 0)))
      (func (export "one") (result i32) (i32.const 1)))`);
    fuel.value = 1000n;
    expect(() => exports['run']()).toThrow(WebAssembly.RuntimeError);
    expect(() => exports['one']()).toThrow(WebAssembly.RuntimeError);
    fuel.value = 1000n;
    expect(exports['one']()).toBe(1);
  });
});

test('the same run uses the same fuel, and twice the work about twice of it', async () => {
  const text = `(module (memory 1)
    (func (export "work") (param $n i32) (result i32) (local $sum i32)
      (loop $again
        (local.set $sum (i32.add (local.get $sum) (call $step (local.get $n))))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (local.get $sum))
    (func $step (param i32) (result i32)
      (memory.fill (i32.const 0) (i32.const 7) (local.get 0))
      (i32.mul (local.get 0) (i32.const 3))))`;
  const [first, second] = [await run(text), await run(text)];
  const work =
    ({ exports }: typeof first, n: number) =>
    () =>
      exports['work'](n);
  const used = first.burned(work(first, 1000));
  expect(second.burned(work(second, 1000))).toBe(used);
  expect(first.burned(work(first, 1000))).toBe(used);
  const ratio = Number(first.burned(work(first, 2000))) / Number(used);
  expect(ratio).toBeGreaterThan(1.8);
  expect(ratio).toBeLessThan(4.2);
});

test('one counter serves the host, the guest, and a host that calls back into the guest', async () => {
  let seen = 0n;
  const running = await run(
    `(module (import "a" "ask" (func $ask))
      (func (export "again") (local $n i32) (local.set $n (i32.const 1000))
        (loop $l (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
      (func (export "run") (local $n i32) (local.set $n (i32.const 3))
        (loop $l (call $ask) (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))`,
    {
      a: {
        ask: () => {
          seen += running.burned(() => running.exports['again']());
        },
      },
    },
  );
  const whole = running.burned(() => running.exports['run']());
  expect(seen).toBeGreaterThan(3n * 4000n);
  expect(whole).toBeGreaterThan(seen);
  expect(whole).toBeLessThan(seen + 200n);
});

test('a switch in a loop is charged for the case that runs, not for all of them', async () => {
  const cases = 200;
  const work = '(local.set $x (i32.add (local.get $x) (i32.const 1)))'.repeat(10);
  const text = (count: number) => `(module (func (export "run") (param $n i32) (local $x i32)
    (loop $again
      ${'(block '.repeat(count)} (br_table ${[...Array(count).keys()].join(' ')} (i32.const 0))
      ${`) ${work} (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))) return`.repeat(count)})))`;
  const [few, many] = [await run(text(2)), await run(text(cases))];
  const ofFew = few.burned(() => few.exports['run'](1000));
  expect(ofFew).toBeGreaterThan(1000n * 40n);
  expect(many.burned(() => many.exports['run'](1000))).toBeLessThan(ofFew * 3n);
});

test('a branch that jumps over charged code still pays for what runs behind it', async () => {
  const work = '(local.set $x (i32.add (local.get $x) (i32.const 1)))'.repeat(100);
  const skipping = `(block $out (block (br_if $out (i32.eqz (local.get $x))) ${work}) ) ${work}`;
  const running = await run(`(module (func (export "run") (local $x i32) ${skipping}))`);
  expect(running.burned(() => running.exports['run']())).toBeGreaterThanOrEqual(400n);
});
