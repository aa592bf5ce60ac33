/** The worlds that guests are built for: that of abi/wit, and what lies around it. */
import type { Given } from '../component/build/allowed-imports.ts';
import { hostWorld, witFor } from '../component/build/host-world.ts';
import { INERT_WASI } from '../component/build/inert-wasi.ts';

/** `prepared-plugin` exports `prepare` as well. */
export type World = 'plugin' | 'prepared-plugin';

/**
 * What a script in a component asks of its turn beside the host functions, and the interface of WASI that stands for
 * it in the finished component. It has a name of its own because what is called WASI is cut off when the script is put
 * together.
 */
const INSIDE = [
  { name: 'neira:inside/clock@1.0.0', interface: 'wasi:clocks/wall-clock' },
  { name: 'neira:inside/random@1.0.0', interface: 'wasi:random/random' },
] as const;

/** Of the same types as the functions of WASI that they are. */
const INSIDE_WIT = `
package neira:inside@1.0.0 {
  interface clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }
  interface random { get-random-bytes: func(len: u64) -> list<u8>; }
}`;

/** The packages of the host and its worlds. */
export const hostWit = () => hostWorld().wit;

/** The world `script`: what a script is put together for. */
export function scriptWit(world: World): string {
  const imports = INSIDE.map(({ name }) => `import ${name};`).join(' ');
  return `${hostWit()}\nworld script { include ${world}; ${imports} }${INSIDE_WIT}`;
}

/** What each import of a script is given in the finished component, and the world of that. */
export function aroundScriptWit(): { readonly wit: string; readonly given: readonly Given[] } {
  const host = hostWorld();
  const own = host.interfaces.map((face) => `${host.package}/${face}@${host.version}`);
  const given = [
    ...own.map((name) => ({ name, from: name })),
    ...INSIDE.map((each) => ({
      name: each.name,
      from: INERT_WASI.find((wasi) => wasi.interface === each.interface)!.name,
    })),
  ];
  return { given, wit: witFor(host, given) };
}

export function exportsOf(world: World): readonly string[] {
  return world === 'plugin' ? ['handle'] : ['handle', 'prepare'];
}
