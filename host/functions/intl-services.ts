/**
 * What `intl.call` may reach of the host's own Intl, and what it costs. Nothing of the machine is in it: no
 * default locale, no time zone. Whatever comes from a guest is checked here before it gets there.
 */

import { INTL_OPTIONS, MAX_RANKED, MAX_RANKED_CHARS } from '../base/intl-options.ts';
import { NeiraError } from '../errors.ts';
import { invalid } from './bus-options.ts';

export const DEFAULT_LOCALE = 'en-US';
const DEFAULT_TIME_ZONE = 'UTC';
const MAX_TIME_MS = 8.64e15;
const MAX_NUMBER_CHARS = 1000;
/** Finding segments takes time by the square of the length. */
const MAX_SEGMENTED_CHARS = 4096;

type Options = Readonly<Record<string, unknown>>;
type Input = readonly unknown[];

interface Method<Formatter> {
  /** In fuel, 100 for about a microsecond; what texts cost by their length comes on top. */
  readonly fuel: number;
  fuelOf?(input: Input): number;
  run(formatter: Formatter, input: Input): unknown;
}

export interface Service<Formatter = unknown> {
  readonly options: readonly string[];
  readonly createFuel: number;
  create(locales: readonly string[], options: Options): Formatter;
  readonly methods: ReadonlyMap<string, Method<Formatter>>;
}

interface Formatting {
  resolvedOptions(): unknown;
}

/** Node has it; the types of ES2023 have not. */
interface RangeRules extends Intl.PluralRules {
  selectRange(from: number, to: number): string;
}

const RESOLVED: Method<Formatting> = { fuel: 500, run: (formatter) => formatter.resolvedOptions() };

function service<Formatter>(
  options: readonly string[],
  createFuel: number,
  create: (locales: string[], options: Options) => Formatter,
  methods: Readonly<Record<string, Method<NoInfer<Formatter>>>>,
): Service {
  const known = new Map(Object.entries(methods));
  return { options, createFuel, create, methods: known } as unknown as Service;
}

/** A locale that the host has not falls back to the default one, never to the machine's. */
const withDefault = (locales: readonly string[]) => [...locales, DEFAULT_LOCALE];

