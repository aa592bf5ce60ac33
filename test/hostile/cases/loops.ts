import type { HostileBoot, HostileCase } from '../harness.ts';

const CPU = 'NEIRA_CPU_EXCEEDED';

/** Computation that does not end, in every shape of the language (HOST-06, HOST-25). */
export const LOOPS: readonly HostileCase[] = [
  { name: 'an empty endless loop is ended', attack: 'for (;;);', expect: CPU },
  {
    name: 'a loop that only continues to its label is ended',
    attack: 'again: while (true) { for (;;) continue again; }',
    expect: CPU,
  },
  {
    name: 'a loop inside try that catches everything is ended',
    attack: 'for (;;) { try { throw 1; } catch {} }',
    expect: CPU,
  },
  {
    name: 'a finally that loops again is ended',
    attack: 'for (;;) { try { return; } finally { continue; } }',
    expect: CPU,
  },
  {
    name: 'a finally that goes on after the interrupt is ended',
    attack: 'function f() { try { for (;;); } finally { f(); } } f();',
    expect: CPU,
  },
  {
    name: 'a loop in a getter that the host reads is ended',
    attack: 'return { get actions() { for (;;); } };',
    expect: CPU,
  },
  {
    name: 'a loop in toJSON of the reply is ended',
    attack: 'return { actions: [{ toJSON() { for (;;); } }] };',
    expect: CPU,
  },
  { name: 'a loop in toString is ended', attack: 'return `${{ toString() { for (;;); } }}`;', expect: CPU },
  { name: 'a loop in valueOf is ended', attack: 'return +{ valueOf() { for (;;); } };', expect: CPU },
  {
    name: 'a loop in Symbol.toPrimitive is ended',
    attack: 'return 1 + ({ [Symbol.toPrimitive]() { for (;;); } } as any);',
    expect: CPU,
  },
  {
    name: 'an iterator that never ends is ended',
    attack: 'return [...{ [Symbol.iterator]: () => ({ next: () => ({ done: false }) }) } as any].length;',
    expect: [CPU, 'NEIRA_MEMORY_EXCEEDED'],
  },
  {
    name: 'destructuring an endless iterator with holes is ended',
    attack: 'for (const _ of { [Symbol.iterator]: () => ({ next: () => ({ done: false }) }) } as any);',
    expect: CPU,
  },
  {
    name: 'an endless generator is ended',
    attack: 'function* g() { for (;;) yield 1; } for (const _ of g());',
    expect: CPU,
  },
  {
    name: 'an endless async generator is ended',
    attack: 'async function* g() { for (;;) yield 1; } for await (const _ of g());',
    expect: CPU,
  },
  {
    name: 'a generator whose return loops is ended',
    attack: 'function* g() { try { yield 1; } finally { for (;;); } } for (const _ of g()) break;',
    expect: CPU,
  },
  {
    name: 'promises that chain for ever are ended',
    attack: 'const again = () => Promise.resolve().then(again); await again();',
    expect: CPU,
  },
  {
    name: 'microtasks that queue each other are ended',
    attack: 'const again = () => queueMicrotask(again); again(); await new Promise(() => {});',
    expect: CPU,
  },
  {
    name: 'async recursion is ended',
    attack: 'const f = async (): Promise<void> => { await null; await f(); }; await f();',
    expect: [CPU, 'NEIRA_MEMORY_EXCEEDED'],
  },
  {
    name: 'async functions that catch the interrupt and go on are ended',
    attack: 'for (;;) { try { await (async () => { for (;;); })(); } catch {} }',
    expect: CPU,
  },
  {
    name: 'a reply after a caught interrupt does not count',
    attack: 'try { await (async () => { for (;;); })(); } catch {} return { actions: [{ late: true }] };',
    expect: CPU,
  },
  {
    name: 'a thenable that resolves with itself for ever is ended',
    attack: 'const t = { then(done: any) { done({ then: t.then }); } }; return t as any;',
    expect: CPU,
  },
  {
    name: 'a then getter that loops is ended',
    attack: 'return { get then() { for (;;); } } as any;',
    expect: CPU,
  },
  {
    name: 'a Proxy whose traps loop is ended',
    attack: 'return new Proxy({}, { get() { for (;;); } });',
    expect: CPU,
  },
  {
    name: 'a Proxy whose ownKeys loops is ended',
    attack: 'return { actions: [new Proxy({}, { ownKeys() { for (;;); } })] };',
    expect: CPU,
  },
  {
    name: 'a Proxy that is its own prototype trap is ended',
    attack:
      'const p: any = new Proxy({}, { getPrototypeOf: () => { for (;;); } }); return p instanceof Error;',
    expect: CPU,
  },
  {
    name: 'a setter that sets itself is ended or overflows',
    attack: 'const o: any = { set x(v: any) { o.x = v; } }; o.x = 1;',
    expect: ['NEIRA_STACK_EXCEEDED', CPU],
  },
  {
    name: 'a class whose static block loops is ended',
    attack: 'return class { static { for (;;); } } as any;',
    expect: CPU,
  },
  {
    name: 'a default parameter that loops is ended',
    attack: 'return ((x = (() => { for (;;); })()) => x)();',
    expect: CPU,
  },
  {
    name: 'a loop in Symbol.hasInstance is ended',
    attack: 'return ({} instanceof ({ [Symbol.hasInstance]() { for (;;); } } as any)) as any;',
    expect: CPU,
  },
  {
    name: 'a loop in Symbol.species is ended',
    attack:
      'class A extends Array { static get [Symbol.species]() { for (;;); return Array; } } return new A(1, 2).map((x) => x) as any;',
    expect: CPU,
  },
  { name: 'a loop made with eval is ended', attack: 'return (0, eval)("for(;;);");', expect: CPU },
  {
    name: 'a loop made with new Function is ended',
    attack: 'return new Function("for(;;);")();',
    expect: CPU,
  },
  {
    name: 'a loop in a tagged template is ended',
    attack: 'const tag = () => { for (;;); }; return (tag as any)`x`;',
    expect: CPU,
  },
  {
    name: 'a disposer that loops is ended',
    attack: 'for (const x of (function* () { try { for (;;) yield 0; } finally {} })()) if (x) break;',
    expect: CPU,
  },
  {
    name: 'an interrupt whose error has a toJSON that loops is ended',
    attack: '(Object.prototype as any).toJSON = function () { for (;;); }; for (;;);',
    expect: CPU,
  },
  {
    name: 'an interrupt whose error has accessors that loop is ended',
    attack: `for (const name of ['name', 'message', 'stack', 'code', 'toString', 'cause'])
      for (const p of [Object.prototype, Error.prototype, (globalThis as any).InternalError.prototype])
        Object.defineProperty(p, name, { configurable: true, get() { for (;;); } });
    for (;;);`,
    expect: CPU,
  },
];

