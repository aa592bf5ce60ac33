import { expect } from 'vitest';
import type { HostileBoot, HostileCase } from '../harness.ts';

const SDK =
  "import { add, get, set, delete as remove, list, append, saveAnnotation, saveMessage, settings } from 'neira:host/storage'; import { log, send } from 'neira:host/io'; import { publish } from 'neira:host/bus';";
const ROOM = { cpu_ms: 1000 };
const CALLS = 'NEIRA_HOST_CALLS_EXCEEDED';

/** Too much of everything that a plugin may ask of the host (HOST-25). */
export const FLOODS: readonly HostileCase[] = [
  {
    name: 'a flood of log lines is cut at its budget and counted',
    attack:
      'for (let i = 0; i < 20_000; i++) console.log("line", i, "x".repeat(100)); return { actions: [] };',
    limits: ROOM,
    expect: 'ok',
    async check({ logs }) {
      const lines = await logs();
      expect(lines.length).toBeLessThan(1500);
      expect(
        lines.some(({ message }) => /\d+ log lines above limits.log_kb were dropped/.test(message)),
      ).toBe(true);
    },
  },
  {
    name: 'a flood of empty log lines is cut as well',
    attack: 'for (let i = 0; i < 20_000; i++) console.log(""); return { actions: [] };',
    limits: ROOM,
    expect: 'ok',
    async check({ logs }) {
      expect((await logs()).some(({ message }) => /dropped/.test(message))).toBe(true);
    },
  },
  {
    name: 'log lines for ever are ended',
    attack: 'for (;;) console.log("more");',
    expect: 'NEIRA_CPU_EXCEEDED',
  },
  {
    name: 'a log line of five megabytes is dropped and counted',
    attack: 'console.log("x".repeat(5_000_000)); return { actions: [] };',
    limits: ROOM,
    expect: 'ok',
    check: async ({ logs }) =>
      expect((await logs()).map(({ message }) => message).join()).toMatch(/1 log lines .* dropped/),
  },
  {
    name: 'log lines of a failed turn are kept',
    attack: 'console.error("before the end"); throw new Error("end");',
    expect: 'NEIRA_PLUGIN_FAILED',
    check: async ({ logs }) =>
      expect((await logs()).map(({ message }) => message).join()).toMatch(/before the end/),
  },
  {
    name: 'a log of what cannot be shown does not fail the turn',
    attack:
      'const o: any = {}; o.o = o; console.log(o, Symbol("s"), 1n, null, undefined, () => 1, "a\\0b\\ud800"); return { actions: [] };',
    expect: 'ok',
    check: async ({ logs }) => expect((await logs()).map(({ message }) => message).join()).toMatch(/b/),
  },
  {
    name: 'a log of an object that throws is the failure of the turn',
    attack: 'console.log({ toJSON() { throw 1; }, toString() { throw 2; } });',
    expect: 'NEIRA_PLUGIN_FAILED',
  },
  {
    name: 'host calls without end are ended',
    top: SDK,
    attack: 'for (let i = 0; ; i++) get("k" + i);',
    limits: ROOM,
    expect: CALLS,
  },
  {
    name: 'host calls without end that catch every refusal are ended',
    top: SDK,
    attack: 'for (;;) { try { get(""); } catch {} }',
    limits: ROOM,
    expect: CALLS,
  },
  {
    name: 'writes without end are ended and nothing of them stays',
    top: SDK,
    attack:
      'if (event.payload.params.look) return { actions: [{ left: list("").length }] }; for (let i = 0; ; i++) set("k" + i, i);',
    limits: ROOM,
    expect: CALLS,
    check: async ({ attack }) => expect((await attack({ look: true })).body.actions).toEqual([{ left: 0 }]),
  },
  {
    name: 'a value above its size is refused',
    top: SDK,
    attack: 'set("k", "x".repeat(300_000));',
    limits: ROOM,
    expect: 'NEIRA_VALUE_TOO_LARGE',
  },
  {
    name: 'a value of five megabytes is refused as too large, not as a mistake of the host',
    top: SDK,
    attack: 'set("k", "x".repeat(5_000_000));',
    limits: ROOM,
    expect: 'NEIRA_VALUE_TOO_LARGE',
  },
  {
    name: 'a refusal of five megabytes can be caught',
    top: SDK,
    attack:
      'try { set("k", "x".repeat(5_000_000)); } catch (e: any) { return { actions: [{ code: e.code }] }; }',
    limits: ROOM,
    expect: 'ok',
    actions: [{ code: 'NEIRA_VALUE_TOO_LARGE' }],
  },
  {
    name: 'a key of a megabyte is refused',
    top: SDK,
    attack: 'set("k".repeat(1_000_000), 1);',
    limits: ROOM,
    expect: 'NEIRA_VALUE_TOO_LARGE',
  },
  {
    name: 'a prefix of five megabytes is refused',
    top: SDK,
    attack: 'list("k".repeat(5_000_000));',
    limits: ROOM,
    expect: ['NEIRA_VALUE_TOO_LARGE', 'NEIRA_VALUE_INVALID'],
  },
  {
    name: 'more than eight megabytes staged in one turn are refused',
    top: SDK,
    attack: 'for (let i = 0; i < 100; i++) set("k" + i, "x".repeat(200_000));',
    limits: { ...ROOM, storage_mb: 100 },
    expect: 'NEIRA_VALUE_TOO_LARGE',
  },
  {
    name: 'more storage than the plugin may have is refused at the commit',
    top: SDK,
    attack: 'for (let i = 0; i < 20; i++) set("k" + i, "x".repeat(200_000)); return { actions: [] };',
    limits: { ...ROOM, storage_mb: 1 },
    expect: 'NEIRA_STORAGE_FULL',
  },
  {
    name: 'publishes without end are refused',
    top: SDK,
    attack: 'for (;;) publish("hostile.noise", { n: 1 });',
    limits: ROOM,
    expect: 'NEIRA_PUBLISHES_EXCEEDED',
  },
  {
    name: 'a publish of an event that is not declared is refused',
    top: SDK,
    attack: 'publish("system.started", {});',
    expect: 'NEIRA_UNKNOWN_EVENT',
  },
  {
    name: 'a publish of a huge payload is refused',
    top: SDK,
    attack: 'publish("hostile.noise", { text: "x".repeat(300_000) });',
    limits: ROOM,
    expect: 'NEIRA_VALUE_TOO_LARGE',
  },
  {
    name: 'sends without end are refused',
    top: SDK,
    attack: 'for (;;) send("console", "someone", { text: "x" });',
    limits: ROOM,
    expect: 'NEIRA_PUBLISHES_EXCEEDED',
  },
  {
    name: 'a send to a port that is not granted is refused',
    top: SDK,
    attack: 'send("telegram", "someone", { text: "x" });',
    expect: 'NEIRA_PERMISSION_DENIED',
  },
  {
    name: 'a send to a port with a name of the language is refused',
    top: SDK,
    attack: 'send("__proto__", "x", {});',
    expect: 'NEIRA_PERMISSION_DENIED',
  },
  {
    name: 'a reply above its size is refused',
    attack: 'return { actions: [{ text: "x".repeat(300_000) }] };',
    limits: ROOM,
    expect: 'NEIRA_OUTPUT_TOO_LARGE',
  },
  {
    name: 'a reply of five megabytes is refused',
    attack: 'return { actions: [{ text: "x".repeat(5_000_000) }] };',
    limits: ROOM,
    expect: 'NEIRA_OUTPUT_TOO_LARGE',
  },
  {
    name: 'a reply of five megabytes that comes by a promise is refused',
    attack: 'await null; return { actions: [{ text: "x".repeat(5_000_000) }] };',
    limits: ROOM,
    expect: 'NEIRA_OUTPUT_TOO_LARGE',
  },
  {
    name: 'a reply that is small in characters and large in bytes is refused',
    attack: 'return { actions: [{ text: "ж".repeat(200_000) }] };',
    limits: ROOM,
    expect: 'NEIRA_OUTPUT_TOO_LARGE',
  },
  {
    name: 'the largest reply that a manifest may allow arrives',
    attack: 'await null; return { actions: [{ text: "x".repeat(4_194_304 - 30) }] };',
    limits: { ...ROOM, output_kb: 4096, memory_mb: 64 },
    expect: 'ok',
  },
  {
    name: 'a reply of a hundred thousand actions is refused or taken whole',
    attack: 'return { actions: new Array(80_000).fill({}) };',
    limits: ROOM,
    expect: ['ok', 'NEIRA_OUTPUT_TOO_LARGE'],
  },
  {
    name: 'an error whose refusal is huge is still reported',
    top: SDK,
    attack: 'set("k", 1, 2 ** 60);',
    expect: 'NEIRA_VALUE_INVALID',
  },
  {
    name: 'versions that are no whole numbers are refused',
    top: SDK,
    attack:
      'const odd = []; for (const v of [NaN, Infinity, -1, 0.5, "1", {}, null, 1n]) { try { set("k", 1, v as any); odd.push(String(v)); } catch {} } return { actions: [{ odd }] };',
    expect: 'ok',
    actions: [{ odd: [] }],
  },
  {
    name: 'a list limit of any size is bounded',
    top: SDK,
    attack:
      'for (let i = 0; i < 300; i++) set("k" + i, i); return { actions: [{ n: list("k", { limit: 1e9 }).length, none: list("k", { limit: 0 }).length }] };',
    limits: ROOM,
    expect: 'ok',
    actions: [{ n: 300, none: 0 }],
  },
  {
    name: 'large values listed again and again are ended',
    top: SDK,
    attack:
      'for (let i = 0; i < 30; i++) set("k" + i, "x".repeat(200_000)); for (;;) list("k", { limit: 1000 });',
    limits: ROOM,
    expect: ['NEIRA_CPU_EXCEEDED', CALLS],
  },
  {
    name: 'options of odd shape are refused',
    top: SDK,
    attack:
      'const odd: any[] = []; for (const o of [null, "k", 1, [], { limit: -1 }, { limit: 0.5 }, { limit: "1" }, { limit: {} }, { after: 1 }, { after: "\\ud800" }, { reverse: "yes" }, { descending: true }, { __proto__: null, constructor: 1 }, { after: "k".repeat(1e6) }]) { try { list("k", o as any); odd.push(o); } catch {} } return { actions: [{ odd }] };',
    expect: 'ok',
    actions: [{ odd: [] }],
  },
  {
    name: 'numbers that are none are refused',
    top: SDK,
    attack:
      'const odd: any[] = []; for (const n of [NaN, Infinity, -Infinity, 1e300, 2 ** 53, "1", null, undefined, {}, [], [1], 1n, true]) { try { add("n", n as any); odd.push(String(n)); } catch {} } return { actions: [{ odd, n: get("n") ?? null }] };',
    expect: 'ok',
    actions: [{ odd: [], n: null }],
  },
  {
    name: 'additions and reads of them without end are ended',
    top: SDK,
    attack: 'for (;;) { add("n", 1); add("m", 0.1); list(""); get("n"); }',
    limits: ROOM,
    expect: [CALLS, 'NEIRA_CPU_EXCEEDED'],
  },
  {
    name: 'appends without end are ended',
    top: SDK,
    attack: 'for (;;) { append("log", 1); list("log/"); }',
    limits: ROOM,
    expect: [CALLS, 'NEIRA_CPU_EXCEEDED'],
  },
  {
    name: 'annotations of odd shape are refused',
    top: SDK,
    attack:
      'const odd: any[] = []; for (const a of [null, 1, "x", [], {}, { kind: "" }, { kind: "k" }, { kind: "k", chatId: "c" }, { kind: {}, chatId: "c", sessionId: "s" }]) { try { saveAnnotation(a as any); odd.push(a); } catch {} } return { actions: [{ odd }] };',
    expect: 'ok',
    actions: [{ odd: [] }],
  },
  {
    name: 'annotations without end are ended',
    top: SDK,
    attack: 'for (;;) saveAnnotation({ kind: "k", chatId: "c", sessionId: "s", data: {} });',
    limits: ROOM,
    expect: CALLS,
  },
  {
    name: 'settings asked for ever are ended',
    top: SDK,
    attack: 'for (;;) settings();',
    limits: ROOM,
    expect: CALLS,
  },
  {
    name: 'functions, symbols and undefined are no values',
    top: SDK,
    attack:
      'const odd: any[] = []; for (const v of [undefined, () => 1, Symbol("s")]) { try { set("k", v as any); odd.push(1); } catch {} } return { actions: [{ odd }] };',
    expect: 'ok',
    actions: [{ odd: [] }],
  },
  {
    name: 'arguments of the wrong kind are refused before the host sees them',
    top: SDK,
    attack:
      'const odd: any[] = []; for (const v of [undefined, null, 1, {}, { toString: () => "k" }, ["k"], new String("k"), Symbol("k")]) { try { get(v as any); odd.push(1); } catch (e: any) { if (e.name !== "TypeError") odd.push(e.name); } } return { actions: [{ odd }] };',
    expect: 'ok',
    actions: [{ odd: [] }],
  },
];

