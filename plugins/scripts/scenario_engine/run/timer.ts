/** When a run has to be woken: one delayed event for all that it waits for. */
import type { Machine } from './machine.ts';
import type { Frame, Run } from './state.ts';

/**
 * Sees to it that the run is woken in time. What was arranged for an earlier moment stays: it is cheaper to be woken
 * once too often than to take a timer back with every step.
 */
export function arrangeTimer({ run, world }: Machine): void {
  const atMs = run.phase === 'ended' || run.paused ? undefined : nextMoment(run);
  if (atMs === undefined) {
    if (run.timer && (run.phase === 'ended' || run.paused)) {
      world.sleepOn(run.timer.id);
      delete run.timer;
    }
    return;
  }
  if (run.timer && run.timer.atMs <= atMs) return;
  run.timer = { id: world.wakeAt(atMs, run.timer), atMs };
}

function nextMoment(run: Run): number | undefined {
  const moments = run.threads.flatMap(({ frames }) => frames.flatMap(momentsOf));
  if (run.phase === 'forward' && run.deadlineMs !== undefined) moments.push(run.deadlineMs);
  return moments.length === 0 ? undefined : Math.min(...moments);
}

/** The deadline of a command that is on its way is kept by the host: its answer comes in any case. */
function momentsOf({ wait, deadlineMs }: Frame): number[] {
  const moments = wait?.dueMs === undefined ? [] : [wait.dueMs];
  if (deadlineMs !== undefined && wait?.kind !== 'answer') moments.push(deadlineMs);
  return moments;
}
