/** Files of rules → what the plugin `intent.rules` makes of them, by its own modules and without a host. */
import { type RuleFile, readRuleFile } from '../../plugins/scripts/intent_rules/grammar/rule-file.ts';
import { readTemplate } from '../../plugins/scripts/intent_rules/grammar/template.ts';
import {
  type CompiledList,
  compileList,
  compileUnit,
  type Made,
  type Unit,
} from '../../plugins/scripts/intent_rules/grammar/unit.ts';
import type { Language } from '../../plugins/scripts/intent_rules/understand/language.ts';
import { languagesOf } from '../../plugins/scripts/intent_rules/understand/languages.ts';

type Lists = Map<string, Map<string, CompiledList>>;

export interface Rules {
  readonly units: readonly Unit[];
  readonly lists: ReadonlyMap<string, ReadonlyMap<string, CompiledList>>;
}

/** @throws with what is wrong with a file, where */
export function compiledRules(files: Readonly<Record<string, string>>): Rules {
  const inOrder = Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1));
  const read = inOrder.map(([file, text]) => requireRead(file, text));
  const expansions = new Map(
    read.flatMap((each) =>
      Object.entries(each.expansionTexts).map(
        ([name, text]) => [`${each.language}/${name}`, readTemplate(text)] as const,
      ),
    ),
  );
  const known = (language: string) =>
    new Map(
      [...expansions].flatMap(([key, each]) =>
        key.startsWith(`${language}/`) ? [[key.slice(language.length + 1), each]] : [],
      ),
    );
  const lists: Lists = new Map();
  const units = read.map((rules) => {
    for (const [name, list] of Object.entries(rules.lists))
      listsIn(lists, rules.language).set(
        name,
        required(compileList(rules.file, list, known(rules.language))),
      );
    return required(compileUnit(rules, { expansions: known(rules.language) }));
  });
  return { units, lists };
}

/** With these lists beside those of the files. */
export function languagesWith(
  { units, lists }: Rules,
  more: Readonly<Record<string, object>> = {},
): ReadonlyMap<string, Language> {
  const all: Lists = new Map([...lists].map(([language, own]) => [language, new Map(own)]));
  const read = requireRead('more', JSON.stringify({ language: '*', lists: more }));
  for (const [name, list] of Object.entries(read.lists))
    listsIn(all, '*').set(name, required(compileList('more', list, new Map())));
  return languagesOf(units, all);
}

function listsIn(lists: Lists, language: string): Map<string, CompiledList> {
  const own = lists.get(language) ?? new Map<string, CompiledList>();
  lists.set(language, own);
  return own;
}

function required<T>(made: Made<T>): T {
  if ('made' in made) return made.made;
  throw new Error(JSON.stringify(made.problems[0]));
}

function requireRead(file: string, text: string): RuleFile {
  const read = readRuleFile(file, text);
  if (read.ok) return read.rules;
  throw new Error(JSON.stringify(read.problems[0]));
}
