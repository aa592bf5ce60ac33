import { type Case, entries, entry, nothing, refused, value } from './cases.ts';

export const ADD: readonly Case[] = [
  {
    fn: 'storage.add',
    claim: 'a key that is not there counts as 0, and sums grow over turns',
    turns: (own) => [
      [['storage.add', own('n'), 5]],
      [
        ['storage.add', own('n'), -2],
        ['storage.add', own('n'), 0.5],
      ],
      [['storage.get', own('n')]],
    ],
    answers: (own) => [value(entry(own('n'), 3.5))],
  },
  {
    fn: 'storage.add',
    claim: 'answers nothing; its own turn reads the sum, at version 0',
    turns: (own) => [
      [['storage.set', own('n'), 40]],
      [
        ['storage.add', own('n'), 1],
        ['storage.add', own('n'), 1],
        ['storage.get', own('n')],
        ['storage.add', own('n'), -42],
        ['storage.list', own('')],
      ],
    ],
    answers: (own) => [
      nothing,
      nothing,
      value({ key: own('n'), value: 42, version: 0 }),
      nothing,
      value([{ key: own('n'), value: 0, version: 0 }]),
    ],
  },
  {
    fn: 'storage.add',
    claim: 'adds, sets and removals of one turn apply in the order in which they were made',
    turns: (own) => [
      [
        ['storage.set', own('set-last'), 1],
        ['storage.set', own('removed'), 1],
        ['storage.set', own('removed-first'), 1],
      ],
      [
        ['storage.add', own('set-last'), 1],
        ['storage.set', own('set-last'), 10],
        ['storage.set', own('set-first'), 20],
        ['storage.add', own('set-first'), 1],
        ['storage.add', own('removed'), 1],
        ['storage.delete', own('removed')],
        ['storage.delete', own('removed-first')],
        ['storage.add', own('removed-first'), 30],
      ],
      [['storage.list', own('')]],
    ],
    answers: (own) => [entries([own('removed-first'), 30], [own('set-first'), 21], [own('set-last'), 10])],
  },
  {
    fn: 'storage.add',
    claim: 'shows in listings of both directions where its key belongs',
    turns: (own) => [
      [
        ['storage.set', own('a'), 1],
        ['storage.set', own('c'), 3],
      ],
      [
        ['storage.add', own('b'), 2],
        ['storage.add', own('c'), 1],
        ['storage.list', own('')],
        ['storage.list', own(''), { reverse: true, limit: 2 }],
      ],
    ],
    answers: (own) => [
      nothing,
      nothing,
      entries([own('a'), 1], [own('b'), 2], [own('c'), 4]),
      entries([own('c'), 4], [own('b'), 2]),
    ],
  },
  {
    fn: 'storage.add',
    claim: 'refuses at the call what its own turn made a text, and leaves it as it was',
    turns: (own) => [
      [
        ['storage.set', own('text'), '5'],
        ['storage.add', own('text'), 1],
        ['storage.set', own('top'), Number.MAX_SAFE_INTEGER],
        ['storage.add', own('top'), 1],
        ['storage.add', own('top'), -1],
        ['storage.list', own('')],
      ],
    ],
    answers: (own) => [
      nothing,
      refused('NEIRA_ADD_REFUSED', { key: own('text') }),
      nothing,
      refused('NEIRA_ADD_REFUSED', { key: own('top') }),
      nothing,
      entries([own('text'), '5'], [own('top'), Number.MAX_SAFE_INTEGER - 1]),
    ],
  },
  {
    fn: 'storage.add',
    claim: 'refuses what is no number, and a key that cannot be',
    turns: (own) => [
      [
        ['storage.add', own('n'), '1'],
        ['storage.add', own('n'), [1]],
        ['storage.add', own('n'), 2 ** 53],
        ['storage.add', '', 1],
        ['storage.add', 'k'.repeat(513), 1],
        ['storage.get', own('n')],
      ],
    ],
    answers: () => [
      ...Array.from({ length: 4 }, () => refused('NEIRA_VALUE_INVALID')),
      refused('NEIRA_VALUE_TOO_LARGE'),
      nothing,
    ],
  },
];
