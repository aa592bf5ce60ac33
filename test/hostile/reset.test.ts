/**
 * A reset is exact: after any mix of hostile turns, cut off at any point of whatever they did, the memory of
 * an instance equals its image page for page, and its next turn is that of a fresh one, to the unit of fuel.
 *
 * One seed decides everything; `HOSTILE_SEED=<seed>` runs it again.
 */
import { expect, test } from 'vitest';
import { isCardPage } from '../../host/sandbox/quickjs/engine.ts';
import { guestCode } from '../../host/sandbox/quickjs/guest-code.ts';
import type { ScriptImage as Image } from '../../host/sandbox/quickjs/image.ts';
import { Instance } from '../../host/sandbox/quickjs/instance.ts';
import { PAGE_BYTES } from '../../host/sandbox/quickjs/layout.ts';
import type { Budget, HostCalls, RunResult, Suspended } from '../../host/sandbox/run-result.ts';

const TURNS = 250;
const ENOUGH_MS = 25_000;
const MEMORY_MB = 38;
const FUEL = 8_000_000;

const SOURCE = `
  import { get, set, list } from 'neira:host/storage';
  import { log } from 'neira:host/io';
  const table = new Map(); for (let i = 0; i < 3000; i++) table.set('k' + i, { i, text: 'x'.repeat(i % 50), list: [i] });
  let turns = 0; globalThis.count = 0; const pattern = /(a|b)+c/g;
  const ATTACKS = {
    calm: () => ({ turns: ++turns, size: table.size, random: Math.random(), now: Date.now(), last: pattern.lastIndex }),
    loop: () => { for (;;) globalThis.count++; },
    builtin: () => Array.prototype.includes.call({ length: 2 ** 50 }, 1),
    sort: () => { const a = []; for (;;) { a.push(a.length % 7, 'x' + a.length); a.sort(); } },
    regexp: () => /^(a+)+$/.test('a'.repeat(40) + '!'),
    json: () => { for (;;) table.set('j' + table.size, JSON.parse(JSON.stringify([...table]))); },
    strings: () => { let s = ''; const all = []; for (;;) { s += 'line ' + s.length; all.push(s.slice(5).toUpperCase().normalize('NFD')); } },
    typed: () => { const all = []; for (;;) all.push(new Uint8Array(100_000 + all.length).fill(all.length)); },
    objects: () => { const all = []; for (;;) all.push({ a: [all.length, { b: new Date(), c: Symbol('s') }] }); },
    maps: () => { for (const [k, v] of table) { table.delete(k); table.set(k + 'x', new Set([v, k])); } },
    bigint: () => { let x = 3n; for (;;) x = x * x + 1n; },
    stack: () => { const f = () => f() + 1; return f(); },
    caught: () => { const f = () => { try { f(); } catch { f(); } }; f(); },
    deep: () => { let o = []; for (;;) { o = [o]; try { JSON.stringify(o); } catch { return o; } } },
    evaluate: () => { for (let i = 0; ; i++) (0, eval)('globalThis.v' + i + ' = function named' + i + '() { return ' + i + '; }'); },
    regexps: () => { for (let i = 0; ; i++) globalThis['r' + i] = new RegExp('(?<n' + i + '>a|' + i + ')*').exec('a' + i); },
    promises: async () => { for (;;) await new Promise((done) => queueMicrotask(done)); },
    async: async () => { const f = async (n) => { await null; return f(n + 1); }; return f(0); },
    generators: () => { const all = []; function* g() { try { yield* g(); } finally { all.push(1); } } for (;;) { const x = g(); try { x.next(); } catch {} all.push(x); } },
    proxies: () => { let p = {}; for (;;) { p = new Proxy(p, { get: (t, k) => t[k] }); p.x; } },
    weak: () => { const r = new FinalizationRegistry(() => {}); const m = new WeakMap(); for (;;) { const o = {}; r.register(o, 1); m.set(o, new WeakRef(o)); } },
    pollute: () => { for (const k of Object.getOwnPropertyNames(Array.prototype)) delete Array.prototype[k]; Object.prototype.toJSON = () => 1; Object.freeze(globalThis); turns = 99; return { odd: true }; },
    remove: () => { for (const k of Object.getOwnPropertyNames(globalThis)) delete globalThis[k]; return 1; },
    polyfill: () => { for (;;) new URL('https://example.org/' + structuredClone({ a: [1] }).a + btoa(new TextDecoder().decode(new TextEncoder().encode('ж')).length)); },
    host: () => { for (let i = 0; ; i++) { set('key' + i, { text: 'x'.repeat(i * 100) }); get('key'); list('k'.repeat(i)); log('info', 'y'.repeat(i)); } },
    refused: () => { for (let i = 0; ; i++) { try { get('refuse'); } catch (e) { globalThis.last = e; } } },
    ended: () => get('end'),
    random: () => { for (;;) crypto.getRandomValues(new Uint8Array(1000)); },
    thrown: () => { throw Object.assign(new Error('x'.repeat(100_000)), { cause: table }); },
    odd: () => { throw new Proxy({}, { get() { for (;;); } }); },
    output: () => ({ text: 'x'.repeat(3_000_000) }),
    pending: () => new Promise(() => {}),
    dates: () => { for (let i = 0; ; i += 86_400_000) globalThis.d = new Date(i).toString() + new Date(2020, i % 12).toLocaleString(); },
  };
  export function handle(event) { return ATTACKS[event.attack](); }
  export const names = Object.keys(ATTACKS);
  export function prepare() { table.set('prepared', Object.keys(ATTACKS).join()); }`;

