import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isNeiraError } from '../errors.ts';
import { COMPATIBILITY_RULES, compareEvents, publishedForm } from './event-compatibility.ts';
import { type EventDefinition, validateDelivery, validatePublish } from './event-registry.ts';
import type { Schema } from './event-schema.ts';
import { changed, schemas, testEvent, valuesFor } from './test-events.ts';

const seed = Number(process.env['NEIRA_TEST_SEED'] ?? Date.now() % 1_000_000);

/** What the rules say of a change, as `rule pointer`; warnings are in brackets. */
function broken(then: Schema, now: Schema, given: Partial<EventDefinition> = {}): string[] {
  const young = testEvent(now, { xVersion: '1.1.0', ...given });
  return compareEvents(publishedForm(testEvent(then)), young, 'schema.json').map(
    ({ rule, severity, pointer }) => (severity === 'error' ? `${rule} ${pointer}` : `(${rule} ${pointer})`),
  );
}

const of = (properties: Schema, required: readonly string[] = [], more: Schema = {}): Schema => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required,
  ...more,
});
const text = { type: 'string' };

// BUS-38, BUS-39
describe('within a major version', () => {
  test.each<[what: string, then: Schema, now: Schema]>([
    ['a new optional field', of({ a: text }), of({ a: text, b: text })],
    ['another description', of({ a: text }), of({ a: { ...text, description: 'A text.' } })],
    [
      'a bound that is further out',
      of({ a: { ...text, maxLength: 5 } }),
      of({ a: { ...text, maxLength: 9 } }),
    ],
    ['a pattern that is gone', of({ a: { ...text, pattern: '^a' } }), of({ a: text })],
    [
      'the same said by a reference',
      of({ a: text }),
      of({ a: { $ref: '#/$defs/words', description: 'Words.' } }, [], { $defs: { words: text } }),
    ],
    [
      'closed by a word, not by silence',
      { properties: { a: text } },
      { properties: { a: text }, additionalProperties: false },
    ],
    ['fields allowed that were not', of({ a: text }), of({ a: text }, [], { additionalProperties: true })],
    [
      'a step that divides the old one',
      { type: 'integer', multipleOf: 4 },
      { type: 'integer', multipleOf: 2 },
    ],
  ])('%s breaks no rule', (_what, then, now) => {
    expect(broken(then, now)).toEqual([]);
  });

  test.each<[rule: string, at: string, then: Schema, now: Schema]>([
    ['required-added', '/required', of({ a: text }), of({ a: text }, ['a'])],
    ['required-removed', '/required', of({ a: text }, ['a']), of({ a: text })],
    ['property-removed', '/properties/a', of({ a: text, b: text }), of({ b: text })],
    ['type-narrowed', '/properties/a/type', of({ a: { type: ['string', 'null'] } }), of({ a: text })],
    ['enum-value-removed', '/properties/a/enum', of({ a: { enum: ['x', 'y'] } }), of({ a: { enum: ['x'] } })],
    ['enum-value-removed', '/properties/a/const', of({ a: { enum: ['x', 'y'] } }), of({ a: { const: 'x' } })],
    ['enum-value-removed', '/properties/a/enum', of({ a: text }), of({ a: { ...text, enum: ['x'] } })],
    ['bound-tightened', '/properties/a/maxLength', of({ a: text }), of({ a: { ...text, maxLength: 9 } })],
    [
      'bound-tightened',
      '/properties/a/exclusiveMinimum',
      of({ a: { type: 'number', minimum: 1 } }),
      of({ a: { type: 'number', exclusiveMinimum: 1 } }),
    ],
    [
      'bound-tightened',
      '/items/uniqueItems',
      { items: { type: 'array' } },
      { items: { type: 'array', uniqueItems: true } },
    ],
    [
      'pattern-changed',
      '/properties/a~1b/pattern',
      of({ 'a/b': { ...text, pattern: 'x' } }),
      of({ 'a/b': { ...text, pattern: 'x|y' } }),
    ],
    ['format-changed', '/properties/a/format', of({ a: text }), of({ a: { ...text, format: 'date-time' } })],
    [
      'additional-properties-closed',
      '/additionalProperties',
      of({ a: text }, [], { additionalProperties: true }),
      of({ a: text }),
    ],
    ['keyword-changed', '/oneOf', { oneOf: [text] }, { oneOf: [text, { type: 'null' }] }],
    ['keyword-changed', '/anyOf', {}, { anyOf: [text] }],
    [
      'type-narrowed',
      '/properties/b/type',
      of({}, [], { additionalProperties: true }),
      of({ b: text }, [], { additionalProperties: true }),
    ],
    [
      'type-narrowed',
      '/properties/a/type',
      of({ a: { $ref: '#/$defs/x' } }, [], { $defs: { x: {} } }),
      of({ a: { $ref: '#/$defs/x' } }, [], { $defs: { x: text } }),
    ],
  ])('%s is found at %s', (rule, at, then, now) => {
    expect(broken(then, now)).toContain(`${rule} ${at}`);
  });

  test('what only consumers may stumble over is a warning', () => {
    expect(broken(of({ a: { enum: ['x'] } }), of({ a: { enum: ['x', 'y'] } }))).toEqual([
      '(enum-value-added /properties/a/enum)',
    ]);
    expect(broken(of({ a: text }), of({ a: { type: ['string', 'null'] } }))).toEqual([
      '(type-widened /properties/a/type)',
    ]);
    expect(broken({ anyOf: [text] }, { anyOf: [text, { type: 'null' }] })).toEqual(['(type-widened /anyOf)']);
  });

  test('a field that the handler of a command may miss is a warning, since the caller still gives it', () => {
    const then = { ...publishedForm(testEvent(of({ a: text }, ['a']))), kind: 'command' as const };
    const now = testEvent(of({ a: text }), { kind: 'command', xVersion: '1.1.0' });
    expect(compareEvents(then, now, '')).toMatchObject([{ rule: 'required-removed', severity: 'warning' }]);
  });

  test('every change of a schema raises x-version', () => {
    const now = of({ a: text, b: text });
    expect(broken(of({ a: text }), now, { xVersion: '1.0.0' })).toEqual(['x-version-not-raised /x-version']);
    expect(broken(of({ a: text }), of({ a: text }), { xVersion: '1.0.0' })).toEqual([]);
    const later = { ...publishedForm(testEvent(of({ a: text }))), xVersion: '1.9.0' };
    expect(compareEvents(later, testEvent(now, { xVersion: '1.10.0' }), '')).toEqual([]);
  });

  test('kind and required headers are part of the promise', () => {
    expect(broken(of({}), of({}), { kind: 'command', requiredHeaders: ['tenant_key'] })).toEqual([
      'kind-changed ',
      'required-header-added ',
    ]);
  });

  test('a finding says what to do: another folder', () => {
    const [finding] = compareEvents(publishedForm(testEvent(of({}))), testEvent(of({ a: text }, ['a'])), 'f');
    expect(finding).toMatchObject({
      rule: 'required-added',
      file: 'f',
      remedy: expect.stringContaining('test/thing.made/v2'),
    });
  });
});

