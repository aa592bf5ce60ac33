/**
 * Composition root of a cell thread: joins the sandbox, the host functions and a reader of the store.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { type Envelope, parseEnvelope } from './bus/envelope.ts';
import { describe, NeiraError, toShape } from './errors.ts';
import { callHostFunction } from './functions/table.ts';
import type { Ask } from './open-waits.ts';
import { type BatchSession, type BootSession, Cell, type TurnSession } from './sandbox/cell.ts';
import type { BootSpec, CellData, Delivery, FromCell, Program, ToCell } from './sandbox/messages.ts';
import { engineModule } from './sandbox/quickjs/engine.ts';
import type { Settled } from './sandbox/settled.ts';
import type { DeliveryRef } from './store/bus-records.ts';
import { createKvReader } from './store/reader.ts';
import type { TurnRecord } from './store/records.ts';
import {
  type CellRoot,
  type MailboxDelivery,
  type PluginPolicy,
  TurnContext,
  type TurnDelivery,
  type TurnOrigin,
} from './turn-context.ts';
import { TurnRandom } from './turn-random.ts';
import { replyEffect } from './turn-reply.ts';
import { afterFailure } from './turn-retry.ts';
import { TurnState } from './turn-state.ts';

/** Top-level code and `prepare()` see this moment: an image does not depend on when it was built. */
const BOOT_TIME_MS = Date.UTC(2000, 0, 1);
const BOOT_CALLS = new Set(['storage.get', 'storage.list', 'storage.settings', 'io.log']);

const data = workerData as CellData;
const { databasePath, secret } = data.root as CellRoot;
engineModule(data.engine);
const reader = createKvReader(databasePath);

/** What all turns of a batch stage is held until its end, so the batch ends where it becomes much. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
const NO_READS = { keys: [], ranges: [] };

function openBatch(): BatchSession {
  const state = new TurnState();
  let turns = 0;
  return {
    openTurn: (program, delivery) => openTurn(program, delivery, { state, isFirst: turns++ === 0 }),
    get hasRoom() {
      return state.stagedBytes < MAX_BATCH_BYTES;
    },
    // What they read is judged once, before any of them is applied.
    finish: (records) =>
      `{"kind":"batch","reads":${JSON.stringify(state.reads)},"turns":[${records.join()}]}`,
  };
}

interface PlaceInBatch {
  readonly state: TurnState;
  /** Only the first may stand still: what others saw of it is not committed yet. */
  readonly isFirst: boolean;
}

function openTurn(program: Program, delivery: Delivery, batch?: PlaceInBatch): TurnSession {
  const policy = program.policy as PluginPolicy;
  const { turnId, deliveryId, eventId, envelope, caller, mode, mailbox, ...rest } = delivery as TurnDelivery;
  const startedAtMs = Date.now();
  const random = new TurnRandom(secret, deliveryId);
  // Read only when the turn publishes: most that matters of an event is known without it.
  let cause: Envelope | undefined;
  const parsed = () => {
    cause ??= parseEnvelope(envelope);
    return cause;
  };
  const origin: TurnOrigin = {
    turnId,
    eventId,
    get correlationId() {
      return parsed().correlation_id;
    },
    get tenant() {
      return parsed().tenant;
    },
    get traceparent() {
      return parsed().headers['traceparent'];
    },
    caller,
    mode,
    dryRun: rest.dryRun,
    startedAtMs,
    attempts: mailbox?.attempts ?? 0,
    subscriptions: mailbox?.subscriptions ?? '[]',
  };
  let cut = false;
  let asked = false;
  const ask: Ask = (wait, op, args) => {
    if (batch && !batch.isFirst) {
      cut = true;
      throw new NeiraError('NEIRA_INTERNAL', {
        reason: 'the turn is to begin anew as the first of its batch',
      });
    }
    asked = true;
    tell({ type: 'wait', attempt: rest.attempt, wait, op, args });
  };
  const turn = new TurnContext(policy, origin, reader, random, ask, batch?.state);
  return {
    call: (op, args) => callHostFunction(turn, op, args),
    randomBytes: (count) => random.bytes(count),
    nowMs: () => turn.nowMs,
    suspend: () => turn.suspend(),
    answered: (wait, atMs) => turn.answered(wait, atMs),
    get cut() {
      return cut;
    },
    finish(ended, fuel, runMs, batched) {
      const settled = mailbox ? withReply(turn, rest.subject, () => parsed().version, ended) : ended;
      turn.end();
      const record: TurnRecord = {
        kind: 'turn',
        turnId,
        plugin: policy.plugin,
        version: policy.version,
        gate: policy.gate.id,
        eventId,
        ...(!mailbox && { envelope }),
        subject: rest.subject,
        caller,
        ...(mailbox && { delivery: refOf(policy, mailbox) }),
        ...(asked && { asked: deliveryId }),
        startedAtMs,
        ...(rest.deadlineAtMs !== undefined && { deadlineAtMs: rest.deadlineAtMs }),
        reads: batched ? NO_READS : turn.reads,
        effects: settled.status === 'ok' ? turn.effects : [],
        outcome: settled,
        fuel,
        runMs,
        storageMb: policy.limits.storageMb,
        ...(rest.idempotency && { idempotency: rest.idempotency }),
        logs: turn.logs,
      };
      return JSON.stringify(record);
    },
  };
}

