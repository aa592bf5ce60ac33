/**
 * What came nearest where nothing was understood: a name that no list has ("no area called X"), a rule whose context does not
 * hold, or the words after which nothing goes on.
 */
import { OR_ANYTHING } from '../grammar/automaton.ts';
import type { LinkedState } from '../grammar/link.ts';
import type { Language } from './language.ts';
import { type Context, meaningsOf, textOf } from './meaning.ts';
import { type Followed, follow } from './recognise.ts';
import type { Token } from './tokens.ts';
import { partsOf } from './ways.ts';

export type Nearest =
  | {
      readonly kind: 'unknown_value';
      readonly intent: string;
      readonly slot: string;
      readonly list: string;
      readonly text: string;
    }
  /** Its sentence was said, but not where or when it holds. */
  | { readonly kind: 'context'; readonly intent: string; readonly missing: readonly string[] }
  /** Understood until there, and what could have followed. */
  | {
      readonly kind: 'unknown_words';
      readonly understood: string;
      readonly text: string;
      readonly expected: readonly string[];
    }
  | { readonly kind: 'too_long' | 'no_rules' | 'no_words' };

const MAX_EXPECTED = 5;

/** @param followed what was followed in vain, by language, the likeliest first */
export function nearestOf(
  followed: readonly { readonly language: Language; readonly followed: Followed }[],
  tokens: readonly Token[],
  said: string,
  context: Context,
): Nearest {
  const guessed = guessOf(followed[0]!.language, tokens, said, context);
  if (guessed) return guessed;
  const farthest = followed.reduce((best, each) =>
    each.followed.farthest.at > best.followed.farthest.at ? each : best,
  );
  return unknownWords(farthest.language, farthest.followed, tokens, said);
}

function guessOf(
  language: Language,
  tokens: readonly Token[],
  said: string,
  context: Context,
): Nearest | undefined {
  const followed = follow(language, tokens, true);
  const best = meaningsOf(followed, language, tokens, said, context).find(({ way }) => way.literal > 0);
  const unknown = best && partsOf(best.way).find((part) => part.kind === 'unknown');
  if (unknown?.kind === 'unknown') {
    const { slot, list } = unknown;
    return {
      kind: 'unknown_value',
      intent: best!.rule.intent,
      slot,
      list: list.replace(OR_ANYTHING, ''),
      text: textOf(unknown, tokens, said),
    };
  }
  const [arrived] = followed.arrived.filter(({ way }) => way.unknown === 0);
  if (!arrived) return undefined;
  const { rule } = language.sentences[arrived.state.ends[0]!]!;
  const missing = Object.keys(rule.requires ?? {}).filter((key) => context[key] === undefined);
  return { kind: 'context', intent: rule.intent, missing };
}

function unknownWords(
  language: Language,
  { farthest }: Followed,
  tokens: readonly Token[],
  said: string,
): Nearest {
  const { at, states } = farthest;
  const rest = { from: Math.min(at, tokens.length - 1), to: tokens.length };
  return {
    kind: 'unknown_words',
    understood: at === 0 ? '' : textOf({ from: 0, to: at }, tokens, said),
    text: at === tokens.length ? '' : textOf(rest, tokens, said),
    expected: at === 0 ? [] : expectedAt(language, states),
  };
}

function expectedAt(language: Language, states: readonly LinkedState[]): readonly string[] {
  const numbers = new Set<number>();
  const lists = new Set<string>();
  for (const state of states) {
    for (let at = 0; at < state.lists.length; at += 2)
      lists.add(`{${language.labels.get(state.lists[at]!)!.name.replace(OR_ANYTHING, '')}}`);
    if (state.words)
      for (const number of state.words.keys()) if (numbers.size < MAX_EXPECTED) numbers.add(number);
  }
  const words: string[] = [];
  if (numbers.size > 0)
    for (const [word, number] of language.words) if (numbers.has(number)) words.push(word);
  return [...lists, ...words].slice(0, MAX_EXPECTED);
}

/** For people, in their language. */
export function messageOf(nearest: Nearest, locale: string): string {
  const isRussian = locale === 'ru';
  switch (nearest.kind) {
    case 'unknown_value':
      return isRussian
        ? `Не знаю «${nearest.text}» (${nearest.list})`
        : `I know no ${nearest.list} called “${nearest.text}”`;
    case 'context':
      return isRussian
        ? `Понятно, но не хватает: ${nearest.missing.join(', ')}`
        : `Understood, but this is missing: ${nearest.missing.join(', ')}`;
    case 'unknown_words':
      if (nearest.text === '')
        return isRussian ? `«${nearest.understood}» – а дальше?` : `“${nearest.understood}” – and then?`;
      return isRussian ? `Не понимаю «${nearest.text}»` : `I do not understand “${nearest.text}”`;
    case 'no_rules':
      return isRussian ? 'Правил пока нет' : 'There are no rules yet';
    case 'no_words':
      return isRussian ? 'В этом нет слов' : 'There are no words in it';
    case 'too_long':
      return isRussian ? 'Это слишком длинно для одной фразы' : 'That is too long for one sentence';
  }
}
