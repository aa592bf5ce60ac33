// INT-02: an automaton says yes to what its templates can be written out to, and to nothing else.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tokensOf } from '../understand/tokens.ts';
import type { Automaton } from './automaton.ts';
import { compile } from './compile.ts';
import { link } from './link.ts';
import { readTemplate, type Template } from './template.ts';

const RULES = new Map([
  ['the', readTemplate('(the|my)')],
  ['end', readTemplate('[e]s')],
]);
const MAX_SENTENCES = 3000;

/** Every sentence of it; undefined: too many to write out. */
function writtenOut(template: Template): readonly string[] | undefined {
  const product = (parts: readonly Template[], between = ''): readonly string[] | undefined => {
    let all: readonly string[] = [''];
    for (const part of parts) {
      const own = writtenOut(part);
      if (!own || own.length * all.length > MAX_SENTENCES) return undefined;
      all = all.flatMap((before) => own.map((text) => `${before}${between}${text}${between}`));
    }
    return all;
  };
  switch (template.kind) {
    case 'text':
      return [template.text];
    case 'list':
      return undefined;
    case 'rule':
      return writtenOut(RULES.get(template.rule)!);
    case 'all':
      return product(template.parts);
    case 'one': {
      const parts = template.parts.map(writtenOut);
      return parts.some((part) => !part) ? undefined : parts.flatMap((part) => part!);
    }
    case 'order': {
      const orders = permutations(template.parts).map((parts) => product(parts, ' '));
      return orders.some((each) => !each) ? undefined : orders.flatMap((each) => each!);
    }
  }
}

function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, at) => permutations(items.toSpliced(at, 1)).map((rest) => [item, ...rest]));
}

const wordsOf = (text: string) => tokensOf(text).map((token) => token.text);

/** Numbers of the templates that the words are a sentence of. */
function follow(automata: readonly Automaton[], words: readonly string[]): ReadonlySet<number> {
  const numbers = new Map<string, number>();
  const { states, start } = link(
    automata,
    automata.map((_, at) => at * 10),
    numbers,
  );
  let state: number | undefined = start;
  for (const word of words)
    state = state === undefined ? undefined : states[state]!.words?.get(numbers.get(word) ?? -1);
  return new Set(state === undefined ? [] : states[state]!.ends);
}

const piece = fc.constantFrom(
  'turn',
  'on',
  'light',
  's',
  'ing',
  'свет',
  'а',
  ' ',
  ' ',
  'on-',
  '2.5',
  '5',
  '%',
  "'s",
  '<the>',
  '<end>',
);
const { template } = fc.letrec<{ template: string; group: string }>((tie) => ({
  template: fc
    .array(fc.oneof({ weight: 5, arbitrary: piece }, { weight: 2, arbitrary: tie('group') }), {
      minLength: 1,
      maxLength: 5,
    })
    .map((parts) => parts.join('')),
  group: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.array(tie('template'), { minLength: 1, maxLength: 3 }).map((parts) => `(${parts.join('|')})`),
    tie('template').map((part) => `[${part}]`),
    fc.tuple(tie('template'), tie('template')).map((parts) => `(${parts.join(';')})`),
  ),
}));

test('whatever templates are written, alone and linked with others', () => {
  fc.assert(
    fc.property(
      fc.array(template, { minLength: 1, maxLength: 3 }),
      fc.array(piece, { maxLength: 6 }),
      (texts, strange) => {
        const templates = texts.map(readTemplate);
        const sentences = templates.map(writtenOut);
        fc.pre(sentences.every((each) => each !== undefined));
        const automata = templates.map((each) => compile([{ template: each, number: 0 }], RULES));
        const said = new Map<string, Set<number>>();
        for (const [at, own] of sentences.entries())
          for (const sentence of own!) {
            const key = wordsOf(sentence).join(' ');
            said.set(key, (said.get(key) ?? new Set()).add(at * 10));
          }
        const unsaid = wordsOf(strange.join('')).join(' ');
        for (const key of [...said.keys(), unsaid])
          expect(follow(automata, key === '' ? [] : key.split(' ')), key).toEqual(said.get(key) ?? new Set());
      },
    ),
    { numRuns: 500 },
  );
}, 60_000);
