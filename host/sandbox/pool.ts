/**
 * The cells seen from main: starting them, feeding them, and ending the one that is stuck.
 *
 * There is one cell more than serve: the warm spare. Plugins boot in it, so that no serving cell ever
 * runs top-level code, and it takes the place of a cell that had to be ended.
 */
import { type MessagePort, Worker } from 'node:worker_threads';
import { type ErrorShape, fromShape, NeiraError } from '../errors.ts';
import {
  type BootReply,
  type BootSpec,
  type CellData,
  type Delivery,
  type FromCell,
  type Program,
  SLOT_ATTEMPT,
  SLOT_STARTED_MS,
  SLOT_WORDS,
  slotNow,
  type ToCell,
} from './messages.ts';
import { engineModule } from './quickjs/engine.ts';
import { engineDigest } from './quickjs/engine-digest.ts';
import { guestCode } from './quickjs/guest-code.ts';
import { CELL_STACK_MB } from './quickjs/layout.ts';

export interface PoolOptions {
  /** Serving cells, at least 1. */
  readonly size: number;
  /** Entry file of a cell thread. */
  readonly entry: URL;
  /** Opens a port to the writer for a new cell. */
  connect(): { readonly cell: number; readonly port: MessagePort };
  readonly root: unknown;
}

/** Why a cell was lost that the watchdog ended: its thread has nothing to say of it. */
export const STUCK_REASON = 'its thread was stuck';

export interface LostCell {
  /** Number of the cell at the store, for the fence. */
  readonly storeCell: number;
  /** Attempt that it was running, 0 when it was idle. */
  readonly blamed: number;
  /** Every attempt that it had been given and that main does not know to be settled. */
  readonly attempts: readonly number[];
  readonly reason: string;
}

export interface PoolListener {
  onDry(attempt: number, record: string): void;
  /** These were given back: they did not run. */
  onCut(attempts: readonly number[]): void;
  onLost(lost: LostCell): void;
  /** A turn waits for something that main has to perform; `args` is JSON. */
  onWait(attempt: number, wait: number, op: string, args: string): void;
  /** The turn stands still, after it was given so many answers. */
  onSuspended(attempt: number, answered: number): void;
}

/** How long past its own limit a turn may stay in a cell before the thread is ended. */
const WATCHDOG_GRACE_MS = 500;
const WATCHDOG_PERIOD_MS = 25;
/** Boots have 5 s inside the cell (cell.ts); a cell that needs longer is stuck. */
const BOOT_LIMIT_MS = 6000;
const MAX_HEAP_MB = 512;

/** What the spare is doing for main: a boot, or recorded turns. */
interface Errand {
  readonly id: number;
  resolve(reply: BootReply | readonly string[]): void;
  reject(error: unknown): void;
  /** What it means that the spare was lost over it. */
  lost(reason: string): NeiraError;
}

class CellHandle {
  readonly worker: Worker;
  readonly slot: Int32Array;
  readonly storeCell: number;
  readonly loaded = new Set<number>();
  /** Attempts inside, with the wall limit of each. */
  readonly inside = new Map<number, number>();
  ended = false;
  /** What the watchdog ended it for: until the thread is gone it may have gone on to somebody else's turn. */
  endedFor = 0;

  constructor(worker: Worker, slot: Int32Array, storeCell: number) {
    this.worker = worker;
    this.slot = slot;
    this.storeCell = storeCell;
  }

  tell(message: ToCell): void {
    this.worker.postMessage(message);
  }
}

export class CellPool {
  readonly size: number;
  /** Of what all images are made with. */
  readonly engineDigest: string;
  readonly #options: PoolOptions;
  readonly #listener: PoolListener;
  readonly #data: Pick<CellData, 'engine' | 'guestCode'>;
  readonly #programs = new Map<number, Program>();
  #cells: CellHandle[] = [];
  #spare: CellHandle;
  #errand: Errand | undefined;
  #errands: Promise<unknown> = Promise.resolve();
  #errandId = 0;
  #closing = false;
  readonly #watchdog: NodeJS.Timeout;

  /** Begins what `open` will wait for, so that it is ready when the store is. */
  static prepare(): void {
    guestCode().catch(() => {});
  }

