import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileLinear, MAX_MATCHED_CHARS } from './linear-pattern.ts';

describe('patterns of plugins (HOST-25)', () => {
  test.each([
    ['^[a-z]+(-[a-z]+)*$', ['abc', 'a-b-c', '', 'a-', '-a', 'A']],
    ['colou?r', ['my color', 'colour!', 'colr']],
    ['^(a|b|)c{2,3}$', ['acc', 'bccc', 'cc', 'c', 'acccc']],
    ['^#[0-9a-fA-F]{6}$', ['#00ff00', '#00ff0', '#gg0000']],
    ['^\\p{L}[\\p{L}\\p{N}_.\\-]{0,5}$', ['чат', 'ab1.2', '1a', '']],
    ['^.$', ['\n', 'x', '😀', '']],
    ['\\d{4,}', ['123', 'a1234b']],
    ['^[^\\s\\]]+$', ['ab', 'a b', ']']],
    ['^\\u0041\\x42\\u{43}$', ['ABC', 'ABD']],
    ['^(?:a*?)+$', ['', 'aaa', 'b']],
    ['^(?<year>[0-9]+)$|^x', ['12', 'xy', 'y']],
    ['', ['', 'anything']],
    ['a{0}b', ['b', 'ab', 'a']],
  ])('%s matches what JavaScript matches', (pattern, texts) => {
    const linear = compileLinear(pattern);
    for (const text of texts)
      expect([text, linear.test(text)]).toEqual([text, new RegExp(pattern, 'u').test(text)]);
  });

  test('random patterns agree with JavaScript on random texts', () => {
    const { atom } = fc.letrec((tie) => ({
      atom: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\w', '^', '$'),
        fc
          .tuple(fc.constantFrom('a', 'b', '[ab]'), fc.constantFrom('*', '+', '?', '{1,2}', '{2}'))
          .map((each) => each.join('')),
        fc.array(tie('atom'), { maxLength: 3 }).map((each) => `(${each.join('')})`),
        fc.tuple(tie('atom'), tie('atom')).map(([a, b]) => `(?:${a}|${b})*`),
      ),
    }));
    fc.assert(
      fc.property(
        atom,
        fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 }),
        (pattern, text) => {
          expect(compileLinear(pattern as string).test(text)).toBe(
            new RegExp(pattern as string, 'u').test(text),
          );
        },
      ),
      { numRuns: 2000 },
    );
  });

  test.each([['(a+)+$'], ['^(a|a)*$'], ['(a*)*b'], ['^(\\w+\\s?)*$'], ['a*a*a*a*a*a*b']])(
    '%s answers at once on the text that stops a backtracking engine',
    (pattern) => {
      const linear = compileLinear(pattern);
      const begun = performance.now();
      linear.test(`${'a'.repeat(MAX_MATCHED_CHARS - 1)}!`);
      expect(performance.now() - begun).toBeLessThan(1000);
    },
  );

  test('a text over the limit matches nothing', () => {
    expect(compileLinear('a').test('a'.repeat(MAX_MATCHED_CHARS + 1))).toBe(false);
  });

  test.each([
    ['(?=a)', 'linear time'],
    ['(?<!a)b', 'linear time'],
    ['(a)\\1', 'linear time'],
    ['(a', 'linear time'],
    ['a)', 'linear time'],
    ['[a', 'linear time'],
    ['*a', 'linear time'],
    ['a{2,1}', 'linear time'],
    ['((a{50}){50}){50}', 'linear time'],
    ['(?:\\w{250}){4}|[а-я]{999}|b{999}', 'repeats too much'],
    ['a'.repeat(257), 'longer than'],
    ['a\\', 'linear time'],
    ['[z-a]', 'linear time'],
    ['\\p{Nonsense}', 'linear time'],
  ])('%s is refused with a reason', (pattern, word) => {
    expect(() => compileLinear(pattern)).toThrow(word);
  });
});
