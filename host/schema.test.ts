import { describe, expect, test } from 'vitest';
import { compilePluginSchema, compileSchema, parseYaml, summary, validate, withDefaults } from './schema.ts';

const caught = (run: () => unknown): { code?: string; details: Record<string, unknown> } => {
  try {
    run();
  } catch (error) {
    return error as { code: string; details: Record<string, unknown> };
  }
  throw new Error('nothing was thrown');
};

describe('schemas of the host', () => {
  const schema = {
    type: 'object',
    additionalProperties: false,
    required: ['id'],
    properties: {
      id: { type: 'string', pattern: '^[a-z]+$', 'x-say': 'must be lower-case letters' },
      buttons: {
        type: 'array',
        items: { type: 'object', required: ['title'], properties: { title: { type: 'string' } } },
      },
      size: { anyOf: [{ type: 'integer' }, { enum: ['small'] }], 'x-say': 'must be a number or `small`' },
    },
  };

  test('every problem is reported, at a path that an author recognises', () => {
    expect(
      compileSchema(schema).problems({ id: 'A', buttons: [{ title: 'x' }, {}], size: 'big', colour: 1 }),
    ).toEqual([
      { path: 'colour', message: 'is not a known field' },
      { path: 'id', message: 'must be lower-case letters' },
      { path: 'buttons[1].title', message: 'is missing' },
      { path: 'size', message: 'must be a number or `small`' },
    ]);
  });

  test('a schema is compiled once', () => {
    expect(compileSchema(schema)).toBe(compileSchema(schema));
  });

  test('validate throws NEIRA_INVALID and names the first problem', () => {
    const error = caught(() => validate(compileSchema(schema), {}, 'the body'));
    expect(error).toMatchObject({
      code: 'NEIRA_INVALID',
      details: { what: 'the body', reason: 'id is missing' },
    });
    expect(summary([])).toBe('nothing is wrong');
  });
});

