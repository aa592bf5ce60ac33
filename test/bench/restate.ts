/** Restate as a peer: its server from npm in a folder of its own, and a service of ours that it calls. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './kit.ts';

export interface RestateServer extends AsyncDisposable {
  /** Calls a handler of the service `bench`; resolves with what it returns. */
  call<T>(handler: string, payload: unknown): Promise<T>;
}

const STARTS_WITHIN_MS = 30_000;

/** Answers undefined where its npm package has no server for this machine. */
export async function startRestate(): Promise<RestateServer | undefined> {
  let launcher: string;
  try {
    const manifest = createRequire(import.meta.url).resolve('@restatedev/restate-server/package.json');
    launcher = path.join(path.dirname(manifest), '../../.bin/restate-server');
  } catch {
    return undefined;
  }
  const home = mkdtempSync(path.join(tmpdir(), 'neira-bench-restate-'));
  const [ingress, admin, node, service] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const env = {
    ...process.env,
    RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
    RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
    RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
    RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${node}`,
    RESTATE_LOG_FILTER: 'error',
    DO_NOT_TRACK: '1',
  };
  const children = [
    spawn(process.execPath, [launcher, '--base-dir', home, '--node-name', 'bench'], {
      env,
      cwd: home,
      stdio: 'ignore',
      detached: true,
    }),
    spawn(process.execPath, [path.join(import.meta.dirname, 'restate-service.ts'), String(service)], {
      stdio: 'ignore',
      detached: true,
    }),
  ];
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const close = async () => {
    agent.destroy();
    await Promise.all(children.map(ended));
    rmSync(home, { recursive: true, force: true });
  };
  try {
    await registered(agent, admin, service);
  } catch {
    await close();
    return undefined;
  }
  return {
    call: (handler, payload) => post(agent, ingress, `/bench/${handler}`, payload),
    [Symbol.asyncDispose]: close,
  };
}

async function registered(agent: Agent, admin: number, service: number): Promise<void> {
  const until = performance.now() + STARTS_WITHIN_MS;
  for (;;)
    try {
      await post(agent, admin, '/deployments', { uri: `http://127.0.0.1:${service}`, force: true });
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
      await sleep(200);
    }
}

function post<T>(agent: Agent, port: number, where: string, payload: unknown): Promise<T> {
  const body = JSON.stringify(payload);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const call = request(
      { host: '127.0.0.1', port, path: where, method: 'POST', agent, headers },
      (answer) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        answer.on('end', () =>
          answer.statusCode! < 300
            ? resolve((text === '' ? undefined : JSON.parse(text)) as T)
            : reject(new Error(`${answer.statusCode} ${text}`)),
        );
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

/** The launcher runs the server as a child: the whole group ends. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  process.kill(-child.pid, 'SIGKILL');
  await gone;
}
