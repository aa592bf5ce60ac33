/**
 * Composition root of a cell thread: joins the sandbox, the host functions and a reader of the store.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { callHostFunction } from './functions/table.ts';
import type { Ask } from './open-waits.ts';
import { type BootSession, Cell, type TurnSession } from './sandbox/cell.ts';
import type { BootSpec, CellData, Delivery, FromCell, Program, ToCell } from './sandbox/messages.ts';
import { engineModule } from './sandbox/quickjs/engine.ts';
import { createKvReader } from './store/reader.ts';
import type { TurnRecord } from './store/records.ts';
import { type CellRoot, type PluginPolicy, TurnContext, type TurnDelivery } from './turn-context.ts';
import { TurnRandom } from './turn-random.ts';

/** Top-level code and `prepare()` see this moment: an image does not depend on when it was built. */
const BOOT_TIME_MS = Date.UTC(2000, 0, 1);
const BOOT_CALLS = new Set(['storage.get', 'storage.list', 'storage.settings', 'io.log']);

const data = workerData as CellData;
const { databasePath, secret } = data.root as CellRoot;
engineModule(data.engine);
const reader = createKvReader(databasePath);

function openTurn(program: Program, delivery: Delivery): TurnSession {
  const policy = program.policy as PluginPolicy;
  const { turnId, eventId, correlationId, tenant, caller, mode, ...rest } = delivery as TurnDelivery;
  const startedAtMs = Date.now();
  const random = new TurnRandom(secret, turnId);
  const origin = { turnId, eventId, correlationId, tenant, caller, mode, dryRun: rest.dryRun, startedAtMs };
  const ask: Ask = (wait, op, args) => tell({ type: 'wait', attempt: rest.attempt, wait, op, args });
  const turn = new TurnContext(policy, origin, reader, random, ask);
  return {
    call: (op, args) => callHostFunction(turn, op, args),
    randomBytes: (count) => random.bytes(count),
    nowMs: () => turn.nowMs,
    suspend: () => turn.suspend(),
    answered: (wait, atMs) => turn.answered(wait, atMs),
    finish(settled, fuel, runMs) {
      turn.end();
      const record: TurnRecord = {
        kind: 'turn',
        turnId,
        plugin: policy.plugin,
        version: policy.version,
        gate: policy.gate.id,
        eventId,
        envelope: rest.envelope,
        subject: rest.subject,
        startedAtMs,
        deadlineAtMs: rest.deadlineAtMs,
        reads: turn.reads,
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
  openBoot,
});
parent.on('message', (message: ToCell) => cell.receive(message));
tell({ type: 'ready' });
