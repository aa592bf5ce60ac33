import { openForReading } from './database.ts';
import { prepareLastOf } from './kv.ts';
import { type PrincipalEntry, preparePrincipal } from './principals.ts';
import { type KeyRange, type KvEntry, prepareHolds, prepareScan } from './ranges.ts';
import { prepareRecords, type RecordRow } from './record-reads.ts';
import type { Reads } from './records.ts';

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
  get(plugin: string, key: string): Omit<KvEntry, 'key'> | undefined;
  /** Reads entry by entry: what is not asked for is not loaded. One walk at a time, within one moment. */
  scan(plugin: string, range: KeyRange): Iterable<KvEntry>;
  /** Whether everything that was read is still so. */
  holds(plugin: string, reads: Reads): boolean;
  /** The number of the newest entry of the log `key`; 0 when it has none. */
  lastOf(plugin: string, key: string): number;
  /** A principal of the plugin. */
  principal(plugin: string, id: string): PrincipalEntry | undefined;
  /** Annotations and messages behind the number `after`, in the order in which they were committed. */
  records(after: number): Iterable<RecordRow>;
}

const CELL_CACHE_KB = 8192;

/** @param path the database, see `databasePath(home)`; the store must be open. */
export function createKvReader(path: string): KvReader {
  const db = openForReading(path, CELL_CACHE_KB);
  const begin = db.prepare('begin');
  const commit = db.prepare('commit');
  const get = db.prepare('select value, version, pii from kv where plugin = ? and k = ?');
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
      return get.get(plugin, key) as Omit<KvEntry, 'key'> | undefined;
    },
    scan: prepareScan(db),
    holds: prepareHolds(db),
    lastOf,
    principal: preparePrincipal(db),
    records: prepareRecords(db),
    [Symbol.dispose]() {
      if (db.isOpen) db.close();
    },
  };
}
