/** What a step holds while it is done: named locks (SCN-14), and a place in a pool (SCN-12). */
import type { Node } from '../program.ts';
import { blockOf, type Machine, nextNumber, nodeOf, row, threadOf, top } from './machine.ts';
import { type Frame, ROOT, type Thread, type Wait } from './state.ts';
import { failed } from './world.ts';

export const CIRCUIT_OPEN = 'SCENARIO_CIRCUIT_OPEN';

export function holdingsOf({ locks, pool }: Node): readonly string[] {
  if (!locks && pool === undefined) return [];
  return [...(locks ?? []).map((name) => `lock:${name}`), ...(pool === undefined ? [] : [`pool:${pool}`])];
}

/** Whether the step holds all that it needs; else it waits until it does. */
export function takeHold(m: Machine, thread: Thread, frame: Frame, node: Node): boolean {
  const names = holdingsOf(node);
  if (names.length === 0 || frame.holds !== undefined) return true;
  const id = nextNumber(m);
  if (m.world.take(names, id)) {
    holdAgain(frame, id);
    return true;
  }
  frame.wait = { kind: 'locks', id };
  row(m, thread, 'started', { waits: names.join(', ') });
  return false;
}

/** Waits of which nobody knows how long they take; who comes for what is held works meanwhile. */
const SUSPENDED: ReadonlySet<string> = new Set(['time', 'event', 'signal', 'person', 'retry', 'branches']);

/** Steps that say `release_locks` give back what they hold while all inside of them waits (SCN-14). */
export function lendHoldings(m: Machine): void {
  if (m.run.phase !== 'forward') return;
  for (const thread of m.run.threads)
    for (const [depth, frame] of thread.frames.entries()) {
      if (frame.holds === undefined || frame.node === ROOT || !nodeOf(m, frame).releaseLocks) continue;
      if (!inside(m, thread, depth).every((each) => SUSPENDED.has(top(each).wait?.kind ?? 'none'))) continue;
      giveBack(m, frame, nodeOf(m, frame));
      frame.lent = true;
    }
}

/** This thread and those that began as branches at this depth of it or deeper. */
function inside({ run }: Machine, thread: Thread, depth: number): Thread[] {
  const found = [thread];
  for (const each of run.threads)
    if (found.some(({ id }) => each.of?.thread === id && (id !== thread.id || each.of.depth >= depth)))
      found.push(each);
  return found;
}

/** Whether the steps around the next of this thread hold again what they gave back; else it waits until they do. */
export function takeBackLent(m: Machine, thread: Thread): boolean {
  const lent = lentAround(m, thread);
  if (!lent) return true;
  const { frame, by } = lent;
  const names = holdingsOf(nodeOf(m, frame));
  const asked = m.run.threads
    .map((each) => top(each).wait)
    .find((wait) => wait?.kind === 'locks' && isOf(wait, by));
  const id = asked?.id ?? nextNumber(m);
  if (!asked && m.world.take(names, id)) {
    holdAgain(frame, id);
    return takeBackLent(m, thread);
  }
  top(thread).wait = { kind: 'locks', id, lentBy: by };
  return false;
}

interface Place {
  readonly thread: number;
  readonly depth: number;
}

function isOf({ lentBy }: { readonly lentBy?: Place }, { thread, depth }: Place): boolean {
  return lentBy?.thread === thread && lentBy.depth === depth;
}

/** The outermost; one that is at its end needs nothing any more. */
function lentAround(m: Machine, thread: Thread): { readonly frame: Frame; readonly by: Place } | undefined {
  const above = thread.of && m.run.threads.find(({ id }) => id === thread.of!.thread);
  const outer = above && lentAround(m, { ...above, frames: above.frames.slice(0, thread.of!.depth + 1) });
  if (outer) return outer;
  const last = thread.frames.length - 1;
  const depth = thread.frames.findIndex(
    (frame, at) => frame.lent && !(at === last && frame.at >= blockOf(m, frame).length),
  );
  return depth < 0 ? undefined : { frame: thread.frames[depth]!, by: { thread: thread.id, depth } };
}

function holdAgain(frame: Frame, id: number): void {
  frame.holds = id;
  delete frame.lent;
}

/** What a wait for locks is for. */
export function frameOfLocks(m: Machine, frame: Frame, { lentBy }: { readonly lentBy?: Place }): Frame {
  return lentBy ? threadOf(m, lentBy.thread)!.frames[lentBy.depth]! : frame;
}

/** It wants no more what it waited for, unless another branch waits for the same. */
export function waitsNoLonger(m: Machine, frame: Frame, wait: Extract<Wait, { kind: 'locks' }>): void {
  const others = m.run.threads.some((each) => top(each).wait?.id === wait.id);
  if (!others) m.world.give(holdingsOf(nodeOf(m, frameOfLocks(m, frame, wait))), wait.id);
}

/** All that wait under this number hold what they waited for. */
export function wakeHolders(m: Machine, id: number): void {
  for (const thread of m.run.threads) {
    const frame = top(thread);
    if (frame.wait?.kind !== 'locks' || frame.wait.id !== id) continue;
    holdAgain(frameOfLocks(m, frame, frame.wait), id);
    delete frame.wait;
  }
}

export function giveBack(m: Machine, frame: Frame, node: Node): void {
  const { holds } = frame;
  delete frame.lent;
  if (holds === undefined) return;
  delete frame.holds;
  m.world.give(holdingsOf(node), holds);
}

/** By what the failures of a step are counted, across runs. */
export function breakerOf({ program }: Machine, { path }: Node): string {
  return `${program.id}/${path}`;
}

/** @throws {StepFailure} SCENARIO_CIRCUIT_OPEN, while the step rests after too many failures */
export function requireClosed(m: Machine, node: Node): void {
  const { breaker, path } = node;
  if (!breaker || !m.world.isOpen(breakerOf(m, node), breaker.resetMs)) return;
  const message = `\`${path}\` failed ${breaker.threshold} times in a row and is not tried for ${breaker.resetMs} ms`;
  throw failed(CIRCUIT_OPEN, message);
}
