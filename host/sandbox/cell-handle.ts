/** A cell seen from main: its thread, and the word in shared memory that says what it is doing. */
import { type MessagePort, Worker } from 'node:worker_threads';
import {
  type CellData,
  type FromCell,
  type ScriptParts,
  SLOT_ATTEMPT,
  SLOT_STARTED_MS,
  SLOT_WORDS,
  slotNow,
  type ToCell,
} from './messages.ts';
import { CELL_STACK_MB } from './quickjs/layout.ts';

export interface CellOptions {
  /** Entry file of a cell thread. */
  readonly entry: URL;
  /** Opens a port to the writer for a new cell. */
  connect(): { readonly cell: number; readonly port: MessagePort };
  readonly root: unknown;
}

export interface CellEvents {
  receive(cell: CellHandle, message: FromCell): void;
  lost(cell: CellHandle, reason: string): void;
}

/** How long past its own limit a turn may stay in a cell before the thread is ended. */
const WATCHDOG_GRACE_MS = 500;
/** Boots have 5 s inside the cell (cell.ts); a cell that needs longer is stuck. */
const ERRAND_LIMIT_MS = 6000;
const MAX_HEAP_MB = 512;
/** Of what dies young: JSON of a turn or two. */
const SMALL_YOUNG_MB = 1;

export class CellHandle {
  readonly worker: Worker;
  readonly storeCell: number;
  readonly loaded = new Set<number>();
  /** Attempts inside, with the wall limit of each. */
  readonly inside = new Map<number, number>();
  readonly #slot: Int32Array;
  #ended = false;
  /** What the watchdog ended it for: until the thread is gone it may have gone on to somebody else's turn. */
  #endedFor = 0;

  /** @param scripts none for a cell that a component has to itself: there are many, and each is small. */
  constructor({ entry, connect, root }: CellOptions, events: CellEvents, scripts?: ScriptParts) {
    const young = !scripts && { maxYoungGenerationSizeMb: SMALL_YOUNG_MB };
    const slot = new SharedArrayBuffer(SLOT_WORDS * Int32Array.BYTES_PER_ELEMENT);
    const { cell, port } = connect();
    const data: CellData = { ...(scripts && { scripts }), slot, records: port, root };
    this.#slot = new Int32Array(slot);
    this.storeCell = cell;
    this.worker = new Worker(entry, {
      name: `neira-cell-${cell}`,
      workerData: data,
      transferList: [port],
      resourceLimits: { stackSizeMb: CELL_STACK_MB, maxOldGenerationSizeMb: MAX_HEAP_MB, ...young },
      // A guest has no way to the environment, and neither has the thread it runs in.
      env: threadEnvironment(),
    });
    this.worker.unref();
    let reason = 'the thread ended';
    this.worker.on('message', (message: FromCell) => events.receive(this, message));
    this.worker.on('error', (error) => {
      reason = error instanceof Error ? error.message : String(error);
    });
    this.worker.on('exit', () => events.lost(this, reason));
  }

  /** Whether the watchdog ended it: then its thread has nothing to say of why. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Attempt that it was running, negative for an errand, 0 when it was idle. */
  get blamed(): number {
    return this.#ended ? this.#endedFor : Atomics.load(this.#slot, SLOT_ATTEMPT);
  }

  tell(message: ToCell): void {
    this.worker.postMessage(message);
  }

  /** Ends the thread when what it does takes longer than it may. */
  watch(): void {
    const attempt = Atomics.load(this.#slot, SLOT_ATTEMPT);
    if (attempt === 0 || this.#ended) return;
    const limitMs = attempt < 0 ? ERRAND_LIMIT_MS : (this.inside.get(attempt) ?? 0) + WATCHDOG_GRACE_MS;
    const ranMs = (slotNow() - Atomics.load(this.#slot, SLOT_STARTED_MS)) & 0x7fff_ffff;
    if (ranMs < limitMs || Atomics.load(this.#slot, SLOT_ATTEMPT) !== attempt) return;
    this.#ended = true;
    this.#endedFor = attempt;
    void this.worker.terminate();
  }
}

/** Nothing but where compiled code of the host is kept. */
function threadEnvironment(): Record<string, string> {
  const cache = process.env['NODE_COMPILE_CACHE'];
  return cache === undefined ? {} : { NODE_COMPILE_CACHE: cache };
}
