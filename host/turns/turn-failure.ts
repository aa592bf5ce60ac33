import { askerOf } from '../context/open-waits.ts';
import type { NeiraError } from '../errors.ts';
import type { AfterFailure } from '../store/bus-records.ts';
import type { TurnRecord } from '../store/records.ts';
import type { TurnDelivery } from '../turn-context.ts';
import type { Serving } from './turn-task.ts';

/** The record of an attempt that no cell reports: its cell was lost, or it never entered one. */
export function failureRecord(
  serving: Serving,
  delivery: TurnDelivery,
  error: NeiraError,
  { runMs, after }: { readonly runMs: number; readonly after: AfterFailure | undefined },
): TurnRecord {
  const { mailbox } = delivery;
  const { code, details, message } = error;
  const atMs = Date.now();
  return {
    kind: 'turn',
    turnId: delivery.turnId,
    plugin: serving.id,
    version: serving.policy.version,
    gate: serving.policy.gate.id,
    eventId: delivery.eventId,
    ...(!mailbox && { envelope: delivery.envelope }),
    subject: delivery.subject,
    caller: delivery.caller,
    ...(mailbox && {
      delivery: {
        id: mailbox.id,
        attempts: mailbox.attempts,
        afterFailure: after ?? 'dead',
        ...(code === 'NEIRA_CELL_LOST' && { killed: true }),
      },
    }),
    asked: askerOf(delivery),
    startedAtMs: atMs,
    reads: { keys: [], ranges: [] },
    effects: [],
    outcome: { status: 'failed', error: { code, details, message } },
    fuel: 0,
    runMs,
    storageMb: serving.policy.limits.storageMb,
    ...(delivery.idempotency && { idempotency: delivery.idempotency }),
    logs: [{ level: 'error', message, atMs }],
  };
}
