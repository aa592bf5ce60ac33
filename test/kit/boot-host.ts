/**
 * A real host for tests: its own temporary home, a free port, real threads, real SQLite.
 *
 * `bootHost` runs it inside the test's process; `spawnHost` runs `host/main.ts` as a process of its own,
 * for tests that kill it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Stage } from '../../gates/gates.ts';
import type { Transport } from '../../host/bus/transport/transport.ts';
import { loadConfig } from '../../host/config.ts';
import { openHost } from '../../host/host.ts';
import { createLogger } from '../../host/log.ts';

export interface TestHost extends AsyncDisposable {
  readonly url: string;
  readonly home: string;
  readonly token: string;
  /** One HTTP call with the administrator's token; the body is parsed when it is JSON. */
  call(method: string, path: string, body?: unknown, options?: CallOptions): Promise<Answer>;
  /** Opens gates, forcing what they require. */
  open(...gates: string[]): Promise<void>;
  /**
   * Registers events that take any payload, as a plugin would bring them: `a.b.done@1`; one with a `!` behind it
   * is a command.
   */
  events(...fqdns: string[]): Promise<void>;
  /** Registers an inline script plugin, enabled and granted unless said otherwise. */
  script(
    manifest: Record<string, unknown>,
    source: string | Record<string, string>,
    query?: string,
  ): Promise<Answer>;
  /** Registers an inline component, enabled and granted unless said otherwise. */
  component(manifest: Record<string, unknown>, wasm: Uint8Array, query?: string): Promise<Answer>;
  /** Sends a UI event to a tool. */
  event(tool: string, params?: unknown, context?: unknown, options?: CallOptions): Promise<Answer>;
  close(): Promise<void>;
}

export interface CallOptions {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: string;
}

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came back
  readonly body: any;
  readonly headers: Headers;
}

export interface HostOptions {
  readonly home?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Text of neira.yaml. */
  readonly settings?: string;
  /** Gates to open, default none: an embryo. */
  readonly gates?: readonly string[];
  /** How events go to other hubs; only of a host inside the test's process. */
  readonly transport?: Transport;
}

export const SCRIPT_GATES = ['runtime_scripting', 'ui_tools_registry'] as const;
export const COMPONENT_GATES = [...SCRIPT_GATES, 'runtime_wasm_plugins'] as const;
const BOOT_TIMEOUT_MS = 20_000;

export async function bootHost(options: HostOptions = {}): Promise<TestHost> {
  const home = prepareHome(options);
  const config = loadConfig(environmentOf(home, options), []);
  const host = await openHost(
    config,
    createLogger({ level: (options.env?.['NEIRA_LOG'] ?? 'silent') as 'silent' }),
    options.transport,
  );
  const test = clientOf(host.url, host.home, async () => {
    await host.close();
    if (options.home === undefined) rmSync(home, { recursive: true, force: true });
  });
  await test.open(...(options.gates ?? []));
  return test;
}

export interface SpawnedHost extends TestHost {
  readonly process: ChildProcess;
  /** What it wrote to stderr so far. */
  log(): string;
  /** SIGKILL, and wait until it is gone. The home stays. */
  kill(): Promise<void>;
  /** Resolves with the exit code or signal. */
  readonly exited: Promise<number | string>;
}

export async function spawnHost(options: HostOptions = {}): Promise<SpawnedHost> {
  const home = prepareHome(options);
  const main = path.join(import.meta.dirname, '../../host/main.ts');
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, ...environmentOf(home, options) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // A test that fails in the middle of its host's life leaves nothing behind.
  const end = () => void child.kill('SIGKILL');
  process.once('exit', end);
  const exited = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => {
      process.off('exit', end);
      resolve(code ?? signal ?? 'unknown');
    });
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const url = await listening(child, () => log);
  const host = clientOf(url, home, async () => {
    child.kill('SIGTERM');
    await exited;
    if (options.home === undefined) rmSync(home, { recursive: true, force: true });
  });
  const spawned: SpawnedHost = {
    ...host,
    process: child,
    exited,
    log: () => log,
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
  try {
    await spawned.open(...(options.gates ?? []));
  } catch (error) {
    await spawned.kill();
    throw error;
  }
  return spawned;
}

