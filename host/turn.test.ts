import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { unhandled } from '../test/kit/unhandled.ts';
import type { NeiraError } from './errors.ts';
import type { Effect, TurnRecord } from './store/records.ts';
import { openStore, type Store } from './store/store.ts';
import { type IncomingEvent, type Serving, type TurnResult, Turns } from './turn.ts';
import type { TurnDelivery } from './turn-context.ts';

/** Turns on a real store; only the cells are the test's: it takes deliveries and posts records as they would. */

const LIMITS = {
  turnMs: 200,
  waitMs: 10_000,
  cpuMs: 50,
  memoryMb: 32,
  hostCalls: 100,
  publishes: 10,
  outputBytes: 1000,
  logBytes: 1000,
  storageMb: 10,
  requests: 20,
  requestsPerMinute: 120,
  responseBytes: 100_000,
};
const ALL_READ = { keys: [], ranges: [] };

let store: Store;
let turns: Turns;
let cell: { readonly cell: number; readonly port: MessagePort };
let inside: TurnDelivery[];
let quarantined: string[];
let performed: string[];
let settled: number[];
let observed: unknown[][];

beforeEach(async () => {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-turn-'));
  store = await openStore({
    writer: new URL('./writer-main.ts', import.meta.url),
    home,
    durability: 'process',
  });
  cell = store.connectCell();
  inside = [];
  quarantined = [];
  performed = [];
  settled = [];
  observed = [];
  turns = new Turns({
    cells: 1,
    send: (_cell, deliveries) => inside.push(...deliveries),
    settled: (_cell, attempt) => settled.push(attempt),
    submit: (record) => store.submit(record),
    fence: (lost) => store.retireCell(lost),
    waits: { request: unhandled, answer: () => {}, abort: () => {} },
    perform: (sends) => performed.push(...sends.map(({ id }) => id)),
    quarantine: (plugin) => quarantined.push(plugin),
    observe: {
      turnEnded: ({ plugin, end, error, conflicts, ran }) =>
        observed.push(['ended', plugin, end, error, conflicts, ran?.slice(1)]),
      turnRefused: (plugin, _event, error) => observed.push(['refused', plugin, (error as NeiraError).code]),
      conflict: (plugin) => observed.push(['conflict', plugin]),
      cellLost: (reason) => observed.push(['lost', reason]),
    },
  });
  store.onTurnAck((acks) => {
    for (const ack of acks) turns.acknowledge(ack);
  });
});

afterEach(async () => {
  const { home } = store;
  cell.port.close();
  await store.close();
  rmSync(home, { recursive: true, force: true });
});

const serving = (id: string): Serving => ({
  id,
  state: { id, state: 'enabled' },
  generation: 1,
  policy: {
    plugin: id,
    version: 'v1',
    gate: { id: 'g', stage: 'stable' },
    asked: [],
    granted: [],
    publishes: [],
    events: {},
    retry: { max: 3, baseMs: 10, maxMs: 100 },
    limits: LIMITS,
    settings: '{}',
  },
  concurrency: 4,
  writes: true,
});

function deliver(plugin: string, changes: Partial<IncomingEvent> = {}): Promise<TurnResult> {
  const eventId = randomUUID();
  const delivered = turns.deliver(serving(plugin), {
    eventId,
    subject: 's',
    envelope: JSON.stringify({ id: eventId }),
    key: undefined,
    caller: 'admin',
    mode: 'normal',
    dryRun: false,
    deadlineAtMs: Date.now() + 10_000,
    ...changes,
  });
  delivered.catch(() => {});
  return delivered;
}

/** The next delivery that reaches the cell. */
async function taken(): Promise<TurnDelivery> {
  await expect.poll(() => inside.length, { interval: 2 }).toBeGreaterThan(0);
  return inside.shift()!;
}

function recordOf(delivery: TurnDelivery, plugin: string, changes: Partial<TurnRecord> = {}): TurnRecord {
  return {
    kind: 'turn',
    turnId: delivery.turnId,
    plugin,
    version: 'v1',
    gate: 'g',
    eventId: delivery.eventId,
    envelope: delivery.envelope,
    subject: delivery.subject,
    caller: delivery.caller,
    startedAtMs: Date.now(),
    deadlineAtMs: delivery.deadlineAtMs!,
    reads: ALL_READ,
    effects: [],
    outcome: { status: 'ok', actions: '[]' },
    fuel: 1,
    runMs: 1,
    storageMb: 10,
    ...(delivery.idempotency && { idempotency: delivery.idempotency }),
    logs: [],
    ...changes,
  };
}

