import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * How much an acknowledged change survives.
 *
 * - `power`: the commit was fsynced before the answer left (`synchronous=FULL`). It survives loss of power,
 *   as far as the disk is honest about fsync.
 * - `process`: the commit was handed to the operating system (`synchronous=NORMAL`). It survives SIGKILL and
 *   any crash of the process; loss of power or a kernel crash may lose the newest commits (whole commits, the
 *   newest first, never the middle of one), and never damages the file, because checkpoints still fsync.
 */
export type Durability = 'power' | 'process';

const BUSY_TIMEOUT_MS = 5000;
/** 16 MB of WAL between checkpoints: rare enough to be cheap, small enough to recover in well under a second. */
const CHECKPOINT_PAGES = 4000;
const WAL_SIZE_LIMIT_BYTES = 64 * 1024 * 1024;

export function databasePath(home: string): string {
  return join(home, 'neira.db');
}

/** The one connection that writes. */
export function openForWriting(path: string, durability: Durability): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: false });
  db.exec(`pragma journal_mode = wal;
    pragma synchronous = ${durability === 'power' ? 'full' : 'normal'};
    pragma wal_autocheckpoint = ${CHECKPOINT_PAGES};
    pragma journal_size_limit = ${WAL_SIZE_LIMIT_BYTES};
    pragma cache_size = -65536;
    pragma temp_store = memory;`);
  return db;
}

/** A connection that can only read; any number of them, in any thread. */
export function openForReading(path: string, cacheKb = 16_384): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  db.exec(`pragma cache_size = -${cacheKb}; pragma temp_store = memory;`);
  return db;
}

const SQLITE_FULL = 13;

export function isDiskFull(error: unknown): boolean {
  const { errcode, code } = error as { errcode?: number; code?: string };
  return errcode === SQLITE_FULL || code === 'ENOSPC' || code === 'EDQUOT';
}
