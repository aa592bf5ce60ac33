import { NeiraError } from '../errors.ts';

/** The files of a plugin, whatever form they came in. */
export interface SourceTree {
  /** By path with `/`, in no particular order. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** Of a folder: where packages lie that were taken along from above it. */
  readonly packages?: readonly string[];
}

export interface SourceLimits {
  readonly maxFiles: number;
  readonly maxFileBytes: number;
  readonly maxTotalBytes: number;
}

export const SOURCE_LIMITS: SourceLimits = {
  maxFiles: 5000,
  maxFileBytes: 16 * 1024 * 1024,
  maxTotalBytes: 64 * 1024 * 1024,
};

const MAX_PATH_CHARS = 512;
const MAX_PATH_PARTS = 32;

export type Refuse = (reason: string, entry?: string) => NeiraError;

/** What is in no tree, whatever form it came in. */
export function isLeftOut(path: string): boolean {
  const parts = path.split('/');
  return (
    parts.some((part) => ['.git', '.DS_Store', 'Thumbs.db', '__MACOSX'].includes(part)) ||
    parts.some((part, index) => part === '.bin' && parts[index - 1] === 'node_modules') ||
    /(?:~|\.sw[a-p]|\.tmp)$|^\.#/.test(parts.at(-1)!)
  );
}

/** Collects files and holds the rules that are the same for every form. */
export class TreeBuilder {
  readonly files = new Map<string, Buffer>();
  /** Folded path → the path itself; `/` at the end marks a folder. */
  readonly #taken = new Map<string, string>();
  readonly #limits: SourceLimits;
  readonly #refuse: Refuse;
  #bytes = 0;

  constructor(limits: SourceLimits, refuse: Refuse) {
    this.#limits = limits;
    this.#refuse = refuse;
  }

  get remainingBytes(): number {
    return this.#limits.maxTotalBytes - this.#bytes;
  }

  checkPath(path: string): void {
    const parts = path.split('/');
    if (path.length > MAX_PATH_CHARS || parts.length > MAX_PATH_PARTS)
      throw this.#refuse('its path is too long', path);
    if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) throw this.#refuse('its path is absolute', path);
    if (path.includes('\\')) throw this.#refuse('its path holds a backslash', path);
    if (parts.includes('..')) throw this.#refuse('its path leaves the folder', path);
    if (parts.includes('.') || parts.includes('')) throw this.#refuse('its path has an empty part', path);
    if (/\p{Cc}|\p{Cs}/u.test(path) || path.includes('\uFFFD'))
      throw this.#refuse('its name holds characters that are not printable', path);
  }

  add(path: string, content: Buffer): void {
    this.checkPath(path);
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth++)
      this.#take(`${parts.slice(0, depth).join('/')}/`, path);
    this.#take(path, path);
    this.#bytes += content.length;
    if (content.length > this.#limits.maxFileBytes)
      throw this.#refuse(`it is larger than ${this.#limits.maxFileBytes} bytes`, path);
    if (this.#bytes > this.#limits.maxTotalBytes)
      throw this.#refuse(`the files together are larger than ${this.#limits.maxTotalBytes} bytes`, path);
    this.files.set(path, content);
    if (this.files.size > this.#limits.maxFiles)
      throw this.#refuse(`there are more than ${this.#limits.maxFiles} files`, path);
  }

  done(): SourceTree {
    if (this.files.size === 0) throw this.#refuse('it holds no files');
    return { files: this.files };
  }

  /** Two names that some file systems hold for one are refused: what was signed must be what is read. */
  #take(path: string, entry: string): void {
    const folded = path.normalize('NFC').toLowerCase().replace(/\/$/, '');
    const holder = this.#taken.get(folded);
    if (holder === undefined) this.#taken.set(folded, path);
    else if (holder !== path || !path.endsWith('/'))
      throw this.#refuse(`its name is taken by \`${holder}\``, entry);
  }
}

export function refuseSource(reason: string, entry?: string): NeiraError {
  return refusal('NEIRA_SOURCE_REFUSED', reason, entry);
}

export function refuseArchive(reason: string, entry?: string): NeiraError {
  return refusal('NEIRA_ARCHIVE_REFUSED', reason, entry);
}

function refusal(
  code: 'NEIRA_SOURCE_REFUSED' | 'NEIRA_ARCHIVE_REFUSED',
  reason: string,
  entry?: string,
): NeiraError {
  if (entry === undefined) return new NeiraError(code, { reason });
  const shown = entry.slice(0, 200).replace(/[\p{Cc}\p{Cf}]/gu, '?');
  return new NeiraError(code, { reason: `\`${shown}\`: ${reason}`, entry: shown });
}
