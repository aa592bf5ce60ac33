/** Stems of Russian words by the rules of Snowball; see plugins/wasm/text_search/stem_ru.h. */

const behindA = (endings: string) => `(?<=[ая])(?:${endings})`;
const GERUND = new RegExp(`(?:ившись|ывшись|ивши|ывши|ив|ыв|${behindA('вшись|вши|в')})$`);
const ADJECTIVE = /(?:ими|ыми|его|ого|ему|ому|ее|ие|ые|ое|ей|ий|ый|ой|ем|им|ым|ом|их|ых|ую|юю|ая|яя|ою|ею)$/;
const PARTICIPLE = new RegExp(`(?:ивш|ывш|ующ|${behindA('ем|нн|вш|ющ|щ')})$`);
const REFLEXIVE = /с[яь]$/;
const VERB = new RegExp(
  '(?:ейте|уйте|ила|ыла|ена|ите|или|ыли|ило|ыло|ено|ует|уют|ены|ить|ыть|ишь|ей|уй|ил|ыл|им|ым|ен|ят|ит|ыт|ую|ю|' +
    `${behindA('ешь|нно|ете|йте|ла|на|ли|ем|ло|но|ет|ют|ны|ть|й|л|н')})$`,
);
const NOUN =
  /(?:иями|ями|ами|ией|иям|ием|иях|ев|ов|ие|ье|еи|ии|ей|ой|ий|ям|ем|ам|ом|ах|ях|ию|ью|ия|ья|а|е|и|й|о|у|ы|ь|ю|я)$/;
const SUPERLATIVE = /ейше?$/;

/** Of the part of the word behind its first vowel; what is before it never changes. */
function without(part: string, ending: RegExp): string | undefined {
  const shorter = part.replace(ending, '');
  return shorter === part ? undefined : shorter;
}

function step1(part: string): string {
  const gerund = without(part, GERUND);
  if (gerund !== undefined) return gerund;
  const plain = part.replace(REFLEXIVE, '');
  const adjective = without(plain, ADJECTIVE);
  if (adjective !== undefined) return adjective.replace(PARTICIPLE, '');
  return without(plain, VERB) ?? plain.replace(NOUN, '');
}

const VOWELS = 'аеиоуыэюя';

/** Behind the first consonant after a vowel. */
function regionOf(word: string, from: number): number {
  for (let at = from + 1; at < word.length; at++)
    if (!VOWELS.includes(word[at]!) && VOWELS.includes(word[at - 1]!)) return at + 1;
  return word.length;
}

/** @param folded of letters from а to я */
export function stemRussian(folded: string): string {
  const vowel = /[аеиоуыэюя]/.exec(folded);
  if (!vowel) return folded;
  const rv = vowel.index + 1;
  const head = folded.slice(0, rv);
  const r2 = regionOf(folded, regionOf(folded, 0));
  let part = step1(folded.slice(rv)).replace(/и$/, '');
  const shorter = part.replace(/ость?$/, '');
  if (shorter.length + rv >= r2) part = shorter;
  if (part.endsWith('нн')) return head + part.slice(0, -1);
  const superlative = without(part, SUPERLATIVE);
  if (superlative !== undefined) return head + superlative.replace(/нн$/, 'н');
  return head + part.replace(/ь$/, '');
}
