// INT-02: names of things are understood in the form in which a sentence needs them.
import { expect, test } from 'vitest';
import { DECLENSIONS } from '../../../../test/kit/intent-data/declensions.ts';
import { compiledRules, languagesWith } from '../../../../test/kit/intent-languages.ts';
import { understand } from './understand.ts';

const names = Object.keys(DECLENSIONS);
const forms = Object.entries(DECLENSIONS).flatMap(([name, all]) =>
  all.split(', ').map((form) => [name, form] as const),
);
const rules = compiledRules({
  'find.yaml': JSON.stringify({
    language: 'ru',
    intents: { Find: { data: [{ sentences: ['найди {name}'] }] } },
  }),
});

test('a name of a list is understood in each of its forms', () => {
  expect(names.length).toBeGreaterThanOrEqual(60);
  expect(forms.length).toBeGreaterThanOrEqual(300);
  const languages = languagesWith(rules, { name: { values: names, names: true, plain: true } });
  const misses = forms.filter(([name, form]) => {
    const result = understand(languages, { text: `Найди ${form}!` });
    return !(result && 'understood' in result && result.understood.slots['name'] === name);
  });
  console.log(
    `declensions: ${forms.length - misses.length} of ${forms.length} forms of ${names.length} names`,
  );
  expect(misses).toEqual([]);
});

test('a form of one name that is another name is that other one', () => {
  const languages = languagesWith(rules, { name: { values: ['Света', 'Свет'], names: true, plain: true } });
  const found = (text: string) => {
    const result = understand(languages, { text });
    return result && 'understood' in result ? result.understood.slots['name'] : undefined;
  };
  expect(found('найди свет')).toBe('Свет');
  expect(found('найди света')).toBe('Света');
  expect(found('найди свету')).toBeDefined();
});

test('with `inflect: false` only what was written counts', () => {
  const languages = languagesWith(rules, { name: { values: ['Кухня'], plain: true, inflect: false } });
  expect(understand(languages, { text: 'найди кухня' })).toHaveProperty('understood');
  expect(understand(languages, { text: 'найди кухню' })).toHaveProperty('missed');
});
