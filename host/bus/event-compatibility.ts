/**
 * Whether a changed schema keeps what its predecessor within the same major version promised (BUS-38, BUS-39).
 *
 * The promise is to producers: what the old schema accepted on publish, the new one accepts. What consumers
 * may stumble over – a new value of an enum, a field that may be missing now – is a warning, but for
 * `required-removed` of an event or reply, on which they build. Where the rules cannot see that a change is
 * harmless, it is broken: a new major version costs a folder.
 */
import { isDeepStrictEqual } from 'node:util';
import { isRecord } from '../schema.ts';
import { broken, doubtful, type EventFinding, pointerOf } from './event-finding.ts';
import { type EventKind, folderOf } from './event-names.ts';
import type { EventDefinition } from './event-registry.ts';
import { ANNOTATIONS, readSchema, resolveRef, type Schema } from './event-schema.ts';

/** What was released of an event: a snapshot that only a release changes. */
export interface PublishedEvent {
  readonly kind: EventKind;
  readonly requiredHeaders: readonly string[];
  readonly xVersion: string;
  readonly schema: Schema;
}

/** By name and version, `ui.notify@1`. */
export type PublishedEvents = Readonly<Record<string, PublishedEvent>>;

export const COMPATIBILITY_RULES = [
  'additional-properties-closed',
  'bound-tightened',
  'enum-value-added',
  'enum-value-removed',
  'event-removed',
  'format-changed',
  'keyword-changed',
  'kind-changed',
  'pattern-changed',
  'property-removed',
  'required-added',
  'required-header-added',
  'required-removed',
  'type-narrowed',
  'type-widened',
  'x-version-not-raised',
] as const;
type Rule = (typeof COMPATIBILITY_RULES)[number];

export function publishedForm({ kind, requiredHeaders, xVersion, schema }: EventDefinition): PublishedEvent {
  return { kind, requiredHeaders, xVersion, schema };
}

/** Every rule that `now` breaks beside `then`; pointers are into the schema of `now`, in `file`. */
export function compareEvents(then: PublishedEvent, now: EventDefinition, file: string): EventFinding[] {
  const next = folderOf(now.name, now.version + 1);
  const found = new Comparison(then, now, file, next).findings;
  if (then.kind !== now.kind) {
    found.push(
      broken(
        'kind-changed' satisfies Rule,
        file,
        `was a ${then.kind}, is a ${now.kind}`,
        `Make it a new event.`,
      ),
    );
  }
  for (const header of now.requiredHeaders.filter((each) => !then.requiredHeaders.includes(each))) {
    found.push(
      broken(
        'required-header-added' satisfies Rule,
        file,
        `the header \`${header}\` was not required`,
        `Do not require it, or make a new version in ${next}.`,
      ),
    );
  }
  if (!isDeepStrictEqual(then.schema, now.schema) && !isLater(now.xVersion, then.xVersion)) {
    found.push(
      broken(
        'x-version-not-raised' satisfies Rule,
        file,
        `the schema changed, and \`x-version\` is ${now.xVersion} where ${then.xVersion} was released`,
        'Raise `x-version` (and the version in `$id`): minor for an addition, patch for words.',
        '/x-version',
      ),
    );
  }
  return found;
}

/** Assertions with a bound that may move one way: `min` is tightened by going up, `max` by going down. */
const BOUNDS: readonly (readonly [keyword: string, direction: 'min' | 'max'])[] = [
  ['minLength', 'min'],
  ['maxLength', 'max'],
  ['minItems', 'min'],
  ['maxItems', 'max'],
  ['minProperties', 'min'],
  ['maxProperties', 'max'],
];
/** A change of one of these is not looked into. */
const OPAQUE = [
  'allOf',
  'oneOf',
  'not',
  'if',
  'then',
  'else',
  'contains',
  'minContains',
  'maxContains',
  'propertyNames',
  'prefixItems',
  'patternProperties',
  'dependentSchemas',
  'dependentRequired',
] as const;
const TYPES = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'];

