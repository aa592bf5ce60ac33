/**
 * What running turns wait for: each call is performed once per attempt, its answer goes back into the cell,
 * and the time that a turn stands still is counted against `limits.wait_ms` and its deadline.
 *
 * A turn that is over, runs again or was lost with its cell waits for nothing more: its open calls are
 * aborted, and answers that come all the same are dropped.
 */

import { DROP_WAIT, type WaitArguments } from '../context/open-waits.ts';
import { type ErrorShape, NeiraError, toShape } from '../errors.ts';
import type { TurnDelivery } from '../turn-context.ts';
import type { TurnQueue } from './turn-queue.ts';
import type { IncomingEvent, Serving, Task } from './turn-task.ts';

/** One call of a turn whose answer it waits for. */
export interface WaitCall {
  readonly attempt: number;
  /** Counted from 1 within the turn: turn id and this name the call also when the turn runs again. */
  readonly wait: number;
  readonly turn: TurnDelivery;
  readonly serving: Serving;
  readonly event: IncomingEvent;
  /** `bus.request`, `io.request` */
  readonly op: string;
  /** JSON of what the host function handed to `turn.wait()`. */
  readonly args: string;
  /** Aborted when nobody waits any more. */
  readonly signal: AbortSignal;
  /** Aborted when the delivery is settled or goes back to its mailbox: no further attempt of it will ask here. */
  readonly over: AbortSignal;
}

export interface WaitParts {
  /** Performs a call and answers `V<json>`, `U` or `E<refusal>`; what it throws is a refusal as well. */
  request(call: WaitCall): Promise<string>;
  answer(cell: number, attempt: number, wait: number, answer: string, atMs: number): void;
  abort(cell: number, attempt: number, error: ErrorShape): void;
}

interface Waiting {
  readonly task: Task;
  readonly aborter: AbortController;
  /** Open calls: what errors call them, and the moment before which the turn is not woken. */
  readonly open: Map<number, { readonly what: string; readonly dueMs: number }>;
  /** How far the clock of a dry run is ahead: it jumps where a real one sleeps. */
  aheadMs: number;
  /** Answers that were sent into the cell. */
  answers: number;
  /** Time that it stood still before {@link sinceMs}. */
  waitedMs: number;
  /** Moment of `performance.now()` at which it began to stand still; undefined while it runs. */
  sinceMs: number | undefined;
  timer: NodeJS.Timeout | undefined;
}

export class TurnWaits {
  readonly #parts: WaitParts;
  readonly #queue: TurnQueue;
  /** By attempt. */
  readonly #waiting = new Map<number, Waiting>();

  constructor(parts: WaitParts, queue: TurnQueue) {
    this.#parts = parts;
    this.#queue = queue;
  }

