/** Debian's Redis as a peer: started in a folder of its own on a free port of this machine, every write fsynced. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from './kit.ts';

export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  readonly version: string;
}

const STARTS_WITHIN_MS = 10_000;

/** Answers undefined where no `redis-server` is installed and this user cannot install it. */
export async function startRedis(): Promise<RedisServer | undefined> {
  const version = installedVersion() ?? installed();
  if (version === undefined) return undefined;
  const home = mkdtempSync(path.join(tmpdir(), 'neira-bench-redis-'));
  const port = await freePort();
  const settings = {
    port: String(port),
    bind: '127.0.0.1',
    dir: home,
    appendonly: 'yes',
    appendfsync: 'always',
    save: '',
    // A rewrite in the middle of a round would be somebody else's time.
    'auto-aof-rewrite-percentage': '0',
    daemonize: 'no',
    'maxmemory-policy': 'noeviction',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn('redis-server', flags, { stdio: ['ignore', 'pipe', 'ignore'] });
  await ready(child);
  return {
    port,
    pid: child.pid!,
    version,
    async [Symbol.asyncDispose]() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function installedVersion(): string | undefined {
  try {
    return /v=(\S+)/.exec(
      execFileSync('redis-server', ['--version'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    )?.[1];
  } catch {
    return undefined;
  }
}

/** As root on Debian, as .ci/run does with what the host needs; the service of the package is not started. */
function installed(): string | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  try {
    for (const args of [['update'], ['install', '--yes', '--no-install-recommends', 'redis-server']])
      execFileSync('apt-get', ['--quiet', ...args], { env, stdio: ['ignore', 'ignore', 'ignore'] });
  } catch {
    return undefined;
  }
  return installedVersion();
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      child.kill('SIGKILL');
      reject(new Error(`redis-server did not start: ${why}`));
    };
    const timer = setTimeout(() => fail('it took too long'), STARTS_WITHIN_MS);
    let out = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      out = (out + chunk.toString()).slice(-4000);
      if (!out.includes('Ready to accept connections')) return;
      clearTimeout(timer);
      resolve();
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`redis-server ended with ${code}: ${out}`));
    });
  });
}