class Comparison {
  readonly findings: EventFinding[] = [];
  readonly #file: string;
  readonly #next: string;
  readonly #kind: EventKind;
  readonly #then: Schema;
  readonly #now: Schema;

  constructor(then: PublishedEvent, now: EventDefinition, file: string, next: string) {
    this.#file = file;
    this.#next = next;
    this.#kind = now.kind;
    // As who publishes meets them: an object that says nothing of other fields has none.
    this.#then = readSchema(then.schema, 'closed');
    this.#now = readSchema(now.schema, 'closed');
    const { $defs: _then, ...old } = this.#then;
    const { $defs: _now, ...young } = this.#now;
    this.#compare(old, young, '');
  }

  #compare(oldPart: unknown, newPart: unknown, at: string): void {
    if (newPart === true || oldPart === false) return;
    const then = this.#resolved(this.#then, oldPart === true ? {} : oldPart);
    const now = this.#resolved(this.#now, newPart);
    if (!isRecord(now) || !isRecord(then)) {
      if (now !== true && then !== false)
        this.#broken('type-narrowed', at, 'nothing is accepted here any more');
      return;
    }
    // A reference with words beside it cannot be followed: the words count too.
    for (const keyword of ['$ref', ...OPAQUE]) this.#compareOpaque(keyword, then, now, at);
    this.#compareTypes(then, now, at);
    this.#compareValues(then, now, at);
    this.#compareBounds(then, now, at);
    this.#compareTexts(then, now, at);
    this.#compareAlternatives(then, now, at);
    this.#compareFields(then, now, at);
    const [oldItems, newItems] = [then['items'] ?? true, now['items'] ?? true];
    this.#compare(oldItems, newItems, `${at}/items`);
  }

  /** What a reference that stands alone names. Whoever read the schemas has refused circles. */
  #resolved(root: Schema, part: unknown): unknown {
    let found = part;
    while (isRecord(found) && typeof found['$ref'] === 'string') {
      const words = Object.keys(found).filter((keyword) => !ANNOTATIONS.has(keyword) && keyword !== '$ref');
      if (words.length > 0) return found;
      found = resolveRef(root, found['$ref']);
    }
    return found;
  }

  #compareOpaque(keyword: string, then: Schema, now: Schema, at: string): void {
    const written = (root: Schema, part: Schema) =>
      Object.hasOwn(part, keyword) ? writtenOut(root, { [keyword]: part[keyword] }) : undefined;
    if (!isDeepStrictEqual(written(this.#then, then), written(this.#now, now)))
      this.#broken('keyword-changed', at + pointerOf(keyword), `\`${keyword}\` changed`);
  }

  #compareTypes(then: Schema, now: Schema, at: string): void {
    const [old, young] = [typesOf(then), typesOf(now)];
    const lost = [...old].filter((type) => !young.has(type) && !(type === 'integer' && young.has('number')));
    const won = [...young].filter((type) => !old.has(type) && !(type === 'integer' && old.has('number')));
    if (lost.length > 0) this.#broken('type-narrowed', `${at}/type`, `${lost.join(', ')} was accepted`);
    if (won.length > 0)
      this.#doubtful('type-widened', `${at}/type`, `consumers did not expect ${won.join(', ')}`);
  }

  #compareValues(then: Schema, now: Schema, at: string): void {
    const [old, young] = [valuesOf(then), valuesOf(now)];
    const pointer = `${at}/${Object.hasOwn(now, 'const') ? 'const' : 'enum'}`;
    if (young && !old) this.#broken('enum-value-removed', pointer, 'other values were accepted');
    const lost = (old ?? []).filter((each) => young && !contains(young, each));
    if (lost.length > 0) this.#broken('enum-value-removed', pointer, `${list(lost)} was accepted`);
    const won = (young ?? []).filter((each) => old && !contains(old, each));
    if (won.length > 0) this.#doubtful('enum-value-added', pointer, `consumers may not know ${list(won)}`);
    if (old && !young) this.#doubtful('enum-value-added', at, `consumers know only ${list(old)}`);
  }

  #compareBounds(then: Schema, now: Schema, at: string): void {
    const tightened = (keyword: string, was: unknown) =>
      this.#broken('bound-tightened', at + pointerOf(keyword), `\`${keyword}\` was ${was ?? 'not there'}`);
    for (const [keyword, direction] of BOUNDS) {
      const [old, young] = [then[keyword], now[keyword]] as (number | undefined)[];
      if (young !== undefined && (old === undefined || (direction === 'min' ? young > old : young < old)))
        tightened(keyword, old);
    }
    for (const [plain, exclusive, sign] of [
      ['minimum', 'exclusiveMinimum', 1],
      ['maximum', 'exclusiveMaximum', -1],
    ] as const) {
      const [old, young] = [limitOf(then, plain, exclusive, sign), limitOf(now, plain, exclusive, sign)];
      if (young.at > old.at || (young.at === old.at && young.excluded && !old.excluded)) {
        tightened(young.excluded ? exclusive : plain, then[plain] ?? then[exclusive]);
      }
    }
    const [step, was] = [now['multipleOf'], then['multipleOf']] as (number | undefined)[];
    const isFiner =
      step === was || (Number.isInteger(step) && Number.isInteger(was) && Number.isInteger(was! / step!));
    if (step !== undefined && !isFiner) tightened('multipleOf', was);
    if (now['uniqueItems'] === true && then['uniqueItems'] !== true)
      tightened('uniqueItems', then['uniqueItems']);
  }

  #compareTexts(then: Schema, now: Schema, at: string): void {
    for (const keyword of ['pattern', 'format'] as const) {
      const [old, young] = [then[keyword], now[keyword]];
      if (young === undefined || young === old) continue;
      const was = old === undefined ? 'there was none' : `it was \`${String(old)}\``;
      this.#broken(`${keyword}-changed`, `${at}/${keyword}`, was);
    }
  }

  #compareAlternatives(then: Schema, now: Schema, at: string): void {
    const old = writtenOut(this.#then, then['anyOf']) as unknown[] | undefined;
    const young = writtenOut(this.#now, now['anyOf']) as unknown[] | undefined;
    if (isDeepStrictEqual(old, young)) return;
    if (old && young && old.every((each) => contains(young, each))) {
      this.#doubtful(
        'type-widened',
        `${at}/anyOf`,
        'consumers did not expect the alternative that was added',
      );
    } else this.#broken('keyword-changed', `${at}/anyOf`, '`anyOf` changed');
  }

  #compareFields(then: Schema, now: Schema, at: string): void {
    const [old, young] = [fieldsOf(then), fieldsOf(now)];
    const [others, newOthers] = [then['additionalProperties'] ?? true, now['additionalProperties'] ?? true];
    for (const [name, part] of Object.entries(old)) {
      const pointer = at + pointerOf('properties', name);
      if (Object.hasOwn(young, name)) this.#compare(part, young[name], pointer);
      else this.#broken('property-removed', pointer, `\`${name}\` was a field`);
    }
    for (const [name, part] of Object.entries(young)) {
      if (Object.hasOwn(old, name)) continue;
      // Where other fields were allowed, one of this name was, with whatever they may hold.
      this.#compare(others, part, at + pointerOf('properties', name));
      if (Object.keys((then['patternProperties'] as object | undefined) ?? {}).length > 0) {
        this.#broken(
          'keyword-changed',
          at + pointerOf('properties', name),
          'its name may fit `patternProperties`',
        );
      }
    }
    if (others !== false && newOthers === false) {
      this.#broken(
        'additional-properties-closed',
        `${at}/additionalProperties`,
        'other fields were accepted',
      );
    } else if (others !== false) this.#compare(others, newOthers, `${at}/additionalProperties`);

    const [needed, needs] = [requiredOf(then), requiredOf(now)];
    for (const name of needs.filter((each) => !needed.includes(each))) {
      this.#broken('required-added', `${at}/required`, `\`${name}\` could be left out`);
    }
    for (const name of needed.filter((each) => !needs.includes(each))) {
      const message = `consumers count on \`${name}\``;
      if (this.#kind === 'command') this.#doubtful('required-removed', `${at}/required`, message);
      else this.#broken('required-removed', `${at}/required`, message);
    }
  }

  #broken(rule: Rule, at: string, message: string): void {
    const remedy = `Take the change back, or make a new version in ${this.#next} and mark this one deprecated.`;
    this.findings.push(broken(rule, this.#file, message, remedy, at));
  }

  #doubtful(rule: Rule, at: string, message: string): void {
    this.findings.push(doubtful(rule, this.#file, message, 'Make sure that consumers live with it.', at));
  }
}

/** Keywords whose value is data and holds no schema. */
const DATA = new Set(['enum', 'const', 'required', 'dependentRequired']);
const MAPS = new Set(['properties', 'patternProperties', 'dependentSchemas']);

/** With every reference written out and without words: the same said otherwise is the same. */
function writtenOut(root: Schema, part: unknown, isMap = false): unknown {
  if (Array.isArray(part)) return part.map((each) => writtenOut(root, each));
  if (!isRecord(part)) return part;
  const entries = Object.entries(part).filter(([name]) => isMap || !ANNOTATIONS.has(name));
  return Object.fromEntries(
    entries.map(([name, value]) => {
      if (isMap) return [name, writtenOut(root, value)];
      if (name === '$ref') return [name, writtenOut(root, resolveRef(root, value))];
      return [name, DATA.has(name) ? value : writtenOut(root, value, MAPS.has(name))];
    }),
  );
}

function typesOf({ type }: Schema): ReadonlySet<string> {
  return new Set(type === undefined ? TYPES : Array.isArray(type) ? (type as string[]) : [type as string]);
}

/** The values that `enum` and `const` leave together; undefined when there is neither. */
function valuesOf(schema: Schema): readonly unknown[] | undefined {
  const values = schema['enum'] as readonly unknown[] | undefined;
  if (!Object.hasOwn(schema, 'const')) return values;
  const only = schema['const'];
  return values === undefined || contains(values, only) ? [only] : [];
}

function fieldsOf({ properties }: Schema): Schema {
  return isRecord(properties) ? properties : {};
}

function requiredOf({ required }: Schema): readonly string[] {
  return Array.isArray(required) ? (required as string[]) : [];
}

/** The bound of numbers in one direction, turned so that a greater one is tighter. */
function limitOf(schema: Schema, plain: string, exclusive: string, sign: 1 | -1) {
  const bounds = [
    { at: Number.NEGATIVE_INFINITY, excluded: false },
    ...[plain, exclusive]
      .filter((keyword) => typeof schema[keyword] === 'number')
      .map((keyword) => ({ at: sign * (schema[keyword] as number), excluded: keyword === exclusive })),
  ];
  return bounds.reduce((tight, each) =>
    each.at > tight.at || (each.at === tight.at && each.excluded) ? each : tight,
  );
}

function contains(values: readonly unknown[], wanted: unknown): boolean {
  return values.some((each) => isDeepStrictEqual(each, wanted));
}

function list(values: readonly unknown[]): string {
  return values.map((each) => JSON.stringify(each)).join(', ');
}

function isLater(version: string, than: string): boolean {
  const [a, b] = [version.split('.').map(Number), than.split('.').map(Number)];
  const at = a.findIndex((part, index) => part !== b[index]);
  return at >= 0 && a[at]! > b[at]!;
}
