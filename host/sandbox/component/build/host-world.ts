/** What a component is checked against: the WIT of this host, read from the one source. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import shapes from '../../../../abi/types/shapes.json' with { type: 'json' };
import type { Given, HostInterfaces } from './allowed-imports.ts';
import { INERT_WASI_WIT } from './inert-wasi.ts';

export interface HostWorld extends HostInterfaces {
  /** The packages of the host and of inert WASI in one source, without a world for components. */
  readonly wit: string;
  /** Of `wit` and of which functions wait: where it differs, a build may differ. */
  readonly digest: string;
  /** The functions that a plugin exports, as WIT: `handle: func(…) -> …`. */
  readonly exports: readonly string[];
  /** Functions whose answer comes later, as jco spells them: `neira:host/io@1.0.0#request`. */
  readonly waiting: readonly string[];
}

const WIT_FOLDER = new URL('../../../../abi/wit/v1/', import.meta.url);
/** Our world is `plugin`; this one has beside it what a single component asks of WASI. */
export const WORLD = 'this-component';

let known: HostWorld | undefined;

export function hostWorld(): HostWorld {
  known ??= readWorld();
  return known;
}

function readWorld(): HostWorld {
  const files = readdirSync(WIT_FOLDER)
    .filter((name) => name.endsWith('.wit'))
    .sort()
    .map((name) => readFileSync(new URL(name, WIT_FOLDER), 'utf8'));
  const header = /^package (.+)@(.+);$/m.exec(files[0]!)!;
  const body = files.map((text) => text.replace(/^package .*$/m, '')).join('\n');
  const wit = `${header[0]}\n${body}\n${INERT_WASI_WIT}`;
  const waiting = shapes.functions
    .filter((each) => 'waits' in each && each.waits === true)
    .map(({ interface: face, op }) => `${face}#${op.split('.')[1]}`);
  return {
    package: header[1]!,
    version: header[2]!,
    interfaces: [...body.matchAll(/^interface ([a-z0-9-]+) \{$/gm)].map((found) => found[1]!),
    exports: [...body.matchAll(/^ {2}export (.+);$/gm)].map((found) => found[1]!),
    wit,
    waiting,
    digest: createHash('sha256')
      .update(JSON.stringify([wit, waiting]))
      .digest('hex'),
  };
}

/**
 * The WIT of the world `{@link WORLD}`: all that a plugin may import and export, and of WASI what this component
 * imports, so that its glue asks for no more.
 */
export function witFor(world: HostWorld, given: readonly Given[]): string {
  const wasi = new Set(given.map(({ from }) => from).filter((from) => from.startsWith('wasi:')));
  const imports = [...wasi].sort().map((each) => `  import ${each};\n`);
  return `${world.wit}\nworld ${WORLD} {\n  include prepared-plugin;\n${imports.join('')}}\n`;
}
