/**
 * One probe per engine: a plugin that performs the host calls that an event lists, and answers what each of
 * them answered. The tables of cases know host functions by their WIT names and nothing of engines, so that
 * every engine is held to the same table.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import { buildScriptComponent } from '../../host/sandbox/guest-build/script.ts';
import type { Answer, CallOptions, TestHost } from '../kit/boot-host.ts';
import { openPeer } from '../kit/http-peer.ts';

/** A host function by its WIT name, and its arguments. */
export type Step = readonly [fn: string, ...args: unknown[]];

/** What one step answered: a value (absent: nothing), or a refusal that the plugin caught. */
export interface Answered {
  readonly value?: unknown;
  readonly code?: string;
  readonly message?: string;
  readonly details?: Record<string, unknown>;
}

export interface Engine {
  readonly name: string;
  readonly gate: string;
  /** Registers the probe as `manifest` says, enabled. */
  register(host: TestHost, manifest: Record<string, unknown>, query?: string): Promise<Answer>;
}

/** What an engine's probe does besides host calls; the last step of a list. */
export type Ending =
  | readonly ['probe.throw', message: string]
  /** Lets the refusal of a host call through. */
  | readonly ['probe.uncaught', fn: string, ...args: unknown[]]
  | readonly ['probe.spin']
  | readonly ['probe.spin-for', rounds: number]
  | readonly ['probe.fill-memory', kilobytes: number]
  | readonly ['probe.reply', kilobytes: number]
  | readonly ['probe.call-often', times: number, fn: string, ...args: unknown[]];

const SCRIPT = `
import * as bus from 'neira:host/bus';
import * as intl from 'neira:host/intl';
import * as io from 'neira:host/io';
import * as principals from 'neira:host/principals';
import * as storage from 'neira:host/storage';
import * as timer from 'neira:host/timer';
import { NeiraError } from 'neira:host/types';

const HOST = { bus, intl, io, principals, storage, timer };
const camel = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());

function perform([name, ...args], host = HOST) {
  // Scripts have no switch that promises could mix up: a step says what is called by the principal.
  if (name === 'principals.act-as') return perform(args.slice(1), principals.as(args[0]));
  const [family, fn] = name.split('.');
  return host[family][camel(fn)](...args.map((arg) => arg ?? undefined));
}

const answered = (value) => (value === undefined ? {} : { value });
const refused = (error) => error instanceof NeiraError
  ? { code: error.code, message: error.message, details: error.details }
  : { code: error.name, message: error.message };

function attempt(step) {
  try {
    const value = perform(step);
    return value instanceof Promise ? value.then(answered, refused) : answered(value);
  } catch (error) {
    return refused(error);
  }
}

const PROBE = {
  'probe.throw': (message) => { throw new Error(message); },
  'probe.uncaught': (...step) => perform(step),
  'probe.spin': () => { for (;;); },
  'probe.spin-for': (rounds) => { let sum = 0; for (let i = 0; i < rounds; i++) sum += i; },
  'probe.fill-memory': (kilobytes) => { const kept = []; for (let i = 0; i < kilobytes; i++) kept.push('x'.repeat(1023) + i); return kept.length; },
  'probe.reply': (kilobytes) => ({ value: 'x'.repeat(kilobytes * 1024) }),
  'probe.call-often': (times, ...step) => { let last; for (let i = 0; i < times; i++) last = attempt(step); return last; },
};

export async function handle(event) {
  const answers = [];
  for (const step of event.payload.params.steps) {
    const [name, ...args] = step;
    answers.push(name in PROBE ? PROBE[name](...args) ?? {} : await attempt(step));
  }
  return { actions: [{ type: 'answers', answers }] };
}
`;

export const scriptEngine: Engine = {
  name: 'quickjs',
  gate: 'runtime_scripting',
  register: (host, manifest, query) => host.script(manifest, SCRIPT, query),
};

let built: Promise<Uint8Array> | undefined;

/** A component of the probe's own source. */
function probeComponent(): Promise<Uint8Array> {
  const folder = mkdtempSync(path.join(tmpdir(), 'neira-probe-'));
  writeFileSync(path.join(folder, 'main.ts'), SCRIPT);
  return buildScriptComponent(folder, 'probe', 'main.ts').finally(() => rmSync(folder, { recursive: true }));
}

