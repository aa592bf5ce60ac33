import type { HostileCase } from '../harness.ts';

/** Where a built-in needs more memory before it needs more time, that is as good an end. */
const ENDED = ['NEIRA_CPU_EXCEEDED', 'NEIRA_MEMORY_EXCEEDED'];
const ENDED_OR_REFUSED = [...ENDED, 'NEIRA_PLUGIN_FAILED'];
const HUGE = '({ length: 2 ** 53 - 1 } as any)';

/** Built-ins that compute for long without coming by the interrupt handler (HOST-06, HOST-25). */
export const BUILTINS: readonly HostileCase[] = [
  ...[
    'includes',
    'indexOf',
    'lastIndexOf',
    'join',
    'reverse',
    'fill',
    'shift',
    'unshift',
    'toString',
    'toLocaleString',
    'flat',
    'sort',
    'copyWithin',
  ].map((method) => ({
    name: `Array.prototype.${method} on a huge array-like is ended`,
    attack: `return Array.prototype.${method}.call(${HUGE}, ${method === 'copyWithin' ? '0, 1' : '1'}) as any;`,
    expect: ENDED_OR_REFUSED,
    ...(method === 'toString' && { expect: 'NEIRA_REPLY_INVALID' }),
  })),
  ...['forEach', 'map', 'reduce', 'every', 'find', 'findLastIndex', 'flatMap'].map((method) => ({
    name: `Array.prototype.${method} on a huge array-like is ended`,
    attack: `return Array.prototype.${method}.call({ length: 2 ** 32 - 1, 0: 1 } as any, () => ${method === 'every'}, 0) as any;`,
    expect: ENDED_OR_REFUSED,
  })),
  {
    name: 'Array.from of a huge length is ended',
    attack: 'return Array.from({ length: 2 ** 32 - 1 }) as any;',
    expect: ENDED_OR_REFUSED,
  },
  {
    name: 'Array.prototype.concat of spreadable array-likes is ended',
    attack: 'return [].concat({ length: 2 ** 40, [Symbol.isConcatSpreadable]: true } as any) as any;',
    expect: ENDED_OR_REFUSED,
  },
  {
    name: 'with, toSpliced and toSorted of huge array-likes are ended',
    attack: `return Array.prototype.toSorted.call({ length: 2 ** 31 } as any) as any;`,
    expect: ENDED_OR_REFUSED,
  },
  {
    name: 'Function.prototype.apply of a huge array-like is ended',
    attack: 'return Math.max.apply(null, { length: 2 ** 31 } as any) as any;',
    expect: ENDED_OR_REFUSED,
  },
  {
    name: 'a quadratic string search is ended',
    attack:
      'const s = "a".repeat(2 ** 20); for (let i = 0; ; i++) (s + i).indexOf("a".repeat(2 ** 19) + "b");',
    expect: ENDED,
  },
  {
    name: 'a quadratic lastIndexOf is ended',
    attack: 'const s = "a".repeat(2 ** 20); for (;;) s.lastIndexOf("b" + "a".repeat(2 ** 19));',
    expect: ENDED,
  },
  {
    name: 'a quadratic split is ended',
    attack: 'const s = "a".repeat(2 ** 19); return s.split("a".repeat(2 ** 18) + "b").length as any;',
    expect: ENDED,
  },
  {
    name: 'replaceAll that grows what it reads is ended',
    attack: 'let s = "a"; for (;;) s = s.replaceAll("a", "aa");',
    expect: ENDED_OR_REFUSED,
  },
  {
    name: 'JSON.stringify of a structure shared exponentially is ended',
    attack:
      'let o: any = {}; for (let i = 0; i < 60; i++) o = { a: o, b: o }; return JSON.stringify(o) as any;',
    expect: ENDED,
  },
  {
    name: 'a reply shared exponentially is ended',
    attack: 'let o: any = {}; for (let i = 0; i < 60; i++) o = { a: o, b: o }; return { actions: [o] };',
    expect: ENDED,
  },
  {
    name: 'flat(Infinity) of a structure shared exponentially is ended',
    attack: 'let a: any[] = []; for (let i = 0; i < 60; i++) a = [a, a]; return a.flat(Infinity) as any;',
    expect: ENDED,
  },
  {
    name: 'structuredClone of a huge structure is ended',
    attack: 'const a: any[] = []; for (let i = 0; i < 50_000; i++) a.push([i]); for (;;) structuredClone(a);',
    expect: ENDED,
  },
  {
    name: 'JSON.parse of a huge text again and again is ended',
    attack: 'const t = "[" + "1,".repeat(200_000) + "1]"; for (;;) JSON.parse(t);',
    expect: ENDED,
  },
  {
    name: 'JSON.parse with a reviver that grows the array is ended',
    attack:
      'for (;;) JSON.parse("[[1],1]", function (k, v) { for (let i = 0; i < 1000 && Array.isArray(this); i++) this.push([i]); return v; });',
    expect: ENDED,
  },
  {
    name: 'a catastrophic regular expression is ended',
    attack: 'return /^(a+)+$/.test("a".repeat(40) + "!") as any;',
    expect: ENDED,
  },
  {
    name: 'a regular expression with nested empty loops is ended',
    attack: 'return /^(?:(?:a?)*)*b/.test("a".repeat(5000)) as any;',
    expect: [...ENDED, 'NEIRA_REPLY_INVALID', 'NEIRA_PLUGIN_FAILED', 'NEIRA_STACK_EXCEEDED'],
  },
  {
    name: 'a regular expression with backreferences and lookbehind is ended',
    attack: 'return /(?<=(a*)*)(a|a\\1)*$/.test("a".repeat(60) + "b") as any;',
    expect: [...ENDED, 'NEIRA_REPLY_INVALID', 'NEIRA_PLUGIN_FAILED'],
  },
  {
    name: 'a global replace by a catastrophic expression is ended',
    attack: 'return "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!".replace(/(a|aa)+$/g, "") as any;',
    expect: ENDED,
  },
  {
    name: 'a huge counted expression is ended or refused',
    attack:
      'return new RegExp("(?:(?:(?:a{1,1000}){1,1000}){1,1000}){1,1000}$").test("a".repeat(1000) + "b") as any;',
    expect: [...ENDED_OR_REFUSED, 'NEIRA_STACK_EXCEEDED'],
  },
  {
    name: 'a comparator that lies is ended or comes to an end',
    attack:
      'const a = Array.from({ length: 1000 }, (_, i) => i); for (;;) a.sort(() => (a.length % 2 ? 1 : -1));',
    expect: ENDED,
  },
  {
    name: 'a comparator that changes the array is ended',
    attack:
      'const a = Array.from({ length: 1000 }, (_, i) => i); for (;;) a.sort((x, y) => { a.length = 0; a.push(x, y); return 1; });',
    expect: ENDED,
  },
  {
    name: 'sorting with a comparator that loops is ended',
    attack: 'return [1, 2].sort(() => { for (;;); }) as any;',
    expect: ENDED,
  },
  {
    name: 'sorting a typed array with a comparator that loops is ended',
    attack: 'return new Uint8Array(9).sort(() => { for (;;); }) as any;',
    expect: ENDED,
  },
  {
    name: 'BigInt power is ended',
    attack: 'return (3n ** 10_000_000n).toString().length as any;',
    expect: ENDED_OR_REFUSED,
  },
  {
    name: 'BigInt multiplication is ended',
    attack: 'let x = 3n ** 1000n; for (;;) x *= x;',
    expect: ENDED_OR_REFUSED,
  },
  {
    name: 'BigInt toString is ended',
    attack: 'const x = 1n << 800_000n; return x.toString(10).length as any;',
    expect: ENDED_OR_REFUSED,
  },
  {
    name: 'BigInt division and remainder are ended',
    attack: 'const x = (1n << 900_000n) - 1n, y = (1n << 450_000n) + 1n; for (;;) x % y;',
    expect: ENDED_OR_REFUSED,
  },
  {
    name: 'BigInt of a long text is ended',
    attack: 'const t = "7".repeat(300_000); for (;;) BigInt(t);',
    expect: ENDED_OR_REFUSED,
  },
  {
    name: 'BigInt.asUintN of huge widths is ended',
    attack: 'for (;;) BigInt.asUintN(2 ** 30, -1n);',
    expect: ENDED_OR_REFUSED,
  },
  {
    name: 'String.repeat of a large count is ended',
    attack: 'for (;;) "abc".repeat(2 ** 22).length;',
    expect: ENDED,
  },
  {
    name: 'padStart again and again is ended',
    attack: 'for (;;) "x".padStart(2 ** 22, "abc").length;',
    expect: ENDED,
  },
  {
    name: 'String.normalize of long texts is ended',
    attack: 'const s = "\\u1E9B\\u0323\\uFB03".repeat(100_000); for (;;) s.normalize("NFKD");',
    expect: ENDED,
  },
  {
    name: 'upper and lower case of long texts is ended',
    attack: 'const s = "ßİǅ".repeat(200_000); for (;;) s.toUpperCase().toLowerCase();',
    expect: ENDED,
  },
  {
    name: 'localeCompare of long texts is ended',
    attack: 'const s = "é".repeat(10_000); for (let n = 0; ; n++) s.localeCompare(s + n);',
    expect: ENDED,
  },
  {
    name: 'localeCompare of longer texts than the host compares is refused',
    attack: 'const s = "é".repeat(300_000); for (;;) s.localeCompare(s + "x");',
    expect: 'NEIRA_VALUE_TOO_LARGE',
  },
  {
    name: 'encodeURIComponent of long texts is ended',
    attack: 'const s = "ü".repeat(300_000); for (;;) decodeURIComponent(encodeURIComponent(s));',
    expect: ENDED,
  },
  {
    name: 'isWellFormed of long texts is ended',
    attack: 'const s = ("x".repeat(1_000_000) + "\\u{1F600}") as any; for (;;) s.isWellFormed();',
    expect: ENDED,
  },
  {
    name: 'typed array fill is ended',
    attack: 'const a = new Uint8Array(2 ** 24); for (;;) a.fill(7);',
    expect: ENDED,
  },
  {
    name: 'typed array set is ended',
    attack: 'const a = new Float64Array(2 ** 20), b = new Uint8Array(2 ** 20); for (;;) a.set(b);',
    expect: ENDED,
  },
  {
    name: 'typed array sort is ended',
    attack:
      'const a = new Uint32Array(2 ** 20).map((_, i) => (i * 2654435761) >>> 0); for (;;) a.slice().sort();',
    expect: ENDED,
  },
  {
    name: 'typed array copyWithin and slice are ended',
    attack: 'const a = new Uint8Array(2 ** 23); for (;;) a.copyWithin(1, 0).slice(1);',
    expect: ENDED,
  },
  {
    name: 'typed array indexOf and join are ended',
    attack: 'const a = new Uint8Array(2 ** 22); for (;;) { a.indexOf(9); a.lastIndexOf(9); a.includes(9); }',
    expect: ENDED,
  },
  {
    name: 'a typed array from a huge array-like is ended',
    attack: 'return new Uint8Array({ length: 2 ** 24 } as any).length as any;',
    expect: ENDED,
  },
  {
    name: 'Map and Set floods are ended',
    attack: 'const m = new Map(), s = new Set(); for (let i = 0; ; i++) { m.set(i, i); s.add(i); }',
    expect: ENDED,
  },
  {
    name: 'a Map that grows while it is walked is ended',
    attack: 'const m = new Map([[0, 0]]); for (const [k] of m) m.set(k + 1, 0);',
    expect: ENDED,
  },
  {
    name: 'a Set that grows in forEach is ended',
    attack: 'const s = new Set([0]); s.forEach((v) => s.add(v + 1));',
    expect: ENDED,
  },
  {
    name: 'Set.union of set-likes that never end is ended',
    attack:
      'return (new Set([1]) as any).union({ size: 1, has: () => true, keys: () => ({ next: () => ({ done: false, value: {} }) }) });',
    expect: ENDED,
  },
  {
    name: 'Map.groupBy and Object.groupBy of endless iterators are ended',
    attack: 'return (Object as any).groupBy((function* () { for (;;) yield 1; })(), () => "a");',
    expect: ENDED,
  },
  {
    name: 'Object.fromEntries of an endless iterator is ended',
    attack:
      'return Object.fromEntries((function* () { for (let i = 0; ; i++) yield [i % 100, i]; })()) as any;',
    expect: ENDED,
  },
  {
    name: 'Promise.all of an endless iterator is ended',
    attack: 'return (await Promise.all((function* () { for (;;) yield 1; })())) as any;',
    expect: ENDED,
  },
  {
    name: 'Object.keys of a Proxy with endless keys is ended',
    attack:
      'return Object.keys(new Proxy({}, { ownKeys: () => ({ length: 2 ** 32 - 1, get 0() { for (;;); } }) as any })) as any;',
    expect: ENDED_OR_REFUSED,
  },
  {
    name: 'Object.assign from a Proxy with many keys is ended',
    attack:
      'const o: any = {}; for (let i = 0; i < 20_000; i++) o["k" + i] = i; for (;;) Object.assign({}, o);',
    expect: ENDED,
  },
  {
    name: 'Date parsing and formatting for ever is ended',
    attack: 'for (;;) new Date(new Date(8.64e15).toString()).toISOString();',
    expect: ENDED_OR_REFUSED,
  },
  {
    name: 'dates beyond every calendar are refused quietly',
    attack:
      'return { actions: [{ at: String(new Date(NaN)), far: new Date(8.64e15).toString(), before: new Date(-8.64e15).getDay() }] };',
    expect: 'ok',
  },
  {
    name: 'number formatting for ever is ended',
    attack:
      'for (;;) { (1.7976931348623157e308).toFixed(100); (5e-324).toString(3); (0.1).toPrecision(100); }',
    expect: ENDED,
  },
  {
    name: 'Iterator helpers over endless iterators are ended',
    attack:
      'return (function* () { for (;;) yield 1; })().map((x: any) => x).filter(() => false).next() as any;',
    expect: ENDED,
  },
  {
    name: 'escape and unescape of long texts are ended',
    attack: 'const s = "ä".repeat(300_000); for (;;) unescape(escape(s));',
    expect: ENDED,
  },
  {
    name: 'atob and btoa of long texts are ended',
    attack: 'const s = "x".repeat(300_000); for (;;) atob(btoa(s));',
    expect: ENDED,
  },
  {
    name: 'URL parsing of long texts is ended',
    attack: 'for (;;) new URL("http://example.org/" + "%41/".repeat(5000));',
    expect: ENDED,
  },
  {
    name: 'TextEncoder and TextDecoder of long texts are ended',
    attack: 'const s = "ж".repeat(300_000); for (;;) new TextDecoder().decode(new TextEncoder().encode(s));',
    expect: ENDED,
  },
  {
    name: 'getRandomValues for ever is ended',
    attack: 'const a = new Uint8Array(65_536); for (;;) crypto.getRandomValues(a);',
    expect: ENDED,
  },
];
