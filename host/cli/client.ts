import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isLoopback, loadConfig } from '../config.ts';
import { NeiraError, type Problem } from '../errors.ts';

/** The host said no; `problem` is what it said. */
export class Refused extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.name = 'Refused';
    this.problem = problem;
  }
}

export interface StreamOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface Client {
  readonly url: string;
  get<T>(path: string): Promise<T>;
  /** The body in pieces, as it comes. @throws like `send`, also when it breaks off. */
  stream(path: string, options?: StreamOptions): AsyncIterable<Uint8Array>;
  /** @throws Refused with the problem document; NEIRA_UNREACHABLE when nobody answers. */
  send<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<T>;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Building a plugin takes seconds; beyond this nobody is working on it. */
const TIMEOUT_MS = 120_000;

/**
 * The host that the environment means: NEIRA_URL and NEIRA_TOKEN, else the local one with the token in its home.
 * The token of the local home never goes to another machine.
 */
export async function connectHost(env: Env): Promise<Client> {
  const config = loadConfig(env);
  const url = hostUrl(env, config);
  const isLocal = isLoopback(new URL(url).hostname.replace(/^\[(.*)\]$/, '$1'));
  const token =
    env['NEIRA_TOKEN'] || (isLocal ? (config.adminToken ?? (await adminToken(config.home))) : undefined);

  async function request(
    method: string,
    path: string,
    body?: unknown,
    { headers, signal }: StreamOptions = {},
  ): Promise<Response> {
    const isForm = body instanceof FormData;
    const response = await fetch(url + path, {
      method,
      // A token follows no redirect.
      redirect: 'error',
      ...(signal && { signal }),
      headers: {
        ...headers,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && !isForm && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw new NeiraError('NEIRA_UNREACHABLE', { url }, { cause: error });
    });
    if (response.ok) return response;
    const text = await response.text();
    if (response.headers.get('content-type')?.startsWith('application/problem+json')) {
      throw new Refused(JSON.parse(text) as Problem);
    }
    // Whoever listens there is no Neira.
    throw new NeiraError('NEIRA_UNREACHABLE', { url });
  }

  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const text = await (
      await request(method, path, body, { signal: AbortSignal.timeout(TIMEOUT_MS) })
    ).text();
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  async function* stream(path: string, options?: StreamOptions): AsyncGenerator<Uint8Array> {
    const { body } = await request('GET', path, undefined, options);
    if (body) yield* body;
  }

  return {
    url,
    get: (path) => call('GET', path),
    stream,
    send: (method, path, body) => call(method, path, body),
  };
}

function hostUrl(env: Env, config: { readonly host: string; readonly port: number }): string {
  const given = env['NEIRA_URL'];
  if (given) {
    const url = URL.parse(given);
    if (url === null || !/^https?:$/.test(url.protocol)) {
      throw new NeiraError('NEIRA_CONFIG_INVALID', {
        setting: 'NEIRA_URL',
        reason: 'it is not an address like http://127.0.0.1:8787',
      });
    }
    return url.href.replace(/\/+$/, '');
  }
  if (config.port === 0) {
    throw new NeiraError('NEIRA_CONFIG_INVALID', {
      setting: 'NEIRA_PORT',
      reason: 'port 0 is picked at boot; name the address in NEIRA_URL',
    });
  }
  const host = ['0.0.0.0', '::'].includes(config.host) ? '127.0.0.1' : config.host;
  return `http://${host.includes(':') ? `[${host}]` : host}:${config.port}`;
}

/** Absent on a home that never booted, or one of somebody else: then the host answers 401 and says what to do. */
async function adminToken(home: string): Promise<string | undefined> {
  const text = await readFile(join(home, 'admin.token'), 'utf8').catch(() => '');
  return text.trim() || undefined;
}
