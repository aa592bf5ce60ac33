import { expect } from 'vitest';
import type { HostileCase } from '../harness.ts';

const SDK =
  "import { get, set, list, saveAnnotation } from 'neira:host/storage'; import { log } from 'neira:host/io';";

/** Changes what the language is made of; then works with the SDK, which must not notice. */
function polluting(what: string, attack: string, more: Partial<HostileCase> = {}): HostileCase {
  return {
    name: `${what} replaced does not reach the host or the SDK`,
    top: SDK,
    attack: `${attack}
      set('k', { v: [1, 2, { deep: 'ü' }] });
      return { actions: [{ got: get('k').value.v[2].deep, listed: list('').length }] };`,
    expect: 'ok',
    actions: [{ got: 'ü', listed: 1 }],
    ...more,
  };
}

/** The same, where the guest's own code can fail by what it did; the host must not. */
function confusing(what: string, attack: string): HostileCase {
  return polluting(what, attack, {
    expect: [
      'ok',
      'NEIRA_PLUGIN_FAILED',
      'NEIRA_CPU_EXCEEDED',
      'NEIRA_STACK_EXCEEDED',
      'NEIRA_REPLY_INVALID',
      'NEIRA_NEVER_SETTLED',
    ],
    actions: undefined,
  });
}

const EVIL = '((...a: any[]) => { throw new Error("evil"); }) as any';

