/**
 * The exact type check: the component is put inside another one whose imports and exports are those of our world,
 * and the validator of jco judges whether it fits.
 *
 * So a lie in the type section does not validate, exports that nobody asked for are hidden (tools leave some), and
 * the generated code asks for and offers only what is in our WIT. Components that it is linked to lie beside it: they
 * import of the host as it does, and what one exports of the type that the other imports is passed between them.
 */
import { componentEmbed, componentNew, parse, print } from '@bytecodealliance/jco-transpile/wasm-tools';
import { Reader } from '../meter/reader.ts';
import { Writer } from '../meter/writer.ts';
import type { AnalysisJob, Part } from './analysis.ts';
import { WORLD } from './host-world.ts';

/** The pieces of a component of a world, as text. */
interface WorldText {
  /** Types and imports; an interface is bound to `$<its name>`. */
  readonly imports: string;
  /** Types of the exported functions, bound to `$type<n>`. */
  readonly exportTypes: string;
  /** The name of its type, by exported function. */
  readonly exports: ReadonlyMap<string, string>;
}

const HEADER_BYTES = 8;
const SECTION_COMPONENT = 4;

export type Wrapping = Pick<AnalysisJob, 'bytes' | 'given' | 'wit' | 'exported' | 'linked'>;

export async function wrapComponent(job: Wrapping): Promise<Uint8Array> {
  const { wit, exported, linked } = job;
  const world = await worldText(wit);
  const providers = linked.map(
    (part, index) =>
      `(instance $provider${index} (instantiate $linked${index} ${linksOf(part)}))` +
      part.interfaces
        .map((name) => `(alias export $provider${index} "${name}" (instance $${name}))`)
        .join(' '),
  );
  const exports = exported.map(
    (name) =>
      `(alias export $plugin "${name}" (func $${name}))` +
      `(export "${name}" (func $${name}) (func (type ${world.exports.get(name)!})))`,
  );
  const outer = await parse(
    `(component ${world.imports}
      ${linked.map((_, index) => `(component $linked${index})`).join(' ')} (component $inner)
      ${providers.join('\n')}
      (instance $plugin (instantiate $inner ${linksOf(job)}))
      ${world.exportTypes} ${exports.join('\n')})`,
  );
  return putInside(outer, [...linked, job]);
}

function linksOf({ given }: Part): string {
  return given.map(({ name, from }) => `(with "${name}" (instance $${from}))`).join(' ');
}

let lastWorld: { readonly wit: string; readonly text: WorldText } | undefined;

/** Most components import the same. */
async function worldText(wit: string): Promise<WorldText> {
  if (lastWorld?.wit !== wit) lastWorld = { wit, text: await printWorld(wit) };
  return lastWorld.text;
}

/** From a component that has the world and nothing else in it: jco prints what it is made of. */
async function printWorld(wit: string): Promise<WorldText> {
  const embedded = await componentEmbed({ dummy: true, witSource: wit, world: WORLD });
  const text = await print(await componentNew(embedded, []));
  const exportPart = text.slice(text.lastIndexOf('(core instance'));
  const types = [...exportPart.matchAll(/^ {2}\(type \(;\d+;\) .*\)$/gm)].map(([line]) => withNames(line));
  const lifted = exportPart.matchAll(/^ {2}\(func \$([a-z0-9-]+) \(;\d+;\) \(type (\d+)\)/gm);
  return {
    imports: text.slice(text.indexOf('(component') + '(component'.length, text.indexOf('(core module')),
    exportTypes: types.join('\n'),
    exports: new Map([...lifted].map(([, name, type]) => [name!, `$type${type}`])),
  };
}

/** Numbers count what stands before them, which is another number of types in the outer component. */
function withNames(line: string): string {
  return line.replace(/\(;(\d+);\)/, '$$type$1').replace(/(?<= )\d+(?=[ )])/g, '$$type$&');
}

/** Puts the components into the places that the outer one keeps for them, in this order. */
function putInside(outer: Uint8Array, components: readonly Part[]): Uint8Array {
  const reader = new Reader(outer, HEADER_BYTES, outer.length, 'outer component');
  const pieces = [outer.subarray(0, HEADER_BYTES)];
  const left = components.values();
  while (reader.position < reader.end) {
    const start = reader.position;
    const id = reader.byte();
    const section = reader.stretch('section');
    if (id === SECTION_COMPONENT) {
      const { bytes } = left.next().value!;
      pieces.push(new Writer().byte(SECTION_COMPONENT).u32(bytes.length).written, bytes);
    } else pieces.push(outer.subarray(start, section.end));
  }
  return Buffer.concat(pieces);
}