describe('schemas of plugins are hostile (HOST-25)', () => {
  const refused = (schema: unknown) => caught(() => compilePluginSchema(schema)).details.reason as string;

  test('a plain schema validates', () => {
    const settings = compilePluginSchema({
      type: 'object',
      properties: { max: { type: 'integer', default: 5 }, city: { $ref: '#/$defs/city' } },
      required: ['city'],
      additionalProperties: false,
      $defs: { city: { type: 'string', pattern: '^\\p{Lu}' } },
    });
    expect(settings.problems({ city: 'Берлин' })).toEqual([]);
    expect(settings.problems({ city: 'berlin' })).toHaveLength(1);
    expect(settings.problems({ city: 'Berlin', other: 1 })).toEqual([
      { path: 'other', message: 'is not a known field' },
    ]);
  });

  test('equal schemas share one compiled validator, and changing the object afterwards changes nothing', () => {
    const schema: Record<string, unknown> = { type: 'string' };
    const compiled = compilePluginSchema(schema);
    expect(compilePluginSchema({ type: 'string' })).toBe(compiled);
    schema.type = 'number';
    expect(compiled.problems('text')).toEqual([]);
  });

  test('a pattern that backtracks in JavaScript costs nothing', () => {
    const evil = compilePluginSchema({
      type: 'object',
      patternProperties: { '^(x+)+$': { type: 'string', pattern: '^(a+)+$' } },
    });
    const begun = performance.now();
    expect(evil.problems({ xxx: `${'a'.repeat(5000)}!` })).toHaveLength(1);
    expect(evil.problems({ [`${'x'.repeat(5000)}!`]: 1 })).toEqual([]);
    expect(performance.now() - begun).toBeLessThan(1000);
  });

  test('two patterns of one schema are kept apart', () => {
    const both = compilePluginSchema({
      type: 'object',
      properties: { a: { type: 'string', pattern: '^a$' }, b: { type: 'string', pattern: '^b$' } },
    });
    expect(both.problems({ a: 'a', b: 'b' })).toEqual([]);
    expect(both.problems({ a: 'b', b: 'b' })).toHaveLength(1);
    expect(both.problems({ a: 'a', b: 'a' })).toHaveLength(1);
  });

  test('uniqueItems over many large items is one pass', () => {
    const unique = compilePluginSchema({ type: 'array', uniqueItems: true });
    const items = Array.from({ length: 50_000 }, (_, index) => ({ b: index, a: 1 }));
    const begun = performance.now();
    expect(unique.problems(items)).toEqual([]);
    expect(unique.problems([...items, { a: 1, b: 7 }])).toHaveLength(1);
    expect(performance.now() - begun).toBeLessThan(3000);
  });

  test('a format of a very long text is no format', () => {
    const mail = compilePluginSchema({ type: 'string', format: 'email' });
    expect(mail.problems('a@example.org')).toEqual([]);
    expect(mail.problems(`${'a'.repeat(100_000)}@`)).toHaveLength(1);
  });

  test.each<[string, unknown, string]>([
    ['a remote reference', { $ref: 'https://example.org/schema.json' }, '#/$defs/'],
    ['a reference to the root', { properties: { a: { $ref: '#' } } }, '#/$defs/'],
    [
      'a cycle',
      {
        $defs: { a: { items: { $ref: '#/$defs/b' } }, b: { items: { $ref: '#/$defs/a' } } },
        $ref: '#/$defs/a',
      },
      'back to itself',
    ],
    ['an inherited name', { $ref: '#/$defs/constructor', $defs: {} }, '#/$defs/'],
    ['a name for itself', { $id: 'https://example.org/x' }, 'not allowed'],
    ['an asynchronous schema', { $async: true }, 'not allowed'],
    ['another dialect', { $schema: 'http://json-schema.org/draft-07/schema#' }, '2020-12'],
    ['an unknown keyword', { type: 'string', nonsense: 1 }, 'unknown keyword'],
    ['an unknown format', { type: 'string', format: 'nonsense' }, 'unknown format'],
    ['an unknown type', { type: 'text' }, 'type'],
    ['linear time', { type: 'string', pattern: '(?=a)' }, 'linear time'],
    ['a list', [], 'must be a JSON Schema object'],
    ['a text', 'string', 'must be a JSON Schema object'],
    ['nothing', undefined, 'JSON'],
    ['a large one', { description: 'x'.repeat(70_000) }, 'larger'],
    ['a key for the prototype', JSON.parse('{"properties":{"__proto__":{"type":"string"}}}'), '__proto__'],
  ])('%s is refused', (_, schema, word) => {
    expect(refused(schema)).toContain(word);
  });

  test('deep nesting and references that multiply are refused', () => {
    let deep: unknown = { type: 'string' };
    for (let i = 0; i < 50; i++) deep = { items: deep };
    expect(refused(deep)).toContain('too deeply');
    let bottomless: unknown = {};
    for (let i = 0; i < 6000; i++) bottomless = [bottomless];
    expect(refused({ default: bottomless, not: bottomless })).toMatch(/deeply|JSON/);
    const $defs: Record<string, unknown> = { d0: { type: 'string' } };
    for (let i = 1; i < 18; i++)
      $defs[`d${i}`] = { anyOf: [{ $ref: `#/$defs/d${i - 1}` }, { $ref: `#/$defs/d${i - 1}` }] };
    const begun = performance.now();
    expect(refused({ $defs, $ref: '#/$defs/d17' })).toMatch(/too much|too deeply/);
    expect(performance.now() - begun).toBeLessThan(1000);
    expect(refused({ anyOf: Array.from({ length: 20 }, () => ({ pattern: 'a{200}' })) })).toContain(
      'repeat too much',
    );
  });

  test('defaults fill what is silent, inside objects too, and leave the given alone', () => {
    const schema = {
      properties: { max: { default: 5 }, deep: { properties: { on: { default: true } } }, none: {} },
    };
    expect(withDefaults(schema, { max: 0 })).toEqual({ max: 0, deep: { on: true } });
    expect(withDefaults(schema, undefined)).toEqual({ max: 5, deep: { on: true } });
    expect(withDefaults(schema, 'text')).toBe('text');
  });
});

