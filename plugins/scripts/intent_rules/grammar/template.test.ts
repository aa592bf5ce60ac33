// INT-02: what the grammar of sentences means, and how a mistake in one is told.
import { describe, expect, test } from 'vitest';
import { compiledRules, languagesWith } from '../../../../test/kit/intent-languages.ts';
import { understand } from '../understand/understand.ts';
import { readTemplate, TemplateFault } from './template.ts';

const understands = (template: string, lists: Readonly<Record<string, object>> = {}) => {
  const rules = { language: 'en', intents: { It: { data: [{ sentences: [template] }] } } };
  const languages = languagesWith(compiledRules({ 'it.yaml': JSON.stringify(rules) }), lists);
  return (text: string) => {
    const result = understand(languages, { text });
    return result && 'understood' in result ? result.understood.slots : undefined;
  };
};

describe('a template', () => {
  test.each([
    ['turn(s|ed|ing) on', ['turns on', 'Turning on!', 'turned   on'], ['turn on', 'turn s on']],
    ['[please] go [away]', ['go', 'please go', 'please, go away'], ['please', 'away go', 'goaway']],
    ['(a;b;c)', ['a b c', 'c a b', 'b c a'], ['a b', 'a b c c', 'abc']],
    ['(good;[very] (bad|ugly))', ['good bad', 'very ugly good'], ['good very', 'good']],
    [
      'свет[а|у][ ]ламп[ы]',
      ['света лампы', 'светламп', 'светалампы', 'СВЕТУ ЛАМП'],
      ['светы ламп', 'свет а лампы'],
    ],
    ["what's [the] time", ["what's the time", 'what’s time?'], ['whats the time', 'what s time']],
    ['any-body|кто-(то|либо)', ['any body', 'any-body', 'кто-либо', 'кто то'], ['anybody', 'ктото']],
    ['five\\|six', ['five six'], ['five', 'six']],
    ['5min[utes]', ['5 minutes', '5min'], ['5', 'min']],
  ])('%s', (template, said, unsaid) => {
    const slots = understands(template);
    expect(said.filter((text) => !slots(text))).toEqual([]);
    expect(unsaid.filter((text) => slots(text))).toEqual([]);
  });

  test('a value of a list fills the slot that the sentence names; a range counts, also in words', () => {
    const slots = understands('set {place:where} to {level}[[ ]%]', {
      place: { values: [{ in: '(kitchen|scullery)', out: 'k' }] },
      level: { range: { from: 0, to: 100, fractions: 'halves' } },
    });
    expect(slots('set scullery to 21.5%')).toEqual({ where: 'k', level: 21.5 });
    expect(slots('set kitchen to twenty-one point five')).toEqual({ where: 'k', level: 21.5 });
    expect(slots('set kitchen to two and a half %')).toEqual({ where: 'k', level: 2.5 });
    expect(slots('set kitchen to 101')).toBeUndefined();
    expect(slots('set kitchen to 1.3')).toBeUndefined();
  });

  test.each([
    ['turn (on', 5, 'not closed'],
    ['turn on)', 7, 'closes nothing'],
    ['(a|b;c)', 4, 'do not mix'],
    ['a;b', 1, 'inside of'],
    ['{}', 0, 'no name'],
    ['{a:b:c}', 0, 'no name'],
    ['<a:b>', 0, 'fills no slot'],
    ['(a;b;c;d;e;f;g)', 0, 'any order'],
    ['['.repeat(60) + ']'.repeat(60), 40, 'deep'],
  ])('%s is no template: the fault says where', (text, at, message) => {
    const fault = (() => {
      try {
        return readTemplate(text);
      } catch (error) {
        return error;
      }
    })();
    expect(fault).toBeInstanceOf(TemplateFault);
    expect((fault as TemplateFault).message).toContain(message);
    expect((fault as TemplateFault).at).toBe(at);
  });
});
