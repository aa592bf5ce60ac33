/**
 * What is odd about the rules as a whole: two that the same words mean, one that another always comes before, lists that
 * nobody has. The automaton shows it: sentences that end in one state are said by the same words.
 */
import { listOfLabel, OR_ANYTHING } from '../grammar/automaton.ts';
import type { Language, Requirement, Rule } from '../understand/language.ts';

export interface Finding {
  readonly kind: 'conflict' | 'unreachable' | 'unknown_list';
  readonly language: string;
  readonly rule: string;
  readonly template: string;
  readonly message: string;
  readonly other?: { readonly rule: string; readonly template: string };
}

const MAX_FINDINGS = 200;

export function findingsOf(languages: ReadonlyMap<string, Language>): {
  readonly findings: readonly Finding[];
  readonly failed: number;
} {
  const findings = [...languages.values()].flatMap((language) => [...ofLanguage(language)]);
  return { findings: findings.slice(0, MAX_FINDINGS), failed: findings.length };
}

function* ofLanguage(language: Language): Generator<Finding> {
  yield* unknownLists(language);
  const reached = new Set<number>();
  const before = new Map<number, number>();
  const conflicts = new Set<string>();
  for (const ends of endsOf(language)) {
    for (const [at, end] of ends.entries()) {
      const winner = ends
        .slice(0, at)
        .find((other) => covers(ruleOf(language, other), ruleOf(language, end)));
      if (winner === undefined) reached.add(end);
      else if (!before.has(end)) before.set(end, winner);
      for (const other of ends.slice(0, at)) {
        const [a, b] = [ruleOf(language, other), ruleOf(language, end)];
        const key = `${other} ${end}`;
        if (winner !== undefined || conflicts.has(key) || sameMeaning(a, b) || excludeEachOther(a, b))
          continue;
        conflicts.add(key);
      }
    }
  }
  for (const [end, winner] of before) {
    if (reached.has(end)) continue;
    if (sameMeaning(ruleOf(language, winner), ruleOf(language, end))) continue;
    yield finding('unreachable', language, end, winner, 'the same words always mean the other one');
  }
  for (const key of conflicts) {
    const [other, end] = key.split(' ').map(Number) as [number, number];
    yield finding(
      'conflict',
      language,
      end,
      other,
      'the same words mean both, where both hold; the other one is taken',
    );
  }
}

/** Of the states that a sentence can come to, each once. */
function* endsOf({ rules }: Language): Generator<readonly number[]> {
  const seen = new Set([rules.start]);
  for (const at of seen) {
    const { words, lists, ends } = rules.states[at]!;
    if (words) for (const to of words.values()) seen.add(to);
    for (let each = 1; each < lists.length; each += 2) seen.add(lists[each]!);
    if (ends.length > 1) yield [...ends].sort((a, b) => a - b);
  }
}

function ruleOf({ sentences }: Language, end: number): Rule {
  return sentences[end]!.rule;
}

/** Where the second holds, the first does. */
function covers(a: Rule, b: Rule): boolean {
  if (Object.keys(a.excludes ?? {}).length > 0)
    return JSON.stringify(a.excludes) === JSON.stringify(b.excludes);
  return Object.entries(a.requires ?? {}).every(([key, requirement]) => {
    const other = b.requires?.[key];
    const [all, some] = [valuesOf(requirement), other === undefined ? undefined : valuesOf(other)];
    return other !== undefined && (all === undefined || some?.every((value) => all.includes(value)) === true);
  });
}

function excludeEachOther(a: Rule, b: Rule): boolean {
  return Object.entries(a.requires ?? {}).some(([key, requirement]) => {
    const other = b.requires?.[key];
    const [some, others] = [valuesOf(requirement), other === undefined ? undefined : valuesOf(other)];
    return some !== undefined && others !== undefined && !some.some((value) => others.includes(value));
  });
}

function sameMeaning(a: Rule, b: Rule): boolean {
  return a.intent === b.intent && JSON.stringify(a.slots ?? {}) === JSON.stringify(b.slots ?? {});
}

/** Undefined: any. */
function valuesOf(requirement: Requirement): readonly unknown[] | undefined {
  const value =
    requirement !== null && typeof requirement === 'object' && !Array.isArray(requirement)
      ? (requirement as { value?: unknown }).value
      : requirement;
  return value === undefined || value === null ? undefined : [value].flat();
}

function finding(
  kind: Finding['kind'],
  language: Language,
  end: number,
  other: number,
  message: string,
): Finding {
  const at = (sentence: number) => {
    const { rule, template } = language.sentences[sentence]!;
    return { rule: `${rule.file}:${rule.line}`, template };
  };
  return { kind, language: language.name, ...at(end), message, other: at(other) };
}

function* unknownLists(language: Language): Generator<Finding> {
  for (const [, label] of language.rules.lists) {
    const { list } = listOfLabel(label)!;
    const known = language.lists.get(list);
    if (list.endsWith(OR_ANYTHING) || known?.kind !== 'values' || known.values.length > 0) continue;
    const message = `no file has a list {${list}}, or it is empty: sentences with it are not understood`;
    yield { kind: 'unknown_list', language: language.name, rule: '', template: `{${list}}`, message };
  }
}
