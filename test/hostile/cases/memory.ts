import type { HostileBoot, HostileCase } from '../harness.ts';

const MEMORY = 'NEIRA_MEMORY_EXCEEDED';
/** Filling memory takes computation too; which limit is met first depends on the shape. */
const FULL = [MEMORY, 'NEIRA_CPU_EXCEEDED'];
const MUCH_CPU = { cpu_ms: 2000, turn_ms: 8000 };

/** Memory in every shape; the cap holds for all of them together (HOST-12, HOST-25). */
export const MEMORY_CASES: readonly HostileCase[] = [
  {
    name: 'doubling a string is ended',
    attack: 'let s = "x"; for (;;) s += s;',
    expect: [...FULL, 'NEIRA_PLUGIN_FAILED'],
  },
  {
    name: 'ropes that never become flat are ended',
    attack: 'const all = []; let s = "x".repeat(1e6); for (;;) all.push((s = s + "y"));',
    expect: FULL,
  },
  {
    name: 'many different strings are ended',
    attack: 'const all = []; for (let i = 0; ; i++) all.push("k" + i + "x".repeat(1000));',
    limits: MUCH_CPU,
    expect: MEMORY,
  },
  {
    name: 'arrays that grow are ended',
    attack: 'const a: any[] = []; for (;;) a.push(a.length, [], {});',
    limits: MUCH_CPU,
    expect: MEMORY,
  },
  {
    name: 'a sparse array of huge length costs nothing',
    attack:
      'const a: any[] = []; a.length = 2 ** 32 - 1; a[2 ** 32 - 2] = 1; return { actions: [{ length: a.length }] };',
    expect: 'ok',
    actions: [{ length: 2 ** 32 - 1 }],
  },
  {
    name: 'typed arrays are under the same cap',
    attack: 'const all = []; for (;;) all.push(new Uint8Array(2 ** 20));',
    expect: [MEMORY, 'NEIRA_PLUGIN_FAILED'],
  },
  {
    name: 'one typed array above the cap is refused',
    attack: 'return new Uint8Array(2 ** 31 - 1).length as any;',
    expect: [MEMORY, 'NEIRA_PLUGIN_FAILED'],
  },
  {
    name: 'resizable buffers are under the same cap',
    attack:
      'const b = new (ArrayBuffer as any)(1, { maxByteLength: 2 ** 30 }); for (let n = 1; ; n *= 2) b.resize(n);',
    expect: [...FULL, 'NEIRA_PLUGIN_FAILED'],
  },
  {
    name: 'buffers that are transferred again and again are ended',
    attack:
      'let b: any = new ArrayBuffer(1024); const all = []; for (;;) { b = b.transfer ? b.transfer(b.byteLength * 2) : new ArrayBuffer(b.byteLength * 2); all.push(b.slice(0)); }',
    expect: [...FULL, 'NEIRA_PLUGIN_FAILED'],
  },
  {
    name: 'shared buffers are under the same cap',
    attack: 'const all = []; for (;;) all.push(new SharedArrayBuffer(2 ** 20));',
    expect: [...FULL, 'NEIRA_PLUGIN_FAILED'],
  },
  {
    name: 'maps that grow are ended',
    attack: 'const m = new Map(); for (let i = 0; ; i++) m.set(i, { i });',
    limits: MUCH_CPU,
    expect: MEMORY,
  },
  {
    name: 'weak maps whose keys live are ended',
    attack: 'const m = new WeakMap(), keep = []; for (;;) { const k = {}; keep.push(k); m.set(k, [k]); }',
    limits: MUCH_CPU,
    expect: MEMORY,
  },
  {
    name: 'closures that hold each other are ended',
    attack: 'let f: any = () => 0; for (;;) { const g = f; f = () => g; }',
    limits: MUCH_CPU,
    expect: [...FULL, 'NEIRA_STACK_EXCEEDED'],
  },
  {
    name: 'a linked list a million long is freed or ended without a fault',
    attack:
      'let l: any = null; for (let i = 0; i < 200_000; i++) l = { l }; l = null; return { actions: [] };',
    limits: MUCH_CPU,
    expect: ['ok', ...FULL],
  },
  {
    name: 'symbols are ended',
    attack: 'const all = []; for (let i = 0; ; i++) all.push(Symbol("s" + i));',
    limits: MUCH_CPU,
    expect: MEMORY,
  },
  {
    name: 'registered symbols are ended',
    attack: 'for (let i = 0; ; i++) Symbol.for("s" + i + "x".repeat(100));',
    limits: MUCH_CPU,
    expect: FULL,
  },
  {
    name: 'property names are ended',
    attack: 'const o: any = {}; for (let i = 0; ; i++) o["name" + i] = i;',
    limits: MUCH_CPU,
    expect: MEMORY,
  },
  {
    name: 'errors with long stacks are ended',
    attack:
      'const all: any[] = []; const f = (n: number): any => (n ? f(n - 1) : all.push(new Error("x".repeat(1000)))); for (;;) f(100);',
    limits: MUCH_CPU,
    expect: FULL,
  },
  {
    name: 'regular expressions are ended',
    attack:
      'const all = []; for (let i = 0; ; i++) all.push(new RegExp(("(a" + i + "|b){1,50}").repeat(20)));',
    limits: MUCH_CPU,
    expect: FULL,
  },
  {
    name: 'functions made from text are ended',
    attack:
      'const all = []; for (let i = 0; ; i++) all.push(new Function("return " + i + ";" + "x;".repeat(500)));',
    limits: MUCH_CPU,
    expect: FULL,
  },
  {
    name: 'pending promises are ended',
    attack: 'const all = []; for (;;) all.push(new Promise(() => {}).then(() => 1));',
    limits: MUCH_CPU,
    expect: MEMORY,
  },
  {
    name: 'generators that wait are ended',
    attack: 'function* g() { yield 1; } const all = []; for (;;) { const x = g(); x.next(); all.push(x); }',
    limits: MUCH_CPU,
    expect: MEMORY,
  },
  {
    name: 'BigInts are under the same cap',
    attack: 'const all = []; for (;;) all.push(1n << 8_000_000n);',
    limits: MUCH_CPU,
    expect: [...FULL, 'NEIRA_PLUGIN_FAILED'],
  },
  {
    name: 'rubbish that is collected is no reason to end a turn',
    attack:
      'let sum = 0; for (let i = 0; i < 20_000; i++) sum += new Uint8Array(4096).length + [i, { i }].length; return { actions: [{ sum }] };',
    limits: MUCH_CPU,
    expect: 'ok',
    actions: [{ sum: 20_000 * 4098 }],
  },
  {
    name: 'cycles of rubbish are collected',
    attack:
      'for (let i = 0; i < 50_000; i++) { const a: any = {}, b: any = { a }; a.b = b; a.x = "x".repeat(500); } return { actions: [] };',
    limits: MUCH_CPU,
    expect: 'ok',
  },
  {
    name: 'an out of memory that is caught and tried again is ended',
    attack: 'const all: any[] = []; for (;;) { try { for (;;) all.push(new Uint8Array(65536)); } catch {} }',
    expect: FULL,
  },
  {
    name: 'a heap that is full and held by a global still says why',
    top: 'const held: any[] = [];',
    attack: '(globalThis as any).held = held; for (;;) held.push({}, "x" + held.length);',
    limits: MUCH_CPU,
    expect: MEMORY,
  },
  {
    name: 'globals never outlive a turn',
    top: 'let count = 0; const seen: any = (globalThis as any); const list: any[] = [];',
    attack:
      'count++; seen.leak = (seen.leak ?? 0) + 1; list.push("x".repeat(1e6)); return { actions: [{ count, leak: seen.leak, list: list.length }] };',
    expect: 'ok',
    actions: [{ count: 1, leak: 1, list: 1 }],
    async check({ attack }) {
      for (let i = 0; i < 40; i++) expectSame(await attack(), [{ count: 1, leak: 1, list: 1 }]);
    },
  },
  {
    name: 'forty turns that fill their memory leave none of it behind',
    attack: 'const all = []; for (;;) all.push(new Uint8Array(2 ** 20).fill(1));',
    limits: { memory_mb: 64, cpu_ms: 500 },
    expect: [MEMORY, 'NEIRA_PLUGIN_FAILED'],
    async check({ attack, arena }) {
      const before = arena.residentMb();
      for (let i = 0; i < 40; i++) await attack();
      const grown = arena.residentMb() - before;
      if (grown > 1500) throw new Error(`${grown} MB more after 40 turns of 64 MB`);
    },
  },
];

/** What an image may hold is bounded like a turn. */
export const BOOT_MEMORY: readonly HostileBoot[] = [
  {
    name: 'a prepare() that allocates for ever is refused',
    source:
      'const a: any[] = []; export function prepare() { for (;;) a.push(new Uint8Array(65536)); } export function handle() {}',
    code: 'NEIRA_BOOT_FAILED',
    details: { during: 'prepare' },
  },
  {
    name: 'top-level code that allocates for ever is refused',
    source: 'const a: any[] = []; for (;;) a.push("x".repeat(65536) + a.length); export function handle() {}',
    code: 'NEIRA_BOOT_FAILED',
    details: { cause: MEMORY },
  },
];

function expectSame(answer: { status: number; body: { actions?: unknown } }, actions: unknown): void {
  if (answer.status !== 200 || JSON.stringify(answer.body.actions) !== JSON.stringify(actions))
    throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
}
