/** What may be asked about runs and scenarios; nothing is changed by it (SCN-05, OBS-03). */
import { get, list } from 'neira:host/storage';
import { keyOf, stepKey, top } from '../run/machine.ts';
import type { Run, RunEvent, StepRow } from '../run/state.ts';
import { startsOf } from './definitions.ts';
import { keys } from './keys.ts';
import { masked } from './masking.ts';
import { programOf, type ScenarioRow } from './programs.ts';
import { unknownRun } from './refusal.ts';
import { journalOf, loadRun, type Summary, summaryOf } from './runs.ts';

const MAX_PAGE = 100;

/** @throws {Refusal} SCENARIO_RUN_UNKNOWN */
export function requireRun(id: string): Run {
  const run = loadRun(id);
  if (run) return run;
  throw unknownRun(id);
}

export function statusOf(run: Run) {
  const { bag, returned, paused, costs, notUndone, forkOf, replayOf, digest } = run;
  return {
    ...summaryOf(run),
    digest,
    step: stepsOf(run)[0]?.step ?? paused?.step ?? null,
    steps: stepsOf(run),
    bag: masked(bag),
    costs,
    ...(returned !== undefined && { returned: masked(returned) }),
    ...(paused && { paused: { reason: paused.reason, step: paused.step, message: paused.message } }),
    ...(notUndone && { not_undone: notUndone }),
    ...(forkOf && { fork_of: forkOf }),
    ...(replayOf !== undefined && { replay_of: replayOf }),
  };
}

/** Where each of its threads stands, and what for. */
function stepsOf(run: Run) {
  const program = programOf(run.digest);
  if (!program) return [];
  const m = { run, program } as Parameters<typeof keyOf>[0];
  return run.threads.flatMap((thread) => {
    const { node, wait, attempt, startedAtMs } = top(thread);
    if (node < 0 || thread.frames.length === 0) return [];
    if (wait?.kind === 'branches') return [];
    const since = new Date(startedAtMs).toISOString();
    return [{ step: keyOf(m, thread), attempt, since, ...(wait && { waits_for: wait.kind }) }];
  });
}

interface Page {
  readonly scenario_id?: string;
  readonly state?: string;
  readonly limit?: number;
  /** The run that the page before ended with. */
  readonly after?: string;
}

/** Rows that one question looks at: where few runs are in a state, its pages are short, and `next` leads on. */
const MAX_LOOKED_AT = 1000;

/** The newest first. */
export function recentRuns({ scenario_id, state, limit = 20, after }: Page) {
  const wanted = Math.min(limit, MAX_PAGE);
  const prefix = scenario_id === undefined ? 'run/' : keys.byScenario(scenario_id);
  const runs: Summary[] = [];
  let last = after;
  for (let looked = 0; looked < MAX_LOOKED_AT; looked += MAX_PAGE) {
    const page = list(prefix, {
      reverse: true,
      limit: state === undefined ? wanted : MAX_PAGE,
      ...(last !== undefined && { after: `${prefix}${last}` }),
    });
    for (const { key, value } of page) {
      last = key.slice(prefix.length);
      const run = freshOf(last, value as unknown as Summary | null);
      if (state === undefined || run.state === state) runs.push(run);
      if (runs.length === wanted) return { runs, next: last };
    }
    if (page.length < MAX_PAGE) return { runs };
  }
  return { runs, ...(last !== undefined && { next: last }) };
}

/** The line of a run that has ended stands; of one that goes on it is made anew. */
function freshOf(id: string, known: Summary | null): Summary {
  const line = known ?? (get<Summary>(keys.summary(id) as never)!.value as unknown as Summary);
  if (line.ended_at !== undefined) return line;
  const run = loadRun(id);
  return run ? summaryOf(run) : line;
}

// --- scenarios

export function scenarioView(row: ScenarioRow, parts: readonly string[] = []) {
  const { id, title, digest, pending, enabled, version, saved_at, saved_by } = row;
  const program = digest === undefined ? undefined : programOf(digest);
  const starts = program && startsOf(program);
  return {
    id,
    title,
    enabled,
    state: digest === undefined ? 'waiting_consent' : enabled ? 'active' : 'disabled',
    ...(digest !== undefined && { digest }),
    ...(version !== undefined && { version }),
    ...(pending && { pending }),
    saved_at,
    saved_by,
    ...(starts && parts.includes('triggers') && { triggers: starts.triggers }),
    ...(starts && parts.includes('schedules') && { schedules: starts.schedules }),
  };
}

export function listScenarios({
  with: parts = [],
  limit = MAX_PAGE,
  after,
}: {
  with?: string[];
  limit?: number;
  after?: string;
}) {
  const wanted = Math.min(limit, MAX_PAGE);
  const page = list<ScenarioRow>('scenario/', {
    limit: wanted,
    ...(after !== undefined && { after: keys.scenario(after) }),
  } as never);
  const scenarios = page.map(({ value }) => scenarioView(value as ScenarioRow, parts));
  const next = page.length === wanted ? scenarios.at(-1)!.id : undefined;
  return { scenarios, ...(next !== undefined && { next }) };
}

