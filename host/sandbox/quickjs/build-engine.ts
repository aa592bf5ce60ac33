/**
 * Builds `engine.wasm`: the QuickJS of the pinned npm package, made fit for hostile code (design §7).
 *
 *     node host/sandbox/quickjs/build-engine.ts            writes engine.wasm and engine.built.json beside this file
 *     node host/sandbox/quickjs/build-engine.ts --check    fails when the checked-in file differs
 *
 * Three things are added to the shipped module, nothing is taken away:
 * - **Fuel.** Every loop header and every bulk memory operation counts down `fuel`; below zero it calls
 *   `env.out_of_fuel`. QuickJS polls its interrupt handler between bytecodes only, never inside built-ins.
 * - **Cards.** Every store marks the 4 KB page it touches in a byte table inside the guest's own memory,
 *   so that a reset copies back only what a turn dirtied.
 * - **Names.** Imports and exports get readable names, and the stack pointer is exported.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CARD_TABLE, FUEL_SLICE } from './layout.ts';

const require = createRequire(import.meta.url);
const VARIANT = path.dirname(require.resolve('@jitl/quickjs-wasmfile-release-sync'));
const BINARYEN = path.resolve(path.dirname(require.resolve('binaryen')), 'bin');
const OUTPUT = path.join(import.meta.dirname, 'engine.wasm');
const RECORD = path.join(import.meta.dirname, 'engine.built.json');

const FEATURES = [
  '--enable-bulk-memory',
  '--enable-sign-ext',
  '--enable-nontrapping-float-to-int',
  '--enable-mutable-globals',
  '--enable-multivalue',
  '--enable-reference-types',
];

/** The emscripten imports of this build of the package, by their minified names (emscripten-module.mjs). */
const IMPORTS: Record<string, string> = {
  a: 'memory',
  b: 'assert_fail',
  c: 'fd_write',
  d: 'fd_close',
  e: 'environ_get',
  f: 'environ_sizes_get',
  g: 'normalize_module',
  h: 'load_module_source',
  i: 'should_interrupt',
  j: 'set_itimer',
  k: 'resize_heap',
  l: 'keepalive_clear',
  m: 'localtime',
  n: 'tzset',
  o: 'fd_seek',
  p: 'date_now',
  q: 'abort',
  r: 'exit',
  s: 'call_function',
  t: 'free_host_ref',
};

/** Exports that the glue keeps to itself. */
const UNNAMED_EXPORTS = {
  u: 'initialize',
  La: 'timer_fired',
  Ma: 'stack_restore',
  Na: 'stack_alloc',
  Oa: 'stack_save',
};

/** What was built, and of what: the build takes a minute, and is the same as long as these are (HOST-06). */
export interface EngineRecord {
  /** SHA-256 of this program, the package's module and glue, and the tools. */
  readonly inputs: string;
  /** SHA-256 of engine.wasm. */
  readonly engine: string;
}

export function engineRecord(engine: Uint8Array): EngineRecord {
  const inputs = createHash('sha256');
  for (const file of [
    import.meta.filename,
    path.join(import.meta.dirname, 'layout.ts'),
    path.join(VARIANT, 'emscripten-module.wasm'),
    path.join(VARIANT, 'emscripten-module.mjs'),
    path.join(BINARYEN, '../package.json'),
    ...['wasm-dis', 'wasm-as', 'wasm-opt'].map((tool) => path.join(BINARYEN, tool)),
  ])
    inputs.update(readFileSync(file));
  return { inputs: inputs.digest('hex'), engine: createHash('sha256').update(engine).digest('hex') };
}

