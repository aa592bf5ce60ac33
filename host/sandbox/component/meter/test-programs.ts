import fc from 'fast-check';

/** Random programs for the differential test: functions that compute, store, branch and call, and always end. */

/** How often all loops of one call of a function go round together. */
const MAX_ROUNDS = 30;
/** Every statement counts itself in the program's own global: four instructions that must have been paid for. */
const STEP = '(global.set $steps (i64.add (global.get $steps) (i64.const 1)))';
export const INSTRUCTIONS_PER_STEP = 4;
const FUNCTIONS = 3;

interface Pieces {
  readonly i32: string;
  readonly i64: string;
  readonly f64: string;
  readonly address: string;
  readonly store: string;
  readonly statement: string;
  readonly statements: string;
}

function pieces(callees: readonly number[]): fc.LetrecValue<Pieces> {
  return fc.letrec<Pieces>((tie) => ({
    i32: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.oneof(
        fc.integer().map((value) => `(i32.const ${value})`),
        fc.constantFrom('(local.get $a)', '(local.get $b)', '(global.get $g)', '(memory.size)'),
      ),
      fc
        .tuple(
          fc.constantFrom('add', 'sub', 'mul', 'xor', 'shl', 'shr_u', 'lt_s', 'rotl'),
          tie('i32'),
          tie('i32'),
        )
        .map(([name, left, right]) => `(i32.${name} ${left} ${right})`),
      tie('address').map((address) => `(i32.load ${address})`),
      tie('i64').map((value) => `(i32.wrap_i64 ${value})`),
      fc
        .tuple(tie('i32'), tie('i32'))
        .map(([left, right]) => `(i32.div_u ${left} (i32.or ${right} (i32.const 1)))`),
      fc
        .tuple(tie('i32'), tie('i32'), tie('i32'))
        .map(([value, when, other]) => `(block (result i32) (drop (br_if 0 ${value} ${when})) ${other})`),
      fc
        .tuple(tie('i32'), tie('i32'), tie('i32'))
        .map(([when, yes, no]) => `(if (result i32) ${when} (then ${yes}) (else ${no}))`),
      ...callees.map((callee) => tie('i32').map((value) => `(call $f${callee} ${value})`)),
    ),
    i64: fc.oneof(
      { maxDepth: 2 },
      fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }).map((value) => `(i64.const ${value})`),
      fc.constantFrom('(local.get $c)', '(global.get $h)'),
      tie('i32').map((value) => `(i64.extend_i32_s ${value})`),
      fc.tuple(tie('i64'), tie('i64')).map(([left, right]) => `(i64.mul ${left} ${right})`),
    ),
    f64: fc.oneof(
      { maxDepth: 2 },
      fc.integer().map((value) => `(f64.const ${value / 8})`),
      fc.constant('(local.get $d)'),
      tie('i32').map((value) => `(f64.convert_i32_s ${value})`),
      fc.tuple(tie('f64'), tie('f64')).map(([left, right]) => `(f64.add ${left} ${right})`),
    ),
    // Mostly inside the two pages of memory, sometimes across the end of a card or of the memory.
    address: fc.oneof(
      { weight: 8, arbitrary: tie('i32').map((value) => `(i32.and ${value} (i32.const 0x1ffff))`) },
      {
        weight: 2,
        arbitrary: fc.integer({ min: 1, max: 32 }).map((card) => `(i32.const ${card * 4096 - 3})`),
      },
    ),
    store: fc.oneof(
      fc
        .tuple(
          fc.constantFrom('store', 'store8', 'store16'),
          fc.constantFrom(0, 0, 3, 5000),
          tie('address'),
          tie('i32'),
        )
        .map(([name, offset, address, value]) => `(i32.${name} offset=${offset} ${address} ${value})`),
      fc
        .tuple(fc.constantFrom('store', 'store32'), tie('address'), tie('i64'))
        .map(([name, address, value]) => `(i64.${name} ${address} ${value})`),
      fc.tuple(tie('address'), tie('f64')).map(([address, value]) => `(f64.store ${address} ${value})`),
      fc
        .tuple(tie('address'), tie('i64'))
        .map(([address, value]) => `(v128.store ${address} (i64x2.splat ${value}))`),
      fc
        .tuple(tie('address'), tie('i32'), fc.integer({ min: 0, max: 9000 }))
        .map(([address, value, length]) => `(memory.fill ${address} ${value} (i32.const ${length}))`),
      fc
        .tuple(tie('address'), tie('address'), fc.integer({ min: 0, max: 9000 }))
        .map(([to, from, length]) => `(memory.copy ${to} ${from} (i32.const ${length}))`),
    ),
    statement: fc
      .oneof(
        { maxDepth: 4, withCrossShrink: true },
        fc.oneof(
          tie('i32').map((value) => `(local.set $a ${value})`),
          tie('i32').map((value) => `(local.set $b ${value})`),
          tie('i64').map((value) => `(local.set $c ${value})`),
          tie('f64').map((value) => `(local.set $d ${value})`),
          tie('i32').map((value) => `(global.set $g ${value})`),
          tie('i64').map((value) => `(global.set $h ${value})`),
          tie('store'),
          tie('store'),
        ),
        fc.tuple(tie('i32'), tie('statements')).map(([when, body]) => `(if ${when} (then ${body}))`),
        fc
          .tuple(tie('i32'), tie('statements'), tie('statements'))
          .map(([when, yes, no]) => `(if ${when} (then ${yes}) (else ${no}))`),
        fc
          .tuple(tie('statements'), tie('i32'), tie('statements'))
          .map(([before, when, after]) => `(block ${before} (br_if 0 ${when}) ${after})`),
        fc
          .tuple(tie('statements'), tie('i32'), tie('statements'))
          .map(([before, when, after]) => `(block (block ${before} (br_if 1 ${when}) ${after}) ${after})`),
        tie('statements').map(
          (body) =>
            `(loop ${body} (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const ${MAX_ROUNDS}))))`,
        ),
        fc
          .tuple(tie('i32'), tie('statements'), tie('statements'), tie('statements'))
          .map(
            ([which, first, second, third]) =>
              `(block (block (block (block (br_table 0 1 3 2 ${which})) ${first}) ${second}) ${third})`,
          ),
        tie('i32').map((when) => `(if ${when} (then (return (local.get $b))))`),
      )
      .map((statement) => `${STEP} ${statement}`),
    statements: fc.array(tie('statement'), { minLength: 0, maxLength: 4 }).map((all) => all.join('\n')),
  }));
}

/** A module whose function `run` takes and gives an i32. */
export const program: fc.Arbitrary<string> = fc
  .tuple(
    ...Array.from({ length: FUNCTIONS }, (_, index) => {
      const callees = Array.from({ length: FUNCTIONS - 1 - index }, (_, ahead) => index + 1 + ahead);
      return pieces(callees).statements.map(
        (body) => `(func $f${index} (param $a i32) (result i32)
          (local $b i32) (local $c i64) (local $d f64) (local $n i32)
          ${body} ${STEP} (i32.xor (local.get $a) (local.get $b)))`,
      );
    }),
  )
  .map(
    (functions) => `(module (memory (export "memory") 2) (data (i32.const 100) "some text that is there")
      (global $g (mut i32) (i32.const 3)) (global $h (export "h") (mut i64) (i64.const 4))
      (global $steps (export "steps") (mut i64) (i64.const 0))
      (export "run" (func $f0)) (export "g" (global $g)) ${functions.join('\n')})`,
  );
