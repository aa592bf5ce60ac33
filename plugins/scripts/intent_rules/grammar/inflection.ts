/**
 * Forms that a word of a Russian name may take when somebody says it: `в спальне`, `левую штору`. Nobody says of a name
 * what gender it has, so the forms of each that its ending allows count: one that does not exist is said by nobody.
 */
import nouns from 'russian-nouns-js';

const { CASES, createLemmaOrNull, Engine, Gender } = nouns;
const engine = new Engine();
const CYRILLIC = /^[а-яё]{3,}$/;
const { FEMININE, MASCULINE, NEUTER } = Gender;

/** By the last letter; `plural` where it may be a word that has no other number (`ворота`, `часы`). */
const GENDERS: readonly {
  readonly ending: RegExp;
  readonly genders: readonly string[];
  readonly plural?: true;
}[] = [
  { ending: /[ая]$/, genders: [FEMININE, MASCULINE], plural: true },
  { ending: /[оеё]$/, genders: [NEUTER], plural: true },
  { ending: /ь$/, genders: [FEMININE, MASCULINE] },
  { ending: /[ыи]$/, genders: [], plural: true },
  { ending: /[уюэ]$/, genders: [] },
  { ending: /./, genders: [MASCULINE] },
];

/** Adjectives in the masculine, which the library takes for nouns (`верхний` as `гений`). */
const ADJECTIVES: readonly { readonly ending: RegExp; readonly endings: readonly string[] }[] = [
  { ending: /[кгх]ий$/, endings: ['ого', 'ому', 'им', 'ом', 'ие', 'их', 'ими'] },
  { ending: /ий$/, endings: ['его', 'ему', 'им', 'ем', 'ие', 'их', 'ими'] },
  { ending: /[кгхжшчщ]ой$/, endings: ['ого', 'ому', 'им', 'ом', 'ие', 'их', 'ими'] },
  { ending: /[ыо]й$/, endings: ['ого', 'ому', 'ым', 'ом', 'ые', 'ых', 'ыми'] },
];

/** Without itself, in lower case, with `е` for `ё`; none for what is not Russian or is not declined. */
export function russianFormsOf(word: string): readonly string[] {
  const text = word.toLowerCase();
  if (!CYRILLIC.test(text)) return [];
  const { genders, plural } = GENDERS.find(({ ending }) => ending.test(text))!;
  const forms = new Set<string>();
  for (const gender of genders) addForms(forms, { text, gender });
  if (plural) addForms(forms, { text, pluraleTantum: true });
  if (plural) addPluralForms(forms, text);
  const { endings = [] } = ADJECTIVES.find(({ ending }) => ending.test(text)) ?? {};
  for (const ending of endings) forms.add(text.slice(0, -2) + ending);
  const own = folded(text);
  const all = new Set([...forms].map(folded));
  all.delete(own);
  return [...all];
}

function addForms(forms: Set<string>, given: Parameters<typeof createLemmaOrNull>[0]): void {
  const lemma = createLemmaOrNull(given);
  if (!lemma) return;
  for (const grammatical of CASES) for (const form of engine.decline(lemma, grammatical)) forms.add(form);
  for (const plural of engine.pluralize(lemma))
    for (const grammatical of CASES)
      for (const form of engine.decline(lemma, grammatical, plural)) forms.add(form);
}

/** Of a plural whose singular nobody gave: `полки` is the plural of `полка` as well as of `полк`. */
function addPluralForms(forms: Set<string>, text: string): void {
  for (const { ending, gender } of SINGULARS) {
    const lemma = createLemmaOrNull({ text: text.slice(0, -1) + ending, gender });
    if (!lemma || !engine.pluralize(lemma).includes(text)) continue;
    for (const grammatical of CASES)
      for (const form of engine.decline(lemma, grammatical, text)) forms.add(form);
  }
}

const SINGULARS = [
  { ending: 'а', gender: FEMININE },
  { ending: 'я', gender: FEMININE },
  { ending: 'ь', gender: FEMININE },
  { ending: '', gender: MASCULINE },
  { ending: 'ь', gender: MASCULINE },
  { ending: 'о', gender: NEUTER },
] as const;

function folded(form: string): string {
  return form.toLowerCase().replaceAll('ё', 'е');
}
