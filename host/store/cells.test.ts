import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { createKvReader } from './reader.ts';
import type { Ack } from './records.ts';
import { append, openTemp, turn } from './test-store.ts';

test('after a cell was terminated, a fence brings the acks of all that it had posted', async () => {
  const store = await openTemp();
  const acks: Ack[] = [];
  store.onTurnAck((batch) => acks.push(...batch));
  const { cell, port } = store.connectCell();
  const posted = new SharedArrayBuffer(4);
  const workerData = { port, posted, template: turn() };
  const worker = new Worker(new URL('./test-cell.ts', import.meta.url), {
    workerData,
    transferList: [port],
    execArgv: [],
  });
  const count = new Int32Array(posted);
  while (count[0]! < 500) await sleep(1);
  await worker.terminate();
  await store.fence(cell);
  // The count is taken after the post: the cell may have died between the two.
  const last = count[0]!;
  expect([last, last + 3]).toContain(acks.length);
  expect(acks.every((ack) => ack.ok)).toBe(true);
  expect(new Set(acks.map(({ turnId }) => turnId)).size).toBe(acks.length);
  const seen = acks.length;
  using reader = createKvReader(store.databasePath);
  expect(reader.lastOf('demo', 'log')).toBe(seen);
  await store.retireCell(cell);
  await sleep(50);
  expect(acks).toHaveLength(seen);
  // A cell that is gone is fenced at once.
  await store.fence(cell);
});

test('a fence of one cell comes after the acks of its turns, while others go on', async () => {
  const store = await openTemp();
  const one = store.connectCell();
  const two = store.connectCell();
  const acked: string[] = [];
  store.onTurnAck((batch) => acked.push(...batch.map(({ turnId }) => turnId!)));
  for (let i = 0; i < 40; i++) {
    one.port.postMessage(JSON.stringify([turn([append('a', i)], { turnId: `one:${i}` })]));
    two.port.postMessage(JSON.stringify([turn([append('b', i)], { turnId: `two:${i}` })]));
  }
  one.port.close();
  await store.fence(one.cell);
  expect(acked.filter((id) => id.startsWith('one:'))).toEqual(
    Array.from({ length: 40 }, (_, i) => `one:${i}`),
  );
  await store.fence(two.cell);
  expect(acked).toHaveLength(80);
  two.port.close();
});

test('a batch that is not JSON is reported and harms nobody', async () => {
  const store = await openTemp();
  const problems: string[] = [];
  store.onProblem(({ what }) => problems.push(what));
  const { cell, port } = store.connectCell();
  port.postMessage('[{"kind":"turn"');
  port.postMessage('[{"kind":"turn","turnId":"hollow"}, null, 5]');
  const acks: Ack[] = [];
  store.onTurnAck((batch) => acks.push(...batch));
  port.postMessage(JSON.stringify([turn([], { turnId: 'sound' })]));
  await store.fence(cell);
  expect(problems).toHaveLength(1);
  expect(acks.map(({ ok, turnId }) => [ok, turnId])).toEqual([
    [false, 'hollow'],
    [false, undefined],
    [false, undefined],
    [true, 'sound'],
  ]);
  port.close();
});
