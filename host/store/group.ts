import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { KnownText } from '../base/masker.ts';
import { isNeiraError, toShape } from '../errors.ts';
import { Applier } from './apply.ts';
import type { BusNews, EventRouter } from './bus-records.ts';
import { isDiskFull } from './database.ts';
import { fault } from './fault.ts';
import { LineWriter, type Watermark } from './projection.ts';
import type { Ack, JournalDraft, TurnRecord, WriteRecord } from './records.ts';
import { type FileRow, Repairer } from './repair.ts';

/** Raised inside a group when the whole transaction is lost, not only one record. */
class GroupLost extends Error {
  readonly reason: unknown;
  constructor(reason: unknown) {
    super('the transaction was lost');
    this.reason = reason;
  }
}

const PURGE_EVERY_MS = 60_000;
const PURGE_ROWS = 5000;

/** Commits groups of records under one fsync each, and keeps the files below the home in step. */
export class GroupCommit {
  readonly #db: DatabaseSync;
  readonly #lines: LineWriter;
  readonly #repairer: Repairer;
  readonly #applier: Applier;
  readonly #problem: (what: string, reason: string) => void;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #rollback: StatementSync;
  readonly #savepoint: StatementSync;
  readonly #release: StatementSync;
  readonly #undo: StatementSync;
  readonly #watermark: StatementSync;
  readonly #purge: StatementSync;
  #lastNowMs: number;
  #nextPurgeMs = 0;
  /** Files that could not be mended lately; reported once, tried again. */
  readonly #reported = new Set<number>();