export const SERVICES: ReadonlyMap<string, Service> = new Map(
  Object.entries({
    DateTimeFormat: service(
      INTL_OPTIONS.DateTimeFormat,
      10_000,
      (locales, options) =>
        new Intl.DateTimeFormat(withDefault(locales), { timeZone: DEFAULT_TIME_ZONE, ...options }),
      {
        resolvedOptions: RESOLVED,
        format: { fuel: 400, run: (formatter, [at]) => formatter.format(timeOf(at)) },
        formatToParts: { fuel: 1200, run: (formatter, [at]) => formatter.formatToParts(timeOf(at)) },
        formatRange: {
          fuel: 6000,
          run: (formatter, [from, to]) => formatter.formatRange(timeOf(from), timeOf(to)),
        },
        formatRangeToParts: {
          fuel: 8000,
          run: (formatter, [from, to]) => formatter.formatRangeToParts(timeOf(from), timeOf(to)),
        },
      },
    ),
    NumberFormat: service(
      INTL_OPTIONS.NumberFormat,
      3000,
      (locales, options) => new Intl.NumberFormat(withDefault(locales), options),
      {
        resolvedOptions: RESOLVED,
        format: { fuel: 100, run: (formatter, [of]) => formatter.format(numberOf(of)) },
        formatToParts: { fuel: 400, run: (formatter, [of]) => formatter.formatToParts(numberOf(of)) },
        formatRange: {
          fuel: 2000,
          run: (formatter, [from, to]) => formatter.formatRange(numberOf(from), numberOf(to)),
        },
        formatRangeToParts: {
          fuel: 3000,
          run: (formatter, [from, to]) => formatter.formatRangeToParts(numberOf(from), numberOf(to)),
        },
      },
    ),
    PluralRules: service(
      INTL_OPTIONS.PluralRules,
      2000,
      (locales, options) => new Intl.PluralRules(withDefault(locales), options),
      {
        resolvedOptions: RESOLVED,
        select: { fuel: 100, run: (formatter, [of]) => formatter.select(Number(numberOf(of))) },
        selectRange: {
          fuel: 400,
          run: (formatter, [from, to]) =>
            (formatter as RangeRules).selectRange(Number(numberOf(from)), Number(numberOf(to))),
        },
      },
    ),
    Collator: service(
      INTL_OPTIONS.Collator,
      2000,
      (locales, options) => new Intl.Collator(withDefault(locales), options),
      {
        resolvedOptions: RESOLVED,
        compare: {
          fuel: 50,
          fuelOf: longTexts,
          run: (collator, [a, b]) => collator.compare(textOf(a), textOf(b)),
        },
        rank: {
          fuel: 0,
          fuelOf: (texts) => 10 * texts.length * Math.ceil(Math.log2(texts.length + 1)),
          run: rank,
        },
      },
    ),
    ListFormat: service(
      INTL_OPTIONS.ListFormat,
      2000,
      (locales, options) => new Intl.ListFormat(withDefault(locales), options),
      {
        resolvedOptions: RESOLVED,
        format: { fuel: 200, fuelOf: perItem, run: (formatter, [list]) => formatter.format(textsOf(list)) },
        formatToParts: {
          fuel: 500,
          fuelOf: perItem,
          run: (formatter, [list]) => formatter.formatToParts(textsOf(list)),
        },
      },
    ),
    RelativeTimeFormat: service(
      INTL_OPTIONS.RelativeTimeFormat,
      3000,
      (locales, options) => new Intl.RelativeTimeFormat(withDefault(locales), options),
      {
        resolvedOptions: RESOLVED,
        format: {
          fuel: 300,
          run: (formatter, [of, unit]) => formatter.format(Number(numberOf(of)), unitOf(unit)),
        },
        formatToParts: {
          fuel: 600,
          run: (formatter, [of, unit]) => formatter.formatToParts(Number(numberOf(of)), unitOf(unit)),
        },
      },
    ),
    DisplayNames: service(
      INTL_OPTIONS.DisplayNames,
      2000,
      (locales, options) =>
        new Intl.DisplayNames(withDefault(locales), options as unknown as Intl.DisplayNamesOptions),
      { resolvedOptions: RESOLVED, of: { fuel: 300, run: (names, [code]) => names.of(textOf(code)) } },
    ),
    Segmenter: service(
      INTL_OPTIONS.Segmenter,
      3000,
      (locales, options) => new Intl.Segmenter(withDefault(locales), options),
      {
        resolvedOptions: RESOLVED,
        segment: {
          fuel: 500,
          fuelOf: ([text]) => 100 * textOf(text).length + textOf(text).length ** 2 / 8,
          run: segments,
        },
      },
    ),
    String: service([], 0, ([first = DEFAULT_LOCALE]) => first, {
      toLocaleUpperCase: { fuel: 50, run: (locale, [text]) => textOf(text).toLocaleUpperCase(locale) },
      toLocaleLowerCase: { fuel: 50, run: (locale, [text]) => textOf(text).toLocaleLowerCase(locale) },
    }),
    Intl: service([], 0, (locales) => locales, {
      getCanonicalLocales: { fuel: 500, run: (locales) => Intl.getCanonicalLocales(locales) },
      supportedValuesOf: { fuel: 30_000, run: (_, [key]) => Intl.supportedValuesOf(textOf(key) as 'unit') },
    }),
  }),
);

/** Of every class with formatters; it makes none. */
export const SUPPORTED_LOCALES = 'supportedLocalesOf';
export const SUPPORTED_LOCALES_FUEL = 2000;

