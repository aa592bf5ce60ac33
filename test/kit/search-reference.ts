/**
 * What plugins/wasm/text_search does, in TypeScript and without an index: the rules by which texts become words and
 * words become stems, and a search that looks through every record. Tests compare the component with it; benchmarks
 * run it as a script.
 */
import { stemEnglish } from './stem-english.ts';
import { stemRussian } from './stem-russian.ts';

export interface Word {
  /** As it stands in the text. */
  readonly written: string;
  readonly folded: string;
  readonly stem: string;
}

export interface Searched {
  readonly number: number;
  readonly type: string;
  readonly chatId: string;
  readonly sessionId: string;
  readonly text: string;
}

export interface Asked {
  readonly q: string;
  readonly type?: string;
  readonly chat?: string;
  readonly session?: string;
}

export interface Hit {
  readonly number: number;
  readonly score: number;
}

const MAX_WORD_BYTES = 64;
const MAX_WORDS = 32;

// --- words

const within = (code: number, first: number, last: number) => code >= first && code <= last;
/** U+00C0 to U+017F: the plain letter; `.` stays a letter of its own, a space is none. */
const LATIN =
  'aaaaaa.ceeeeiiii.nooooo ouuuuy..aaaaaa.ceeeeiiii.nooooo ouuuuy.y' +
  'aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii..jjkk.lllllll' +
  'lllnnnnnnn..oooooo..rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs';
const GREEK: Readonly<Record<string, string>> = {
  ...{ Ά: 'α', Έ: 'ε', Ή: 'η', Ί: 'ι', Ό: 'ο', Ύ: 'υ', Ώ: 'ω' },
  ...{ ά: 'α', έ: 'ε', ή: 'η', ί: 'ι', ό: 'ο', ύ: 'υ', ώ: 'ω', ς: 'σ' },
};

/** The letter or digit that a sign is compared as; the empty text for what is neither. */
function fold(sign: string): string {
  const code = sign.codePointAt(0)!;
  if (within(code, 65, 90)) return sign.toLowerCase();
  if (code < 0x80) return within(code, 97, 122) || within(code, 48, 57) ? sign : '';
  if (code < 0xc0) return code === 0xaa ? 'a' : code === 0xba ? 'o' : code === 0xb5 ? 'μ' : '';
  if (code < 0x180) return foldLatin(sign, code);
  if (within(code, 0x370, 0x3ff))
    return within(code, 0x391, 0x3a9) ? String.fromCharCode(code + 0x20) : (GREEK[sign] ?? sign);
  if (within(code, 0x400, 0x52f)) return foldCyrillic(sign, code);
  if (within(code, 0xff10, 0xff19) || within(code, 0xff21, 0xff3a) || within(code, 0xff41, 0xff5a))
    return fold(String.fromCharCode(code - 0xfee0));
  return isSign(code) ? '' : sign;
}

function foldLatin(sign: string, code: number): string {
  const plain = LATIN[code - 0xc0]!;
  if (plain !== '.') return plain.trim();
  if (code <= 0xde) return String.fromCharCode(code + 0x20);
  return code === 0x132 || code === 0x14a || code === 0x152 ? String.fromCharCode(code + 1) : sign;
}

function foldCyrillic(sign: string, code: number): string {
  if (code === 0x401 || code === 0x451) return 'е';
  if (within(code, 0x400, 0x42f)) return sign.toLowerCase();
  if (within(code, 0x482, 0x489)) return '';
  const paired = within(code, 0x460, 0x481) || within(code, 0x48a, 0x4bf) || within(code, 0x4d0, 0x52f);
  return paired ? String.fromCharCode(code | 1) : sign;
}

const SIGNS: readonly (readonly [number, number])[] = [
  [0x2000, 0x2bff],
  [0x2e00, 0x2e7f],
  [0x3000, 0x303f],
  [0xe000, 0xf8ff],
  [0xfe00, 0xfe6f],
  [0xff00, 0xff20],
  [0xff3b, 0xff40],
  [0xff5b, 0xff65],
  [0xfff0, 0xffff],
  [0x1f000, 0x1faff],
  [0xe0000, 0x10ffff],
];
const isSign = (code: number) => SIGNS.some(([first, last]) => within(code, first, last));

function isIdeograph(code: number): boolean {
  return (
    within(code, 0x3040, 0x30ff) ||
    within(code, 0x3400, 0x9fff) ||
    within(code, 0xf900, 0xfaff) ||
    within(code, 0x20000, 0x3ffff)
  );
}

