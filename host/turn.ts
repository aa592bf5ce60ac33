/**
 * THE SPINE: one delivery from start to commit.
 *
 *     deliver → decide → queue (order per key) → cell runs handle() → writer commits → reply
 *
 * A delivery is handed in with the plugin that serves it. It settles exactly once: with the outcome that
 * the writer committed, with a dry run that went nowhere, or with an error and nothing kept.
 */
import { type Decision, decide, type Question } from '../gates/decide.ts';
import { afterFailure } from './context/turn-retry.ts';
import { type ErrorCode, fromShape, NeiraError } from './errors.ts';
import type { LostCell, PoolListener } from './sandbox/pool.ts';
import type { Ack, TurnRecord } from './store/records.ts';
import type { TurnDelivery } from './turn-context.ts';
import { failureRecord } from './turns/turn-failure.ts';
import { committedTurn, dryTurn, type TurnObserver } from './turns/turn-observer.ts';
import { TurnQueue } from './turns/turn-queue.ts';
import {
  deliveryOf,
  type IncomingEvent,
  isFromMailbox,
  type Serving,
  type Task,
  type TurnResult,
} from './turns/turn-task.ts';
import { TurnWaits, type WaitParts } from './turns/turn-waits.ts';

export type { IncomingEvent, MailboxPlace, Serving, TurnResult } from './turns/turn-task.ts';

/** What turns need of sandbox and store; the composition root connects them. */
export interface TurnParts {
  readonly cells: number;
  send(cell: number, deliveries: readonly TurnDelivery[]): void;
  settled(cell: number, attempt: number): void;
  submit(record: TurnRecord): Promise<Ack>;
  /** Resolves when everything that a lost cell had sent is committed and acknowledged. */
  fence(storeCell: number): Promise<void>;
  /** Answers what turns wait for. */
  readonly waits: WaitParts;
  perform(sends: NonNullable<Extract<Ack, { ok: true }>['sends']>): void;
  /** Three turns of three deliveries killed their cells, with no success between. */
  quarantine(plugin: string, reason: string): void;
  readonly observe?: TurnObserver;
}

/** A plugin that ends cells this often within the window, without one success between, is quarantined. */
const QUARANTINE_KILLS = 3;
const QUARANTINE_WINDOW_MS = 5 * 60_000;
const MAX_CONFLICTS = 3;
/** A turn that publishes to a full mailbox is tried again for so long, at first soon and then more rarely. */
const MAX_PARKED_MS = 30_000;
const PARK_MS = 10;
const MAX_PARK_MS = 500;
/** How long a delivery from a mailbox rests when the host could not keep it. */
const HOST_TROUBLE_MS = 1000;

export class Turns implements PoolListener {
  readonly #parts: TurnParts;
  readonly #queue: TurnQueue;
  readonly #waits: TurnWaits;
  readonly #kills = new Map<string, number[]>();
  /** Quarantined generations, with the reason: the registry's own word comes only after a commit. */
  readonly #stopped = new Map<number, string>();

  constructor(parts: TurnParts) {
    this.#parts = parts;
    this.#queue = new TurnQueue(parts.cells, (cell, deliveries) => parts.send(cell, deliveries));
    this.#waits = new TurnWaits(parts.waits, this.#queue);
  }

  /** Turns that have not settled. */
  get pending(): number {
    return this.#queue.size;
  }

  /**
   * Runs one delivery to its end.
   * @throws NEIRA_BUSY, NEIRA_DEADLINE, NEIRA_STORE_CONFLICT, NEIRA_DISK_FULL, …: nothing was kept.
   */
  deliver(serving: Serving, event: IncomingEvent): Promise<TurnResult> {
    const stopped = this.#whyStopped(serving);
    const settled = stopped ? Promise.reject(stopped) : this.#queue.add(serving, event);
    return settled.catch((error: unknown) => {
      this.#parts.observe?.turnRefused(serving.id, event, error);
      throw error;
    });
  }

