/**
 * The cells seen from main: starting them, feeding them, and ending the one that is stuck.
 *
 * There is one cell more than serve: the warm spare. Plugins boot in it, so that no serving cell ever
 * runs top-level code, and it takes the place of a cell that had to be ended.
 */
import type { ErrorShape } from '../errors.ts';
import { CellHandle, type CellOptions, type Engine } from './cell-handle.ts';
import { ErrandCell } from './errand-cell.ts';
import type { BootReply, BootSpec, Delivery, FromCell, Program } from './messages.ts';
import { engineModule } from './quickjs/engine.ts';
import { engineDigest, packEngine, unpackEngine } from './quickjs/engine-digest.ts';
import { guestCode } from './quickjs/guest-code.ts';

export interface PoolOptions extends CellOptions {
  /** Serving cells, at least 1. */
  readonly size: number;
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

const WATCHDOG_PERIOD_MS = 25;

export class CellPool {
  readonly size: number;
  /** Of what all images are made with. */
  readonly engineDigest: string;
  readonly #options: PoolOptions;
  readonly #listener: PoolListener;
  readonly #engine: Engine;
  readonly #programs = new Map<number, Program>();
  #cells: CellHandle[] = [];
  readonly #spare: ErrandCell;
  /** A cell of another engine than the one that serves, for turns that were recorded on it. */
  #elsewhere: { readonly engine: string; readonly cell: ErrandCell } | undefined;
  #closing = false;
  readonly #watchdog: NodeJS.Timeout;

  /** Begins what `open` will wait for, so that it is ready when the store is. */
  static prepare(): void {
    guestCode().catch(() => {});
  }

  static async open(options: PoolOptions, listener: PoolListener): Promise<CellPool> {
    return new CellPool(options, listener, { engine: engineModule(), guestCode: await guestCode() });
  }

  private constructor(options: PoolOptions, listener: PoolListener, engine: Engine) {
    this.size = options.size;
    this.engineDigest = engineDigest(engine.guestCode);
    this.#options = options;
    this.#listener = listener;
    this.#engine = engine;
    this.#cells = Array.from({ length: options.size }, () => this.#start());
    this.#spare = new ErrandCell(() => this.#start());
    this.#watchdog = setInterval(() => this.#watch(), WATCHDOG_PERIOD_MS);
    this.#watchdog.unref();
  }

  /** Where plugins boot and recorded turns run again; its cell is spare. */
  get errands(): Pick<ErrandCell, 'boot' | 'replay'> {
    return this.#spare;
  }

  /** Boots a plugin and answers its image; one errand of the spare at a time. @throws NEIRA_BOOT_FAILED */
  boot(spec: BootSpec): Promise<BootReply> {
    return this.#spare.boot(spec);
  }

  /** What everything runs on now, in one piece. */
  packEngine(): Buffer {
    return packEngine(this.#engine.guestCode);
  }

  /** The same errands on another engine, which was packed; there is one such cell at a time. */
  errandsOn(engine: string, packed: Uint8Array): Pick<ErrandCell, 'boot' | 'replay'> {
    if (this.#elsewhere?.engine === engine) return this.#elsewhere.cell;
    const before = this.#elsewhere;
    const unpacked = unpackEngine(packed);
    this.#elsewhere = { engine, cell: new ErrandCell(() => this.#start(unpacked)) };
    void before?.cell.close();
    return this.#elsewhere.cell;
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
    await Promise.all(this.#all().map(({ worker }) => worker.terminate()));
  }

  #all(): readonly CellHandle[] {
    const errands = [this.#spare, ...(this.#elsewhere ? [this.#elsewhere.cell] : [])];
    return [...this.#cells, ...errands.map(({ cell }) => cell)];
  }

  #start(engine = this.#engine): CellHandle {
    return new CellHandle(this.#options, engine, {
      receive: (cell, message) => this.#receive(cell, message),
      lost: (cell, reason) => this.#lost(cell, reason),
    });
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
      case 'boot-failed':
      case 'replayed':
        this.#errandCellOf(cell)?.receive(message);
        break;
      case 'ready':
        break;
    }
  }

  #errandCellOf(cell: CellHandle): ErrandCell | undefined {
    return [this.#spare, this.#elsewhere?.cell].find((each) => each?.cell === cell);
  }

  #watch(): void {
    for (const cell of this.#all()) cell.watch();
  }

  #lost(cell: CellHandle, reason: string): void {
    if (this.#closing) return;
    const errands = this.#errandCellOf(cell);
    if (errands) {
      errands.lost(reason);
      return;
    }
    const index = this.#cells.indexOf(cell);
    // One of another engine that made room for the next.
    if (index < 0) return;
    this.#cells[index] = this.#spare.busy ? this.#start() : this.#spare.take();
    this.#listener.onLost({
      storeCell: cell.storeCell,
      blamed: Math.max(cell.blamed, 0),
      attempts: [...cell.inside.keys()],
      reason: cell.ended ? STUCK_REASON : reason,
    });
  }
}
