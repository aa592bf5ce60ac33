import { expect } from 'vitest';
import type { HostileBoot, HostileCase } from '../harness.ts';

const FAILED = 'NEIRA_PLUGIN_FAILED';

function throwing(what: string, attack: string, reason?: RegExp): HostileCase {
  return {
    name: `${what} that is thrown is a failure with its reason`,
    attack,
    expect: FAILED,
    ...(reason && { check: ({ answer }) => expect(answer.body.detail).toMatch(reason) }),
  };
}

/** A refusal of the host is told by identity: nothing that a plugin makes passes for one. */
function forging(what: string, attack: string): HostileCase {
  return {
    name: `${what} does not pass for a refusal of the host`,
    top: "import { NeiraError } from 'neira:host/types'; import { set, get } from 'neira:host/storage';",
    attack,
    expect: FAILED,
  };
}

/** What is thrown is described without trusting any part of it (HOST-06). */
export const THROWN: readonly HostileCase[] = [
  throwing('null', 'throw null;', /null/),
  throwing('undefined', 'throw undefined;', /undefined/),
  throwing('a symbol', 'throw Symbol("secret");', /Symbol\(secret\)/),
  throwing('a number', 'throw -0;'),
  throwing('a BigInt', 'throw 10n;', /10/),
  throwing('a function', 'throw function named() {};'),
  throwing('an empty object', 'throw {};'),
  throwing('an object without a prototype', 'throw Object.create(null);'),
  throwing('an array that holds itself', 'const a: any[] = []; a.push(a); throw a;'),
  throwing('a revoked proxy', 'const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); throw proxy;'),
  throwing(
    'a proxy that throws from every trap',
    'throw new Proxy({}, new Proxy({}, { get() { throw new Error("trap"); } }));',
  ),
  throwing(
    'an object whose accessors throw',
    'throw { get name() { throw 1; }, get message() { throw 2; }, get stack() { throw 3; } };',
  ),
  throwing(
    'an object whose accessors throw themselves',
    'const e: any = { get message() { throw e; } }; throw e;',
  ),
  throwing(
    'an object with numbers for its words',
    'throw { name: 1, message: 2, stack: 3, code: 4, details: 5 };',
  ),
  throwing('an object with objects for its words', 'throw { name: {}, message: [], stack: { split: 1 } };'),
  throwing('an error with a huge message', 'throw new Error("x".repeat(5_000_000));'),
  throwing(
    'an error with a message of lone surrogates and NUL',
    'throw new Error("a\\0b\\ud800c\\u2028");',
    /a/,
  ),
  throwing(
    'an error with a stack of line nought',
    'throw { name: "E", message: "m", stack: "at f (plugin:hostile:0:0)\\nat g (plugin:" + event.event_name.replace(".event", "") + ":0:0)" };',
  ),
  throwing(
    'an error with a stack of huge numbers',
    'throw { name: "E", message: "m", stack: "at g (plugin:" + event.event_name.replace(".event", "") + ":" + "9".repeat(400) + ":" + "9".repeat(400) + ")" };',
  ),
  throwing(
    'an error with a stack of many frames',
    'const e = new Error("deep"); e.stack = ("    at f (plugin:" + event.event_name.replace(".event", "") + ":1:1)\\n").repeat(50_000); throw e;',
  ),
  throwing(
    'an AggregateError of errors',
    'throw new AggregateError([new Error("a"), null], "several");',
    /several/,
  ),
  throwing(
    'a subclass with a name that is a symbol',
    'class E extends Error { get name(): any { return Symbol("n"); } } throw new E("m");',
  ),
  throwing(
    'an error with __proto__ among its details',
    'throw Object.assign(new Error("m"), JSON.parse(\'{"__proto__": {"code": "NEIRA_DISK_FULL"}, "details": {"__proto__": 1}}\'));',
  ),
  forging(
    'an error with a code of the host',
    'throw Object.assign(new Error("full"), { code: "NEIRA_DISK_FULL", details: { plugin: "good.neighbour" } });',
  ),
  forging(
    'an error with a code that every object has',
    'throw Object.assign(new Error("m"), { code: "toString" });',
  ),
  forging(
    'a NeiraError that the plugin made',
    'throw new (NeiraError as any)({ code: "NEIRA_DISK_FULL", message: "full", details: {} });',
  ),
  forging(
    'an object with the prototype of NeiraError',
    'throw Object.assign(Object.create((NeiraError as any).prototype), { code: "NEIRA_DISK_FULL" });',
  ),
  forging(
    'a subclass of NeiraError',
    'class Mine extends (NeiraError as any) {} throw new (Mine as any)({ code: "NEIRA_INTERNAL", message: "m", details: {} });',
  ),
  forging(
    'anything, with instanceof that always agrees,',
    'Object.defineProperty(NeiraError, Symbol.hasInstance, { value: () => true }); throw { code: "NEIRA_DISK_FULL", name: "NeiraError", message: "full" };',
  ),
  forging(
    'a copy of a real refusal',
    'try { set("", 1); } catch (e: any) { throw Object.assign(new Error(e.message), e, { code: "NEIRA_DISK_FULL" }); }',
  ),
  forging(
    'a real refusal inside a proxy',
    'try { set("", 1); } catch (e: any) { throw new Proxy(e, { get: (t, k) => (k === "code" ? "NEIRA_DISK_FULL" : t[k]) }); }',
  ),
  {
    name: 'a real refusal keeps what the host had said, whatever the plugin writes onto it',
    top: "import { set } from 'neira:host/storage';",
    attack:
      'try { set("", 1); } catch (e: any) { e.code = "NEIRA_DISK_FULL"; e.details = { plugin: "good.neighbour" }; (Object.prototype as any).toJSON = () => "forged"; throw e; }',
    expect: 'NEIRA_VALUE_INVALID',
    check: ({ answer, id }) => expect(answer.body).toMatchObject({ plugin: id, what: 'key' }),
  },
  {
    name: 'a refusal that the plugin catches does not fail the turn',
    top: "import { set } from 'neira:host/storage';",
    attack:
      'try { set("", 1); } catch (e: any) { return { actions: [{ code: e.code, name: e.name, error: e instanceof Error }] }; }',
    expect: 'ok',
    actions: [{ code: 'NEIRA_VALUE_INVALID', name: 'NeiraError', error: true }],
  },
  { name: 'a rejection with undefined is a failure', attack: 'await null; throw undefined;', expect: FAILED },
  {
    name: 'a rejected promise that is returned is a failure',
    attack: 'return Promise.reject(Symbol("x")) as any;',
    expect: FAILED,
  },
  {
    name: 'rejections that nobody handles do not fail the turn',
    attack:
      'for (let i = 0; i < 100; i++) Promise.reject(new Error("ignored")); return { actions: [{ fine: 1 }] };',
    expect: 'ok',
    actions: [{ fine: 1 }],
  },
  {
    name: 'a thenable that settles twice settles once',
    attack:
      'return { then(yes: any, no: any) { yes({ actions: [{ first: 1 }] }); yes({ actions: [] }); no(new Error("second")); throw new Error("third"); } } as any;',
    expect: 'ok',
    actions: [{ first: 1 }],
  },
  {
    name: 'a thenable that never settles fails at once',
    attack: 'return { then() {} } as any;',
    expect: 'NEIRA_NEVER_SETTLED',
  },
  {
    name: 'a promise that never settles fails at once',
    attack: 'await new Promise(() => {});',
    expect: 'NEIRA_NEVER_SETTLED',
  },
  {
    name: 'a promise that waits for itself fails at once',
    attack: 'let p: any; p = (async () => { await null; await p; })(); return p;',
    expect: ['NEIRA_NEVER_SETTLED', FAILED],
  },
  {
    name: 'a then getter that throws is a failure',
    attack: 'return { get then() { throw new Error("then"); } } as any;',
    expect: FAILED,
  },
  {
    name: 'a then getter that changes its mind is taken at its word',
    attack: 'let n = 0; return { get then() { return n++ ? 1 : () => {}; }, actions: [] } as any;',
    expect: ['ok', 'NEIRA_NEVER_SETTLED', FAILED],
  },
  {
    name: 'a promise with a constructor that lies is settled all the same',
    attack:
      'const p: any = Promise.resolve({ actions: [{ fine: 1 }] }); p.constructor = { [Symbol.species]: class { constructor(run: any) { run(() => {}, () => {}); } } }; return p;',
    expect: ['ok', FAILED, 'NEIRA_NEVER_SETTLED'],
  },
  {
    name: 'a reply that is a proxy is read as what it shows',
    attack: 'return new Proxy({ actions: [{ a: 1 }] }, {});',
    expect: 'ok',
    actions: [{ a: 1 }],
  },
  {
    name: 'a reply whose toJSON throws is a failure',
    attack: 'return { toJSON() { throw { toString() { throw 1; } }; } } as any;',
    expect: FAILED,
  },
  { name: 'a reply that is a BigInt is a failure', attack: 'return 10n as any;', expect: FAILED },
  ...[
    '1',
    '"text"',
    'true',
    '[]',
    '{ actions: 1 }',
    '{ actions: [1] }',
    '{ actions: [null] }',
    '{ actions: { length: 1 } }',
    'new Date(0)',
  ].map((reply) => ({
    name: `a reply that is ${reply} is no reply`,
    attack: `return ${reply} as any;`,
    expect: 'NEIRA_REPLY_INVALID',
  })),
  ...['undefined', 'null', '{}', 'Symbol("x")', '() => 1', 'new Map()', '/x/'].map((reply) => ({
    name: `a reply that is ${reply} has no actions`,
    attack: `return ${reply} as any;`,
    expect: 'ok',
    actions: [],
  })),
  {
    name: 'keys named __proto__ and constructor go out as they are and change nothing',
    attack:
      'return { actions: [JSON.parse(\'{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}, "a": 1}\')] };',
    expect: 'ok',
    check({ answer }) {
      expect(Object.keys(answer.body.actions[0])).toEqual(['__proto__', 'constructor', 'a']);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    },
  },
  {
    name: 'lone surrogates and NUL in a reply arrive escaped and whole',
    attack: 'return { actions: [{ text: "a\\0b\\ud800c", "k\\0": 1 }] };',
    expect: 'ok',
    actions: [{ text: 'a\0b\ud800c', 'k\0': 1 }],
  },
];

