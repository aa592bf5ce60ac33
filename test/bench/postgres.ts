/** Debian's PostgreSQL as a peer's database: a cluster of its own on a free port of this machine, every commit synced. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './kit.ts';

export interface PostgresServer extends AsyncDisposable {
  readonly version: string;
  /** `postgresql://…/<database>`; what does not exist is made. */
  url(database: string): string;
}

const INSTALLED = '/usr/lib/postgresql';
const STARTS_WITHIN_MS = 20_000;

/** Answers undefined where none is installed and this user cannot install it. */
export async function startPostgres(): Promise<PostgresServer | undefined> {
  const version = installedVersion() ?? installed();
  if (version === undefined) return undefined;
  const bin = path.join(INSTALLED, version, 'bin');
  const home = mkdtempSync(path.join(tmpdir(), 'neira-bench-postgres-'));
  const data = path.join(home, 'data');
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? idsOf('postgres') : {};
  if (user.uid !== undefined) chownSync(home, user.uid, user.gid!);
  const options = { ...user, cwd: home, stdio: ['ignore', 'ignore', 'ignore'] as const };
  execFileSync(path.join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8'], {
    ...options,
    stdio: 'ignore',
  });
  const port = await freePort();
  const settings = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: home,
    fsync: 'on',
    synchronous_commit: 'on',
    shared_buffers: '256MB',
    max_connections: '100',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(path.join(bin, 'postgres'), ['-D', data, ...flags], {
    ...options,
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  await ready(child, path.join(bin, 'pg_isready'), port);
  return {
    version,
    url: (database) => `postgresql://postgres@127.0.0.1:${port}/${database}`,
    async [Symbol.asyncDispose]() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      // Whoever is connected is cut off.
      child.kill('SIGQUIT');
      await gone;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function installedVersion(): string | undefined {
  if (!existsSync(INSTALLED)) return undefined;
  return readdirSync(INSTALLED)
    .filter((name) => existsSync(path.join(INSTALLED, name, 'bin/postgres')))
    .sort()
    .at(-1);
}

/** As root on Debian, without starting the cluster of the package. */
function installed(): string | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  try {
    for (const args of [['update'], ['install', '--yes', '--no-install-recommends', 'postgresql']])
      execFileSync('apt-get', ['--quiet', ...args], { env, stdio: ['ignore', 'ignore', 'ignore'] });
  } catch {
    return undefined;
  }
  return installedVersion();
}

function idsOf(name: string): { readonly uid?: number; readonly gid?: number } {
  const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

async function ready(child: ChildProcess, probe: string, port: number): Promise<void> {
  const until = performance.now() + STARTS_WITHIN_MS;
  while (performance.now() < until && child.exitCode === null) {
    try {
      execFileSync(probe, ['-h', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
      return;
    } catch {
      await sleep(100);
    }
  }
  child.kill('SIGKILL');
  throw new Error('postgres did not start in time');
}
