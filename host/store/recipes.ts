import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { RecipeRecord } from './records.ts';
import { segmentName, segmentNumbers, transcriptsFolder } from './transcripts.ts';

/** Recipes beyond this many make it worth looking which of them anything still names. */
const LOOK_AFTER = 32;

/**
 * What turns ran on, under the digest that their transcripts name: the blobs of code stay as long as a recipe
 * holds them, and a recipe as long as a transcript names it (design §4).
 */
export class RecipeWriter {
  readonly #home: string;
  readonly #insert: StatementSync;
  readonly #hold: StatementSync;
  readonly #all: StatementSync;
  readonly #ofFailures: StatementSync;
  readonly #delete: StatementSync;
  readonly #release: StatementSync;
  readonly #sweep: StatementSync;
  /** Recipes that may still come before the next look. */
  readonly #left = new Map<string, number>();

  constructor(db: DatabaseSync, home: string) {
    this.#home = home;
    this.#insert = db.prepare(
      'insert into recipe(digest, plugin, version, body, at_ms) values(?, ?, ?, ?, ?) on conflict do nothing',
    );
    this.#hold = db.prepare(
      'insert into version_blob(blob, plugin, version) values(?, ?, ?) on conflict do nothing',
    );
    this.#all = db.prepare('select digest from recipe where plugin = ? order by at_ms desc, digest');
    this.#ofFailures = db.prepare(
      'select distinct recipe from failure where plugin = ? and recipe is not null',
    );
    this.#delete = db.prepare('delete from recipe where digest = ?');
    this.#release = db.prepare('delete from version_blob where plugin = ? and version = ? returning blob');
    this.#sweep = db.prepare(
      'delete from blob where digest = ?1 and not exists(select 1 from version_blob where blob = ?1)',
    );
  }

  put({ digest, plugin, version, blobs, body }: RecipeRecord, nowMs: number): void {
    if (this.#insert.run(digest, plugin, version, body, nowMs).changes === 0) return;
    for (const blob of blobs) this.#hold.run(blob, plugin, holderOf(digest));
    const left = (this.#left.get(plugin) ?? 0) - 1;
    this.#left.set(plugin, left);
    if (left < 0) this.#prune(plugin);
  }

  /** Everything of a plugin. */
  drop(plugin: string): void {
    for (const digest of this.#digests(plugin)) this.#remove(plugin, digest);
    this.#left.delete(plugin);
  }

  #prune(plugin: string): void {
    const digests = this.#digests(plugin);
    // The newest serves, and the one before it may still have turns under way.
    const old = digests.length > LOOK_AFTER ? digests.slice(2) : [];
    if (old.length > 0) {
      const named = this.#named(plugin);
      for (const digest of old) if (!named(digest)) this.#remove(plugin, digest);
    }
    this.#left.set(plugin, LOOK_AFTER / 2);
  }

  #digests(plugin: string): string[] {
    return this.#all.all(plugin).map((row) => row['digest'] as string);
  }

  #named(plugin: string): (digest: string) => boolean {
    const folder = transcriptsFolder(this.#home, plugin);
    const texts = segmentNumbers(folder).map((number) => readFileSync(join(folder, segmentName(number))));
    const failed = new Set(this.#ofFailures.all(plugin).map((row) => row['recipe']));
    return (digest) => failed.has(digest) || texts.some((text) => text.includes(`"recipe":"${digest}"`));
  }

  #remove(plugin: string, digest: string): void {
    this.#delete.run(digest);
    for (const { blob } of this.#release.all(plugin, holderOf(digest))) this.#sweep.run(blob as string);
  }
}

function holderOf(digest: string): string {
  return `recipe:${digest}`;
}
