/** Doing a run again: with the same answers, to see that it comes out the same (SCN-16); or anew from one of its steps. */
import type { Program } from '../program.ts';
import { moveOn } from '../run/interpret.ts';
import { type Answer, type Script, simulate } from '../run/simulation.ts';
import type { Frame, Run, RunEvent, StepRow, Thread } from '../run/state.ts';
import { ROOT } from '../run/state.ts';
import type { World } from '../run/world.ts';
import { programOf } from './programs.ts';
import { answersOf } from './queries.ts';
import { Refusal } from './refusal.ts';
import { type JournalEntry, journalOf } from './runs.ts';
import { newId } from './starts.ts';

const MAX_DIFFERENCES = 20;

/**
 * Runs the same definition, or another, with the same input and the answers that came. Nothing is done.
 * @throws {Refusal} SCENARIO_DEFINITION_GONE
 */
export function replayRun(run: Run, program: Program) {
  const answers = answersOf(run.id);
  const entries = journalOf(run.id);
  const script: Script = {
    nowMs: run.createdAtMs,
    random: () => 0.5,
    answer({ step, attempt }) {
      const known = answers.get(`${step}#${attempt} answer`);
      const child = answers.get(`${step}#${attempt} child`);
      const afterMs = (child ?? known)?.afterMs ?? 0;
      return { afterMs, ...answerIn(known?.event, child?.event) };
    },
    reply: () => undefined,
    happenings: entries.flatMap(({ atMs, event }) => happeningsOf(atMs, event)),
  };
  const played = simulate(program, { ctx: run.ctx, event: run.event, replayOf: run.id }, script);
  const before = entries.flatMap(({ rows }) => rows);
  const differences = differencesOf(before, played.rows);
  return {
    same: differences.length === 0 && played.run.outcome === run.outcome,
    outcome: played.run.outcome ?? 'waiting',
    differences,
    bag: played.run.bag,
  };
}

function answerIn(answer: RunEvent | undefined, child: RunEvent | undefined): Answer {
  if (child?.kind === 'child')
    return child.outcome === 'succeeded' ? { returns: child.returned } : { fails: child.error! };
  if (answer?.kind === 'answer') return answer.error ? { fails: answer.error } : { returns: answer.result };
  return { fails: { code: 'SCENARIO_NOT_RECORDED', message: 'the run never asked this' } };
}

function happeningsOf(atMs: number, event: RunEvent): Script['happenings'] {
  if (event.kind === 'heard')
    return [{ atMs, what: { kind: 'event', event: event.event as Record<string, unknown> } }];
  if (event.kind === 'signal' || event.kind === 'cancel') return [{ atMs, what: event }];
  return [];
}

function differencesOf(before: readonly StepRow[], after: readonly StepRow[]) {
  const said = ({ step, what, set, error, sent }: StepRow) =>
    JSON.stringify([step, what, set ?? null, error?.code ?? null, sent ?? null]);
  const differences: { step: string; before: unknown; after: unknown }[] = [];
  // Branches may come in another order: each step is compared with itself.
  const steps = new Set([...before, ...after].map(({ step }) => step));
  for (const step of steps) {
    const was = before.filter((row) => row.step === step);
    const is = after.filter((row) => row.step === step);
    if (was.map(said).join() !== is.map(said).join())
      differences.push({ step, before: told(was), after: told(is) });
    if (differences.length === MAX_DIFFERENCES) break;
  }
  return differences;
}

function told(rows: readonly StepRow[]) {
  return rows.map(({ what, attempt, set, error }) => ({
    what,
    attempt,
    ...(set && { set }),
    ...(error && { error }),
  }));
}

// --- from a step

/**
 * The run as it stood before it first began `step`, as a new one, perhaps of another definition. What other branches waited
 * for then they ask for anew.
 * @throws {Refusal} SCENARIO_STEP_UNKNOWN, SCENARIO_FORK_MISMATCH
 */
export function forkOf(run: Run, program: Program, step: string, by: string, nowMs: number): Run {
  const old = programOf(run.digest)!;
  const state = stateBefore(run, old, step);
  const fork: Run = {
    ...state,
    id: newId(nowMs),
    digest: program.digest,
    by,
    createdAtMs: nowMs,
    startedAtMs: nowMs,
    forkOf: { run: run.id, step },
    rows: 0,
    costs: {},
  };
  for (const gone of [
    'parent',
    'timer',
    'held',
    'breakpoints',
    'admitted',
    'slot',
    'queuedAs',
    'paused',
    'deadlineMs',
  ] as const)
    delete fork[gone];
  if (program.timeoutMs !== undefined) fork.deadlineMs = nowMs + program.timeoutMs;
  if (program.digest !== old.digest) rebind(fork, old, program);
  for (const thread of fork.threads) beginWaitsAnew(fork.threads, thread, nowMs);
  return fork;
}

