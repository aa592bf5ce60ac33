import { type Case, entries, entry, logKey, nothing, refused, value } from './cases.ts';

const MAX_VALUE_BYTES = 256 * 1024;
/** JSON text of exactly so many bytes. */
const textOf = (bytes: number) => 'x'.repeat(bytes - 2);

export const APPEND: readonly Case[] = [
  {
    fn: 'storage.append',
    claim: 'numbers from 1, over turns, without a gap',
    turns: (own) => [
      [['storage.append', own('log'), 'a']],
      [
        ['storage.append', own('log'), 'b'],
        ['storage.append', own('log'), 'c'],
      ],
      [['storage.list', own('log/')]],
    ],
    answers: (own) => [
      entries([logKey(own('log'), 1), 'a'], [logKey(own('log'), 2), 'b'], [logKey(own('log'), 3), 'c']),
    ],
  },
  {
    fn: 'storage.append',
    claim: 'its own turn reads it under the number that it will have',
    turns: (own) => [
      [['storage.append', own('log'), 'a']],
      [
        ['storage.append', own('log'), 'b'],
        ['storage.get', logKey(own('log'), 2)],
        ['storage.list', own('log')],
      ],
    ],
    answers: (own) => [
      nothing,
      value(entry(logKey(own('log'), 2), 'b')),
      entries([logKey(own('log'), 1), 'a'], [logKey(own('log'), 2), 'b']),
    ],
  },
  {
    fn: 'storage.append',
    claim: 'appends before and after a read of the log are both there, in order',
    turns: (own) => [
      [
        ['storage.append', own('log'), 'a'],
        ['storage.list', own('log/')],
        ['storage.append', own('log'), 'b'],
        ['storage.list', own('log/')],
      ],
    ],
    answers: (own) => [
      nothing,
      entries([logKey(own('log'), 1), 'a']),
      nothing,
      entries([logKey(own('log'), 1), 'a'], [logKey(own('log'), 2), 'b']),
    ],
  },
  {
    fn: 'storage.append',
    claim: 'counts on from an entry that its own turn set, as the commit does',
    turns: (own) => [
      [
        ['storage.set', logKey(own('log'), 5), 'five'],
        ['storage.append', own('log'), 'six'],
        ['storage.list', own('log/')],
      ],
    ],
    answers: (own) => [
      nothing,
      nothing,
      entries([logKey(own('log'), 5), 'five'], [logKey(own('log'), 6), 'six']),
    ],
  },
  {
    fn: 'storage.append',
    claim: 'logs whose names begin alike are numbered apart',
    turns: (own) => [
      [
        ['storage.append', own('log'), 1],
        ['storage.append', own('log/x'), 2],
        ['storage.append', own('log2'), 3],
      ],
      [['storage.list', own('log')]],
    ],
    answers: (own) => [
      entries([logKey(own('log'), 1), 1], [logKey(own('log/x'), 1), 2], [logKey(own('log2'), 1), 3]),
    ],
  },
  {
    fn: 'storage.append',
    claim: 'refuses what set refuses',
    turns: (own) => [
      [
        ['storage.append', '', 1],
        ['storage.append', own('log'), textOf(MAX_VALUE_BYTES + 1)],
      ],
    ],
    answers: () => [refused('NEIRA_VALUE_INVALID'), refused('NEIRA_VALUE_TOO_LARGE')],
  },
];
