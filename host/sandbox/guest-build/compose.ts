/** Components out of core modules, and components around components. */
import { componentEmbed, componentNew, parse, print } from '@bytecodealliance/jco-transpile/wasm-tools';
import { finishedWit, hostWit, INSIDE, OUTSIDE, type World } from './worlds.ts';

const COMPONENT_SECTION = 4;

export interface CoreGuest {
  readonly module: Uint8Array;
  readonly world: World;
  /** How its strings lie in memory: `utf16` where the language has them so. */
  readonly encoding: 'utf8' | 'utf16';
}

/** A component of a core module that speaks the canonical ABI of our world by itself. @throws what wasm-tools says */
export async function componentOf({ module, world, encoding }: CoreGuest): Promise<Uint8Array> {
  const embedded = await componentEmbed({
    binary: module,
    witSource: hostWit(),
    world,
    stringEncoding: encoding,
  });
  return componentNew(embedded, []);
}

/**
 * The finished component around a script: it imports the clock and the random numbers of WASI for what the script
 * calls its own, and exports what our world has and nothing else – not the way in by which the script was loaded.
 */
export async function aroundScript(script: Uint8Array, world: World): Promise<Uint8Array> {
  const { declarations, names } = await importsOf(world);
  const given = (name: string) =>
    name === OUTSIDE.clock ? INSIDE.clock : name === OUTSIDE.random ? INSIDE.random : name;
  const withs = names.map((name) => `(with "${given(name)}" (instance $${name}))`).join(' ');
  const exported = (world === 'plugin' ? ['handle'] : ['handle', 'prepare']).map(
    (name) => `(alias export $script "${name}" (func $${name})) (export "${name}" (func $${name}))`,
  );
  const outer = await parse(
    `(component ${declarations} (component $inner) (instance $script (instantiate $inner ${withs})) ${exported.join(' ')})`,
  );
  return withInner(Buffer.from(outer), script);
}

/** How the finished world declares what it imports, read off an empty component of it. */
async function importsOf(world: World) {
  const embedded = await componentEmbed({ dummy: true, witSource: finishedWit(world), world: 'finished' });
  const text = await print(await componentNew(embedded, []));
  const declarations = text.slice(
    text.indexOf('(component') + '(component'.length,
    text.indexOf('(core module'),
  );
  const names = [...declarations.matchAll(/\(import "([^"]+)" \(instance/g)].map(([, name]) => name!);
  return { declarations, names };
}

/** Puts `inner` in the place of the one empty component in `outer`. */
function withInner(outer: Buffer, inner: Uint8Array): Buffer {
  const parts = [outer.subarray(0, 8)];
  for (let at = 8; at < outer.length; ) {
    const { value: length, end: start } = readLeb(outer, at + 1);
    const end = start + length;
    if (outer[at] === COMPONENT_SECTION) {
      parts.push(Buffer.from([COMPONENT_SECTION, ...leb(inner.length)]), Buffer.from(inner));
    } else parts.push(outer.subarray(at, end));
    at = end;
  }
  return Buffer.concat(parts);
}

export function readLeb(bytes: Uint8Array, start: number): { readonly value: number; readonly end: number } {
  let value = 0;
  let end = start;
  for (let shift = 0, byte = 0x80; byte & 0x80; shift += 7) {
    byte = bytes[end++]!;
    value += (byte & 0x7f) * 2 ** shift;
  }
  return { value, end };
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 0x80);
  }
}
