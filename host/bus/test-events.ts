import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { EventDefinition } from './event-registry.ts';
import type { Schema } from './event-schema.ts';

/** Definitions, and random schemas with values that fit them. For tests only. */

export function testEvent(schema: Schema, given: Partial<EventDefinition> = {}): EventDefinition {
  return {
    name: 'test.thing.made',
    version: 1,
    kind: 'event',
    status: 'stable',
    summary: 'A thing was made.',
    requiredHeaders: [],
    semantics: { delivery: 'at-least-once', idempotencyKey: null },
    producers: ['test'],
    consumers: [],
    xVersion: '1.0.0',
    schema,
    digest: createHash('sha256').update(JSON.stringify(schema)).digest('hex'),
    owner: 'test',
    example: null,
    ...given,
  };
}

/** Few, so that schemas and values meet. */
const NAMES = ['a', 'b', 'c'] as const;
const name = fc.constantFrom(...NAMES);
const small = fc.integer({ min: 0, max: 4 });

/** Schemas of the kinds that events are made of, references and alternatives included. */
export const schemas: fc.Arbitrary<Schema> = fc
  .record({ root: part(3), shared: part(0) })
  .map(({ root, shared }) => ({ ...root, $defs: { shared } }));

function part(depth: number): fc.Arbitrary<Schema> {
  const leaves: fc.Arbitrary<Schema>[] = [
    fc.constant({}),
    optional({
      minimum: small,
      exclusiveMaximum: fc.integer({ min: 3, max: 9 }),
      multipleOf: fc.constantFrom(1, 2),
    }).map((bounds) => ({ type: 'integer', ...bounds })),
    optional({ exclusiveMinimum: small, maximum: fc.integer({ min: 3, max: 9 }) }).map((bounds) => ({
      type: 'number',
      ...bounds,
    })),
    optional({
      minLength: small,
      maxLength: fc.integer({ min: 2, max: 6 }),
      pattern: fc.constantFrom('^a', 'b$'),
    }).map((bounds) => ({ type: 'string', ...bounds })),
    fc.subarray(['x', 'y', 1, null], { minLength: 1 }).map((values) => ({ enum: values })),
    fc.constantFrom('x', 2).map((value) => ({ const: value })),
    fc.subarray(['string', 'null', 'boolean', 'integer'], { minLength: 1 }).map((type) => ({ type })),
  ];
  if (depth === 0) return fc.oneof(...leaves);
  const inner = part(depth - 1);
  const list = fc
    .tuple(
      inner,
      optional({ minItems: small, maxItems: fc.integer({ min: 1, max: 4 }), uniqueItems: fc.boolean() }),
    )
    .map(([items, bounds]) => ({ type: 'array', items, ...bounds }));
  const alternatives = fc
    .tuple(fc.constantFrom('anyOf', 'oneOf', 'allOf'), fc.array(inner, { minLength: 1, maxLength: 3 }))
    .map(([keyword, parts]) => ({ [keyword]: parts }));
  return fc.oneof(
    ...leaves,
    { weight: 8, arbitrary: object(inner) },
    { weight: 2, arbitrary: list },
    { weight: 2, arbitrary: alternatives },
    fc.constant({ $ref: '#/$defs/shared' }),
    inner.map((not) => ({ not, type: ['object', 'string', 'integer'] })),
  );
}

function object(inner: fc.Arbitrary<Schema>): fc.Arbitrary<Schema> {
  return fc
    .record({
      properties: fc.dictionary(name, inner, { minKeys: 1 }),
      required: fc.subarray([...NAMES]),
      others: fc.oneof(fc.constant(undefined), fc.boolean(), inner),
    })
    .map(({ properties, required, others }) => ({
      type: 'object',
      properties,
      required: required.filter((each) => Object.hasOwn(properties, each)),
      ...(others !== undefined && { additionalProperties: others }),
    }));
}

