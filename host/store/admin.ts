import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { NO_PERMISSIONS } from '../base/permissions.ts';
import { NeiraError } from '../errors.ts';
import { KvWriter } from './kv.ts';
import { PrincipalWriter } from './principals.ts';
import type { RecipeWriter } from './recipes.ts';
import type { AdminOp, AdminRecord, PluginRow, VersionRow } from './records.ts';

/** Tables of what a plugin keeps, by `plugin`. */
const WITH_DATA = [
  'kv',
  'log',
  'failure',
  'delivery',
  'dead_letter',
  'delayed',
  'delayed_send',
  'subscription',
  'principal',
  'http_request',
  'request',
];

/** What administrators change: plugins and their versions, gates, tokens, settings (HOST-15, HOST-27). */
export class AdminWriter {
  readonly #db: DatabaseSync;
  readonly #recipes: RecipeWriter;
  readonly #prepared = new Map<string, StatementSync>();
  readonly #kv: KvWriter;
  readonly #principals: PrincipalWriter;

  constructor(db: DatabaseSync, recipes: RecipeWriter) {
    this.#db = db;
    this.#recipes = recipes;
    this.#kv = new KvWriter(db);
    this.#principals = new PrincipalWriter(db);
  }

  /** Applies all of them within the transaction at hand. */
  apply(record: AdminRecord): void {
    const touched = new Map<string, { keep: number; put: Set<string> }>();
    for (const op of record.ops) {
      this.#apply(op);
      if (op.op !== 'version.put') continue;
      const { plugin, digest } = op.row;
      const put = touched.get(plugin)?.put ?? new Set();
      touched.set(plugin, { keep: op.keep, put: put.add(digest) });
    }
    // After all ops: which version serves is what the whole record says, in whatever order it says it.
    for (const [plugin, { keep, put }] of touched) {
      for (const digest of put) this.#requireBlobs(plugin, digest);
      this.#pruneVersions(plugin, keep, put);
    }
  }

