import type { HostileBoot, HostileCase } from '../harness.ts';

const STACK = 'NEIRA_STACK_EXCEEDED';
const OVERFLOW = [STACK, 'NEIRA_CPU_EXCEEDED', 'NEIRA_MEMORY_EXCEEDED', 'NEIRA_PLUGIN_FAILED'];
const ROOM = { cpu_ms: 500 };
/** Either the engine takes it or it says no; it never faults. */
const TAKEN_OR_REFUSED = ['ok', ...OVERFLOW];

/** Recursion in every shape: in the guest's code, in the engine's built-ins and in its parsers (HOST-06). */
export const STACK_CASES: readonly HostileCase[] = [
  {
    name: 'a function that calls itself overflows',
    attack: 'const f = (): any => f() + 1; return f();',
    expect: STACK,
  },
  {
    name: 'recursion that catches its overflow and goes on is ended',
    attack: 'const f = (): any => { try { f(); } catch { f(); } }; return f();',
    expect: OVERFLOW,
  },
  {
    name: 'a finally that recurses is ended',
    attack: 'const f = (): any => { try { f(); } finally { f(); } }; return f();',
    expect: OVERFLOW,
  },
  {
    name: 'two functions that call each other overflow',
    attack: 'const f = (): any => g(), g = (): any => f() + 1; return f();',
    expect: STACK,
  },
  {
    name: 'a getter that reads itself overflows',
    attack: 'const o: any = { get x() { return o.x; } }; return o.x;',
    expect: STACK,
  },
  {
    name: 'a toString that calls itself overflows',
    attack: 'const o: any = { toString() { return `${o}`; } }; return `${o}` as any;',
    expect: STACK,
  },
  {
    name: 'a toJSON that stringifies itself overflows',
    attack: 'const o: any = { toJSON() { return JSON.stringify(o); } }; return o;',
    expect: OVERFLOW,
  },
  {
    name: 'a constructor that constructs itself overflows',
    attack: 'class A { constructor() { new A(); } } return new A() as any;',
    expect: STACK,
  },
  {
    name: 'a generator that delegates to itself overflows',
    attack: 'function* g(): any { yield* g(); } return [...g()] as any;',
    expect: OVERFLOW,
  },
  {
    name: 'an async function that awaits itself is ended',
    attack: 'const f = async (): Promise<any> => f(); return f();',
    expect: OVERFLOW,
  },
  {
    name: 'JSON.parse of deep nesting is taken or refused',
    attack: 'const n = 200_000; JSON.parse("[".repeat(n) + "]".repeat(n)); return { actions: [] };',
    limits: ROOM,
    expect: TAKEN_OR_REFUSED,
  },
  {
    name: 'JSON.stringify of deep nesting is taken or refused',
    attack:
      'let o: any = []; for (let i = 0; i < 100_000; i++) o = [o]; JSON.stringify(o); return { actions: [] };',
    limits: ROOM,
    expect: TAKEN_OR_REFUSED,
  },
  {
    name: 'a reply of deep nesting is taken or refused',
    attack: 'let o: any = {}; for (let i = 0; i < 5000; i++) o = { o }; return { actions: [o] };',
    limits: ROOM,
    expect: TAKEN_OR_REFUSED,
  },
  {
    name: 'the deepest reply that the engine writes goes all the way out',
    attack:
      'let o: any = {}; for (let i = 0; ; i++) { try { JSON.stringify(o); } catch { break; } for (let k = 0; k < 100; k++) o = { o }; if (i > 100) break; } for (let k = 0; k < 150; k++) o = o.o; return { actions: [o] };',
    limits: ROOM,
    expect: TAKEN_OR_REFUSED,
  },
  {
    name: 'a deep value in storage is taken or refused',
    top: "import { set, saveAnnotation } from 'neira:host/storage';",
    attack:
      'let o: any = "end"; for (let i = 0; i < 900; i++) o = { o }; set("deep", o); saveAnnotation({ kind: "k", chatId: "c", sessionId: "s", data: o }); return { actions: [] };',
    limits: ROOM,
    expect: TAKEN_OR_REFUSED,
  },
  {
    name: 'a regular expression nested deeply is taken or refused',
    attack: 'new RegExp("(".repeat(50_000) + ")".repeat(50_000)); return { actions: [] };',
    limits: ROOM,
    expect: TAKEN_OR_REFUSED,
  },
  {
    name: 'a lookahead nested deeply is taken or refused',
    attack: 'new RegExp("(?=".repeat(20_000) + ")".repeat(20_000)).test("x"); return { actions: [] };',
    limits: ROOM,
    expect: TAKEN_OR_REFUSED,
  },
  {
    name: 'a character class nested deeply is taken or refused',
    attack: 'new RegExp("[".repeat(20_000) + "]".repeat(20_000), "v"); return { actions: [] };',
    limits: ROOM,
    expect: TAKEN_OR_REFUSED,
  },
  ...(
    [
      ['parentheses', '"(".repeat(n) + ")".repeat(n)'],
      ['arrays', '"[".repeat(n) + "]".repeat(n)'],
      ['blocks', '"{".repeat(n) + "}".repeat(n)'],
      ['functions', '"(()=>".repeat(n) + "1" + ")".repeat(n)'],
      ['templates', '"`${".repeat(n) + "}`".repeat(n)'],
      ['unary operators', '"!".repeat(n) + "1"'],
      ['exponents', '"2**".repeat(n) + "1"'],
      ['conditionals', '"1?".repeat(n) + "1" + ":1".repeat(n)'],
      ['patterns', '"[".repeat(n) + "a" + "]".repeat(n) + "=[]"'],
      ['classes', '"class A extends (".repeat(n) + "null" + "){}".repeat(n)'],
      ['if statements', '"if(1)".repeat(n) + ";"'],
      ['new expressions', '"new ".repeat(n) + "Object"'],
      ['optional chains', '"a" + "?.b".repeat(n)'],
      ['additions', '"1+".repeat(n) + "1"'],
    ] as const
  ).map(([what, text]) => ({
    name: `the parser takes or refuses ${what} nested deeply`,
    attack: `const n = 30_000; for (const make of [() => (0, eval)(${text}), () => new Function(${text})]) { try { make(); } catch (error: any) { if (!/Error/.test(error.name)) throw error; } } return { actions: [] };`,
    limits: ROOM,
    expect: TAKEN_OR_REFUSED,
  })),
  {
    name: 'a chain of proxies overflows',
    attack:
      'let p: any = {}; for (let i = 0; i < 100_000; i++) p = new Proxy(p, {}); return { actions: [p.x, "y" in p, Object.keys(p)] } as any;',
    limits: ROOM,
    expect: OVERFLOW,
  },
  {
    name: 'a long prototype chain is taken or refused',
    attack:
      'let o: any = {}; for (let i = 0; i < 100_000; i++) o = Object.create(o); return { actions: [{ x: String(o.x) }] };',
    limits: ROOM,
    expect: TAKEN_OR_REFUSED,
  },
  {
    name: 'a chain of bound functions overflows',
    attack: 'let f: any = () => 1; for (let i = 0; i < 100_000; i++) f = f.bind(null); return f();',
    limits: ROOM,
    expect: [...OVERFLOW, 'NEIRA_REPLY_INVALID'],
  },
  {
    name: 'a chain of classes overflows',
    attack: 'let C: any = class {}; for (let i = 0; i < 50_000; i++) C = class extends C {}; return new C();',
    limits: ROOM,
    expect: OVERFLOW,
  },
  {
    name: 'bound functions with ever more arguments are refused',
    attack:
      'let f: any = (...a: any[]) => a.length; const many = new Array(60_000).fill(0); for (let i = 0; i < 200; i++) f = f.bind(null, ...many); return f();',
    limits: ROOM,
    expect: OVERFLOW,
  },
  {
    name: 'a call with a million arguments is taken or refused',
    attack: 'const a = new Array(1_000_000).fill(0); return { actions: [{ max: Math.max(...a) }] };',
    limits: ROOM,
    expect: TAKEN_OR_REFUSED,
  },
  {
    name: 'flat of an array that holds itself overflows',
    attack: 'const a: any[] = []; a.push(a); return a.flat(Infinity) as any;',
    expect: OVERFLOW,
  },
  {
    name: 'join of arrays nested deeply overflows',
    attack: 'let a: any = []; for (let i = 0; i < 100_000; i++) a = [a]; return a.join() as any;',
    limits: ROOM,
    expect: OVERFLOW,
  },
  {
    name: 'a sort callback that sorts overflows',
    attack: 'const f = (): any => [2, 1].sort(f); return f();',
    expect: OVERFLOW,
  },
  {
    name: 'a replace callback that replaces overflows',
    attack: 'const f = (): any => "a".replace("a", f); return f();',
    expect: OVERFLOW,
  },
  {
    name: 'a regular expression callback that replaces overflows',
    attack: 'const f = (): any => "a".replace(/a/g, f); return f();',
    expect: OVERFLOW,
  },
  {
    name: 'a reviver that parses overflows',
    attack: 'const f = (): any => JSON.parse("[1]", f); return f();',
    expect: OVERFLOW,
  },
  {
    name: 'Reflect.construct of itself overflows',
    attack: 'function F(): any { return Reflect.construct(F as any, []); } return F();',
    expect: OVERFLOW,
  },
  {
    name: 'eval that evals itself overflows',
    attack: 'const s = "(0,eval)(s)"; (globalThis as any).s = s; return (0, eval)(s);',
    expect: OVERFLOW,
  },
  {
    name: 'an error whose causes form a circle is described',
    attack: 'const e: any = new Error("round"); e.cause = e; throw e;',
    expect: 'NEIRA_PLUGIN_FAILED',
  },
  {
    name: 'a structure that holds itself is no reply',
    attack: 'const o: any = {}; o.o = o; return { actions: [o] };',
    expect: 'NEIRA_PLUGIN_FAILED',
  },
];

export const BOOT_STACK: readonly HostileBoot[] = [
  {
    name: 'recursion at top level is refused',
    source: 'const f = (): any => f() + 1; f(); export function handle() {}',
    code: 'NEIRA_BOOT_FAILED',
    details: { cause: STACK },
  },
];
