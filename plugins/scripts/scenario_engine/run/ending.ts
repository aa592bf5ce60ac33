/** How steps, branches and runs come to their end: well, badly, or because somebody wants it. */
import type { EachStep, Node, ParallelStep } from '../program.ts';
import { spawnItem } from './doing.ts';
import { errorOf, retryInMs } from './failure.ts';
import { breakerOf, CIRCUIT_OPEN, giveBack, waitsNoLonger } from './holding.ts';
import {
  branchesOf,
  filled,
  keep,
  keyOf,
  type Machine,
  nextNumber,
  nodeOf,
  row,
  threadOf,
  top,
  turnsOf,
  varsOf,
} from './machine.ts';
import { brokenOutput } from './outputs.ts';
import { type Frame, ROOT, type Run, type StepError, type StepRow, type Thread } from './state.ts';

const MAX_NOT_UNDONE = 20;

// --- a step

/** The step at the end of the thread has come to `value`. */
export function complete(m: Machine, thread: Thread, value: unknown, more: Partial<StepRow> = {}): void {
  const frame = top(thread);
  const node = nodeOf(m, frame);
  const set = node.save === undefined ? more.set : { ...more.set, [node.save]: value ?? null };
  try {
    if (node.save !== undefined) keep(m, { [node.save]: value ?? null });
  } catch (error) {
    failAt(m, thread, thread.frames.length - 1, errorOf(error));
    return;
  }
  giveBack(m, frame, node);
  if (node.breaker && frame.block !== 'fallback')
    m.world.tell(breakerOf(m, node), 'good', node.breaker.threshold);
  row(m, thread, 'ok', { ...more, ...(set && { set }) });
  if (frame.undone !== undefined && value !== undefined) {
    const undo = m.run.undo.find((each) => each.number === frame.undone);
    if (undo) undo.result = value;
  }
  thread.frames.pop();
  const above = top(thread);
  if (above.wants) above.value = value;
}

/** The step at this depth fails: it is tried again, falls back, or fails for those around it. */
export function failAt(m: Machine, thread: Thread, depth: number, error: StepError): void {
  for (let at = depth; ; at -= 1) {
    unwind(m, thread, at);
    const frame = thread.frames[at]!;
    if (at === 0) break;
    const node = nodeOf(m, frame);
    if (goesOn(m, thread, frame, node, error)) return;
    giveBack(m, frame, node);
    row(m, thread, 'failed', { error });
    thread.frames.pop();
  }
  threadFailed(m, thread, error);
}

/** Whether the step has another chance. */
function goesOn(m: Machine, thread: Thread, frame: Frame, node: Node, error: StepError): boolean {
  if (frame.block === 'fallback') return false;
  if (node.breaker && error.code !== CIRCUIT_OPEN)
    m.world.tell(breakerOf(m, node), 'bad', node.breaker.threshold);
  const inMs = retryInMs(node, frame, error, m.world.nowMs, () => m.world.random());
  if (inMs !== undefined) {
    giveBack(m, frame, node);
    row(m, thread, 'retrying', { error, waits: `${inMs} ms` });
    beginAnew(frame);
    frame.attempt += 1;
    frame.wait = { kind: 'retry', id: nextNumber(m), dueMs: m.world.nowMs + inMs };
    return true;
  }
  if (!node.fallback) return false;
  row(m, thread, 'fell_back', { error });
  beginAnew(frame);
  frame.error = error;
  frame.block = 'fallback';
  if (node.fallback.steps === undefined)
    try {
      complete(m, thread, filled(m, thread, node.fallback.value ?? null));
    } catch (failure) {
      failAt(m, thread, thread.frames.length - 1, errorOf(failure));
    }
  return true;
}

function beginAnew(frame: Frame): void {
  for (const part of ['block', 'turn', 'items', 'values', 'value', 'ended', 'wait'] as const)
    delete frame[part];
  frame.at = 0;
}

// --- giving up

/** Ends what the step at this depth has under way; the step itself stays. */
function unwind(m: Machine, thread: Thread, depth: number): void {
  for (let at = thread.frames.length - 1; at >= depth; at -= 1) {
    dropWait(m, thread, at);
    if (at === depth) return;
    const frame = thread.frames[at]!;
    giveBack(m, frame, nodeOf(m, frame));
    row(m, thread, 'cancelled', {}, at);
    thread.frames.pop();
  }
}

/** The step at this depth waits no longer. */
export function dropWait(m: Machine, thread: Thread, depth: number): void {
  const frame = thread.frames[depth]!;
  const { wait } = frame;
  if (!wait) return;
  delete frame.wait;
  if (wait.kind === 'answer') m.world.takeBack(wait.ask);
  else if (wait.kind === 'event') m.world.deafen(wait.place);
  else if (wait.kind === 'person') m.world.unquestion(wait.question);
  else if (wait.kind === 'child') m.world.cancelChild(wait.run);
  else if (wait.kind === 'locks') waitsNoLonger(m, frame, wait);
  else if (wait.kind === 'branches')
    for (const branch of branchesOf(m, thread, depth)) cancelThread(m, branch);
}

function cancelThread(m: Machine, thread: Thread): void {
  unwind(m, thread, 0);
  m.run.threads = m.run.threads.filter((each) => each !== thread);
}

// --- branches