  static async open(options: PoolOptions, listener: PoolListener): Promise<CellPool> {
    const data = { engine: engineModule(), guestCode: await guestCode() };
    return new CellPool(options, listener, data);
  }

  private constructor(
    options: PoolOptions,
    listener: PoolListener,
    data: Pick<CellData, 'engine' | 'guestCode'>,
  ) {
    this.size = options.size;
    this.engineDigest = engineDigest(data.guestCode);
    this.#options = options;
    this.#listener = listener;
    this.#data = data;
    this.#cells = Array.from({ length: options.size }, () => this.#start());
    this.#spare = this.#start();
    this.#watchdog = setInterval(() => this.#watch(), WATCHDOG_PERIOD_MS);
    this.#watchdog.unref();
  }

  /** Boots a plugin and answers its image; one errand of the spare at a time. @throws NEIRA_BOOT_FAILED */
  boot(spec: BootSpec): Promise<BootReply> {
    const lost = (reason: string) =>
      new NeiraError('NEIRA_BOOT_FAILED', {
        reason: `its top-level code or prepare() had to be ended (${reason})`,
      });
    return this.#queueErrand((id) => ({ type: 'boot', id, spec }), lost) as Promise<BootReply>;
  }

  /**
   * Runs recorded turns again in the spare, from the image of `program`, whose generation serves nothing else.
   * Answers a report (JSON) for each. @throws NEIRA_REPLAY_FAILED when one of them took the cell with it
   */
  replay(program: Program, recordings: readonly string[]): Promise<readonly string[]> {
    const lost = (reason: string) =>
      new NeiraError('NEIRA_REPLAY_FAILED', { plugin: program.plugin, reason });
    return this.#queueErrand((id) => ({ type: 'replay', id, program, recordings }), lost) as Promise<
      readonly string[]
    >;
  }

  /** Makes a program known; cells load it when they first get a delivery for it. */
  install(program: Program): void {
    this.#programs.set(program.generation, program);
  }

  /** What cells are given of a version that serves. */
  program(generation: number): Program | undefined {
    return this.#programs.get(generation);
  }

