import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** How far a table may grow beyond its bound before it is cut back, so that not every turn pays for it. */
const SLACK = 128;

/** A table with `plugin` and `seq` that keeps the newest rows of each plugin. */
export class BoundedTable {
  readonly #prune: StatementSync;
  readonly #keep: number;
  /** Rows that may still come before the table is cut back; a plugin not seen since boot is due at once. */
  readonly #left = new Map<string, number>();

  constructor(db: DatabaseSync, table: 'log' | 'failure', keep: number) {
    this.#keep = keep;
    this.#prune = db.prepare(
      `delete from ${table} where plugin = ?1 and seq <= (
         select seq from ${table} where plugin = ?1 order by seq desc limit 1 offset ?2)`,
    );
  }

  added(plugin: string, rows = 1): void {
    const left = (this.#left.get(plugin) ?? 0) - rows;
    if (left < 0) this.#prune.run(plugin, this.#keep);
    this.#left.set(plugin, left < 0 ? SLACK : left);
  }
}
