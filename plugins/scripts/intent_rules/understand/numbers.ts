/**
 * Numbers as digits or as words, in English and Russian, in any case and gender (INT-02): `21,5`, `twenty-one`,
 * `двадцати одного`. What is said before a list decides nothing here: every number that the words may mean is offered.
 */
import type { Token } from './tokens.ts';

export interface Spoken {
  readonly value: number;
  /** The token behind it. */
  readonly end: number;
}

const NONE: readonly Spoken[] = [];
const DIGITS = /^-?\p{Nd}/u;

/** All numbers that begin at a token, the shortest first. */
export function numbersAt(tokens: readonly Token[], from: number, language: string): readonly Spoken[] {
  const { text } = tokens[from]!;
  if (!wordsOf(language).has(text) && !DIGITS.test(text)) return NONE;
  const whole = wholesAt(tokens, from, language);
  return whole.flatMap((number) => {
    const more = fractionAt(tokens, number, language);
    return more ? [number, more] : [number];
  });
}

function wholesAt(tokens: readonly Token[], from: number, language: string): readonly Spoken[] {
  const words = wordsOf(language);
  const digits = inDigits(tokens[from]!.text, language);
  const found: Spoken[] = digits === undefined ? [] : [{ value: digits, end: from + 1 }];
  let total = 0;
  /** Of what is said since the last thousand. */
  let part = digits ?? 0;
  let below = digits === undefined ? Number.POSITIVE_INFINITY : 1;
  let scaleBelow = Number.POSITIVE_INFINITY;
  for (let at = from + found.length; at < tokens.length; at += 1) {
    const { text } = tokens[at]!;
    const value = words.get(text);
    if (value === undefined) {
      if (language === 'en' && text === 'and' && found.length > 0) continue;
      break;
    }
    if (value >= 1000) {
      if (value >= scaleBelow) break;
      total += (part === 0 ? 1 : part) * value;
      part = 0;
      below = value;
      scaleBelow = value;
    } else if (value === 100 && part > 0 && part < 10 && language === 'en') {
      part *= 100;
      below = 100;
    } else {
      if (value >= below || (value === 0 && at > from)) break;
      part += value;
      below = value >= 100 ? 100 : value >= 20 ? 10 : 1;
    }
    found.push({ value: total + part, end: at + 1 });
  }
  return found;
}

/** `twenty point five`, `two and a half`; `двадцать и пять десятых`, `две целых пять десятых`, `два с половиной`. */
function fractionAt(tokens: readonly Token[], { value, end }: Spoken, language: string): Spoken | undefined {
  if (!Number.isInteger(value)) return undefined;
  const said = (at: number) => tokens[at]?.text;
  const half = HALVES[language]?.find((each) => each.every((word, at) => word === said(end + at)));
  if (half) return { value: value + 0.5, end: end + half.length };
  if (POINTS.has(said(end) ?? '')) {
    let decimals = '';
    let at = end + 1;
    for (; at < tokens.length; at += 1) {
      const digit = wordsOf(language).get(said(at)!) ?? inDigits(said(at)!, language);
      if (digit === undefined || !Number.isInteger(digit) || digit < 0 || (digit > 9 && decimals !== ''))
        break;
      decimals += digit;
    }
    return decimals === '' ? undefined : { value: Number(`${value}.${decimals}`), end: at };
  }
  if (language !== 'ru') return undefined;
  const begin = /^(и|цел(ая|ых|ой))$/.test(said(end) ?? '') ? end + 1 : end;
  const tenths = begin < tokens.length ? wholesAt(tokens, begin, language).at(-1) : undefined;
  const isTenths =
    tenths !== undefined && tenths.value < 10 && /^десят(ая|ых|ой|ые)$/.test(said(tenths.end) ?? '');
  return isTenths ? { value: value + tenths.value / 10, end: tenths.end + 1 } : undefined;
}

const POINTS = new Set(['point', 'запятая', 'точка']);
const HALVES: Readonly<Record<string, readonly (readonly string[])[]>> = {
  en: [['and', 'a', 'half']],
  ru: [['с', 'половиной']],
};

/** `1,000` is a thousand in English and one in Russian. */
function inDigits(text: string, language: string): number | undefined {
  if (!DIGITS.test(text)) return undefined;
  const plain = language === 'en' ? text.replace(/,(?=\d{3}(?:\D|$))/g, '') : text;
  const value = Number(plain.replace(',', '.'));
  return Number.isNaN(value) ? undefined : value;
}

