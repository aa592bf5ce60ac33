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

export function understand(languages: ReadonlyMap<string, Language>, asked: Asked): Result {
  const tokens = tokensOf(asked.text);
  const order = orderOf(languages, asked);
  const [first] = order;
  const missed = (kind: 'no_rules' | 'no_words' | 'too_long') => ({
    missed: { locale: first?.name ?? likelyOf(asked), nearest: { kind } },
  });
  if (!first) return missed('no_rules');
  if (tokens.length === 0) return missed('no_words');
  if (tokens.length > MAX_TOKENS) return missed('too_long');
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

function likelyOf({ text, locale }: Asked): string {
  if (locale !== undefined) return locale.toLowerCase().replace(/-.*/, '');
  return CYRILLIC.test(text) ? 'ru' : 'en';
}

function orderOf(languages: ReadonlyMap<string, Language>, asked: Asked): readonly Language[] {
  const { text } = asked;
  const first = languages.get(likelyOf(asked)) ?? languages.get(likelyOf({ text }));
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
