/** What happens when a tick is due, and when the run of a job has ended. */
import { publish, request } from 'neira:host/bus';
import type { Job } from './job.ts';
import { ticksBetween } from './job.ts';
import { arrange, forgetRun, jobOfRun, loadJob, noteRun, saveJob } from './jobs.ts';

/** Later than this, ticks behind the first were missed as well. */
const ON_TIME_MS = 1000;

export async function due({ job_id, tick_ms: tickMs }: { job_id: string; tick_ms: number }): Promise<void> {
  const job = loadJob(job_id);
  // One that was changed or paused meanwhile waits for another tick, or for none.
  if (job?.next?.tickMs !== tickMs) return;
  const nowMs = Date.now();
  delete job.next;
  job.lastTickMs = tickMs;
  const lateMs = nowMs - tickMs - job.jitterMs;
  const missed = lateMs > ON_TIME_MS ? ticksBetween(job, tickMs, nowMs) : 0;
  arrange(job, nowMs);
  if (lateMs > Math.max(job.catchUpMs, ON_TIME_MS)) {
    tellMissed(job, tickMs, missed + 1, 'it is longer ago than `catch_up`');
    saveJob(job);
    return;
  }
  if (missed > 0) tellMissed(job, tickMs, missed, 'they are made up for once');
  if (job.runId === undefined || job.overlap === 'parallel') await begin(job, tickMs, nowMs);
  else if (job.overlap === 'queue') job.queuedTickMs = tickMs;
  else tellMissed(job, tickMs, 1, `its run ${job.runId} still goes on`);
  saveJob(job);
}

interface Begun {
  readonly ok: boolean;
  readonly run_id?: string;
  readonly error?: { readonly code: string; readonly message: string };
}

/** A turn that runs again gets the answer that it got before, so nothing is begun twice. */
async function begin(job: Job, tickMs: number, nowMs: number): Promise<void> {
  const { id, scenario_id, ctx, priority } = job;
  const at = new Date(tickMs).toISOString();
  const told = { job_id: id, scenario_id, at };
  try {
    const { ok, run_id, error } = await request<never>('scenario.run', {
      id: scenario_id,
      ctx,
      priority,
    } as never).then((result) => result as Begun);
    if (ok && run_id !== undefined) {
      delete job.error;
      noteRun(job, run_id);
      publish('schedule.fired', { ...told, run_id, late_ms: Math.max(nowMs - tickMs, 0) });
    } else fail(job, told, error!);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === undefined) throw error;
    fail(job, told, { code, message });
  }
}

function fail(job: Job, told: object, { code, message }: { code: string; message: string }): void {
  job.error = { code, message: message.slice(0, 1000) };
  publish('schedule.failed', { ...told, error: job.error } as never);
}

function tellMissed({ id, scenario_id }: Job, tickMs: number, count: number, reason: string): void {
  publish('schedule.missed', { job_id: id, scenario_id, at: new Date(tickMs).toISOString(), count, reason });
}

/** Its run has ended: what waited for that begins. */
export async function ended({ run_id }: { run_id: string }): Promise<void> {
  const job = jobOfRun(run_id);
  if (!job) return;
  forgetRun(run_id);
  if (job.runId !== run_id) return;
  delete job.runId;
  const tickMs = job.queuedTickMs;
  delete job.queuedTickMs;
  if (tickMs !== undefined && !job.paused) await begin(job, tickMs, Date.now());
  saveJob(job);
}
