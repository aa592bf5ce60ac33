// INT-02: numbers as people say them.
import { expect, test } from 'vitest';
import { numbersAt } from './numbers.ts';
import { tokensOf } from './tokens.ts';

const longest = (text: string, language: string) => numbersAt(tokensOf(text), 0, language).at(-1)?.value;

test.each([
  ['en', 'zero', 0],
  ['en', 'seventeen', 17],
  ['en', 'twenty-five', 25],
  ['en', 'one hundred and seven', 107],
  ['en', 'a hundred', undefined],
  ['en', 'hundred', 100],
  ['en', 'two thousand three hundred twelve', 2312],
  ['en', 'three million two hundred thousand', 3_200_000],
  ['en', '1,250.5', 1250.5],
  ['en', '-3', -3],
  ['en', '2 thousand', 2000],
  ['en', 'six point two five', 6.25],
  ['en', 'and', undefined],
  ['en', 'five and', 5],
  ['ru', 'ноль', 0],
  ['ru', 'двадцать одну', 21],
  ['ru', 'двумстам сорока шести', 246],
  ['ru', 'тысяча девятьсот восемьдесят четыре', 1984],
  ['ru', 'пять тысяч', 5000],
  ['ru', 'два миллиона триста тысяч', 2_300_000],
  ['ru', 'полтора', 1.5],
  ['ru', 'двадцать с половиной', 20.5],
  ['ru', 'двадцать один и пять десятых', 21.5],
  ['ru', 'две целых три десятых', 2.3],
  ['ru', '21,5', 21.5],
  ['ru', '3 тысячи', 3000],
  ['ru', 'градусов', undefined],
] as const)('%s: %s', (language, text, value) => {
  expect(longest(text, language)).toBe(value);
});

test('where one number stands inside another, both are offered', () => {
  const values = (text: string, language: string) =>
    numbersAt(tokensOf(text), 0, language).map(({ value, end }) => [value, end]);
  expect(values('twenty five', 'en')).toEqual([
    [20, 1],
    [25, 2],
  ]);
  expect(values('сто двадцать три', 'ru')).toEqual([
    [100, 1],
    [120, 2],
    [123, 3],
  ]);
  expect(values('five twenty', 'en')).toEqual([[5, 1]]);
});
