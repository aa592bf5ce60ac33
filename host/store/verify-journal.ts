import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { databasePath, openForReading } from './database.ts';
import { FIRST_PREV, hashOf, type JournalEntry } from './journal.ts';

export interface JournalReport {
  readonly ok: boolean;
  readonly entries: number;
  /** Lines at the end of a file that the next boot will write: the process died before it could. */
  readonly pendingLines: number;
  /** The first thing that is wrong; without `file` it is in the database. */
  readonly problem?: {
    readonly file?: string;
    readonly line?: number;
    readonly seq?: number;
    readonly what: string;
  };
}

interface Row {
  readonly seq: number;
  readonly meta: string;
  readonly line: string;
  readonly path: string;
  readonly offset: number;
  readonly synced: number;
}

/**
 * Checks the journal of a home, running or not, and changes nothing: the chain of hashes in the database,
 * then every line of `journal/*.ndjson` against it (HOST-42).
 */
export function verifyJournal(home: string): JournalReport {
  const db = openForReading(databasePath(home));
  try {
    db.exec('begin');
    const rows = db
      .prepare(
        `select seq, meta, line, path, offset, synced from journal join file on file.id = journal.file order by seq`,
      )
      .all() as unknown as Row[];
    const count = Number(db.prepare('select count(*) as n from journal').get()!['n']);
    const problem =
      checkChain(rows) ?? (count === rows.length ? undefined : { what: 'entries name no file' });
    const files = problem ? { pendingLines: 0 } : checkFiles(home, rows);
    const first = problem ?? files.problem;
    return {
      ok: first === undefined,
      entries: rows.length,
      pendingLines: files.pendingLines,
      ...(first && { problem: first }),
    };
  } finally {
    db.close();
  }
}

function checkChain(rows: readonly Row[]): JournalReport['problem'] {
  let prev = FIRST_PREV;
  let seq = 0;
  for (const row of rows) {
    const bad = (what: string) => ({ seq: row.seq, what });
    seq++;
    if (row.seq !== seq) return { seq, what: `the entry is missing; the next one is ${row.seq}` };
    const entry = parse(row.line);
    if (!entry) return bad('the entry is not JSON');
    if (entry.seq !== row.seq || entry['neira:meta'] !== row.meta)
      return bad('the entry is not the one of this row');
    if (entry.prev !== prev) return bad('the entry does not continue the one before it');
    if (entry.hash !== hashOf(entry)) return bad('the content of the entry does not match its hash');
    prev = entry.hash;
  }
  return undefined;
}

function checkFiles(
  home: string,
  rows: readonly Row[],
): { pendingLines: number; problem?: JournalReport['problem'] } {
  let pendingLines = 0;
  for (const [path, expected] of Map.groupBy(rows, (row) => row.path)) {
    const full = join(home, path);
    if (!existsSync(full)) {
      if (expected[0]!.synced > 0)
        return { pendingLines, problem: { file: path, line: 1, what: 'the file is missing' } };
      pendingLines += expected.length;
      continue;
    }
    const found = readFileSync(full);
    let end = 0;
    for (const [index, row] of expected.entries()) {
      const text = Buffer.from(`${row.line}\n`);
      end = row.offset + text.length;
      const there = found.subarray(row.offset, end);
      if (there.equals(text)) continue;
      const torn =
        row.offset >= row.synced && end > found.length && text.subarray(0, there.length).equals(there);
      if (!torn) {
        const what = there.length === 0 ? 'the line is missing' : 'the line is not what the journal says';
        return { pendingLines, problem: { file: path, line: index + 1, seq: row.seq, what } };
      }
      pendingLines++;
    }
    if (found.length > end) {
      return {
        pendingLines,
        problem: { file: path, line: expected.length + 1, what: 'the journal has no such line' },
      };
    }
  }
  return { pendingLines };
}

function parse(line: string): JournalEntry | undefined {
  try {
    return JSON.parse(line) as JournalEntry;
  } catch {
    return undefined;
  }
}