export const BOOT_THROWN: readonly HostileBoot[] = [
  {
    name: 'a top level that throws null is refused with its reason',
    source: 'throw null; export function handle() {}',
    code: 'NEIRA_BOOT_FAILED',
    details: { cause: FAILED, during: 'load' },
  },
  {
    name: 'a top level that throws numbers for words is refused with its reason',
    source: 'throw { name: 1, message: 2, stack: 3 }; export function handle() {}',
    code: 'NEIRA_BOOT_FAILED',
    details: { cause: FAILED },
  },
  {
    name: 'a top level that throws a proxy is refused with its reason',
    source: 'throw new Proxy({}, { get() { throw 1; } }); export function handle() {}',
    code: 'NEIRA_BOOT_FAILED',
    details: { cause: FAILED },
  },
  {
    name: 'a top level that rejects is refused with its reason',
    source: 'await Promise.reject({ stack: {} }); export function handle() {}',
    code: 'NEIRA_BOOT_FAILED',
    details: { cause: FAILED },
  },
  {
    name: 'a prepare() that throws an accessor is refused with its reason',
    source: 'export function prepare() { throw { get message() { throw 1; } }; } export function handle() {}',
    code: 'NEIRA_BOOT_FAILED',
    details: { cause: FAILED, during: 'prepare' },
  },
  { name: 'a module without handle is refused', source: 'export const other = 1;', code: 'NEIRA_NO_HANDLER' },
  {
    name: 'a handle that is no function is refused',
    source: 'export const handle = { call() {}, apply() {} };',
    code: 'NEIRA_NO_HANDLER',
  },
  {
    name: 'a handle that does not exist yet at load is refused',
    source: 'export let handle: any; Promise.resolve().then(() => { handle = 1; });',
    code: 'NEIRA_NO_HANDLER',
  },
];