  setPolicy(generation: number, policy: unknown): void {
    const program = this.#programs.get(generation);
    if (!program) return;
    this.#programs.set(generation, { ...program, policy });
    for (const cell of this.#cells)
      if (cell.loaded.has(generation)) cell.tell({ type: 'policy', generation, policy });
  }

  unload(generation: number): void {
    this.#programs.delete(generation);
    for (const cell of this.#cells)
      if (cell.loaded.delete(generation)) cell.tell({ type: 'unload', generation });
  }

  /** Hands deliveries to a cell, in this order. */
  send(cellIndex: number, deliveries: readonly Delivery[]): void {
    const cell = this.#cells[cellIndex]!;
    for (const { attempt, generation } of deliveries) {
      const program = this.#programs.get(generation)!;
      cell.inside.set(attempt, program.limits.turnMs);
      if (!cell.loaded.has(generation)) {
        cell.loaded.add(generation);
        cell.tell({ type: 'program', program });
      }
    }
    cell.tell({ type: 'deliveries', batch: JSON.stringify(deliveries) });
  }

  /** Settles a wait of a turn in that cell; what has ended by then takes no notice. */
  answer(cellIndex: number, attempt: number, wait: number, answer: string, atMs: number): void {
    this.#cells[cellIndex]!.tell({ type: 'answer', attempt, wait, answer, atMs });
  }

  /** Ends a suspended turn with this failure. */
  abort(cellIndex: number, attempt: number, error: ErrorShape): void {
    this.#cells[cellIndex]!.tell({ type: 'abort', attempt, error });
  }

  /** The attempt is over: its record was acknowledged, or it was given up. */
  settled(cellIndex: number, attempt: number): void {
    this.#cells[cellIndex]!.inside.delete(attempt);
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#watchdog);
    await Promise.all([...this.#cells, this.#spare].map((cell) => cell.worker.terminate()));
  }

  #start(): CellHandle {
    const slot = new SharedArrayBuffer(SLOT_WORDS * Int32Array.BYTES_PER_ELEMENT);
    const { cell: storeCell, port } = this.#options.connect();
    const data: CellData = { ...this.#data, slot, records: port, root: this.#options.root };
    const worker = new Worker(this.#options.entry, {
      name: `neira-cell-${storeCell}`,
      workerData: data,
      transferList: [port],
      resourceLimits: { stackSizeMb: CELL_STACK_MB, maxOldGenerationSizeMb: MAX_HEAP_MB },
      // A guest has no way to the environment, and neither has the thread it runs in.
      env: threadEnvironment(),
    });
    worker.unref();
    const handle = new CellHandle(worker, new Int32Array(slot), storeCell);
    let reason = 'the thread ended';
    worker.on('message', (message: FromCell) => this.#receive(handle, message));
    worker.on('error', (error) => {
      reason = error instanceof Error ? error.message : String(error);
    });
    worker.on('exit', () => this.#lost(handle, reason));
    return handle;
  }

  #receive(cell: CellHandle, message: FromCell): void {
    switch (message.type) {
      case 'dry':
        cell.inside.delete(message.attempt);
        this.#listener.onDry(message.attempt, message.record);
        break;
      case 'cut':
        for (const attempt of message.attempts) cell.inside.delete(attempt);
        this.#listener.onCut(message.attempts);
        break;
      case 'wait':
        this.#listener.onWait(message.attempt, message.wait, message.op, message.args);
        break;
      case 'suspended':
        this.#listener.onSuspended(message.attempt, message.answered);
        break;
      case 'booted':
        this.#endErrand(message.id)?.resolve(message.reply);
        break;
      case 'boot-failed':
        this.#endErrand(message.id)?.reject(fromShape(message.error));
        break;
      case 'replayed':
        this.#endErrand(message.id)?.resolve(message.reports);
        break;
      case 'ready':
        break;
    }
  }

  #queueErrand(message: (id: number) => ToCell, lost: Errand['lost']): Promise<unknown> {
    const id = ++this.#errandId;
    const done = this.#errands.then(
      () =>
        new Promise((resolve, reject) => {
          this.#errand = { id, resolve, reject, lost };
          this.#spare.tell(message(id));
        }),
    );
    this.#errands = done.catch(() => {});
    return done;
  }

  #endErrand(id: number): Errand | undefined {
    const errand = this.#errand?.id === id ? this.#errand : undefined;
    if (errand) this.#errand = undefined;
    return errand;
  }

  #watch(): void {
    for (const cell of [...this.#cells, this.#spare]) {
      const attempt = Atomics.load(cell.slot, SLOT_ATTEMPT);
      if (attempt === 0 || cell.ended) continue;
      const limitMs = attempt < 0 ? BOOT_LIMIT_MS : (cell.inside.get(attempt) ?? 0) + WATCHDOG_GRACE_MS;
      const ranMs = (slotNow() - Atomics.load(cell.slot, SLOT_STARTED_MS)) & 0x7fff_ffff;
      if (ranMs < limitMs || Atomics.load(cell.slot, SLOT_ATTEMPT) !== attempt) continue;
      cell.ended = true;
      cell.endedFor = attempt;
      void cell.worker.terminate();
    }
  }

  #lost(cell: CellHandle, reason: string): void {
    if (this.#closing) return;
    const blamed = cell.ended ? cell.endedFor : Atomics.load(cell.slot, SLOT_ATTEMPT);
    if (cell === this.#spare) {
      this.#spare = this.#start();
      const errand = this.#errand && this.#endErrand(this.#errand.id);
      errand?.reject(errand.lost(reason));
      return;
    }
    const index = this.#cells.indexOf(cell);
    this.#cells[index] = this.#errand ? this.#start() : this.#takeSpare();
    this.#listener.onLost({
      storeCell: cell.storeCell,
      blamed: Math.max(blamed, 0),
      attempts: [...cell.inside.keys()],
      reason: cell.ended ? STUCK_REASON : reason,
    });
  }

  #takeSpare(): CellHandle {
    const spare = this.#spare;
    this.#spare = this.#start();
    return spare;
  }
}

/** Nothing but where compiled code of the host is kept. */
function threadEnvironment(): Record<string, string> {
  const cache = process.env['NODE_COMPILE_CACHE'];
  return cache === undefined ? {} : { NODE_COMPILE_CACHE: cache };
}
