import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import type { EventDefinition } from '../../host/bus/event-registry.ts';
import type { BusRequest } from '../../host/functions/bus.ts';
import { CellPool } from '../../host/sandbox/pool.ts';
import { bundlePlugin } from '../../host/sandbox/quickjs/bundle.ts';
import { folderOf } from '../../host/sandbox/quickjs/test-instance.ts';
import { createKvReader, type KvReader } from '../../host/store/reader.ts';
import type { TurnFailure } from '../../host/store/records.ts';
import { openStore, type Store } from '../../host/store/store.ts';
import { type IncomingEvent, type Serving, type TurnResult, Turns } from '../../host/turn.ts';
import type { CellRoot, PluginPolicy, TurnLimits } from '../../host/turn-context.ts';
import { sleep } from '../../host/turns/timers.ts';
import type { WaitCall } from '../../host/turns/turn-waits.ts';

/**
 * The whole spine for tests of turns that wait: a real store, a real cell, and requests that the test answers.
 * Importing it opens one before each test of the file.
 *
 * The cell is the product's own, but for a log line that ends it.
 */
const CELL = new URL('../hostile/stuck-cell.ts', import.meta.url);

const LIMITS: TurnLimits = {
  turnMs: 5000,
  waitMs: 10_000,
  cpuMs: 200,
  memoryMb: 32,
  hostCalls: 200,
  publishes: 10,
  outputBytes: 100_000,
  logBytes: 10_000,
  storageMb: 10,
  requests: 20,
  requestsPerMinute: 120,
  responseBytes: 100_000,
};

/** A request of a turn, to be answered by the test. */
export interface Asked extends BusRequest {
  readonly call: WaitCall;
  answer(value: unknown): void;
  refuse(error: unknown): void;
}

export let store: Store;
let reader: KvReader;
export let pool: CellPool;
export let turns: Turns;
/** In the order in which they came. */
export let asked: Asked[];
let generations = 0;
let outside: ((call: WaitCall) => Promise<string> | undefined) | undefined;

/** Has calls performed by something real, where that answers at all; for the test that says so. */
export function performBy(perform: NonNullable<typeof outside>): void {
  outside = perform;
}

/** How often a turn stood still. */
export let suspended = 0;
/** Waits for timers: all of them so far, and those that are open. */
export let sleeps = 0;
export let sleeping = 0;

beforeEach(async () => {
  store = await openStore({
    writer: new URL('../../host/writer-main.ts', import.meta.url),
    home: mkdtempSync(path.join(tmpdir(), 'neira-waits-')),
    durability: 'process',
  });
  reader = createKvReader(store.databasePath);
  asked = [];
  outside = undefined;
  suspended = 0;
  sleeps = 0;
  sleeping = 0;
  const root: CellRoot = { databasePath: store.databasePath, secret: Buffer.alloc(32, 1) };
  pool = await CellPool.open(
    { size: 1, entry: CELL, connect: () => store.connectCell(), root },
    {
      onDry: (attempt, record) => turns.onDry(attempt, record),
      onCut: (attempts) => turns.onCut(attempts),
      onLost: (lost) => turns.onLost(lost),
      onWait: (...wait) => turns.onWait(...wait),
      onSuspended: (attempt, answered) => {
        suspended++;
        turns.onSuspended(attempt, answered);
      },
    },
  );
  turns = new Turns({
    cells: 1,
    send: (cell, deliveries) => pool.send(cell, deliveries),
    settled: (cell, attempt) => pool.settled(cell, attempt),
    submit: (record) => store.submit(record),
    fence: (lost) => store.retireCell(lost),
    waits: {
      request: (call) => outside?.(call) ?? (call.op === 'timer.sleep' ? asleep(call) : ask(call)),
      answer: (...answer) => pool.answer(...answer),
      abort: (...abort) => pool.abort(...abort),
    },
    perform: () => {},
    quarantine: () => {},
  });
  store.onTurnAck((acks) => {
    for (const ack of acks) turns.acknowledge(ack);
  });
});

afterEach(async () => {
  await pool.close();
  reader[Symbol.dispose]();
  await store.close();
  rmSync(store.home, { recursive: true, force: true });
});

function ask(call: WaitCall): Promise<string> {
  return new Promise((resolve, reject) =>
    asked.push({
      ...(JSON.parse(call.args) as BusRequest),
      call,
      answer: (value) => resolve(value === undefined ? 'U' : `V${JSON.stringify(value)}`),
      refuse: reject,
    }),
  );
}