export const BOOT_FLOODS: readonly HostileBoot[] = [
  {
    name: 'a top level that writes is refused',
    source: "import { set } from 'neira:host/storage'; set('k', 1); export function handle() {}",
    code: 'NEIRA_BOOT_FAILED',
    details: { cause: 'NEIRA_PERMISSION_DENIED' },
  },
  {
    name: 'a prepare() that writes is refused',
    source:
      "import { set } from 'neira:host/storage'; export function prepare() { set('k', 1); } export function handle() {}",
    code: 'NEIRA_BOOT_FAILED',
    details: { cause: 'NEIRA_PERMISSION_DENIED', during: 'prepare' },
  },
  {
    name: 'a prepare() that publishes is refused',
    source:
      "import { publish } from 'neira:host/bus'; export function prepare() { publish('hostile.noise', {}); } export function handle() {}",
    code: 'NEIRA_BOOT_FAILED',
    details: { cause: 'NEIRA_PERMISSION_DENIED' },
  },
  {
    name: 'a prepare() that reads without end is refused',
    source:
      "import { get } from 'neira:host/storage'; export function prepare() { for (let i = 0; ; i++) get('k' + i); } export function handle() {}",
    code: 'NEIRA_BOOT_FAILED',
    details: { cause: CALLS },
  },
];
