/**
 * What is known of ECMA-402 on both sides: the guest copies these options and no others, the host takes these
 * and no others. See functions/intl.ts and sandbox/quickjs/guest/polyfills/intl.ts.
 */

const DIGITS = [
  'minimumIntegerDigits',
  'minimumFractionDigits',
  'maximumFractionDigits',
  'minimumSignificantDigits',
  'maximumSignificantDigits',
  'roundingIncrement',
  'roundingMode',
  'roundingPriority',
  'trailingZeroDisplay',
] as const;

export const INTL_OPTIONS = {
  DateTimeFormat: [
    'localeMatcher',
    'calendar',
    'numberingSystem',
    'hour12',
    'hourCycle',
    'timeZone',
    'weekday',
    'era',
    'year',
    'month',
    'day',
    'dayPeriod',
    'hour',
    'minute',
    'second',
    'fractionalSecondDigits',
    'timeZoneName',
    'formatMatcher',
    'dateStyle',
    'timeStyle',
  ],
  NumberFormat: [
    'localeMatcher',
    'numberingSystem',
    'style',
    'currency',
    'currencyDisplay',
    'currencySign',
    'unit',
    'unitDisplay',
    'notation',
    'compactDisplay',
    'useGrouping',
    'signDisplay',
    ...DIGITS,
  ],
  PluralRules: ['localeMatcher', 'type', ...DIGITS],
  Collator: [
    'localeMatcher',
    'usage',
    'collation',
    'numeric',
    'caseFirst',
    'sensitivity',
    'ignorePunctuation',
  ],
  ListFormat: ['localeMatcher', 'type', 'style'],
  RelativeTimeFormat: ['localeMatcher', 'numberingSystem', 'style', 'numeric'],
  DisplayNames: ['localeMatcher', 'style', 'type', 'fallback', 'languageDisplay'],
  Segmenter: ['localeMatcher', 'granularity'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type IntlService = keyof typeof INTL_OPTIONS;

/** Texts that one ranking takes, and how long they may be together. */
export const MAX_RANKED = 10_000;
export const MAX_RANKED_CHARS = 250_000;
