import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { NeiraError } from '../errors.ts';
import { prefixEnd, prepareHolds } from './ranges.ts';
import type { Reads } from './records.ts';

/**
 * Keys and versions.
 *
 * A version is a number that rises with every turn of the plugin that writes keys: all that one turn writes
 * carries the same version, higher than any that the plugin's keys ever had. So a key that was deleted and
 * made again never repeats a version, and a range is known to be unchanged by two numbers: any write into it
 * raises its highest version, and a delete alone lowers its count.
 */

const LOG_DIGITS = 16;
const LAST_LOG_NUMBER = Number.MAX_SAFE_INTEGER;

export function logKey(log: string, number: number): string {
  return `${log}/${String(number).padStart(LOG_DIGITS, '0')}`;
}

/**
 * The JSON of `amount` added to the JSON `value` of `key`; a key that is not there counts as 0.
 * @throws NEIRA_ADD_REFUSED when the value is no number, or the sum one that cannot be counted on exactly.
 */
export function addTo(key: string, value: string | undefined, amount: number): string {
  const before: unknown = value === undefined ? 0 : JSON.parse(value);
  if (typeof before !== 'number') {
    throw new NeiraError('NEIRA_ADD_REFUSED', { key, reason: 'its value is not a number' });
  }
  const sum = before + amount;
  // Also refuses what is not finite. Above it not even whole numbers are exact: a counter would stand still.
  if (Math.abs(sum) <= Number.MAX_SAFE_INTEGER) return JSON.stringify(sum);
  throw new NeiraError('NEIRA_ADD_REFUSED', { key, reason: 'the sum would lie beyond 2^53 - 1' });
}

/** The highest `<log>/<16 digits>` that exists; 0 without one. */
export function prepareLastOf(db: DatabaseSync): (plugin: string, log: string) => number {
  const digits = '[0-9]'.repeat(LOG_DIGITS);
  const statement = db.prepare(
    `select substr(k, -${LOG_DIGITS}) as n from kv where plugin = ? and k >= ? and k <= ?
     and octet_length(k) = ? and substr(k, -${LOG_DIGITS}) glob '${digits}' order by k desc limit 1`,
  );
  return (plugin, log) => {
    const first = logKey(log, 0);
    const row = statement.get(plugin, first, `${log}/${'9'.repeat(LOG_DIGITS)}`, Buffer.byteLength(first));
    return row ? Number(row['n']) : 0;
  };
}

export class KvWriter {
  /** Whether everything that a turn read is still so. */
  readonly holds: (plugin: string, reads: Reads) => boolean;
  readonly #value: StatementSync;
  readonly #size: StatementSync;
  readonly #set: StatementSync;
  readonly #delete: StatementSync;
  readonly #bytesUnder: StatementSync;
  readonly #deleteUnder: StatementSync;
  readonly #lastOf: (plugin: string, log: string) => number;
  readonly #usage: StatementSync;
  readonly #setUsage: StatementSync;

