/**
 * Writes everything in this repository that is generated and committed; with `--check` it writes nothing and
 * fails with the names of the files that are stale. The outputs depend on the sources alone, so that two
 * machines generate the same bytes.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { renderCapabilities } from '../gates/render-capabilities.ts';
import { ERRORS } from '../host/errors.ts';
import { loadGates } from '../host/registry/gate-catalogue.ts';
import { renderErrors } from './render-errors.ts';
import { renderFunctions, renderGuestTypes, renderHostTypes } from './render-types.ts';
import { readWit, type WitPackage } from './wit-reader.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const WIT = 'abi/wit/v1';

/** Every generated file, by its path from the root of the project. */
export function generate(): ReadonlyMap<string, string> {
  const wit = loadWit();
  return new Map([
    ['abi/types/guest.d.ts', renderGuestTypes(wit, Object.keys(ERRORS).sort())],
    ['abi/types/host.d.ts', renderHostTypes(wit)],
    ['abi/types/functions.json', renderFunctions(wit)],
    ['abi/errors.md', renderErrors(ERRORS)],
    ['gates/CAPABILITIES.md', renderCapabilities(loadGates())],
  ]);
}

/** The generated files that are missing or differ from what their sources give now. */
export function staleFiles(): string[] {
  return [...generate()].filter(([file, text]) => read(file) !== text).map(([file]) => file);
}

export function loadWit(): WitPackage {
  const names = readdirSync(path.join(ROOT, WIT))
    .filter((name) => name.endsWith('.wit'))
    .sort();
  return readWit(
    new Map(names.map((name) => [`${WIT}/${name}`, readFileSync(path.join(ROOT, WIT, name), 'utf8')])),
  );
}

function read(file: string): string | undefined {
  try {
    return readFileSync(path.join(ROOT, file), 'utf8');
  } catch {
    return undefined;
  }
}

function main(args: readonly string[]): number {
  const stale = staleFiles();
  if (args.includes('--check')) {
    for (const file of stale) console.error(`stale: ${file} (run \`npm run gen\`)`);
    return stale.length === 0 ? 0 : 1;
  }
  const texts = generate();
  for (const file of stale) {
    mkdirSync(path.dirname(path.join(ROOT, file)), { recursive: true });
    writeFileSync(path.join(ROOT, file), texts.get(file)!);
    console.log(`wrote ${file}`);
  }
  return 0;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
