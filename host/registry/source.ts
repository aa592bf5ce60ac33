import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, readdir, realpath } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { NeiraError } from '../errors.ts';
import { packagesOf } from './packages.ts';
import {
  isLeftOut,
  refuseArchive,
  refuseSource,
  SOURCE_LIMITS,
  type SourceLimits,
  type SourceTree,
  TreeBuilder,
} from './tree.ts';
import { readZip } from './zip.ts';

/**
 * Intake of a plugin's files: inline, a folder on the host, or a zip, all into one {@link SourceTree}.
 *
 * Taken are plain files with relative paths. Left out in every form: `.git`, `node_modules/.bin`, and what
 * editors and systems drop. Everything else counts, the plugin's own `node_modules` included, since the
 * bundler resolves in it and a rollback must find it again; the caps bound it.
 */
export { SOURCE_LIMITS, type SourceLimits, type SourceTree } from './tree.ts';

export const SIGNATURE_FILE = 'signature.json';
const MANIFEST_FILES = ['manifest.yaml', 'manifest.yml', 'manifest.json'];

export interface InlineSource {
  /** Beside the files, or as one of them. */
  readonly manifest?: string | object;
  readonly files: Readonly<Record<string, string | { readonly base64: string }>>;
}

/** Files written into the request itself. @throws NEIRA_SOURCE_REFUSED */
export function sourceFromInline(source: InlineSource, limits: SourceLimits = SOURCE_LIMITS): SourceTree {
  const tree = new TreeBuilder(limits, refuseSource);
  for (const [path, content] of Object.entries(source.files)) {
    if (isLeftOut(path)) throw refuseSource('such a file is never taken', path);
    tree.add(path, typeof content === 'string' ? Buffer.from(content) : fromBase64(content?.base64, path));
  }
  if (source.manifest !== undefined) {
    const clash = MANIFEST_FILES.find((name) => tree.files.has(name));
    if (clash !== undefined)
      throw refuseSource('there is a manifest beside the files and one among them', clash);
    const [name, text] =
      typeof source.manifest === 'string'
        ? ['manifest.yaml', source.manifest]
        : ['manifest.json', `${JSON.stringify(source.manifest, null, 2)}\n`];
    tree.add(name, Buffer.from(text));
  }
  return tree.done();
}

/**
 * The files of a real folder, with the packages that its package.json names (packages.ts). A link is followed only to a file or folder inside of it; anything that is
 * no file, folder or such link is refused.
 * @throws NEIRA_SOURCE_REFUSED
 */
export async function sourceFromFolder(
  path: string,
  limits: SourceLimits = SOURCE_LIMITS,
): Promise<SourceTree> {
  const root = await realpath(resolve(path)).catch((error: NodeJS.ErrnoException) => {
    throw refuseSource(`it cannot be read (${error.code})`, path);
  });
  if (!(await lstat(root)).isDirectory()) throw refuseSource('it is no folder', path);
  const tree = new TreeBuilder(limits, refuseSource);

  const walk = async (folder: string, prefix: string, above: readonly string[]): Promise<void> => {
    for (const name of (await readdir(folder)).sort()) {
      const inside = prefix + name;
      if (isLeftOut(inside)) continue;
      tree.checkPath(inside);
      const real = await realpath(join(folder, name)).catch((error: NodeJS.ErrnoException) => {
        throw refuseSource(
          error.code === 'ELOOP' ? 'it is a link to itself' : `it cannot be read (${error.code})`,
          inside,
        );
      });
      const away = relative(root, real);
      if (away === '..' || away.startsWith(`..${sep}`))
        throw refuseSource('it is a link that leaves the folder', inside);
      const stat = await lstat(real);
      if (stat.isDirectory()) {
        if (above.includes(real)) throw refuseSource('it is a link to a folder that holds it', inside);
        await walk(real, `${inside}/`, [...above, real]);
      } else if (stat.isFile()) {
        tree.add(inside, await readPlainFile(real, inside, limits.maxFileBytes));
      } else throw refuseSource('it is neither a file nor a folder', inside);
    }
  };
  try {
    await walk(root, '', [root]);
    const { files, folders } = await packagesOf(root);
    for (const [path, content] of files) tree.add(path, content);
    return { ...tree.done(), packages: folders };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (error instanceof NeiraError || code === undefined) throw error;
    throw refuseSource(`it cannot be read (${code})`, path);
  }
}

/** The files of a zip; one folder that holds everything is taken off. @throws NEIRA_ARCHIVE_REFUSED */
export async function sourceFromZip(
  archive: Buffer,
  limits: SourceLimits = SOURCE_LIMITS,
): Promise<SourceTree> {
  const tree = new TreeBuilder(limits, refuseArchive);
  await readZip(archive, limits, tree, refuseArchive);
  return withoutTopFolder(tree.done());
}

/** The manifest's text. There is exactly one manifest. @throws NEIRA_SOURCE_REFUSED */
export function manifestOf(tree: SourceTree): { readonly path: string; readonly text: string } {
  const found = MANIFEST_FILES.filter((name) => tree.files.has(name));
  const [path] = found;
  if (path === undefined) throw refuseSource(`it holds none of ${MANIFEST_FILES.join(', ')}`);
  if (found.length > 1) throw refuseSource(`it holds several manifests: ${found.join(', ')}`);
  return { path, text: tree.files.get(path)!.toString('utf8') };
}

/**
 * sha-256 over paths and contents, hex: equal for equal files, whichever form they came in. The signature
 * is not part of what it signs.
 */
export function digestOf(tree: SourceTree): string {
  const digest = createHash('sha256').update('neira-tree-v1\n');
  const paths = [...tree.files.keys()].filter((path) => path !== SIGNATURE_FILE);
  for (const path of paths.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
    digest.update(`${createHash('sha256').update(tree.files.get(path)!).digest('hex')}  ${path}\n`);
  }
  return digest.digest('hex');
}

function withoutTopFolder(tree: SourceTree): SourceTree {
  const paths = [...tree.files.keys()];
  const top = paths[0]!.split('/')[0]!;
  if (!paths.every((path) => path.startsWith(`${top}/`))) return tree;
  return { files: new Map([...tree.files].map(([path, content]) => [path.slice(top.length + 1), content])) };
}

/** Opened without following a link that appeared meanwhile, and without waiting for a pipe. */
async function readPlainFile(real: string, inside: string, maxBytes: number): Promise<Buffer> {
  const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw refuseSource('it is neither a file nor a folder', inside);
    if (stat.size > maxBytes) throw refuseSource(`it is larger than ${maxBytes} bytes`, inside);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function fromBase64(text: unknown, path: string): Buffer {
  if (typeof text !== 'string' || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw refuseSource('its content is neither a text nor {base64}', path);
  }
  return Buffer.from(text, 'base64');
}