function stateBefore(run: Run, program: Program, step: string): Run {
  const entries = journalOf(run.id);
  const at = entries.findIndex(({ rows }) => rows.some((row) => row.step === step));
  if (at < 0) {
    const message = `the run never began \`${step}\`; \`scenario trace\` shows its steps`;
    throw new Refusal('SCENARIO_STEP_UNKNOWN', 404, message);
  }
  const kept = entries.slice(0, at).findLastIndex((entry) => entry.run !== undefined);
  const state = kept < 0 ? begunAs(run) : structuredClone(entries[kept]!.run!);
  replayEntries(state, program, entries.slice(kept + 1, at + 1), step);
  if (state.paused?.step === step) return state;
  const message = `how the run stood before \`${step}\` cannot be told any more`;
  throw new Refusal('SCENARIO_FORK_MISMATCH', 409, message);
}

function begunAs(run: Run): Run {
  const { id, scenario, digest, priority, ctx, event, by, createdAtMs } = run;
  const known = {
    id,
    scenario,
    digest,
    priority,
    ctx,
    by,
    createdAtMs,
    ...(event !== undefined && { event }),
  };
  return {
    ...known,
    phase: 'queued',
    bag: {},
    threads: [],
    undo: [],
    transitions: 0,
    rows: 0,
    nextNumber: 1,
    costs: {},
  };
}

function replayEntries(
  state: Run,
  program: Program,
  entries: readonly JournalEntry[],
  stopBefore: string,
): void {
  for (const { atMs, event } of entries) {
    const begins =
      state.phase === 'queued' && event.kind === 'continue' ? ({ kind: 'begin' } as const) : event;
    moveOn(state, program, begins, silentWorld(atMs), { stopBefore });
    if (state.paused) return;
  }
}

/** It answers as if all were free, and does nothing. */
function silentWorld(nowMs: number): World {
  let count = 0;
  const id = () => {
    count += 1;
    return `silent-${count}`;
  };
  const nothing = () => {};
  return {
    nowMs,
    random: () => 0.5,
    ask: id,
    takeBack: nothing,
    publish: nothing,
    wakeAt: id,
    sleepOn: nothing,
    goOn: nothing,
    take: () => true,
    give: nothing,
    isOpen: () => false,
    tell: nothing,
    listen: id,
    deafen: nothing,
    question: id,
    unquestion: nothing,
    cancelChild: nothing,
    tellParent: nothing,
    observe: nothing,
    log: nothing,
    spend: nothing,
  };
}

/** Steps are known by their paths: what the run is in the middle of has to be there in the other definition too. */
function rebind(fork: Run, old: Program, program: Program): void {
  const places = new Map(program.nodes.map(({ path }, place) => [path, place]));
  const placeOf = (node: number): number => {
    if (node === ROOT) return ROOT;
    const { path, kind } = old.nodes[node]!;
    const place = places.get(path);
    if (place !== undefined && program.nodes[place]!.kind === kind) return place;
    const message = `the other definition has no \`${kind}\` step \`${path}\`, and the run is in the middle of it`;
    throw new Refusal('SCENARIO_FORK_MISMATCH', 409, message);
  };
  for (const thread of fork.threads)
    thread.frames = thread.frames.map((frame, depth) => ({
      ...frame,
      node: placeOf(frame.node),
      at: placeInBlock(old, program, thread, depth, frame),
    }));
  fork.undo = fork.undo.map((undo) => ({ ...undo, node: placeOf(undo.node) }));
}

/** Where the block goes on: before the step that comes next, wherever it stands now. */
function placeInBlock(old: Program, program: Program, _thread: Thread, _depth: number, frame: Frame): number {
  const from = blockIn(old, frame.node, frame.block);
  const next = from[frame.at];
  const done = from[frame.at - 1];
  const to = blockIn(
    program,
    frame.node === ROOT ? ROOT : placeByPath(program, old.nodes[frame.node]!.path),
    frame.block,
  );
  const pathsOf = (block: readonly number[], of: Program) => block.map((place) => of.nodes[place]!.path);
  const paths = pathsOf(to, program);
  if (next !== undefined && paths.includes(old.nodes[next]!.path))
    return paths.indexOf(old.nodes[next]!.path);
  if (done !== undefined && paths.includes(old.nodes[done]!.path))
    return paths.indexOf(old.nodes[done]!.path) + 1;
  return Math.min(frame.at, to.length);
}

function placeByPath(program: Program, path: string): number {
  return program.nodes.findIndex((node) => node.path === path);
}

function blockIn(program: Program, node: number, block = ''): readonly number[] {
  if (node === ROOT) return block === '' ? program.steps : [];
  const of = program.nodes[node]!;
  if (block === 'fallback') return of.fallback?.steps ?? [];
  if (of.kind === 'if' || of.kind === 'switch') {
    if (block === 'else') return of.otherwise;
    const list = of.kind === 'if' ? of.branches : of.cases;
    return list[Number(block.slice(1))]?.steps ?? [];
  }
  if (of.kind === 'parallel') return of.branches[Number(block.slice(1))]?.steps ?? [];
  return of.kind === 'each' || of.kind === 'while' || of.kind === 'group' ? of.steps : [];
}

/** Answers that others waited for belong to the run that asked: these steps begin anew. */
function beginWaitsAnew(threads: readonly Thread[], thread: Thread, nowMs: number): void {
  for (const [depth, frame] of thread.frames.entries()) {
    delete frame.holds;
    frame.startedAtMs = nowMs;
    const hasBranches = threads.some(({ of }) => of?.thread === thread.id && of.depth === depth);
    if (frame.wait && !hasBranches) delete frame.wait;
  }
}
