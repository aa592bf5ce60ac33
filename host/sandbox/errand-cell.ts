/** A cell that serves no turns: it boots plugins and runs recorded turns, one errand at a time. */
import { fromShape, NeiraError } from '../errors.ts';
import type { CellHandle } from './cell-handle.ts';
import type { BootReply, BootSpec, FromCell, Program, ToCell } from './messages.ts';

interface Errand {
  readonly id: number;
  resolve(reply: BootReply | readonly string[]): void;
  reject(error: unknown): void;
  /** What it means that the cell was lost over it. */
  lost(reason: string): NeiraError;
}

export class ErrandCell {
  readonly #start: () => CellHandle;
  #cell: CellHandle;
  #errand: Errand | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #lastId = 0;
  #closed = false;

  constructor(start: () => CellHandle) {
    this.#start = start;
    this.#cell = start();
  }

  get cell(): CellHandle {
    return this.#cell;
  }

  get busy(): boolean {
    return this.#errand !== undefined;
  }

  /** Boots a plugin and answers its image. @throws NEIRA_BOOT_FAILED */
  boot(spec: BootSpec): Promise<BootReply> {
    const lost = (reason: string) =>
      new NeiraError('NEIRA_BOOT_FAILED', {
        reason: `its top-level code or prepare() had to be ended (${reason})`,
      });
    return this.#do((id) => ({ type: 'boot', id, spec }), lost) as Promise<BootReply>;
  }

  /**
   * Runs recorded turns again from the image of `program`, whose generation serves nothing else. Answers a report
   * (JSON) for each. @throws NEIRA_REPLAY_FAILED when one of them took the cell with it
   */
  replay(program: Program, recordings: readonly string[]): Promise<readonly string[]> {
    const lost = (reason: string) =>
      new NeiraError('NEIRA_REPLAY_FAILED', { plugin: program.plugin, reason });
    return this.#do((id) => ({ type: 'replay', id, program, recordings }), lost) as Promise<
      readonly string[]
    >;
  }

  /** The end of an errand, when the message is one. */
  receive(message: FromCell): void {
    if (message.type === 'booted') this.#end(message.id)?.resolve(message.reply);
    else if (message.type === 'boot-failed') this.#end(message.id)?.reject(fromShape(message.error));
    else if (message.type === 'replayed') this.#end(message.id)?.resolve(message.reports);
  }

  /** Its thread ended: what it was about fails, and the next errand finds another. */
  lost(reason: string): void {
    this.#cell = this.#start();
    this.#fail(reason);
  }

  /** Gives the cell away, while it is about nothing. */
  take(): CellHandle {
    const cell = this.#cell;
    this.#cell = this.#start();
    return cell;
  }

  /** Ends the thread; what was to be done fails. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#fail('it was closed');
    await this.#cell.worker.terminate();
  }

  #fail(reason: string): void {
    const errand = this.#errand && this.#end(this.#errand.id);
    errand?.reject(errand.lost(reason));
  }

  #do(message: (id: number) => ToCell, lost: Errand['lost']): Promise<unknown> {
    const id = ++this.#lastId;
    const done = this.#queue.then(
      () =>
        new Promise((resolve, reject) => {
          if (this.#closed) throw lost('it was closed');
          this.#errand = { id, resolve, reject, lost };
          this.#cell.tell(message(id));
        }),
    );
    this.#queue = done.catch(() => {});
    return done;
  }

  #end(id: number): Errand | undefined {
    const errand = this.#errand?.id === id ? this.#errand : undefined;
    if (errand) this.#errand = undefined;
    return errand;
  }
}