function listening(child: ChildProcess, log: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`the host did not listen in time: ${log()}`)),
      BOOT_TIMEOUT_MS,
    );
    let out = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      const found = /neira listening on (http:\/\/\S+)/.exec(out);
      if (!found) return;
      clearTimeout(timer);
      resolve(found[1]!);
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`the host ended with ${code}: ${log()}`));
    });
  });
}

function prepareHome(options: HostOptions): string {
  const home = options.home ?? mkdtempSync(path.join(tmpdir(), 'neira-test-'));
  if (options.settings !== undefined) writeFileSync(path.join(home, 'neira.yaml'), options.settings);
  return home;
}

function environmentOf(home: string, options: HostOptions): Record<string, string> {
  return { NEIRA_HOME: home, NEIRA_PORT: '0', NEIRA_DURABILITY: 'process', ...options.env };
}

function clientOf(url: string, home: string, close: () => Promise<void>): TestHost {
  const token = readFileSync(path.join(home, 'admin.token'), 'utf8').trim();
  const call: TestHost['call'] = async (method, where, body, options = {}) => {
    const response = await fetch(`${url}${where}${options.query ?? ''}`, {
      method,
      headers: {
        authorization: `Bearer ${options.token ?? token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson =
      response.headers.get('content-type')?.includes('json') &&
      !/ndjson/.test(response.headers.get('content-type')!);
    return {
      status: response.status,
      headers: response.headers,
      body: isJson && text ? JSON.parse(text) : text,
    };
  };
  return {
    url,
    home,
    token,
    call,
    async open(...gates) {
      for (const gate of gates) await setGate(call, gate, 'experimental');
    },
    async events(...fqdns) {
      const id = `test.events${++bringers}`;
      const files = Object.assign({}, ...fqdns.map((fqdn) => eventFiles(fqdn)), {
        'main.ts': 'export function handle() {}',
      });
      const manifest = { id, version: '1.0.0', kind: 'script', entry: 'main.ts' };
      const answer = await call('POST', '/api/neira/plugins', { manifest, files });
      if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    },
    script(manifest, source, query = '?enable=1&grant=all') {
      const files = typeof source === 'string' ? { 'main.ts': source } : source;
      const defaults = { version: '1.0.0', kind: 'script', entry: 'main.ts' };
      return call('POST', '/api/neira/plugins', { manifest: { ...defaults, ...manifest }, files }, { query });
    },
    component(manifest, wasm, query = '?enable=1&grant=all') {
      const files = { 'plugin.wasm': { base64: Buffer.from(wasm).toString('base64') } };
      const defaults = { version: '1.0.0', kind: 'wasm', entry: 'plugin.wasm' };
      return call('POST', '/api/neira/plugins', { manifest: { ...defaults, ...manifest }, files }, { query });
    },
    async event(tool, params = {}, context = {}, options = {}) {
      const { tools } = (await call('GET', '/api/neira/ui/tools')).body as {
        tools: { id: string; event: string }[];
      };
      const event = tools.find(({ id }) => id === tool)?.event ?? `${tool}.event`;
      return call('POST', '/api/neira/ui/events', { tool_id: tool, event, params, context }, options);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

let bringers = 0;

/** The files of an event in a plugin's folder. */
export function eventFiles(fqdn: string, schema: Record<string, unknown> = {}): Record<string, string> {
  const [, name = '', version = '', mark] = /^([\w.]+)@(\d+)(!?)$/.exec(fqdn) ?? [];
  const [namespace, ...rest] = name.split('.');
  const folder = `events/${namespace}/${rest.join('.')}/v${version}`;
  const full = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `urn:neira:event:${name}:${version}.0.0`,
    'x-version': `${version}.0.0`,
    ...schema,
  };
  const kind = mark === '!' ? 'command' : 'event';
  return {
    [`${folder}/schema.json`]: JSON.stringify(full),
    [`${folder}/meta.yaml`]: `kind: ${kind}\nsummary: ${name} for a test\n`,
  };
}

async function setGate(call: TestHost['call'], gate: string, stage: Stage): Promise<void> {
  const answer = await call('PUT', `/api/neira/gates/${gate}`, { stage, force: true });
  if (answer.status !== 200) throw new Error(`gate ${gate}: ${JSON.stringify(answer.body)}`);
}
