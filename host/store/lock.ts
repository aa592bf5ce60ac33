import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { NeiraError } from '../errors.ts';

/**
 * Takes the home for this process, until the answer is disposed or the process ends, however it ends:
 * the lock is an exclusive SQLite transaction on `lock.db`, so the operating system drops it with the
 * process and a dead one leaves nothing stale. A second open in the same process is refused as well.
 *
 * Nothing else may open `lock.db` or `neira.db` with `fs` in this process: closing any other descriptor of
 * them drops the POSIX locks that SQLite holds.
 * @throws NEIRA_HOME_LOCKED
 */
export function lockHome(home: string): Disposable {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const lock = new DatabaseSync(join(home, 'lock.db'), { timeout: 0 });
  try {
    lock.exec('begin exclusive');
  } catch (cause) {
    lock.close();
    if (isBusy(cause)) throw new NeiraError('NEIRA_HOME_LOCKED', { home }, { cause });
    throw cause;
  }
  return {
    [Symbol.dispose]() {
      if (lock.isOpen) lock.close();
    },
  };
}

const SQLITE_BUSY = 5;

function isBusy(error: unknown): boolean {
  return ((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY;
}