  /** A turn began to wait for something; one that is over by now waits for nothing. */
  begin(attempt: number, wait: number, op: string, args: string): void {
    const task = this.#queue.byAttempt(attempt);
    if (!task) return;
    const waiting = this.#of(task);
    if (op === DROP_WAIT) {
      waiting.open.delete(wait);
      return;
    }
    const { what, dueMs = 0 } = JSON.parse(args) as WaitArguments;
    waiting.open.set(wait, { what: `${op} ${what}`, dueMs });
    const { serving, delivery: turn, event } = task;
    const { signal } = waiting.aborter;
    task.over ??= new AbortController();
    const over = task.over.signal;
    void this.#perform({ attempt, wait, turn, serving, event, op, args, signal, over }).then(
      (answer) => this.#answer(waiting, wait, answer),
      (error: unknown) => this.#stop(waiting, error),
    );
  }

  /** The turn stands still, after it was given so many answers. */
  suspended(attempt: number, answered: number): void {
    const waiting = this.#waiting.get(attempt);
    // An answer that is on its way in will set it going again.
    if (!waiting || waiting.answers !== answered || waiting.aborter.signal.aborted) return;
    waiting.sinceMs = performance.now();
    this.#queue.suspend(waiting.task);
    this.#limit(waiting);
  }

  /** The attempt is over, one way or another. */
  end(attempt: number): void {
    const waiting = this.#waiting.get(attempt);
    if (!waiting) return;
    this.#waiting.delete(attempt);
    clearTimeout(waiting.timer);
    waiting.aborter.abort();
  }

  #of(task: Task): Waiting {
    const { attempt } = task.delivery;
    let waiting = this.#waiting.get(attempt);
    if (!waiting) {
      waiting = {
        task,
        aborter: new AbortController(),
        open: new Map(),
        // A dry run may play at a later moment.
        aheadMs: Math.max((task.delivery.startsAtMs ?? 0) - Date.now(), 0),
        answers: 0,
        waitedMs: 0,
        sinceMs: undefined,
        timer: undefined,
      };
      this.#waiting.set(attempt, waiting);
    }
    return waiting;
  }

  async #perform(call: WaitCall): Promise<string> {
    try {
      const { turn, event, serving, op, args } = call;
      const told = turn.dryRun ? event.dry?.answer(serving.id, op, args) : undefined;
      return told ?? (await this.#parts.request(call));
    } catch (error) {
      if (toShape(error).code === 'NEIRA_DRY_RUN_REQUEST') throw error;
      return refusalText(error);
    }
  }

  /** Ends the turn; a dry run where it would need what only the outside could tell. The plugin cannot go on from it. */
  #stop({ task, aborter }: Waiting, error: unknown): void {
    if (aborter.signal.aborted) return;
    aborter.abort();
    this.#parts.abort(task.cell, task.delivery.attempt, toShape(error));
  }

  #answer(waiting: Waiting, wait: number, answer: string): void {
    const { task, aborter } = waiting;
    const open = waiting.open.get(wait);
    if (aborter.signal.aborted || !open) return;
    clearTimeout(waiting.timer);
    if (waiting.sinceMs !== undefined) {
      waiting.waitedMs += performance.now() - waiting.sinceMs;
      waiting.sinceMs = undefined;
      this.#queue.resume(task);
    }
    const nowMs = Date.now();
    const atMs = Math.max(nowMs, open.dueMs);
    const jumpedMs = Math.max(atMs - nowMs - waiting.aheadMs, 0);
    waiting.aheadMs += jumpedMs;
    waiting.waitedMs += jumpedMs;
    // What the turn could not have waited for it does not jump over either.
    if (jumpedMs > 0 && waiting.waitedMs > task.serving.policy.limits.waitMs) {
      this.#stop(waiting, waitedTooLong(waiting));
      return;
    }
    waiting.open.delete(wait);
    waiting.answers++;
    this.#parts.answer(task.cell, task.delivery.attempt, wait, answer, atMs);
  }

  /** Ends the turn when its waiting time, or the time that its event has, is over before an answer comes. */
  #limit(waiting: Waiting): void {
    const { task } = waiting;
    const waitMs = task.serving.policy.limits.waitMs - waiting.waitedMs;
    // The writer takes what comes at the deadline itself.
    const deadlineMs = (task.event.deadlineAtMs ?? Number.POSITIVE_INFINITY) + 1 - Date.now();
    const firstMs = Math.max(Math.min(waitMs, deadlineMs), 0);
    waiting.timer = setTimeout(
      () => this.#stop(waiting, deadlineMs <= waitMs ? pastDeadline(task) : waitedTooLong(waiting)),
      firstMs,
    );
  }
}

function pastDeadline({ event, arrivedAtMs }: Task): NeiraError {
  return new NeiraError('NEIRA_DEADLINE', { deadlineMs: (event.deadlineAtMs ?? arrivedAtMs) - arrivedAtMs });
}

function waitedTooLong({ task, open }: Waiting): NeiraError {
  const { id, policy } = task.serving;
  const what = [...open.values()].map((each) => each.what).join(', ');
  return new NeiraError('NEIRA_WAIT_TIMEOUT', { plugin: id, waitMs: policy.limits.waitMs, what });
}

/** Any thrown thing as the answer of a wait: the guest throws it at the author's line. */
export function refusalText(error: unknown): string {
  const { code, details } = toShape(error);
  const { message } = new NeiraError(code, details);
  return `E${JSON.stringify({ code, message, details })}`;
}
