/**
 * Home Assistant's sentences (`../shared/data/ha-intents`, CC BY 4.0) as files of rules: its short forms (`name_domains`,
 * `inferred_domain`, `context_area`) become what they stand for, by `intents.yaml`; no rule is made by hand.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';

export const HA_INTENTS = path.resolve(import.meta.dirname, '../../../shared/data/ha-intents');

export const hasHaIntents = () => existsSync(path.join(HA_INTENTS, 'vectors.jsonl'));

/** Where a voice satellite stands that is in no area of the test. */
export const CONTEXT_AREA = '__context_area__';

export interface Vector {
  readonly lang: 'en' | 'ru';
  readonly intent: string;
  /** Which of the files of the intent is meant. */
  readonly combo: string;
  readonly text: string;
  readonly slots: Readonly<Record<string, unknown>>;
  readonly context_area: boolean;
  /** By importance; the slot `domain` is one of them. */
  readonly inferred_domains: Readonly<Record<string, readonly string[]>> | null;
  readonly entities: readonly { readonly name: string; readonly domain: string }[];
  readonly areas: readonly { readonly name: string; readonly context_area?: boolean }[];
  readonly floors: readonly { readonly name: string }[];
}

export function vectorsOf(): readonly Vector[] {
  const lines = readFileSync(path.join(HA_INTENTS, 'vectors.jsonl'), 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Vector);
}

interface Combo {
  readonly name_domain_groups?: Readonly<Record<string, readonly string[]>>;
  readonly context_area?: boolean;
}

interface Block {
  readonly sentences: readonly string[];
  readonly slots?: Readonly<Record<string, unknown>>;
  readonly requires_context?: Readonly<Record<string, unknown>>;
  readonly name_domains?: string | readonly string[];
  readonly inferred_domain?: string;
  readonly speech_to_phrase?: boolean;
}

/** One file of rules per intent, in their order (of two that fit alike the first is taken), one for lists and rules of the language, one for lists of all languages. */
export function ruleFilesOf(language: 'en' | 'ru'): Readonly<Record<string, string>> {
  const intents = yamlOf('intents.yaml') as Record<string, { slot_combinations?: Record<string, Combo> }>;
  const files: Record<string, unknown> = {};
  for (const [at, [intent, { slot_combinations: combos = {} }]] of Object.entries(intents).entries()) {
    const data = Object.entries(combos).flatMap(([combo, info]) => blocksOf(language, intent, combo, info));
    if (data.length > 0)
      files[`ha/${language}/${String(at).padStart(3, '0')}-${intent}.yaml`] = {
        language,
        intents: { [intent]: { data } },
      };
  }
  const common = yamlOf(`sentences/${language}/_common.yaml`) as { skip_words?: readonly string[] };
  files[`ha/${language}/_common.yaml`] = {
    language,
    lists: collected(`lists/${language}`, 'lists'),
    expansion_rules: collected(`rules/${language}`, 'expansion_rules'),
    skip_words: common.skip_words ?? [],
  };
  return Object.fromEntries(Object.entries(files).map(([file, value]) => [file, stringify(value)]));
}

export function sharedListsFile(): Readonly<Record<string, string>> {
  return { 'ha/lists.yaml': stringify({ language: '*', lists: collected('lists', 'lists') }) };
}

/** Domains of entities are told by the name; the other lists are names alone. */
export function worldOf({ entities, areas, floors }: Vector) {
  const named = (each: { name: string }) => each.name;
  return {
    name: entities.map(({ name, domain }) => ({ in: name, out: name, context: { domain } })),
    area: areas.map(named),
    floor: floors.map(named),
  };
}

function blocksOf(language: string, intent: string, combo: string, info: Combo): readonly object[] {
  const file = `sentences/${language}/${intent}/${combo}.yaml`;
  if (!existsSync(path.join(HA_INTENTS, file))) return [];
  const all = (yamlOf(file) as { data: readonly Block[] }).data;
  // Blocks for a speech-to-phrase engine repeat what the others of their file say.
  const own = all.filter((block) => !block.speech_to_phrase);
  return (own.length > 0 ? own : all).map((block) => ruleOf(block, combo, info));
}

function ruleOf(block: Block, combo: string, info: Combo): object {
  const { sentences, name_domains: named, inferred_domain: inferred } = block;
  const slots = { ...block.slots, ...(!named && inferred !== undefined && { domain: inferred }) };
  const domains = typeof named === 'string' ? info.name_domain_groups![named]! : named;
  const requires = {
    ...block.requires_context,
    ...(domains && { domain: domains }),
    ...(info.context_area && { area: { slot: true } }),
  };
  return {
    sentences,
    ...(Object.keys(slots).length > 0 && { slots }),
    ...(Object.keys(requires).length > 0 && { requires_context: requires }),
    metadata: { combo },
  };
}

/** All files of a folder in one. */
function collected(folder: string, key: string): Record<string, unknown> {
  const names = readdirSync(path.join(HA_INTENTS, folder)).filter((name) => name.endsWith('.yaml'));
  const found = names.sort().map((name) => (yamlOf(`${folder}/${name}`) as Record<string, object>)[key]);
  return Object.assign({}, ...found);
}

function yamlOf(file: string): unknown {
  return parse(readFileSync(path.join(HA_INTENTS, file), 'utf8'));
}