/** Timers sleep as in the product; the test sees how many do. */
async function asleep(call: WaitCall): Promise<string> {
  sleeps++;
  sleeping++;
  try {
    return await sleep(call);
  } finally {
    sleeping--;
  }
}

export const HEAD = `
  import { request, publish } from 'neira:host/bus';
  import { get, list, set } from 'neira:host/storage';
  const ask = (payload, options) => request('math.ask', payload, options);
`;

/** A command that takes whatever it is given. */
function commandOf(fqdn: string): EventDefinition {
  const [name = '', version] = fqdn.split('@');
  return {
    name,
    version: Number(version),
    kind: 'command',
    status: 'stable',
    summary: '',
    requiredHeaders: [],
    semantics: { delivery: 'at-least-once', idempotencyKey: null },
    producers: [],
    consumers: [],
    xVersion: `${version}.0.0`,
    schema: { $schema: 'https://json-schema.org/draft/2020-12/schema' },
    digest: fqdn,
    owner: 'test',
    example: null,
  };
}

/** A plugin whose `handle(event)` is this body. */
export async function plugin(id: string, body: string, limits: Partial<TurnLimits> = {}): Promise<Serving> {
  return serve(id, `${HEAD}\nexport async function handle(event) { ${body} }`, limits);
}

export async function serve(
  id: string,
  source: string,
  limits: Partial<TurnLimits> = {},
  permissions: readonly string[] = [],
): Promise<Serving> {
  const all = ['storage.read', 'storage.write', 'bus.publish:math.ask', ...permissions];
  const policy: PluginPolicy = {
    plugin: id,
    version: id,
    gate: { id: 'g', stage: 'stable' },
    asked: [...all, 'bus.publish:math.secret'],
    granted: all,
    publishes: ['math.ask@1', 'math.ask@2', 'math.secret@1'],
    events: Object.fromEntries(
      ['math.ask@1', 'math.ask@2', 'math.secret@1'].map((fqdn) => [fqdn, commandOf(fqdn)]),
    ),
    retry: { max: 0, baseMs: 10, maxMs: 10 },
    limits: { ...LIMITS, ...limits },
    settings: '{}',
  };
  const { code, map: sourceMap } = await bundlePlugin(folderOf(source), 'main.ts');
  const spec = { plugin: id, limits: policy.limits, code, sourceMap, policy };
  const { image } = await pool.boot(spec);
  const generation = ++generations;
  pool.install({ generation, plugin: id, limits: policy.limits, image, sourceMap, policy });
  return { id, state: { id, state: 'enabled' }, generation, policy, concurrency: 1, writes: true };
}

export function deliver(serving: Serving, payload: unknown = null, changes: Partial<IncomingEvent> = {}) {
  const eventId = randomUUID();
  const delivered = turns.deliver(serving, {
    eventId,
    subject: 's',
    envelope: JSON.stringify({ id: eventId, correlation_id: eventId, tenant: 't', headers: {}, payload }),
    key: undefined,
    caller: 'admin',
    mode: 'normal',
    dryRun: false,
    deadlineAtMs: Date.now() + 20_000,
    ...changes,
  });
  delivered.catch(() => {});
  return delivered;
}

/** The first action of a turn that committed. */
export async function action(delivered: Promise<TurnResult>): Promise<unknown> {
  const result = await delivered;
  if (result.kind !== 'committed' || result.outcome.status !== 'ok') throw new Error(JSON.stringify(result));
  return (JSON.parse(result.outcome.actions) as unknown[])[0];
}

export async function failure(delivered: Promise<TurnResult>): Promise<TurnFailure> {
  const result = await delivered;
  if (result.kind !== 'committed' || result.outcome.status !== 'failed')
    throw new Error(JSON.stringify(result));
  return result.outcome.error;
}

/** The next request that a turn made. */
export async function request(): Promise<Asked> {
  await expect.poll(() => asked.length, { interval: 2, timeout: 10_000 }).toBeGreaterThan(0);
  return asked.shift()!;
}

export async function requests(count: number): Promise<Asked[]> {
  const all: Asked[] = [];
  while (all.length < count) all.push(await request());
  return all;
}

export const stood = (times: number) =>
  expect.poll(() => suspended, { interval: 2, timeout: 10_000 }).toBeGreaterThanOrEqual(times);
export const stored = (id: string, key: string) => {
  const found = reader.get(id, key);
  return found && (JSON.parse(found.value) as unknown);
};