export const POLLUTION: readonly HostileCase[] = [
  polluting('JSON', 'JSON.parse = JSON.stringify = () => "V[]"; (globalThis as any).JSON = null;'),
  polluting('Promise.prototype.then', `Promise.prototype.then = ${EVIL}; await undefined;`),
  polluting('Promise', '(globalThis as any).Promise = class {}; '),
  polluting(
    'String.prototype',
    `for (const k of Object.getOwnPropertyNames(String.prototype)) { try { (String.prototype as any)[k] = ${EVIL}; } catch {} }`,
  ),
  polluting(
    'Array.prototype methods',
    `for (const k of ['join', 'slice', 'map', 'push', 'concat', 'toString', 'indexOf']) (Array.prototype as any)[k] = ${EVIL};`,
  ),
  polluting(
    'the Array iterator',
    `(Array.prototype as any)[Symbol.iterator] = function* () { yield "storage.set"; yield "k"; yield '"forged"'; };`,
  ),
  polluting(
    'the next of iterators',
    'Object.getPrototypeOf([][Symbol.iterator]()).next = () => ({ done: true, value: undefined });',
  ),
  polluting(
    'Function.prototype',
    `Function.prototype.call = Function.prototype.apply = Function.prototype.bind = ${EVIL};`,
  ),
  polluting(
    'Reflect',
    `for (const k of Object.keys(Object.getOwnPropertyDescriptors(Reflect))) try { (Reflect as any)[k] = ${EVIL}; } catch {}`,
  ),
  polluting(
    'Object',
    `for (const k of Object.getOwnPropertyNames(Object)) try { (Object as any)[k] = ${EVIL}; } catch {}`,
  ),
  polluting(
    'the constructors of errors',
    '(globalThis as any).Error = (globalThis as any).TypeError = class { constructor() { throw 1; } };',
  ),
  polluting(
    'typed arrays',
    '(globalThis as any).Uint32Array = (globalThis as any).Uint8Array = class { constructor() { throw 1; } };',
  ),
  polluting('WeakMap.prototype', `WeakMap.prototype.get = WeakMap.prototype.set = ${EVIL};`),
  polluting(
    'Symbol.species',
    'Object.defineProperty(Array, Symbol.species, { value: class { constructor() { throw 1; } } }); Object.defineProperty(Promise, Symbol.species, { value: class { constructor() { throw 1; } } });',
  ),
  polluting(
    'Math and Number',
    `Math.floor = Math.min = Math.max = ${EVIL}; (Number as any).isInteger = ${EVIL}; Number.prototype.toString = ${EVIL};`,
  ),
  confusing('a toJSON on Object.prototype', '(Object.prototype as any).toJSON = () => ({ actions: 1 });'),
  confusing('a toJSON on Array.prototype', '(Array.prototype as any).toJSON = () => "x";'),
  confusing(
    'accessors at Array indices',
    'for (let i = 0; i < 5; i++) Object.defineProperty(Array.prototype, i, { get() { return "x"; }, set() { throw 1; } });',
  ),
  confusing(
    'accessors on Object.prototype for the words of the host',
    'for (const k of ["code", "details", "message", "name", "then", "actions", "value", "key", "V", "length", "0"]) Object.defineProperty(Object.prototype, k, { get() { return "forged"; }, set() {}, configurable: true });',
  ),
  confusing(
    'a then on Object.prototype',
    '(Object.prototype as any).then = function (yes: any) { yes({ actions: [{ stolen: 1 }] }); };',
  ),
  confusing(
    'a frozen Object.prototype',
    'Object.freeze(Object.prototype); Object.freeze(Array.prototype); Object.freeze(Error.prototype);',
  ),
  confusing(
    'a prototype of Object.prototype',
    'Object.setPrototypeOf(Array.prototype, new Proxy({}, { get() { throw 1; } }));',
  ),
  confusing(
    'globalThis sealed by a proxy',
    'Object.setPrototypeOf(globalThis, new Proxy({}, { get: (_t, k) => { throw k; }, has: () => true }));',
  ),
  {
    name: 'Error.prepareStackTrace and stackTraceLimit of a plugin do not reach the host',
    attack:
      '(Error as any).prepareStackTrace = () => { for (;;); }; (Error as any).stackTraceLimit = Infinity; throw new Error("m");',
    expect: ['NEIRA_PLUGIN_FAILED', 'NEIRA_CPU_EXCEEDED'],
  },
  {
    name: 'a view that lies about its length gets no more randomness than it is long',
    attack: `let n = 0;
      class Lie extends Uint8Array { get byteLength(): number { return n++ % 2 ? 2 ** 40 : 1; } get length(): number { return 2 ** 40; } get byteOffset(): number { return -1; } }
      const view = new Lie(4); crypto.getRandomValues(view); Object.setPrototypeOf(view, Uint8Array.prototype);
      return { actions: [{ length: view.length }] };`,
    expect: 'ok',
    actions: [{ length: 4 }],
  },
  {
    name: 'randomness for what is no view is refused',
    attack: 'crypto.getRandomValues({ byteLength: 1e12, buffer: new ArrayBuffer(1), byteOffset: 0 } as any);',
    expect: 'NEIRA_PLUGIN_FAILED',
  },
  {
    name: 'randomness for a view above 65,536 bytes is refused',
    attack: 'crypto.getRandomValues(new Uint8Array(65_537));',
    expect: 'NEIRA_PLUGIN_FAILED',
  },
  {
    name: 'a handle that is replaced while it runs is the old one for the next turn',
    files: {
      'main.ts': `export let handle: any = (event: any) => { if (!event.payload.params.attack) return { actions: [{ calm: true }] }; handle = () => ({ actions: [{ replaced: true }] }); return { actions: [{ first: 1 }] }; };`,
    },
    attack: '',
    expect: 'ok',
    actions: [{ first: 1 }],
  },
  {
    name: 'what one turn changes in the language is gone in the next',
    attack:
      'const seen = { polluted: ({} as any).polluted, push: [].push === (globalThis as any).mine }; (Object.prototype as any).polluted = 1; (globalThis as any).mine = Array.prototype.push = () => 0; delete (globalThis as any).Map; return { actions: [seen] };',
    expect: 'ok',
    actions: [{ push: false }],
    async check({ attack }) {
      expect((await attack()).body.actions).toEqual([{ push: false }]);
    },
  },
];