// --- what happened

interface TraceStep {
  readonly step: string;
  readonly what: string;
  readonly attempt: number;
  readonly at: string;
  readonly latency_ms?: number;
  readonly sent?: unknown;
  readonly error?: unknown;
  readonly waits?: string;
  readonly costs?: Readonly<Record<string, number>>;
  /** What is in the bag after it, where it changed it (SCN-21). */
  readonly bag?: unknown;
}

export function traceOf(run: Run) {
  const bag: Record<string, unknown> = {};
  const steps: TraceStep[] = [];
  const events: { at: string; kind: string }[] = [];
  for (const { atMs, event, rows } of journalOf(run.id)) {
    events.push({ at: new Date(atMs).toISOString(), kind: event.kind });
    for (const row of rows) steps.push(traced(row, bag));
  }
  return { ...summaryOf(run), steps, events, tree: treeOf(run, steps) };
}

function traced(
  { step, what, attempt, atMs, latencyMs, sent, error, waits, costs, set }: StepRow,
  bag: Record<string, unknown>,
): TraceStep {
  if (set) Object.assign(bag, set);
  return {
    step,
    what,
    attempt,
    at: new Date(atMs).toISOString(),
    ...(latencyMs !== undefined && { latency_ms: latencyMs }),
    ...(sent && { sent: masked(sent) }),
    ...(error && { error }),
    ...(waits !== undefined && { waits }),
    ...(costs && { costs }),
    ...(set && { bag: masked(structuredClone(bag)) }),
  };
}

/** A line for each step below the one that it is part of, with how long it took (OBS-02). */
function treeOf(run: Run, steps: readonly TraceStep[]): string {
  const last = new Map<string, TraceStep>();
  for (const each of steps) last.set(each.step, each);
  const inside = new Map<string, string[]>();
  for (const step of last.keys()) {
    const above = aboveOf(step, last);
    inside.set(above, [...(inside.get(above) ?? []), step]);
  }
  const linesBelow = (above: string, depth: number): string[] =>
    (inside.get(above) ?? []).flatMap((step) => [
      `${'  '.repeat(depth)}${lineOf(last.get(step)!)}`,
      ...linesBelow(step, depth + 1),
    ]);
  const { state, duration_ms } = summaryOf(run);
  const took = duration_ms === undefined ? '' : ` ${duration_ms} ms`;
  return [`${run.scenario} ${run.id} ${state}${took}`, ...linesBelow('', 1)].join('\n');
}

/** The nearest step around this one that was told of: `days/charge[2]` lies in `days`. */
function aboveOf(step: string, known: ReadonlyMap<string, unknown>): string {
  const [, path, turns] = /^(.*?)(?:\[([\d.]+)\])?$/.exec(step)!;
  const names = path!.split('/');
  const all = turns === undefined ? [] : turns.split('.');
  for (let length = names.length - 1; length > 0; length -= 1)
    for (let count = all.length; count >= 0; count -= 1) {
      const above = stepKey(names.slice(0, length).join('/'), all.slice(0, count).map(Number));
      if (known.has(above)) return above;
    }
  return '';
}

function lineOf({ step, what, attempt, latency_ms, error, waits }: TraceStep): string {
  const name = step.slice(step.lastIndexOf('/') + 1);
  const took = latency_ms === undefined ? '' : ` ${latency_ms} ms`;
  const tries = attempt > 1 ? ` (attempt ${attempt})` : '';
  const { code, message } = (error ?? {}) as { readonly code?: string; readonly message?: string };
  const why = error ? ` – ${code}: ${message}` : '';
  const rest = what === 'started' && waits !== undefined ? ` – waits: ${waits}` : '';
  return `${name} ${what}${took}${tries}${why}${rest}`;
}

/** What came to the waits of a run, by step and attempt: so it can be done again with the same answers. */
export function answersOf(
  run: string,
): ReadonlyMap<string, { readonly event: RunEvent; readonly afterMs: number }> {
  const begun = new Map<number, { readonly key: string; readonly atMs: number }>();
  const answers = new Map<string, { event: RunEvent; afterMs: number }>();
  for (const { atMs, event, rows } of journalOf(run)) {
    const wait = 'wait' in event ? begun.get(event.wait) : undefined;
    if (wait) answers.set(`${wait.key} ${event.kind}`, { event, afterMs: atMs - wait.atMs });
    for (const row of rows)
      if (row.wait !== undefined) begun.set(row.wait, { key: `${row.step}#${row.attempt}`, atMs: row.atMs });
  }
  return answers;
}
