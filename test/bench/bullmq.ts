/**
 * The job of the bus bench on BullMQ: a queue, a worker that writes one key and adds one job to another queue,
 * on a Redis that fsyncs each write. Jobs that are done are removed, as deliveries are.
 */
import type { JobsOptions } from 'bullmq';
import { cpuMicros, type Job, type JobDriver } from './bus-work.ts';
import type { RedisServer } from './redis.ts';

const OPTIONS: JobsOptions = { removeOnComplete: true };

export async function openBullmq(
  { port }: RedisServer,
  concurrency: number,
): Promise<JobDriver & AsyncDisposable> {
  const { Queue, Worker } = await import('bullmq');
  const { Redis } = await import('ioredis');
  const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
  const queue = new Queue('jobs', { connection });
  const next = new Queue('done', { connection });
  const state = new Redis(connection);
  const waiting = new Map<number, () => void>();
  const worker = new Worker(
    'jobs',
    async ({ data }) => {
      const { key, n } = data as Job;
      await Promise.all([state.set(`state:${key}`, JSON.stringify(data)), next.add('done', { key, n })]);
    },
    { connection, concurrency },
  );
  worker.on('completed', ({ data }) => {
    const { n } = data as Job;
    waiting.get(n)?.();
    waiting.delete(n);
  });
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  worker.on('failed', (_job, error) => failed.reject(error));
  await worker.waitUntilReady();
  await queue.waitUntilReady();
  return {
    async send(job) {
      const completed = new Promise<void>((resolve) => waiting.set(job.n, resolve));
      await queue.add('sent', job, OPTIONS);
      return { done: Promise.race([completed, failed.promise]) };
    },
    async cpuMicros() {
      const info = await state.info('cpu');
      const used = [...info.matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm)];
      return cpuMicros() + used.reduce((sum, [, seconds]) => sum + Number(seconds) * 1e6, 0);
    },
    async [Symbol.asyncDispose]() {
      failed.reject(new Error('closed'));
      await worker.close(true);
      await queue.close();
      await next.close();
      state.disconnect();
    },
  };
}
