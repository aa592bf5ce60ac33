import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
} from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { fault } from './fault.ts';
import { type FileKind, openBelow, requireSafeFolder, type Watermark, writeFully } from './projection.ts';

/**
 * Brings files back to what their rows say. A file that lost its tail (the process died between COMMIT and
 * write) is completed in place. A file that says something else (edited, longer, replaced) is renamed to
 * `<name>.set-aside-<time>` and written anew; nothing that a person wrote is thrown away.
 */

export interface FileRow {
  readonly id: number;
  readonly path: string;
  readonly kind: FileKind;
  readonly size: number;
  readonly synced: number;
  readonly mtime_ms: number | null;
}

/**
 * `sound`; `equal` to its rows, though not known to be on disk; `tail` to be completed; `missing`; `foreign`
 * content; `unreachable`, with what is in the way.
 */
export type Verdict =
  | { readonly is: 'sound' | 'equal' | 'tail' | 'missing' | 'foreign' }
  | { readonly is: 'unreachable'; readonly reason: string };

const CHUNK_BYTES = 1024 * 1024;

export class Repairer {
  readonly #home: string;
  readonly #files: StatementSync;
  readonly #file: StatementSync;
  readonly #lines: Readonly<Record<FileKind, StatementSync>>;

  constructor(db: DatabaseSync, home: string) {
    this.#home = home;
    this.#files = db.prepare('select * from file');
    this.#file = db.prepare('select * from file where id = ?');
    this.#lines = {
      record: db.prepare('select line from record where file = ? order by offset'),
      journal: db.prepare('select line from journal where file = ? order by offset'),
    };
  }

  files(): readonly FileRow[] {
    return this.#files.all() as unknown as FileRow[];
  }

  file(id: number): FileRow | undefined {
    return this.#file.get(id) as unknown as FileRow | undefined;
  }

  /**
   * Looks at one file. Where size and change time are what they were when it was last surely on disk, that is
   * all; every other file is compared byte by byte.
   */
  inspect(row: FileRow): Verdict {
    try {
      requireSafeFolder(this.#home, row.path);
      const found = lstatSync(join(this.#home, row.path), { throwIfNoEntry: false });
      if (found === undefined) return { is: row.size === 0 ? 'sound' : 'missing' };
      if (!found.isFile()) return { is: 'foreign' };
      if (found.size === row.size && row.synced === row.size && found.mtimeMs === row.mtime_ms)
        return { is: 'sound' };
      if (found.size > row.size || found.size < row.synced) return { is: 'foreign' };
      return this.#compare(row, found.size);
    } catch (error) {
      return { is: 'unreachable', reason: (error as Error).message };
    }
  }

  #compare(row: FileRow, size: number): Verdict {
    const fd = openSync(join(this.#home, row.path), constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    try {
      let torn = size < row.size;
      let offset = 0;
      for (const expected of this.#chunks(row)) {
        const found = Buffer.alloc(Math.max(0, Math.min(expected.length, size - offset)));
        readFully(fd, found, offset);
        if (!found.equals(expected.subarray(0, found.length))) {
          for (let i = 0; i < found.length; i++) {
            // Bytes that never arrived read as zeros; anything else was written by somebody.
            if (found[i] !== expected[i] && (offset + i < row.synced || found[i] !== 0))
              return { is: 'foreign' };
          }
          torn = true;
        }
        offset += expected.length;
      }
      return { is: torn ? 'tail' : 'equal' };
    } finally {
      closeSync(fd);
    }
  }

  /** Where the file of `row` would be set aside at this moment. */
  setAsideName(row: FileRow, nowMs: number): string {
    return `${row.path}.set-aside-${new Date(nowMs).toISOString().replaceAll(/[:.]/g, '-')}`;
  }

  /** Makes the file what its rows say, on disk when this returns; `setAside` is where the old one goes. */
  mend(row: FileRow, setAside: string | undefined): Watermark {
    if (setAside !== undefined) {
      renameSync(join(this.#home, row.path), join(this.#home, setAside));
      fault('repair.after-set-aside');
    }
    const fd = openBelow(this.#home, row.path);
    try {
      let offset = 0;
      for (const chunk of this.#chunks(row)) {
        writeFully(fd, chunk, offset);
        offset += chunk.length;
      }
      fsyncSync(fd);
      return { file: row.id, synced: offset, mtimeMs: fstatSync(fd).mtimeMs };
    } finally {
      closeSync(fd);
    }
  }

  /** Makes sure that an equal file is on disk, so that the next boot need not compare it. */
  settle(row: FileRow): Watermark {
    const fd = openBelow(this.#home, row.path);
    try {
      fsyncSync(fd);
      const { size, mtimeMs } = fstatSync(fd);
      return { file: row.id, synced: size, mtimeMs };
    } finally {
      closeSync(fd);
    }
  }

  *#chunks(row: FileRow): Generator<Buffer> {
    let texts: string[] = [];
    let length = 0;
    for (const { line } of this.#lines[row.kind].iterate(row.id) as Iterable<{ line: string }>) {
      texts.push(line);
      length += line.length + 1;
      if (length < CHUNK_BYTES) continue;
      yield Buffer.from(`${texts.join('\n')}\n`);
      texts = [];
      length = 0;
    }
    if (texts.length > 0) yield Buffer.from(`${texts.join('\n')}\n`);
  }
}

function readFully(fd: number, into: Buffer, offset: number): void {
  for (let done = 0; done < into.length; ) {
    const read = readSync(fd, into, done, into.length - done, offset + done);
    if (read === 0) throw new Error('the file became shorter while it was read');
    done += read;
  }
}
