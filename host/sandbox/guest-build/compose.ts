/** Components out of core modules, and the component around a script. */
import { componentEmbed, componentNew } from '@bytecodealliance/jco-transpile/wasm-tools';
import { wrapComponent } from '../component/build/outer-component.ts';
import { aroundScriptWit, exportsOf, hostWit, type World } from './worlds.ts';

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
 * The finished component: it imports the clock and the random numbers of WASI for what the script calls its own, and
 * exports what our world has and nothing else – not the way in by which the script was loaded.
 */
export function aroundScript(script: Uint8Array, world: World): Promise<Uint8Array> {
  const { wit, given } = aroundScriptWit();
  return wrapComponent({ bytes: script, wit, given, exported: exportsOf(world), linked: [] });
}