/** A command is answered by an event as well, which commits with its effects. */
function withReply(turn: TurnContext, subject: string, version: () => number, settled: Settled): Settled {
  const reply = `${subject}.result@`;
  const answers = Object.keys(turn.policy.events).some((fqdn) => fqdn.startsWith(reply));
  if (!answers || settled.status === 'failed') return settled;
  try {
    const effect = replyEffect(turn, { subject, version: version() }, settled.result);
    if (effect) turn.publish(effect);
    return settled;
  } catch (error) {
    const { code, details } = toShape(error);
    return { status: 'failed', error: { code, details, message: describe(code, details) } };
  }
}

function refOf(policy: PluginPolicy, mailbox: MailboxDelivery): DeliveryRef {
  const { id, attempts } = mailbox;
  return { id, attempts, afterFailure: afterFailure(policy.retry, mailbox) };
}

function openBoot(spec: BootSpec): BootSession {
  const policy = spec.policy as PluginPolicy;
  const random = new TurnRandom(secret, `boot:${policy.version}`);
  const origin = {
    turnId: `boot:${policy.version}`,
    eventId: '',
    correlationId: '',
    tenant: '',
    caller: 'host',
    mode: 'normal',
    dryRun: false,
    startedAtMs: BOOT_TIME_MS,
    attempts: 0,
    subscriptions: '[]',
  } as const;
  const turn = new TurnContext(policy, origin, reader, random);
  return {
    call(op, args) {
      if (BOOT_CALLS.has(op)) return callHostFunction(turn, op, args);
      const reason = 'top-level code and prepare() may read storage and settings, nothing else';
      const refusal = turn.refusal('NEIRA_PERMISSION_DENIED', {
        permission: op,
        reason,
        remedy: 'Call it from handle().',
      });
      return `E${JSON.stringify({ code: refusal.code, message: refusal.message, details: refusal.details })}`;
    },
    randomBytes: (count) => random.bytes(count),
    nowMs: () => BOOT_TIME_MS,
    finish() {
      turn.end();
      return { dependencies: turn.reads, logs: turn.logs };
    },
  };
}

const parent = parentPort!;
const tell = (message: FromCell) => parent.postMessage(message);
const cell = new Cell({
  parent: parent as never,
  records: data.records,
  guestCode: data.guestCode,
  slot: new Int32Array(data.slot),
  openTurn,
  openBatch,
  openBoot,
});
parent.on('message', (message: ToCell) => cell.receive(message));
tell({ type: 'ready' });
