/** The job that every side of the bus bench does, and how it is driven. */

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
  readonly perSecond: number;
  /** Of a job. */
  readonly cpuMicros: number;
}

/** Clients that each send the next job when the effects of the last are durable. */
export async function drive(driver: JobDriver, inFlight: number, forMs: number): Promise<Driven> {
  let done = 0;
  const cpuBefore = await driver.cpuMicros();
  const began = performance.now();
  const client = async (slot: number) => {
    while (performance.now() - began < forMs) {
      await (await driver.send(newJob(slot))).done;
      done++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, slot) => client(slot)));
  const tookMs = performance.now() - began;
  return {
    perSecond: (done * 1000) / tookMs,
    cpuMicros: ((await driver.cpuMicros()) - cpuBefore) / done,
  };
}

/** CPU of this process, all its threads added up. */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
