/**
 * Text as the rules see it: words, numbers and signs in lower case, without punctuation, `ё` as `е`, marks of stress
 * gone (INT-02). Templates and what people say go through the same, so nothing has to be written twice.
 */

export interface Token {
  readonly text: string;
  /** Where it stands in what was said, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
}

/** A sentence longer than this is nothing that somebody said to a house. */
export const MAX_TOKENS = 128;

/** A number with its sign and decimals, a word with an apostrophe before it (`what's` is two), or a sign that is read aloud. */
const TOKENS =
  /(?<![\p{L}\p{N}])-\p{Nd}+(?:[.,]\p{Nd}+)*|\p{Nd}+(?:[.,]\p{Nd}+)*|'?[\p{L}\p{M}]+|[%°$€₽£¥№#+&@=]/gu;
const APOSTROPHES = /[’ʼ‘`´]/g;
/** Stands after a vowel where it is no letter of its own: stress in Russian. */
const STRESS = /[\u0300\u0301]/g;

export function tokensOf(said: string): readonly Token[] {
  const text = said.replace(APOSTROPHES, "'");
  const tokens: Token[] = [];
  // `matchAll` would compile the expression again for every sentence.
  TOKENS.lastIndex = 0;
  for (let found = TOKENS.exec(text); found && tokens.length <= MAX_TOKENS; found = TOKENS.exec(text)) {
    const start = found.index;
    tokens.push({ text: foldedWord(found[0]), start, end: start + found[0].length });
  }
  return tokens;
}

const PLAIN = /^[a-zа-я0-9']+$/;

export function foldedWord(word: string): string {
  if (PLAIN.test(word)) return word;
  return word.normalize('NFC').toLowerCase().replace(STRESS, '').replaceAll('ё', 'е');
}

/** Characters of one class side by side are one token; between two classes one ends. */
export function classOf(char: string): 'word' | 'number' | 'sign' | undefined {
  if (WORD.test(char)) return 'word';
  if (DIGIT.test(char)) return 'number';
  return SIGN.test(char) ? 'sign' : undefined;
}

const WORD = /[\p{L}\p{M}']/u;
const DIGIT = /\p{Nd}/u;
const SIGN = /[%°$€₽£¥№#+&@=]/;
