/**
 * Who may begin, and when (SCN-02, SCN-13). All starts of a node go through here one after the other, in the order of one
 * key; a start that may begin does so in the same turn.
 *
 * The queue is ordered by the moment of asking, moved by what the priority is worth: a LOW run that has waited long enough
 * goes before a HIGH one that just came, so none waits for ever.
 */
import { add, delete as drop, get, list, set } from 'neira:host/storage';
import type { Program } from '../program.ts';
import type { Run } from '../run/state.ts';
import { keys } from './keys.ts';
import { isCounted, move } from './move.ts';
import { programOf } from './programs.ts';
import { Refusal } from './refusal.ts';
import { loadRun, saveRun } from './runs.ts';
import { settingsNow } from './settings.ts';
import { tellRun } from './tell.ts';

interface Load {
  /** Runs that work now. */
  slots: number;
  /** How many ever waited: those who came in the same millisecond keep their order. */
  places: number;
  scenarios: Record<string, ScenarioLoad>;
}

interface ScenarioLoad {
  /** Runs that have begun and not ended; of `mode: parallel` they are counted by {@link keys.active}. */
  active: number;
  slots: number;
  queued: number;
  /** Which of them, where there is but one at a time. */
  runs: string[];
}

/** Runs that one turn lets begin. */
const MAX_FILLED = 100;

/**
 * A new run begins, or waits in the queue.
 * @throws {Refusal} SCENARIO_BUSY, SCENARIO_QUEUE_FULL
 */
export function admit(run: Run, program: Program, force: boolean): Run {
  if (run.dry) return move(run, program, { kind: 'begin' });
  const load = readLoad();
  const own = loadOf(load, program.id);
  // Nobody goes before those who wait.
  const mayStart = force || (startsNow(own, program) && own.queued === 0);
  if (mayStart && hasSlot(load, own, program)) {
    begin(load, own, run, program);
    // What ends in the turn that it began in has changed nothing for others.
    if (move(run, program, { kind: 'begin' }, true).phase === 'ended') return run;
    countIn(program);
    if (program.mode !== 'parallel' || isCounted(program)) set(keys.load, load as never);
    return run;
  }
  if (own.queued >= program.max && program.mode === 'queued') throw full(program, own);
  run.queuedAs = enqueue(load, own, run);
  saveRun(run, program, { kind: 'continue' }, [], Date.now());
  fill(load);
  return run;
}

/** @throws {Refusal} SCENARIO_BUSY */
function startsNow(own: ScenarioLoad, program: Program): boolean {
  const { id, mode, max } = program;
  if (mode === 'parallel') {
    const active = activeOf(own, program);
    if (active < max) return true;
    throw busy(`${active} runs of \`${id}\` go on, as many as its \`max\` allows`, {});
  }
  own.runs = own.runs.filter((run) => loadRun(run)?.phase !== 'ended');
  if (mode === 'queued') return own.runs.length === 0;
  const others = [...new Set([...own.runs, ...queuedOf(id)])];
  if (others.length === 0) return true;
  if (mode === 'restart') {
    for (const run of others) tellRun(run, { kind: 'cancel', reason: 'a new run takes its place' });
    return true;
  }
  const [run] = others;
  throw busy(
    `a run of \`${id}\` goes on (\`mode: single\`); wait for it, cancel it, or begin with \`force\``,
    {
      run_id: run,
    },
  );
}

/** Those that wait for a place, and have not ended meanwhile. */
function queuedOf(scenario: string): readonly string[] {
  return list(`queue/${scenario}/`, { limit: 100 })
    .map(({ key }) => key.slice(key.lastIndexOf('/') + 1))
    .filter((run) => loadRun(run)?.phase !== 'ended');
}

function busy(message: string, details: Readonly<Record<string, unknown>>): Refusal {
  return new Refusal('SCENARIO_BUSY', 409, message, details);
}

function full({ id, max }: Program, { queued }: ScenarioLoad): Refusal {
  const message = `${queued} runs of \`${id}\` wait already, as many as its \`max\` of ${max} allows`;
  return new Refusal('SCENARIO_QUEUE_FULL', 429, message);
}

function hasSlot({ slots }: Load, own: ScenarioLoad, program: Program): boolean {
  const { max_concurrent_per_node: max } = settingsNow();
  return (
    (max === 0 || slots < max) && (program.maxConcurrent === undefined || own.slots < program.maxConcurrent)
  );
}

function begin(load: Load, own: ScenarioLoad, run: Run, program: Program): void {
  run.admitted = true;
  if (program.mode !== 'parallel') {
    own.active += 1;
    own.runs.push(run.id);
  }
  takeSlot(load, own, run, program);
}

/** Sums of many turns side by side, which do not meet. */
function countIn({ id, mode }: Program): void {
  if (mode === 'parallel') add(keys.active(id), 1);
}

function activeOf(own: ScenarioLoad, { id, mode }: Program): number {
  return mode === 'parallel' ? Number(get(keys.active(id))?.value ?? 0) : own.active;
}

