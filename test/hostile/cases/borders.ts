import { expect } from 'vitest';
import type { HostileCase } from '../harness.ts';

const SDK =
  "import { get, set, delete as remove, list, append, saveAnnotation, saveMessage } from 'neira:host/storage';";
const odd = (body: string, values: string) =>
  `const odd: any[] = []; for (const v of ${values}) { try { ${body} } catch (e: any) { if (!/NeiraError|TypeError/.test(e.name)) odd.push(String(e)); } } return { actions: [{ odd }] };`;
const NOTHING = { expect: 'ok', actions: [{ odd: [] }] } as const;

const ODD_NAMES = JSON.parse('{"toString":1,"valueOf":null,"then":1,"hasOwnProperty":[]}') as unknown;

/** Other plugins' data, paths, secrets, time and chance (HOST-06). */
export const BORDERS: readonly HostileCase[] = [
  {
    name: 'keys with prefixes of another plugin find nothing',
    top: SDK,
    attack: odd(
      'const f = get(v); if (f) odd.push(v);',
      '["n", "good.neighbour/n", "good.neighbour\\u0001n", "../good.neighbour/n", "good.neighbour:n", "%", "_", "n%", "*", "\\u{10FFFF}", "\\uFEFFn", "N", "ｎ", "n\\u200B"]',
    ),
    ...NOTHING,
  },
  {
    name: 'prefixes of every kind list nothing of another plugin',
    top: SDK,
    attack: odd(
      'if (list(v).length) odd.push(v);',
      '["", "n", "good", "good.neighbour", "%", "_%", "../", "\\u{10FFFF}", "\\uFFFF", "\\u007f"]',
    ),
    ...NOTHING,
  },
  {
    name: 'list after every kind of key lists nothing of another plugin',
    top: SDK,
    attack: odd(
      'if (list("", { after: v }).length + list("", { after: v, reverse: true }).length) odd.push(v);',
      '["a", "\\u0001", "good.neighbour", " ", "%", "zzz"]',
    ),
    ...NOTHING,
  },
  { name: 'NUL in keys is refused', top: SDK, attack: 'set("a\\0b", 1);', expect: 'NEIRA_PLUGIN_FAILED' },
  {
    name: 'lone surrogates in keys are refused, so that no two keys become one',
    top: SDK,
    attack: 'set("\\ud800", 1);',
    expect: 'NEIRA_PLUGIN_FAILED',
  },
  {
    name: 'keys that look alike stay different',
    top: SDK,
    attack:
      'set("\\u00e9", 1); set("e\\u0301", 2); set("\\u{1F600}", 3); set("__proto__", 4); set("constructor", 5); return { actions: [{ all: ["\\u00e9", "e\\u0301", "\\u{1F600}", "__proto__", "constructor"].map((k) => get(k).value), n: list("").length }] };',
    expect: 'ok',
    actions: [{ all: [1, 2, 3, 4, 5], n: 5 }],
  },
  {
    name: 'values with __proto__ keys come back as they were',
    top: SDK,
    attack:
      'set("k", JSON.parse(\'{"__proto__": {"a": 1}}\')); const { value } = get("k"); return { actions: [{ own: Object.keys(value), polluted: ({} as any).a ?? null }] };',
    expect: 'ok',
    actions: [{ own: ['__proto__'], polluted: null }],
  },
  {
    name: 'the neighbour is not touched by writes, deletes and appends under its name',
    top: SDK,
    attack:
      'for (const k of ["n", "good.neighbour/n", "good.neighbour", "../n"]) { set(k, 999_999); remove(k); append(k, 1); } return { actions: [] };',
    expect: 'ok',
  },
  {
    name: 'ids of chats and sessions that are paths are refused',
    top: SDK,
    attack: odd(
      'saveAnnotation({ kind: "k", chatId: v, sessionId: "s", data: 1 }); odd.push(v);',
      '["..", ".", "...", "../x", "a/b", "a\\\\b", "/etc/passwd", "", " ", "a b", "a\\u0000b", "~", "%2e%2e", "C:", "con/", "a".repeat(129), "\\u202e", "\\ud800", "x:y", null, 1, {}, ["a"]]',
    ),
    ...NOTHING,
  },
  {
    name: 'ids of sessions that are paths are refused',
    top: SDK,
    attack: odd(
      'saveMessage({ role: "user", text: "t", chatId: "c", sessionId: v }); odd.push(v);',
      '["..", "../../x", "a/b", "\\u0000", "", ".", "s\\n", "\\u2028"]',
    ),
    ...NOTHING,
  },
  {
    name: 'ids in the context of an event that are paths are refused at the door',
    attack: 'return { actions: [] };',
    expect: 'ok',
    async check({ arena, id }) {
      for (const chat of ['..', '../x', 'a/b', '', 'a'.repeat(129), 'a\u0000'])
        expect((await arena.send(id, {}, { chat_id: chat })).status, JSON.stringify(chat)).toBe(422);
    },
  },
  {
    name: 'a text of an annotation with newlines stays one line',
    top: SDK,
    attack:
      'saveAnnotation({ kind: "k\\n{}", chatId: "c", sessionId: "s", data: "a\\nb\\r\\u2028c" }); return { actions: [] };',
    expect: 'ok',
  },
  {
    name: 'nothing that can be reached from globalThis, prototypes or functions is the host',
    attack: `const seen = new Set<any>(), bad: string[] = [];
      const walk = (v: any, path: string, depth: number): void => {
        if ((typeof v !== 'object' && typeof v !== 'function') || v === null || seen.has(v) || depth > 8 || seen.size > 5000) return;
        seen.add(v);
        for (const k of Reflect.ownKeys(v)) {
          const name = path + '.' + String(k);
          if (/process|require|token|secret|__neira|^globalThis.host$|childProcess|wasm/i.test(name)) bad.push(name);
          let d: any; try { d = Reflect.getOwnPropertyDescriptor(v, k); } catch { continue; }
          if (typeof d.value === 'string' && /Bearer|admin\\.token|NEIRA_ADMIN|\\/plugins\\/scripts/.test(d.value)) bad.push(name);
          walk(d.value, name, depth + 1); walk(d.get, name, depth + 1); walk(d.set, name, depth + 1);
        }
        walk(Object.getPrototypeOf(v), path + '.__proto__', depth + 1);
      };
      walk(globalThis, 'globalThis', 0);
      for (const f of [async () => {}, function* () {}, async function* () {}, () => {}]) walk(f, 'f', 0);
      return { actions: [{ bad, enough: seen.size > 500 }] };`,
    limits: { cpu_ms: 500 },
    expect: 'ok',
    actions: [{ bad: [], enough: true }],
  },
  {
    name: 'constructors of constructors lead to no other realm',
    attack:
      'const g: any = [].constructor.constructor("return globalThis")(); const a: any = (async () => {}).constructor("return globalThis"); return { actions: [{ same: g === globalThis, also: (await a()) === globalThis, process: typeof g.process }] };',
    expect: 'ok',
    actions: [{ same: true, also: true, process: 'undefined' }],
  },
  {
    name: 'callers and arguments of the host functions are out of reach',
    top: SDK,
    attack:
      'const found: any[] = []; function spy() { try { const c = (spy as any).caller; if (c) found.push(c); } catch {} try { const a = (spy as any).arguments; if (a?.callee) found.push(a); } catch {} return 1; } try { set("k", { toJSON: spy } as any); } catch {} try { found.push(...[(get as any).caller, (get as any).arguments].filter(Boolean)); } catch {} return { actions: [{ found: found.length }] };',
    expect: 'ok',
    actions: [{ found: 0 }],
  },
  {
    name: 'the source of the host functions says nothing of use',
    top: SDK,
    attack:
      'return { actions: [{ native: !/apply|__neira/.test(String(get) + String(console.log)) || String(get).length < 500 }] };',
    expect: 'ok',
    actions: [{ native: true }],
  },
  {
    name: 'the SDK cannot be replaced for later turns',
    top: "import * as storage from 'neira:host/storage';",
    attack:
      'let refused = 0; const names: any = storage; for (const f of [() => { names["get"] = 1; }, () => Object.defineProperty(names, "get", { value: 1 }), () => { (console as any).log = 1; }, () => { (crypto as any).randomUUID = 1; }]) { try { f(); } catch { refused++; } } return { actions: [{ refused }] };',
    expect: 'ok',
    actions: [{ refused: 4 }],
  },
  {
    name: 'time stands still in a turn and moves between turns',
    attack:
      'const seen = new Set<number>(); for (let i = 0; i < 10_000; i++) { seen.add(Date.now()); seen.add(new Date().getTime()); seen.add(+Date()  ? 0 : Date.now()); } return { actions: [{ different: seen.size, now: Date.now(), zone: new Date().getTimezoneOffset(), performance: typeof performance }] };',
    expect: 'ok',
    async check({ attack, answer }) {
      const first = answer.body.actions[0];
      expect(first).toMatchObject({ different: 1, zone: 0, performance: 'undefined' });
      const { now } = (await attack()).body.actions[0];
      expect(now).toBeGreaterThan(first.now);
      expect(Math.abs(now - Date.now())).toBeLessThan(10_000);
    },
  },
  {
    name: 'chance differs from turn to turn, also where the image drew before',
    top: 'const early = [Math.random(), Math.random()];',
    attack:
      'return { actions: [{ early, r: [Math.random(), Math.random()], id: crypto.randomUUID(), bytes: [...crypto.getRandomValues(new Uint8Array(8))] }] };',
    expect: 'ok',
    async check({ attack, answer }) {
      const turns = [answer, await attack(), await attack()].map(({ body }) => body.actions[0]);
      expect(new Set(turns.map(({ early }) => early[0])).size).toBe(1);
      const drawn = turns.flatMap(({ early, r, id, bytes }) => [
        ...r,
        ...early.slice(0, 0),
        id,
        bytes.join(),
      ]);
      expect(new Set(drawn).size).toBe(drawn.length);
      for (const { early, r } of turns) expect(early).not.toContain(r[0]);
      for (const { id } of turns)
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    },
  },
  {
    name: 'Atomics.wait does not block the cell',
    attack:
      'const a = new Int32Array(new SharedArrayBuffer(8)); return { actions: [{ r: (Atomics as any).wait(a, 0, 0, 60_000) }] };',
    expect: ['NEIRA_PLUGIN_FAILED', 'ok'],
  },
  {
    name: 'WeakRef and FinalizationRegistry run nothing after the turn',
    top: "import { set } from 'neira:host/storage';",
    attack:
      'const r = new FinalizationRegistry(() => { set("late", 1); for (;;); }); for (let i = 0; i < 1000; i++) { r.register({}, i); new WeakRef({}); } return { actions: [] };',
    expect: ['ok', 'NEIRA_CPU_EXCEEDED'],
  },
  {
    name: 'debugger is nothing',
    attack: 'debugger; return { actions: [{ fine: 1 }] };',
    expect: 'ok',
    actions: [{ fine: 1 }],
  },
  {
    name: 'an identifier of a megabyte is taken',
    attack:
      'const name = "a".repeat(1_000_000); return { actions: [{ n: (0, eval)(`var ${name} = 1; ${name} + 1`) }] };',
    limits: { cpu_ms: 500 },
    expect: ['ok', 'NEIRA_PLUGIN_FAILED'],
  },
  {
    name: 'a regular expression of a megabyte is taken or refused',
    attack: 'new RegExp("a".repeat(1_000_000)).test("a"); return { actions: [] };',
    limits: { cpu_ms: 500 },
    expect: ['ok', 'NEIRA_PLUGIN_FAILED', 'NEIRA_MEMORY_EXCEEDED'],
  },
  {
    name: 'a property name of a megabyte in a reply is taken',
    attack: 'return { actions: [{ ["k".repeat(200_000)]: 1 }] };',
    limits: { cpu_ms: 500 },
    expect: 'ok',
  },
  {
    name: 'an event with odd parameters arrives as it is',
    params: {
      odd: ['\u0000', '\u2028', '\u{1F600}', '</script>', '${x}', -0, 1e308],
      nested: ODD_NAMES,
    },
    attack: 'const { odd, nested } = event.payload.params; return { actions: [{ odd, nested }] };',
    expect: 'ok',
    actions: [
      {
        odd: ['\u0000', '\u2028', '\u{1F600}', '</script>', '${x}', 0, 1e308],
        nested: ODD_NAMES,
      },
    ],
  },
  {
    name: 'the event is the plugin’s own copy',
    attack:
      'event.id = event.source = "forged"; event.payload.context.chat_id = "other"; delete event.tenant; return { actions: [{ fine: 1 }] };',
    expect: 'ok',
    check: async ({ arena, answer }) => {
      const { body } = await arena.host.call('GET', '/api/neira/events?limit=1000');
      const mine = body.events?.find((each: { id: string }) => each.id === answer.body.event_id);
      expect(mine?.source).not.toBe('forged');
    },
  },
];
