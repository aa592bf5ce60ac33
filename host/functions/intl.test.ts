import { runInThisContext } from 'node:vm';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { boot } from '../sandbox/quickjs/test-instance.ts';
import { evaluator, IntlCalls, NOW_MS } from './test-intl.ts';

/** `Intl` of a guest against Node's own, on what people write and on inputs drawn at random. */

/** The same in Node, with what a guest has by default. */
function own(source: string): unknown {
  try {
    const value = runInThisContext(source) as unknown;
    return value === undefined ? {} : { value: JSON.parse(JSON.stringify(value)) };
  } catch (error) {
    return { thrown: (error as Error).name };
  }
}

const MS = Date.UTC(2026, 2, 29, 0, 59, 59);

const SOURCES: readonly string[] = [
  // dates
  `new Intl.DateTimeFormat('ru', { dateStyle: 'full', timeStyle: 'long', timeZone: 'Europe/Moscow' }).format(${MS})`,
  `new Intl.DateTimeFormat('en', { timeZone: 'Europe/Berlin', hour: 'numeric', minute: '2-digit' }).formatToParts(${MS})`,
  `new Intl.DateTimeFormat('de-DE', { timeZone: 'Europe/Berlin', dateStyle: 'medium' }).formatRange(0, new Date(${MS}))`,
  `new Intl.DateTimeFormat('en', { timeZone: 'UTC' }).formatRangeToParts(0, ${MS})`,
  `Intl.DateTimeFormat('en-US', { timeZone: 'Asia/Tokyo', hour12: false, hour: 'numeric' }).resolvedOptions()`,
  `new Intl.DateTimeFormat('ar-EG', { timeZone: 'UTC', calendar: 'islamic-umalqura' }).format(${MS})`,
  `[0, 1, 2].map((n) => n * 864e5).map(new Intl.DateTimeFormat('ru', { timeZone: 'UTC', weekday: 'short' }).format)`,
  `new Date(${MS}).toLocaleString('ru', { timeZone: 'UTC' })`,
  `new Date(${MS}).toLocaleDateString('en-GB', { timeZone: 'Europe/London', month: 'long' })`,
  `new Date(${MS}).toLocaleDateString('en-GB', { timeZone: 'UTC', hour: '2-digit' })`,
  `new Date(${MS}).toLocaleTimeString('de', { timeZone: 'UTC', timeStyle: 'short' })`,
  `new Date(NaN).toLocaleString()`,
  `new Intl.DateTimeFormat('en').format(NaN)`,
  `new Intl.DateTimeFormat('en', { timeZone: 'Mars/Phobos' })`,
  `new Intl.DateTimeFormat('en', { timeStyle: 'short', hour: 'numeric' })`,
  `new Date(0).toLocaleDateString('en', { timeStyle: 'short' })`,
  // numbers
  `new Intl.NumberFormat('ru', { style: 'currency', currency: 'RUB' }).format(1234567.891)`,
  `new Intl.NumberFormat('en', { notation: 'compact', compactDisplay: 'long' }).format(1234567)`,
  `new Intl.NumberFormat('ru', { style: 'unit', unit: 'kilometer-per-hour', unitDisplay: 'long' }).format(21)`,
  `new Intl.NumberFormat('de', { style: 'percent', maximumFractionDigits: 1 }).formatToParts(0.1234)`,
  `new Intl.NumberFormat('en', { signDisplay: 'exceptZero' }).format(-0)`,
  `[NaN, Infinity, -Infinity, 12345678901234567890n, '123456789012345678901234567890.5', null, true, '', 'x', -0].map(new Intl.NumberFormat('en').format)`,
  `new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' }).formatRange(3, 5)`,
  `new Intl.NumberFormat('hi').resolvedOptions()`,
  `(1234.5).toLocaleString('ru')`,
  `(12345678901234567890n).toLocaleString('de')`,
  `[1234.5, 2].toLocaleString()`,
  `new Intl.NumberFormat('en', { style: 'currency' })`,
  `new Intl.NumberFormat('en', { minimumFractionDigits: 101 })`,
  `new Intl.NumberFormat('en', { style: Symbol() })`,
  // plurals
  `[0, 1, 2, 5, 11, 21, 22, 25, 1.5, 100, 101].map((n) => new Intl.PluralRules('ru').select(n))`,
  `[1, 2, 3, 4, 11, 12, 13, 21, 22].map((n) => new Intl.PluralRules('en', { type: 'ordinal' }).select(n))`,
  `new Intl.PluralRules('ru').selectRange(1, 2)`,
  `new Intl.PluralRules('ru').resolvedOptions().pluralCategories.toSorted()`,
  // order
  `['ёж', 'Елка', 'еж', 'Ёлка', 'жук', 'Абв', 'ABC', 'abc'].sort(new Intl.Collator('ru').compare)`,
  `['item 10', 'item 9', 'Item 1', 'item 1'].sort(Intl.Collator('en', { numeric: true, sensitivity: 'base' }).compare)`,
  `['z', 'ä', 'a'].sort((a, b) => a.localeCompare(b, 'sv'))`,
  `['b', 'a', 'C', 'á'].sort((a, b) => a.localeCompare(b))`,
  `'a'.localeCompare('A', 'en', { sensitivity: 'base' })`,
  `'résumé'.localeCompare('resume', 'fr', { sensitivity: 'accent' })`,
  `'a'.localeCompare(undefined) === 'a'.localeCompare('undefined')`,
  // lists, times ago, names, segments, cases
  `new Intl.ListFormat('ru', { type: 'conjunction' }).format(['раз', 'два', 'три'])`,
  `new Intl.ListFormat('en', { style: 'short', type: 'disjunction' }).formatToParts(new Set(['a', 'b']))`,
  `new Intl.ListFormat('en').format([1])`,
  `new Intl.RelativeTimeFormat('ru', { numeric: 'auto' }).format(-1, 'day')`,
  `new Intl.RelativeTimeFormat('en').formatToParts(-0, 'weeks')`,
  `new Intl.RelativeTimeFormat('en').format(1, 'fortnight')`,
  `new Intl.DisplayNames('ru', { type: 'region' }).of('DE')`,
  `new Intl.DisplayNames('en', { type: 'language', fallback: 'none' }).of('xx')`,
  `new Intl.DisplayNames('en')`,
  `[...new Intl.Segmenter('ru', { granularity: 'word' }).segment('Привет, мир!')]`,
  `new Intl.Segmenter('en').segment('a👨‍👩‍👧b').containing(2)`,
  `'i̇stanbul'.toLocaleUpperCase('tr') + 'I'.toLocaleLowerCase('tr') + 'ß'.toLocaleUpperCase()`,
  `'x'.toLocaleUpperCase('not a tag')`,
  // what Intl itself has
  `Intl.getCanonicalLocales(['EN-us', 'ru-cyrl'])`,
  `Intl.getCanonicalLocales('x')`,
  `Intl.supportedValuesOf('timeZone')`,
  `Intl.supportedValuesOf('nothing')`,
  `Intl.NumberFormat.supportedLocalesOf(['ru', 'xx', 'de-AT'])`,
  `Object.prototype.toString.call(Intl) + Object.prototype.toString.call(new Intl.Collator('en'))`,
  `Intl.NumberFormat('en') instanceof Intl.NumberFormat && new (class extends Intl.NumberFormat {})('en').format(1)`,
  `Intl.PluralRules('en')`,
  `Intl.NumberFormat.prototype.formatToParts.call({}, 1)`,
  `new Intl.NumberFormat(null)`,
  `new Intl.NumberFormat('en', null)`,
  `new Intl.NumberFormat(['de', 5])`,
];

