import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Cron } from 'croner';
import { expect, test } from 'vitest';
import { FUEL_PER_MS } from '../sandbox/quickjs/layout.ts';
import { boot, budgetOf, TestCalls } from '../sandbox/quickjs/test-instance.ts';
import { IntlCalls } from './test-intl.ts';

/** What `Intl` costs a turn, by what it is bounded, and libraries that stand on it. */

const ms = (fuel: number) => `${(fuel / FUEL_PER_MS).toFixed(1)} ms of cpu_ms`;

const names = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => {
    const at = (n * 7919) % 10_007;
    return `${'абвгдеёжзийклмнопрст'[at % 20]}${'aбеёиоуыэюя'[at % 11]}${at.toString(36)} Имя`;
  });

/** Where nobody can foresee what is compared it is about one for each name; else a few for all. */
const MOST_CALLS: Readonly<Record<string, number>> = {
  'texts that are made for it': 1200,
  'a merge sort of its own': 6000,
};

test('sorting a thousand names asks the host once, or about once for each name', async ({ annotate }) => {
  const ways = {
    'collator.compare': "list.sort(new Intl.Collator('ru').compare)",
    'compare of a field':
      'list.map((name) => ({ name })).sort((a, b) => collator.compare(a.name, b.name)).map((each) => each.name)',
    localeCompare: "list.sort((a, b) => a.localeCompare(b, 'ru'))",
    'localeCompare with options': "list.sort((a, b) => a.localeCompare(b, 'ru', { numeric: false }))",
    'toSorted of what is no field': "list.toSorted((a, b) => a.trim().localeCompare(b.trim() + '', 'ru'))",
    'texts that are made for it': "list.toSorted((a, b) => collator.compare(a + '!', b + '!'))",
    'a merge sort of its own': 'merged(list)',
  };
  const list = names(1000);
  const expected = list.toSorted(new Intl.Collator('ru').compare);
  for (const [way, source] of Object.entries(ways)) {
    const plugin = await boot(`
      const collator = new Intl.Collator('ru');
      const merged = (list) => {
        if (list.length < 2) return list;
        const half = list.length >> 1;
        const [left, right] = [merged(list.slice(0, half)), merged(list.slice(half))];
        const out = [];
        for (let l = 0, r = 0; l < left.length || r < right.length; )
          out.push(r === right.length || (l < left.length && collator.compare(left[l], right[r]) <= 0) ? left[l++] : right[r++]);
        return out;
      };
      export const handle = (list) => ${source};`);
    const calls = new IntlCalls();
    expect(plugin.value(list, calls), way).toEqual(expected);
    const fuel = plugin.instance.fuelUsed;
    await annotate(`${way}: ${calls.calls} calls, ${ms(fuel)}`);
    console.log(`sorting 1,000 names, ${way}: ${calls.calls} calls of the host, ${ms(fuel)}`);
    expect(calls.calls, way).toBeLessThan(MOST_CALLS[way] ?? 6);
  }
});

test('a table of five hundred rows is no matter of host_calls, and of little fuel', async ({ annotate }) => {
  const plugin = await boot(`
    export function handle(rows) {
      const date = new Intl.DateTimeFormat('ru', { dateStyle: 'medium', timeZone: 'Europe/Moscow' });
      return rows.map((n) => [date.format(n * 864e5), (n * 1.5).toLocaleString('ru'), new Date(n).toLocaleDateString('de')].join(' '));
    }`);
  const calls = new IntlCalls();
  const rows = plugin.value(
    Array.from({ length: 500 }, (_, n) => n),
    calls,
  ) as string[];
  expect(rows[1]).toBe('2 янв. 1970 г. 1,5 1.1.1970');
  expect(calls.calls).toBeGreaterThan(1500);
  await annotate(`500 rows of three: ${ms(plugin.instance.fuelUsed)}`);
  console.log(`a table of 500 rows, three texts each: ${calls.calls} calls, ${ms(plugin.instance.fuelUsed)}`);
});

test('what a turn uses of fuel does not depend on what its cell keeps', async () => {
  const plugin = await boot(
    "export const handle = (n) => { for (let i = 0; i < 100; i++) new Intl.NumberFormat('en', { maximumFractionDigits: i % 90, minimumIntegerDigits: n }).format(i); };",
  );
  const fuel = (n: number) => {
    plugin.value(n, new IntlCalls());
    return plugin.instance.fuelUsed;
  };
  const first = fuel(3);
  expect(fuel(3)).toBe(first);
  // Other formatters take their places.
  fuel(4);
  fuel(5);
  expect(fuel(3)).toBe(first);
});

