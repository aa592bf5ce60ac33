/** What an event does to a run: it finds the step that waits for it, or nobody does any more. */
import { beginUndoing, complete, dropWait, failAt } from './ending.ts';
import { errorOf } from './failure.ts';
import { wakeHolders } from './holding.ts';
import { frameOfWait, isTrue, type Machine, nodeOf, spend, top } from './machine.ts';
import { type Frame, ROOT, type RunEvent, type Thread, type Wait } from './state.ts';

/** These act at once; all others wait while the run is paused. */
const ACTS_ON_PAUSED: ReadonlySet<RunEvent['kind']> = new Set(['cancel', 'pause', 'resume']);

export function applyEvent(m: Machine, event: RunEvent): void {
  const { run } = m;
  if (run.phase === 'ended') return;
  if (run.paused && !ACTS_ON_PAUSED.has(event.kind)) {
    run.held = [...(run.held ?? []), event];
    return;
  }
  (ACTIONS[event.kind] as (m: Machine, event: RunEvent) => void)(m, event);
}

type Of<Kind extends RunEvent['kind']> = Extract<RunEvent, { kind: Kind }>;

const ACTIONS: { readonly [Kind in RunEvent['kind']]: (m: Machine, event: Of<Kind>) => void } = {
  begin,
  continue: () => {},
  time: timePassed,
  answer: answered,
  heard,
  signal: signalled,
  reply: (m, { wait, value }) => finishWait(m, wait, 'person', value),
  child: childEnded,
  woken: (m, { wait }) => wakeHolders(m, wait),
  cancel,
  pause({ run, world }, { reason, message }) {
    if (run.paused && run.paused.reason !== 'slot') return;
    run.paused = { ...run.paused, reason, atMs: world.nowMs, ...(message !== undefined && { message }) };
  },
  resume,
};

function cancel(m: Machine, { reason }: Of<'cancel'>): void {
  if (m.run.phase === 'undoing') return;
  beginUndoing(m, { outcome: 'cancelled', error: { code: 'SCENARIO_CANCELLED', message: reason } });
}

function begin({ run, program, world }: Machine): void {
  if (run.phase !== 'queued') return;
  run.phase = 'forward';
  run.startedAtMs = world.nowMs;
  if (program.timeoutMs !== undefined) run.deadlineMs = world.nowMs + program.timeoutMs;
  const frame: Frame = { node: ROOT, attempt: 1, startedAtMs: world.nowMs, at: 0 };
  run.threads = [{ id: 0, turns: [], vars: {}, frames: [frame] }];
}

function resume(m: Machine, { over, breakpoints, slot }: Of<'resume'>): void {
  const { run } = m;
  if (breakpoints) run.breakpoints = [...breakpoints];
  // A place among those that work is no leave of whoever paused it, nor the other way round.
  if (slot && !run.slot) return;
  if (!run.paused || (run.paused.reason === 'slot') !== (slot === true)) return;
  const { step, thread = 0, depth = 1, over: isOver = over } = run.paused;
  if (step !== undefined) m.passes = step;
  delete run.paused;
  delete run.stepping;
  if (isOver) run.stepping = { thread, depth };
  const held = run.held ?? [];
  delete run.held;
  for (const event of held) applyEvent(m, event);
}

// --- time

function timePassed(m: Machine): void {
  const { run, world } = m;
  delete run.timer;
  if (run.phase === 'forward' && run.deadlineMs !== undefined && run.deadlineMs <= world.nowMs) {
    const message = `it took longer than its \`timeout\` of ${run.deadlineMs - run.startedAtMs!} ms`;
    beginUndoing(m, { outcome: 'failed', error: { code: 'SCENARIO_TIMEOUT', message } });
    return;
  }
  for (const thread of [...run.threads]) if (run.threads.includes(thread)) passTime(m, thread);
}

