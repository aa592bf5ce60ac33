import { type Case, entries, nothing, refused, value } from './cases.ts';
import { PUBLISHED, type Step } from './probe.ts';

/** Calls `step` as this principal. */
const as = (id: string, ...step: Step): Step => ['principals.act-as', id, ...step];
const register = (id: string, more: object = {}): Step => [
  'principals.register',
  { id, title: 'A test', ...more },
];
const denied = (principal: string, permission: string, missing: string) =>
  refused('NEIRA_PERMISSION_DENIED', { plugin: 'probe', principal, permission, missing });

export const PRINCIPALS: readonly Case[] = [
  {
    fn: 'principals.register',
    claim: 'answers nothing; the same again is no other principal',
    turns: () => [[register('one')], [register('one'), register('one', { digest: 'sha256:aa' })]],
    answers: () => [nothing, nothing],
  },
  {
    fn: 'principals.granted',
    claim: 'nothing is granted to one that was just registered, and one that is not there is refused',
    turns: () => [
      [
        register('fresh', { permissions: { bus: { publish: [PUBLISHED] } } }),
        ['principals.granted', 'fresh'],
        ['principals.granted', 'nobody'],
        ['principals.granted', 'A'],
      ],
    ],
    answers: () => [
      nothing,
      value([]),
      refused('NEIRA_PRINCIPAL_UNKNOWN', { principal: 'nobody' }),
      refused('NEIRA_VALUE_INVALID', { what: 'principal.id' }),
    ],
  },
  {
    fn: 'principals.register',
    claim: 'an id that could be taken for another, or that no file or header could carry, is refused',
    turns: () => [
      ['', '.a', 'A', 'a/b', 'a b', 'a\nb', 'прокси', 'ａ', 'a\u200b', 'x'.repeat(129), 7, null].map((id) =>
        register(id as string),
      ),
    ],
    answers: () => Array(12).fill(refused('NEIRA_VALUE_INVALID', { what: 'principal.id' })),
  },
  {
    fn: 'principals.register',
    claim:
      'it says only what a principal is: grants and what is no field are refused, and so is what is no title',
    turns: () => [
      [
        register('two', { grants: { storage: ['write'] } }),
        register('two', { plugin: 'other' }),
        register('two', { permissions: { storage: ['admin'] } }),
        register('two', { permissions: { scope: [] } }),
        register('two', { permissions: 'all' }),
        register('two', { title: ' ' }),
        register('two', { title: 'x'.repeat(201) }),
        register('two', { digest: 'a b' }),
        ['principals.register', 'two'],
      ],
    ],
    answers: () =>
      [
        'grants',
        'plugin',
        'permissions',
        'permissions',
        'permissions',
        'title',
        'title',
        'digest',
        undefined,
      ].map((field) =>
        refused('NEIRA_VALUE_INVALID', { what: field === undefined ? 'principal' : `principal.${field}` }),
      ),
  },
  {
    fn: 'principals.register',
    claim:
      'it may ask for no more than a plugin could: host events, unknown ports and delegation are refused',
    turns: () => [
      [
        register('three', { permissions: { bus: { publish: ['plugin.granted'] } } }),
        register('three', { permissions: { io: { ports: ['everywhere'] } } }),
        register('three', { permissions: { principals: ['delegate'] } }),
      ],
    ],
    answers: () => [
      refused('NEIRA_VALUE_INVALID', { what: 'principal.permissions.bus.publish' }),
      refused('NEIRA_VALUE_INVALID', { what: 'principal.permissions.io.ports' }),
      refused('NEIRA_VALUE_INVALID', { what: 'principal.permissions.principals' }),
    ],
  },
  {
    fn: 'principals.act-as',
    claim: 'what the plugin itself was granted is of no use to a principal that was granted nothing',
    turns: () => [
      [register('idle', { permissions: { storage: ['read'] } })],
      [
        as('idle', 'storage.get', 'k'),
        as('idle', 'storage.set', 'k', 1),
        as('idle', 'storage.list', ''),
        as('idle', 'io.send', 'console', 'x', 1),
        as('idle', 'bus.publish', PUBLISHED, 1),
        as('idle', 'bus.subscribe', { name: 'a', event: PUBLISHED }),
        as('idle', 'bus.request', 'probe.thing.ask', 1),
      ],
    ],
    answers: () => [
      denied('idle', 'storage.read', 'granted'),
      denied('idle', 'storage.write', 'asked'),
      denied('idle', 'storage.read', 'granted'),
      denied('idle', 'io.send:console', 'asked'),
      denied('idle', `bus.publish:${PUBLISHED}`, 'asked'),
      denied('idle', `bus.subscribe:${PUBLISHED}`, 'asked'),
      denied('idle', 'bus.publish:probe.thing.ask', 'asked'),
    ],
  },
  {
    fn: 'principals.act-as',
    claim: 'a call is the principal’s, and the next one the plugin’s own again',
    turns: () => [
      [register('brief')],
      [as('brief', 'storage.get', 'k'), ['storage.get', 'nothing under this'], ['bus.delivery']],
    ],
    answers: () => [
      denied('brief', 'storage.read', 'asked'),
      nothing,
      value({ attempt: 1, subscriptions: [] }),
    ],
  },
  {
    fn: 'principals.act-as',
    claim: 'its log and how the event came need no grant',
    turns: () => [
      [register('quiet')],
      [
        as('quiet', 'io.log', 'info', 'heard'),
        as('quiet', 'bus.delivery'),
        as('quiet', 'bus.unsubscribe', 'a'),
      ],
    ],
    answers: () => [nothing, value({ attempt: 1, subscriptions: [] }), nothing],
  },
  {
    fn: 'principals.act-as',
    claim: 'one that is not registered, or that another plugin registered, is unknown',
    turns: () => [
      [
        as('nobody', 'storage.get', 'k'),
        as('../probe', 'storage.get', 'k'),
        ['storage.get', 'still the plugin'],
      ],
    ],
    answers: () => [
      refused('NEIRA_PRINCIPAL_UNKNOWN', { plugin: 'probe', principal: 'nobody' }),
      refused('NEIRA_PRINCIPAL_UNKNOWN', { principal: '../probe' }),
      nothing,
    ],
  },
  {
    fn: 'principals.act-as',
    claim: 'one that the same turn registered has nothing granted',
    turns: () => [[register('new', { permissions: { storage: ['read'] } }), as('new', 'storage.get', 'k')]],
    answers: () => [nothing, denied('new', 'storage.read', 'granted')],
  },
  {
    fn: 'principals.remove',
    claim:
      'in its turn and in later ones nobody can act as it any more; removing what is not there is no error',
    turns: () => [
      [register('gone')],
      [['principals.remove', 'gone'], as('gone', 'io.log', 'info', 'x'), ['principals.remove', 'gone']],
      [as('gone', 'io.log', 'info', 'x')],
    ],
    answers: () => [refused('NEIRA_PRINCIPAL_UNKNOWN', { principal: 'gone' })],
  },
  {
    fn: 'principals.remove',
    claim: 'the plugin’s own keys stay, whatever they are called',
    turns: (own) => [
      [register('tidy'), ['storage.set', own('principal:tidy'), 1], ['storage.set', 'principal:tidy', 2]],
      [['principals.remove', 'tidy']],
      [
        ['storage.list', own('')],
        ['storage.list', 'principal:tidy'],
      ],
    ],
    answers: (own) => [entries([own('principal:tidy'), 1]), entries(['principal:tidy', 2])],
  },
];
