import { isRecord, type Problem } from '../schema.ts';

/** The short words of the source (UIT-03) and the JSON types that they stand for. */
const SHORT_TYPES: Readonly<Record<string, string | undefined>> = {
  string: 'string',
  int: 'integer',
  integer: 'integer',
  number: 'number',
  float: 'number',
  bool: 'boolean',
  boolean: 'boolean',
  object: 'object',
  array: 'array',
  any: '',
};

/**
 * `params_schema` as JSON Schema. The short form `{color: string?, points: number[]}` names each parameter:
 * `?` may be left out or null, `[]` is a list. Parameters that it does not name are let through.
 * A value with `type: object`, or with keywords whose values are no texts, is JSON Schema already.
 */
export function expandParamsSchema(
  input: Readonly<Record<string, unknown>>,
  path: string,
): {
  readonly schema: Record<string, unknown>;
  readonly problems: readonly Problem[];
} {
  const isSchema =
    input['type'] === 'object' ||
    Object.entries(input).some(([name, value]) => name.startsWith('$') || typeof value !== 'string');
  if (isSchema) return { schema: { ...input }, problems: [] };

  const problems: Problem[] = [];
  const properties: [string, unknown][] = [];
  const required: string[] = [];
  for (const [name, short] of Object.entries(input)) {
    const property = shortProperty(String(short));
    if (property === undefined) {
      problems.push({
        path: `${path}.${name}`,
        message: `\`${String(short).slice(0, 40)}\` is not one of ${Object.keys(SHORT_TYPES).join(', ')}, with [] for a list and ? for optional`,
      });
      continue;
    }
    properties.push([name, property]);
    if (!String(short).trim().endsWith('?')) required.push(name);
  }
  return {
    schema: {
      type: 'object',
      properties: Object.fromEntries(properties),
      required,
      additionalProperties: true,
    },
    problems,
  };
}

function shortProperty(short: string): Record<string, unknown> | undefined {
  const match = /^\s*([a-z]+)(\[\])?(\?)?\s*$/.exec(short);
  const type =
    match === null ? undefined : Object.hasOwn(SHORT_TYPES, match[1]!) ? SHORT_TYPES[match[1]!] : undefined;
  if (match === null || type === undefined) return undefined;
  const one = type === '' ? {} : { type };
  if (match[2] === undefined) return match[3] === undefined || type === '' ? one : { type: [type, 'null'] };
  return { type: match[3] === undefined ? 'array' : ['array', 'null'], items: one };
}

/** A settings or params schema describes an object. */
export function describesObject(schema: unknown): boolean {
  return isRecord(schema) && schema['type'] === 'object';
}
