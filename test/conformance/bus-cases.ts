import { type Case, nothing, refused, UUID, value } from './cases.ts';
import { COMMAND, PUBLISHED } from './probe.ts';

const KB = 1024;

export const BUS: readonly Case[] = [
  {
    fn: 'bus.publish',
    claim: 'answers the id of the event, another one each time',
    turns: () => [
      [
        ['bus.publish', PUBLISHED, { a: 1 }],
        ['bus.publish', PUBLISHED, [], { version: 2 }],
      ],
    ],
    answers: () => [value(UUID), value(UUID)],
  },
  {
    fn: 'bus.publish',
    claim: 'an event or version that the manifest does not name is refused',
    turns: () => [
      [
        ['bus.publish', 'probe.other.done', 1],
        ['bus.publish', PUBLISHED, 1, { version: 3 }],
        ['bus.publish', 'system.host.stopped', 1],
        ['bus.publish', '', 1],
      ],
    ],
    answers: () => [
      refused('NEIRA_UNKNOWN_EVENT', { event: 'probe.other.done@1' }),
      refused('NEIRA_UNKNOWN_EVENT', { event: `${PUBLISHED}@3` }),
      refused('NEIRA_UNKNOWN_EVENT'),
      refused('NEIRA_UNKNOWN_EVENT'),
    ],
  },
  {
    fn: 'bus.publish',
    claim: 'a payload above 256 KB is refused',
    turns: () => [
      [
        ['bus.publish', PUBLISHED, 'x'.repeat(256 * KB - 1)],
        ['bus.publish', PUBLISHED, 'x'.repeat(256 * KB - 2)],
      ],
    ],
    answers: () => [refused('NEIRA_VALUE_TOO_LARGE', { what: 'payload' }), value(UUID)],
  },
  {
    fn: 'bus.request',
    claim: 'a command that no plugin handles is refused, by name and version',
    turns: () => [
      [
        ['bus.request', COMMAND, { a: 1 }],
        ['bus.request', COMMAND, [], { version: 2, timeoutMs: 100 }],
      ],
    ],
    answers: () => [1, 2].map((n) => refused('NEIRA_COMMAND_UNHANDLED', { command: `${COMMAND}@${n}` })),
  },
  {
    fn: 'bus.request',
    claim: 'a command that the manifest does not name is refused, and so is what is no option',
    turns: () => [
      [
        ['bus.request', 'probe.other.done', 1],
        ['bus.request', COMMAND, 1, { version: 3 }],
        ['bus.request', COMMAND, 'x'.repeat(256 * KB)],
        ['bus.request', COMMAND, 1, { until: 'then' }],
        ['bus.request', COMMAND, 1, { timeoutMs: 0 }],
      ],
    ],
    answers: () => [
      refused('NEIRA_UNKNOWN_EVENT'),
      refused('NEIRA_UNKNOWN_EVENT'),
      refused('NEIRA_VALUE_TOO_LARGE'),
      refused('NEIRA_VALUE_INVALID'),
      refused('NEIRA_VALUE_INVALID'),
    ],
  },
  {
    fn: 'bus.ask',
    claim: 'a command leaves with the commit, also where nobody handles it, and has an id',
    turns: () => [
      [
        ['bus.ask', COMMAND, { a: 1 }],
        [
          'bus.ask',
          COMMAND,
          [],
          { version: 2, timeoutMs: 100, key: 'k', context: { a: [1] }, idempotencyKey: 'i' },
        ],
      ],
    ],
    answers: () => [value(UUID), value(UUID)],
  },
  {
    fn: 'bus.ask',
    claim: 'a command that the manifest does not name is refused, and so is an event, and what is no option',
    turns: () => [
      [
        ['bus.ask', 'probe.other.done', 1],
        ['bus.ask', COMMAND, 1, { version: 3 }],
        ['bus.ask', PUBLISHED, 1],
        ['bus.ask', COMMAND, 'x'.repeat(256 * KB)],
        ['bus.ask', COMMAND, 1, { timeoutMs: 0 }],
        ['bus.ask', COMMAND, 1, { key: '' }],
        ['bus.ask', COMMAND, 1, { context: 'x'.repeat(5 * KB) }],
      ],
    ],
    answers: () => [
      refused('NEIRA_UNKNOWN_EVENT'),
      refused('NEIRA_UNKNOWN_EVENT'),
      refused('NEIRA_VALUE_INVALID', { what: 'command' }),
      refused('NEIRA_VALUE_TOO_LARGE'),
      refused('NEIRA_VALUE_INVALID'),
      refused('NEIRA_VALUE_INVALID', { what: 'options.key' }),
      refused('NEIRA_VALUE_INVALID', { what: 'options.context' }),
    ],
  },
  {
    fn: 'bus.publish',
    claim: 'an option that is none, or is not as it must be, is refused and nothing is staged',
    turns: () => [
      [
        ['bus.publish', PUBLISHED, 1, { later: true }],
        ['bus.publish', PUBLISHED, 1, { version: '1' }],
        ['bus.publish', PUBLISHED, 1, { at: 'tomorrow' }],
        ['bus.publish', PUBLISHED, 1, { at: '2026-11-24T07:00:00' }],
        ['bus.publish', PUBLISHED, 1, { at: '2999-01-01T00:00:00Z' }],
        ['bus.publish', PUBLISHED, 1, { headers: { traceparent: 'x' } }],
        ['bus.publish', PUBLISHED, 1, { headers: { 'Not A Name': 'x' } }],
        ['bus.publish', PUBLISHED, 1, { headers: { a: 1 } }],
        ['bus.publish', PUBLISHED, 1, { idempotencyKey: '' }],
        ['bus.publish', PUBLISHED, 1, { broadcast: 1 }],
      ],
    ],
    answers: () => Array.from({ length: 10 }, () => refused('NEIRA_VALUE_INVALID')),
  },
  {
    fn: 'bus.cancel',
    claim: 'takes back a delayed event by its id; what is not there is no error',
    turns: () => [
      [
        ['bus.cancel', 'nothing'],
        ['bus.cancel', ''],
      ],
    ],
    answers: () => [nothing, refused('NEIRA_VALUE_INVALID', { what: 'id' })],
  },
  {
    fn: 'bus.subscribe',
    claim: 'within the patterns of the manifest a subscription is taken, with filter, key and group',
    turns: (own) => [
      [
        ['bus.subscribe', { name: own('a'), event: 'probe.thing.*' }],
        ['bus.subscribe', { name: own('b'), event: 'probe.>@1', filter: 'event.payload.n > 1' }],
        ['bus.subscribe', { name: own('c'), event: `${PUBLISHED}@1`, key: '$.payload.id', group: 'workers' }],
        ['bus.unsubscribe', own('a')],
        ['bus.unsubscribe', own('b')],
        ['bus.unsubscribe', own('c')],
      ],
    ],
    answers: () => [nothing, nothing, nothing, nothing, nothing, nothing],
  },
  {
    fn: 'bus.subscribe',
    claim: 'what lies outside of them, or cannot be read, is refused',
    turns: (own) => [
      [
        ['bus.subscribe', { name: own('a'), event: 'other.thing.done' }],
        ['bus.subscribe', { name: own('a'), event: '>' }],
        ['bus.subscribe', { name: own('a'), event: 'probe..done' }],
        ['bus.subscribe', { name: own('a'), event: PUBLISHED, filter: 'event.payload.' }],
        ['bus.subscribe', { name: own('a'), event: PUBLISHED, filter: 'event.payload.list.all(x, x > 1)' }],
        ['bus.subscribe', { name: own('a'), event: PUBLISHED, key: '$..id' }],
        ['bus.subscribe', { name: own('a'), event: PUBLISHED, group: 'Not A Name' }],
        ['bus.subscribe', { name: '', event: PUBLISHED }],
        ['bus.subscribe', { event: PUBLISHED }],
        ['bus.subscribe', { name: own('a'), event: PUBLISHED, queue: 'x' }],
      ],
    ],
    answers: () => [
      refused('NEIRA_PERMISSION_DENIED', { permission: 'bus.subscribe:other.thing.done' }),
      refused('NEIRA_PERMISSION_DENIED'),
      ...Array.from({ length: 8 }, () => refused('NEIRA_VALUE_INVALID')),
    ],
  },
  {
    fn: 'bus.unsubscribe',
    claim: 'a name that is not there is no error; one that is no name is refused',
    turns: () => [
      [
        ['bus.unsubscribe', 'nothing'],
        ['bus.unsubscribe', 'a\u0007b'],
      ],
    ],
    answers: () => [nothing, refused('NEIRA_VALUE_INVALID')],
  },
  {
    fn: 'bus.delivery',
    claim: 'an event of the user interface is tried once, and no subscription brought it',
    turns: () => [[['bus.delivery']]],
    answers: () => [value({ attempt: 1, subscriptions: [] })],
  },
];