const accepts = (event: EventDefinition, value: unknown, check = validatePublish): boolean => {
  try {
    check(event, value, {});
    return true;
  } catch (error) {
    if (isNeiraError(error)) return false;
    throw error;
  }
};

/** A schema, changed up to three times, and values of the first. */
const histories = schemas.chain((then) =>
  fc.record({
    old: fc.constant(then),
    now: fc.oneof(changed(then), changed(then).chain(changed), changed(then).chain(changed).chain(changed)),
    values: fc.array(valuesFor(then), { minLength: 10, maxLength: 20 }),
  }),
);

test(`what breaks no rule accepts all that was accepted (seed ${seed})`, () => {
  let compatible = 0;
  let judged = 0;
  fc.assert(
    fc.property(histories, ({ old: then, now, values }) => {
      const young = testEvent(now, { xVersion: '1.1.0' });
      const findings = compareEvents(publishedForm(testEvent(then)), young, '');
      if (findings.some(({ severity }) => severity === 'error')) return;
      compatible++;
      for (const value of values.filter((each) => accepts(testEvent(then), each))) {
        judged++;
        expect(accepts(young, value), JSON.stringify(value)).toBe(true);
      }
    }),
    { seed, numRuns: 1000 },
  );
  // Else the claim would be empty.
  expect(compatible).toBeGreaterThan(50);
  expect(judged).toBeGreaterThan(100);
});

test(`a schema is compatible with itself (seed ${seed})`, () => {
  fc.assert(
    fc.property(schemas, (schema) => {
      expect(broken(schema, structuredClone(schema))).toEqual([]);
    }),
    { seed, numRuns: 200 },
  );
});

test(`what may be published may be delivered (seed ${seed})`, () => {
  let judged = 0;
  fc.assert(
    fc.property(
      schemas.chain((schema) =>
        fc.tuple(fc.constant(schema), fc.array(valuesFor(schema), { maxLength: 10 })),
      ),
      ([schema, values]) => {
        const event = testEvent(schema);
        for (const value of values.filter((each) => accepts(event, each))) {
          judged++;
          expect(accepts(event, value, validateDelivery), JSON.stringify(value)).toBe(true);
        }
      },
    ),
    { seed, numRuns: 500 },
  );
  expect(judged).toBeGreaterThan(100);
});

test('every rule has its name in the reference', async () => {
  const { readFileSync } = await import('node:fs');
  const reference = readFileSync(new URL('../../abi/events/README.md', import.meta.url), 'utf8');
  expect(COMPATIBILITY_RULES.filter((rule) => !reference.includes(`\`${rule}\``))).toEqual([]);
});
