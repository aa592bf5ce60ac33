/**
 * The cells seen from main: starting them, feeding them, and ending the one that is stuck.
 *
 * There is one cell more than serve: the warm spare. Plugins boot in it, so that no serving cell ever
 * runs top-level code, and it takes the place of a cell that had to be ended.
 */
import type { ErrorShape } from '../errors.ts';
import { type CellEvents, CellHandle, type CellOptions } from './cell-handle.ts';
import { ErrandCell } from './errand-cell.ts';
import type { BootReply, BootSpec, Delivery, FromCell, Program, ScriptParts } from './messages.ts';
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
  readonly #scripts: ScriptParts;
  readonly #programs = new Map<number, Program>();
  /** Those that scripts share, and behind them those that components have to themselves, while they have anything to do. */
  readonly #cells = new Map<number, CellHandle>();
  /** Numbers of cells of components, by generation. */
  readonly #own = new Map<number, number>();
  /** The next of them, warm. */
  #nextOwn: CellHandle | undefined;
  #lastCell: number;
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

  private constructor(options: PoolOptions, listener: PoolListener, scripts: ScriptParts) {
    this.size = options.size;
    this.engineDigest = engineDigest(scripts.guestCode);
    this.#options = options;
    this.#listener = listener;
    this.#scripts = scripts;
    for (let cell = 0; cell < options.size; cell++) this.#cells.set(cell, this.#startShared());
    this.#lastCell = options.size - 1;
    this.#spare = new ErrandCell(() => this.#startShared());
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
    return packEngine(this.#scripts.guestCode);
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

  /**
   * Makes a program known; cells load it when they first get a delivery for it. Answers the number of the cell that it
   * has to itself: a component shares a thread with nobody. Its cell is started with its first delivery.
   */
  install(program: Program): number | undefined {
    this.#programs.set(program.generation, program);
    if (program.image.kind !== 'wasm') return undefined;
    this.#nextOwn ??= this.#start();
    this.#own.set(program.generation, ++this.#lastCell);
    return this.#lastCell;
  }

  /** What cells are given of a version that serves. */
  program(generation: number): Program | undefined {
    return this.#programs.get(generation);
  }

  setPolicy(generation: number, policy: unknown): void {
    const program = this.#programs.get(generation);
    if (!program) return;
    this.#programs.set(generation, { ...program, policy });
    for (const cell of this.#cells.values())
      if (cell.loaded.has(generation)) cell.tell({ type: 'policy', generation, policy });
  }

  unload(generation: number): void {
    this.#programs.delete(generation);
    const own = this.#own.get(generation);
    if (own !== undefined) {
      this.#own.delete(generation);
      this.#end(own);
      return;
    }
    for (const cell of this.#cells.values())
      if (cell.loaded.delete(generation)) cell.tell({ type: 'unload', generation });
  }

  /** Of a component that serves no more: its memory comes back with its thread. */
  #end(number: number): void {
    const cell = this.#cells.get(number);
    this.#cells.delete(number);
    void cell?.worker.terminate();
  }

  /** Where that one lives, from when it is first needed. */
  #cell(number: number): CellHandle {
    const known = this.#cells.get(number);
    if (known) return known;
    const cell = this.#nextOwn ?? this.#start();
    this.#nextOwn = this.#start();
    this.#cells.set(number, cell);
    return cell;
  }

  /** Hands deliveries to a cell, in this order. */
  send(cellIndex: number, deliveries: readonly Delivery[]): void {
    const cell = this.#cell(cellIndex);
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
    this.#cells.get(cellIndex)?.tell({ type: 'answer', attempt, wait, answer, atMs });
  }

  /** Ends a suspended turn with this failure. */
  abort(cellIndex: number, attempt: number, error: ErrorShape): void {
    this.#cells.get(cellIndex)?.tell({ type: 'abort', attempt, error });
  }

  /** The attempt is over: its record was acknowledged, or it was given up. */
  settled(cellIndex: number, attempt: number): void {
    this.#cells.get(cellIndex)?.inside.delete(attempt);
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#watchdog);
    await Promise.all(this.#all().map(({ worker }) => worker.terminate()));
  }

  #all(): readonly CellHandle[] {
    const errands = [this.#spare, ...(this.#elsewhere ? [this.#elsewhere.cell] : [])];
    const next = this.#nextOwn ? [this.#nextOwn] : [];
    return [...this.#cells.values(), ...next, ...errands.map(({ cell }) => cell)];
  }

  #startShared(): CellHandle {
    return this.#start(this.#scripts);
  }

  /** Without what scripts need, one that a component has to itself. */
  #start(scripts?: ScriptParts): CellHandle {
    const events: CellEvents = {
      receive: (cell, message) => this.#receive(cell, message),
      lost: (cell, reason) => this.#lost(cell, reason),
    };
    return new CellHandle(this.#options, events, scripts);
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
    if (cell === this.#nextOwn) this.#nextOwn = undefined;
    const number = [...this.#cells].find(([, each]) => each === cell)?.[0];
    // One that made room for the next, or whose component serves no more.
    if (number === undefined) return;
    if (number < this.size)
      this.#cells.set(number, this.#spare.busy ? this.#startShared() : this.#spare.take());
    else this.#cells.delete(number);
    this.#listener.onLost({
      storeCell: cell.storeCell,
      blamed: Math.max(cell.blamed, 0),
      attempts: [...cell.inside.keys()],
      reason: cell.ended ? STUCK_REASON : reason,
    });
  }
}
