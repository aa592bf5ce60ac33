import type { DatabaseSync, StatementSync } from 'node:sqlite';

interface Counts {
  turns: number;
  failures: number;
  dryRuns: number;
  fuel: number;
  runMs: number;
}

/** Counters per plugin, gate and day: gathered in memory over a group, written once before its commit. */
export class StatisticsWriter {
  readonly #add: StatementSync;
  readonly #group = new Map<string, Counts>();
  #day = { atMs: Number.NaN, text: '' };

  constructor(db: DatabaseSync) {
    this.#add = db.prepare(
      `insert into stat(plugin, gate, day, turns, failures, dry_runs, fuel, run_ms) values(?, ?, ?, ?, ?, ?, ?, ?)
       on conflict do update set turns = turns + excluded.turns, failures = failures + excluded.failures,
         dry_runs = dry_runs + excluded.dry_runs, fuel = fuel + excluded.fuel, run_ms = run_ms + excluded.run_ms`,
    );
  }

  turn(plugin: string, gate: string, atMs: number, failed: boolean, fuel: number, runMs: number): void {
    const counts = this.#of(plugin, gate, atMs);
    counts.turns++;
    if (failed) counts.failures++;
    counts.fuel += fuel;
    counts.runMs += runMs;
  }

  dryRun(plugin: string, gate: string, atMs: number): void {
    this.#of(plugin, gate, atMs).dryRuns++;
  }

  #of(plugin: string, gate: string, atMs: number): Counts {
    // All of a group have one time.
    if (this.#day.atMs !== atMs) this.#day = { atMs, text: dayOf(atMs) };
    const key = `${this.#day.text}\n${gate}\n${plugin}`;
    const known = this.#group.get(key);
    if (known) return known;
    const counts = { turns: 0, failures: 0, dryRuns: 0, fuel: 0, runMs: 0 };
    this.#group.set(key, counts);
    return counts;
  }

  /** Writes what was gathered, within the transaction at hand. */
  write(): void {
    for (const [key, { turns, failures, dryRuns, fuel, runMs }] of this.#group) {
      const [day = '', gate = '', plugin = ''] = key.split('\n');
      this.#add.run(plugin, gate, day, turns, failures, dryRuns, Math.round(fuel), runMs);
    }
    this.#group.clear();
  }

  /** The group did not commit. */
  forget(): void {
    this.#group.clear();
  }
}

export function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}