function post(...records: TurnRecord[]): void {
  cell.port.postMessage(JSON.stringify(records));
}

/** The cell is ended while it runs `blamed`; another takes its place. */
function lose(blamed: number, attempts: readonly number[]): void {
  const lost = cell;
  cell = store.connectCell();
  turns.onLost({ storeCell: lost.cell, blamed, attempts, reason: 'ended by the test' });
}

const set = (key: string, value: string): Effect => ({ op: 'set', key, value });
const send = (id: string): Effect => ({ op: 'send', id, port: 'console', target: '', payload: '1' });
const kill = async (plugin: string) => {
  const result = deliver(plugin);
  const { attempt } = await taken();
  lose(attempt, [attempt]);
  return result;
};
const succeed = async (plugin: string, changes: Partial<TurnRecord> = {}) => {
  const result = deliver(plugin);
  post(recordOf(await taken(), plugin, changes));
  return result;
};

test('a delivery settles with what the writer committed, and its sends leave only then', async () => {
  const result = deliver('a');
  const delivery = await taken();
  expect(performed).toEqual([]);
  post(
    recordOf(delivery, 'a', {
      effects: [set('k', '1'), send(`${delivery.turnId}/1`)],
      outcome: { status: 'ok', actions: '[1]' },
    }),
  );
  expect(await result).toEqual({ kind: 'committed', outcome: { status: 'ok', actions: '[1]' } });
  expect(performed).toEqual([`${delivery.turnId}/1`]);
  expect(settled).toEqual([delivery.attempt]);
  expect(turns.pending).toBe(0);
});

test('a turn that read what another changed runs again and commits; its sends leave once', async () => {
  await succeed('a', { effects: [set('k', '1')] });
  const result = deliver('a');
  const first = await taken();
  const effects = [set('k', '2'), send(`${first.turnId}/1`)];
  post(recordOf(first, 'a', { reads: { keys: [{ key: 'k', version: 0 }], ranges: [] }, effects }));
  const second = await taken();
  expect(second.turnId).toBe(first.turnId);
  expect(second.attempt).not.toBe(first.attempt);
  post(recordOf(second, 'a', { reads: { keys: [{ key: 'k', version: 1 }], ranges: [] }, effects }));
  expect(await result).toMatchObject({ kind: 'committed' });
  expect(performed).toEqual([`${first.turnId}/1`]);
});

test('after three conflicts it runs alone; a fourth is given up with its own error', async () => {
  await succeed('a', { effects: [set('k', '1')] });
  const result = deliver('a');
  const stale = { reads: { keys: [{ key: 'k', version: 0 }], ranges: [] } };
  for (let attempt = 1; attempt <= 3; attempt++) post(recordOf(await taken(), 'a', stale));
  const alone = await taken();
  const neighbour = deliver('a');
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(inside).toEqual([]);
  post(recordOf(alone, 'a', stale));
  await expect(result).rejects.toMatchObject({ code: 'NEIRA_STORE_CONFLICT' });
  post(recordOf(await taken(), 'a'));
  await neighbour;
});

// OBS-06
test('an observer is told once of each end: conflicts, failures, lost cells and what never ran', async () => {
  await succeed('a', { effects: [set('k', '1')] });
  const conflicting = deliver('a');
  post(recordOf(await taken(), 'a', { reads: { keys: [{ key: 'k', version: 0 }], ranges: [] } }));
  post(recordOf(await taken(), 'a', { fuel: 7, runMs: 3 }));
  await conflicting;
  await kill('b');
  const late = deliver('c', { deadlineAtMs: Date.now() - 1 });
  post(recordOf(await taken(), 'c'));
  await expect(late).rejects.toMatchObject({ code: 'NEIRA_DEADLINE' });
  expect(observed).toEqual([
    ['ended', 'a', 'ok', undefined, 0, [1, 1]],
    ['conflict', 'a'],
    ['ended', 'a', 'ok', undefined, 1, [3, 7]],
    ['lost', 'ended by the test'],
    ['ended', 'b', 'failed', 'NEIRA_CELL_LOST', 0, [200, 0]],
    ['refused', 'c', 'NEIRA_DEADLINE'],
  ]);
});

test('past its deadline the writer refuses the commit, and nothing is kept', async () => {
  const result = deliver('a', { deadlineAtMs: Date.now() + 30 });
  const delivery = await taken();
  await new Promise((resolve) => setTimeout(resolve, 60));
  post(recordOf(delivery, 'a', { effects: [set('k', '1')] }));
  await expect(result).rejects.toMatchObject({ code: 'NEIRA_DEADLINE' });
  expect(store.turn(delivery.turnId)).toBeUndefined();
  expect(store.usageBytes('a')).toBe(0);
});

