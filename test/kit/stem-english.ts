/** Stems of English words by the rules of Porter 2; see plugins/wasm/text_search/stem_en.h. */

const VOWEL = /[aeiouy]/;
const WHOLE = new Map(
  Object.entries({
    skis: 'ski',
    skies: 'sky',
    dying: 'die',
    lying: 'lie',
    tying: 'tie',
    idly: 'idl',
    gently: 'gentl',
    ugly: 'ugli',
    early: 'earli',
    only: 'onli',
    singly: 'singl',
  }),
);
const UNCHANGED = new Set(['sky', 'news', 'howe', 'atlas', 'cosmos', 'bias', 'andes']);
const DONE = /^(?:inning|outing|canning|herring|earring|proceed|exceed|succeed)$/;
const STEP2: readonly (readonly [string, string])[] = [
  ['ational', 'ate'],
  ['fulness', 'ful'],
  ['iveness', 'ive'],
  ['ization', 'ize'],
  ['ousness', 'ous'],
  ['biliti', 'ble'],
  ['lessli', 'less'],
  ['tional', 'tion'],
  ['alism', 'al'],
  ['aliti', 'al'],
  ['ation', 'ate'],
  ['entli', 'ent'],
  ['fulli', 'ful'],
  ['iviti', 'ive'],
  ['ousli', 'ous'],
  ['abli', 'able'],
  ['alli', 'al'],
  ['anci', 'ance'],
  ['ator', 'ate'],
  ['enci', 'ence'],
  ['izer', 'ize'],
  ['bli', 'ble'],
  ['ogi', 'og'],
  ['li', ''],
];
const STEP3: readonly (readonly [string, string])[] = [
  ['ational', 'ate'],
  ['tional', 'tion'],
  ['alize', 'al'],
  ['icate', 'ic'],
  ['iciti', 'ic'],
  ['ative', ''],
  ['ical', 'ic'],
  ['ness', ''],
  ['ful', ''],
];
const STEP4 = /(?:ement|ance|ence|able|ible|ment|ant|ent|ism|ate|iti|ous|ive|ize|ion|al|er|ic)$/;

/** Behind the first consonant after a vowel. */
function regionOf(word: string, from: number): number {
  const found = /[aeiouy][^aeiouy]/.exec(word.slice(from));
  return found ? from + found.index + 2 : word.length;
}

const endsShort = (part: string) =>
  /^[aeiouy][^aeiouy]$/.test(part) || /[^aeiouy][aeiouy][^aeiouywxY]$/.test(part);

function step1(given: string, r1: number): string {
  let word = given;
  const part = /^(.*[aeiouy].*)(?:ingly|edly|ing|ed)$/.exec(word);
  if (/eed(?:ly)?$/.test(word)) {
    const suffix = word.endsWith('eedly') ? 5 : 3;
    if (word.length - suffix >= r1) word = `${word.slice(0, -suffix)}ee`;
  } else if (part) {
    word = /(?:ingly|edly)$/.test(word)
      ? word.replace(/(?:ingly|edly)$/, '')
      : word.replace(/(?:ing|ed)$/, '');
    if (!VOWEL.test(word)) word = given;
    else if (/(?:at|bl|iz)$/.test(word)) word += 'e';
    else if (/(?:bb|dd|ff|gg|mm|nn|pp|rr|tt)$/.test(word)) word = word.slice(0, -1);
    else if (r1 >= word.length && endsShort(word)) word += 'e';
  }
  return word.length > 2 ? word.replace(/([^aeiouy])[yY]$/, '$1i') : word;
}

function replaced(
  word: string,
  rules: readonly (readonly [string, string])[],
  r1: number,
  r2: number,
): string {
  const rule = rules.find(([suffix]) => word.endsWith(suffix));
  if (!rule) return word;
  const [suffix, by] = rule;
  const before = word.slice(0, -suffix.length);
  if (before.length < r1) return word;
  if (suffix === 'ogi' && !before.endsWith('l')) return word;
  if (suffix === 'li' && !/[cdeghkmnrt]$/.test(before)) return word;
  return suffix === 'ative' && before.length < r2 ? word : before + by;
}

function step4(word: string, r2: number): string {
  const [suffix] = STEP4.exec(word) ?? [];
  if (suffix === undefined) return word;
  const before = word.slice(0, -suffix.length);
  return before.length < r2 || (suffix === 'ion' && !/[st]$/.test(before)) ? word : before;
}

function step5(word: string, r1: number, r2: number): string {
  const before = word.slice(0, -1);
  if (word.endsWith('e'))
    return before.length >= r2 || (before.length >= r1 && !endsShort(before)) ? before : word;
  return word.endsWith('ll') && before.length >= r2 ? before : word;
}

/** @param folded of small letters and apostrophes */
export function stemEnglish(folded: string): string {
  if (folded.length <= 2 || UNCHANGED.has(folded)) return folded;
  const whole = WHOLE.get(folded);
  if (whole !== undefined) return whole;
  let word = folded.replace(/^y/, 'Y').replace(/([aeiouy])y/g, '$1Y');
  const prefix = /^(?:gener|commun|arsen)/.exec(word)?.[0].length;
  const r1 = prefix ?? regionOf(word, 0);
  const r2 = regionOf(word, r1);
  word = word.replace(/'s'$|'s$|'$/, '');
  if (word.endsWith('sses')) word = word.slice(0, -2);
  else if (/ie[ds]$/.test(word)) word = word.slice(0, word.length > 4 ? -2 : -1);
  else if (/[aeiouy].*[^us]s$/.test(word) && VOWEL.test(word.slice(0, -2))) word = word.slice(0, -1);
  if (DONE.test(word)) return word;
  word = step1(word, r1);
  word = replaced(replaced(word, STEP2, r1, r2), STEP3, r1, r2);
  return step5(step4(word, r2), r1, r2).replaceAll('Y', 'y');
}
