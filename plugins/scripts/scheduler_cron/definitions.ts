/** Schedules that scenarios name themselves: their jobs come, change and go with the definition. */
import { request } from 'neira:host/bus';
import { jobOf } from './commands.ts';
import type { Job } from './job.ts';
import { arrange, loadJob, pageOfJobs, removeJob, saveJob } from './jobs.ts';
import { Refusal } from './refusal.ts';

interface Saved {
  readonly id: string;
  readonly schedules?: readonly Record<string, unknown>[];
}

const prefixOf = (scenario: string) => `scenario:${scenario}:`;

export function follow({ id, schedules = [] }: Saved): void {
  const nowMs = Date.now();
  for (const [n, given] of schedules.entries()) {
    const job = followed(`${prefixOf(id)}${n}`, id, given, nowMs);
    const before = loadJob(job.id);
    if (before && sameTiming(before, job)) continue;
    if (before) removeJob(before);
    arrange(job, nowMs);
    saveJob(job);
  }
  for (const job of pageOfJobs(1000, undefined, prefixOf(id)))
    if (Number(job.id.slice(prefixOf(id).length)) >= schedules.length) removeJob(job);
}

/** One that cannot be is kept with what is wrong with it: the list shows it. */
function followed(id: string, scenario_id: string, given: Record<string, unknown>, nowMs: number): Job {
  try {
    return jobOf(id, { ...given, scenario_id } as never, nowMs, scenario_id);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, message } = error.error;
    const nothing = {
      ctx: {},
      priority: 'NORM',
      timezone: 'UTC',
      overlap: 'skip',
      catchUpMs: 0,
      jitterMs: 0,
    } as const;
    return { ...nothing, id, scenario_id, createdAtMs: nowMs, of: scenario_id, error: { code, message } };
  }
}

function sameTiming(a: Job, b: Job): boolean {
  const said = ({ cron, atMs, everyMs, timezone, overlap, catchUpMs, jitterMs, ctx, priority }: Job) =>
    JSON.stringify([cron, atMs, everyMs, timezone, overlap, catchUpMs, jitterMs, ctx, priority]);
  return said(a) === said(b);
}

export function unfollow({ id }: { id: string }): void {
  follow({ id, schedules: [] });
}

/** Scenarios that were saved before anybody listened. Without an engine there are none. */
export async function followAll(): Promise<void> {
  let after: string | undefined;
  do {
    const page = (await request<never>('scenario.list', {
      with: ['schedules'],
      limit: 100,
      ...(after !== undefined && { after }),
    } as never).catch((error: { code?: string }) => {
      if (error.code === 'NEIRA_COMMAND_UNHANDLED' || error.code === 'NEIRA_EVENT_UNREGISTERED')
        return { scenarios: [] };
      throw error;
    })) as { scenarios: readonly Saved[]; next?: string };
    for (const each of page.scenarios) follow(each);
    after = page.next;
  } while (after !== undefined);
}
