/**
 * Composition root of a cell thread: joins the sandbox, the host functions and a reader of the store.
 */
import { flushCompileCache } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import type { Seen } from './context/transcript.ts';
import { TurnRandom } from './context/turn-random.ts';
import { TurnRecording } from './context/turn-recording.ts';
import { TurnReplay } from './context/turn-replay.ts';
import { TurnState } from './context/turn-state.ts';
import { callHostFunction } from './functions/table.ts';
import { Cell } from './sandbox/cell.ts';
import { componentEngine } from './sandbox/component/component-engine.ts';
import type { Engine } from './sandbox/engine.ts';
import type { BootSpec, CellData, FromCell, ScriptParts, ToCell } from './sandbox/messages.ts';
import type { BatchSession, BootSession } from './sandbox/sessions.ts';
import { prepareSchemas } from './schema.ts';
import { createKvReader } from './store/reader.ts';
import { type CellRoot, type PluginPolicy, TurnContext, type TurnDelivery } from './turn-context.ts';
import { type CellSide, openReplay, openTurn } from './turn-session.ts';

/** Top-level code and `prepare()` see this moment: an image does not depend on when it was built. */
const BOOT_TIME_MS = Date.UTC(2000, 0, 1);
const BOOT_CALLS = new Set(['storage.get', 'storage.list', 'storage.settings', 'io.log', 'intl.call']);

const data = workerData as CellData;
const { databasePath, secret } = data.root as CellRoot;
const reader = createKvReader(databasePath);
const parent = parentPort!;
const tell = (message: FromCell) => parent.postMessage(message);
const side: CellSide = {
  secret,
  reader,
  tellWait: (attempt, wait, op, args) => tell({ type: 'wait', attempt, wait, op, args }),
};

/** What all turns of a batch stage is held until its end, so the batch ends where it becomes much. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;

/** What only a shared cell needs is loaded only there: a cell that a component has to itself is small. */
async function sharedEngine(scripts: ScriptParts): Promise<Engine> {
  prepareSchemas();
  const { everyEngine } = await import('./sandbox/engines.ts');
  return everyEngine(scripts);
}

function openBatch(): BatchSession {
  const state = new TurnState();
  let behind: string | undefined;
  return {
    openTurn(program, delivery) {
      const turn = openTurn(side, program, delivery as TurnDelivery, { state, behind });
      behind = (delivery as TurnDelivery).turnId;
      return turn;
    },
    get hasRoom() {
      return state.stagedBytes < MAX_BATCH_BYTES;
    },
    // What they read is judged once, before any of them is applied.
    finish: (records) =>
      `{"kind":"batch","reads":${JSON.stringify(state.reads)},"turns":[${records.join()}]}`,
  };
}

function openBoot(spec: BootSpec): BootSession {
  const policy = spec.policy as PluginPolicy;
  const random = new TurnRandom(secret, `boot:${policy.version}`);
  // An image that is built again from what was recorded.
  const told = spec.seen === undefined ? undefined : new TurnReplay(JSON.parse(spec.seen) as Seen);
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
  const recording = new TurnRecording(told ?? reader);
  const observe = (what: string, compute: () => string) => {
    const answer = told ? told.observed(what) : compute();
    recording.observed(what, answer);
    return answer;
  };
  const turn = new TurnContext(policy, origin, recording, random, undefined, new TurnState(), observe);
  return {
    call(op, args, charge) {
      const allowed = BOOT_CALLS.has(op);
      const answer = allowed && callHostFunction(turn, op, args, charge);
      // An image is there before the turns, and what it holds would bind none of them.
      if (answer && !turn.confidential.hasPersonal) return answer;
      const reason = allowed
        ? 'what it reads is marked as personal'
        : 'top-level code and prepare() may read storage and settings, nothing else';
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
      return { dependencies: turn.reads, logs: turn.logs, seen: recording.seen };
    },
  };
}

const cell = new Cell({
  parent: parent as never,
  records: data.records,
  engine: data.scripts ? await sharedEngine(data.scripts) : componentEngine,
  slot: new Int32Array(data.slot),
  openTurn: (program, delivery) => openTurn(side, program, delivery as TurnDelivery),
  openBatch,
  openReplay: (program, recording) => openReplay(secret, program, recording),
  openBoot,
});
parent.on('message', (message: ToCell) => cell.receive(message));
tell({ type: 'ready' });
// Else it is kept when the thread ends, and until then each cell that starts strips and compiles the same files: 7 MB.
flushCompileCache();
