import { expect } from 'vitest';
import { type Case, nothing, refused, UUID, value } from './cases.ts';
import type { Step } from './probe.ts';

const KB = 1024;
/** `<turn>/<n>` */
const SEND = expect.stringMatching(/^[^/]+\/\d+$/);
const place = { chatId: 'чат.1', sessionId: 's-1' };
const annotation = (changes: Record<string, unknown> = {}): Step => [
  'storage.save-annotation',
  { ...place, kind: 'stroke', data: { x: 1 }, ...changes },
];
const message = (changes: Record<string, unknown> = {}): Step => [
  'storage.save-message',
  { ...place, role: 'user', text: 'привет', ...changes },
];

/** Ids that would leave `context/`, or name nothing; each is refused, so no path is ever made of it. */
const PATHS = [
  '',
  '.',
  '..',
  '...',
  '../x',
  'a/b',
  'a\\b',
  '/etc',
  'a b',
  'a\u0000b',
  'x'.repeat(129),
  'a:b',
  '%2e%2e',
  '~',
  5,
  null,
];

const saves = (save: (changes: Record<string, unknown>) => Step, fn: string): Case[] => [
  ...(['chatId', 'sessionId'] as const).map(
    (field): Case => ({
      fn,
      claim: `no ${field} names a path`,
      turns: () => [PATHS.map((id) => save({ [field]: id }))],
      answers: () => PATHS.map(() => refused('NEIRA_VALUE_INVALID', { what: field })),
    }),
  ),
  {
    fn,
    claim: 'ids of 128 letters, of any script, are taken',
    turns: () => [
      [save({ chatId: 'Ж'.repeat(128) }), save({ sessionId: '..a' }), save({ sessionId: '日本-1_x.y' })],
    ],
    answers: () => [value(UUID), value(UUID), value(UUID)],
  },
  {
    fn,
    claim: 'each save has an id of its own',
    turns: () => [[save({}), save({})]],
    answers: () => [value(UUID), value(UUID)],
  },
  {
    fn,
    claim: 'above 256 KB it is refused',
    turns: () => [[save({ data: 'x'.repeat(256 * KB) })]],
    answers: () => [refused('NEIRA_VALUE_TOO_LARGE', { maxBytes: 256 * KB })],
  },
  {
    fn,
    claim: 'something that is no object is refused',
    turns: () => [
      [
        [fn, 'text'],
        [fn, []],
        [fn, 5],
      ],
    ],
    answers: () => [
      refused('NEIRA_VALUE_INVALID'),
      refused('NEIRA_VALUE_INVALID'),
      refused('NEIRA_VALUE_INVALID'),
    ],
  },
];

// UIT-06: records are saved by host functions.
export const RECORDS: readonly Case[] = [
  ...saves(annotation, 'storage.save-annotation'),
  {
    fn: 'storage.save-annotation',
    claim: 'needs a kind; data may be anything, also nothing',
    turns: () => [
      [
        annotation({ kind: '' }),
        annotation({ kind: 5 }),
        annotation({ data: null }),
        annotation({ data: [1] }),
      ],
    ],
    answers: () => [refused('NEIRA_VALUE_INVALID'), refused('NEIRA_VALUE_INVALID'), value(UUID), value(UUID)],
  },
  ...saves(message, 'storage.save-message'),
  {
    fn: 'storage.save-message',
    claim: 'needs a role and a text, which may be empty',
    turns: () => [
      [message({ role: '' }), message({ text: 5 }), message({ text: '' }), message({ data: { a: 1 } })],
    ],
    answers: () => [refused('NEIRA_VALUE_INVALID'), refused('NEIRA_VALUE_INVALID'), value(UUID), value(UUID)],
  },
  {
    fn: 'storage.settings',
    claim: 'answers the settings with the defaults of the manifest',
    turns: () => [[['storage.settings']]],
    answers: () => [value({ greeting: 'привет', count: 3 })],
  },
];

export const IO: readonly Case[] = [
  {
    fn: 'io.log',
    claim: 'answers nothing, at any level',
    turns: () => [
      (['debug', 'info', 'warn', 'error'] as const).map((level): Step => ['io.log', level, `at ${level}`]),
    ],
    answers: () => [nothing, nothing, nothing, nothing],
  },
  {
    fn: 'io.send',
    claim: 'takes any JSON for a port that is granted',
    turns: () => [
      [
        ['io.send', 'console', 'somebody', { text: 'привет' }],
        ['io.send', 'console', '', 1],
      ],
    ],
    answers: () => [value(SEND), value(SEND)],
  },
  {
    fn: 'io.send',
    claim: 'may be delayed by years; what is no time, or no option, is refused',
    turns: () => [
      [
        ['io.send', 'console', 'x', 1, { at: '2033-05-18T03:33:20Z' }],
        ['io.send', 'console', 'x', 1, { at: '1999-01-01T00:00:00+02:00' }],
        ['io.send', 'console', 'x', 1, { at: 'tomorrow' }],
        ['io.send', 'console', 'x', 1, { at: '2999-01-01T00:00:00Z' }],
        ['io.send', 'console', 'x', 1, { later: true }],
        ['io.send', 'console', 'x', 1, []],
      ],
    ],
    answers: () => [
      value(SEND),
      value(SEND),
      refused('NEIRA_VALUE_INVALID', { what: 'options.at' }),
      refused('NEIRA_VALUE_INVALID', { what: 'options.at' }),
      refused('NEIRA_VALUE_INVALID', { what: 'options.later' }),
      refused('NEIRA_VALUE_INVALID', { what: 'options' }),
    ],
  },
  {
    fn: 'io.cancel',
    claim: 'takes back a send by its id; what is not there is no error',
    turns: () => [
      [
        ['io.cancel', 'nothing'],
        ['io.cancel', ''],
      ],
    ],
    answers: () => [nothing, refused('NEIRA_VALUE_INVALID', { what: 'id' })],
  },
  {
    fn: 'io.send',
    claim: 'a port that was not granted is refused, with what to do',
    turns: () => [
      [
        ['io.send', 'telegram', 'somebody', 1],
        ['io.send', '', 'somebody', 1],
        ['io.send', 'console ', 'x', 1],
      ],
    ],
    answers: () => [
      refused('NEIRA_PERMISSION_DENIED', {
        permission: 'io.send:telegram',
        remedy: expect.stringMatching(/\w/),
      }),
      refused('NEIRA_PERMISSION_DENIED'),
      refused('NEIRA_PERMISSION_DENIED'),
    ],
  },
  {
    fn: 'io.send',
    claim: 'a target above 200 characters or a payload above 64 KB is refused',
    turns: () => [
      [
        ['io.send', 'console', 'x'.repeat(201), 1],
        ['io.send', 'console', 'x', 'y'.repeat(64 * KB)],
        ['io.send', 'console', 'x'.repeat(200), 'y'.repeat(64 * KB - 2)],
      ],
    ],
    answers: () => [
      refused('NEIRA_VALUE_INVALID', { what: 'target' }),
      refused('NEIRA_VALUE_TOO_LARGE'),
      value(SEND),
    ],
  },
];
