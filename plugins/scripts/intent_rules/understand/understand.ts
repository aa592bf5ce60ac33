/**
 * What somebody said → what was meant (INT-01…04, INT-07). The language that the letters or the caller suggest is tried
 * first, the others when nothing is found in it. What nobody understands is told by what came nearest.
 */
import type { UnitRule } from '../grammar/unit.ts';
import type { Language } from './language.ts';
import { type Context, type Meaning, meaningsOf, type Slots, textOf } from './meaning.ts';
import { type Nearest, nearestOf } from './nearest.ts';
import { type Followed, follow } from './recognise.ts';
import { MAX_TOKENS, type Token, tokensOf } from './tokens.ts';
import { partsOf } from './ways.ts';

export interface Understood {
  readonly intent: string;
  readonly slots: Slots;
  readonly confidence: number;
  readonly locale: string;
  readonly alternatives: readonly {
    readonly intent: string;
    readonly slots: Slots;
    readonly confidence: number;
  }[];
  readonly explain: Explanation;
  readonly rule: UnitRule;
}

export interface Explanation {
  /** `<file>:<line>` */
  readonly rule: string;
  readonly template: string;
  readonly parts: readonly { readonly text: string; readonly as: string }[];
}

export type Result =
  | { readonly understood: Understood }
  | { readonly missed: { readonly locale: string; readonly nearest: Nearest } };

export interface Asked {
  readonly text: string;
  readonly locale?: string;
  readonly context?: Context;
}

/** Nothing where no language is known, or nothing was said. */
export function understand(languages: ReadonlyMap<string, Language>, asked: Asked): Result | undefined {
  const tokens = tokensOf(asked.text);
  const order = orderOf(languages, asked);
  const [first] = order;
  if (!first || tokens.length === 0) return undefined;
  if (tokens.length > MAX_TOKENS) return { missed: { locale: first.name, nearest: { kind: 'too_long' } } };
  const inVain: { language: Language; followed: Followed }[] = [];
  for (const language of order) {
    const followed = follow(language, tokens);
    const meanings = meaningsOf(followed, language, tokens, asked.text, asked.context ?? {});
    if (meanings.length > 0) return { understood: understoodOf(meanings, language, tokens, asked.text) };
    inVain.push({ language, followed });
  }
  return {
    missed: { locale: first.name, nearest: nearestOf(inVain, tokens, asked.text, asked.context ?? {}) },
  };
}

const CYRILLIC = /\p{Script=Cyrillic}/u;

function orderOf(languages: ReadonlyMap<string, Language>, { text, locale }: Asked): readonly Language[] {
  const named = locale === undefined ? undefined : locale.split('-')[0]!.toLowerCase();
  const likely = named !== undefined && languages.has(named) ? named : CYRILLIC.test(text) ? 'ru' : 'en';
  const first = languages.get(likely);
  const others = [...languages.values()].filter((each) => each !== first);
  return first ? [first, ...others] : others;
}

function understoodOf(
  [best, ...others]: readonly Meaning[],
  language: Language,
  tokens: readonly Token[],
  said: string,
): Understood {
  const { rule, template, slots, confidence, way } = best!;
  return {
    intent: rule.intent,
    slots,
    confidence,
    locale: language.name,
    alternatives: others.map((each) => ({
      intent: each.rule.intent,
      slots: each.slots,
      confidence: each.confidence,
    })),
    explain: {
      rule: `${rule.file}:${rule.line}`,
      template,
      parts: partsOf(way).map((part) => ({
        text: textOf(part, tokens, said),
        as: 'slot' in part ? `{${part.slot}}` : part.kind,
      })),
    },
    rule: rule as UnitRule,
  };
}