test.each([
  ['date', '2026-11-25', 'soon'],
  ['time', '08:00:00Z', '8 o clock'],
  ['date-time', '2026-11-25T08:00:00Z', 'yesterday'],
  ['duration', 'P1D', 'a day'],
  ['uri', 'https://example.org/a', 'a b'],
  ['email', 'a@example.org', 'a at b'],
  ['hostname', 'example.org', '-.-'],
  ['ipv4', '127.0.0.1', '1.2.3'],
  ['ipv6', '::1', 'x::y'],
  ['uuid', '0198f2a0-0000-7000-8000-000000000001', '12'],
])('a plugin may ask for the format %s', (format, good, bad) => {
  const schema = compilePluginSchema({ type: 'string', format });
  expect(schema.problems(good)).toEqual([]);
  expect(schema.problems(bad)).toHaveLength(1);
});

describe('YAML', () => {
  const reason = (text: string) => caught(() => parseYaml(text, 'the manifest')).details;

  test('YAML and JSON become plain values', () => {
    expect(parseYaml('a: {b: [1, x, null, true]}\nc: ~')).toEqual({
      a: { b: [1, 'x', null, true] },
      c: null,
    });
    expect(parseYaml('{"a": "\\u0041", "b": [1.5e3]}')).toEqual({ a: 'A', b: [1500] });
    expect(parseYaml('')).toBeNull();
    expect(parseYaml('on: yes')).toEqual({ on: 'yes' });
    expect(parseYaml('base: &b {x: 1}\nuse: *b')).toEqual({ base: { x: 1 }, use: { x: 1 } });
  });

  test('an error names the line and the column', () => {
    expect(reason('a: 1\nb: [1, 2\nc: 3')).toMatchObject({ what: 'the manifest', line: 3, column: 1 });
    expect(reason('a: 1\na: 2')).toMatchObject({
      line: 2,
      column: 1,
      reason: expect.stringContaining('unique'),
    });
  });

  test.each([
    ['a custom tag', 'a: !!js/function "x"'],
    ['a known but foreign tag', 'a: !!binary aGVsbG8='],
    ['a local tag', 'a: !include other.yaml'],
    ['a key that is no text', '? [a, b]\n: 1'],
    ['two documents', 'a: 1\n---\nb: 2'],
    ['not a number', 'a: .nan'],
    ['infinity', 'a: -.inf'],
    ['the prototype key', '__proto__: {admin: true}'],
    ['a tab for indentation', 'a:\n\tb: 1'],
    ['an unknown alias', 'a: *nowhere'],
    ['a large text', `a: "${'x'.repeat(300_000)}"`],
  ])('%s is refused', (_, text) => {
    expect(caught(() => parseYaml(text)).code).toBe('NEIRA_INVALID');
  });

  test('aliases that multiply are refused in time', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 10; i++)
      lines.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(', ')}]`,
      );
    const begun = performance.now();
    expect(caught(() => parseYaml(lines.join('\n'))).code).toBe('NEIRA_INVALID');
    expect(performance.now() - begun).toBeLessThan(2000);
  });

  test.each([
    ['brackets', '['.repeat(100_000)],
    ['braces', '{a: '.repeat(30_000)],
    ['dashes', `${'- '.repeat(50_000)}x`],
    ['keys', Array.from({ length: 500 }, (_, index) => `${' '.repeat(index)}a:`).join('\n')],
    ['question marks', `${'? '.repeat(50_000)}x`],
  ])('bottomless %s are refused in time', (_, text) => {
    const begun = performance.now();
    expect(caught(() => parseYaml(text)).code).toBe('NEIRA_INVALID');
    expect(performance.now() - begun).toBeLessThan(3000);
  });
});
