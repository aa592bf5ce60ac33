import { describe, expect, test } from 'vitest';
import { type ErrorShape, isNeiraError } from '../errors.ts';
import { readPluginEvents } from './event-files.ts';
import { EventRegistry, validateDelivery, validatePublish } from './event-registry.ts';
import type { Schema } from './event-schema.ts';
import { testEvent } from './test-events.ts';

function refusal(work: () => unknown): ErrorShape {
  try {
    work();
  } catch (error) {
    if (isNeiraError(error)) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

const pathsOf = ({ details }: ErrorShape) =>
  (details['errors'] as { path: string }[]).map(({ path }) => path);

/** What only the schema of a plugin says. */
const plugin = (schema: unknown, at = 'weather/forecast.published/v1', more: Record<string, string> = {}) =>
  new Map([
    ['main.ts', 'export {}'],
    [`events/${at}/schema.json`, typeof schema === 'string' ? schema : JSON.stringify(schema)],
    ...Object.entries(more),
  ]);

const city = { type: 'object', properties: { city: { type: 'string', maxLength: 10 } }, required: ['city'] };

describe('the registry', () => {
  // BUS-48
  test('begins with the first eight and what they need', () => {
    const registry = EventRegistry.load();
    const kinds = [
      ['system.boot.completed', 'event'],
      ['timer.tick', 'event'],
      ['repo.skill.installed', 'event'],
      ['repo.skill.install', 'command'],
      ['repo.skill.install.result', 'reply'],
      ['scenario.run', 'command'],
      ['scenario.run.result', 'reply'],
      ['scenario.completed', 'event'],
      ['nlp.intent.detected', 'event'],
      ['ui.notify', 'event'],
    ] as const;
    for (const [name, kind] of kinds) {
      expect(registry.find(name, 1)).toMatchObject({
        name,
        version: 1,
        kind,
        status: 'stable',
        owner: 'host',
      });
      expect(registry.find(name, 2)).toBeUndefined();
    }
    expect(registry.list().every(({ owner }) => owner === 'host')).toBe(true);
  });

  // BUS-29
  test('takes the events of a plugin in, in the place of those it had, and lets them go with it', () => {
    const registry = new EventRegistry([testEvent({}, { name: 'ui.notify', owner: 'host' })]);
    registry.join('weather', [
      testEvent(city, { name: 'weather.changed' }),
      testEvent({}, { name: 'weather.asked' }),
    ]);
    expect(registry.find('weather.changed', 1)).toMatchObject({ owner: 'weather' });
    registry.join('weather', [testEvent(city, { name: 'weather.changed', version: 2 })]);
    expect(registry.list().map(({ name, version }) => `${name}@${version}`)).toEqual([
      'ui.notify@1',
      'weather.changed@2',
    ]);
    registry.leave('weather');
    registry.leave('host');
    expect(registry.list().map(({ name }) => name)).toEqual(['ui.notify']);
    // What left is free for another.
    registry.join('other', [testEvent(city, { name: 'weather.changed' })]);
  });

  test('a name that another holds is refused in every version, and nothing changes', () => {
    const registry = EventRegistry.load();
    registry.join('one', [testEvent({}, { name: 'cat.fed' })]);
    const taken = [testEvent({}, { name: 'dog.fed' }), testEvent({}, { name: 'cat.fed', version: 2 })];
    const error = refusal(() => registry.join('two', taken));
    expect(error).toMatchObject({ code: 'NEIRA_CONFLICT', details: { id: 'cat.fed@2', by: 'plugin `one`' } });
    expect(registry.find('dog.fed', 1)).toBeUndefined();
    const hosts = [testEvent({}, { name: 'ui.notify', version: 9 })];
    expect(refusal(() => registry.requireFree('two', hosts)).details).toMatchObject({ by: 'the host' });
  });
});

test('a plugin that calls itself `host` brings no events: nothing of it is trusted', () => {
  expect(refusal(() => readPluginEvents('host', plugin(city))).code).toBe('NEIRA_CONFLICT');
  const registry = EventRegistry.load();
  const before = registry.list();
  expect(refusal(() => registry.join('host', [testEvent({}, { name: 'ui.notify' })])).code).toBe(
    'NEIRA_CONFLICT',
  );
  expect(refusal(() => registry.join('host', [testEvent({}, { name: 'new.thing.made' })])).code).toBe(
    'NEIRA_CONFLICT',
  );
  expect(registry.list()).toEqual(before);
});

// BUS-13
describe('a payload', () => {
  const notify = EventRegistry.load().find('ui.notify', 1)!;

  test('that fits may be published', () => {
    validatePublish(notify, { text: 'Good morning.' }, {});
    validatePublish(notify, { text: { ru: 'Доброе утро.' }, level: 'info' }, { any: 'header' });
  });

  test('that does not fit is refused with the failing paths', () => {
    const error = refusal(() => validatePublish(notify, { text: 'x', level: 'loud', colour: 'red' }, {}));
    expect(error).toMatchObject({ code: 'NEIRA_EVENT_INVALID', details: { event: 'ui.notify@1' } });
    expect(pathsOf(error).sort()).toEqual(['payload.colour', 'payload.level']);
    expect(pathsOf(refusal(() => validatePublish(notify, 'text', {})))).toEqual(['payload']);
  });

  test('lacks no header that its event requires', () => {
    const event = testEvent({}, { requiredHeaders: ['idempotency_key', 'constructor'] });
    validatePublish(event, {}, { idempotency_key: 'k', constructor: 'c' });
    expect(pathsOf(refusal(() => validatePublish(event, {}, { idempotency_key: '' })))).toEqual([
      'headers.idempotency_key',
      'headers.constructor',
    ]);
  });

  test('with a field that the schema does not know is refused on publish and taken on delivery', () => {
    const event = testEvent({ ...city, properties: { ...city.properties, deep: city } });
    for (const payload of [
      { city: 'Berlin', country: 'de' },
      { city: 'Berlin', deep: { city: 'Bonn', country: 'de' } },
    ]) {
      const error = refusal(() => validatePublish(event, payload, {}));
      expect(pathsOf(error)[0]).toMatch(/country$/);
      validateDelivery(event, payload);
    }
    expect(pathsOf(refusal(() => validateDelivery(event, { country: 'de' })))).toEqual(['payload.city']);
  });

  test('is not closed where the schema says something else', () => {
    for (const more of [
      { additionalProperties: true },
      { patternProperties: { '^x_': {} } },
      { anyOf: [{}] },
    ])
      validatePublish(testEvent({ ...city, ...more } as Schema), { city: 'Berlin', x_more: 1 }, {});
    const parts = { allOf: [city, { properties: { country: { type: 'string' } } }] };
    validatePublish(testEvent(parts), { city: 'Berlin', country: 'de' }, {});
  });

  test('is delivered although alternatives fit that excluded each other by what they lack', () => {
    const only = (name: string) => ({ properties: { [name]: {} }, additionalProperties: false });
    const event = testEvent({ oneOf: [only('a'), only('b')] });
    validatePublish(event, { a: 1 }, {});
    validateDelivery(event, { a: 1 });
  });
});

describe('events of a plugin', () => {
  test('need nothing but a schema', () => {
    const [event] = readPluginEvents('weather', plugin({ ...city, description: 'A forecast.' }));
    expect(event).toMatchObject({
      name: 'weather.forecast.published',
      version: 1,
      kind: 'event',
      status: 'stable',
      summary: 'A forecast.',
      owner: 'weather',
      xVersion: '1.0.0',
      requiredHeaders: [],
      semantics: { delivery: 'at-least-once', idempotencyKey: null },
    });
    // A cell takes it as it is.
    expect(JSON.parse(JSON.stringify(event))).toEqual(event);
    expect(readPluginEvents('weather', new Map([['main.ts', '']]))).toEqual([]);
  });

  test('say more in meta.yaml', () => {
    const meta =
      'kind: event\nstatus: deprecated\nsummary: Old.\nrequired_headers: [trace]\nsemantics: {idempotency_key: payload.city}\n';
    const files = plugin(city, undefined, { 'events/weather/forecast.published/v1/meta.yaml': meta });
    expect(readPluginEvents('weather', files)[0]).toMatchObject({
      status: 'deprecated',
      summary: 'Old.',
      requiredHeaders: ['trace'],
      semantics: { delivery: 'at-least-once', idempotencyKey: 'payload.city' },
    });
  });

  test('with a command bring its reply as they like, but no reply without its command', () => {
    const reply = plugin({}, 'weather/ask.result/v1');
    expect(refusal(() => readPluginEvents('weather', reply)).code).toBe('NEIRA_EVENT_SCHEMA_INVALID');
    const both = new Map([
      ...reply,
      ['events/weather/ask/v1/schema.json', '{}'],
      ['events/weather/ask/v1/meta.yaml', 'kind: command'],
    ]);
    expect(readPluginEvents('weather', both).map(({ name, kind }) => `${kind} ${name}`)).toEqual([
      'reply weather.ask.result',
      'command weather.ask',
    ]);
  });

  const at = 'events/weather/forecast.published/v1/schema.json';
  const wide = Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`field_${n}`, { type: 'string' }]));
  const bomb = {
    $defs: Object.fromEntries(
      Array.from({ length: 12 }, (_, n) => [
        `d${n}`,
        n === 0 ? {} : { allOf: Array(8).fill({ $ref: `#/$defs/d${n - 1}` }) },
      ]),
    ),
    $ref: '#/$defs/d11',
  };
  const heavy = (n: number) =>
    JSON.stringify({
      title: `${n}`,
      $defs: {
        a: {
          properties: Object.fromEntries(Array.from({ length: 10 }, (_, f) => [`f${f}`, { type: 'string' }])),
        },
      },
      properties: Object.fromEntries(Array.from({ length: 20 }, (_, f) => [`p${f}`, { $ref: '#/$defs/a' }])),
    });
  test.each<[what: string, files: Map<string, string>, path: string]>([
    ['a text that is no JSON', plugin('{'), at],
    ['a schema that is no object', plugin('[]'), at],
    ['a pattern that backtracks', plugin({ properties: { a: { pattern: '(a+)+\\1$' } } }), at],
    ['a reference out of the file', plugin({ $ref: 'https://example.org/schema' }), at],
    ['a reference in a circle', plugin({ $defs: { a: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' }), at],
    ['references that grow without end', plugin(bomb), at],
    ['a schema of too many parts', plugin({ properties: wide }), at],
    [
      'schemas that take long to compile together',
      new Map(Array.from({ length: 40 }, (_, n) => [`events/a/x${n}ed/v1/schema.json`, heavy(n)])),
      'events/a/x39ed/v1/schema.json',
    ],
    ['a keyword that nothing reads', plugin({ propperties: {} }), at],
    ['a prototype', plugin('{"properties": {"__proto__": {}}}'), at],
    ['another $id', plugin({ $id: 'urn:neira:event:ui.notify:1.0.0' }), `${at}#/$id`],
    ['a version of another folder', plugin({ 'x-version': '2.0.0' }), `${at}#/x-version`],
    ['a namespace of the host', plugin({}, 'timer/tock/v1'), 'events/timer/tock/v1/schema.json'],
    ['a folder in capitals', plugin({}, 'Weather/asked/v1'), 'events/Weather/asked/v1/schema.json'],
    ['a schema without folders', new Map([['events/schema.json', '{}']]), 'events/schema.json'],
    [
      'a folder without a schema',
      new Map([['events/weather/asked/v1/meta.yaml', 'kind: event']]),
      'events/weather/asked/v1/schema.json',
    ],
    [
      'a field in meta.yaml that nothing reads',
      plugin({}, undefined, { 'events/weather/forecast.published/v1/meta.yaml': 'retention: 3d' }),
      'events/weather/forecast.published/v1/meta.yaml',
    ],
    [
      'a delivery that the bus does not promise',
      plugin({}, undefined, {
        'events/weather/forecast.published/v1/meta.yaml': 'semantics: {delivery: exactly-once}',
      }),
      'events/weather/forecast.published/v1/meta.yaml',
    ],
    [
      'too many of them',
      new Map(Array.from({ length: 65 }, (_, n) => [`events/a/x${n}ed/v1/schema.json`, '{}'])),
      'events/',
    ],
  ])('with %s are refused, and the file is named', (_what, files, path) => {
    const error = refusal(() => readPluginEvents('weather', files));
    expect(error).toMatchObject({ code: 'NEIRA_EVENT_SCHEMA_INVALID', details: { plugin: 'weather' } });
    expect(pathsOf(error)).toContain(path);
  });
});
