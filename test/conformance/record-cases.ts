import { expect } from 'vitest';
import { type Case, refused, UUID, value } from './cases.ts';
import type { Step } from './probe.ts';

const save = (sessionId: string, text: string): Step => [
  'storage.save-message',
  { chatId: 'read', sessionId, role: 'user', text },
];
const ALL: Step = ['storage.records', { limit: 1000 }];
const saved = (changes: Record<string, unknown>) =>
  expect.objectContaining({ number: expect.any(Number), id: UUID, plugin: 'probe', ...changes });

// UIT-09, HOST-12: what was saved is read by the same functions in every engine.
export const RECORD_READS: readonly Case[] = [
  {
    fn: 'storage.records',
    claim: 'answers messages and annotations with what a search looks at, in the order of their commit',
    turns: (own) => {
      const session = own('a').replace('/', '.');
      const mark = { chatId: 'read', sessionId: session, kind: 'stroke', data: { label: 'ёж', points: [1] } };
      return [[save(session, 'первое'), ['storage.save-annotation', mark]], [save(session, 'третье')], [ALL]];
    },
    answers: (own) => {
      const sessionId = own('a').replace('/', '.');
      const place = { chatId: 'read', sessionId };
      return [
        value(
          expect.arrayContaining([
            saved({ ...place, type: 'message', text: 'первое', line: lineOf({ role: 'user' }) }),
            saved({ ...place, type: 'annotation', text: 'stroke ёж', line: lineOf({ kind: 'stroke' }) }),
            saved({ ...place, type: 'message', text: 'третье' }),
          ]),
        ),
      ];
    },
  },
  {
    fn: 'storage.records',
    claim: 'shows only what is committed, and not what the turn saved itself',
    turns: () => [[save('own', 'не видно'), ALL]],
    answers: () => [value(UUID), value(expect.not.arrayContaining([saved({ text: 'не видно' })]))],
  },
  {
    fn: 'storage.records',
    claim: 'a page begins behind a number and is no longer than its limit',
    turns: () => [
      [save('page', 'a'), save('page', 'b')],
      [
        ['storage.records', { limit: 1 }],
        ['storage.records', { limit: 0 }],
        ['storage.records', { after: Number.MAX_SAFE_INTEGER }],
      ],
    ],
    answers: () => [value([saved({ number: 1 })]), value([]), value([])],
  },
  {
    fn: 'storage.records',
    claim: 'a text of 4096 characters is given, and no more of it',
    turns: () => [[save('long', `${'x'.repeat(5000)}`)], [ALL]],
    answers: () => [value(expect.arrayContaining([saved({ text: 'x'.repeat(4096) })]))],
  },
];

/** Options that a component has no way to give. */
export const ODD_RECORD_OPTIONS: readonly Case[] = [
  {
    fn: 'storage.records',
    claim: 'refuses options that are none',
    turns: () => [
      [
        ['storage.records', { after: -1 }],
        ['storage.records', { after: 'x' }],
        ['storage.records', { limit: 0.5 }],
        ['storage.records', { before: 1 }],
        ['storage.records', []],
      ],
    ],
    answers: () => Array.from({ length: 5 }, () => refused('NEIRA_VALUE_INVALID')),
  },
];

function lineOf(changes: Record<string, unknown>) {
  return expect.objectContaining({ chat_id: 'read', ...changes });
}