function bytesOf(sign: string): number {
  const code = sign.codePointAt(0)!;
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

function stemOf(folded: string): string {
  if (/^[a-z']+$/.test(folded)) return stemEnglish(folded);
  return /^[а-я]+$/.test(folded) ? stemRussian(folded) : folded;
}

export function wordsOf(text: string): Word[] {
  const signs = Array.from(text);
  const found: Word[] = [];
  let folded = '';
  let bytes = 0;
  let from = 0;
  const add = (letter: string) => {
    if (bytes + bytesOf(letter) > MAX_WORD_BYTES) return;
    folded += letter;
    bytes += bytesOf(letter);
  };
  const end = (to: number) => {
    if (folded !== '') found.push({ written: signs.slice(from, to).join(''), folded, stem: stemOf(folded) });
    folded = '';
    bytes = 0;
  };
  for (let at = 0; at < signs.length; at++) {
    const sign = signs[at]!;
    const code = sign.codePointAt(0)!;
    const letter = fold(sign);
    if (within(code, 0x300, 0x36f)) {
      if (code === 0x306 && folded.endsWith('и')) folded = `${folded.slice(0, -1)}й`;
    } else if (isApostrophe(sign) && /[a-z]$/.test(folded) && /^[a-z]$/.test(fold(signs[at + 1] ?? ' '))) {
      add("'");
    } else if (letter === '') {
      end(at);
    } else if (isIdeograph(code)) {
      end(at);
      from = at;
      add(letter);
      end(at + 1);
    } else {
      if (folded === '') from = at;
      add(letter);
    }
  }
  end(signs.length);
  return found;
}

const isApostrophe = (sign: string) => sign === "'" || sign === '’';

// --- questions

interface Wanted extends Word {
  readonly prefix: boolean;
}

interface Clause {
  readonly words: readonly Wanted[];
  readonly excluded: boolean;
}

const PART = /(-?)(?:["«»“”„‟]([^"«»“”„‟]*)(["«»“”„‟]?)|([^\s"«»“”„‟]+)(\s?))/gu;

export function clausesOf(q: string): Clause[] {
  const clauses: Clause[] = [];
  let left = MAX_WORDS;
  for (const [all, minus, quoted, , plain] of q.matchAll(PART)) {
    if (left === 0) break;
    const words = wordsOf(quoted ?? plain ?? '').slice(0, left);
    if (words.length === 0) continue;
    left -= words.length;
    const isLast = plain !== undefined && minus === '' && q.endsWith(all) && !/\s$/.test(all);
    const prefix =
      isLast &&
      words.length === 1 &&
      Array.from(words[0]!.folded).reduce((sum, sign) => sum + bytesOf(sign), 0) >= 2;
    clauses.push({ words: words.map((word) => ({ ...word, prefix })), excluded: minus === '-' });
  }
  return clauses;
}

// --- search

const K1 = 1.2;
const B = 0.75;

const isWanted = (wanted: Wanted, { stem }: Word) =>
  stem === wanted.stem || (wanted.prefix && stem.startsWith(wanted.folded));

function hasClause({ words }: Clause, text: readonly Word[]): boolean {
  return text.some((_, at) =>
    words.every((wanted, next) => text[at + next] && isWanted(wanted, text[at + next]!)),
  );
}

/** Every record that fits, the best first. */
export function searchAll(records: readonly Searched[], { q, type, chat, session }: Asked): Hit[] {
  const clauses = clausesOf(q);
  const asked = clauses.filter(({ excluded }) => !excluded).flatMap(({ words }) => words);
  if (asked.length === 0) return [];
  const texts = records.map(({ text }) => wordsOf(text));
  const average = texts.reduce((sum, words) => sum + words.length, 0) / texts.length;
  const counts = asked.map((wanted) =>
    texts.map((words) => words.filter((each) => isWanted(wanted, each)).length),
  );
  const rarities = counts.map((each) => {
    const having = each.filter((count) => count > 0).length;
    return Math.log(1 + (records.length - having + 0.5) / (having + 0.5));
  });
  const hits: Hit[] = [];
  records.forEach((record, at) => {
    if (type !== undefined && record.type !== type) return;
    if (chat !== undefined && record.chatId !== chat) return;
    if (session !== undefined && record.sessionId !== session) return;
    if (!clauses.every((clause) => hasClause(clause, texts[at]!) !== clause.excluded)) return;
    const length = 1 - B + (B * texts[at]!.length) / average;
    const score = rarities.reduce((sum, rarity, word) => {
      const count = counts[word]![at]!;
      return sum + (rarity * count * (K1 + 1)) / (count + K1 * length);
    }, 0);
    hits.push({ number: record.number, score });
  });
  return hits.sort((a, b) => b.score - a.score || a.number - b.number);
}
