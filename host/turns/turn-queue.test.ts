import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { NeiraError } from '../errors.ts';
import type { IncomingEvent, Serving, TurnResult } from '../turn.ts';
import type { TurnDelivery } from '../turn-context.ts';
import { TurnQueue } from './turn-queue.ts';
import type { Task } from './turn-task.ts';

const DONE: TurnResult = { kind: 'committed', outcome: { status: 'ok', actions: '[]' } };
const MAX_WAITING = 4096;
const CELL_WINDOW = 64;

/** A queue whose cells are the test: what was sent waits here until the test says that it is done. */
class Bench {
  readonly sent: { readonly cell: number; readonly delivery: TurnDelivery }[] = [];
  readonly queue: TurnQueue;
  #events = 0;

  constructor(cells = 1) {
    this.queue = new TurnQueue(cells, (cell, deliveries) => {
      for (const delivery of deliveries) this.sent.push({ cell, delivery });
    });
  }

  add(plugin: string, changes: Partial<IncomingEvent & Pick<Serving, 'generation' | 'concurrency'>> = {}) {
    const { generation = 1, concurrency = 4, ...event } = changes;
    const eventId = `e${++this.#events}`;
    const policy = { limits: { cpuMs: 1 } };
    const serving = { id: plugin, generation, concurrency, policy } as Serving;
    return this.queue.add(serving, {
      eventId,
      envelope: eventId,
      key: undefined,
      dryRun: false,
      deadlineAtMs: Date.now() + 60_000,
      ...event,
    } as IncomingEvent);
  }

  /** Event ids that are in cells now, in the order in which they were taken. */
  async inCells(): Promise<string[]> {
    await vi.advanceTimersByTimeAsync(1);
    return this.sent
      .map(({ delivery }) => delivery)
      .filter(({ attempt }) => this.queue.byAttempt(attempt))
      .sort((a, b) => a.attempt - b.attempt)
      .map(({ eventId }) => eventId);
  }

  task(eventId: string): Task | undefined {
    const found = this.sent.findLast(({ delivery }) => delivery.eventId === eventId);
    return found && this.queue.byAttempt(found.delivery.attempt);
  }

