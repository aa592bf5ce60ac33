/** Files that a command of a plugin takes, and those that it gives back. */
import { lstat, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { NeiraError } from '../errors.ts';
import { plain } from './output.ts';

const MAX_FILES = 500;
const MAX_BYTES = 4 * 1024 * 1024;
const LEFT_OUT = new Set(['node_modules']);

export interface FoundFiles {
  /** Texts by their paths, with `/` between. */
  readonly files: Readonly<Record<string, string>>;
  /** Where it is one file that was named. */
  readonly entry?: string;
}

/** @throws NEIRA_INVALID */
export async function filesAt(where: string): Promise<FoundFiles> {
  const found = await stat(where).catch(() => undefined);
  if (!found) throw invalid(where, 'there is no such file or folder');
  if (!found.isDirectory()) {
    const entry = path.basename(where);
    return { files: { [entry]: await textOf(where) }, entry };
  }
  const files: Record<string, string> = {};
  let bytes = 0;
  for (const name of await namesIn(where)) {
    const text = await textOf(path.join(where, name));
    bytes += Buffer.byteLength(text);
    if (bytes > MAX_BYTES)
      throw invalid(where, `its files are larger than ${MAX_BYTES} bytes together; name a smaller folder`);
    files[name.split(path.sep).join('/')] = text;
  }
  return { files };
}

async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  const look = async (below: string): Promise<void> => {
    for (const entry of await readdir(path.join(folder, below), { withFileTypes: true })) {
      if (isLeftOut(entry.name)) continue;
      const name = path.join(below, entry.name);
      if (entry.isDirectory()) await look(name);
      else if (entry.isFile()) names.push(name);
      if (names.length > MAX_FILES)
        throw invalid(folder, `it holds more than ${MAX_FILES} files; name a smaller folder`);
    }
  };
  await look('');
  return names.sort();
}

function isLeftOut(name: string): boolean {
  return name.startsWith('.') || LEFT_OUT.has(name);
}

async function textOf(file: string): Promise<string> {
  const bytes = await readFile(file);
  if (bytes.length > MAX_BYTES) throw invalid(file, `it is larger than ${MAX_BYTES} bytes`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalid(file, 'it is no text in UTF-8');
  }
}

/**
 * Only below the folder, and only what {@link filesAt} would read there: what a plugin answers names no place of its own,
 * follows no link, and changes no `.git/config`. Nothing is written where one is refused. @throws NEIRA_INVALID
 */
export async function writeFiles(
  where: string,
  given: unknown,
  remark: (text: string) => void,
): Promise<void> {
  if (given === null || typeof given !== 'object') return;
  const folder = (await stat(where)).isDirectory() ? where : path.dirname(where);
  const files = Object.entries(given).map(([name, text]) => ({ name, text, to: placeBelow(folder, name) }));
  for (const { name, to } of files) await requireNoLink(folder, name, to);
  for (const { name, text, to } of files) {
    await mkdir(path.dirname(to), { recursive: true });
    await writeFile(to, String(text));
    remark(`wrote ${plain(name)}`);
  }
}

function placeBelow(folder: string, name: string): string {
  const to = path.resolve(folder, name);
  if (!to.startsWith(path.resolve(folder) + path.sep) || name.includes('\0'))
    throw invalid(name, 'the reply would write it outside of the folder');
  if (stepsTo(folder, to).some(isLeftOut))
    throw invalid(name, 'the reply would write a hidden file, or below node_modules');
  return to;
}

async function requireNoLink(folder: string, name: string, to: string): Promise<void> {
  let at = folder;
  for (const step of stepsTo(folder, to)) {
    at = path.join(at, step);
    const found = await lstat(at).catch(() => undefined);
    if (found?.isSymbolicLink()) throw invalid(name, 'the reply would write through a link');
  }
}

function stepsTo(folder: string, to: string): readonly string[] {
  return path.relative(folder, to).split(path.sep);
}

function invalid(what: string, reason: string): NeiraError {
  return new NeiraError('NEIRA_INVALID', { what: `\`${plain(what)}\``, reason, errors: [] });
}
