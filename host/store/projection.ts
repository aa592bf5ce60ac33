import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { NeiraError } from '../errors.ts';
import { fault, faultArmed } from './fault.ts';

/**
 * Lines of files below the home that show what is in the rows.
 *
 * A line gets its offset inside the transaction and is written there after COMMIT. So it is in the file
 * exactly once, even when the process dies between the two: the rows say which bytes belong where, and
 * repair.ts puts them there. A file that cannot be written now is a suspect, repaired later; it never
 * undoes a commit.
 */

export type FileKind = 'record' | 'journal';

interface StagedLine {
  readonly file: number;
  readonly kind: FileKind;
  readonly path: string;
  readonly offset: number;
  readonly text: string;
}

interface OpenFile {
  readonly fd: number;
  /** Bytes that were written, and of these the bytes that were fsynced. */
  size: number;
  synced: number;
}

/** What surely is on disk; the next transaction records it. */
export interface Watermark {
  readonly file: number;
  readonly synced: number;
  readonly mtimeMs: number | null;
}

const MAX_OPEN_FILES = 128;

export class LineWriter {
  readonly #home: string;
  readonly #find: StatementSync;
  readonly #create: StatementSync;
  readonly #grow: StatementSync;
  readonly #staged: StagedLine[] = [];
  readonly #open = new Map<number, OpenFile>();
  /** Files whose content is in doubt; nothing is written to them until they were repaired. */
  readonly suspects = new Set<number>();
  #watermarks: Watermark[] = [];

  constructor(db: DatabaseSync, home: string) {
    this.#home = home;
    this.#find = db.prepare('select id from file where path = ?');
    this.#create = db.prepare('insert into file(path, kind, size, synced) values(?, ?, 0, 0) returning id');
    this.#grow = db.prepare('update file set size = size + ?, mtime_ms = null where id = ? returning size');
  }

  // --- inside the transaction

