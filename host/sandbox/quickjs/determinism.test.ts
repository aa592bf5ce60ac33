import { expect, test } from 'vitest';
import { boot, TestCalls } from './test-instance.ts';

const at = (ms: number) => Object.assign(new TestCalls(), { atMs: ms });

test('the time of a turn is its start, and does not move however long it computes', async () => {
  const plugin = await boot(`
    export function handle() {
      const first = Date.now();
      for (let i = 0; i < 100000; i++);
      return [first, Date.now(), new Date().getTime(), new Date().toISOString(), +Date().slice(11, 15)];
    }`);
  const ms = Date.UTC(2026, 0, 31, 23, 59, 59, 999);
  expect(plugin.value(null, at(ms))).toEqual([ms, ms, ms, '2026-01-31T23:59:59.999Z', 2026]);
  expect((plugin.value(null, at(ms + 1)) as number[]).slice(0, 3)).toEqual([ms + 1, ms + 1, ms + 1]);
});

test('the time zone is UTC, in summer and winter, before 1970 and far ahead', async () => {
  const plugin = await boot(`
    export const handle = (ms) => { const d = new Date(ms); return [d.getTimezoneOffset(), d.getFullYear(), d.getMonth(), d.getDate(), d.getHours(), d.getMinutes(), d.getDay(), d.toString()]; };`);
  for (const ms of [
    0,
    -1,
    Date.UTC(1969, 11, 31, 23, 59),
    Date.UTC(2026, 6, 1, 12),
    Date.UTC(2026, 11, 31, 23, 59, 59),
    Date.UTC(1815, 5, 18),
    8.64e15,
  ]) {
    const d = new Date(ms);
    const own = [
      0,
      d.getUTCFullYear(),
      d.getUTCMonth(),
      d.getUTCDate(),
      d.getUTCHours(),
      d.getUTCMinutes(),
      d.getUTCDay(),
    ];
    const [text, ...rest] = (plugin.value(ms) as unknown[]).toReversed();
    expect(rest.toReversed(), d.toISOString()).toEqual(own);
    expect(text).toMatch(/GMT\+0000/);
  }
  const local = await boot(
    'export const handle = () => [new Date(2026, 0, 2, 3, 4).getTime(), Date.parse("2026-01-02T03:04")];',
  );
  expect(local.value()).toEqual([Date.UTC(2026, 0, 2, 3, 4), Date.UTC(2026, 0, 2, 3, 4)]);
});

const DRAW = 'export const handle = () => [Math.random(), Math.random(), crypto.randomUUID()];';

test('a delivery that runs again draws the same; another draws otherwise', async () => {
  const plugin = await boot(DRAW);
  const first = plugin.value(null, new TestCalls(7)) as unknown[];
  expect(plugin.value(null, new TestCalls(7))).toEqual(first);
  const second = plugin.value(null, new TestCalls(8)) as unknown[];
  for (const [index, drawn] of first.entries()) expect(second[index]).not.toBe(drawn);
  expect(first[0]).not.toBe(first[1]);
});

test('what was drawn while the image was built is never drawn again in a turn', async () => {
  const plugin = await boot(`
    const atTop = [Math.random(), Math.random(), crypto.randomUUID()];
    let prepared;
    export const prepare = () => { prepared = Math.random(); };
    export const handle = () => ({ atTop, prepared, now: [Math.random(), Math.random(), crypto.randomUUID()] });`);
  type Drawn = { atTop: unknown[]; prepared: number; now: unknown[] };
  // Even for a delivery that is given the very seed of the boot, the stream begins anew; others share nothing.
  const [a, b] = [new TestCalls(3), new TestCalls(4)].map((host) => plugin.value(null, host) as Drawn);
  expect(a!.atTop).toEqual(b!.atTop);
  expect(a!.prepared).toBe(b!.prepared);
  const all = [...a!.atTop, a!.prepared, ...a!.now, ...b!.now];
  expect(new Set(all).size).toBe(all.length);
});

test('Math.random is spread evenly below 1', async () => {
  const plugin = await boot(`
    export function handle() {
      const bins = Array(10).fill(0);
      for (let i = 0; i < 20000; i++) { const x = Math.random(); if (!(x >= 0 && x < 1)) throw new Error(x); bins[Math.floor(x * 10)]++; }
      return bins;
    }`);
  for (const count of plugin.value() as number[]) expect(Math.abs(count - 2000)).toBeLessThan(250);
});

test('an image does not depend on when or where it was built', async () => {
  const source = 'const built = [Date.now(), Math.random()]; export const handle = () => built;';
  const [first, second] = [await boot(source, new TestCalls(0)), await boot(source, new TestCalls(0))];
  expect(Buffer.from(first.instance.image.pages).equals(Buffer.from(second.instance.image.pages))).toBe(true);
});

test('top-level code and prepare() run once for an image, however many turns it serves', async () => {
  const boots = new TestCalls(0);
  const plugin = await boot(
    `
    console.log('top');
    let prepared = 0;
    export async function prepare() { await null; prepared++; console.log('prepare'); }
    export const handle = () => prepared;`,
    boots,
  );
  for (let turn = 0; turn < 5; turn++) {
    const host = new TestCalls();
    expect(plugin.value(null, host)).toBe(1);
    expect(host.calls).toEqual([]);
  }
  expect(boots.calls.map(([, , line]) => line)).toEqual(['top', 'prepare']);
});

test('globals never outlive a turn, by whatever way they were changed', async () => {
  const plugin = await boot(`
    let count = 0;
    const kept = { list: [], map: new Map(), bytes: new Uint8Array(8) };
    class Shape { static made = 0; #own = 1; grow() { return ++this.#own; } }
    const shape = new Shape();
    const pending = (function* () { for (let i = 1; ; i++) yield i; })();
    export function handle() {
      const seen = [++count, kept.list.push(1), kept.map.set(kept.map.size, 1).size, ++kept.bytes[0], ++Shape.made, shape.grow(), pending.next().value,
        'leak' in globalThis, Array.prototype.extra, [].map.changed];
      globalThis.leak = 1; Array.prototype.extra = 1; Array.prototype.map.changed = 1;
      Promise.resolve().then(() => { count = 100; });
      return seen;
    }`);
  const first = plugin.value();
  expect(first).toEqual([1, 1, 1, 1, 1, 2, 1, false, null, null]);
  for (let turn = 0; turn < 20; turn++) expect(plugin.value()).toEqual(first);
});

test('a turn that was ended in the middle leaves nothing behind either', async () => {
  const plugin = await boot(`
    const list = []; let depth = 0;
    const dive = () => { depth++; return dive() + 1; };
    export function handle(what) {
      const seen = [list.length, depth];
      list.push('x'.repeat(1000));
      if (what === 'spin') for (;;) list.push(1);
      if (what === 'sort') Array.from({ length: 3e5 }, (_, i) => -i).sort((a, b) => a - b);
      if (what === 'dive') dive();
      if (what === 'memory') for (;;) list.push(new Uint8Array(1 << 20));
      if (what === 'pending') return new Promise(() => {});
      return seen;
    }`);
  const kinds = ['spin', 'sort', 'dive', 'memory', 'pending'].map((what) => {
    const { kind } = plugin.run(what, new TestCalls(), { softFuel: 2e6, hardFuel: 2.5e6 });
    expect(plugin.value(''), what).toEqual([0, 0]);
    return kind;
  });
  expect(kinds).not.toContain('value');
  expect(kinds.at(-1)).toBe('pending');
});
