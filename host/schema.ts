import { createHash } from 'node:crypto';
import type { ValidateFunction } from 'ajv';
import type { Ajv2020 } from 'ajv/dist/2020.js';
import { lazyPackage } from './base/lazy-package.ts';
import { compileLinear } from './base/linear-pattern.ts';
import { isRecord, type KeywordError, type Problem, readable, summary } from './base/problems.ts';
import { auditPluginSchema, PLUGIN_SCHEMA_LIMITS } from './base/schema-audit.ts';
import { NeiraError } from './errors.ts';

export type { Problem } from './base/problems.ts';
export { isRecord, MAX_PROBLEMS, summary } from './base/problems.ts';
export { PLUGIN_SCHEMA_LIMITS } from './base/schema-audit.ts';

/**
 * JSON Schema and YAML: the only file that knows ajv and yaml.
 *
 * Schemas of the host are trusted and report every error. Schemas of plugins (settings, params, events)
 * are hostile: see {@link compilePluginSchema}.
 */

export interface Validator {
  /** Empty when the value is valid. At most {@link MAX_PROBLEMS}. */
  problems(value: unknown): Problem[];
}

const FORMATS = [
  'date',
  'time',
  'date-time',
  'duration',
  'uri',
  'uri-reference',
  'email',
  'hostname',
  'ipv4',
  'ipv6',
  'uuid',
  'json-pointer',
  'regex',
] as const;

const ajvPackage = lazyPackage<typeof import('ajv/dist/2020.js')>('ajv/dist/2020.js');
// CommonJS: the module is the function itself, whatever its types say.
const addFormats = lazyPackage<typeof import('ajv-formats').default>('ajv-formats');
const yaml = lazyPackage<typeof import('yaml')>('yaml');

// Made when they are first needed: a cell whose plugins publish nothing never is, and each takes megabytes.
let hostAjv: Ajv2020 | undefined;
let pluginAjv: Ajv2020 | undefined;
const hostCache = new WeakMap<object, Validator>();
const pluginCache = new Map<string, Validator>();
const MAX_CACHED_PLUGIN_SCHEMAS = 512;

/** Loads now what the first schema would load: half a hundred milliseconds that no turn should wait for. */
export function prepareSchemas(): void {
  hostAjv ??= createHostAjv();
  pluginAjv ??= createPluginAjv();
}

/** A schema of the host itself, compiled once per object when it is first needed. Every error is reported. */
export function compileSchema(schema: Readonly<Record<string, unknown>>): Validator {
  let known = hostCache.get(schema);
  if (known !== undefined) return known;
  let compiled: Validator | undefined;
  known = {
    problems(value) {
      compiled ??= compileNow(schema);
      return compiled.problems(value);
    },
  };
  hostCache.set(schema, known);
  return known;
}

function compileNow(schema: Readonly<Record<string, unknown>>): Validator {
  hostAjv ??= createHostAjv();
  const compiled = validatorOf(hostAjv.compile(schema));
  hostAjv.removeSchema(schema);
  return compiled;
}

/**
 * Compiles a schema that a plugin brought. Bounded in size, depth and work; `$ref` only to the schema's
 * own `$defs` and without cycles; patterns run on an engine of linear time (linear-pattern.ts);
 * `uniqueItems` costs one pass; formats end at 2,048 characters. Reports the first error of a value only,
 * because collecting all of them is work that a caller could multiply.
 *
 * @throws NEIRA_INVALID with `errors` when the schema is refused; `what` names it in the message.
 */