  constructor(db: DatabaseSync) {
    this.holds = prepareHolds(db);
    this.#value = db.prepare('select value from kv where plugin = ? and k = ?');
    this.#size = db.prepare('select octet_length(value) as bytes from kv where plugin = ? and k = ?');
    this.#set = db.prepare(
      `insert into kv(plugin, k, version, value, pii) values(?, ?, ?, ?, ?)
       on conflict do update set version = excluded.version, value = excluded.value, pii = excluded.pii`,
    );
    this.#delete = db.prepare('delete from kv where plugin = ? and k = ?');
    this.#bytesUnder = db.prepare(
      `select coalesce(sum(octet_length(k) + octet_length(value)), 0) as bytes from kv
       where plugin = ? and k >= ? and k < ?`,
    );
    this.#deleteUnder = db.prepare('delete from kv where plugin = ? and k >= ? and k < ?');
    this.#lastOf = prepareLastOf(db);
    this.#usage = db.prepare('select bytes, kv_version from usage where plugin = ?');
    this.#setUsage = db.prepare(
      `insert into usage(plugin, bytes, kv_version) values(?, ?, ?)
       on conflict do update set bytes = excluded.bytes, kv_version = excluded.kv_version`,
    );
  }

  /** Begins the writes of one turn. */
  change(plugin: string): KvChange {
    const usage = this.#usage.get(plugin) as { bytes: number; kv_version: number } | undefined;
    return new KvChange(this, plugin, usage?.bytes ?? 0, usage?.kv_version ?? 0);
  }

  set(plugin: string, key: string, version: number, value: string, pii: string | null): number {
    const before = this.#size.get(plugin, key);
    this.#set.run(plugin, key, version, value, pii);
    const bytes = Buffer.byteLength(value);
    return before ? bytes - Number(before['bytes']) : bytes + Buffer.byteLength(key);
  }

  delete(plugin: string, key: string): number {
    const before = this.#size.get(plugin, key);
    if (!before) return 0;
    this.#delete.run(plugin, key);
    return -Number(before['bytes']) - Buffer.byteLength(key);
  }

  /** Deletes all keys that begin with `prefix`. */
  clear(plugin: string, prefix: string): number {
    const end = prefixEnd(prefix);
    const bytes = Number(this.#bytesUnder.get(plugin, prefix, end)!['bytes']);
    if (bytes > 0) this.#deleteUnder.run(plugin, prefix, end);
    return -bytes;
  }

  value(plugin: string, key: string): string | undefined {
    return this.#value.get(plugin, key)?.['value'] as string | undefined;
  }

  lastOf(plugin: string, log: string): number {
    return this.#lastOf(plugin, log);
  }

  saveUsage(plugin: string, bytes: number, version: number): void {
    this.#setUsage.run(plugin, bytes, version);
  }
}

/** The writes of one turn, and what they do to the bytes that its plugin holds. */
export class KvChange {
  readonly #kv: KvWriter;
  readonly #plugin: string;
  readonly #before: number;
  readonly #version: number;
  readonly #lastNumbers = new Map<string, number>();
  #delta = 0;
  #wroteKeys = false;

  constructor(kv: KvWriter, plugin: string, bytes: number, lastVersion: number) {
    this.#kv = kv;
    this.#plugin = plugin;
    this.#before = bytes;
    this.#version = lastVersion + 1;
  }

  /** @param pii marks of what is personal in it */
  set(key: string, value: string, pii: string | null = null): void {
    this.#wroteKeys = true;
    this.#delta += this.#kv.set(this.#plugin, key, this.#version, value, pii);
    this.#lastNumbers.clear();
  }

  delete(key: string): void {
    this.#wroteKeys = true;
    this.#delta += this.#kv.delete(this.#plugin, key);
    this.#lastNumbers.clear();
  }

  /** Deletes all keys that begin with `prefix`. */
  clear(prefix: string): void {
    this.#wroteKeys = true;
    this.#delta += this.#kv.clear(this.#plugin, prefix);
    this.#lastNumbers.clear();
  }

  /** Blind: the number is taken here, in the commit, so appends of two turns never conflict. */
  append(log: string, value: string, pii: string | null = null): void {
    const last = this.#lastNumbers.get(log) ?? this.#kv.lastOf(this.#plugin, log);
    if (last >= LAST_LOG_NUMBER) {
      throw new NeiraError('NEIRA_VALUE_INVALID', { what: 'log', reason: `\`${log}\` has no numbers left` });
    }
    this.set(logKey(log, last + 1), value, pii);
    this.#lastNumbers.set(log, last + 1);
  }

  /** Blind: the sum is made here, in the commit, so additions of two turns never conflict. */
  add(key: string, amount: number): void {
    this.set(key, addTo(key, this.#kv.value(this.#plugin, key), amount));
  }

  /** Counts bytes that the plugin holds elsewhere than under keys. */
  hold(bytes: number): void {
    this.#delta += bytes;
  }

  /** @throws NEIRA_STORAGE_FULL when the plugin grows beyond its quota; to shrink is always allowed. */
  finish(storageMb: number): void {
    if (this.#delta === 0 && !this.#wroteKeys) return;
    const bytes = this.#before + this.#delta;
    if (this.#delta > 0 && bytes > storageMb * 1024 * 1024) {
      throw new NeiraError('NEIRA_STORAGE_FULL', { plugin: this.#plugin, storageMb });
    }
    this.#kv.saveUsage(this.#plugin, bytes, this.#wroteKeys ? this.#version : this.#version - 1);
  }
}
