/** What a file of rules looks like, by schema.json, told in words an author can use. */
import { dereference, type OutputUnit, type Schema, validate } from '@cfworker/json-schema';
import { closest, distance } from 'fastest-levenshtein';
import schema from './schema.json' with { type: 'json' };
import type { Path } from './yaml.ts';

export interface Misfit {
  readonly path: Path;
  readonly message: string;
  readonly remedy?: string;
}

const { $defs } = schema;
/** Where references lead to, found once for all of it. */
const lookup = dereference(schema as Schema);

export function misfitsOf(value: unknown): readonly Misfit[] {
  const { valid, errors } = validate(value, schema as Schema, '2020-12', lookup, false);
  return valid ? [] : told(errors, schema);
}

/** Those that say something: an error around another one says less than it. */
function told(errors: readonly OutputUnit[], root: object): readonly Misfit[] {
  const misfits = new Map<string, Misfit>();
  for (const { instanceLocation, keyword, keywordLocation, error } of errors) {
    if (['properties', '$ref', 'false', 'items', 'propertyNames'].includes(keyword)) continue;
    const holder = schemaAt(root, keywordLocation.replace(/\/[^/]*$/, ''));
    const path = pathOf(instanceLocation);
    const misfit = misfitOf(path, keyword, holder, error);
    const key = JSON.stringify(misfit.path);
    // What `anyOf` says about a place counts more than what each of its ways says.
    if (!misfits.has(key) || keyword === 'anyOf') misfits.set(key, misfit);
  }
  const found = [...misfits.values()];
  const anyOfs = found.filter((each) => each.message.startsWith('must '));
  const isWithin = ({ path }: Misfit) =>
    anyOfs.some(
      (outer) => outer.path.length < path.length && outer.path.every((part, at) => part === path[at]),
    );
  return found.filter((each) => !isWithin(each));
}

function misfitOf(path: Path, keyword: string, holder: Record<string, unknown>, error: string): Misfit {
  const named = /"([^"]*)"/.exec(error)?.[1] ?? '';
  if (keyword === 'additionalProperties') {
    const known = Object.keys((holder['properties'] as object) ?? {});
    return { path: [...path, named], message: `unknown key \`${named}\``, ...nearest(named, known) };
  }
  if (keyword === 'required') return { path, message: `\`${named}\` is missing` };
  const say = holder['x-say'];
  if (typeof say === 'string') return { path, message: say };
  if (keyword === 'enum')
    return { path, message: `must be one of ${(holder['enum'] as unknown[]).join(', ')}` };
  if (keyword === 'type')
    return { path, message: `must be ${[holder['type']].flat().map(kindOf).join(' or ')}` };
  return { path, message: error.charAt(0).toLowerCase() + error.slice(1).replace(/\.$/, '') };
}

function kindOf(type: unknown): string {
  const names: Readonly<Record<string, string>> = {
    string: 'a text',
    array: 'a list',
    integer: 'a whole number',
  };
  return names[String(type)] ?? (String(type) === 'object' ? 'an object' : `a ${type}`);
}

/** What may have been meant. */
export function nearest(name: string, known: readonly string[]): { readonly remedy: string } {
  const all = `known are ${known.join(', ')}`;
  if (known.length === 0) return { remedy: 'leave it out' };
  const near = closest(name, known as string[]);
  return {
    remedy: distance(name, near) <= Math.max(2, near.length >> 1) ? `did you mean \`${near}\`?` : all,
  };
}

function pathOf(location: string): Path {
  return location
    .split('/')
    .slice(1)
    .map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

function schemaAt(root: object, location: string): Record<string, unknown> {
  let at = root as Record<string, unknown>;
  for (const part of location.split('/').slice(1)) {
    if (part === '$ref') at = definition(String(at['$ref']));
    else at = (at[decodeURIComponent(part)] ?? {}) as Record<string, unknown>;
  }
  return at;
}

function definition(ref: string): Record<string, unknown> {
  return ($defs as Record<string, Record<string, unknown>>)[ref.slice('#/$defs/'.length)]!;
}
