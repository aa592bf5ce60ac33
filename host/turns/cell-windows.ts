/** How many deliveries each cell holds, and those that are about to leave for it. */
import type { TurnDelivery } from '../turn-context.ts';

/** Deliveries inside one cell at a time. */
const CELL_WINDOW = 64;

export class CellWindows {
  readonly #inside = new Map<number, number>();
  #leaving = new Map<number, TurnDelivery[]>();

  isFull(cell: number): boolean {
    return (this.#inside.get(cell) ?? 0) >= CELL_WINDOW;
  }

  /** Takes a place, which a turn that was suspended may do as well. */
  take(cell: number): void {
    this.#inside.set(cell, (this.#inside.get(cell) ?? 0) + 1);
  }

  free(cell: number): void {
    const left = this.#inside.get(cell)! - 1;
    if (left === 0) this.#inside.delete(cell);
    else this.#inside.set(cell, left);
  }

  load(cell: number, delivery: TurnDelivery): void {
    const group = this.#leaving.get(cell);
    if (group) group.push(delivery);
    else this.#leaving.set(cell, [delivery]);
  }

  /** What was loaded, by cell: one message each. */
  leave(): ReadonlyMap<number, readonly TurnDelivery[]> {
    const leaving = this.#leaving;
    this.#leaving = new Map();
    return leaving;
  }
}
