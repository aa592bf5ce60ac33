import { type Case, entries, entry, nothing, refused, value } from './cases.ts';
import type { Step } from './probe.ts';

const KB = 1024;
/** JSON text of exactly so many bytes. */
const textOf = (bytes: number) => 'x'.repeat(bytes - 2);
const numbered = (own: (name: string) => string, count: number): Step[] =>
  Array.from({ length: count }, (_, n) => ['storage.set', own(String(n).padStart(4, '0')), n]);

/** In the order of their UTF-8 bytes, which is not that of UTF-16. */
const IN_BYTE_ORDER = ['', '!', 'A', 'a', 'aa', 'b', 'é', 'Я', '\u{ffee}', '😀'];

export const GET: readonly Case[] = [
  {
    fn: 'storage.get',
    claim: 'what is not there is nothing, and no error',
    turns: (own) => [[['storage.get', own('a')]]],
    answers: () => [nothing],
  },
  {
    fn: 'storage.get',
    claim: 'sees what an earlier turn committed',
    turns: (own) => [[['storage.set', own('a'), 1]], [['storage.get', own('a')]]],
    answers: (own) => [value(entry(own('a'), 1))],
  },
  {
    fn: 'storage.get',
    claim: 'sees what its own turn staged, the last write and removal',
    turns: (own) => [
      [['storage.set', own('a'), 1]],
      [
        ['storage.set', own('a'), 2],
        ['storage.get', own('a')],
        ['storage.delete', own('a')],
        ['storage.get', own('a')],
        ['storage.set', own('a'), 3],
        ['storage.get', own('a')],
      ],
    ],
    answers: (own) => [
      nothing,
      value(entry(own('a'), 2)),
      nothing,
      nothing,
      nothing,
      value(entry(own('a'), 3)),
    ],
  },
  {
    fn: 'storage.get',
    claim: 'an empty key is refused, and so is one above 512 bytes',
    turns: (own) => [
      [
        ['storage.get', ''],
        ['storage.get', own('я'.repeat(256))],
      ],
    ],
    answers: () => [refused('NEIRA_VALUE_INVALID'), refused('NEIRA_VALUE_TOO_LARGE', { maxBytes: 512 })],
  },
  {
    fn: 'storage.get',
    claim: 'keys that look like paths are keys like any other',
    turns: (own) => [
      [['storage.set', own('../../etc/passwd'), 'mine']],
      [
        ['storage.get', own('../../etc/passwd')],
        ['storage.get', own('../passwd')],
      ],
    ],
    answers: (own) => [value(entry(own('../../etc/passwd'), 'mine')), nothing],
  },
];

const JSON_VALUES: readonly unknown[] = [
  null,
  false,
  0,
  -0.5,
  1e300,
  Number.MAX_SAFE_INTEGER,
  '',
  'кириллица \u0000 \u2028 "\\ 😀',
  [],
  [[], [1, [2]]],
  {},
  { a: { b: [null] }, '': 1, constructor: 2 },
];