test('a dry run is answered from the cell and never reaches the writer', async () => {
  const result = deliver('a', { dryRun: true });
  const delivery = await taken();
  turns.onDry(delivery.attempt, JSON.stringify(recordOf(delivery, 'a')));
  expect(await result).toMatchObject({ kind: 'dry', record: { turnId: delivery.turnId } });
  expect(store.turn(delivery.turnId)).toBeUndefined();
});

test('when a cell is lost only the turn that it was running is blamed; its neighbours run again', async () => {
  const results = ['a', 'b', 'c'].map((plugin) => deliver(plugin));
  const deliveries = [await taken(), await taken(), await taken()];
  const blamed = deliveries.find(({ turnId }) => turnId.endsWith(':b'))!;
  lose(
    blamed.attempt,
    deliveries.map(({ attempt }) => attempt),
  );
  expect(await results[1]).toMatchObject({
    kind: 'committed',
    outcome: { status: 'failed', error: { code: 'NEIRA_CELL_LOST', details: { plugin: 'b' } } },
  });
  for (let n = 0; n < 2; n++) {
    const again = await taken();
    post(recordOf(again, again.turnId.split(':')[1]!));
  }
  expect(await Promise.all([results[0], results[2]])).toMatchObject([
    { kind: 'committed' },
    { kind: 'committed' },
  ]);
  expect(store.turn(blamed.turnId)).toMatchObject({ plugin: 'b', outcome: { status: 'failed' } });
});

test('what a lost cell had posted counts: the turn is not run twice', async () => {
  const result = deliver('a');
  const neighbour = deliver('b');
  const [first, second] = [await taken(), await taken()];
  const [a, b] = first.turnId.endsWith(':a') ? [first, second] : [second, first];
  post(recordOf(a, 'a', { effects: [set('k', '1')] }));
  lose(b.attempt, [a.attempt, b.attempt]);
  expect(await result).toMatchObject({ kind: 'committed', outcome: { status: 'ok' } });
  expect(await neighbour).toMatchObject({ outcome: { status: 'failed' } });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(inside).toEqual([]);
});

test('a cell that was lost between turns blames nobody', async () => {
  const result = deliver('a');
  const { attempt } = await taken();
  lose(0, [attempt]);
  post(recordOf(await taken(), 'a'));
  expect(await result).toMatchObject({ outcome: { status: 'ok' } });
  expect(quarantined).toEqual([]);
});

test('a turn that was blamed under an idempotency key that is used gets the stored reply', async () => {
  const idempotency = { key: 'client:1', digest: 'd' };
  const first = deliver('a', { idempotency });
  post(recordOf(await taken(), 'a'));
  await first;
  const second = deliver('a', { idempotency });
  const { attempt } = await taken();
  lose(attempt, [attempt]);
  expect(await second).toMatchObject({ kind: 'replayed', reply: expect.stringContaining('executed') });
});

test('three kills with no success between quarantine the plugin, and only it', async () => {
  await kill('a');
  await kill('b');
  await kill('a');
  expect(quarantined).toEqual([]);
  await kill('a');
  expect(quarantined).toEqual(['a']);
});

test('a success between kills begins the count anew', async () => {
  await kill('a');
  await kill('a');
  await succeed('a');
  await kill('a');
  await kill('a');
  expect(quarantined).toEqual([]);
});

test('a failure between kills is no success', async () => {
  const error = { code: 'NEIRA_PLUGIN_FAILED' as const, details: {}, message: 'it threw' };
  await kill('a');
  await kill('a');
  await succeed('a', { outcome: { status: 'failed', error } });
  await kill('a');
  expect(quarantined).toEqual(['a']);
});

test('a dry run that ends its cell fails, keeps nothing, and counts as a kill', async () => {
  for (let n = 0; n < 3; n++) {
    const result = deliver('a', { dryRun: true });
    const { attempt, turnId } = await taken();
    lose(attempt, [attempt]);
    await expect(result).rejects.toMatchObject({ code: 'NEIRA_CELL_LOST' });
    expect(store.turn(turnId)).toBeUndefined();
  }
  expect(quarantined).toEqual(['a']);
});

test('drain waits for what was accepted', async () => {
  const result = deliver('a');
  const delivery = await taken();
  let drained = false;
  const draining = turns.drain().then(() => {
    drained = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(drained).toBe(false);
  post(recordOf(delivery, 'a'));
  await Promise.all([result, draining]);
  expect(turns.pending).toBe(0);
});
