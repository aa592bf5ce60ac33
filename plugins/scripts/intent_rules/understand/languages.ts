/** Units and lists of all files → what each language understands. Part of `prepare()`. */
import { listOfLabel, OR_ANYTHING } from '../grammar/automaton.ts';
import { type Linked, link } from '../grammar/link.ts';
import type { CompiledList, Unit } from '../grammar/unit.ts';
import type { Language } from './language.ts';
import type { List, Values } from './lists.ts';

/** `lists` by language (`*` for all) and name. */
export function languagesOf(
  units: readonly Unit[],
  lists: ReadonlyMap<string, ReadonlyMap<string, CompiledList>>,
): ReadonlyMap<string, Language> {
  const names = new Set(
    units.filter(({ sentences }) => sentences.length > 0).map(({ language }) => language),
  );
  const shared = [...(lists.get('*') ?? [])].map(([name, list]) => [name, openList(list), list] as const);
  return new Map(
    [...names].sort().map((name) => {
      const own = [...(lists.get(name) ?? [])].map(([each, list]) => [each, openList(list), list] as const);
      const known = [...shared, ...own];
      return [
        name,
        languageOf(
          name,
          units.filter(({ language }) => language === name),
          known,
        ),
      ];
    }),
  );
}

type Known = readonly (readonly [string, List, CompiledList])[];

function languageOf(name: string, units: readonly Unit[], known: Known): Language {
  const sentences: Language['sentences'][number][] = [];
  const offsets: number[] = [];
  for (const { rules, sentences: own } of units) {
    offsets.push(sentences.length);
    for (const [rule, template, line] of own) sentences.push({ rule: { ...rules[rule]!, line }, template });
  }
  const rules = link(
    units.map(({ automaton }) => automaton),
    offsets,
  );
  const lists = new Map<string, List>(known.map(([each, list]) => [each, list]));
  const skips = skipsOf(units);
  return {
    name,
    rules,
    labels: labelsOf(rules, lists),
    lists,
    ...(skips && { skips }),
    forms: formsOf(known),
    sentences,
  };
}

/** A list that nobody has is one without values. */
function labelsOf(rules: Linked, lists: Map<string, List>): Language['labels'] {
  const labels = new Map<number, { list: string; slot: string }>();
  for (const [number, label] of rules.lists) {
    const { list, slot } = listOfLabel(label)!;
    if (list.endsWith(OR_ANYTHING)) {
      lists.set(list, lists.get(list.slice(0, -1)) ?? { kind: 'wildcard' });
      labels.set(number, { list, slot: slot });
    } else {
      if (!lists.has(list)) lists.set(list, NOTHING);
      labels.set(number, { list, slot });
    }
  }
  return labels;
}

const NOTHING: Values = { kind: 'values', words: link([], []), values: [], areNames: false };

function skipsOf(units: readonly Unit[]): Values | undefined {
  const automata = units.flatMap(({ skips }) => (skips ? [skips] : []));
  if (automata.length === 0) return undefined;
  return {
    kind: 'values',
    words: link(
      automata,
      automata.map(() => 0),
    ),
    values: [],
    areNames: false,
  };
}

function openList({ kind, automaton, values, names, range }: CompiledList): List {
  if (kind === 'wildcard') return { kind };
  if (kind === 'range') return { kind, ...range! };
  return { kind, words: link([automaton!], [0]), values: values!, areNames: names === true };
}

function formsOf(known: Known): ReadonlyMap<string, readonly string[]> {
  const forms = new Map<string, string[]>();
  const seen = new Set<string>();
  for (const [, , list] of known)
    for (const [word, all] of Object.entries(list.forms ?? {})) {
      if (seen.has(word)) continue;
      seen.add(word);
      for (const form of all.split(' ')) {
        const words = forms.get(form);
        if (words) words.push(word);
        else forms.set(form, [word]);
      }
    }
  return forms;
}