const ENGLISH: readonly (readonly [number, string])[] = [
  [0, 'zero'],
  [1, 'one'],
  [2, 'two'],
  [3, 'three'],
  [4, 'four'],
  [5, 'five'],
  [6, 'six'],
  [7, 'seven'],
  [8, 'eight'],
  [9, 'nine'],
  [10, 'ten'],
  [11, 'eleven'],
  [12, 'twelve'],
  [13, 'thirteen'],
  [14, 'fourteen'],
  [15, 'fifteen'],
  [16, 'sixteen'],
  [17, 'seventeen'],
  [18, 'eighteen'],
  [19, 'nineteen'],
  [20, 'twenty'],
  [30, 'thirty'],
  [40, 'forty fourty'],
  [50, 'fifty'],
  [60, 'sixty'],
  [70, 'seventy'],
  [80, 'eighty'],
  [90, 'ninety'],
  [100, 'hundred'],
  [1000, 'thousand'],
  [1_000_000, 'million'],
];

const RUSSIAN: readonly (readonly [number, string])[] = [
  [0, 'ноль нуль нуля нулю нулем ноля нолю нолем'],
  [1, 'один одна одно одни одну одного одной одному одним одном раз'],
  [1.5, 'полтора полторы полутора'],
  [2, 'два две двух двум двумя'],
  [3, 'три трех трем тремя'],
  [4, 'четыре четырех четырем четырьмя'],
  [5, 'пять пяти пятью'],
  [6, 'шесть шести шестью'],
  [7, 'семь семи семью'],
  [8, 'восемь восьми восемью восьмью'],
  [9, 'девять девяти девятью'],
  [10, 'десять десяти десятью'],
  [11, 'одиннадцать одиннадцати одиннадцатью'],
  [12, 'двенадцать двенадцати двенадцатью'],
  [13, 'тринадцать тринадцати тринадцатью'],
  [14, 'четырнадцать четырнадцати четырнадцатью'],
  [15, 'пятнадцать пятнадцати пятнадцатью'],
  [16, 'шестнадцать шестнадцати шестнадцатью'],
  [17, 'семнадцать семнадцати семнадцатью'],
  [18, 'восемнадцать восемнадцати восемнадцатью'],
  [19, 'девятнадцать девятнадцати девятнадцатью'],
  [20, 'двадцать двадцати двадцатью'],
  [30, 'тридцать тридцати тридцатью'],
  [40, 'сорок сорока'],
  [50, 'пятьдесят пятидесяти пятьюдесятью'],
  [60, 'шестьдесят шестидесяти шестьюдесятью'],
  [70, 'семьдесят семидесяти семьюдесятью'],
  [80, 'восемьдесят восьмидесяти восемьюдесятью'],
  [90, 'девяносто девяноста'],
  [100, 'сто ста'],
  [200, 'двести двухсот двумстам двумястами двухстах'],
  [300, 'триста трехсот тремстам тремястами трехстах'],
  [400, 'четыреста четырехсот четыремстам четырьмястами четырехстах'],
  [500, 'пятьсот пятисот пятистам пятьюстами пятистах'],
  [600, 'шестьсот шестисот шестистам шестьюстами шестистах'],
  [700, 'семьсот семисот семистам семьюстами семистах'],
  [800, 'восемьсот восьмисот восьмистам восемьюстами восьмистах'],
  [900, 'девятьсот девятисот девятистам девятьюстами девятистах'],
  [1000, 'тысяча тысячи тысяч тысячу тысяче тысячей тысячью тысячам тысячами тысячах'],
  [1_000_000, 'миллион миллиона миллионов миллиону миллионом миллионе миллионам миллионами миллионах'],
];

function tableOf(rows: readonly (readonly [number, string])[]): ReadonlyMap<string, number> {
  return new Map(rows.flatMap(([value, forms]) => forms.split(' ').map((form) => [form, value] as const)));
}

const WORDS: Readonly<Record<string, ReadonlyMap<string, number>>> = {
  en: tableOf(ENGLISH),
  ru: tableOf(RUSSIAN),
};
const NO_WORDS: ReadonlyMap<string, number> = new Map();

function wordsOf(language: string): ReadonlyMap<string, number> {
  return WORDS[language] ?? NO_WORDS;
}