/** Top-level code and `prepare()` have a budget too, and boot apart from the cell that serves. */
export const BOOT_LOOPS: readonly HostileBoot[] = [
  {
    name: 'an endless loop at top level is refused at registration',
    source: 'for (;;); export function handle() {}',
    code: 'NEIRA_BOOT_FAILED',
    details: { cause: CPU },
  },
  {
    name: 'an endless loop in prepare() is refused at registration',
    source: 'export function prepare() { for (;;); } export function handle() {}',
    code: 'NEIRA_BOOT_FAILED',
    details: { cause: CPU, during: 'prepare' },
  },
  {
    name: 'a top-level await that never settles is refused',
    source: 'await new Promise(() => {}); export function handle() {}',
    code: 'NEIRA_BOOT_FAILED',
    details: { cause: 'NEIRA_NEVER_SETTLED' },
  },
  {
    name: 'a prepare() that never settles is refused',
    source: 'export async function prepare() { await new Promise(() => {}); } export function handle() {}',
    code: 'NEIRA_BOOT_FAILED',
    details: { cause: 'NEIRA_NEVER_SETTLED', during: 'prepare' },
  },
  {
    name: 'a top level that throws something with a toJSON that loops is refused',
    source: 'throw { toJSON() { for (;;); } }; export function handle() {}',
    code: 'NEIRA_BOOT_FAILED',
  },
  {
    name: 'microtasks at top level that queue each other are refused',
    source: 'const again = () => { Promise.resolve().then(again); }; again(); export function handle() {}',
    code: 'NEIRA_BOOT_FAILED',
    details: { cause: CPU },
  },
];
