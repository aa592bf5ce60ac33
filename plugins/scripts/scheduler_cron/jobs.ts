/** Jobs as they are stored, each with one delayed event for its next tick. */
import { cancel, publish } from 'neira:host/bus';
import { delete as drop, get, list, set } from 'neira:host/storage';
import { type Job, jitterOf, tickAfter } from './job.ts';

const keyOf = (id: string) => `job/${id}`;
const runKeyOf = (run: string) => `run/${run}`;

export function loadJob(id: string): Job | undefined {
  return get<Job>(keyOf(id) as never)?.value as Job | undefined;
}

export function saveJob(job: Job): void {
  set(keyOf(job.id), job as never);
}

/** Arranges the first tick behind this moment in place of what was arranged. */
export function arrange(job: Job, afterMs: number): void {
  if (job.next) cancel(job.next.event);
  delete job.next;
  if (job.paused) return;
  const tickMs = tickAfter(job, afterMs);
  if (tickMs === undefined) return;
  const dueMs = tickMs + jitterOf(job.id, tickMs, job.jitterMs);
  const event = publish(
    'schedule.due',
    { job_id: job.id, tick_ms: tickMs },
    { at: new Date(dueMs).toISOString() },
  );
  job.next = { tickMs, event };
}

export function removeJob(job: Job): void {
  if (job.next) cancel(job.next.event);
  if (job.runId !== undefined) drop(runKeyOf(job.runId));
  drop(keyOf(job.id));
}

/** The run that a job began: when it ends, the job hears of it. */
export function noteRun(job: Job, run: string): void {
  if (job.runId !== undefined) drop(runKeyOf(job.runId));
  job.runId = run;
  set(runKeyOf(run), job.id);
}

/** The job whose run this was. */
export function jobOfRun(run: string): Job | undefined {
  const id = get(runKeyOf(run))?.value;
  return id === undefined ? undefined : loadJob(String(id));
}

export function forgetRun(run: string): void {
  drop(runKeyOf(run));
}

export function pageOfJobs(limit: number, after: string | undefined, prefix = ''): readonly Job[] {
  const page = list<Job>(keyOf(prefix), {
    limit,
    ...(after !== undefined && { after: keyOf(after) }),
  } as never);
  return page.map(({ value }) => value as Job);
}
