import { compileLinear } from './linear-pattern.ts';
import type { Problem } from './problems.ts';
import { isRecord, MAX_PROBLEMS } from './problems.ts';

/** What a plugin's schema may be (HOST-25): beyond it, it is refused, never cut. */
export const PLUGIN_SCHEMA_LIMITS = {
  maxBytes: 64 * 1024,
  maxDepth: 24,
  /** Nodes of the schema with every `$ref` written out: bounds the work per value. */
  maxNodes: 2000,
  /** States of all patterns together. */
  maxPatternStates: 1000,
  /** A longer text has no format. */
  maxFormatChars: 2048,
} as const;

const REFUSED_KEYWORDS = new Set([
  '$id',
  'id',
  '$anchor',
  '$dynamicAnchor',
  '$dynamicRef',
  '$recursiveRef',
  '$recursiveAnchor',
  '$vocabulary',
  '$async',
  '$data',
  'discriminator',
  'unevaluatedItems',
  'unevaluatedProperties',
]);
const DIALECT = 'https://json-schema.org/draft/2020-12/schema';
/** Keywords whose value maps names to schemas; the names are the author's. */
const SCHEMA_MAPS = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas']);
/** Keywords whose value is data. */
const DATA = new Set([
  'default',
  'const',
  'enum',
  'examples',
  'required',
  'dependentRequired',
  'title',
  'description',
  '$comment',
]);

/** Walks the schema as it would run, every `$ref` written out, and stops at the first limit. */
export function auditPluginSchema(root: unknown): Problem[] {
  const problems: Problem[] = [];
  let nodes = 0;
  let states = 0;
  const pattern = (source: unknown, path: string) => {
    if (typeof source !== 'string') return;
    try {
      states += compileLinear(source).states;
    } catch (error) {
      problems.push({ path, message: `\`${source}\` ${(error as Error).message}` });
    }
  };
  const walk = (schema: unknown, path: string, depth: number, refs: readonly string[]): void => {
    if (++nodes > PLUGIN_SCHEMA_LIMITS.maxNodes || states > PLUGIN_SCHEMA_LIMITS.maxPatternStates) return;
    if (depth > PLUGIN_SCHEMA_LIMITS.maxDepth) {
      problems.push({ path, message: 'is nested too deeply' });
      return;
    }
    if (Array.isArray(schema)) {
      for (const [index, each] of schema.entries()) walk(each, `${path}[${index}]`, depth + 1, refs);
      return;
    }
    if (!isRecord(schema)) return;
    for (const [keyword, value] of Object.entries(schema)) {
      const at = path === '$' ? keyword : `${path}.${keyword}`;
      if (REFUSED_KEYWORDS.has(keyword)) {
        problems.push({ path: at, message: 'is not allowed in the schema of a plugin' });
      } else if (keyword === '$schema') {
        if (value !== DIALECT) problems.push({ path: at, message: `must be ${DIALECT}` });
      } else if (keyword === '$ref') {
        const name = typeof value === 'string' ? /^#\/(\$defs|definitions)\/([\w.-]+)$/.exec(value) : null;
        const home = name !== null && isRecord(root) ? root[name[1]!] : undefined;
        if (name === null || !isRecord(home) || !Object.hasOwn(home, name[2]!)) {
          problems.push({ path: at, message: 'must name a schema of the same file, as `#/$defs/<name>`' });
        } else if (refs.includes(value as string)) {
          problems.push({ path: at, message: 'leads back to itself' });
        } else walk(home[name[2]!], at, depth + 1, [...refs, value as string]);
      } else if (keyword === 'pattern') pattern(value, at);
      else if (SCHEMA_MAPS.has(keyword) && isRecord(value)) {
        for (const [name, each] of Object.entries(value)) {
          if (name === '__proto__') problems.push({ path: at, message: 'must not name `__proto__`' });
          if (keyword === 'patternProperties') pattern(name, at);
          walk(each, `${at}.${name}`, depth + 1, refs);
        }
      } else if (!DATA.has(keyword)) walk(value, at, depth + 1, refs);
    }
  };
  if (!isRecord(root)) return [{ path: '$', message: 'must be a JSON Schema object' }];
  walk(root, '$', 0, []);
  if (nodes > PLUGIN_SCHEMA_LIMITS.maxNodes)
    problems.push({ path: '$', message: 'describes too much: fewer keywords or references are needed' });
  if (states > PLUGIN_SCHEMA_LIMITS.maxPatternStates)
    problems.push({ path: '$', message: 'has patterns that repeat too much' });
  return problems.slice(0, MAX_PROBLEMS);
}
