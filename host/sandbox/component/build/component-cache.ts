/**
 * Built components on disk, so that a restart or a second save of the same bytes takes milliseconds.
 *
 * An entry is a hint, never the truth: it carries the digest of its name and content, and one that is torn, damaged
 * or put there under another name is built anew. Written beside and renamed, so that two hosts may share a folder.
 * Past the bounds the entries go that were not used for longest. What the disk refuses costs time, not a build.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type BuiltComponent, packComponent, unpackComponent } from '../built-component.ts';

export interface CacheOptions {
  readonly folder: string;
  /** Hears in words what the disk refused. */
  report(trouble: string): void;
  readonly maxEntries?: number;
  readonly maxTotalBytes?: number;
}

const MAX_ENTRIES = 256;
const MAX_TOTAL_BYTES = 512 * 1024 * 1024;
const DIGEST_LENGTH = 64;
const SUFFIX = '.json';
const TEMPORARY = '.tmp';

let written = 0;

export class ComponentCache {
  readonly #options: CacheOptions;

  constructor(options: CacheOptions) {
    this.#options = options;
  }

  /** @param key what the build follows from, as a digest. */
  async load(key: string): Promise<BuiltComponent | undefined> {
    try {
      const file = this.#fileOf(key);
      const entry = await readFile(file, 'utf8');
      const packed = entry.slice(DIGEST_LENGTH);
      if (entry.slice(0, DIGEST_LENGTH) !== digestOf(key, packed)) return undefined;
      const now = new Date();
      await utimes(file, now, now);
      return unpackComponent(packed);
    } catch (error) {
      if (!isMissing(error)) this.#report('read', error);
      return undefined;
    }
  }

  async save(key: string, built: BuiltComponent): Promise<void> {
    written += 1;
    const temporary = `${this.#fileOf(key)}.${process.pid}-${written}${TEMPORARY}`;
    try {
      await mkdir(this.#options.folder, { recursive: true });
      const packed = packComponent(built);
      // Not synced: what a power cut tears is built anew.
      await writeFile(temporary, digestOf(key, packed) + packed);
      await rename(temporary, this.#fileOf(key));
      await this.#trim();
    } catch (error) {
      this.#report('written', error);
      await rm(temporary, { force: true }).catch((again: unknown) => this.#report('tidied', again));
    }
  }

  #fileOf(key: string): string {
    return path.join(this.#options.folder, key + SUFFIX);
  }

  #report(what: string, error: unknown): void {
    const { folder, report } = this.#options;
    report(`The cache of components in ${folder} could not be ${what}: ${(error as Error).message}`);
  }

  async #trim(): Promise<void> {
    const { folder, maxEntries = MAX_ENTRIES, maxTotalBytes = MAX_TOTAL_BYTES } = this.#options;
    // What a host that died was writing goes with the rest, when it is the oldest.
    const names = (await readdir(folder)).filter((name) => name.endsWith(SUFFIX) || name.endsWith(TEMPORARY));
    const entries = (await Promise.all(names.map((name) => sizeOf(path.join(folder, name)))))
      .filter((entry) => entry !== undefined)
      .sort((a, b) => b.usedMs - a.usedMs);
    let total = 0;
    for (const [index, { file, bytes }] of entries.entries()) {
      total += bytes;
      const isNewest = index === 0;
      if (!isNewest && (index >= maxEntries || total > maxTotalBytes)) await rm(file, { force: true });
    }
  }
}

/** Undefined when another host has just removed it. */
async function sizeOf(file: string): Promise<{ file: string; bytes: number; usedMs: number } | undefined> {
  try {
    const { size, mtimeMs } = await stat(file);
    return { file, bytes: size, usedMs: mtimeMs };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function digestOf(key: string, packed: string): string {
  return createHash('sha256').update(key).update(packed).digest('hex');
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
