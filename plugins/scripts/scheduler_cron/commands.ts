/** `schedule.create`, `delete`, `list`, … (SCHED-02…04). */
import { cronOf, type Job, tickAfter } from './job.ts';
import { arrange, loadJob, pageOfJobs, removeJob, saveJob } from './jobs.ts';
import { Refusal } from './refusal.ts';

interface Create {
  readonly id?: string;
  readonly scenario_id: string;
  readonly cron?: string;
  readonly at?: string;
  readonly every_ms?: number;
  readonly timezone?: string;
  readonly ctx?: unknown;
  readonly priority?: Job['priority'];
  readonly overlap?: Job['overlap'];
  readonly catch_up_ms?: number;
  readonly jitter_ms?: number;
}

const MIN_EVERY_MS = 1000;
const DEFAULT_CATCH_UP_MS = 60_000;
const MAX_PREVIEW = 20;

export const COMMANDS: Readonly<Record<string, (payload: never) => object>> = {
  'schedule.create': (given: Create) => {
    const id = given.id ?? crypto.randomUUID();
    const before = loadJob(id);
    if (before) throw new Refusal('SCHEDULE_TAKEN', 409, `there is a job \`${id}\` already; delete it first`);
    const job = jobOf(id, given, Date.now());
    arrange(job, Date.now());
    saveJob(job);
    return { job_id: id, next: viewOf(job).next };
  },
  'schedule.delete': ({ job_id }: { job_id: string }) => {
    removeJob(requireJob(job_id));
    return { job_id };
  },
  'schedule.pause': ({ job_id }: { job_id: string }) => {
    const job = requireJob(job_id);
    job.paused = true;
    arrange(job, Date.now());
    saveJob(job);
    return viewOf(job);
  },
  'schedule.resume': ({ job_id }: { job_id: string }) => {
    const job = requireJob(job_id);
    delete job.paused;
    arrange(job, Date.now());
    saveJob(job);
    return viewOf(job);
  },
  'schedule.list': ({
    scenario_id,
    limit = 100,
    after,
  }: {
    scenario_id?: string;
    limit?: number;
    after?: string;
  }) => {
    const page = pageOfJobs(limit, after);
    const jobs = page.filter((job) => scenario_id === undefined || job.scenario_id === scenario_id);
    return { jobs: jobs.map(viewOf), ...(page.length === limit && { next: page.at(-1)!.id }) };
  },
  /** What a form shows before anything is kept. */
  'schedule.preview': ({
    cron,
    timezone = 'UTC',
    count = 5,
  }: {
    cron: string;
    timezone?: string;
    count?: number;
  }) => {
    requireCron(cron, timezone);
    const ticks: string[] = [];
    const timing = { cron, timezone, createdAtMs: 0 };
    for (
      let tick = tickAfter(timing, Date.now());
      tick !== undefined && ticks.length < Math.min(count, MAX_PREVIEW);
    ) {
      ticks.push(new Date(tick).toISOString());
      tick = tickAfter(timing, tick);
    }
    return { ticks };
  },
};

/** @throws {Refusal} SCHEDULE_INVALID */
export function jobOf(id: string, given: Create, nowMs: number, of?: string): Job {
  const { cron, at, every_ms: everyMs, timezone = 'UTC' } = given;
  if ([cron, at, everyMs].filter((each) => each !== undefined).length !== 1)
    throw invalid('a schedule has one of `cron`, `at` and `every_ms`');
  if (cron !== undefined) requireCron(cron, timezone);
  if (everyMs !== undefined && everyMs < MIN_EVERY_MS)
    throw invalid(`\`every_ms\` is ${MIN_EVERY_MS} at least`);
  const atMs = at === undefined ? undefined : Date.parse(at);
  if (atMs !== undefined && Number.isNaN(atMs))
    throw invalid('`at` is no moment like 2026-11-25T07:00:00+02:00');
  if (atMs !== undefined && atMs <= nowMs) throw invalid('`at` is over already');
  return {
    id,
    scenario_id: given.scenario_id,
    ctx: given.ctx ?? {},
    priority: given.priority ?? 'NORM',
    ...(cron !== undefined && { cron }),
    ...(atMs !== undefined && { atMs }),
    ...(everyMs !== undefined && { everyMs }),
    timezone,
    overlap: given.overlap ?? 'skip',
    catchUpMs: given.catch_up_ms ?? DEFAULT_CATCH_UP_MS,
    jitterMs: given.jitter_ms ?? 0,
    createdAtMs: nowMs,
    ...(of !== undefined && { of }),
  };
}

function requireCron(cron: string, timezone: string): void {
  try {
    cronOf(cron, timezone).nextRun();
  } catch (error) {
    throw invalid(`\`${cron}\` (${timezone}): ${(error as Error).message.replace(/^CronPattern: /, '')}`);
  }
}

function invalid(message: string): Refusal {
  return new Refusal('SCHEDULE_INVALID', 422, message);
}

function requireJob(id: string): Job {
  const job = loadJob(id);
  if (job) return job;
  throw new Refusal('SCHEDULE_UNKNOWN', 404, `there is no job \`${id}\``);
}

function viewOf(job: Job) {
  const { id, scenario_id, cron, atMs, everyMs, timezone, overlap, paused, next, lastTickMs, runId, error } =
    job;
  const at = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());
  return {
    id,
    scenario_id,
    ...(cron !== undefined && { cron, timezone }),
    ...(atMs !== undefined && { at: at(atMs) }),
    ...(everyMs !== undefined && { every_ms: everyMs }),
    overlap,
    state: paused ? 'paused' : next ? 'waiting' : 'over',
    next: at(next?.tickMs),
    last: at(lastTickMs),
    ...(runId !== undefined && { run_id: runId }),
    ...(error && { error }),
  };
}
