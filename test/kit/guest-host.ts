/**
 * A component in the hands of a test, without a host around it: jco's own code runs it, and the host functions are
 * a few lines over a Map. It shows what the component asks and answers; what a real host decides is not its business.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { transpileBytes } from '@bytecodealliance/jco-transpile';

const WAITING = ['io@1.0.0#request', 'io@1.0.0#secret', 'bus@1.0.0#request', 'timer@1.0.0#sleep'];

export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly details: string;
}

/** What came of one turn. */
export interface GuestTurn {
  /** Parsed. */
  readonly reply: unknown;
  /** Host functions that were called, `storage.set` and its arguments as jco gives them, in order. */
  readonly calls: readonly (readonly [op: string, ...args: unknown[]])[];
}

export interface GuestHost {
  /** JSON by key, kept from turn to turn. */
  readonly stored: Map<string, string>;
  /** Refuses the next calls of these, or answers them: `io.request`. */
  readonly answers: Map<string, (...args: unknown[]) => unknown>;
  settings: unknown;
  /** Milliseconds; a sleep adds to it. */
  nowMs: number;
  /** The bytes of the turn's randomness. */
  random: (length: number) => Uint8Array;
}

export interface Guest extends Disposable {
  readonly host: GuestHost;
  /** One turn of a fresh instance; a text that the guest fails with is thrown as it is. */
  handle(envelope: unknown): Promise<GuestTurn>;
  /** A turn of the event with this payload. */
  send(event: string, payload: unknown): Promise<GuestTurn>;
  /** The imports of all core modules together, `module#name`. */
  readonly imports: readonly string[];
}

/** Thrown by a function of {@link GuestHost.answers}: the guest gets it as a refusal. */
export function refuse(code: string, message = code, details: unknown = {}): never {
  throw { payload: { code, message, details: JSON.stringify(details) } satisfies Refusal };
}

export async function startGuest(component: Uint8Array, settings: unknown = {}): Promise<Guest> {
  const { files, imports } = await transpileBytes(component, {
    name: 'guest',
    instantiation: 'sync',
    base64Cutoff: 0,
    emitTypescriptDeclarations: false,
    asyncMode: 'jspi',
    asyncImports: WAITING.map((name) => `neira:host/${name}`),
    asyncExports: ['handle', 'prepare'],
  } as never);
  const folder = mkdtempSync(path.join(tmpdir(), 'neira-guest-'));
  const texts = Object.entries(files as unknown as Record<string, Uint8Array>);
  for (const [name, bytes] of texts) writeFileSync(path.join(folder, name), bytes);
  writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
  const code = (await import(pathToFileURL(path.join(folder, 'guest.js')).href)) as Instantiates;
  const modules = new Map(
    texts
      .filter(([name]) => name.endsWith('.wasm'))
      .map(([name, bytes]) => [name, new WebAssembly.Module(bytes)]),
  );
  const host: GuestHost = {
    stored: new Map(),
    answers: new Map(),
    settings,
    nowMs: Date.UTC(2026, 0, 2, 3, 4, 5),
    random: (length) => Uint8Array.from({ length }, (_, index) => (index * 37 + 11) & 0xff),
  };
  const handle = async (envelope: unknown): Promise<GuestTurn> => {
    const calls: [string, ...unknown[]][] = [];
    const instance = code.instantiate(
      (name) => modules.get(name)!,
      importsOf(host, calls),
      (module, given) => new WebAssembly.Instance(module, given),
    );
    return { reply: JSON.parse(await instance.handle(JSON.stringify(envelope))), calls };
  };
  return {
    host,
    handle,
    send: (event, payload) => handle(envelopeOf(event, payload)),
    imports: imports as readonly string[],
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

interface Instantiates {
  instantiate(
    module: (name: string) => WebAssembly.Module,
    imports: Record<string, Record<string, unknown>>,
    instantiateCore: (module: WebAssembly.Module, imports: never) => WebAssembly.Instance,
  ): { handle(input: string): Promise<string> };
}

function envelopeOf(event: string, payload: unknown) {
  const id = randomUUID();
  return {
    id,
    event_name: event,
    version: 1,
    ts: '2026-01-02T03:04:05.000Z',
    source: 'test',
    correlation_id: id,
    causation_id: null,
    tenant: 'default',
    headers: {},
    payload,
  };
}

function importsOf(host: GuestHost, calls: [string, ...unknown[]][]) {
  const own = functionsOf(host);
  const family = (name: string) =>
    new Proxy({} as Record<string, unknown>, {
      get: (_, fn: string) => {
        const op = `${name}.${fn}`;
        return (...args: unknown[]) => {
          calls.push([op, ...args]);
          const answer = host.answers.get(op) ?? own[op];
          if (answer === undefined) throw new Error(`the test answers no ${op}`);
          return answer(...(args as never[]));
        };
      },
    });
  const names = ['storage', 'io', 'bus', 'principals', 'timer', 'intl'];
  return {
    ...Object.fromEntries(names.map((name) => [`neira:host/${name}`, family(name)])),
    'wasi:clocks/wall-clock': {
      now: () => ({
        seconds: BigInt(Math.floor(host.nowMs / 1000)),
        nanoseconds: (host.nowMs % 1000) * 1_000_000,
      }),
    },
    'wasi:random/random': {
      getRandomBytes: (length: bigint) => host.random(Number(length)),
      getRandomU64: () => 7n,
    },
  };
}

function functionsOf(host: GuestHost): Record<string, (...args: never[]) => unknown> {
  const { stored } = host;
  const entry = (key: string) => ({ key, value: stored.get(key)!, version: 1n });
  let ids = 0;
  const id = () => `id-${++ids}`;
  return {
    'storage.get': (key: string) => (stored.has(key) ? entry(key) : undefined),
    'storage.set': (key: string, value: string) => void stored.set(key, value),
    'storage.delete': (key: string) => void stored.delete(key),
    'storage.add': (key: string, n: number) => void stored.set(key, String(Number(stored.get(key) ?? 0) + n)),
    'storage.list': (prefix: string, options: { after?: string; limit?: number } = {}) =>
      [...stored.keys()]
        .filter((key) => key.startsWith(prefix) && (options.after === undefined || key > options.after))
        .sort()
        .slice(0, options.limit ?? 100)
        .map(entry),
    'storage.append': () => undefined,
    'storage.saveAnnotation': id,
    'storage.saveMessage': id,
    'storage.settings': () => JSON.stringify(host.settings),
    'io.log': () => undefined,
    'io.send': id,
    'bus.publish': id,
    'bus.delivery': () => ({ attempt: 1, subscriptions: [] }),
    'timer.sleep': async (ms: number) => {
      await null;
      host.nowMs += ms;
    },
  };
}
