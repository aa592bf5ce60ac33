import { expect, test } from 'vitest';
import { boot, TestCalls } from './test-instance.ts';

/** Evaluates an expression inside a turn; the plugin names the globals only in the event, so they come lazily. */
const LAZY = 'export const handle = (code) => (0, eval)(code);';

/** What each expression is in the guest; the same in Node, where the standard says so. */
const STANDARD: Readonly<Record<string, readonly string[]>> = {
  URL: [
    "new URL('../b?x=1&y=я#h', 'https://example.org:8080/a/c').href",
    "new URL('https://user:pw@пример.испытание/путь').host",
    "[...new URL('https://a/?b=1&b=2').searchParams.getAll('b')]",
    "(() => { try { new URL('no'); } catch (error) { return error.name; } })()",
    "(() => { const u = new URL('https://a/b'); u.searchParams.set('q', 'a b'); u.pathname = '/ü'; return String(u); })()",
    "new URLSearchParams({ a: '1', b: 'ж' }).toString()",
    "[...new URLSearchParams('b=2&a=1&b=3')].length",
  ],
  TextEncoder: [
    "[...new TextEncoder().encode('aя€😀')]",
    "new TextDecoder().decode(new TextEncoder().encode('привет 😀'))",
    "new TextDecoder('utf-8').decode(new Uint8Array([0xd0, 0xb6, 0xff]))",
    'new TextDecoder().decode(new Uint8Array([0x61, 0xf0, 0x9f, 0x98]))',
    'new TextDecoder().decode(new Uint8Array([0xed, 0xa0, 0x80, 0xc0, 0xaf, 0xf4, 0x90, 0x80, 0x80]))',
    'new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61]))',
    '(() => { const d = new TextDecoder(); const s = { stream: true }; return d.decode(new Uint8Array([0xd0]), s) + d.decode(new Uint8Array([0xb6])); })()',
    "(() => { try { new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([255])); } catch (error) { return error.name; } })()",
    "[...new TextEncoder().encode('\\ud800a\\udc00')]",
    "new TextEncoder().encodeInto('aя', new Uint8Array(2))",
    'new TextEncoder().encode().length + new TextDecoder().decode().length',
    "new TextDecoder().decode(new TextEncoder().encode('ж'.repeat(20000))).length",
  ],
  structuredClone: [
    'structuredClone({ a: [1, { b: null }], d: new Date(5) })',
    '[...structuredClone(new Map([[1, new Set([2])]])).keys()]',
    '(() => { const a = { n: 1 }; a.self = a; const b = structuredClone(a); return b.self === b && b !== a; })()',
    '(() => { try { structuredClone(() => {}); } catch (error) { return error instanceof Error; } })()',
    '[...structuredClone(new Uint8Array([1, 2]))]',
  ],
  base64: ["btoa('hello')", "atob('aGVsbG8=')", "btoa('\\u00ff')"],
  queueMicrotask: ['typeof queueMicrotask'],
};

const cases = Object.entries(STANDARD).flatMap(([name, expressions]) =>
  expressions.map((each) => [name, each] as const),
);

test.each(cases)('%s, first touched in a turn: %s', async (_name, expression) => {
  const plugin = await boot(LAZY);
  const own = (0, eval)(expression) as unknown;
  expect(plugin.value(`(${expression})`)).toEqual(JSON.parse(JSON.stringify(own)));
});

test('globals that the source names are in the image, and answer alike', async () => {
  const all = cases.map(([, expression]) => expression);
  const plugin = await boot(`export const handle = () => [${all.join(',\n')}];`);
  expect(plugin.value()).toEqual(JSON.parse(JSON.stringify(all.map((each) => (0, eval)(each)))));
});

test('queueMicrotask runs before what comes later, and before the answer', async () => {
  const plugin = await boot(`
    export async function handle() {
      const order = [];
      queueMicrotask(() => order.push('micro'));
      Promise.resolve().then(() => order.push('promise'));
      order.push('now');
      await null; await null;
      return order;
    }`);
  expect(plugin.value()).toEqual(['now', 'micro', 'promise']);
});

test('crypto draws from the stream of the turn', async () => {
  const plugin = await boot(`
    export const handle = () => ({
      uuid: crypto.randomUUID(),
      bytes: [...crypto.getRandomValues(new Uint8Array(4))],
      words: crypto.getRandomValues(new Uint32Array(3)).length,
      part: [...crypto.getRandomValues(new Uint8Array(8).subarray(2, 4))].length,
    });`);
  const drawn = plugin.value() as { uuid: string; bytes: number[] };
  expect(drawn).toMatchObject({ words: 3, part: 2 });
  expect(drawn.uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(drawn.bytes).toHaveLength(4);
  const refused = await boot(
    'export const handle = () => crypto.getRandomValues(new Uint8Array(65537)).length;',
  );
  expect(refused.run()).toMatchObject({ kind: 'thrown' });
});

test('console writes lines of the plugin log, with levels, whatever it is given', async () => {
  const plugin = await boot(`
    export function handle() {
      const ring = {}; ring.self = ring;
      console.log('a', 1, { b: [null] }, undefined, true);
      console.debug('d'); console.info('i'); console.warn('w'); console.error(new TypeError('bad'));
      console.log(ring, Symbol('s'), 10n, () => 1, Object.create(null));
    }`);
  const host = new TestCalls();
  expect(plugin.run(null, host)).toEqual({ kind: 'value', json: undefined });
  const lines = host.calls.map(([op, level, message]) => [op, level, message!.split('\n')[0]]);
  expect(lines.slice(0, 5)).toEqual([
    ['io.log', 'info', 'a 1 {"b":[null]} undefined true'],
    ['io.log', 'debug', 'd'],
    ['io.log', 'info', 'i'],
    ['io.log', 'warn', 'w'],
    ['io.log', 'error', 'TypeError: bad'],
  ]);
  expect(lines[5]).toMatchObject(['io.log', 'info', expect.stringContaining('Symbol(s) 10')]);
});

test('there is no way to the host beside its modules', async () => {
  const names = [
    'host',
    '__neira',
    'process',
    'require',
    'fetch',
    'setImmediate',
    'neira',
    'Deno',
    'Bun',
    'module',
    'std',
    'os',
    'scriptArgs',
    'print',
    'WebAssembly',
    'Worker',
    'SharedArrayBuffer',
  ];
  const plugin = await boot(`export const handle = (names) => names.filter((name) => name in globalThis);`);
  const there = plugin.value(names) as string[];
  // Memory of the guest's own is no way out.
  expect(there.filter((name) => name !== 'SharedArrayBuffer')).toEqual([]);
});