test('what authors write answers as in Node', async () => {
  const { all } = await evaluator();
  // The engine's limit for one turn is high here; what this costs is bounded by fuel elsewhere.
  for (const source of SOURCES) expect(all([source])[0], source).toEqual(own(source));
});

test('without a locale it is en-US and without a time zone UTC, whatever the machine is set to', async () => {
  const { all } = await evaluator();
  const answers = all([
    'new Intl.DateTimeFormat().resolvedOptions().timeZone',
    'Intl.NumberFormat().resolvedOptions().locale',
    "new Intl.Collator('xx').resolvedOptions().locale",
    'new Intl.DateTimeFormat().format()',
    'new Date().toLocaleString()',
    '(1234.5).toLocaleString()',
  ]);
  expect(answers.map((each) => (each as { value: unknown }).value)).toEqual([
    'UTC',
    'en-US',
    'en-US',
    '11/25/2026',
    new Date(NOW_MS).toLocaleString('en-US', { timeZone: 'UTC' }),
    '1,234.5',
  ]);
});

test('texts that only stand in the event find it too: it is loaded when it is first touched', async () => {
  const plugin = await boot('export const handle = (source) => (0, eval)(source);');
  const sources = [
    "new Intl.NumberFormat('ru').format(1234.5)",
    "(1234.5).toLocaleString('ru')",
    "['b', 'a'].sort((a, b) => a.localeCompare(b)).join()",
    "new Date(0).toLocaleDateString('ru', { timeZone: 'UTC' })",
    "(() => { const { localeCompare } = String.prototype; String.prototype.localeCompare = function (b) { return -localeCompare.call(this, b); }; return ['a', 'b'].sort((a, b) => a.localeCompare(b)).join(); })()",
  ];
  const answers = sources.map((source) => plugin.value(source, new IntlCalls()));
  expect(answers).toEqual(['1\u00a0234,5', '1\u00a0234,5', 'a,b', '01.01.1970', 'b,a']);
});

