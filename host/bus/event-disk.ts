/** The texts of a folder of events, for tools that work without a host. */
import { type Dirent, lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { NeiraError } from '../errors.ts';

const TEXTS = /\.(?:json|ya?ml|md)$/;
const MAX_FILES = 5000;
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * By paths relative to `folder`, with `/` between their parts. Links and hidden files are left out.
 * @throws NEIRA_NOT_FOUND unless it is a folder; NEIRA_INVALID when it holds more than events could need.
 */
export function readEventTexts(folder: string): Map<string, string> {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  } catch {
    throw new NeiraError('NEIRA_NOT_FOUND', { what: 'folder', id: folder });
  }
  const texts = new Map<string, string>();
  for (const entry of entries.filter((each) => each.isFile() && TEXTS.test(each.name))) {
    const file = path.join(entry.parentPath, entry.name);
    const name = path.relative(folder, file).split(path.sep).join('/');
    if (name.split('/').some((part) => part.startsWith('.') || part === 'node_modules')) continue;
    const tooMuch = texts.size >= MAX_FILES || lstatSync(file).size > MAX_FILE_BYTES;
    if (tooMuch)
      throw new NeiraError('NEIRA_INVALID', {
        what: `The folder ${folder}`,
        reason: `\`${name}\` is too much`,
      });
    texts.set(name, readFileSync(file, 'utf8'));
  }
  return texts;
}