  constructor(
    db: DatabaseSync,
    home: string,
    router: EventRouter,
    problem: (what: string, reason: string) => void,
  ) {
    this.#db = db;
    this.#problem = problem;
    this.#lines = new LineWriter(db, home);
    this.#repairer = new Repairer(db, home);
    this.#applier = new Applier(db, home, this.#lines, router);
    this.#begin = db.prepare('begin immediate');
    this.#commit = db.prepare('commit');
    this.#rollback = db.prepare('rollback');
    this.#savepoint = db.prepare('savepoint record');
    this.#release = db.prepare('release record');
    this.#undo = db.prepare('rollback to record');
    this.#watermark = db.prepare('update file set synced = ?, mtime_ms = ? where id = ?');
    this.#purge = db.prepare(
      `delete from idempotency where key in (
         select key from idempotency where expires_at_ms <= ? limit ${PURGE_ROWS})`,
    );
    this.#lastNowMs = Number(db.prepare('select coalesce(max(at_ms), 0) as at from event').get()!['at']);
  }

  /**
   * Commits what can be committed and answers every record, in order. When this returns, what was answered
   * with `ok` is durable and its lines are in their files.
   */
  commit(records: readonly WriteRecord[]): readonly Ack[] {
    const acks = this.#attempt(records);
    this.#lines.flush();
    if (this.#lines.suspects.size > 0) this.mendSuspects();
    return acks;
  }

  #attempt(records: readonly WriteRecord[]): readonly Ack[] {
    try {
      return this.#transaction(records);
    } catch (error) {
      const reason = error instanceof GroupLost ? error.reason : error;
      const full = isDiskFull(reason);
      // One record that breaks the transaction must not take its neighbours with it. On a full disk, or when
      // not even a transaction can begin, it would only be the same again for each.
      if (!full && error instanceof GroupLost && records.length > 1) {
        return records.flatMap((record) => this.#attempt([record]));
      }
      return records.map((record) =>
        refused(record, full ? { code: 'NEIRA_DISK_FULL', details: {} } : storeFailed(reason)),
      );
    }
  }

  #transaction(records: readonly WriteRecord[]): readonly Ack[] {
    const nowMs = this.#now();
    this.#begin.run();
    try {
      const acks: Ack[] = [];
      for (const record of records) {
        acks.push(this.#one(record, nowMs));
        fault('writer.mid-group');
      }
      this.#applier.finish();
      this.#recordWatermarks();
      if (nowMs >= this.#nextPurgeMs) {
        this.#purge.run(nowMs);
        this.#nextPurgeMs = nowMs + PURGE_EVERY_MS;
      }
      fault('writer.before-commit');
      this.#commit.run();
      fault('writer.after-commit');
      return acks;
    } catch (error) {
      this.#applier.forget();
      // SQLite ends the transaction by itself for some errors.
      if (this.#db.isTransaction) this.#rollback.run();
      this.#applier.reload();
      throw error instanceof GroupLost ? error : new GroupLost(error);
    }
  }

  #one(record: WriteRecord, nowMs: number): Ack {
    const mark = this.#applier.mark();
    this.#savepoint.run();
    try {
      const ack = this.#applier.apply(record, nowMs);
      this.#release.run();
      return ack;
    } catch (error) {
      if (isDiskFull(error) || !this.#db.isTransaction) throw new GroupLost(error);
      this.#undo.run();
      this.#release.run();
      this.#applier.rewind(mark);
      return refused(record, isNeiraError(error) ? toShape(error) : storeFailed(error));
    }
  }

  /** The time of a group; never before that of an earlier one, so that rows in order are in order of time. */
  #now(): number {
    this.#lastNowMs = Math.max(this.#lastNowMs, Date.now());
    return this.#lastNowMs;
  }

  #recordWatermarks(): void {
    for (const { file, synced, mtimeMs } of this.#lines.takeWatermarks())
      this.#watermark.run(synced, mtimeMs, file);
  }

  /** What the last commit did on the bus, once. */
  takeNews(): BusNews {
    return this.#applier.takeNews();
  }

  /** Plugins that could run now. */
  listen(plugins: readonly string[]): void {
    this.#applier.listen(plugins);
  }

  /** What must not be told: see censor.ts. */
  learn(known: readonly KnownText[]): void {
    this.#applier.censor.learn(known);
  }

  /** Subject patterns of what leaves for other hubs. */
  carry(patterns: readonly string[]): void {
    this.#applier.carry(patterns);
  }

  // --- files

  /** Compares every file with its rows and mends it; deletes what an earlier process left half done. */
  boot(): void {
    try {
      this.#applier.boot();
    } catch (error) {
      // A full disk must not keep the host from starting: reading still works.
      this.#problem('blobs that nothing names could not be deleted', (error as Error).message);
    }
    this.#mend(this.#repairer.files());
  }

  /** Fsyncs files in the background; `done` when there are watermarks to record by a commit of nothing. */
  syncFiles(done: () => void): void {
    this.#lines.sync(done);
  }

  /** Records what was fsynced, if that is more than was known. */
  recordWatermarks(): void {
    if (this.#lines.hasWatermarks) this.#attempt([]);
  }

  mendSuspects(): void {
    const rows = [...this.#lines.suspects].map((id) => this.#repairer.file(id));
    this.#lines.suspects.clear();
    this.#mend(rows.filter((row) => row !== undefined));
  }

  #mend(rows: readonly FileRow[]): void {
    const nowMs = this.#now();
    const work: { row: FileRow; setAside?: string; equal: boolean }[] = [];
    const drafts: JournalDraft[] = [];
    for (const row of rows) {
      const verdict = this.#repairer.inspect(row);
      if (verdict.is === 'unreachable') this.#defer(row, verdict.reason);
      else if (verdict.is === 'foreign') {
        const setAside = this.#repairer.setAsideName(row, nowMs);
        work.push({ row, setAside, equal: false });
        const note = 'it differed from what the host had written; it was renamed and written anew';
        drafts.push({ actor: 'host', action: 'file.set_aside', target: row.path, after: setAside, note });
      } else if (verdict.is !== 'sound') work.push({ row, equal: verdict.is === 'equal' });
    }
    // First the journal, then the change: a crash between them journals twice rather than never.
    const journaled =
      drafts.length === 0 || this.#attempt([{ kind: 'admin', ops: [], journal: drafts }])[0]!.ok;
    const watermarks: Watermark[] = [];
    for (const { row, setAside, equal } of work) {
      if (setAside !== undefined && !journaled) {
        this.#defer(row, 'that it was to be set aside could not be journaled');
        continue;
      }
      this.#lines.release(row.id);
      try {
        // The journal file itself may have grown by the lines above.
        const current = this.#repairer.file(row.id)!;
        watermarks.push(equal ? this.#repairer.settle(current) : this.#repairer.mend(current, setAside));
        this.#reported.delete(row.id);
      } catch (error) {
        this.#defer(row, (error as Error).message);
      }
    }
    this.#lines.note(watermarks);
    if (watermarks.length > 0) this.#attempt([]);
    this.#lines.flush();
  }

  #defer(row: FileRow, reason: string): void {
    this.#lines.suspects.add(row.id);
    if (this.#reported.has(row.id)) return;
    this.#reported.add(row.id);
    this.#problem(`${row.path} cannot be written; the store holds what belongs there`, reason);
  }

  get hasSuspects(): boolean {
    return this.#lines.suspects.size > 0;
  }

  /** Everything on disk, nothing left to repair: the next boot compares nothing. */
  close(): void {
    if (this.#lines.suspects.size > 0) this.mendSuspects();
    this.#lines.syncNow();
    this.#attempt([]);
    this.#lines.close();
  }
}

function refused(record: WriteRecord, error: ReturnType<typeof toShape>): Ack {
  const turnId = (record as Partial<TurnRecord> | null)?.turnId;
  return { ok: false, ...(turnId !== undefined && { turnId }), error };
}

function storeFailed(error: unknown) {
  const reason = error instanceof Error ? error.message : String(error);
  return { code: 'NEIRA_STORE_FAILED' as const, details: { reason } };
}
