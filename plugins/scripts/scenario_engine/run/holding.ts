/** What a step holds while it is done: named locks (SCN-14), and a place in a pool (SCN-12). */
import type { Node } from '../program.ts';
import { type Machine, nextNumber, row } from './machine.ts';
import type { Frame, Thread } from './state.ts';
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
    frame.holds = id;
    return true;
  }
  frame.wait = { kind: 'locks', id };
  row(m, thread, 'started', { waits: names.join(', ') });
  return false;
}

export function giveBack(m: Machine, frame: Frame, node: Node): void {
  const { holds } = frame;
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