export const SET: readonly Case[] = [
  ...JSON_VALUES.map(
    (json): Case => ({
      fn: 'storage.set',
      claim: `keeps ${JSON.stringify(json)} as it is`,
      turns: (own) => [[['storage.set', own('a'), { kept: json }]], [['storage.get', own('a')]]],
      answers: (own) => [value(entry(own('a'), { kept: json }))],
    }),
  ),
  {
    fn: 'storage.set',
    claim: 'a value of exactly 256 KB is kept',
    turns: (own) => [[['storage.set', own('a'), textOf(256 * KB)]], [['storage.get', own('a')]]],
    answers: (own) => [value(entry(own('a'), textOf(256 * KB)))],
  },
  {
    fn: 'storage.set',
    claim: 'one byte more is refused, and what was there stays',
    turns: (own) => [
      [['storage.set', own('a'), 1]],
      [
        ['storage.set', own('a'), textOf(256 * KB + 1)],
        ['storage.get', own('a')],
      ],
    ],
    answers: (own) => [
      refused('NEIRA_VALUE_TOO_LARGE', { bytes: 256 * KB + 1, maxBytes: 256 * KB }),
      value(entry(own('a'), 1)),
    ],
  },
  {
    fn: 'storage.set',
    claim: 'a key of 512 bytes is taken, of 513 refused',
    turns: (own) => [
      [
        ['storage.set', own('').padEnd(512, 'k'), 1],
        ['storage.set', own('').padEnd(513, 'k'), 1],
        ['storage.set', '', 1],
      ],
    ],
    answers: () => [
      nothing,
      refused('NEIRA_VALUE_TOO_LARGE', { bytes: 513 }),
      refused('NEIRA_VALUE_INVALID'),
    ],
  },
  {
    fn: 'storage.set',
    claim: 'if-version 0 takes what does not exist, and only that',
    turns: (own) => [
      [['storage.set', own('there'), 1]],
      [
        ['storage.set', own('new'), 1, 0],
        ['storage.set', own('there'), 2, 0],
        ['storage.get', own('there')],
      ],
    ],
    answers: (own) => [
      nothing,
      refused('NEIRA_VERSION_MISMATCH', { key: own('there'), expected: 0 }),
      value(entry(own('there'), 1)),
    ],
  },
  {
    fn: 'storage.set',
    claim: 'if-version compares with what the turn sees: a staged removal makes it 0',
    turns: (own) => [
      [['storage.set', own('a'), 1]],
      [
        ['storage.delete', own('a')],
        ['storage.set', own('a'), 2, 0],
        ['storage.set', own('a'), 3, 0],
        ['storage.get', own('a')],
      ],
    ],
    answers: (own) => [nothing, nothing, refused('NEIRA_VERSION_MISMATCH'), value(entry(own('a'), 2))],
  },
];

export const DELETE: readonly Case[] = [
  {
    fn: 'storage.delete',
    claim: 'what was removed is gone for later turns; removing nothing is no error',
    turns: (own) => [
      [['storage.set', own('a'), 1]],
      [
        ['storage.delete', own('a')],
        ['storage.delete', own('never')],
      ],
      [
        ['storage.get', own('a')],
        ['storage.list', own('')],
      ],
    ],
    answers: () => [nothing, value([])],
  },
  {
    fn: 'storage.delete',
    claim: 'a key that cannot be is refused',
    turns: () => [
      [
        ['storage.delete', ''],
        ['storage.delete', 'k'.repeat(513)],
      ],
    ],
    answers: () => [refused('NEIRA_VALUE_INVALID'), refused('NEIRA_VALUE_TOO_LARGE')],
  },
];