  /** Gives a delivery up that no version of its plugin could make anything of. */
  async refuse(serving: Serving, event: IncomingEvent, error: NeiraError): Promise<TurnResult> {
    const delivery = deliveryOf(serving, event);
    const ack = await this.#parts.submit(
      failureRecord(serving, delivery, error, { runMs: 0, after: 'dead' }),
    );
    if (ack.ok) return resultOf(ack);
    if (ack.conflict || ack.gone || ack.cut) return { kind: 'gone' };
    throw fromShape(ack.error);
  }

  /** Waits until every turn that was accepted has settled; what came from mailboxes goes back into them. */
  drain(): Promise<void> {
    this.#queue.rejectWaiting(isFromMailbox, () => new NeiraError('NEIRA_STOPPING'));
    return this.#queue.drained();
  }

  /** Ends the waiting for this plugin's turns when nothing of `generation` is left inside a cell. */
  idle(generation: number): Promise<void> {
    return this.#queue.idle(generation);
  }

  // --- from the writer

  acknowledge(ack: Ack): void {
    const task = ack.turnId === undefined ? undefined : this.#queue.byTurn(ack.turnId);
    if (!task) return;
    this.#parts.settled(task.cell, task.delivery.attempt);
    this.#waits.end(task.delivery.attempt);
    if (ack.ok) {
      if (ack.sends?.length) this.#parts.perform(ack.sends);
      if (ack.outcome?.status === 'ok') this.#kills.delete(task.serving.id);
      this.#parts.observe?.turnEnded(committedTurn(task, ack));
      this.#settled(task, ack);
    } else if (ack.conflict) this.#conflict(task);
    else if (ack.gone) this.#queue.resolve(task, { kind: 'gone' });
    else if (ack.cut) this.#rerun(task, false);
    else this.#refused(task, fromShape(ack.error));
  }

  #settled(task: Task, ack: Extract<Ack, { ok: true }>): void {
    const { settlement } = ack;
    if (settlement?.state === 'retry') this.#queue.retry(task, settlement.dueMs ?? Date.now());
    else this.#queue.resolve(task, resultOf(ack));
  }

  #conflict(task: Task): void {
    task.conflicts++;
    this.#parts.observe?.conflict(task.serving.id);
    if (task.conflicts <= MAX_CONFLICTS) this.#rerun(task, task.conflicts === MAX_CONFLICTS);
    else this.#refused(task, new NeiraError('NEIRA_STORE_CONFLICT', { attempts: task.conflicts }));
  }

  /** The writer kept nothing, and not because of what the plugin did: a delivery from a mailbox comes again. */
  #refused(task: Task, error: NeiraError): void {
    if (!isFromMailbox(task)) this.#queue.reject(task, error);
    else if (error.code === 'NEIRA_MAILBOX_FULL') this.#park(task, error);
    else if (error.code === 'NEIRA_DEADLINE') this.#queue.resolve(task, { kind: 'gone' });
    else {
      task.conflicts = 0;
      this.#queue.hold(task, Date.now() + HOST_TROUBLE_MS);
    }
  }

  /** A full mailbox slows down who publishes to it; a circle of full ones ends in their dead letters. */
  #park(task: Task, error: NeiraError): void {
    const now = Date.now();
    task.blockedSinceMs ??= now;
    const blockedMs = now - task.blockedSinceMs;
    if (blockedMs < MAX_PARKED_MS)
      this.#queue.park(task, now + Math.min(Math.max(PARK_MS, blockedMs), MAX_PARK_MS));
    else {
      delete task.blockedSinceMs;
      void this.#fail(task, error, 0).catch((reason: unknown) => this.#queue.giveUp(task, reason));
    }
  }

  // --- from the cells

  onDry(attempt: number, record: string): void {
    const task = this.#queue.byAttempt(attempt);
    this.#waits.end(attempt);
    if (!task) return;
    const dry = JSON.parse(record) as TurnRecord;
    this.#parts.observe?.turnEnded(dryTurn(task, dry));
    this.#queue.resolve(task, { kind: 'dry', record: dry });
  }

  onCut(attempts: readonly number[]): void {
    for (const attempt of attempts) {
      this.#waits.end(attempt);
      const task = this.#queue.byAttempt(attempt);
      if (task) this.#rerun(task, false);
    }
  }

  onWait(attempt: number, wait: number, op: string, args: string): void {
    this.#waits.begin(attempt, wait, op, args);
  }

  onSuspended(attempt: number, answered: number): void {
    this.#waits.suspended(attempt, answered);
  }

  onLost(lost: LostCell): void {
    this.#parts.observe?.cellLost(lost.reason);
    for (const attempt of lost.attempts) this.#waits.end(attempt);
    void this.#recover(lost).catch((error: unknown) => {
      for (const attempt of lost.attempts) {
        const task = this.#queue.byAttempt(attempt);
        if (task) this.#queue.giveUp(task, error);
      }
    });
  }

  /** The turn that was running is blamed; its neighbours, which did nothing, run again elsewhere. */
  async #recover({ storeCell, blamed, attempts, reason }: LostCell): Promise<void> {
    await this.#parts.fence(storeCell);
    const guilty = this.#queue.byAttempt(blamed);
    if (guilty) {
      this.#countKill(guilty.serving);
      const { id: plugin, policy } = guilty.serving;
      const { turnMs } = policy.limits;
      await this.#fail(guilty, new NeiraError('NEIRA_CELL_LOST', { plugin, turnMs, reason }), turnMs);
    }
    for (const attempt of attempts) {
      const task = this.#queue.byAttempt(attempt);
      if (task && task !== guilty) this.#rerun(task, false);
    }
  }

  #rerun(task: Task, alone: boolean): void {
    const stopped = this.#whyStopped(task.serving);
    if (stopped) this.#queue.giveUp(task, stopped);
    else this.#queue.rerun(task, alone);
  }

  /** Ends an attempt with a failure that no cell reports. */
  async #fail(task: Task, error: NeiraError, runMs: number): Promise<void> {
    const { serving, delivery } = task;
    const { mailbox } = delivery;
    if (delivery.dryRun) {
      this.#queue.reject(task, error);
      return;
    }
    const after = mailbox && afterFailure(serving.policy.retry, mailbox);
    const ack = await this.#parts.submit(failureRecord(serving, delivery, error, { runMs, after }));
    if (ack.ok) {
      this.#parts.observe?.turnEnded(committedTurn(task, ack));
      this.#settled(task, ack);
    } else if (!ack.conflict && ack.gone) this.#queue.resolve(task, { kind: 'gone' });
    else this.#refused(task, ack.conflict || ack.cut ? error : fromShape(ack.error));
  }

  #whyStopped({ id, generation }: Serving): NeiraError | undefined {
    const reason = this.#stopped.get(generation);
    return reason === undefined ? undefined : new NeiraError('NEIRA_QUARANTINED', { plugin: id, reason });
  }

  #countKill({ id: plugin, generation }: Serving): void {
    const since = Date.now() - QUARANTINE_WINDOW_MS;
    const kills = [...(this.#kills.get(plugin) ?? []).filter((at) => at > since), Date.now()];
    this.#kills.set(plugin, kills);
    if (kills.length < QUARANTINE_KILLS) return;
    this.#kills.delete(plugin);
    const reason = `${QUARANTINE_KILLS} of its turns had to be ended with their cell`;
    // What it has waiting, and what comes before the registry knows, would each end a cell more. When the
    // plugin is mended or enabled again it serves as another generation.
    this.#stopped.set(generation, reason);
    this.#queue.rejectWaiting(
      ({ lane }) => lane.plugin === plugin,
      () => new NeiraError('NEIRA_QUARANTINED', { plugin, reason }),
    );
    this.#parts.quarantine(plugin, reason);
  }
}

function resultOf({ replay, outcome, settlement }: Extract<Ack, { ok: true }>): TurnResult {
  return replay !== undefined
    ? { kind: 'replayed', reply: replay }
    : { kind: 'committed', outcome: outcome!, ...(settlement && { settlement }) };
}

/** The decision for one delivery, made here so that every way in asks the same question. */
export function decideDelivery(
  serving: Serving,
  gates: Extract<Question, { about: 'delivery' }>['gates'],
  event: Pick<IncomingEvent, 'caller' | 'mode' | 'dryRun'>,
  source: 'ui' | 'bus' = 'ui',
): Decision {
  return decide({
    about: 'delivery',
    source,
    gates,
    ...(serving.state && { plugin: serving.state }),
    writes: serving.writes,
    mode: event.mode,
    caller: event.caller,
    dryRun: event.dryRun,
  });
}

export function refusalOf(decision: Decision, details: Record<string, unknown> = {}): NeiraError {
  const { code, reason, remedy } = decision;
  return new NeiraError((code ?? 'NEIRA_INTERNAL') as ErrorCode, {
    reason,
    remedy,
    ...decision.details,
    ...details,
  });
}