const NAMES = [...SOURCE.matchAll(/^ {4}(\w+): (?:async )?\(/gm)].map(([, name]) => name!);

const calls: HostCalls = {
  call(op, args) {
    if (args[0] === 'end') throw new Error('the host ends the turn');
    if (args[0] === 'refuse')
      return 'E{"code":"NEIRA_VALUE_INVALID","message":"no","details":{"what":"key"}}';
    if (op === 'storage.get') return 'V{"key":"key","value":{"a":[1,2,3]},"version":1}';
    return op === 'storage.list' ? `V[${'{"key":"k","value":1,"version":1},'.repeat(500)}0]` : 'U';
  },
  randomBytes: (count) => Uint8Array.from({ length: count }, (_, index) => index * 7),
  nowMs: () => 1_700_000_000_000,
};

test('after hostile turns cut off anywhere the memory equals the image page for page (HOST-06)', async () => {
  const seed = Number(process.env['HOSTILE_SEED'] ?? Date.now() % 1_000_000_000);
  console.log(`reset test: HOSTILE_SEED=${seed}`);
  const random = randomOf(seed);
  const guest = await guestCode();
  const source = { ...guest, code: SOURCE, name: 'plugin:hostile' };
  const booted = watchingMemory(() => Instance.boot(source, MEMORY_MB, calls, budget(2e8)));
  const { image } = booted.instance;
  expect(NAMES.length).toBeGreaterThan(25);

  const expected = calmTurn(Instance.restore(image, guest.polyfills));
  let { instance, memory } = booted;
  const outcomes = new Map<string, number>();
  const until = performance.now() + ENOUGH_MS;
  for (let turn = 0; turn < TURNS && performance.now() < until; turn++) {
    const attack = NAMES[Math.floor(random() * NAMES.length)]!;
    // Anything from a few instructions to all that a turn may use; now and then by the clock.
    const fuel = Math.ceil(FUEL * random() ** 4) + 100;
    const limits = {
      ...budget(fuel),
      ...(random() < 0.1 && { wallDeadlineMs: performance.now() + random() * 20 }),
    };
    const result = instance.run(JSON.stringify({ attack }), calls, limits);
    outcomes.set(result.kind, (outcomes.get(result.kind) ?? 0) + 1);
    instance.reset();
    const where = `seed ${seed}, turn ${turn}: ${attack} with fuel ${fuel} ended as ${result.kind}`;
    expect(firstDifference(memory, image), where).toBeUndefined();
    expect(instance.reset(), `${where}: a second reset has nothing to do`).toBe(0);
    expect(calmTurn(instance), where).toEqual(expected);
    if (random() < 0.05)
      ({ instance, memory } = watchingMemory(() => Instance.restore(image, guest.polyfills)));
  }
  console.log(`reset test: ${[...outcomes].map(([kind, count]) => `${kind} ${count}`).join(', ')}`);
  expect([...outcomes.keys()]).toEqual(expect.arrayContaining(['aborted', 'interrupted', 'thrown', 'value']));
}, 60_000);

function budget(fuel: number): Budget {
  return {
    softFuel: fuel,
    hardFuel: fuel * 1.25,
    wallDeadlineMs: performance.now() + 10_000,
    maxOutputBytes: 100_000,
  };
}

function calmTurn(instance: Instance): { result: RunResult | Suspended; fuel: number } {
  const result = instance.run('{"attack":"calm"}', calls, budget(FUEL));
  const fuel = instance.fuelUsed;
  instance.reset();
  expect(result.kind).toBe('value');
  return { result, fuel };
}

/** The guest's memory is nobody's business but the instance's; a test that looks at it catches it when it is made. */
function watchingMemory(make: () => Instance): { instance: Instance; memory: WebAssembly.Memory } {
  const Native = WebAssembly.Memory;
  let memory: WebAssembly.Memory | undefined;
  WebAssembly.Memory = class extends Native {
    constructor(descriptor: ConstructorParameters<typeof Native>[0]) {
      super(descriptor);
      memory = this;
    }
  };
  try {
    return { instance: make(), memory: memory! };
  } finally {
    WebAssembly.Memory = Native;
  }
}

/** The first page that differs from the image; undefined when there is none. */
function firstDifference(memory: WebAssembly.Memory, image: Image): number | undefined {
  const bytes = Buffer.from(memory.buffer);
  const index = new Int32Array(image.index);
  const zeros = Buffer.alloc(PAGE_BYTES);
  for (let page = 0; page < bytes.length / PAGE_BYTES; page++) {
    const place = page < index.length ? index[page]! : -1;
    const wanted = place < 0 ? zeros : Buffer.from(image.pages, place * PAGE_BYTES, PAGE_BYTES);
    // The card table belongs to the reset itself: it must be clean, not equal.
    const right = isCardPage(page) ? zeros : wanted;
    if (right.compare(bytes, page * PAGE_BYTES, (page + 1) * PAGE_BYTES) !== 0) return page;
  }
  return undefined;
}

/** mulberry32 */
function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
