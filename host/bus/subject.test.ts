import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  covers,
  exactness,
  MAX_PATTERN_CHARS,
  MAX_PATTERN_TOKENS,
  matches,
  parsePattern,
  parseSubscriptionEvent,
} from './subject.ts';
import { SubjectTrie } from './subject-trie.ts';

const token = fc.constantFrom('a', 'b', 'c');
const subject = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join('.'));
const pattern = fc
  .tuple(fc.array(fc.oneof(token, fc.constant('*')), { maxLength: 3 }), fc.constantFrom('a', '*', '>'))
  .map(([tokens, last]) => [...tokens, last].join('.'));

/** Every subject of up to five tokens over the alphabet of the tests, with one that no pattern names. */
const subjects = ((): string[] => {
  const all: string[] = [];
  let row = [''];
  for (let length = 1; length <= 5; length++) {
    row = row.flatMap((head) => ['a', 'b', 'c', 'z'].map((each) => (head === '' ? each : `${head}.${each}`)));
    all.push(...row);
  }
  return all;
})();

test.each([
  // BUS-49
  ['nlp.intent.detected', 'nlp.intent.detected', true],
  ['nlp.intent.detected', 'nlp.intent', false],
  ['nlp.intent.*', 'nlp.intent.detected', true],
  ['nlp.intent.*', 'nlp.intent', false],
  ['nlp.intent.*', 'nlp.intent.very.sure', false],
  ['*.intent.*', 'nlp.intent.detected', true],
  ['nlp.>', 'nlp.intent.detected', true],
  ['nlp.>', 'nlp.intent', true],
  ['nlp.>', 'nlp', false],
  ['*.>', 'nlp', false],
  ['>', 'nlp', true],
  ['nlp.*', 'nlpx.intent', false],
])('%s and %s: %s', (selecting, published, expected) => {
  expect(matches(selecting, published)).toBe(expected);
});

test.each([
  ['', 'empty'],
  ['a..b', 'empty'],
  ['.a', 'empty'],
  ['a.>.b', 'last token'],
  ['a.b*', 'token 2'],
  ['a.>>', 'token 2'],
  ['A.b', 'token 1'],
  ['a.b c', 'token 2'],
  ['a.b\n', 'token 2'],
  ['a.событие', 'token 2'],
  ['a.b@1', 'token 2'],
  [`${'a'.repeat(MAX_PATTERN_CHARS)}.b`, 'longer'],
  [
    Array(MAX_PATTERN_TOKENS + 1)
      .fill('a')
      .join('.'),
    'tokens',
  ],
])('the pattern %j is refused and the reason says %s', (text, reason) => {
  expect(() => parsePattern(text)).toThrow(
    expect.objectContaining({
      code: 'NEIRA_VALUE_INVALID',
      details: expect.objectContaining({ reason: expect.stringContaining(reason) }),
    }),
  );
});

test('a subscription names a version, or means any', () => {
  expect(parseSubscriptionEvent('ui.notify@1')).toEqual({ pattern: 'ui.notify', version: 1 });
  expect(parseSubscriptionEvent('nlp.intent.>@12')).toEqual({ pattern: 'nlp.intent.>', version: 12 });
  expect(parseSubscriptionEvent('nlp.*')).toEqual({ pattern: 'nlp.*', version: null });
  for (const text of [
    'a.b@',
    'a.b@0',
    'a.b@01',
    'a.b@x',
    'a.b@1@2',
    'a.b@1.5',
    'a.b@1234567',
    '@1',
    'a.b@ 1',
  ])
    expect(() => parseSubscriptionEvent(text)).toThrow(
      expect.objectContaining({ code: 'NEIRA_VALUE_INVALID' }),
    );
});

test('a pattern covers another when it matches all that the other matches', () => {
  // BUS-19
  expect(covers('nlp.>', 'nlp.intent.*')).toBe(true);
  expect(covers('nlp.*', 'nlp.>')).toBe(false);
  expect(covers('nlp.>', '>')).toBe(false);
  fc.assert(
    fc.property(pattern, pattern, (outer, inner) => {
      const all = subjects.every((each) => !matches(inner, each) || matches(outer, each));
      expect(covers(outer, inner)).toBe(all);
    }),
    { numRuns: 500 },
  );
});

test('no wildcard is more exact than any, and more literal tokens than fewer', () => {
  const sorted = ['>', 'a.*', 'a.b', 'a.b.*', 'a.*.*'].toSorted((a, b) => exactness(b) - exactness(a) || 0);
  expect(sorted).toEqual(['a.b', 'a.b.*', 'a.*', 'a.*.*', '>']);
  expect(exactness('a')).toBe(exactness('a.b.c'));
});

test('the trie answers as a scan over all patterns does, while patterns come and go', () => {
  const step = fc.record({
    pattern,
    value: fc.integer({ min: 0, max: 5 }),
    adds: fc.boolean(),
    looksUp: subject,
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (history) => {
      const trie = new SubjectTrie<number>();
      const filed = new Map<string, Set<number>>();
      for (const { pattern: changed, value, adds, looksUp } of history) {
        const values = filed.get(changed) ?? new Set();
        filed.set(changed, values);
        if (adds) {
          trie.add(changed, value);
          values.add(value);
        } else {
          expect(trie.remove(changed, value)).toBe(values.delete(value));
        }
        const scanned = [...filed].flatMap(([each, found]) => (matches(each, looksUp) ? [...found] : []));
        expect(trie.match(looksUp).toSorted()).toEqual(scanned.toSorted());
      }
      for (const [each, values] of filed) for (const value of values) trie.remove(each, value);
      expect(trie.size).toBe(0);
    }),
    { numRuns: 1000 },
  );
});

test('a list of matches does not change under the reader', () => {
  const trie = new SubjectTrie<string>();
  trie.add('a.b', 'first');
  const before = trie.match('a.b');
  trie.add('a.*', 'second');
  expect(before).toEqual(['first']);
  expect(trie.match('a.b')).toEqual(['first', 'second']);
});
