/** The bus baseline: the rows of a job by a bare writer thread with group commit, and nothing else. */
import { randomUUIDv7 } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { DEFAULT_TENANT, sealEnvelope } from '../../host/bus/envelope.ts';
import type { Step } from './baseline-jobs-writer.ts';
import { cpuMicros, type JobDriver } from './bus-work.ts';

/** As on the bus, a job is durable first and its effects then. */
export async function openBaseline(): Promise<JobDriver & AsyncDisposable> {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-bench-rows-'));
  const worker = new Worker(new URL('./baseline-jobs-writer.ts', import.meta.url), { workerData: { home } });
  const waiting = new Map<number, (delivery: number) => void>();
  let numbers = 0;
  let gathered: Step[] = [];
  await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  worker.on('message', (text: string) => {
    for (const [number, delivery] of JSON.parse(text) as [number, number][]) {
      waiting.get(number)!(delivery);
      waiting.delete(number);
    }
  });

  /** Posts what one tick gathers as one message, as the host does. */
  function post(step: (number: number) => Step): Promise<number> {
    return new Promise((resolve) => {
      const number = ++numbers;
      waiting.set(number, resolve);
      if (gathered.push(step(number)) > 1) return;
      setImmediate(() => {
        worker.postMessage(JSON.stringify(gathered));
        gathered = [];
      });
    });
  }

  return {
    async send(job) {
      const sent = eventOf('bench.free.sent', 'client:bench', JSON.stringify(job));
      const { key, n } = job;
      const done = eventOf('bench.shared.done', 'plugin:bench.free', JSON.stringify({ key, n }), sent.id);
      const effect = { key, value: JSON.stringify(job), ...done };
      const delivery = await post((number) => ['send', number, sent]);
      return { done: post((number) => ['effect', number, { ...effect, delivery }]).then(() => {}) };
    },
    cpuMicros: async () => cpuMicros(),
    async [Symbol.asyncDispose]() {
      await worker.terminate();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function eventOf(eventName: string, source: string, payloadJson: string, causationId: string | null = null) {
  const id = randomUUIDv7();
  const envelope = sealEnvelope({
    id,
    eventName,
    version: 1,
    atMs: Date.now(),
    source,
    correlationId: causationId ?? id,
    causationId,
    tenant: DEFAULT_TENANT,
    headers: {},
    payloadJson,
  });
  return { id, envelope };
}
