/**
 * Writes everything in this repository that is generated and committed; with `--check` it writes nothing and
 * fails with the names of the files that are stale. The outputs depend on the sources alone, so that two
 * machines generate the same bytes.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { renderCapabilities } from '../gates/render-capabilities.ts';
import { readEventTexts } from '../host/bus/event-disk.ts';
import { lintEvents, PUBLISHED_FILE, publishedIn, renderPublished } from '../host/bus/event-lint.ts';
import { ERRORS } from '../host/errors.ts';
import { renderContract } from '../host/http/openapi.ts';
import { GATES_FILE, parseGates } from '../host/registry/gate-catalogue.ts';
import { loadEvents } from './event-sources.ts';
import { renderC } from './render-c.ts';
import { renderCommands } from './render-commands.ts';
import { renderErrors } from './render-errors.ts';
import { renderEventTypes, renderRegistry } from './render-events.ts';
import { renderHints } from './render-hints.ts';
import { renderRust } from './render-rust.ts';
import { renderShapes } from './render-shapes.ts';
import { renderFunctions, renderGuestTypes, renderHostTypes } from './render-types.ts';
import { readWit, type WitPackage } from './wit-reader.ts';
import {
  breaksOf,
  RELEASED_FILE,
  type Releases,
  releasedBefore,
  releaseOf,
  renderReleases,
} from './wit-release.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const WIT = 'abi/wit/v1';
const EVENTS = 'abi/events';

/** Every generated file, by its path from the root of the project. */
export function generate(): ReadonlyMap<string, string> {
  const wit = loadWit();
  const events = loadEvents(ROOT);
  const gates = parseGates(readFileSync(GATES_FILE, 'utf8'));
  return new Map([
    ['abi/types/guest.d.ts', renderGuestTypes(wit, Object.keys(ERRORS).sort())],
    ['abi/types/host.d.ts', renderHostTypes(wit)],
    ['abi/types/functions.json', renderFunctions(wit)],
    ['abi/types/shapes.json', renderShapes(wit)],
    ['abi/types/neira.h', renderC(wit)],
    ['abi/types/neira.rs', renderRust(wit)],
    ['abi/errors.md', renderErrors(ERRORS)],
    ['abi/types/events.d.ts', renderEventTypes(events)],
    [`${EVENTS}/_dist/registry.json`, renderRegistry(events)],
    ['abi/commands/openapi.yaml', renderCommands(events)],
    ['abi/prompts/llm_hints.md', renderHints(events)],
    ['abi/http/_dist/openapi.json', renderContract()],
    ['gates/CAPABILITIES.md', renderCapabilities(gates)],
    ['gates/_dist/gates.json', `${JSON.stringify(gates, null, 2)}\n`],
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

/**
 * Takes the schemas of the host as they are into the snapshot that later ones are compared with. Part of a
 * release, never of a build. @returns 1 when the lint finds an error; nothing is written then.
 */
function publishEvents(): number {
  const files = readEventTexts(path.join(ROOT, EVENTS));
  const errors = lintEvents(files).filter(({ severity }) => severity === 'error');
  for (const { rule, file, pointer, message } of errors)
    console.error(`${rule}: ${file}${pointer} ${message}`);
  if (errors.length > 0) return 1;
  const own = loadEvents(ROOT).filter(({ owner }) => owner === 'host');
  write(`${EVENTS}/${PUBLISHED_FILE}`, renderPublished(publishedIn(files), own));
  return 0;
}

/**
 * Takes the WIT as it is into the record of what was released. Part of a release, never of a build: from then on a
 * test holds the WIT to it. @returns 1 when it breaks what was released before; nothing is written then.
 */
function releaseWit(): number {
  const releases = JSON.parse(read(RELEASED_FILE) ?? '{}') as Releases;
  const wit = loadWit();
  const breaks = breaksOf(releasedBefore(releases, wit.id), releaseOf(wit));
  for (const each of breaks) console.error(each);
  if (breaks.length > 0) return 1;
  write(RELEASED_FILE, renderReleases({ ...releases, [wit.id]: releaseOf(wit) }));
  return 0;
}

function write(file: string, text: string): void {
  mkdirSync(path.dirname(path.join(ROOT, file)), { recursive: true });
  writeFileSync(path.join(ROOT, file), text);
  console.log(`wrote ${file}`);
}

function read(file: string): string | undefined {
  try {
    return readFileSync(path.join(ROOT, file), 'utf8');
  } catch {
    return undefined;
  }
}

function main(args: readonly string[]): number {
  if (args.includes('--publish-events')) return publishEvents();
  if (args.includes('--release-wit')) return releaseWit();
  const stale = staleFiles();
  if (args.includes('--check')) {
    for (const file of stale) console.error(`stale: ${file} (run \`npm run gen\`)`);
    return stale.length === 0 ? 0 : 1;
  }
  const texts = generate();
  for (const file of stale) write(file, texts.get(file)!);
  return 0;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
