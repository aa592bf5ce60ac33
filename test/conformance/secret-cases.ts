import { type Case, nothing, refused } from './cases.ts';
import { SECRET } from './probe.ts';

// MEM-02, MEM-04
export const CONFIDENTIAL: readonly Case[] = [
  {
    fn: 'io.secret',
    claim: 'one that nobody set is missing, and one that was not granted is refused',
    turns: () => [
      [
        ['io.secret', SECRET],
        ['io.secret', 'probe.other'],
        ['io.secret', ''],
      ],
    ],
    answers: () => [
      refused('NEIRA_SECRET_MISSING', { secret: SECRET }),
      refused('NEIRA_PERMISSION_DENIED', { permission: 'secrets.reveal:probe.other' }),
      refused('NEIRA_PERMISSION_DENIED'),
    ],
  },
  {
    fn: 'io.mark-personal',
    claim: 'takes any JSON up to 256 KB and answers nothing',
    turns: () => [
      [
        ['io.mark-personal', { name: 'Анна', phones: [79161234567] }],
        ['io.mark-personal', 'ab'],
        ['io.mark-personal', []],
        ['io.mark-personal', 'x'.repeat(256 * 1024)],
      ],
    ],
    answers: () => [nothing, nothing, nothing, refused('NEIRA_VALUE_TOO_LARGE')],
  },
];