export function compilePluginSchema(schema: unknown, what = 'the schema'): Validator {
  const refuse = (errors: Problem[]) =>
    new NeiraError('NEIRA_INVALID', { what, reason: summary(errors), errors });
  const text = jsonOf(schema);
  if (text === undefined)
    throw refuse([{ path: '$', message: 'is not plain JSON, or is nested too deeply' }]);
  if (text.length > PLUGIN_SCHEMA_LIMITS.maxBytes) {
    throw refuse([{ path: '$', message: `is larger than ${PLUGIN_SCHEMA_LIMITS.maxBytes} bytes` }]);
  }
  const key = createHash('sha256').update(text).digest('base64');
  const known = pluginCache.get(key);
  if (known !== undefined) {
    pluginCache.delete(key);
    pluginCache.set(key, known);
    return known;
  }
  // A copy: what was audited cannot be changed afterwards.
  const copy = JSON.parse(text) as unknown;
  const problems = auditPluginSchema(copy);
  if (problems.length > 0) throw refuse(problems);
  let compiled: Validator;
  try {
    pluginAjv ??= createPluginAjv();
    compiled = validatorOf(pluginAjv.compile(copy as Record<string, unknown>));
  } catch (error) {
    throw refuse([{ path: '$', message: error instanceof Error ? error.message : String(error) }]);
  } finally {
    if (typeof copy === 'object' && copy !== null) pluginAjv?.removeSchema(copy);
  }
  pluginCache.set(key, compiled);
  if (pluginCache.size > MAX_CACHED_PLUGIN_SCHEMAS) pluginCache.delete(pluginCache.keys().next().value!);
  return compiled;
}

/** @throws NEIRA_INVALID with `errors` unless `value` is valid; `what` names it in the message. */
export function validate(validator: Validator, value: unknown, what: string): void {
  const errors = validator.problems(value);
  if (errors.length > 0) throw new NeiraError('NEIRA_INVALID', { what, reason: summary(errors), errors });
}

/** `value` with the `default`s of `schema` where it is silent, objects inside objects included. A copy. */
export function withDefaults(schema: unknown, value: unknown): unknown {
  if (!isRecord(schema) || !isRecord(schema.properties)) return value;
  if (value !== undefined && !isRecord(value)) return value;
  const filled: Record<string, unknown> = { ...value };
  for (const [name, property] of Object.entries(schema.properties)) {
    if (!isRecord(property) || name === '__proto__') continue;
    const given = Object.hasOwn(filled, name) ? filled[name] : structuredClone(property.default);
    const inner = withDefaults(property, given);
    if (inner !== undefined && !(given === undefined && isRecord(inner) && Object.keys(inner).length === 0)) {
      filled[name] = inner;
    }
  }
  return filled;
}

function createHostAjv(): Ajv2020 {
  const ajv = new (ajvPackage().Ajv2020)({
    strict: true,
    strictTypes: false,
    strictRequired: false,
    allErrors: true,
    verbose: true,
    // The schemas are the host's own, and whatever is strange in them throws when they are compiled.
    validateSchema: false,
  });
  addFormats().default(ajv, [...FORMATS]);
  // What to say instead of the bare keyword error.
  ajv.addKeyword('x-say');
  return ajv;
}

/** A format is a pattern or a function, by itself or beside how its values compare. */
function testOf(format: unknown): (text: string) => boolean {
  if (format instanceof RegExp) return (text) => format.test(text);
  if (typeof format === 'function') return format as (text: string) => boolean;
  return testOf((format as { readonly validate: unknown }).validate);
}

function createPluginAjv(): Ajv2020 {
  const regExp = Object.assign(
    (pattern: string) => {
      const linear = compileLinear(pattern);
      // ajv tells patterns apart by this text.
      return { test: linear.test, toString: () => `linear:${pattern}` } as unknown as RegExp;
    },
    { code: 'linear' },
  );
  const ajv = new (ajvPackage().Ajv2020)({
    strict: false,
    strictSchema: true,
    allErrors: false,
    logger: false,
    validateFormats: true,
    verbose: true,
    code: { regExp },
  });
  for (const name of FORMATS) {
    const test = testOf(addFormats().default.get(name, 'fast'));
    const known =
      name === 'regex'
        ? isLinear
        : (text: string) => text.length <= PLUGIN_SCHEMA_LIMITS.maxFormatChars && test(text);
    ajv.addFormat(name, { type: 'string', validate: known });
  }
  // The original compares every item with every other.
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    error: { message: 'must not hold the same item twice' },
    validate: (wanted: boolean, items: unknown[]) =>
      !wanted || new Set(items.map((item) => JSON.stringify(sorted(item)))).size === items.length,
  });
  return ajv;
}

function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

function isLinear(pattern: string): boolean {
  try {
    compileLinear(pattern);
    return true;
  } catch {
    return false;
  }
}