export function supportedLocales(name: string, locales: readonly string[], options: Options): unknown {
  const { supportedLocalesOf } = Intl[name as 'Collator'];
  return supportedLocalesOf.call(Intl[name as 'Collator'], [...locales], options);
}

/** The place of each text among all of them, from 0; texts that are equal to the collator have the same. */
function rank(collator: Intl.Collator, input: Input): readonly number[] {
  const texts = input.map(textOf);
  const order = texts.map((_, index) => index).sort((a, b) => collator.compare(texts[a]!, texts[b]!));
  const ranks = new Array<number>(texts.length);
  let place = 0;
  order.forEach((index, at) => {
    if (at > 0 && collator.compare(texts[order[at - 1]!]!, texts[index]!) !== 0) place++;
    ranks[index] = place;
  });
  return ranks;
}

function segments(segmenter: Intl.Segmenter, [text]: Input): unknown {
  return Array.from(segmenter.segment(textOf(text)), ({ segment, index, isWordLike }) =>
    isWordLike === undefined ? { segment, index } : { segment, index, isWordLike },
  );
}

/** Of combining marks, which are put in order first; names are never that long. */
function longTexts(texts: Input): number {
  const chars = texts.reduce<number>((sum, text) => sum + textOf(text).length, 0);
  return chars > 128 ? 12 * chars : 0;
}

function perItem([list]: Input): number {
  return 100 * textsOf(list).length;
}

// --- arguments

function timeOf(given: unknown): number {
  if (typeof given === 'number' && Math.abs(given) <= MAX_TIME_MS) return given;
  throw new RangeError('Invalid time value');
}

function numberOf(given: unknown): number {
  if (typeof given === 'number') return given;
  // A text is formatted with all its digits, more than a number holds.
  if (typeof given === 'string') return shortNumber(given) as unknown as number;
  const { number, bigint } = (given ?? {}) as { number?: unknown; bigint?: unknown };
  if (typeof number === 'string') return Number(shortNumber(number));
  if (typeof bigint === 'string' && /^-?\d+$/.test(bigint))
    return BigInt(shortNumber(bigint)) as unknown as number;
  throw invalid('input', 'it must be a number, a text, or an object with `number` or `bigint`');
}

function shortNumber(text: string): string {
  if (text.length <= MAX_NUMBER_CHARS) return text;
  const what = 'digits of a number';
  throw new NeiraError('NEIRA_VALUE_TOO_LARGE', { what, bytes: text.length, maxBytes: MAX_NUMBER_CHARS });
}

function textOf(given: unknown): string {
  if (typeof given === 'string') return given;
  throw invalid('input', 'it must be a text');
}

function textsOf(given: unknown): string[] {
  if (!Array.isArray(given)) throw invalid('input', 'it must be an array of texts');
  return given.map(textOf);
}

function unitOf(given: unknown): Intl.RelativeTimeFormatUnit {
  return textOf(given) as Intl.RelativeTimeFormatUnit;
}

/** @throws NEIRA_VALUE_TOO_LARGE for what would take too long */
export function checkSizes(name: string, method: string, input: Input): void {
  const tooLarge = (what: string, bytes: number, maxBytes: number) =>
    new NeiraError('NEIRA_VALUE_TOO_LARGE', { what, bytes, maxBytes });
  if (method === 'rank') {
    const chars = input.reduce<number>((sum, text) => sum + textOf(text).length, 0);
    if (input.length > MAX_RANKED) throw tooLarge('texts to rank', input.length, MAX_RANKED);
    if (chars > MAX_RANKED_CHARS) throw tooLarge('texts to rank', chars, MAX_RANKED_CHARS);
  }
  if (name === 'Segmenter' && method === 'segment') {
    const { length } = textOf(input[0]);
    if (length > MAX_SEGMENTED_CHARS) throw tooLarge('text to segment', length, MAX_SEGMENTED_CHARS);
  }
}
