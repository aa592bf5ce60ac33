/** What the image knows: every rule of every language, linked once. What it read makes a new image when it changes. */
import type { CompiledList, Unit } from '../grammar/unit.ts';
import type { Language } from '../understand/language.ts';
import { languagesOf } from '../understand/languages.ts';
import { LISTS, UNITS } from './keys.ts';
import { all, entries } from './saving.ts';

let languages: ReadonlyMap<string, Language> = new Map();

export function prepareLanguages(): void {
  const lists = new Map<string, Map<string, CompiledList>>();
  for (const { key, value } of entries<CompiledList>(LISTS)) {
    const [, language = '', name = ''] = key.split('/');
    const own = lists.get(language) ?? new Map<string, CompiledList>();
    lists.set(language, own.set(name, value));
  }
  languages = languagesOf(all<Unit>(UNITS), lists);
}

export function preparedLanguages(): ReadonlyMap<string, Language> {
  return languages;
}
