/** When a job is due: pure, of the job and a moment (SCHED-01…03). */
import { Cron } from 'croner';

export interface Job {
  readonly id: string;
  readonly scenario_id: string;
  readonly ctx: unknown;
  readonly priority: 'LOW' | 'NORM' | 'HIGH';
  /** One of the three. */
  readonly cron?: string;
  readonly atMs?: number;
  readonly everyMs?: number;
  readonly timezone: string;
  readonly overlap: 'skip' | 'queue' | 'parallel';
  /** What was missed this long ago at most is made up for, once. */
  readonly catchUpMs: number;
  readonly jitterMs: number;
  readonly createdAtMs: number;
  /** Of a definition: it comes and goes with it. */
  readonly of?: string;
  paused?: true;
  /** The tick that it waits for, and the delayed event that brings it. */
  next?: { readonly tickMs: number; readonly event: string };
  lastTickMs?: number;
  runId?: string;
  /** A tick that came while its run still went on, with `overlap: queue`. */
  queuedTickMs?: number;
  error?: { readonly code: string; readonly message: string };
}

export type Timing = Pick<Job, 'cron' | 'atMs' | 'everyMs' | 'timezone' | 'createdAtMs'>;

/** The first tick behind this moment; undefined: never again. */
export function tickAfter(
  { cron, atMs, everyMs, timezone, createdAtMs }: Timing,
  afterMs: number,
): number | undefined {
  if (cron !== undefined) return cronOf(cron, timezone).nextRun(new Date(afterMs))?.getTime();
  if (everyMs !== undefined)
    return createdAtMs + (Math.floor((afterMs - createdAtMs) / everyMs) + 1) * everyMs;
  return atMs !== undefined && atMs > afterMs ? atMs : undefined;
}

/** How many ticks there were after one moment and until another, as far as it is worth counting. */
export function ticksBetween(job: Timing, afterMs: number, untilMs: number, most = 100): number {
  let count = 0;
  for (let tick = tickAfter(job, afterMs); tick !== undefined && tick <= untilMs && count < most; count += 1)
    tick = tickAfter(job, tick);
  return count;
}

/** @throws {Error} that says what is wrong with the text */
export function cronOf(cron: string, timezone: string): Cron {
  return new Cron(cron, { timezone, paused: true });
}

/** The same for one tick of a job whenever it is asked for, and different for another. */
export function jitterOf(id: string, tickMs: number, jitterMs: number): number {
  if (jitterMs <= 0) return 0;
  let hash = 2_166_136_261;
  for (const char of `${id}:${tickMs}`) hash = Math.imul(hash ^ char.charCodeAt(0), 16_777_619) >>> 0;
  return hash % jitterMs;
}
