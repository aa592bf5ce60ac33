import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startTestServer, type TestServer, TOKENS } from '../http/test-api.ts';

/** Runs the command line as its users do: as a process. For tests only. */

const NEIRA = fileURLToPath(new URL('neira.ts', import.meta.url));

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function neira(
  args: readonly string[],
  env: Record<string, string> = {},
  cwd = tmpdir(),
  input?: string,
): Promise<Ran> {
  // Compiling the same files for every run is half of its time.
  const NODE_COMPILE_CACHE = fileURLToPath(new URL('../../node_modules/.cache/neira-cli', import.meta.url));
  const inherited = {
    NODE_COMPILE_CACHE,
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? '',
    LANG: 'C',
  };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [NEIRA, ...args],
      { cwd, env: { ...inherited, ...env } },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : ((error as { code?: number }).code ?? -1);
        resolve({ code, stdout, stderr });
      },
    );
    if (input !== undefined) child.stdin!.end(input);
  });
}

export interface CliHost extends AsyncDisposable {
  readonly server: TestServer;
  readonly home: string;
  /** Against that host, as its administrator unless `env` says otherwise. */
  run(args: readonly string[], env?: Record<string, string>, input?: string): Promise<Ran>;
  /** The one document that `--json` prints. */
  json(args: readonly string[]): Promise<Record<string, unknown>>;
}

/** A host for the command line to talk to, and a home with its administrator token. */
export async function startCliHost(): Promise<CliHost> {
  const home = await mkdtemp(join(tmpdir(), 'neira-cli-'));
  await writeFile(join(home, 'admin.token'), `${TOKENS.admin}\n`, { mode: 0o600 });
  const server = await startTestServer();
  const run = (args: readonly string[], env: Record<string, string> = {}, input?: string) =>
    neira(args, { NEIRA_HOME: home, NEIRA_PORT: new URL(server.url).port, ...env }, home, input);
  return {
    server,
    home,
    run,
    async json(args) {
      const { stdout } = await run([...args, '--json']);
      return JSON.parse(stdout) as Record<string, unknown>;
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}