export function buildEngine(): Uint8Array {
  const dir = mkdtempSync(path.join(tmpdir(), 'neira-engine-'));
  const file = (name: string) => path.join(dir, name);
  try {
    run('wasm-dis', path.join(VARIANT, 'emscripten-module.wasm'), '-o', file('stock.wat'));
    writeFileSync(file('fuel.wat'), addFuel(rename(readFileSync(file('stock.wat'), 'utf8'))));
    run('wasm-as', file('fuel.wat'), '-o', file('fuel.wasm'));
    run('wasm-opt', ...inlining(60, 100), file('fuel.wasm'), '-o', file('fuel-opt.wasm'));
    run('wasm-opt', '--instrument-memory', file('fuel-opt.wasm'), '-S', '-o', file('hooks.wat'));
    writeFileSync(file('cards.wat'), addCards(readFileSync(file('hooks.wat'), 'utf8')));
    run('wasm-as', file('cards.wat'), '-o', file('cards.wasm'));
    run('wasm-opt', ...inlining(80, 200), file('cards.wasm'), '-o', file('engine.wasm'));
    return readFileSync(file('engine.wasm'));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The package is built for size; inlining its many small functions saves a turn a tenth of its time. */
function inlining(always: number, flexible: number): string[] {
  return [
    '-O4',
    `--always-inline-max-function-size=${always}`,
    `--flexible-inline-max-function-size=${flexible}`,
  ];
}

function run(tool: string, ...args: string[]): void {
  execFileSync(process.execPath, [path.join(BINARYEN, tool), ...FEATURES, ...args], { stdio: 'pipe' });
}

/** Gives imports and exports the names that the emscripten glue of the same package gives them. */
function rename(wat: string): string {
  const glue = readFileSync(path.join(VARIANT, 'emscripten-module.mjs'), 'utf8');
  const exports = new Map<string, string>();
  for (const [, name, minified] of glue.matchAll(/d\._(\w+)=\s*b\.([\w$]+)/g)) exports.set(minified!, name!);
  for (const [minified, name] of Object.entries(UNNAMED_EXPORTS)) exports.set(minified, name);
  let renamed = 0;
  const out = wat
    .replace(/^ \(import "a" "(\w+)"/gm, (whole, minified: string) => {
      const name = IMPORTS[minified];
      if (!name) throw new Error(`unknown import ${whole}; the package changed, look at its glue`);
      return ` (import "env" "${name}"`;
    })
    .replace(/^ \(export "([^"]+)" \(func/gm, (whole, minified: string) => {
      const name = exports.get(minified);
      if (name) renamed++;
      return name ? ` (export "${name}" (func` : whole;
    });
  if (renamed < 50) throw new Error(`only ${renamed} exports were recognised; the package changed`);
  if (/\(memory\.grow/.test(out))
    throw new Error('the module grows memory by itself; the cap would not hold');
  return out;
}

const CHECK_FUEL = '(if (i32.lt_s (global.get $fuel) (i32.const 0)) (then (call $out_of_fuel)))';
const burn = (amount: string) => `(global.set $fuel (i32.sub (global.get $fuel) ${amount})) ${CHECK_FUEL}`;

function addFuel(wat: string): string {
  const loops = count(wat, /\(loop/g);
  const perLoop = burn('(i32.const 1)');
  // 64 bytes copied or filled cost as much as one turn of a loop.
  const perBulk = burn('(i32.shr_u (local.get 2) (i32.const 6))');
  let metered = 0;
  const out = wat
    .replace(/\(loop( \$[^\s()]+)?( \(result [^)]*\))?/g, (whole) => {
      metered++;
      return `${whole} ${perLoop}`;
    })
    .replace(/\(memory\.(copy|fill)\b/g, '(call $metered_$1')
    .replace(/^\(module/, '(module\n (import "env" "out_of_fuel" (func $out_of_fuel))')
    .replace(
      /\)\s*$/,
      `
 (global $fuel (mut i32) (i32.const ${FUEL_SLICE}))
 (export "fuel" (global $fuel))
 (export "stack_pointer" (global $global$0))
 (func $metered_copy (param i32 i32 i32) ${perBulk} (memory.copy (local.get 0) (local.get 1) (local.get 2)))
 (func $metered_fill (param i32 i32 i32) ${perBulk} (memory.fill (local.get 0) (local.get 1) (local.get 2)))
)`,
    );
  if (metered !== loops || metered < 500) throw new Error(`metered ${metered} of ${loops} loops`);
  return out;
}

/** Turns the hooks of binaryen's `instrument-memory` pass into card marks; loads go unmarked. */
function addCards(wat: string): string {
  const mark = (address: string) =>
    `(i32.store8 offset=${CARD_TABLE} (i32.shr_u ${address} (i32.const 12)) (i32.const 1))`;
  const page = (address: string) => `(i32.shr_u ${address} (i32.const 12))`;
  const address = '(i32.add (local.get 3) (local.get 2))';
  const lastByte = `(i32.add ${address} (i32.sub (local.get 1) (i32.const 1)))`;
  const end = '(i32.add (local.get 0) (i32.sub (local.get 2) (i32.const 1)))';
  const first = page('(local.get 0)');
  // Nearly always one page or two: calling memory.fill costs more than the marks.
  const markRange = `(if (local.get 2) (then
    ${mark('(local.get 0)')} ${mark(end)}
    (if (i32.gt_u (i32.sub ${page(end)} ${first}) (i32.const 1)) (then (memory.fill
      (i32.add (i32.const ${CARD_TABLE + 1}) ${first})
      (i32.const 1)
      (i32.sub (i32.sub ${page(end)} ${first}) (i32.const 1)))))))`;
  const pages = '(i32.shl (memory.size) (i32.const 4))';
  const cards = (ahead: number) => `(i64.load offset=${CARD_TABLE + ahead} align=1 (local.get 0))`;
  // Eight cards at a time, and thirty-two where all are clean; the first marked card is the lowest byte that is not 0.
  const nextDirty = `(func (export "next_dirty") (param i32) (result i32) (local i64)
    (loop $scan (result i32)
      (if (i32.ge_u (local.get 0) ${pages}) (then (return (i32.const -1))))
      (if (i64.eqz (local.tee 1 ${cards(0)})) (then
        (local.set 0 (i32.add (local.get 0) (select (i32.const 32) (i32.const 8)
          (i64.eqz (i64.or ${cards(8)} (i64.or ${cards(16)} ${cards(24)}))))))
        (br $scan)))
      (local.set 0 (i32.add (local.get 0) (i32.wrap_i64 (i64.shr_u (i64.ctz (local.get 1)) (i64.const 3)))))
      (if (i32.ge_u (local.get 0) ${pages}) (then (return (i32.const -1))))
      (i32.store8 offset=${CARD_TABLE} (local.get 0) (i32.const 0))
      (local.get 0)))`;
  const passThrough = (name: string, type: string) =>
    `(func $${name} (param i32 ${type}) (result ${type}) (local.get 1))`;
  const values = ['i32', 'i64', 'f32', 'f64'].flatMap((type) => [
    passThrough(`load_val_${type}`, type),
    passThrough(`store_val_${type}`, type),
  ]);
  return wat
    .replace(/^ \(import "env" "(load_ptr|load_val_\w+|store_ptr|store_val_\w+|memory_grow_\w+)".*\n/gm, '')
    .replace(/(\.store\d* (?:offset=\d+ )?align=\d+\s+\(call \$store_ptr)/g, '$1_unaligned')
    .replace(/\(memory\.(copy|fill)\b/g, '(call $carded_$1')
    .replace(
      /\)\s*$/,
      `
 (func $memory_grow_pre (param i32 i32) (result i32) (local.get 1))
 (func $memory_grow_post (param i32 i32) (result i32) (local.get 1))
 (func $load_ptr (param i32 i32 i32 i32) (result i32) (local.get 3))
 ${values.join('\n ')}
 (func $store_ptr (param i32 i32 i32 i32) (result i32) ${mark(address)} (local.get 3))
 (func $store_ptr_unaligned (param i32 i32 i32 i32) (result i32) ${mark(address)} ${mark(lastByte)} (local.get 3))
 ${nextDirty}
 (func $carded_copy (param i32 i32 i32) ${markRange} (memory.copy (local.get 0) (local.get 1) (local.get 2)))
 (func $carded_fill (param i32 i32 i32) ${markRange} (memory.fill (local.get 0) (local.get 1) (local.get 2)))
)`,
    );
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

if (import.meta.main) {
  const built = buildEngine();
  if (process.argv.includes('--check')) {
    if (Buffer.compare(built, readFileSync(OUTPUT)) !== 0) {
      console.error('engine.wasm is not what build-engine.ts makes of the pinned package: build it again');
      process.exit(1);
    }
  } else {
    writeFileSync(OUTPUT, built);
    writeFileSync(RECORD, `${JSON.stringify(engineRecord(built), null, 2)}\n`);
    console.log(`engine.wasm: ${built.length} bytes`);
  }
}