/** A branch has gone through its steps, or failed. */
export function branchEnded(m: Machine, branch: Thread, error?: StepError): void {
  const { of, frames, branch: name } = branch;
  m.run.threads = m.run.threads.filter((each) => each !== branch);
  const thread = threadOf(m, of!.thread)!;
  const frame = thread.frames[of!.depth]!;
  const node = nodeOf(m, frame) as Node & (ParallelStep | EachStep);
  const ended = frame.ended!;
  if (error) {
    ended.bad += 1;
    ended.error ??= error;
  } else {
    ended.good += 1;
    if (frame.wants) frame.values![placeOf(node, name!)] = frames[0]!.value ?? null;
  }
  const verdict = node.kind === 'each' ? verdictOfEach(frame) : verdictOfParallel(frame, node);
  if (verdict === 'go on') {
    if (node.kind === 'each' && frame.at < frame.items!.length) spawnItem(m, thread, of!.depth, frame.at++);
    return;
  }
  dropWait(m, thread, of!.depth);
  if (verdict === 'bad') failAt(m, thread, of!.depth, ended.error!);
  else complete(m, thread, valuesOf(frame, node));
}

function placeOf(node: ParallelStep | EachStep, name: string): number {
  return node.kind === 'each' ? Number(name) : node.branches.findIndex((each) => each.name === name);
}

function verdictOfEach({ ended, items }: Frame): 'go on' | 'good' | 'bad' {
  if (ended!.bad > 0) return 'bad';
  return ended!.good === items!.length ? 'good' : 'go on';
}

function verdictOfParallel({ ended }: Frame, { branches, wait, onFailure }: ParallelStep) {
  const { good, bad } = ended!;
  const needed = wait === 'all' ? branches.length : wait;
  if (good >= needed) return 'good';
  const isHopeless = branches.length - bad < needed;
  if (isHopeless && (onFailure === 'cancel' || good + bad === branches.length)) return 'bad';
  return 'go on';
}

function valuesOf(frame: Frame, node: ParallelStep | EachStep): unknown {
  if (!frame.wants) return undefined;
  if (node.kind === 'each') return frame.values;
  const values = node.branches.map(({ name }, place) => [name, frame.values![place] ?? null]);
  return Object.fromEntries(values);
}

// --- a run

/** Nobody is left in this thread who could do something about it. */
function threadFailed(m: Machine, thread: Thread, error: StepError): void {
  if (thread.of) branchEnded(m, thread, error);
  else if (m.run.phase === 'undoing') compensationEnded(m, thread, error);
  else beginUndoing(m, { outcome: 'failed', error });
}

/** All its steps are done, or it returned. */
export function succeed(m: Machine, value: unknown): void {
  const broken = brokenOutput(m.program.expectedOutputs, m.run.bag);
  if (broken) {
    beginUndoing(m, { outcome: 'failed', error: broken });
    return;
  }
  for (const thread of m.run.threads.filter(({ of }) => of === undefined)) cancelThread(m, thread);
  if (value !== undefined) m.run.returned = value;
  end(m, 'succeeded');
}

/** Ends what is under way, and undoes what was done, the last first: from here on nothing can stop it (SCN-09). */
export function beginUndoing(m: Machine, ending: NonNullable<Run['ending']>): void {
  const { run } = m;
  for (const thread of run.threads.filter(({ of }) => of === undefined)) cancelThread(m, thread);
  run.threads = [];
  run.phase = 'undoing';
  run.ending = ending;
  delete run.paused;
  delete run.stepping;
  undoNext(m);
}

function undoNext(m: Machine): void {
  const { run } = m;
  const undo = run.undo.at(-1);
  if (!undo) {
    end(m, run.ending!.outcome);
    return;
  }
  const { error } = run.ending!;
  run.threads.push({
    id: nextNumber(m),
    turns: undo.turns,
    vars: { ...undo.vars, result: undo.result ?? null, error: error ?? null },
    frames: [{ node: ROOT, block: `undo:${undo.node}`, at: 0, attempt: 1, startedAtMs: m.world.nowMs }],
  });
  undoRow(m, 'undoing');
}

/** @param error where it could not be undone: what comes before it still is */
export function compensationEnded(m: Machine, thread: Thread, error?: StepError): void {
  const { run } = m;
  undoRow(m, error ? 'not_undone' : 'undone', error);
  run.threads = run.threads.filter((each) => each !== thread);
  const { step } = run.undo.pop()!;
  if (error) {
    run.notUndone ??= [];
    if (run.notUndone.length < MAX_NOT_UNDONE) run.notUndone.push({ step, error });
  }
  undoNext(m);
}

function undoRow(m: Machine, what: 'undoing' | 'undone' | 'not_undone', error?: StepError): void {
  const { step, node } = m.run.undo.at(-1)!;
  const { name } = m.program.nodes[node]!;
  m.rows.push({ step, name, what, attempt: 1, atMs: m.world.nowMs, ...(error && { error }) });
}

function end(m: Machine, outcome: NonNullable<Run['outcome']>): void {
  const { run, world } = m;
  const error = run.ending?.error;
  run.phase = 'ended';
  run.outcome = outcome;
  run.endedAtMs = world.nowMs;
  run.threads = [];
  run.undo = [];
  if (error) run.error = error;
  delete run.ending;
  delete run.held;
  if (run.parent)
    world.tellParent(run.parent, {
      outcome,
      ...(run.returned !== undefined && { returned: run.returned }),
      ...(error && { error }),
    });
}

/** The compensation of the step that begins now is done if the run ends badly from here on. */
export function registerUndo(m: Machine, thread: Thread, frame: Frame, node: Node): void {
  if (!node.compensate || frame.undone !== undefined) return;
  const number = nextNumber(m);
  const depth = thread.frames.length - 1;
  const turns = turnsOf(thread, depth);
  m.run.undo.push({
    number,
    node: frame.node,
    step: keyOf(m, thread),
    turns,
    vars: varsOf(m, thread, depth),
  });
  frame.undone = number;
}