  /** Gives `line` its place in the file; it is written by {@link flush} after COMMIT. */
  append(kind: FileKind, path: string, line: string): { file: number; offset: number; bytes: number } {
    const known = this.#find.get(path) ?? this.#create.get(path, kind)!;
    const file = Number(known['id']);
    // Refused before it commits; the journal has no choice but to commit, and its file becomes a suspect.
    if (kind === 'record' && !this.#open.has(file)) requireSafeFolder(this.#home, path);
    const bytes = Buffer.byteLength(line) + 1;
    const offset = Number(this.#grow.get(bytes, file)!['size']) - bytes;
    this.#staged.push({ file, kind, path, offset, text: line });
    return { file, offset, bytes };
  }

  /** For taking back what a record staged, when the record is rolled back. */
  mark(): number {
    return this.#staged.length;
  }

  rewind(mark: number): void {
    this.#staged.length = mark;
  }

  // --- after COMMIT

  /** Writes what was staged. Never throws: what cannot be written becomes a suspect. */
  flush(): void {
    if (this.#staged.length === 0) return;
    const runs = new Map<number, { first: StagedLine; texts: string[] }>();
    for (const line of this.#staged) {
      const run = runs.get(line.file);
      // The lines of one file in one group follow each other: offsets rise with each append.
      if (run) run.texts.push(line.text);
      else runs.set(line.file, { first: line, texts: [line.text] });
    }
    this.#staged.length = 0;
    for (const { first, texts } of runs.values()) {
      if (this.suspects.has(first.file)) continue;
      try {
        this.#write(first, Buffer.from(`${texts.join('\n')}\n`));
      } catch {
        this.#drop(first.file);
        this.suspects.add(first.file);
      }
    }
  }

  #write({ file, kind, path, offset }: StagedLine, bytes: Buffer): void {
    const point = kind === 'journal' ? 'journal' : 'ndjson';
    const open = this.#open.get(file) ?? this.#openFile(file, path);
    // Somebody else removed the file or wrote to it: what is in it is to be looked at first.
    const { nlink, size } = fstatSync(open.fd);
    if (nlink === 0 || size !== offset) throw new Error(`${path} is not as it was left`);
    fault(`${point}.before-write`);
    if (faultArmed(`${point}.mid-write`)) {
      writeFully(open.fd, bytes.subarray(0, bytes.length >> 1), offset);
      fault(`${point}.mid-write`);
    }
    writeFully(open.fd, bytes, offset);
    open.size = offset + bytes.length;
    if (kind === 'record') fault('ndjson.after-write');
  }

  #openFile(file: number, path: string): OpenFile {
    if (this.#open.size >= MAX_OPEN_FILES) {
      for (const [oldest, { synced, size, fd }] of this.#open) {
        if (synced !== size) fsyncSync(fd);
        this.#noteSynced(oldest);
        this.#drop(oldest);
        break;
      }
    }
    const fd = openBelow(this.#home, path);
    const size = fstatSync(fd).size;
    const open: OpenFile = { fd, size, synced: size };
    this.#open.set(file, open);
    return open;
  }

  #drop(file: number): void {
    const open = this.#open.get(file);
    if (!open) return;
    this.#open.delete(file);
    closeSync(open.fd);
  }

  /** Forgets the open file: repair is about to replace it. */
  release(file: number): void {
    this.#drop(file);
  }

  // --- what surely is on disk

  /** Fsyncs in the background what was written since; the watermarks follow in {@link takeWatermarks}. */
  sync(done: () => void): void {
    for (const [file, open] of this.#open) {
      if (open.synced === open.size) continue;
      const upTo = open.size;
      fsync(open.fd, (error) => {
        if (error || this.#open.get(file) !== open) return;
        open.synced = upTo;
        this.#noteSynced(file);
        done();
      });
    }
  }

  syncNow(): void {
    for (const [file, open] of this.#open) {
      if (open.synced === open.size) continue;
      try {
        fsyncSync(open.fd);
        open.synced = open.size;
        this.#noteSynced(file);
      } catch {
        this.suspects.add(file);
      }
    }
  }

  #noteSynced(file: number): void {
    const { fd, size, synced } = this.#open.get(file)!;
    const mtimeMs = synced === size ? fstatSync(fd).mtimeMs : null;
    this.#watermarks.push({ file, synced, mtimeMs });
  }

  takeWatermarks(): readonly Watermark[] {
    const taken = this.#watermarks;
    this.#watermarks = [];
    return taken;
  }

  /** Adds what repair brought to disk. */
  note(watermarks: readonly Watermark[]): void {
    this.#watermarks.push(...watermarks);
  }

  get hasWatermarks(): boolean {
    return this.#watermarks.length > 0;
  }

  close(): void {
    for (const file of [...this.#open.keys()]) this.#drop(file);
  }
}

export function writeFully(fd: number, bytes: Buffer, offset: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
  }
}

/**
 * Opens a file below the home for reading and writing, made if it is not there; never through a symbolic
 * link, neither of the file nor of the folders between, so that nothing is written outside the home.
 */
export function openBelow(home: string, path: string): number {
  requireSafeFolder(home, path);
  mkdirSync(join(home, dirname(path)), { recursive: true, mode: 0o700 });
  const flags = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
  return openSync(join(home, path), flags, 0o600);
}

/** @throws NEIRA_STORE_FAILED when a folder between the home and the file is not a folder of its own. */
export function requireSafeFolder(home: string, path: string): void {
  let folder = '';
  for (const part of dirname(path).split('/')) {
    folder = folder === '' ? part : `${folder}/${part}`;
    const found = lstatSync(join(home, folder), { throwIfNoEntry: false });
    if (found === undefined) return;
    if (!found.isDirectory()) {
      throw new NeiraError('NEIRA_STORE_FAILED', { reason: `${folder} in the home is not a plain folder` });
    }
  }
}