/** An interpreter inside a component takes several instructions for each of the script's. */
const ROOM = { cpu_ms: 2000, turn_ms: 5000 };

export const componentEngine: Engine = {
  name: 'component',
  gate: 'runtime_wasm_plugins',
  async register(host, manifest, query) {
    built ??= probeComponent();
    const limits = { ...ROOM, ...(manifest['limits'] as object | undefined) };
    return host.component({ ...manifest, limits }, await built, query);
  },
};

export const ENGINES: readonly Engine[] = [scriptEngine, componentEngine];

export const PUBLISHED = 'probe.thing.done';
export const COMMAND = 'probe.thing.ask';
/** Whom probes may ask over HTTP. */
export const PEER = await openPeer();
/** Granted to be shown; the host has it only where a test sets it. */
export const SECRET = 'probe.key';
const ALL_PERMISSIONS = {
  storage: ['read', 'write'],
  io: {
    ports: ['console'],
    http: [
      { host: PEER.host, methods: ['GET', 'POST'], schemes: ['http'], private: true, paths: ['/v1'] },
      { host: '127.0.0.1', methods: ['GET'] },
    ],
  },
  bus: { subscribe: ['probe.>'] },
  records: ['read'],
  principals: ['delegate'],
  secrets: [{ name: SECRET, reveal: true }],
};

const brought = new WeakMap<TestHost, Promise<void>>();

/** The events of the probes, once for each host. */
function bringEvents(host: TestHost): Promise<void> {
  const known = brought.get(host);
  if (known) return known;
  const bringing = host.events(`${PUBLISHED}@1`, `${PUBLISHED}@2`, `${COMMAND}@1!`, `${COMMAND}@2!`);
  brought.set(host, bringing);
  return bringing;
}

/** One registered probe, as the cases use it. */
export class Probe {
  readonly id: string;
  readonly #host: TestHost;

  private constructor(host: TestHost, id: string) {
    this.#host = host;
    this.id = id;
  }

  static async register(
    host: TestHost,
    engine: Engine,
    id: string,
    manifest: Record<string, unknown> = {},
    query?: string,
  ): Promise<Probe> {
    const event = `${id}.run`;
    await bringEvents(host);
    const full = {
      id,
      permissions: ALL_PERMISSIONS,
      publishes: [`${PUBLISHED}@1`, `${PUBLISHED}@2`, `${COMMAND}@1`, `${COMMAND}@2`],
      ui: { buttons: [{ id, title: id, event }] },
      ...manifest,
    };
    const registered = await engine.register(host, full, query);
    expect(registered.status, JSON.stringify(registered.body)).toBe(201);
    return new Probe(host, id);
  }

  /** The raw answer of one event. */
  send(
    steps: readonly (Step | Ending)[],
    options: CallOptions & { readonly context?: unknown } = {},
  ): Promise<Answer> {
    const { context = {}, ...rest } = options;
    const body = { tool_id: this.id, event: `${this.id}.run`, params: { steps }, context };
    return this.#host.call('POST', '/api/neira/ui/events', body, rest);
  }

  /** What each step answered, in a turn that committed. */
  async run(steps: readonly (Step | Ending)[], options: CallOptions = {}): Promise<Answered[]> {
    const answer = await this.send(steps, options);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return answer.body.actions[0].answers;
  }

  /** The problem document of a turn that failed. */
  async fail(
    steps: readonly (Step | Ending)[],
  ): Promise<{ status: number; code: string; [name: string]: unknown }> {
    const { status, body } = await this.send(steps);
    expect(status, JSON.stringify(body)).toBeGreaterThanOrEqual(400);
    return { ...body, status };
  }

  /** Committed value under a key, undefined without one. */
  async stored(key: string): Promise<unknown> {
    const [found] = await this.run([['storage.get', key]], { query: '?dry_run=1' });
    return (found!.value as { value: unknown } | undefined)?.value;
  }

  async logs(): Promise<{ level: string; message: string }[]> {
    const { body } = await this.#host.call('GET', `/api/neira/plugins/${this.id}/logs?limit=1000`);
    return body.lines;
  }
}