function passTime(m: Machine, thread: Thread): void {
  const { nowMs } = m.world;
  const late = thread.frames.findIndex(({ deadlineMs }) => deadlineMs !== undefined && deadlineMs <= nowMs);
  if (late >= 0) {
    const { startedAtMs, deadlineMs } = thread.frames[late]!;
    const message = `it took longer than its \`timeout\` of ${deadlineMs! - startedAtMs} ms`;
    failAt(m, thread, late, { code: 'SCENARIO_STEP_TIMEOUT', message });
    return;
  }
  const frame = top(thread);
  const { wait } = frame;
  if (wait?.dueMs === undefined || wait.dueMs > nowMs) return;
  if (wait.kind === 'retry') delete frame.wait;
  else if (wait.kind === 'time') finish(m, thread, undefined);
  else {
    const message = `nothing came within ${wait.dueMs - frame.startedAtMs} ms`;
    failAt(m, thread, thread.frames.length - 1, { code: 'SCENARIO_WAIT_TIMEOUT', message });
  }
}

// --- answers

function answered(m: Machine, { wait, result, error }: Of<'answer'>): void {
  const found = waiting(m, wait, 'answer');
  if (!found) return;
  const { thread, frame } = found;
  delete frame.wait;
  if (error) {
    failAt(m, thread, thread.frames.length - 1, error);
    return;
  }
  const node = nodeOf(m, frame);
  if (node.kind === 'run' && !node.detached) {
    frame.wait = { kind: 'child', id: wait, run: (result as { run_id: string }).run_id };
    return;
  }
  const costs = costsIn(result);
  try {
    spend(m, costs);
  } catch (failure) {
    failAt(m, thread, thread.frames.length - 1, errorOf(failure));
    return;
  }
  complete(m, thread, result, Object.keys(costs).length > 0 ? { costs } : {});
}

/** `cost` in an answer: what the call used, by name (SCN-24). */
function costsIn(result: unknown): Readonly<Record<string, number>> {
  const cost = (result as { cost?: unknown } | null | undefined)?.cost;
  if (cost === null || typeof cost !== 'object') return {};
  const numbers = Object.entries(cost).filter(([, value]) => typeof value === 'number' && value >= 0);
  return Object.fromEntries(numbers.slice(0, 16)) as Record<string, number>;
}

function childEnded(m: Machine, event: Of<'child'>): void {
  const found = waiting(m, event.wait, 'child');
  if (!found) return;
  const { thread, frame } = found;
  delete frame.wait;
  if (event.outcome === 'succeeded') complete(m, thread, event.returned);
  else {
    const error = event.error ?? { code: 'SCENARIO_CHILD_FAILED', message: `it was ${event.outcome}` };
    failAt(m, thread, thread.frames.length - 1, error);
  }
}

function heard(m: Machine, { wait, event }: Of<'heard'>): void {
  const found = waiting(m, wait, 'event');
  if (!found) return;
  const { thread, frame } = found;
  const node = nodeOf(m, frame);
  const accept = node.kind === 'wait' && node.for.kind === 'event' ? node.for.accept : undefined;
  try {
    if (accept !== undefined && !isTrue(m, thread, accept, { event })) return;
  } catch (error) {
    failAt(m, thread, thread.frames.length - 1, errorOf(error));
    return;
  }
  finish(m, thread, event);
}

/** The first step that waits for it; where none does, it has gone by. */
function signalled(m: Machine, { signal, payload }: Of<'signal'>): void {
  const thread = m.run.threads.find((each) => {
    const { wait } = top(each);
    return wait?.kind === 'signal' && wait.signal === signal;
  });
  if (thread) finish(m, thread, payload ?? null);
}

function finishWait(m: Machine, id: number, kind: Wait['kind'], value: unknown): void {
  const found = waiting(m, id, kind);
  if (found) finish(m, found.thread, value);
}

function finish(m: Machine, thread: Thread, value: unknown): void {
  dropWait(m, thread, thread.frames.length - 1);
  complete(m, thread, value);
}

function waiting(m: Machine, id: number, kind: Wait['kind']) {
  const found = frameOfWait(m, id);
  if (!found) return undefined;
  const frame = found.thread.frames[found.depth]!;
  return frame.wait!.kind === kind ? { thread: found.thread, frame } : undefined;
}
