/**
 * The host functions by the shapes of their arguments and answers, all names resolved: by these the host turns what a
 * component passes into the texts that host functions take, and their answers into what a component expects.
 */
import { families, interfaceNamed, opOf, SHARED } from './render-types.ts';
import {
  camelCase,
  type WitDefinition,
  type WitFunction,
  type WitPackage,
  type WitType,
} from './wit-reader.ts';

/** Twin of `Shape` in host/sandbox/component/shapes.ts. */
type Shape =
  | string
  | { readonly option: Shape }
  | { readonly list: Shape }
  | { readonly record: Readonly<Record<string, Shape>> }
  | { readonly enum: readonly string[] };

export function renderShapes(wit: WitPackage): string {
  const known = new Map(interfaceNamed(wit, SHARED).definitions.map((each) => [each.name, each]));
  const functions = families(wit).flatMap((family) =>
    family.functions.map((fn) => ({
      op: opOf(family, fn),
      interface: `${wit.id.replace('@', `/${family.name}@`)}`,
      name: camelCase(fn.name),
      ...(fn.waits && { waits: true }),
      ...(fn.result?.kind === 'result' && { refuses: true }),
      params: fn.params.map(({ name, type }) => ({ name: camelCase(name), shape: shapeOf(type, known) })),
      answer: answerOf(fn, known),
    })),
  );
  return `${JSON.stringify({ package: wit.id, functions }, null, 2)}\n`;
}

/** `null` for none. What refuses says so; `storage.settings` and `bus.delivery` cannot. */
function answerOf({ result }: WitFunction, known: ReadonlyMap<string, WitDefinition>): Shape | null {
  if (!result) return null;
  if (result.kind !== 'result') return shapeOf(result, known);
  return result.ok ? shapeOf(result.ok, known) : null;
}

function shapeOf(type: WitType, known: ReadonlyMap<string, WitDefinition>): Shape {
  switch (type.kind) {
    case 'primitive':
      return type.name;
    case 'option':
      return { option: shapeOf(type.of, known) };
    case 'list':
      return { list: shapeOf(type.of, known) };
    case 'result':
      throw new Error('a result inside another type has no shape');
    case 'named':
      return definedShape(known.get(type.name)!, known);
  }
}

function definedShape(definition: WitDefinition, known: ReadonlyMap<string, WitDefinition>): Shape {
  if (definition.kind === 'enum') return { enum: definition.cases };
  if (definition.kind === 'alias')
    return definition.name === 'json' ? 'json' : shapeOf(definition.type, known);
  const fields = definition.fields.map(({ name, type }): [string, Shape] => [
    camelCase(name),
    shapeOf(type, known),
  ]);
  return { record: Object.fromEntries(fields) };
}
