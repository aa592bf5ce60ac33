/** A real cell with sessions that do nothing: what a turn of a component costs on its way through a thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { Cell } from '../../host/sandbox/cell.ts';
import { componentEngine } from '../../host/sandbox/component/component-engine.ts';
import type { CellData, ToCell } from '../../host/sandbox/messages.ts';
import type { TurnSession } from '../../host/sandbox/sessions.ts';

const data = workerData as CellData;
const parent = parentPort!;

const idle: TurnSession = {
  call: () => 'U',
  randomBytes: (count) => new Uint8Array(count),
  nowMs: () => 0,
  suspend() {},
  answered: (_wait, answer) => answer,
  cut: false,
  finish: (settled) => ({ record: JSON.stringify(settled.status), transcript: '' }),
};

const never = (): never => {
  throw new Error('no turn of this bench needs it');
};

const cell = new Cell({
  parent: parent as never,
  records: data.records,
  engine: componentEngine,
  slot: new Int32Array(data.slot),
  openTurn: () => idle,
  openBatch: never,
  openReplay: never,
  openBoot: () => ({ ...idle, finish: () => undefined }),
});
parent.on('message', (message: ToCell) => cell.receive(message));
parent.postMessage({ type: 'ready' });
