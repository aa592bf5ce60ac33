/** The job that every side of the bus bench does, and how it is driven. */
import { quantile } from './kit.ts';

export const JOB_BYTES = 300;
const KEYS = 1000;

/** {@link JOB_BYTES} as JSON. */
export interface Job {
  readonly key: string;
  readonly n: number;
  readonly text: string;
}

/** Takes a job; resolves when it is durable, with what resolves when its effects are. */
export interface JobDriver {
  send(job: Job): Promise<{ readonly done: Promise<void> }>;
  /** Used until now, over all its threads and processes. */
  cpuMicros(): Promise<number>;
}

let jobs = 0;

export function newJob(slot: number): Job {
  const n = ++jobs;
  const job = { key: `k${(n * 64 + slot) % KEYS}`, n, text: '' };
  return { ...job, text: 'x'.repeat(JOB_BYTES - JSON.stringify(job).length) };
}

export interface Driven {
  readonly jobs: number;
  readonly perSecond: number;
  readonly cpuMicros: number;
  /** Until a job was durable, and from there until its effects were. */
  readonly ackMs: number;
  readonly effectMs: number;
}

/** Clients that each send the next job when the effects of the last are durable. */
export async function drive(driver: JobDriver, inFlight: number, forMs: number): Promise<Driven> {
  const acks: number[] = [];
  const effects: number[] = [];
  const cpuBefore = await driver.cpuMicros();
  const began = performance.now();
  const client = async (slot: number) => {
    while (performance.now() - began < forMs) {
      const sent = performance.now();
      const { done } = await driver.send(newJob(slot));
      const durable = performance.now();
      await done;
      acks.push(durable - sent);
      effects.push(performance.now() - durable);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, slot) => client(slot)));
  const tookMs = performance.now() - began;
  return {
    jobs: acks.length,
    perSecond: (acks.length * 1000) / tookMs,
    cpuMicros: ((await driver.cpuMicros()) - cpuBefore) / acks.length,
    ackMs: quantile(acks, 0.5),
    effectMs: quantile(effects, 0.5),
  };
}

/** CPU of this process, all its threads added up. */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
