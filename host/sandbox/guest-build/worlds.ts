/** The worlds that guests are built for, as WIT texts: that of abi/wit, and what lies around it. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const WIT = path.resolve(import.meta.dirname, '../../../abi/wit/v1');

/** `prepared-plugin` exports `prepare` as well. */
export type World = 'plugin' | 'prepared-plugin';

/**
 * What a script in a component asks of its turn, beside the host functions. Of the same shape as the interfaces of
 * WASI that stand for it in the finished component; under names of its own, because those of WASI are cut off when
 * the script is put together.
 */
export const INSIDE = { clock: 'neira:inside/clock@1.0.0', random: 'neira:inside/random@1.0.0' } as const;
export const OUTSIDE = {
  clock: 'wasi:clocks/wall-clock@0.2.0',
  random: 'wasi:random/random@0.2.0',
} as const;

const CLOCK = 'record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime;';
const RANDOM = 'get-random-bytes: func(len: u64) -> list<u8>;';

const INSIDE_WIT = `
package neira:inside@1.0.0 { interface clock { ${CLOCK} } interface random { ${RANDOM} } }`;
const OUTSIDE_WIT = `
package wasi:clocks@0.2.0 { interface wall-clock { ${CLOCK} } }
package wasi:random@0.2.0 { interface random { ${RANDOM} } }`;

const withTurn = (name: string, world: World, { clock, random }: typeof INSIDE | typeof OUTSIDE) =>
  `\nworld ${name} { include ${world}; import ${clock}; import ${random}; }`;

/** The package of the host functions as one text. */
export function hostWit(): string {
  const texts = readdirSync(WIT)
    .filter((name) => name.endsWith('.wit'))
    .sort()
    .map((name) => readFileSync(path.join(WIT, name), 'utf8'));
  return texts.map((text, index) => (index === 0 ? text : text.replace(/^package .*$/m, ''))).join('\n');
}

/** The world `script`: what a script is put together for. */
export function scriptWit(world: World): string {
  return hostWit() + withTurn('script', world, INSIDE) + INSIDE_WIT;
}

/** The world `finished`: what comes out, and what the host sees. */
export function finishedWit(world: World): string {
  return hostWit() + withTurn('finished', world, OUTSIDE) + OUTSIDE_WIT;
}
