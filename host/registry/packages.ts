/**
 * Packages that a plugin's folder names under `dependencies` of its `package.json` and does not hold itself: they are
 * taken along from where Node would find them, a `node_modules` of a folder above. So a plugin of a monorepo has what it
 * was written with, and its tree is whole: digest, versions, rollback and the bundler know no difference.
 *
 * Of a package only what a bundle can use is taken.
 */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { refuseSource } from './tree.ts';

const NAME = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;
const USEFUL = /(?:\.[cm]?js|\.json|^licen[cs]e(?:\.\w+)?)$/i;
const MAX_PACKAGES = 200;
const MAX_KEPT = 100;

interface Kept {
  readonly mtimeMs: number;
  readonly files: ReadonlyMap<string, Buffer>;
  readonly dependencies: readonly string[];
}

interface Wanted {
  readonly name: string;
  /** Folder whose code imports it. */
  readonly from: string;
  /** Where that lies in the tree; the plugin itself: nothing. */
  readonly place: string;
}

/** What was read of packages, for the next save: they are larger than the plugin and change less. */
const kept = new Map<string, Kept>();

export interface Packages {
  /** By their path in the tree. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** Real folders that they lie in. */
  readonly folders: readonly string[];
}

/** @throws NEIRA_SOURCE_REFUSED for a package that is not installed */
export async function packagesOf(root: string): Promise<Packages> {
  const files = new Map<string, Buffer>();
  const placed = new Map<string, string>();
  const queue: Wanted[] = (await dependenciesOf(root)).map((name) => ({ name, from: root, place: '' }));
  for (let next = queue.shift(); next; next = queue.shift()) {
    const folder = await find(next);
    // What lies in the plugin's own folder is part of it anyway.
    if (folder === root || folder.startsWith(root + sep)) continue;
    const place = placeFor(next, folder, placed);
    if (place === undefined) continue;
    if (placed.size > MAX_PACKAGES)
      throw refuseSource(`it needs more than ${MAX_PACKAGES} packages`, next.name);
    const { files: own, dependencies } = await read(folder);
    for (const [path, content] of own) files.set(`${place}/${path}`, content);
    queue.push(...dependencies.map((name) => ({ name, from: folder, place })));
  }
  return { files, folders: [...new Set(placed.values())] };
}

/** Beside the others, or within who needs another version of it; undefined where it is found already. */
function placeFor({ name, place }: Wanted, folder: string, placed: Map<string, string>): string | undefined {
  const shared = `node_modules/${name}`;
  const own = place === '' ? shared : `${place}/${shared}`;
  for (const at of [own, shared]) if (placed.get(at) === folder) return undefined;
  const free = placed.has(shared) ? own : shared;
  placed.set(free, folder);
  return free;
}

async function find({ name, from }: Wanted): Promise<string> {
  if (!NAME.test(name)) throw refuseSource('it is no name of a package', name);
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (await isFile(join(candidate, 'package.json'))) return realpath(candidate);
    if (folder === dirname(folder)) break;
  }
  throw refuseSource('package.json names this package and it is not installed; run `npm install`', name);
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** @throws NEIRA_SOURCE_REFUSED */
async function dependenciesOf(folder: string): Promise<readonly string[]> {
  const path = join(folder, 'package.json');
  if (!(await isFile(path))) return [];
  try {
    const { dependencies = {} } = JSON.parse(await readFile(path, 'utf8')) as { dependencies?: object };
    return Object.keys(dependencies);
  } catch (error) {
    throw refuseSource(`it is no package.json (${(error as Error).message})`, 'package.json');
  }
}

async function read(folder: string): Promise<Kept> {
  const { mtimeMs } = await stat(join(folder, 'package.json'));
  const known = kept.get(folder);
  if (known?.mtimeMs === mtimeMs) return known;
  const files = new Map<string, Buffer>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
      .slice(folder.length + 1)
      .replaceAll(sep, '/');
    if (entry.isFile() && USEFUL.test(entry.name) && !path.split('/').includes('node_modules'))
      files.set(path, await readFile(join(folder, path)));
  }
  const found = { mtimeMs, files, dependencies: await dependenciesOf(folder) };
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(folder, found);
  return found;
}
