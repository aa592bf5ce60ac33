import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLogger } from '../log.ts';
import type { MailboxEntry } from '../store/bus-records.ts';
import type { Ack, TurnRecord } from '../store/records.ts';
import { type Serving, Turns } from '../turn.ts';
import type { TurnDelivery } from '../turn-context.ts';
import { Mailboxes } from './mailboxes.ts';

/** Mailboxes on real turns; the rows, the writer's answers and the cells are the test's. */

const waiting = (id: number, more: Partial<MailboxEntry> = {}): MailboxEntry => ({
  id,
  plugin: 'p',
  key: null,
  attempts: 0,
  triesLeftFrom: 0,
  dueMs: 0,
  eventId: `e${id}`,
  subject: 's',
  version: 1,
  schema: null,
  caller: 'write',
  envelope: '{}',
  subscriptions: '[]',
  chain: null,
  deadlineMs: null,
  ...more,
});

const servingOf = (generation: number) =>
  ({
    id: 'p',
    generation,
    policy: { gate: { id: 'g' }, retry: { max: 9, baseMs: 10, maxMs: 10 }, limits: { cpuMs: 1, turnMs: 1 } },
    concurrency: 1,
    writes: true,
  }) as unknown as Serving;

let rows: MailboxEntry[];
let sent: TurnDelivery[];
let generation: number;
let mode: 'normal' | 'safe';
let turns: Turns;
let mailboxes: Mailboxes;

beforeEach(() => {
  vi.useFakeTimers();
  rows = [];
  sent = [];
  generation = 1;
  mode = 'normal';
  turns = new Turns({
    cells: 1,
    send: (_cell, deliveries) => sent.push(...deliveries),
    settled: () => {},
    submit: (record) => Promise.resolve(retried(record)),
    fence: () => Promise.resolve(),
    waits: { request: () => Promise.reject(new Error()), answer: () => {}, abort: () => {} },
    perform: () => {},
    quarantine: () => {},
  });
  mailboxes = new Mailboxes({
    store: {
      mailbox: (_plugin, after, limit) => rows.filter(({ id }) => id > after).slice(0, limit),
      mailboxOfKey: (_plugin, key, after, upTo, limit) =>
        rows.filter((row) => row.key === key && row.id > after && row.id <= upTo).slice(0, limit),
      mailboxPlugins: () => ['p'],
    },
    turns,
    serving: () => servingOf(generation),
    mayRun: (_serving, { caller }) => mode === 'normal' || caller === 'admin',
    mode: () => mode,
    committed: () => {},
    tick: () => Promise.resolve(),
    problem: () => undefined,
    log: createLogger({ level: 'silent' }),
  });
});
afterEach(() => {
  mailboxes.stop();
  vi.useRealTimers();
});

function retried({ turnId, outcome, delivery }: TurnRecord): Ack {
  rows = rows.map((row) => (row.id === delivery?.id ? { ...row, attempts: row.attempts + 1 } : row));
  return { ok: true, turnId, outcome, settlement: { state: 'retry', dueMs: Date.now() } };
}

async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(300);
}

const lose = (blamed: number, attempts: number[]) =>
  turns.onLost({ storeCell: 1, blamed, attempts, reason: 'it ended' });

test('a delivery that a stopped generation gives back late is handed to the one that serves now', async () => {
  rows = [1, 2, 3, 4].map((id) => waiting(id));
  mailboxes.start();
  await vi.advanceTimersByTimeAsync(1);
  expect(sent.map(({ eventId }) => eventId)).toEqual(['e1', 'e2', 'e3', 'e4']);
  const [a, b, c, last] = sent.map(({ attempt }) => attempt) as [number, number, number, number];
  for (const blamed of [a, b, c]) {
    lose(blamed, [blamed]);
    await vi.advanceTimersByTimeAsync(1);
  }
  generation = 2;
  mailboxes.wake('p');
  await settle();
  expect(sent.filter(({ eventId }) => eventId === 'e4')).toHaveLength(1);
  lose(0, [last]);
  rows = rows.slice(3);
  for (const { turnId } of sent.slice(4))
    turns.acknowledge({ ok: true, turnId, outcome: { status: 'ok', actions: '[]' } });
  await settle();
  expect(sent.at(-1)).toMatchObject({ eventId: 'e4', generation: 2 });
});