function optional(model: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Schema> {
  return fc.record(model, { requiredKeys: [] }) as fc.Arbitrary<Schema>;
}

/** Values that the schema most likely accepts; whoever needs to know asks a validator. */
export function valuesFor(schema: Schema, root: Schema = schema): fc.Arbitrary<unknown> {
  const of = (each: unknown) =>
    typeof each === 'object' && each !== null ? valuesFor(each as Schema, root) : anything;
  if (schema['$ref'] !== undefined) return of((root['$defs'] as Schema)['shared']);
  if (Object.hasOwn(schema, 'const')) return fc.constant(schema['const']);
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as unknown[]));
  const parts = schema['anyOf'] ?? schema['oneOf'] ?? schema['allOf'];
  if (Array.isArray(parts)) return fc.oneof(...parts.map(of));
  switch (schema['type']) {
    case 'array':
      return fc.array(of(schema['items']), { maxLength: 4 });
    case 'object': {
      const fields = Object.entries(schema['properties'] as Schema).map(([key, each]) => [key, of(each)]);
      const more = schema['additionalProperties'];
      const known = fc.record(Object.fromEntries(fields), { requiredKeys: schema['required'] as never[] });
      if (more === undefined || more === false) return known;
      return fc
        .tuple(fc.dictionary(name, of(more), { maxKeys: 2 }), known)
        .map(([others, own]) => ({ ...others, ...own }));
    }
    case 'integer':
      return fc.integer({ min: 0, max: 9 });
    case 'number':
      return fc.integer({ min: 0, max: 18 }).map((twice) => twice / 2);
    case 'string':
      return fc.stringMatching(/^a?[xy]{0,3}b?$/);
    default:
      return anything;
  }
}

const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, 'x', 'ab', 1, 2),
  fc.dictionary(name, fc.constantFrom<unknown>('x', 1, null), { maxKeys: 2 }),
);

/** One change somewhere in a schema, of the kinds that people make. */
export function changed(schema: Schema): fc.Arbitrary<Schema> {
  return fc
    .record({ at: fc.nat(), change: fc.nat(), to: small, fresh: part(0), name })
    .map(({ at, change, to, fresh, name: field }) => {
      const copy = structuredClone(schema) as Record<string, unknown>;
      const places = placesIn(copy);
      const place = places[at % places.length]!;
      const fields = { ...(place['properties'] as Schema | undefined) } as Record<string, unknown>;
      const required = (place['required'] as string[] | undefined) ?? [];
      const more = (place['anyOf'] as unknown[] | undefined) ?? [];
      const set = (keyword: string, value: unknown) => () => {
        place[keyword] = value;
      };
      const drop = (keyword: string) => () => {
        delete place[keyword];
      };
      const changes: (() => void)[] = [
        set('properties', { ...fields, [field]: fresh }),
        set('properties', Object.fromEntries(Object.entries(fields).filter(([each]) => each !== field))),
        set('required', [...new Set([...required, field])]),
        set(
          'required',
          required.filter((each) => each !== field),
        ),
        set('additionalProperties', [true, false, fresh][to % 3]),
        drop('additionalProperties'),
        set('minimum', to),
        set('maximum', to + 4),
        set('maxLength', to + 2),
        set('maxItems', to),
        drop('minLength'),
        drop('pattern'),
        drop('multipleOf'),
        set('type', ['number', 'string', ['string', 'integer', 'null'], 'object'][to % 4]),
        drop('type'),
        set('enum', ['x', 'y', 1, null, 2].slice(0, to + 1)),
        drop('enum'),
        set('items', fresh),
        set('anyOf', [...more, fresh]),
        drop('not'),
      ];
      changes[change % changes.length]!();
      return copy;
    });
}

/** Every schema in it, from the outside in. */
function placesIn(schema: unknown): Record<string, unknown>[] {
  if (Array.isArray(schema)) return schema.flatMap(placesIn);
  if (typeof schema !== 'object' || schema === null) return [];
  const { properties, $defs, items, additionalProperties, anyOf, oneOf, allOf, not } = schema as Record<
    string,
    unknown
  >;
  const inner = [
    ...Object.values(properties ?? {}),
    ...Object.values($defs ?? {}),
    items,
    additionalProperties,
    not,
  ];
  return [schema as Record<string, unknown>, ...[...inner, anyOf, oneOf, allOf].flatMap(placesIn)];
}
