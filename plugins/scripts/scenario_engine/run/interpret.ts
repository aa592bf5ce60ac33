/**
 * The interpreter: one event moves a run on until nothing of it can move, or the turn has done enough.
 *
 * It never repeats what was done: where a run stands is data, and an event finds the step that waits for it by number.
 * What comes for a step that waits no longer is dropped.
 */
import type { Node, Program } from '../program.ts';
import { afterBlock, type Begun, begin } from './doing.ts';
import {
  beginUndoing,
  branchEnded,
  compensationEnded,
  complete,
  failAt,
  registerUndo,
  succeed,
} from './ending.ts';
import { applyEvent } from './events.ts';
import { errorOf } from './failure.ts';
import { lendHoldings, requireClosed, takeBackLent, takeHold } from './holding.ts';
import { blockOf, isTrue, type Machine, nodeOf, row, stepKey, top, turnsOf } from './machine.ts';
import { type Frame, ROOT, type Run, type RunEvent, type StepRow, type Thread } from './state.ts';
import { arrangeTimer } from './timer.ts';
import type { World } from './world.ts';

/** Steps that one turn begins before it commits and goes on in the next. */
export const STEPS_PER_TURN = 100;

/**
 * Moves `run` on by `event`, in place, and answers what happened to its steps.
 * @param stopBefore a step before which it pauses, known by its key
 */
export function moveOn(
  run: Run,
  program: Program,
  event: RunEvent,
  world: World,
  { stepsPerTurn = STEPS_PER_TURN, stopBefore }: { stepsPerTurn?: number; stopBefore?: string } = {},
): readonly StepRow[] {
  const m: Machine = { run, program, world, rows: [], left: stepsPerTurn, ...(stopBefore && { stopBefore }) };
  applyEvent(m, event);
  advanceAll(m);
  if (canMove(m)) world.goOn();
  else lendHoldings(m);
  arrangeTimer(m);
  return m.rows;
}

function advanceAll(m: Machine): void {
  let moved = true;
  while (moved && m.left > 0 && isGoing(m.run)) {
    moved = false;
    for (const thread of [...m.run.threads]) if (advance(m, thread)) moved = true;
  }
}

function isGoing(run: Run): boolean {
  return (run.phase === 'forward' || run.phase === 'undoing') && !run.paused;
}

function canMove({ run }: Machine): boolean {
  return isGoing(run) && run.threads.some((thread) => top(thread).wait === undefined);
}

/** Goes on with a thread as far as it can; answers whether it moved. */
function advance(m: Machine, thread: Thread): boolean {
  let moved = false;
  while (isGoing(m.run) && m.run.threads.includes(thread)) {
    const frame = top(thread);
    if (frame.wait) return moved;
    if (!takeBackLent(m, thread)) return true;
    if (frame.node !== ROOT && frame.block === undefined) attempt(m, thread, frame);
    else {
      const block = blockOf(m, frame);
      if (frame.at >= block.length) blockEnded(m, thread, frame);
      else if (m.left === 0 || stopsBefore(m, thread, block[frame.at]!)) return moved;
      else enter(m, thread, block[frame.at++]!);
    }
    moved = true;
  }
  return moved;
}

// --- the beginning of a step

function enter(m: Machine, thread: Thread, place: number): void {
  const { run, program, world } = m;
  const node = program.nodes[place]!;
  m.left -= 1;
  run.transitions += 1;
  if (run.transitions > program.maxSteps && run.phase === 'forward') {
    const message = `it began ${run.transitions} steps; \`limits.steps\` allows ${program.maxSteps}`;
    beginUndoing(m, { outcome: 'failed', error: { code: 'SCENARIO_STEP_LIMIT', message } });
    return;
  }
  const above = top(thread);
  const frame: Frame = {
    node: place,
    attempt: 1,
    startedAtMs: world.nowMs,
    at: 0,
    ...(node.timeoutMs !== undefined && { deadlineMs: world.nowMs + node.timeoutMs }),
    ...((node.save !== undefined || above.wants || node.compensate) && { wants: true }),
  };
  try {
    if (node.when !== undefined && !isTrue(m, thread, node.when)) {
      thread.frames.push(frame);
      row(m, thread, 'skipped');
      thread.frames.pop();
      return;
    }
    thread.frames.push(frame);
  } catch (error) {
    thread.frames.push(frame);
    failAt(m, thread, thread.frames.length - 1, errorOf(error));
  }
}

function attempt(m: Machine, thread: Thread, frame: Frame): void {
  const node = nodeOf(m, frame);
  try {
    if (!takeHold(m, thread, frame, node)) return;
    requireClosed(m, node);
    registerUndo(m, thread, frame, node);
    took(m, thread, begin(m, thread, frame, node));
  } catch (error) {
    failAt(m, thread, thread.frames.length - 1, errorOf(error));
  }
}

function took(m: Machine, thread: Thread, begun: Begun): void {
  if (begun.kind === 'done') complete(m, thread, begun.value, begun.set && { set: begun.set });
  else if (begun.kind === 'returned') returned(m, thread, begun.value);
}

/** In a compensation it ends the compensation only. */
function returned(m: Machine, thread: Thread, value: unknown): void {
  complete(m, thread, undefined);
  if (m.run.phase === 'undoing') compensationEnded(m, thread);
  else succeed(m, value);
}

// --- the end of a block

function blockEnded(m: Machine, thread: Thread, frame: Frame): void {
  if (thread.frames.length === 1) threadEnded(m, thread);
  else
    try {
      took(m, thread, afterBlock(m, thread, frame, nodeOf(m, frame)));
    } catch (error) {
      failAt(m, thread, thread.frames.length - 1, errorOf(error));
    }
}

function threadEnded(m: Machine, thread: Thread): void {
  if (thread.of) branchEnded(m, thread);
  else if (m.run.phase === 'undoing') compensationEnded(m, thread);
  else succeed(m, undefined);
}

// --- where a person wants it to stand still (SCN-20)

function stopsBefore(m: Machine, thread: Thread, place: number): boolean {
  const { run, program, world } = m;
  if (!m.passes && !m.stopBefore && !run.breakpoints && !run.stepping) return false;
  const node = program.nodes[place]!;
  const step = stepKey(node.path, turnsOf(thread));
  if (m.passes === step) {
    delete m.passes;
    return false;
  }
  const depth = thread.frames.length;
  const reason = reasonToStop(m, thread, node, step, depth);
  if (!reason) return false;
  run.paused = { reason, atMs: world.nowMs, step, thread: thread.id, depth };
  delete run.stepping;
  return true;
}

function reasonToStop({ run, stopBefore }: Machine, thread: Thread, node: Node, step: string, depth: number) {
  if (stopBefore === step) return 'breakpoint';
  if (run.breakpoints?.some((each) => each === node.name || each === node.path || each === step))
    return 'breakpoint';
  const { stepping } = run;
  if (!stepping) return undefined;
  const isThere = stepping.thread === thread.id && depth <= stepping.depth;
  const isGone = !run.threads.some(({ id }) => id === stepping.thread);
  return isThere || isGone ? 'step' : undefined;
}