function validatorOf(check: ValidateFunction): Validator {
  return {
    problems(value) {
      try {
        return check(value) ? [] : readable((check.errors ?? []) as KeywordError[]);
      } catch (error) {
        if (error instanceof RangeError) return [{ path: '$', message: 'is nested too deeply' }];
        throw error;
      }
    },
  };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}

export interface YamlOptions {
  /** Default 256 KiB. */
  readonly maxBytes?: number;
}

const MAX_YAML_BYTES = 256 * 1024;
const MAX_YAML_DEPTH = 64;
const MAX_YAML_ALIASES = 100;
const MAX_YAML_NODES = 50_000;

/**
 * YAML 1.2 (and so JSON) as plain JSON values: no duplicate keys, no tags but the core ones, no keys that
 * are not texts, no `.nan` or `.inf`, one document, aliases bounded both in number and in what they expand to.
 *
 * @throws NEIRA_INVALID with `errors`, and `line` and `column` where there is one; `what` names the text.
 */
export function parseYaml(text: string, what = 'the YAML', options: YamlOptions = {}): unknown {
  const refuse = (message: string, at?: { line: number; column: number }) => {
    const place = at === undefined ? '' : ` at line ${at.line}, column ${at.column}`;
    const errors = [{ path: at === undefined ? '$' : `${at.line}:${at.column}`, message }];
    return new NeiraError('NEIRA_INVALID', { what, reason: `${message}${place}`, errors, ...at });
  };
  const maxBytes = options.maxBytes ?? MAX_YAML_BYTES;
  if (Buffer.byteLength(text) > maxBytes) throw refuse(`it is larger than ${maxBytes} bytes`);
  if (nestsDeeply(text)) throw refuse('it is nested too deeply');
  const lines = new (yaml().LineCounter)();
  try {
    const document = yaml().parseDocument(text, {
      version: '1.2',
      schema: 'core',
      strict: true,
      uniqueKeys: true,
      stringKeys: true,
      merge: false,
      resolveKnownTags: false,
      prettyErrors: false,
      logLevel: 'error',
      lineCounter: lines,
    });
    const flaw = document.errors[0] ?? document.warnings[0];
    if (flaw !== undefined) {
      const { line, col } = lines.linePos(flaw.pos[0]);
      throw refuse(flaw.message.replace(/\.$/, ''), { line, column: col });
    }
    const value: unknown = document.toJS({ maxAliasCount: MAX_YAML_ALIASES });
    checkPlain(value, refuse);
    return value ?? null;
  } catch (error) {
    if (error instanceof NeiraError) throw error;
    if (error instanceof RangeError) throw refuse('it is nested too deeply');
    throw refuse(error instanceof Error ? error.message : String(error));
  }
}

/** Plain JSON values as YAML, without anchors. */
export function renderYaml(value: unknown): string {
  return yaml().stringify(value, { aliasDuplicateObjects: false, lineWidth: 110 });
}

/** Cheap look at the text before the parser, which recurses: flow brackets, and indentation. */
function nestsDeeply(text: string): boolean {
  let depth = 0;
  for (const char of text) {
    if (char === '[' || char === '{') depth++;
    else if (char === ']' || char === '}') depth = Math.max(0, depth - 1);
    else if (char === '\n' && depth <= MAX_YAML_DEPTH) continue;
    if (depth > MAX_YAML_DEPTH * 4) return true;
  }
  return /^(?:[ \t]*[-?:][ \t]+){64}/m.test(text);
}

function checkPlain(root: unknown, refuse: (message: string) => NeiraError): void {
  let nodes = 0;
  const walk = (value: unknown, depth: number): void => {
    if (++nodes > MAX_YAML_NODES) throw refuse('it holds too many values');
    if (depth > MAX_YAML_DEPTH) throw refuse('it is nested too deeply');
    if (typeof value === 'number' && !Number.isFinite(value))
      throw refuse('it holds a number that JSON has not');
    if (typeof value === 'bigint') throw refuse('it holds a number that JSON has not');
    if (Array.isArray(value)) for (const each of value) walk(each, depth + 1);
    else if (typeof value === 'object' && value !== null) {
      if (Object.hasOwn(value, '__proto__')) throw refuse('it holds the key `__proto__`');
      for (const each of Object.values(value)) walk(each, depth + 1);
    }
  };
  walk(root, 0);
}
