import { MessageChannel } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import type { TurnDelivery } from '../turn-context.ts';
import type { Program } from './messages.ts';
import { CellPool, type LostCell } from './pool.ts';

/** Cells that get stuck where no fuel is counted; they stand in for a fault of the engine itself. */

const STUCK_CELL = `
import { parentPort, workerData } from 'node:worker_threads';
const slot = new Int32Array(workerData.slot);
const begin = (id) => { Atomics.store(slot, 1, Date.now() & 0x7fffffff); Atomics.store(slot, 0, id); };
parentPort.on('message', (message) => {
  if (message.type === 'boot') { begin(-message.id); for (;;); }
  if (message.type !== 'deliveries') return;
  for (const { attempt, envelope } of JSON.parse(message.batch)) {
    begin(attempt);
    if (envelope === 'stuck') for (;;);
    if (envelope === 'throw') throw new Error('a fault of the cell');
    if (envelope === 'exit') process.exit(3);
    Atomics.store(slot, 0, 0);
    parentPort.postMessage({ type: 'dry', attempt, record: workerData.records ? 'done' : '' });
  }
});
parentPort.postMessage({ type: 'ready' });`;

const LIMITS = { turnMs: 50, cpuMs: 50, memoryMb: 32, outputBytes: 1000 };
const GRACE_MS = 500;
let pool: CellPool;

afterEach(() => pool.close());

async function open() {
  const lost: LostCell[] = [];
  const done: number[] = [];
  let cells = 0;
  pool = await CellPool.open(
    {
      size: 1,
      entry: new URL(`data:text/javascript,${encodeURIComponent(STUCK_CELL)}`),
      connect: () => ({ cell: ++cells, port: new MessageChannel().port1 }),
      root: {},
    },
    {
      onDry: (attempt) => done.push(attempt),
      onCut: () => {},
      onLost: (cell) => lost.push(cell),
      onWait: () => {},
      onSuspended: () => {},
    },
  );
  pool.install({
    generation: 1,
    plugin: 'a',
    limits: LIMITS,
    image: {},
    sourceMap: '',
    policy: {},
  } as unknown as Program);
  const send = (...envelopes: string[]) =>
    pool.send(
      0,
      envelopes.map(
        (envelope, index) => ({ attempt: index + 1, generation: 1, envelope, dryRun: true }) as TurnDelivery,
      ),
    );
  return { lost, done, send };
}

test('a turn that hangs its thread is ended soon after its limit, and it alone is blamed', async () => {
  const { lost, done, send } = await open();
  send('quick');
  await expect.poll(() => done, { timeout: 5000 }).toEqual([1]);
  done.length = 0;
  const begun = performance.now();
  send('quick', 'stuck', 'behind');
  await expect.poll(() => lost.length, { timeout: 5000, interval: 5 }).toBe(1);
  const tookMs = performance.now() - begun;
  expect(tookMs).toBeGreaterThan(LIMITS.turnMs + GRACE_MS - 50);
  expect(tookMs).toBeLessThan(LIMITS.turnMs + GRACE_MS + 500);
  expect(done).toEqual([1]);
  expect(lost).toMatchObject([{ storeCell: 1, blamed: 2, attempts: [2, 3] }]);
});

test('the spare takes the place of a cell that was ended, and another spare is started', async () => {
  const { lost, done, send } = await open();
  for (let round = 1; round <= 3; round++) {
    send('stuck');
    await expect.poll(() => lost.length, { timeout: 5000, interval: 5 }).toBe(round);
    done.length = 0;
    send('quick');
    await expect.poll(() => done, { timeout: 5000, interval: 5 }).toEqual([1]);
  }
  expect(lost.map(({ storeCell }) => storeCell)).toEqual([1, 2, 3]);
});

test.each(['throw', 'exit'])(
  'a cell that ends by itself (%s) blames the turn that it was running',
  async (how) => {
    const { lost, done, send } = await open();
    send('quick', how, 'behind');
    await expect.poll(() => lost.length, { timeout: 5000 }).toBe(1);
    expect(done).toEqual([1]);
    expect(lost).toMatchObject([{ blamed: 2, attempts: [2, 3], reason: expect.any(String) }]);
  },
);

test('a boot that hangs its thread is ended and refused; no serving cell is lost with it', async () => {
  const { lost, done, send } = await open();
  const boot = pool.boot({ plugin: 'a', limits: LIMITS, code: '', sourceMap: '', policy: {} });
  const refused = expect(boot).rejects.toMatchObject({ code: 'NEIRA_BOOT_FAILED' });
  send('quick');
  await expect.poll(() => done, { timeout: 5000 }).toEqual([1]);
  await refused;
  expect(lost).toEqual([]);
}, 30_000);