test.each([
  [
    'formatters of many kinds',
    "for (let i = 0; ; i++) new Intl.DateTimeFormat('ru', { timeZone: zones[i % 400], minute: i % 2 ? '2-digit' : 'numeric', year: i % 3 ? 'numeric' : '2-digit' })",
  ],
  ['one formatter', 'for (;;) one.format(1)'],
  ['refused formatters', "for (let i = 0; ; i++) try { new Intl.NumberFormat('x' + i) } catch {}"],
  ['long lists', "for (;;) new Intl.ListFormat('en').format(Array(9000).fill('a'))"],
  ['long texts', "for (;;) try { 'a'.repeat(60000).localeCompare('b'.repeat(60000)) } catch {}"],
  [
    'rankings',
    "for (;;) Array.from({ length: 5000 }, (_, i) => 'n' + i).sort(new Intl.Collator('en').compare)",
  ],
  ['segments', "for (;;) [...new Intl.Segmenter('th').segment('ก'.repeat(4000))]"],
  ['catalogues', "for (;;) Intl.supportedValuesOf('timeZone')"],
  [
    'names of options',
    "for (let i = 0; ; i++) new Intl.Collator('en', { usage: 'sort', collation: 'a' + (100 + i) })",
  ],
])('a flood of %s ends with cpu_ms', async (_what, source) => {
  const plugin = await boot(
    `const one = new Intl.NumberFormat('en'); const zones = Intl.supportedValuesOf('timeZone'); export const handle = () => { ${source}; };`,
    new IntlCalls(),
  );
  const calls = new IntlCalls();
  const result = plugin.run(null, calls, { softFuel: 2e7, hardFuel: 2.5e7 });
  expect(['interrupted', 'aborted']).toContain(result.kind);
  expect(plugin.instance.fuelUsed).toBeLessThan(5e7);
});

test('a replay is told what was recorded, also when the library has changed its mind since', async () => {
  const plugin = await boot(
    "export const handle = () => [new Intl.NumberFormat('ru').format(1.5), ['b', 'a'].sort(new Intl.Collator('ru').compare)];",
  );
  const recorded = new Map<string, string>();
  const first = new IntlCalls((what, compute) => {
    recorded.set(what, compute());
    return recorded.get(what)!;
  });
  expect(plugin.value(null, first)).toEqual(['1,5', ['a', 'b']]);
  const changed = [...recorded].map(([what, answer]) => [what, answer.replace('1,5', '1·5')] as const);
  const told = new Map(changed);
  const second = new IntlCalls((what) => told.get(what)!);
  expect(plugin.value(null, second)).toEqual(['1·5', ['a', 'b']]);
  expect(second.observed).toEqual(first.observed);
});

test('a plugin that names nothing of Intl carries none of it', async ({ annotate }) => {
  const bytes = async (body: string) =>
    (await boot(`export const handle = () => ${body};`)).instance.image.pages.byteLength;
  const [without, withIntl] = [await bytes('1'), await bytes("(1).toLocaleString('ru')")];
  await annotate(`image without Intl ${without / 1024} KB, with ${withIntl / 1024} KB`);
  console.log(`image without Intl ${without / 1024} KB, with ${withIntl / 1024} KB`);
  expect(withIntl).toBeGreaterThan(without);
  const host = new TestCalls();
  (await boot("export const handle = () => 'no such thing';", host)).run(null, host, budgetOf());
  expect(host.calls).toEqual([]);
});

test('top-level code and prepare() format, and what they made is in every turn', async () => {
  const plugin = await boot(
    `const price = new Intl.NumberFormat('ru', { style: 'currency', currency: 'RUB' });
     let ready; export function prepare() { ready = price.format(10); }
     export const handle = () => [ready, price.format(20)];`,
    new IntlCalls(),
  );
  expect(plugin.value(null, new IntlCalls())).toEqual(['10,00\u00a0₽', '20,00\u00a0₽']);
});

// --- libraries, unmodified

const packaged = (name: string, files: readonly string[]) =>
  Object.fromEntries(
    ['package.json', ...files].map((file) => {
      const inPackage = path.join('node_modules', name, file);
      return [inPackage, readFileSync(path.resolve(import.meta.dirname, '../..', inPackage), 'utf8')];
    }),
  );

test('croner finds the same runs as in Node, over both changes of the clock in Berlin', async () => {
  const patterns = ['30 2 * * *', '0 */2 * * *', '15 3 L 3,10 *', '0 0 2 * * SUN#L'];
  const starts = ['2026-03-28T00:00:00Z', '2026-10-24T00:00:00Z', '2027-01-31T22:30:00Z'];
  const zones = ['Europe/Berlin', 'America/New_York', 'Asia/Kolkata'];
  const asked = patterns.flatMap((pattern) =>
    starts.flatMap((start) => zones.map((timezone) => ({ pattern, start, timezone }))),
  );
  const source = `import { Cron } from 'croner';
    export const handle = ({ pattern, start, timezone }) =>
      new Cron(pattern, { timezone, paused: true }).nextRuns(6, new Date(start)).map((at) => at.toISOString());`;
  const plugin = await boot({ 'main.ts': source, ...packaged('croner', ['dist/croner.js']) });
  for (const each of asked) {
    const { pattern, start, timezone } = each;
    const own = new Cron(pattern, { timezone, paused: true }).nextRuns(6, new Date(start));
    expect(plugin.value(each, new IntlCalls()), JSON.stringify(each)).toEqual(
      own.map((at) => at.toISOString()),
    );
  }
});