export const LIST: readonly Case[] = [
  {
    fn: 'storage.list',
    claim: 'is ordered by the bytes of keys, committed and staged ones together',
    turns: (own) => [
      IN_BYTE_ORDER.filter((_, index) => index % 2 === 0).map((k): Step => ['storage.set', own(k), k]),
      [
        ...IN_BYTE_ORDER.filter((_, index) => index % 2 === 1).map((k): Step => ['storage.set', own(k), k]),
        ['storage.list', own('')],
      ],
    ],
    answers: (own) => [
      ...Array.from({ length: 5 }, () => nothing),
      entries(...IN_BYTE_ORDER.map((k): [string, unknown] => [own(k), k])),
    ],
  },
  {
    fn: 'storage.list',
    claim: 'begins after `after` in the order of bytes, also among staged keys',
    turns: (own) => [
      [
        ...IN_BYTE_ORDER.map((k): Step => ['storage.set', own(k), k]),
        ['storage.list', own(''), { after: own('\u{ffee}') }],
        ['storage.list', own(''), { after: own('a') }],
      ],
    ],
    answers: (own) => [
      ...IN_BYTE_ORDER.map(() => nothing),
      entries([own('😀'), '😀']),
      entries(...IN_BYTE_ORDER.slice(4).map((k): [string, unknown] => [own(k), k])),
    ],
  },
  {
    fn: 'storage.list',
    claim: 'takes the prefix as text: wildcards of SQL and GLOB mean nothing',
    turns: (own) => [
      ['a%', 'a_', 'a*', 'ab', 'A%'].map((k): Step => ['storage.set', own(k), 1]),
      [
        ['storage.list', own('a%')],
        ['storage.list', own('a*')],
        ['storage.list', own('A')],
      ],
    ],
    answers: (own) => [entries([own('a%'), 1]), entries([own('a*'), 1]), entries([own('A%'), 1])],
  },
  {
    fn: 'storage.list',
    claim: 'does not show what was staged to be removed, and fills the page behind it',
    turns: (own) => [
      numbered(own, 6),
      [
        ['storage.delete', own('0001')],
        ['storage.delete', own('0002')],
        ['storage.list', own(''), { limit: 3 }],
      ],
    ],
    answers: (own) => [nothing, nothing, entries([own('0000'), 0], [own('0003'), 3], [own('0004'), 4])],
  },
  {
    fn: 'storage.list',
    claim: 'pages without a gap or a repeat, staged keys between committed ones',
    turns: (own) => [
      numbered(own, 5),
      [
        ['storage.set', own('0001a'), 'x'],
        ['storage.set', own('0004z'), 'z'],
        ['storage.list', own(''), { limit: 3 }],
        ['storage.list', own(''), { after: own('0001a'), limit: 3 }],
        ['storage.list', own(''), { after: own('0004'), limit: 3 }],
        ['storage.list', own(''), { after: own('0004z'), limit: 3 }],
      ],
    ],
    answers: (own) => [
      nothing,
      nothing,
      entries([own('0000'), 0], [own('0001'), 1], [own('0001a'), 'x']),
      entries([own('0002'), 2], [own('0003'), 3], [own('0004'), 4]),
      entries([own('0004z'), 'z']),
      value([]),
    ],
  },
  {
    fn: 'storage.list',
    claim: 'gives 100 without a limit, as many as asked with one, none for 0',
    turns: (own) => [
      numbered(own, 120),
      [
        ['storage.list', own('')],
        ['storage.list', own(''), { after: own('0117'), limit: 5000 }],
        ['storage.list', own(''), { limit: 0 }],
        ['storage.list', own('nobody')],
      ],
    ],
    answers: (own) => [
      entries(
        ...Array.from({ length: 100 }, (_, n): [string, unknown] => [own(String(n).padStart(4, '0')), n]),
      ),
      entries([own('0118'), 118], [own('0119'), 119]),
      value([]),
      value([]),
    ],
  },
  {
    fn: 'storage.list',
    claim: 'an `after` before the range begins with it, one behind it finds nothing, an empty one is none',
    turns: (own) => [
      numbered(own, 2),
      [
        ['storage.list', own(''), { after: '!' }],
        ['storage.list', own(''), { after: '\u{10fffd}' }],
        ['storage.list', own(''), { after: '!', reverse: true }],
        ['storage.list', own(''), { after: '\u{10fffd}', reverse: true }],
        ['storage.list', own(''), { after: '', reverse: true }],
      ],
    ],
    answers: (own) => [
      entries([own('0000'), 0], [own('0001'), 1]),
      value([]),
      value([]),
      entries([own('0001'), 1], [own('0000'), 0]),
      entries([own('0001'), 1], [own('0000'), 0]),
    ],
  },
  {
    fn: 'storage.list',
    claim: 'in reverse goes from the highest key down, committed and staged ones together',
    turns: (own) => [
      IN_BYTE_ORDER.filter((_, index) => index % 2 === 0).map((k): Step => ['storage.set', own(k), k]),
      [
        ...IN_BYTE_ORDER.filter((_, index) => index % 2 === 1).map((k): Step => ['storage.set', own(k), k]),
        ['storage.delete', own('b')],
        ['storage.list', own(''), { reverse: true }],
        ['storage.list', own(''), { reverse: true, after: own('Я'), limit: 3 }],
        ['storage.list', own('a'), { reverse: true, after: own('aa') }],
      ],
    ],
    answers: (own) => [
      ...Array.from({ length: 6 }, () => nothing),
      entries(
        ...IN_BYTE_ORDER.filter((k) => k !== 'b')
          .reverse()
          .map((k): [string, unknown] => [own(k), k]),
      ),
      entries([own('é'), 'é'], [own('aa'), 'aa'], [own('a'), 'a']),
      entries([own('a'), 'a']),
    ],
  },
  {
    fn: 'storage.list',
    claim: 'refuses options that it does not know, and those of another kind',
    turns: (own) => [
      [
        ['storage.list', own(''), { limt: 3 }],
        ['storage.list', own(''), own('a')],
        ['storage.list', own(''), { after: 1 }],
        ['storage.list', own(''), { limit: -1 }],
        ['storage.list', own(''), { limit: '3' }],
        ['storage.list', own(''), { reverse: 1 }],
        ['storage.list', own(''), { after: null, limit: null, reverse: null }],
      ],
    ],
    answers: () => [...Array.from({ length: 6 }, () => refused('NEIRA_VALUE_INVALID')), value([])],
  },
];
