/**
 * The two readings of an event's schema: closed for who publishes, open for who receives.
 *
 * Closed, an object that names its `properties` and says nothing of others allows no others. Open, a field
 * that the schema does not know is no mistake, so that a consumer lives through an addition. What the schema
 * accepts closed it accepts open; references are kept, so a reading is hardly larger than what it reads.
 */
import { isRecord } from '../schema.ts';

export type Schema = Readonly<Record<string, unknown>>;
export type Reading = 'closed' | 'open';

/** How a part of the schema is read: `kept` as it stands. */
type Mode = Reading | 'kept';

/** Describe the schema itself; no validator needs them. */
const IDENTITY = new Set(['$id', '$schema', 'x-version']);
/** Say something to people; no value fails by them. */
export const ANNOTATIONS: ReadonlySet<string> = new Set([
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  '$comment',
]);
/** Schemas that look at the same value as the one that holds them. */
const IN_PLACE = [
  'allOf',
  'anyOf',
  'oneOf',
  'not',
  'if',
  'then',
  'else',
  'dependentSchemas',
  '$ref',
] as const;
/** Schemas of which more to accept may mean that the whole accepts less: no reading changes them. */
const NEVER_READ = new Set(['not', 'if', 'contains', 'propertyNames']);
const MAPS = new Set(['properties', 'patternProperties', 'dependentSchemas']);
const LISTS = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems']);
const SINGLE = new Set(['items', 'additionalProperties', 'then', 'else', ...NEVER_READ]);

export function readSchema(root: Schema, reading: Reading): Schema {
  return new SchemaReader(root).read(reading);
}

/** The schema without what names it: what validators and audits look at. */
export function anonymous(schema: Schema): Schema {
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => !IDENTITY.has(keyword)));
}

/** The part of `root` that `#/$defs/<name>` names. */
export function resolveRef(root: Schema, ref: unknown): unknown {
  const match = typeof ref === 'string' ? /^#\/(\$defs|definitions)\/([\w.-]+)$/.exec(ref) : null;
  const home = match && root[match[1]!];
  return match && isRecord(home) && Object.hasOwn(home, match[2]!) ? home[match[2]!] : undefined;
}

/**
 * How many values the schema holds with every reference written out, which is what compiling it costs. For
 * schemas without circles.
 */
export function weightOf(root: Schema): number {
  const known = new Map<unknown, number>();
  const weigh = (value: unknown, isRef: boolean): number => {
    if (isRef) {
      const target = resolveRef(root, value);
      if (!known.has(target)) known.set(target, weigh(target, false));
      return known.get(target)!;
    }
    if (typeof value !== 'object' || value === null) return 1;
    return Object.entries(value).reduce((sum, [name, each]) => sum + weigh(each, name === '$ref'), 1);
  };
  const { $defs: _defs, definitions: _definitions, ...rest } = root;
  return weigh(rest, false);
}

class SchemaReader {
  readonly #root: Schema;
  /** By mode and name, as each is first met. */
  readonly #definitions = new Map<string, unknown>();

  constructor(root: Schema) {
    this.#root = root;
  }

  read(reading: Reading): Schema {
    const { $defs: _defs, definitions: _definitions, ...rest } = anonymous(this.#root);
    const read = this.#schema(rest, reading) as Schema;
    if (this.#definitions.size === 0) return read;
    return { ...read, $defs: Object.fromEntries(this.#definitions) };
  }

  #schema(schema: unknown, mode: Mode): unknown {
    if (!isRecord(schema)) return schema;
    const isAlone = Object.keys(schema).every((keyword) => keyword === '$ref' || ANNOTATIONS.has(keyword));
    const holds = IN_PLACE.some((keyword) => Object.hasOwn(schema, keyword));
    // Two schemas for one value know of each other's fields only together: neither may be closed.
    const inner: Mode = mode === 'closed' && holds && !isAlone ? 'kept' : mode;
    const read: Record<string, unknown> = {};
    for (const [keyword, value] of Object.entries(schema)) {
      const part = NEVER_READ.has(keyword) ? 'kept' : inner;
      read[keyword] = this.#keyword(keyword, value, part);
    }
    if (mode === 'closed' && !holds && isObjectThatSaysNothingOfOthers(schema))
      read['additionalProperties'] = false;
    if (mode === 'open') open(read);
    return read;
  }

  #keyword(keyword: string, value: unknown, mode: Mode): unknown {
    if (keyword === '$ref') return this.#reference(value, mode);
    if (SINGLE.has(keyword)) return this.#schema(value, mode);
    if (LISTS.has(keyword) && Array.isArray(value)) return value.map((each) => this.#schema(each, mode));
    if (MAPS.has(keyword) && isRecord(value)) {
      return Object.fromEntries(
        Object.entries(value).map(([name, each]) => [name, this.#schema(each, mode)]),
      );
    }
    return value;
  }

  #reference(ref: unknown, mode: Mode): unknown {
    const target = resolveRef(this.#root, ref);
    if (target === undefined) return ref;
    const name = `${mode}.${String(ref).replace(/^#\/(\$?)(defs|definitions)\//, '$2.')}`;
    if (!this.#definitions.has(name)) {
      // Its place is taken first: a definition may name others, and a refused one itself.
      this.#definitions.set(name, true);
      this.#definitions.set(name, this.#schema(target, mode));
    }
    return `#/$defs/${name}`;
  }
}

export function isObjectThatSaysNothingOfOthers(schema: Schema): boolean {
  return (
    isRecord(schema['properties']) &&
    !['additionalProperties', 'patternProperties', 'unevaluatedProperties'].some((each) =>
      Object.hasOwn(schema, each),
    )
  );
}

function open(read: Record<string, unknown>): void {
  if (read['additionalProperties'] === false) delete read['additionalProperties'];
  // Alternatives that excluded each other by the fields that they lack may both fit now.
  const { oneOf } = read;
  if (oneOf === undefined) return;
  delete read['oneOf'];
  const all = Array.isArray(read['allOf']) ? read['allOf'] : [];
  read['allOf'] = [...all, { anyOf: oneOf }];
}