function takeSlot(load: Load, own: ScenarioLoad, run: Run, program: Program): void {
  if (!isCounted(program)) return;
  run.slot = true;
  load.slots += 1;
  own.slots += 1;
}

/** @returns where it waits */
function enqueue(load: Load, own: ScenarioLoad, { id, scenario, priority, phase, admitted }: Run): string {
  const { priority_s: ahead } = settingsNow();
  const worth = { HIGH: -ahead, NORM: 0, LOW: ahead }[priority] * 1000;
  load.places += 1;
  const place = keys.queued(
    scenario,
    phase !== 'queued' || admitted === true,
    Date.now() + worth,
    load.places,
    id,
  );
  set(place, null as never);
  own.queued += 1;
  return place;
}

// --- others make room

/** `scenario.run.released` */
export interface Released {
  readonly run_id: string;
  readonly scenario_id: string;
  readonly began: boolean;
  readonly slot: boolean;
  readonly queued_as?: string;
}

/** A run has ended: what it held is free. */
export function released({ run_id, scenario_id, began, slot, queued_as }: Released): void {
  const load = readLoad();
  const own = load.scenarios[scenario_id];
  if (!own) return;
  if (queued_as !== undefined) leaveQueue(own, queued_as);
  if (began) {
    own.active = Math.max(own.active - 1, 0);
    own.runs = own.runs.filter((each) => each !== run_id);
  }
  if (slot) giveSlot(load, own);
  fill(load);
}

/** It rests, and takes no place while it does. */
export function freed(scenario: string): void {
  const load = readLoad();
  const own = load.scenarios[scenario];
  if (!own) return;
  giveSlot(load, own);
  fill(load);
}

/** What it waited for has come, and it wants to go on. */
export function wanted(id: string): void {
  const run = loadRun(id);
  if (run?.paused?.reason !== 'slot') return;
  const load = readLoad();
  enqueue(load, loadOf(load, run.scenario), run);
  fill(load);
}

function giveSlot(load: Load, own: ScenarioLoad): void {
  load.slots = Math.max(load.slots - 1, 0);
  own.slots = Math.max(own.slots - 1, 0);
}

function leaveQueue(own: ScenarioLoad, place: string): void {
  if (get(place) === undefined) return;
  drop(place);
  own.queued = Math.max(own.queued - 1, 0);
}

/** Those who waited longest begin or go on, as far as there is room. */
function fill(load: Load): void {
  for (let begun = 0; begun < MAX_FILLED; begun += 1) if (!startNext(load)) break;
  for (const [id, { active, slots, queued }] of Object.entries(load.scenarios))
    if (active === 0 && slots === 0 && queued === 0) delete load.scenarios[id];
  set(keys.load, load as never);
}

function startNext(load: Load): boolean {
  const heads = Object.entries(load.scenarios).flatMap(([scenario, own]) =>
    own.queued === 0 ? [] : [true, false].flatMap((begun) => headOf(scenario, begun, own)),
  );
  heads.sort((a, b) => (a.order < b.order ? -1 : 1));
  return heads.some(({ key, own }) => startQueued(load, own, key));
}

function headOf(scenario: string, begun: boolean, own: ScenarioLoad) {
  const line = keys.line(scenario, begun);
  return list(line, { limit: 1 }).map(({ key }) => ({ key, own, order: key.slice(line.length) }));
}

/** Whether something could be done about the first in a queue. */
function startQueued(load: Load, own: ScenarioLoad, place: string): boolean {
  const run = loadRun(place.slice(place.lastIndexOf('/') + 1));
  const program = run && programOf(run.digest);
  const isNew = run?.phase === 'queued' && !run.admitted;
  const waits = isNew || run?.paused?.reason === 'slot';
  if (run && program && waits) {
    if (!hasSlot(load, own, program)) return false;
    if (isNew && activeOf(own, program) >= atATime(program)) return false;
    if (isNew) {
      begin(load, own, run, program);
      countIn(program);
    } else takeSlot(load, own, run, program);
    // Should it end before it hears of this, it gives back what it has.
    set(keys.state(run.id), run as never);
    tellRun(run.id, isNew ? { kind: 'begin' } : { kind: 'resume', slot: true });
  }
  // Whoever does not wait any more was cancelled.
  drop(place);
  own.queued = Math.max(own.queued - 1, 0);
  return true;
}

/** Runs of a scenario that may go on side by side; a new one has told those before it to end. */
function atATime({ mode, max }: Program): number {
  if (mode === 'parallel') return max;
  return mode === 'restart' ? Number.POSITIVE_INFINITY : 1;
}

function readLoad(): Load {
  const row = get<Load>(keys.load as never)?.value as Load | undefined;
  return row ?? { slots: 0, places: 0, scenarios: {} };
}

function loadOf({ scenarios }: Load, id: string): ScenarioLoad {
  scenarios[id] ??= { active: 0, slots: 0, queued: 0, runs: [] };
  return scenarios[id];
}
