/** Runs as they are stored: the run itself, its line in lists, and its journal. */
import { append, delete as drop, get, list, set } from 'neira:host/storage';
import type { Program } from '../program.ts';
import { top } from '../run/machine.ts';
import type { Outcome, Run, RunEvent, StepError, StepRow } from '../run/state.ts';
import { keys } from './keys.ts';

/** A run in short. */
export interface Summary {
  readonly run_id: string;
  readonly scenario_id: string;
  readonly state: RunState;
  readonly priority: string;
  readonly created_at: string;
  readonly by: string;
  readonly started_at?: string;
  readonly ended_at?: string;
  readonly duration_ms?: number;
  readonly error?: StepError;
  readonly dry_run?: true;
}

export type RunState = 'queued' | 'running' | 'waiting' | 'paused' | 'undoing' | Outcome;

/** One turn of a run: what came, what it did to the steps, and now and then where that left the run. */
export interface JournalEntry {
  readonly atMs: number;
  readonly event: RunEvent;
  readonly rows: readonly StepRow[];
  readonly run?: Run;
}

/** A run this small is written down after each turn, a larger one after every so manieth. */
const SMALL_RUN_CHARS = 4096;
const TURNS_BETWEEN_LARGE = 16;
/** An answer this large is in the bag, or nowhere. */
const MAX_EVENT_CHARS = 64 * 1024;
const QUIET = new Set(['time', 'event', 'signal', 'person', 'branches']);

export function loadRun(id: string): Run | undefined {
  return get<Run>(keys.state(id))?.value as Run | undefined;
}

/** @param before as lists show it now; not there yet: none */
export function saveRun(
  run: Run,
  program: Program,
  event: RunEvent,
  rows: readonly StepRow[],
  nowMs: number,
): void {
  const isNew = run.rows === 0;
  run.rows += 1;
  // Nothing is begun anew from where a run ended.
  const isKept =
    run.phase !== 'ended' &&
    (run.rows % TURNS_BETWEEN_LARGE === 1 || JSON.stringify(run).length <= SMALL_RUN_CHARS);
  set(keys.state(run.id), run as never);
  append(keys.journal(run.id), {
    atMs: nowMs,
    event: bounded(event),
    rows,
    ...(isKept && { run }),
  } as never);
  if (isNew) set(keys.byScenario(run.scenario, run.id), null as never);
  if (isNew || run.phase === 'ended') set(keys.summary(run.id), summaryOf(run) as never);
  if (run.phase === 'ended') {
    const { succeededMs, failedMs } = program.retain;
    const keptMs = run.outcome === 'succeeded' ? succeededMs : failedMs;
    set(keys.expiry(nowMs + keptMs, run.id), null as never);
  }
}

function bounded(event: RunEvent): RunEvent {
  const text = JSON.stringify(event);
  if (text.length <= MAX_EVENT_CHARS) return event;
  return { kind: event.kind, wait: (event as { wait?: number }).wait, tooLarge: text.length } as never;
}

export function summaryOf(run: Run): Summary {
  const at = (ms: number) => new Date(ms).toISOString();
  const { startedAtMs, endedAtMs } = run;
  return {
    run_id: run.id,
    scenario_id: run.scenario,
    state: stateOf(run),
    priority: run.priority,
    created_at: at(run.createdAtMs),
    by: run.by,
    ...(startedAtMs !== undefined && { started_at: at(startedAtMs) }),
    ...(endedAtMs !== undefined && {
      ended_at: at(endedAtMs),
      duration_ms: endedAtMs - (startedAtMs ?? endedAtMs),
    }),
    ...(run.error && { error: run.error }),
    ...(run.dry && { dry_run: true }),
  };
}

export function stateOf(run: Run): RunState {
  if (run.phase === 'ended') return run.outcome!;
  if (run.paused) return 'paused';
  if (run.phase === 'queued') return 'queued';
  if (run.phase === 'undoing') return 'undoing';
  return isResting(run) ? 'waiting' : 'running';
}

/** It waits for time, an event, a signal or a person, and for nothing that somebody works on. */
export function isResting({ threads }: Run): boolean {
  return threads.length > 0 && threads.every((thread) => QUIET.has(top(thread).wait?.kind ?? 'none'));
}

/**
 * None of its steps is worked on. Whoever waits for a lock or for another run gives its place away as well: those who
 * have what it waits for may need one.
 */
export function isIdle({ threads }: Run): boolean {
  const waits = threads.map((thread) => top(thread).wait?.kind ?? 'none');
  return waits.length > 0 && waits.every((kind) => kind !== 'answer' && kind !== 'none');
}

/** Its journal from the beginning, at most `limit` entries. */
export function journalOf(run: string, limit = 1000): readonly JournalEntry[] {
  const prefix = `${keys.journal(run)}/`;
  const entries: JournalEntry[] = [];
  let after: string | undefined;
  while (entries.length < limit) {
    const page = list<JournalEntry>(prefix, {
      limit: Math.min(limit - entries.length, 200),
      ...(after && { after }),
    } as never);
    if (page.length === 0) break;
    entries.push(...page.map(({ value }) => value as JournalEntry));
    after = page.at(-1)!.key;
  }
  return entries;
}

/** Forgets a run; answers whether all of it is gone. */
export function forgetRun(id: string, scenario: string): boolean {
  const page = list(`${keys.journal(id)}/`, { limit: 200 });
  for (const { key } of page) drop(key);
  if (page.length === 200) return false;
  for (const key of [keys.state(id), keys.summary(id), keys.byScenario(scenario, id)]) drop(key);
  return true;
}