test('what waits for its turn when safe mode begins goes back, and comes in order when it is over', async () => {
  rows = [waiting(1, { key: 'k' }), waiting(2, { key: 'k' }), waiting(3, { key: 'k', caller: 'admin' })];
  mailboxes.start();
  mode = 'safe';
  await settle();
  expect(sent).toEqual([]);
  rows.push(waiting(4, { caller: 'admin' }));
  mailboxes.arrived({ deliveries: rows.slice(3) });
  await settle();
  expect(sent.map(({ eventId }) => eventId)).toEqual(['e4']);
  mode = 'normal';
  mailboxes.wakeAll();
  await settle();
  expect(sent.map(({ eventId }) => eventId)).toEqual(['e4', 'e1', 'e2', 'e3']);
});

test('what waits behind a delivery that is given back late goes back with it', async () => {
  rows = [waiting(1, { key: 'k' }), waiting(2), waiting(3), waiting(4)];
  mailboxes.start();
  await vi.advanceTimersByTimeAsync(1);
  const [late, ...others] = sent.map(({ attempt }) => attempt);
  for (const blamed of others) {
    lose(blamed, [blamed]);
    await vi.advanceTimersByTimeAsync(1);
  }
  generation = 2;
  rows = [rows[0]!, waiting(5, { key: 'k' })];
  mailboxes.wake('p');
  await vi.advanceTimersByTimeAsync(1);
  lose(0, [late!]);
  await settle();
  const later = sent.filter(({ eventId, generation: by }) => by === 2 && /e[15]/.test(eventId));
  expect(later.map(({ eventId }) => eventId)).toEqual(['e1', 'e5']);
});

test('what went back while another of its key was in a cell is found again', async () => {
  rows = [waiting(1, { key: 'k' })];
  mailboxes.start();
  await vi.advanceTimersByTimeAsync(1);
  rows.push(waiting(2, { key: 'k' }), waiting(3));
  mailboxes.arrived({ deliveries: rows.slice(1) });
  mode = 'safe';
  await settle();
  rows = [rows[1]!, rows[2]!, waiting(4, { key: 'k', caller: 'admin' })];
  const { turnId } = sent[0]!;
  turns.acknowledge({
    ok: true,
    turnId,
    outcome: { status: 'ok', actions: '[]' },
    settlement: { state: 'done' },
  });
  await settle();
  mailboxes.arrived({ deliveries: rows.slice(2) });
  await settle();
  expect(sent.map(({ eventId }) => eventId)).toEqual(['e1']);
  mode = 'normal';
  mailboxes.wakeAll();
  await settle();
  // The one of the administrator waits behind it.
  expect(sent.map(({ eventId }) => eventId)).toEqual(['e1', 'e2']);
});

test('an event that lies in a mailbox twice is two turns, and each ends by itself', async () => {
  rows = [waiting(1), waiting(2, { eventId: 'e1' })];
  mailboxes.start();
  await vi.advanceTimersByTimeAsync(1);
  const [first, second] = sent.map(({ turnId }) => turnId) as [string, string];
  expect(sent.map(({ eventId }) => eventId)).toEqual(['e1', 'e1']);
  for (const turnId of [second, first]) {
    expect(mailboxes.inHand).toBe(turnId === second ? 2 : 1);
    rows = rows.filter(({ id }) => id !== (turnId === second ? 2 : 1));
    turns.acknowledge({
      ok: true,
      turnId,
      outcome: { status: 'ok', actions: '[]' },
      settlement: { state: 'done' },
    });
    await vi.advanceTimersByTimeAsync(1);
  }
  expect(mailboxes.inHand).toBe(0);
});
