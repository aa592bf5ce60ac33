import type { StatementSync } from 'node:sqlite';
import { openForReading } from './database.ts';
import { prefixEnd, prepareLastOf, rangeStart } from './kv.ts';

export interface KvEntry {
  readonly key: string;
  readonly value: string;
  readonly version: number;
}

/**
 * The committed keys of plugins, as one turn sees them. Each cell has its own: a read costs a prepared
 * statement and no message.
 */
export interface KvReader extends Disposable {
  /**
   * From the first read after this until {@link end}, all reads see one moment. Opening costs nothing until
   * then, so call it after the deliveries of a batch are known: what was committed for them must be seen.
   */
  begin(): void;
  end(): void;
  get(plugin: string, key: string): { readonly value: string; readonly version: number } | undefined;
  /** Up to `limit` entries whose key starts with `prefix`, ordered by the bytes of the key, after `after`. */
  list(plugin: string, prefix: string, after: string | undefined, limit: number): readonly KvEntry[];
  /** The number of the newest entry of the log `key`; 0 when it has none. */
  lastOf(plugin: string, key: string): number;
}

const CELL_CACHE_KB = 8192;

/** @param path the database, see `databasePath(home)`; the store must be open. */
export function createKvReader(path: string): KvReader {
  const db = openForReading(path, CELL_CACHE_KB);
  const begin = db.prepare('begin');
  const commit = db.prepare('commit');
  const get = db.prepare('select value, version from kv where plugin = ? and k = ?');
  const from = (lower: string): StatementSync =>
    db.prepare(
      `select k as key, value, version from kv where plugin = ? and k ${lower} ? and k < ? order by k limit ?`,
    );
  const listFrom = from('>=');
  const listAfter = from('>');
  const lastOf = prepareLastOf(db);
  let reading = false;
  return {
    begin() {
      if (reading) return;
      begin.run();
      reading = true;
    },
    end() {
      if (!reading) return;
      commit.run();
      reading = false;
    },
    get(plugin, key) {
      return get.get(plugin, key) as { value: string; version: number } | undefined;
    },
    list(plugin, prefix, after, limit) {
      const start = rangeStart(prefix, after);
      const statement = start.inclusive ? listFrom : listAfter;
      return statement.all(plugin, start.key, prefixEnd(prefix), limit) as unknown as KvEntry[];
    },
    lastOf,
    [Symbol.dispose]() {
      if (db.isOpen) db.close();
    },
  };
}