// --- at random

const locales = fc.constantFrom('ru', 'en', 'de', 'en-GB', 'fr', 'ru-UA', 'sr-Latn');
const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'Europe/Moscow', 'America/New_York', 'Asia/Kathmandu');
const letters = fc.string({
  unit: fc.constantFrom(...'абвгдеёжзийклАБЕЁabcdeABCäöüßéèñ 019-_'),
  maxLength: 12,
});
const json = JSON.stringify;

const drawn: Readonly<Record<string, fc.Arbitrary<string>>> = {
  dates: fc
    .tuple(
      locales,
      zones,
      fc.integer({ min: -2e12, max: 4e12 }),
      fc.constantFrom(
        { dateStyle: 'full', timeStyle: 'medium' },
        { dateStyle: 'short' },
        { weekday: 'long', month: 'long', day: 'numeric' },
        { year: '2-digit', month: '2-digit', hour: '2-digit', hour12: true },
        {
          hour: 'numeric',
          minute: '2-digit',
          second: '2-digit',
          fractionalSecondDigits: 3,
          timeZoneName: 'short',
        },
      ),
      fc.constantFrom('format', 'formatToParts'),
    )
    .map(
      ([locale, timeZone, ms, options, method]) =>
        `new Intl.DateTimeFormat(${json(locale)}, ${json({ ...options, timeZone })}).${method}(${ms})`,
    ),
  numbers: fc
    .tuple(
      locales,
      fc.oneof(fc.double(), fc.integer(), fc.constantFrom(-0, Number.NaN, Number.POSITIVE_INFINITY)),
      fc.constantFrom(
        {},
        { style: 'currency', currency: 'EUR' },
        { style: 'currency', currency: 'RUB', currencyDisplay: 'name' },
        { notation: 'compact' },
        { notation: 'scientific', maximumSignificantDigits: 4 },
        { style: 'percent', minimumFractionDigits: 2 },
        { style: 'unit', unit: 'liter', unitDisplay: 'long' },
      ),
    )
    .map(([locale, number, options]) => {
      const text = Object.is(number, -0) ? '-0' : `${number}`;
      return `new Intl.NumberFormat(${json(locale)}, ${json(options)}).format(${text})`;
    }),
  plurals: fc
    .tuple(
      locales,
      fc.oneof(fc.nat(), fc.double({ min: 0, max: 1000, noNaN: true })),
      fc.constantFrom('cardinal', 'ordinal'),
    )
    .map(([locale, n, type]) => `new Intl.PluralRules(${json(locale)}, { type: '${type}' }).select(${n})`),
  order: fc
    .tuple(
      locales,
      fc.array(letters, { maxLength: 40 }),
      fc.constantFrom(
        {},
        { numeric: true },
        { sensitivity: 'base' },
        { caseFirst: 'upper' },
        { ignorePunctuation: true },
      ),
    )
    .map(
      ([locale, list, options]) =>
        `${json(list)}.sort(new Intl.Collator(${json(locale)}, ${json(options)}).compare)`,
    ),
};

const SEED = Number(process.env['INTL_SEED'] ?? Date.now() % 1_000_000);

test.each(Object.entries(drawn))(
  `%s drawn at random answer as in Node (INTL_SEED=${SEED})`,
  async (name, arbitrary) => {
    console.log(`${name} at random: INTL_SEED=${SEED}`);
    const { all } = await evaluator();
    fc.assert(
      fc.property(fc.array(arbitrary, { minLength: 1, maxLength: 10 }), (sources) => {
        expect(all(sources)).toEqual(sources.map(own));
      }),
      { numRuns: 40, seed: SEED },
    );
  },
);