  /** A version without its code would be one that cannot be rolled back to. */
  #requireBlobs(plugin: string, digest: string): void {
    const missing = this.#all(
      `select blob from version_blob where plugin = ? and version = ?
       and not exists(select 1 from blob where digest = version_blob.blob)`,
      plugin,
      digest,
    );
    if (missing.length === 0) return;
    const reason = `version ${digest} of ${plugin} names the blob ${missing[0]!['blob']}, which is not stored`;
    throw new NeiraError('NEIRA_STORE_FAILED', { reason });
  }

  #apply(op: AdminOp): void {
    switch (op.op) {
      case 'blob.put':
        this.#run(
          'insert into blob(digest, bytes) values(?, ?) on conflict do nothing',
          op.digest,
          Buffer.from(op.bytes, 'base64'),
        );
        return;
      case 'plugin.put':
        this.#putPlugin(op.row);
        return;
      case 'plugin.delete':
        this.#deletePlugin(op.id, op.dropData);
        return;
      case 'version.put':
        this.#putVersion(op.row);
        return;
      case 'gate.put': {
        const { id, stage, sinceMs, declaredBy, declaration } = op.row;
        const sql = `insert or replace into gate(id, stage, since_ms, declared_by, declaration) values(?, ?, ?, ?, ?)`;
        this.#run(sql, id, stage, sinceMs, declaredBy, declaration);
        return;
      }
      case 'gate.delete':
        this.#run('delete from gate where id = ?', op.id);
        return;
      case 'token.put': {
        const { id, name, hash, scopes, createdAtMs, expiresAtMs, revokedAtMs } = op.row;
        const sql = `insert or replace into token(id, name, hash, scopes, created_at_ms, expires_at_ms, revoked_at_ms)
          values(?, ?, ?, ?, ?, ?, ?)`;
        this.#run(sql, id, name, hash, scopes, createdAtMs, expiresAtMs, revokedAtMs);
        return;
      }
      case 'token.revoke':
        this.#run(
          'update token set revoked_at_ms = ? where id = ? and revoked_at_ms is null',
          op.atMs,
          op.id,
        );
        return;
      case 'setting.put':
        this.#run('insert or replace into setting(name, value) values(?, ?)', op.name, op.value);
        return;
      case 'principal.grant':
        this.#principals.grant(op);
        return;
      case 'principal.remove':
        this.#removePrincipal(op.plugin, op.id);
        return;
      case 'secret.put': {
        const { name, version, sealed, createdAtMs, setAtMs } = op.row;
        const sql = `insert or replace into secret(name, version, sealed, created_at_ms, set_at_ms) values(?, ?, ?, ?, ?)`;
        this.#run(sql, name, version, sealed, createdAtMs, setAtMs);
        return;
      }
      case 'secret.delete':
        this.#run('delete from secret where name = ?', op.name);
        return;
      default:
        throw new TypeError(`no such administrative change: ${(op as { op: string }).op}`);
    }
  }

  #putPlugin(row: PluginRow): void {
    this.#run(
      `insert or replace into plugin(id, kind, state, digest, path, origin, source_digest, grants, settings, reason,
         last_error, registered_at_ms, updated_at_ms) values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      row.id,
      row.kind,
      row.state,
      row.digest,
      row.path,
      row.origin,
      row.sourceDigest,
      row.grants,
      row.settings,
      row.reason,
      row.lastError,
      row.registeredAtMs,
      row.updatedAtMs,
    );
  }

  #putVersion(row: VersionRow): void {
    // Replacing gives a new seq: what is put again is the newest again.
    this.#run(
      `insert or replace into version(plugin, digest, version, manifest, files, bundle, source_map, created_at_ms,
         signed_by) values(?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      row.plugin,
      row.digest,
      row.version,
      row.manifest,
      row.files,
      row.bundle,
      row.sourceMap,
      row.createdAtMs,
      row.signedBy,
    );
    this.#run('delete from version_blob where plugin = ? and version = ?', row.plugin, row.digest);
    const files = Object.values(JSON.parse(row.files) as Record<string, string>);
    for (const blob of new Set([...files, row.bundle, row.sourceMap])) {
      if (blob === '') continue;
      this.#run(
        'insert into version_blob(blob, plugin, version) values(?, ?, ?)',
        blob,
        row.plugin,
        row.digest,
      );
    }
  }

  #pruneVersions(plugin: string, keep: number, justPut: ReadonlySet<string>): void {
    const serving = this.#get('select digest from plugin where id = ?', plugin)?.['digest'];
    const newestFirst = this.#all(
      'select digest from version where plugin = ? order by seq desc',
      plugin,
    ).map((row) => row['digest'] as string);
    const needed = newestFirst.filter((digest) => digest === serving || justPut.has(digest));
    const others = newestFirst.filter((digest) => !needed.includes(digest));
    for (const digest of others.slice(Math.max(0, keep - needed.length))) this.#deleteVersion(plugin, digest);
  }

  #deleteVersion(plugin: string, digest: string): void {
    const blobs = this.#all('select blob from version_blob where plugin = ? and version = ?', plugin, digest);
    this.#run('delete from version_blob where plugin = ? and version = ?', plugin, digest);
    this.#run('delete from version where plugin = ? and digest = ?', plugin, digest);
    for (const { blob } of blobs) {
      this.#run(
        'delete from blob where digest = ?1 and not exists(select 1 from version_blob where blob = ?1)',
        blob as string,
      );
    }
  }

  #deletePlugin(id: string, dropData: boolean): void {
    for (const { digest } of this.#all('select digest from version where plugin = ?', id)) {
      this.#deleteVersion(id, digest as string);
    }
    this.#run('delete from plugin where id = ?', id);
    // Its consent is gone with it, and so is that of whom it acts for.
    this.#run('update principal set grants = ? where plugin = ?', JSON.stringify(NO_PERMISSIONS), id);
    if (!dropData) return;
    this.#recipes.drop(id);
    this.#run(`delete from setting where name in ('rehearse:' || ?1, 'rehearsal:' || ?1)`, id);
    for (const table of WITH_DATA) this.#run(`delete from ${table} where plugin = ?`, id);
    // What it saved into chats belongs to the chats and stays; so does its counter of versions, so that a
    // plugin registered anew repeats none.
    this.#run(
      `update usage set bytes = (select coalesce(sum(bytes), 0) from record where plugin = ?1) where plugin = ?1`,
      id,
    );
  }

  /** @throws NEIRA_NOT_FOUND */
  #removePrincipal(plugin: string, id: string): void {
    const change = this.#kv.change(plugin);
    if (!this.#principals.remove(plugin, id, change))
      throw new NeiraError('NEIRA_NOT_FOUND', { what: `principal of ${plugin}`, id });
    change.finish(Number.POSITIVE_INFINITY);
  }

  /** Deletes blobs that no version ever came to name; safe while nothing else is being applied. */
  sweepBlobs(): void {
    this.#run('delete from blob where digest not in (select blob from version_blob)');
  }

  #run(sql: string, ...values: (string | number | null | Uint8Array)[]): void {
    this.#prepare(sql).run(...values);
  }

  #get(sql: string, ...values: string[]) {
    return this.#prepare(sql).get(...values);
  }

  #all(sql: string, ...values: string[]) {
    return this.#prepare(sql).all(...values);
  }

  #prepare(sql: string): StatementSync {
    const known = this.#prepared.get(sql);
    if (known) return known;
    const statement = this.#db.prepare(sql);
    this.#prepared.set(sql, statement);
    return statement;
  }
}
