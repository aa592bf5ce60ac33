/** What turns tell of themselves, for metrics and traces. An observer must be quick and must not throw. */
import type { Settlement } from '../store/bus-records.ts';
import type { Ack, TurnRan, TurnRecord } from '../store/records.ts';
import type { IncomingEvent, Task } from './turn-task.ts';

export interface TurnObserver {
  /** A turn settled with an outcome; told once for each delivery that ran. */
  turnEnded(turn: EndedTurn): void;
  /** A delivery was given up without an outcome, with the error that its sender gets. */
  turnRefused(plugin: string, event: IncomingEvent, error: unknown): void;
  /** What the turn read was no longer true at its commit. */
  conflict(plugin: string): void;
  cellLost(reason: string): void;
}

export interface EndedTurn {
  readonly plugin: string;
  /** Digest of the version that ran. */
  readonly version: string;
  readonly event: IncomingEvent;
  readonly turnId: string;
  readonly end: 'ok' | 'failed' | 'dry-run' | 'replayed';
  /** Code of the failure. */
  readonly error?: string;
  readonly attempt: number;
  readonly conflicts: number;
  /** Before it entered a cell, and from there until it settled. */
  readonly waitMs: number;
  readonly tookMs: number;
  /** Inside the cell; absent for a reply that was stored. */
  readonly ran?: TurnRan;
  /** What became of a delivery from a mailbox. */
  readonly settlement?: Settlement;
}

/** Of a turn that the writer answered. To be called while the task still knows its attempt. */
export function committedTurn(task: Task, ack: Extract<Ack, { ok: true }>): EndedTurn {
  const { outcome, ran, settlement, replay } = ack;
  return {
    ...commonOf(task),
    end: replay !== undefined ? 'replayed' : outcome!.status,
    ...(outcome?.status === 'failed' && { error: outcome.error.code }),
    ...(ran && { ran }),
    ...(settlement && { settlement }),
  };
}

/** Of a dry run. */
export function dryTurn(task: Task, { outcome, startedAtMs, runMs, fuel }: TurnRecord): EndedTurn {
  return {
    ...commonOf(task),
    end: 'dry-run',
    ...(outcome.status === 'failed' && { error: outcome.error.code }),
    ran: [startedAtMs, runMs, fuel],
  };
}

function commonOf({ serving, event, delivery, conflicts, arrivedAtMs, sentAtMs }: Task) {
  const tookMs = Math.max(0, performance.now() - sentAtMs);
  return {
    plugin: serving.id,
    version: serving.policy.version,
    event,
    turnId: delivery.turnId,
    attempt: delivery.attempt,
    conflicts,
    waitMs: Math.max(0, Date.now() - arrivedAtMs - tookMs),
    tookMs,
  };
}