  finish(...eventIds: string[]): void {
    for (const eventId of eventIds) this.queue.resolve(this.task(eventId)!, DONE);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('deliveries of one key run one at a time, in the order in which they came', async () => {
  const bench = new Bench();
  for (let n = 0; n < 3; n++) void bench.add('a', { key: 'k' });
  expect(await bench.inCells()).toEqual(['e1']);
  bench.finish('e1');
  expect(await bench.inCells()).toEqual(['e2']);
  bench.finish('e2');
  expect(await bench.inCells()).toEqual(['e3']);
});

test('other keys, no key, and the same key of another plugin do not wait', async () => {
  const bench = new Bench();
  void bench.add('a', { key: 'k' });
  void bench.add('a', { key: 'k' });
  void bench.add('a', { key: 'other' });
  void bench.add('a');
  void bench.add('b', { key: 'k' });
  expect((await bench.inCells()).sort()).toEqual(['e1', 'e3', 'e4', 'e5']);
});

test('a delivery that runs again keeps its place before those behind it', async () => {
  const bench = new Bench();
  for (let n = 0; n < 3; n++) void bench.add('a', { key: 'k' });
  expect(await bench.inCells()).toEqual(['e1']);
  bench.queue.rerun(bench.task('e1')!, false);
  expect(await bench.inCells()).toEqual(['e1']);
  bench.finish('e1');
  expect(await bench.inCells()).toEqual(['e2']);
});

test('a delivery that failed frees its key for the next', async () => {
  const bench = new Bench();
  const first = bench.add('a', { key: 'k' });
  first.catch(() => {});
  void bench.add('a', { key: 'k' });
  await bench.inCells();
  bench.queue.reject(bench.task('e1')!, new Error('failed'));
  await expect(first).rejects.toThrow('failed');
  expect(await bench.inCells()).toEqual(['e2']);
});

test('a dry run takes no place in the order of its key', async () => {
  const bench = new Bench();
  void bench.add('a', { key: 'k' });
  void bench.add('a', { key: 'k', dryRun: true });
  expect(await bench.inCells()).toEqual(['e1', 'e2']);
});

test('deliveries of one key always go to the same cell, those of a plugin to as many as it may use', async () => {
  const bench = new Bench(4);
  for (let n = 0; n < 40; n++) void bench.add('wide', { key: `k${n % 20}` });
  for (let n = 0; n < 40; n++) void bench.add('narrow', { concurrency: 1 });
  for (let step = 0; step < 40; step++) bench.finish(...(await bench.inCells()));
  const cellsOf = (test: (delivery: TurnDelivery) => boolean) =>
    new Set(bench.sent.filter(({ delivery }) => test(delivery)).map(({ cell }) => cell)).size;
  const number = ({ eventId }: TurnDelivery) => Number(eventId.slice(1)) - 1;
  for (let key = 0; key < 20; key++)
    expect(cellsOf((each) => number(each) < 40 && number(each) % 20 === key)).toBe(1);
  expect(cellsOf((each) => number(each) < 40)).toBeGreaterThan(1);
  expect(cellsOf((each) => number(each) >= 40)).toBe(1);
});

test('a cell holds a bounded number of deliveries, and plugins get places by turns', async () => {
  const bench = new Bench();
  for (let n = 0; n < 100; n++) void bench.add('flood');
  void bench.add('late');
  const inside = await bench.inCells();
  expect(inside).toHaveLength(CELL_WINDOW);
  expect(inside.indexOf('e101')).toBeLessThan(2);
});

test('a plugin whose turns are slow is fed one at a time, and its neighbour is not held up', async () => {
  const bench = new Bench();
  for (let n = 0; n < 2 * CELL_WINDOW; n++) void bench.add('slow');
  const first = await bench.inCells();
  await vi.advanceTimersByTimeAsync(2000);
  bench.finish(...first);
  const inside = await bench.inCells();
  expect(inside).toHaveLength(1);
  for (let n = 0; n < 10; n++) void bench.add('quick');
  expect(await bench.inCells()).toHaveLength(11);
  // Quick again: what it waited behind others does not count against it for ever.
  for (let turn = 0; turn < 25; turn++) {
    const [next] = (await bench.inCells()).filter((id) => Number(id.slice(1)) <= 2 * CELL_WINDOW);
    bench.finish(next!);
  }
  expect(
    (await bench.inCells()).filter((id) => Number(id.slice(1)) <= 2 * CELL_WINDOW).length,
  ).toBeGreaterThan(1);
});

test('what waits for one plugin is bounded; beyond it the host says that it is busy, for that plugin only', async () => {
  const bench = new Bench();
  for (let n = 0; n < MAX_WAITING + CELL_WINDOW; n++) {
    void bench.add('flood');
    if (n === CELL_WINDOW) await bench.inCells();
  }
  await expect(bench.add('flood')).rejects.toMatchObject({
    code: 'NEIRA_BUSY',
    details: { what: 'plugin `flood`', waiting: MAX_WAITING },
  });
  void bench.add('other');
  // Two places: one goes to the other plugin.
  bench.finish('e1', 'e2');
  await bench.inCells();
  void bench.add('flood');
  expect(bench.queue.size).toBe(MAX_WAITING + CELL_WINDOW);
});

test('what waits past its deadline gives up; what is in a cell goes on; those behind it move up', async () => {
  const bench = new Bench();
  const running = bench.add('a', { key: 'k', deadlineAtMs: Date.now() + 100 });
  const waiting = bench.add('a', { key: 'k', deadlineAtMs: Date.now() + 100 });
  const behind = bench.add('a', { key: 'k' });
  const failed = expect(waiting).rejects.toMatchObject({
    code: 'NEIRA_DEADLINE',
    details: { deadlineMs: 100 },
  });
  expect(await bench.inCells()).toEqual(['e1']);
  await vi.advanceTimersByTimeAsync(300);
  await failed;
  expect(await bench.inCells()).toEqual(['e1']);
  bench.finish('e1');
  await expect(running).resolves.toBe(DONE);
  expect(await bench.inCells()).toEqual(['e3']);
  bench.finish('e3');
  await expect(behind).resolves.toBe(DONE);
  expect(bench.queue.size).toBe(0);
});

test('the head of a key that gives up before it was sent leaves the key to the next', async () => {
  const bench = new Bench();
  for (let n = 0; n < CELL_WINDOW; n++) void bench.add('a');
  await bench.inCells();
  bench.add('a', { key: 'k', deadlineAtMs: Date.now() + 50 }).catch(() => {});
  void bench.add('a', { key: 'k' });
  await vi.advanceTimersByTimeAsync(200);
  bench.finish('e1', 'e2');
  expect(await bench.inCells()).toContain(`e${CELL_WINDOW + 2}`);
});

test('a delivery that must run alone waits for its plugin to be still, and nothing of it starts meanwhile', async () => {
  const bench = new Bench(2);
  for (let n = 0; n < 3; n++) void bench.add('a');
  expect(await bench.inCells()).toEqual(['e1', 'e2', 'e3']);
  bench.queue.rerun(bench.task('e1')!, true);
  void bench.add('a');
  void bench.add('b');
  expect(await bench.inCells()).toEqual(['e2', 'e3', 'e5']);
  bench.finish('e2', 'e3');
  expect(await bench.inCells()).toEqual(['e5', 'e1']);
  bench.finish('e1');
  expect(await bench.inCells()).toEqual(['e5', 'e4']);
});

test('every attempt has its own number, and an old one means nothing any more', async () => {
  const bench = new Bench();
  void bench.add('a');
  await bench.inCells();
  const first = bench.sent[0]!.delivery;
  bench.queue.rerun(bench.task('e1')!, false);
  await bench.inCells();
  const second = bench.sent[1]!.delivery;
  expect([second.turnId, second.eventId]).toEqual([first.turnId, first.eventId]);
  expect(second.attempt).toBeGreaterThan(first.attempt);
  expect(bench.queue.byAttempt(first.attempt)).toBeUndefined();
  expect(bench.queue.byTurn(first.turnId)).toBe(bench.task('e1'));
});

test('idle waits for one generation only, drained for all', async () => {
  const bench = new Bench();
  void bench.add('a', { generation: 1 });
  void bench.add('a', { generation: 2 });
  await bench.inCells();
  const over: string[] = [];
  void bench.queue.idle(1).then(() => over.push('idle'));
  void bench.queue.drained().then(() => over.push('drained'));
  void bench.queue.idle(3).then(() => over.push('nobody'));
  await bench.inCells();
  expect(over).toEqual(['nobody']);
  bench.finish('e1');
  await bench.inCells();
  expect(over).toEqual(['nobody', 'idle']);
  bench.finish('e2');
  await bench.inCells();
  expect(over).toEqual(['nobody', 'idle', 'drained']);
});

test('a plugin whose waiting deliveries were all given up goes on with what comes later', async () => {
  const bench = new Bench();
  for (let n = 0; n < CELL_WINDOW + 3; n++) bench.add('a').catch(() => {});
  expect(await bench.inCells()).toHaveLength(CELL_WINDOW);
  bench.queue.rejectWaiting(
    () => true,
    () => new NeiraError('NEIRA_STOPPING'),
  );
  void bench.add('a');
  bench.finish('e1', 'e2');
  expect(await bench.inCells()).toContain(`e${CELL_WINDOW + 4}`);
});

test('a turn that stands still frees its place and not its key, and takes the place again when it goes on', async () => {
  const bench = new Bench();
  for (let n = 0; n < CELL_WINDOW; n++) void bench.add(`p${n}`, { key: 'k' });
  void bench.add('p0', { key: 'k' });
  void bench.add('late');
  const full = await bench.inCells();
  expect(full).toHaveLength(CELL_WINDOW);
  const standing = bench.task('e1')!;
  bench.queue.suspend(standing);
  expect((await bench.inCells()).filter((id) => !full.includes(id))).toEqual([`e${CELL_WINDOW + 2}`]);
  bench.queue.resume(standing);
  bench.finish('e2');
  void bench.add('later');
  expect(await bench.inCells()).not.toContain(`e${CELL_WINDOW + 3}`);
  bench.finish('e3', 'e1');
  expect(await bench.inCells()).toEqual(
    expect.arrayContaining([`e${CELL_WINDOW + 1}`, `e${CELL_WINDOW + 3}`]),
  );
});

test('time in which a turn stands still does not make its plugin a slow one', async () => {
  const bench = new Bench();
  void bench.add('a');
  await bench.inCells();
  const standing = bench.task('e1')!;
  bench.queue.suspend(standing);
  await vi.advanceTimersByTimeAsync(5000);
  bench.queue.resume(standing);
  bench.finish('e1');
  for (let n = 0; n < 3; n++) void bench.add('a');
  expect(await bench.inCells()).toHaveLength(3);
});

test('a plugin with very many turns that stand still gets no more of them, and its neighbours go on', async () => {
  const bench = new Bench();
  for (let n = 0; n < 300; n++) void bench.add('a');
  for (let sent = 0; sent < 256; sent = bench.sent.length) {
    await bench.inCells();
    for (const { delivery } of bench.sent) bench.queue.suspend(bench.queue.byAttempt(delivery.attempt)!);
  }
  expect(await bench.inCells()).toHaveLength(256);
  void bench.add('b');
  expect(await bench.inCells()).toHaveLength(257);
  bench.queue.resume(bench.task('e1')!);
  bench.finish('e1');
  expect(await bench.inCells()).toContain('e257');
});
