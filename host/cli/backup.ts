import { existsSync } from 'node:fs';
import { chmod, copyFile, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Command } from 'commander';
import { loadConfig } from '../config.ts';
import { NeiraError } from '../errors.ts';
import { run, type Session } from './command.ts';

const DATABASE = 'neira.db';
/** Files that SQLite keeps beside a database. */
const COMPANIONS = ['-wal', '-shm', '-journal'];
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

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
  out.result(made, () => {
    out.line(`${made.path} (${made.bytes} bytes)`);
    out.remark('Secrets are in it as ciphertext; keep `secrets.key` (or NEIRA_SECRETS_KEY) apart from it.');
  });
}

/**
 * Replaces the database by a backup: copied beside it, the copy checked, then swapped by one rename. The database
 * that it replaces is kept aside. The home is locked meanwhile as a host locks it, so that none runs beside this.
 */
async function restore({ out }: Session, file: string): Promise<void> {
  const { home } = loadConfig(process.env);
  const target = join(home, DATABASE);
  const fresh = `${target}.restoring`;
  const { lockHome } = await import('../store/lock.ts');
  using _lock = lockHome(home);
  try {
    await copyFile(file, fresh).catch((error: NodeJS.ErrnoException) => {
      throw failed(`\`${file}\` cannot be read (${error.code})`);
    });
    await chmod(fresh, 0o600);
    requireWhole(fresh, file);
    await sync(fresh);
    const aside = await setAside(target, home);
    await rename(fresh, target);
    await sync(home);
    out.result({ restored: file, database: target, replaced: aside ?? null }, () => {
      out.line(`${target} is restored from ${file}.`);
      if (aside !== undefined) out.line(`What it replaced is kept as ${aside}.`);
    });
  } finally {
    for (const suffix of ['', ...COMPANIONS]) await rm(fresh + suffix, { force: true });
  }
}

/** @throws NEIRA_STORE_FAILED unless `copy`, which came from `file`, is a whole database. */
function requireWhole(copy: string, file: string): void {
  let verdict: unknown;
  try {
    using database = new DatabaseSync(copy);
    // So that all of it is in the one file that is renamed.
    database.exec('pragma journal_mode = delete');
    const journal = database
      .prepare("select 1 from sqlite_schema where type = 'table' and name = 'journal'")
      .get();
    verdict = journal
      ? database.prepare('pragma quick_check(1)').get()?.['quick_check']
      : 'Neira did not write it';
  } catch (error) {
    verdict = (error as Error).message;
  }
  if (verdict !== 'ok') throw failed(`\`${file}\` is not a whole backup (${String(verdict)})`);
}

async function setAside(target: string, home: string): Promise<string | undefined> {
  if (!existsSync(target)) return undefined;
  foldWal(target, home);
  const aside = `${target}.replaced-${new Date().toISOString().replace(/[:.]/g, '-')}`;
  // A damaged database may still have a WAL; it belongs to the old file and must not meet the new one.
  for (const suffix of COMPANIONS) await moveIfThere(target + suffix, aside + suffix);
  await rename(target, aside);
  return aside;
}

/**
 * Brings all of the database into its one file. That needs every other connection closed, so it also notices a
 * program that has the database open without the lock of the home.
 * @throws NEIRA_HOME_LOCKED
 */
function foldWal(target: string, home: string): void {
  try {
    using database = new DatabaseSync(target, { timeout: 0 });
    database.exec('pragma journal_mode = delete');
  } catch (error) {
    // The lower byte says which kind of error it is.
    const kind = Number((error as { errcode?: number }).errcode ?? 0) & 0xff;
    if (kind === SQLITE_BUSY) throw new NeiraError('NEIRA_HOME_LOCKED', { home }, { cause: error });
    // What is damaged cannot be folded, and is what a backup is for.
    if (kind !== SQLITE_CORRUPT && kind !== SQLITE_NOTADB) throw failed((error as Error).message);
  }
}

async function moveIfThere(from: string, to: string): Promise<void> {
  if (existsSync(from)) await rename(from, to);
}

async function sync(path: string): Promise<void> {
  await using handle = await open(path, 'r');
  await handle.sync();
}

function failed(reason: string): NeiraError {
  return new NeiraError('NEIRA_STORE_FAILED', { reason });
}
