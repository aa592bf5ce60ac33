import { type MessagePort, threadId, workerData } from 'node:worker_threads';
import type { TurnRecord } from './records.ts';

/** A cell for tests: posts batches of turns until it is terminated, counting what it posted. */
const { port, posted, template } = workerData as {
  port: MessagePort;
  posted: SharedArrayBuffer;
  template: TurnRecord;
};
const count = new Int32Array(posted);

for (let n = 1; ; n += 3) {
  const batch = [n, n + 1, n + 2].map((i) => ({
    ...template,
    turnId: `cell-${threadId}:${i}`,
    effects: [{ op: 'append', key: 'log', value: `${i}` }],
  }));
  port.postMessage(JSON.stringify(batch));
  Atomics.store(count, 0, n + 2);
}
