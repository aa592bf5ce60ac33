/** One event for one run: the run is read, moved on, and kept with what happened, in one commit. */
import { delivery, publish } from 'neira:host/bus';
import { add } from 'neira:host/storage';
import type { Program } from '../program.ts';
import { moveOn } from '../run/interpret.ts';
import type { Run, RunEvent, StepRow } from '../run/state.ts';
import { keys } from './keys.ts';
import { programOf } from './programs.ts';
import { unknownRun } from './refusal.ts';
import { isIdle, loadRun, saveRun, stateOf } from './runs.ts';
import { settingsNow } from './settings.ts';
import { worldOf } from './world.ts';

/** Where an event failed as often as this, the run is paused instead: the fourth attempt of the manifest's three retries. */
const LAST_ATTEMPT = 4;
const STEERS: ReadonlySet<RunEvent['kind']> = new Set(['cancel', 'pause', 'resume']);

/** @throws {Refusal} SCENARIO_RUN_UNKNOWN */
export function moveRun(id: string, event: RunEvent): Run {
  const run = loadRun(id);
  if (!run) throw unknownRun(id);
  if (run.phase === 'ended') return run;
  const program = programOf(run.digest);
  if (!program) hold(run, event, 'its definition is gone');
  else if (delivery().attempt >= LAST_ATTEMPT) giveUp(run, program, event);
  else if (needsSlot(run, program, event)) waitForSlot(run, event);
  else return move(run, program, event);
  saveRun(
    run,
    program ?? ({ retain: {} } as Program),
    { kind: 'pause', reason: run.paused!.reason },
    [],
    Date.now(),
  );
  return run;
}

/**
 * Moves a run that was read, or is new, and keeps it.
 * @param admits whoever calls this holds the books of admission
 */
export function move(run: Run, program: Program, event: RunEvent, admits = false): Run {
  const { steps_per_turn: stepsPerTurn, step_events: tells } = settingsNow();
  const world = worldOf(run, program);
  const rows = moveOn(run, program, event, world, { stepsPerTurn });
  freeSlot(run, program);
  saveRun(run, program, event, rows, world.nowMs);
  if (tells && rows.length > 0) tellSteps(run, rows);
  if (run.phase === 'ended') {
    tellEnd(run);
    if (!admits) release(run, program);
  }
  return run;
}

function giveUp(run: Run, program: Program, event: RunEvent): void {
  hold(run, event, `\`${event.kind}\` failed ${LAST_ATTEMPT - 1} times; the log of the engine says why`);
  freeSlot(run, program);
}

/** It stands still until somebody looks at it; what came is kept and comes again when it goes on. */
function hold(run: Run, event: RunEvent, message: string): void {
  run.held = [...(run.held ?? []), event];
  run.paused = { reason: 'no_progress', atMs: Date.now(), message };
  publish('scenario.run.paused', {
    run_id: run.id,
    scenario_id: run.scenario,
    reason: 'no_progress',
    message,
  });
}

// --- slots: how many runs work at a time

/** Whether somebody counts the runs that work. */
export function isCounted({ maxConcurrent }: Program): boolean {
  return maxConcurrent !== undefined || settingsNow().max_concurrent_per_node > 0;
}

function needsSlot(run: Run, program: Program, { kind }: RunEvent): boolean {
  // One that was paused before it began has been admitted all the same.
  const goesOn = run.phase === 'forward' || (run.phase === 'queued' && run.admitted === true);
  if (!goesOn || run.slot || run.dry || !isCounted(program)) return false;
  // Whoever stood still has given its place away.
  if (kind === 'resume') return run.paused !== undefined && run.paused.reason !== 'slot';
  return !run.paused && !STEERS.has(kind);
}

function waitForSlot(run: Run, event: RunEvent): void {
  if (event.kind === 'resume') {
    if (event.breakpoints) run.breakpoints = [...event.breakpoints];
    run.paused = { ...run.paused!, reason: 'slot', ...(event.over && { over: true }) };
  } else {
    run.held = [...(run.held ?? []), event];
    run.paused = { reason: 'slot', atMs: Date.now() };
  }
  publish('scenario.slot.wanted', { run_id: run.id, scenario_id: run.scenario, priority: run.priority });
}

/** Whoever waits for time, an event or a person takes nobody's place. */
function freeSlot(run: Run, program: Program): void {
  if (!run.slot || run.phase === 'ended' || !isCounted(program)) return;
  // With a place that it was given it is about to go on.
  if (run.paused?.reason === 'slot' || (!run.paused && !isIdle(run))) return;
  delete run.slot;
  publish('scenario.slot.freed', { run_id: run.id, scenario_id: run.scenario });
}

/** Those who wait for its place hear of it in the order of admissions. */
function release(run: Run, program: Program): void {
  const { id, scenario, admitted, slot, queuedAs, dry } = run;
  const { mode } = program;
  if (dry) return;
  const began = admitted === true && mode !== 'parallel';
  const waits = !admitted && queuedAs !== undefined;
  if (admitted && mode === 'parallel') add(keys.active(scenario), -1);
  // Where nobody counts, nobody waits for it.
  if (!began && !slot && !waits && !(admitted && isCounted(program))) return;
  publish('scenario.run.released', {
    run_id: id,
    scenario_id: scenario,
    began,
    slot: slot === true,
    ...(waits && { queued_as: queuedAs }),
  });
}

// --- what others hear of it

function tellSteps(run: Run, rows: readonly StepRow[]): void {
  const steps = rows.map(({ step, what, attempt, atMs, latencyMs, error, waits }) => ({
    step,
    what,
    attempt,
    at: isoOf(atMs),
    ...(latencyMs !== undefined && { latency_ms: latencyMs }),
    ...(error && { error: { code: error.code, message: error.message } }),
    ...(waits !== undefined && { waits }),
  }));
  const state = stateOf(run);
  publish('scenario.step.completed', { run_id: run.id, scenario_id: run.scenario, state, steps } as never);
}

let last = { ms: Number.NaN, text: '' };

/** What happens in a turn mostly happens at one moment. */
function isoOf(ms: number): string {
  if (ms !== last.ms) last = { ms, text: new Date(ms).toISOString() };
  return last.text;
}

function tellEnd(run: Run): void {
  const { id, scenario, outcome, error, startedAtMs, endedAtMs, createdAtMs } = run;
  publish('scenario.completed', {
    id: scenario,
    run_id: id,
    outcome: outcome!,
    duration_ms: endedAtMs! - (startedAtMs ?? createdAtMs),
    ...(error && { error: { code: error.code.slice(0, 64), message: error.message } }),
  });
}
