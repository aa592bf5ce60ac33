import { expect } from 'vitest';
import { type Case, nothing, refused, value } from './cases.ts';

export const TIMER: readonly Case[] = [
  {
    fn: 'timer.sleep',
    claim: 'answers nothing, when so many milliseconds have passed',
    turns: () => [
      [
        ['timer.sleep', 0],
        ['timer.sleep', 20],
      ],
    ],
    answers: () => [nothing, nothing],
  },
  {
    fn: 'timer.sleep',
    claim: 'what is no time that can be waited for is refused',
    turns: () => [[['timer.sleep', 2 ** 31]]],
    answers: () => [refused('NEIRA_VALUE_INVALID', { what: 'ms' })],
  },
];

const MAX_RANKED = 10_000;

export const INTL: readonly Case[] = [
  {
    fn: 'intl.call',
    claim: 'formats as the language and the country do',
    turns: () => [
      [
        ['intl.call', 'NumberFormat', 'format', ['ru'], { style: 'currency', currency: 'EUR' }, [1234.5]],
        ['intl.call', 'NumberFormat', 'format', [], {}, [{ bigint: '12345678901234567890' }]],
        ['intl.call', 'PluralRules', 'select', ['ru'], {}, [{ number: '22' }]],
        ['intl.call', 'DateTimeFormat', 'format', [], {}, [0]],
        ['intl.call', 'DateTimeFormat', 'format', ['ru'], { timeZone: 'Asia/Tokyo', dateStyle: 'long' }, [0]],
        ['intl.call', 'ListFormat', 'format', ['ru'], {}, [['а', 'б']]],
        ['intl.call', 'DisplayNames', 'of', ['en'], { type: 'region', fallback: 'none' }, ['XY']],
        ['intl.call', 'String', 'toLocaleUpperCase', ['tr'], {}, ['i']],
        ['intl.call', 'Collator', 'supportedLocalesOf', ['ru', 'xx'], {}, []],
      ],
    ],
    answers: () => [
      value('1\u00a0234,50\u00a0€'),
      value('12,345,678,901,234,567,890'),
      value('few'),
      value('1/1/1970'),
      value(expect.stringMatching(/^1 января 1970\sг\.$/)),
      value('а и б'),
      value(null),
      value('İ'),
      value(['ru']),
    ],
  },
  {
    fn: 'intl.call',
    claim: 'ranks texts: those that are equal to the collator have one place',
    turns: () => [
      [
        ['intl.call', 'Collator', 'rank', ['ru'], { sensitivity: 'base' }, ['яма', 'Ёж', 'еж', 'абрикос']],
        ['intl.call', 'Collator', 'rank', ['ru'], {}, []],
        ['intl.call', 'Collator', 'rank', ['ru'], {}, ['a', 1]],
        ['intl.call', 'Collator', 'rank', ['ru'], {}, Array(MAX_RANKED + 1).fill('a')],
      ],
    ],
    answers: () => [
      value([2, 1, 1, 0]),
      value([]),
      refused('NEIRA_VALUE_INVALID', { what: 'input' }),
      refused('NEIRA_VALUE_TOO_LARGE', { maxBytes: MAX_RANKED }),
    ],
  },
  {
    fn: 'intl.call',
    claim: 'what the standard throws is a refusal that names its error',
    turns: () => [
      [
        ['intl.call', 'DateTimeFormat', 'format', ['en'], { timeZone: 'Mars/Phobos' }, [0]],
        ['intl.call', 'DateTimeFormat', 'format', ['en'], {}, [9e15]],
        ['intl.call', 'NumberFormat', 'format', ['en'], { style: 'currency' }, [1]],
        ['intl.call', 'Collator', 'compare', ['no tag'], {}, ['a', 'b']],
      ],
    ],
    answers: () =>
      ['RangeError', 'RangeError', 'TypeError', 'RangeError'].map((error) =>
        refused('NEIRA_VALUE_INVALID', { error, reason: expect.stringMatching(/\w/) }),
      ),
  },
  {
    fn: 'intl.call',
    claim:
      'reaches no class, method or option that is not known, and takes plain values of bounded size only',
    turns: () => [
      [
        ['intl.call', 'constructor', 'constructor', [], {}, []],
        ['intl.call', 'NumberFormat', '__proto__', [], {}, []],
        ['intl.call', 'NumberFormat', 'constructor', [], {}, ['return process']],
        ['intl.call', 'String', 'supportedLocalesOf', ['en'], {}, []],
        ['intl.call', 'NumberFormat', 'format', [], { toString: 'x' }, [1]],
        ['intl.call', 'NumberFormat', 'format', [], { style: { valueOf: 1 } }, [1]],
        ['intl.call', 'NumberFormat', 'format', [], { style: 'x'.repeat(65) }, [1]],
        ['intl.call', 'NumberFormat', 'format', 'ru', {}, [1]],
        ['intl.call', 'NumberFormat', 'format', Array(9).fill('ru'), {}, [1]],
        ['intl.call', 'NumberFormat', 'format', ['x'.repeat(129)], {}, [1]],
        ['intl.call', 'NumberFormat', 'format', [], {}, { length: 1 }],
        ['intl.call', 'NumberFormat', 'format', [], {}, [{ bigint: 'x' }]],
        ['intl.call', 'NumberFormat', 'format', [], {}, ['1'.repeat(1001)]],
        ['intl.call', 'Segmenter', 'segment', [], {}, ['a'.repeat(4097)]],
        ['intl.call', 'Collator', 'compare', [], {}, ['a'.repeat(64 * 1024), 'b']],
      ],
    ],
    answers: () => [
      ...Array.from({ length: 12 }, () => refused('NEIRA_VALUE_INVALID')),
      ...Array.from({ length: 3 }, () => refused('NEIRA_VALUE_TOO_LARGE')),
    ],
  },
];
