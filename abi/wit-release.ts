/**
 * Released WIT: what guests were built against stays as it was. `abi/wit/_dist/released.json` holds, for each released
 * version, every function, type, import and export as text, without docs; `npm run wit:release` takes the WIT as it is
 * into it. Like the snapshot of events (host/bus/event-lint.ts).
 *
 * What a guest may rely on is only ever added to: a new function of an interface, a new interface, a new import of a
 * world, a new world. A record, an enum or a signature never changes, not even by an addition: the canonical ABI lays
 * them out by all of their parts, and a guest was compiled for the old ones. So is a new export of a world.
 */
import {
  type WitDefinition,
  type WitField,
  type WitFunction,
  type WitPackage,
  witText,
} from './wit-reader.ts';

/** By what it is called: `function storage.get`, `type entry`, `import plugin storage`, `export plugin handle`. */
export type Release = Readonly<Record<string, string>>;

/** By the id of the package: `neira:host@1.0.0`. */
export type Releases = Readonly<Record<string, Release>>;

export const RELEASED_FILE = 'abi/wit/_dist/released.json';

export function releaseOf(wit: WitPackage): Release {
  const items = [
    ...wit.interfaces.flatMap(({ name, definitions, functions }) => [
      ...definitions.map((each): Item => [`type ${name}.${each.name}`, definitionText(each)]),
      ...functions.map((each): Item => [`function ${name}.${each.name}`, functionText(each)]),
    ]),
    ...wit.worlds.flatMap(({ name, imports, exports }) => [
      ...imports.map((each): Item => [`import ${name} ${each}`, each]),
      ...exports.map((each): Item => [`export ${name} ${each.name}`, functionText(each)]),
    ]),
  ];
  return Object.fromEntries(items.sort(([a], [b]) => (a < b ? -1 : 1)));
}

type Item = [what: string, text: string];

/** In words, each way in which `now` breaks what was released. */
export function breaksOf(released: Release, now: Release): string[] {
  const changed = Object.entries(released).flatMap(([what, text]) => {
    const found = now[what];
    if (found === undefined) return [`${what} is gone`];
    return found === text ? [] : [`${what} was \`${text}\` and is \`${found}\``];
  });
  // A guest that was built before does not have it, and would no longer fit.
  const worlds = new Set(Object.keys(released).map(worldOf));
  const demanded = Object.keys(now).filter(
    (what) => what.startsWith('export ') && released[what] === undefined && worlds.has(worldOf(what)),
  );
  return [...changed, ...demanded.map((what) => `${what} is new, and no guest built before has it`)];
}

/** What `id`, of the same major version or not, has to keep: all that was released under that major version. */
export function releasedBefore(releases: Releases, id: string): Release {
  const line = id.replace(/\.\d+\.\d+$/, '');
  const same = Object.entries(releases).filter(([each]) => each.replace(/\.\d+\.\d+$/, '') === line);
  return Object.assign({}, ...same.map(([, release]) => release)) as Release;
}

export function renderReleases(releases: Releases): string {
  return `${JSON.stringify(releases, null, 2)}\n`;
}

function worldOf(what: string): string {
  const [kind, world] = what.split(' ');
  return kind === 'export' ? world! : '';
}

function definitionText(definition: WitDefinition): string {
  switch (definition.kind) {
    case 'alias':
      return witText(definition.type);
    case 'enum':
      return `enum { ${definition.cases.join(', ')} }`;
    case 'record':
      return `record { ${fieldsText(definition.fields)} }`;
  }
}

/** Whether it waits is part of it: scripts get a promise. */
function functionText({ params, result, waits }: WitFunction): string {
  const answer = result ? ` -> ${witText(result)}` : '';
  return `${waits ? 'waiting ' : ''}func(${fieldsText(params)})${answer}`;
}

function fieldsText(fields: readonly WitField[]): string {
  return fields.map(({ name, type }) => `${name}: ${witText(type)}`).join(', ');
}
