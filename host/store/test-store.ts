import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Ack, Effect, TurnRecord, WriteRecord } from './records.ts';
import { openStore, type Store, type StoreOptions } from './store.ts';

export const WRITER = new URL('../writer-main.ts', import.meta.url);

/** Helpers of the store's tests: real folders, real threads. */

export function tempHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'neira-store-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

export async function openTemp(options: Partial<StoreOptions> = {}): Promise<Store> {
  const store = await openStore({ writer: WRITER, home: tempHome(), durability: 'process', ...options });
  onTestFinished(() => store.close());
  return store;
}

let turns = 0;

export function turn(effects: readonly Effect[] = [], more: Partial<TurnRecord> = {}): TurnRecord {
  const eventId = `e${++turns}`;
  return {
    kind: 'turn',
    turnId: `${eventId}:demo`,
    plugin: 'demo',
    version: 'digest-1',
    gate: 'runtime_scripting',
    eventId,
    envelope: JSON.stringify({ id: eventId }),
    subject: 'ui.pencil.draw',
    caller: 'write',
    startedAtMs: Date.now(),
    reads: { keys: [], ranges: [] },
    effects,
    outcome: { status: 'ok', actions: '[]' },
    fuel: 10,
    runMs: 0.5,
    storageMb: 1,
    logs: [],
    ...more,
  };
}

export const set = (key: string, value: unknown): Effect => ({
  op: 'set',
  key,
  value: JSON.stringify(value),
});
export const remove = (key: string): Effect => ({ op: 'delete', key });
export const add = (key: string, amount: number): Effect => ({ op: 'add', key, amount });
export const append = (key: string, value: unknown): Effect => ({
  op: 'append',
  key,
  value: JSON.stringify(value),
});

export function note(id: string, text = '', place: { chatId?: string; sessionId?: string } = {}): Effect {
  const line = JSON.stringify({ id, text });
  return { op: 'record', type: 'annotation', id, chatId: 'chat', sessionId: 'session', line, text, ...place };
}

export const journal = (action: string, after?: unknown): WriteRecord => ({
  kind: 'admin',
  ops: [],
  journal: [{ actor: 'tester', action, target: 'demo', after }],
});

export async function commit(store: Store, record: WriteRecord): Promise<Extract<Ack, { ok: true }>> {
  const ack = await store.submit(record);
  if (!ack.ok) throw new Error(`refused: ${JSON.stringify(ack)}`);
  return ack;
}

export function linesOf(home: string, path: string): string[] {
  const text = readFileSync(join(home, path), 'utf8');
  if (text !== '' && !text.endsWith('\n')) throw new Error(`${path} ends in the middle of a line`);
  return text.split('\n').slice(0, -1);
}

export function filesIn(home: string, folder: string): string[] {
  return readdirSync(join(home, folder)).sort();
}

/** A small generator with a seed, so that a failure can be seen again (SplitMix32). */
export function seededRandom(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) % below;
  };
}
