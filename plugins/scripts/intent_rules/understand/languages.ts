/** Units and lists of all files → what each language understands. Part of `prepare()`. */
import { listOfLabel, OR_ANYTHING } from '../grammar/automaton.ts';
import { type Linked, link } from '../grammar/link.ts';
import type { CompiledList, Unit } from '../grammar/unit.ts';
import type { Labelled, Language } from './language.ts';
import type { List, Values } from './lists.ts';

/** `lists` by language (`*` for all) and name. */
export function languagesOf(
  units: readonly Unit[],
  lists: ReadonlyMap<string, ReadonlyMap<string, CompiledList>>,
): ReadonlyMap<string, Language> {
  const names = new Set(
    units.filter(({ sentences }) => sentences.length > 0).map(({ language }) => language),
  );
  const words = new Map<string, number>();
  const shared = [...(lists.get('*') ?? [])].map(
    ([name, list]) => [name, openList(list, words), list] as const,
  );
  return new Map(
    [...names].sort().map((name) => {
      const own = [...(lists.get(name) ?? [])].map(
        ([each, list]) => [each, openList(list, words), list] as const,
      );
      const known = [...shared, ...own];
      return [
        name,
        languageOf(
          name,
          units.filter(({ language }) => language === name),
          known,
          words,
        ),
      ];
    }),
  );
}

type Known = readonly (readonly [string, List, CompiledList])[];

function languageOf(
  name: string,
  units: readonly Unit[],
  known: Known,
  words: Map<string, number>,
): Language {
  const sentences: Language['sentences'][number][] = [];
  const offsets: number[] = [];
  for (const { rules, sentences: own } of units) {
    offsets.push(sentences.length);
    for (const [rule, template, line] of own) sentences.push({ rule: { ...rules[rule]!, line }, template });
  }
  const rules = link(
    units.map(({ automaton }) => automaton),
    offsets,
    words,
  );
  const lists = new Map<string, List>(known.map(([each, list]) => [each, list]));
  const skips = skipsOf(units, words);
  return {
    name,
    words,
    rules,
    labels: labelsOf(rules, lists),
    lists,
    ...(skips && { skips }),
    forms: formsOf(known, words),
    sentences,
  };
}

/** A list that nobody has is one without values. */
function labelsOf(rules: Linked, lists: Map<string, List>): Language['labels'] {
  const labels = new Map<number, Labelled>();
  for (const [number, label] of rules.lists) {
    const { list: name, slot } = listOfLabel(label)!;
    const isOpen = name.endsWith(OR_ANYTHING);
    const known = lists.get(isOpen ? name.slice(0, -1) : name) ?? (isOpen ? ANYTHING : NOTHING);
    lists.set(name, known);
    labels.set(number, { name, list: known, slot });
  }
  return labels;
}

const ANYTHING: List = { kind: 'wildcard' };
const NOTHING: Values = { kind: 'values', words: link([], []), values: [], areNames: false };

function skipsOf(units: readonly Unit[], words: Map<string, number>): Values | undefined {
  const automata = units.flatMap(({ skips }) => (skips ? [skips] : []));
  if (automata.length === 0) return undefined;
  return {
    kind: 'values',
    words: link(
      automata,
      automata.map(() => 0),
      words,
    ),
    values: [],
    areNames: false,
  };
}

function openList({ kind, automaton, values, names, range }: CompiledList, words: Map<string, number>): List {
  if (kind === 'wildcard') return { kind };
  if (kind === 'range') return { kind, ...range! };
  return { kind, words: link([automaton!], [0], words), values: values!, areNames: names === true };
}

function formsOf(known: Known, words: ReadonlyMap<string, number>): Language['forms'] {
  const forms = new Map<string, number[]>();
  const seen = new Set<string>();
  for (const [, , list] of known)
    for (const [word, all] of Object.entries(list.forms ?? {})) {
      const number = words.get(word);
      if (seen.has(word) || number === undefined) continue;
      seen.add(word);
      for (const form of all.split(' ')) {
        const bases = forms.get(form);
        if (bases) bases.push(number);
        else forms.set(form, [number]);
      }
    }
  return forms;
}
