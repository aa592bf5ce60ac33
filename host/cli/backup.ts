import { chmod, copyFile, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Command } from 'commander';
import { loadConfig } from '../config.ts';
import { NeiraError } from '../errors.ts';
import { run, type Session } from './command.ts';

const DATABASE = 'neira.db';

export function addBackup(program: Command): void {
  program
    .command('backup')
    .description('write a copy of the database into the home, while the host runs')
    .action(run(backup));
  program
    .command('restore')
    .argument('<file>', 'a file that `backup` wrote')
    .description('put a backup in place of the database; no host may run')
    .action(run(restore));
}

async function backup({ out, host }: Session): Promise<void> {
  const made = await (await host()).send<{ path: string; bytes: number }>('POST', '/api/neira/backup');
  out.result(made, () => out.line(`${made.path} (${made.bytes} bytes)`));
}

/**
 * Replaces the database by a backup: checked first, copied beside it, then swapped by one rename. The database that
 * it replaces is kept aside. The home is held for ourselves meanwhile, so a host that runs is noticed and one that
 * starts has to wait.
 */
async function restore({ out }: Session, file: string): Promise<void> {
  const { home } = loadConfig(process.env);
  const target = join(home, DATABASE);
  const fresh = `${target}.restoring`;
  await requireBackup(file);
  const release = holdDatabase(target, home);
  try {
    await copyFile(file, fresh);
    await chmod(fresh, 0o600);
    await sync(fresh);
    const aside = await setAside(target);
    await rename(fresh, target);
    await sync(home);
    out.result({ restored: file, database: target, replaced: aside ?? null }, () => {
      out.line(`${target} is restored from ${file}.`);
      if (aside !== undefined) out.line(`What it replaced is kept as ${aside}.`);
    });
  } finally {
    release();
    await rm(fresh, { force: true });
  }
}

/** @throws NEIRA_STORE_FAILED unless `file` is a whole database. */
async function requireBackup(file: string): Promise<void> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw failed(`\`${file}\` cannot be read (${error.code})`);
  });
  if (!found.isFile()) throw failed(`\`${file}\` is no file`);
  let verdict: unknown;
  try {
    using database = new DatabaseSync(file, { readOnly: true });
    const tables = database.prepare('select count(*) as n from sqlite_schema').get();
    verdict =
      Number(tables?.['n']) === 0
        ? 'it is empty'
        : database.prepare('pragma quick_check(1)').get()?.['quick_check'];
  } catch (error) {
    verdict = (error as Error).message;
  }
  if (verdict !== 'ok') throw failed(`\`${file}\` is not a whole backup (${String(verdict)})`);
}

/**
 * Leaving WAL needs every other connection closed: so it fails while a host runs, whichever lock that host keeps,
 * and it folds the WAL into the file that will be kept aside.
 * @throws NEIRA_HOME_LOCKED
 */
function holdDatabase(target: string, home: string): () => void {
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(target, { timeout: 0 });
  } catch (error) {
    throw failed(`\`${target}\` cannot be opened (${(error as Error).message})`);
  }
  try {
    database.exec('pragma locking_mode = exclusive; pragma journal_mode = delete; begin exclusive');
  } catch (error) {
    database.close();
    if (isBusy(error)) throw new NeiraError('NEIRA_HOME_LOCKED', { home });
    // What is damaged cannot be held, and is what a backup is for.
    if (!isDamaged(error)) throw failed((error as Error).message);
    return () => {};
  }
  return () => database.close();
}

async function setAside(target: string): Promise<string | undefined> {
  const stamp = new Date().toISOString().replace(/[:.]/g, '-');
  const aside = `${target}.replaced-${stamp}`;
  // A damaged database may have left its WAL; it belongs to the old file and must not meet the new one.
  for (const suffix of ['-wal', '-shm']) await rename(target + suffix, aside + suffix).catch(ignoreMissing);
  const { size } = await stat(target);
  if (size === 0) return undefined;
  await rename(target, aside);
  return aside;
}

async function sync(path: string): Promise<void> {
  await using handle = await open(path, 'r');
  await handle.sync();
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

function codeOf(error: unknown): number {
  // The lower byte: the rest says more than is asked.
  return Number((error as { errcode?: number }).errcode ?? 0) & 0xff;
}

function isBusy(error: unknown): boolean {
  return codeOf(error) === SQLITE_BUSY;
}

function isDamaged(error: unknown): boolean {
  return [SQLITE_CORRUPT, SQLITE_NOTADB].includes(codeOf(error));
}

function failed(reason: string): NeiraError {
  return new NeiraError('NEIRA_STORE_FAILED', { reason });
}
