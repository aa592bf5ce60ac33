import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { grantsWithin, NO_PERMISSIONS, type Permissions, pendingConsent } from '../base/permissions.ts';
import { NeiraError } from '../errors.ts';
import type { KvChange } from './kv.ts';
import type { AdminOp, JournalDraft, PrincipalDraft } from './records.ts';

/**
 * Principals: on whose behalf a plugin acts, beside itself (design §4, "Delegation").
 *
 * A plugin registers what a principal is and asks for; only an administrator grants. `seq` rises with every
 * change and is never used again, so a turn that acted as a principal can tell at its commit whether that is
 * still the one it was.
 */

/** Registrations, new and changed, of one plugin that are taken within {@link CHANGES_WINDOW_MS}: each is journaled. */
export const MAX_CHANGES = 5000;
const CHANGES_WINDOW_MS = 60 * 60 * 1000;

/** A principal as a turn sees it. */
export interface PrincipalEntry {
  readonly version: number;
  /** JSON of `Permissions`. */
  readonly asked: string;
  readonly grants: string;
}

export interface PrincipalRow extends PrincipalEntry {
  readonly plugin: string;
  readonly id: string;
  readonly title: string;
  readonly digest: string | null;
  readonly registeredAtMs: number;
  readonly updatedAtMs: number;
}

/**
 * Before the keys and the names of subscriptions that a principal has within those of its plugin. No id holds
 * a slash, so no two of them share one.
 */
export function principalPrefix(id: string): string {
  return `principal:${id}/`;
}

export function preparePrincipal(
  db: DatabaseSync,
): (plugin: string, id: string) => PrincipalEntry | undefined {
  const statement = db.prepare(
    'select seq as version, asked, grants from principal where plugin = ? and id = ?',
  );
  return (plugin, id) => statement.get(plugin, id) as PrincipalEntry | undefined;
}

export function createPrincipalReads(db: DatabaseSync) {
  const principals = db.prepare(
    `select seq as version, plugin, id, title, digest, asked, grants, registered_at_ms as registeredAtMs,
       updated_at_ms as updatedAtMs from principal where plugin = ? order by id`,
  );
  return {
    /** Of one plugin, by id. */
    principals: (plugin: string) => principals.all(plugin) as unknown as readonly PrincipalRow[],
  };
}

export class PrincipalWriter {
  readonly #row: StatementSync;
  readonly #count: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #deleteSubscriptions: StatementSync;
  readonly #deleteDelayed: StatementSync;
  readonly #deleteSends: StatementSync;
  readonly #deleteAsks: StatementSync;
  /** A nuisance is kept from filling the journal; what a restart forgets is no more than that. */
  readonly #changes = new Map<string, { count: number; sinceMs: number }>();

  constructor(db: DatabaseSync) {
    this.#row = db.prepare(
      `select title, digest, asked, grants, registered_at_ms as registeredAtMs from principal
       where plugin = ? and id = ?`,
    );
    this.#count = db.prepare('select count(*) as count from principal where plugin = ?');
    // Replacing gives a new seq.
    this.#put = db.prepare(
      `insert or replace into principal(plugin, id, title, digest, asked, grants, registered_at_ms, updated_at_ms)
       values(?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#delete = db.prepare('delete from principal where plugin = ? and id = ?');
    this.#deleteSubscriptions = db.prepare(
      'delete from subscription where plugin = ? and substr(name, 1, length(?2)) = ?2',
    );
    this.#deleteDelayed = db.prepare(
      `delete from delayed where plugin = ? and json_extract(draft, '$.as') = ?`,
    );
    this.#deleteSends = db.prepare('delete from delayed_send where plugin = ? and principal = ?');
    this.#deleteAsks = db.prepare('delete from request where plugin = ? and principal = ?');
  }

  /**
   * Registers a principal, or takes over what changed of it; what was granted stays as far as it is still
   * asked for. Answers what to journal; undefined where nothing changed.
   * @throws NEIRA_TOO_MANY
   */
  register(plugin: string, draft: PrincipalDraft, max: number, nowMs: number): JournalDraft | undefined {
    const { id, title, digest = null, asked } = draft;
    const before = this.#row.get(plugin, id) as unknown as Stored | undefined;
    if (before && before.title === title && before.digest === digest && before.asked === asked)
      return undefined;
    if (!before && Number(this.#count.get(plugin)!['count']) >= max)
      throw new NeiraError('NEIRA_TOO_MANY', { plugin, what: 'principals', max });
    this.#countChange(plugin, nowMs);
    const asks = JSON.parse(asked) as Permissions;
    const kept = before ? grantsWithin(JSON.parse(before.grants) as Permissions, asks) : NO_PERMISSIONS;
    this.#put.run(
      plugin,
      id,
      title,
      digest,
      asked,
      JSON.stringify(kept),
      before?.registeredAtMs ?? nowMs,
      nowMs,
    );
    return {
      actor: `plugin:${plugin}`,
      action: before ? 'principal.updated' : 'principal.registered',
      target: `${plugin}/${id}`,
      ...(before && {
        before: { title: before.title, digest: before.digest, asked: JSON.parse(before.asked) as unknown },
      }),
      after: { title, digest, asked: asks, pending_consent: pendingConsent(asks, kept) },
    };
  }

  /**
   * Removes a principal with everything that it kept: its keys, what it subscribed to, what it published for
   * later. Answers what to journal; undefined where it was not there.
   */
  remove(plugin: string, id: string, change: KvChange): JournalDraft | undefined {
    const before = this.#row.get(plugin, id) as unknown as Stored | undefined;
    if (!before) return undefined;
    const { title, digest, asked, grants } = before;
    const prefix = principalPrefix(id);
    this.#delete.run(plugin, id);
    this.#deleteSubscriptions.run(plugin, prefix);
    this.#deleteDelayed.run(plugin, id);
    this.#deleteSends.run(plugin, id);
    this.#deleteAsks.run(plugin, id);
    change.clear(prefix);
    return {
      actor: `plugin:${plugin}`,
      action: 'principal.removed',
      target: `${plugin}/${id}`,
      before: { title, digest, asked: JSON.parse(asked) as unknown, grants: JSON.parse(grants) as unknown },
    };
  }

  /**
   * Grants what an administrator saw asked for.
   * @throws NEIRA_CONFLICT when the principal is gone, or asks for something else by now; nothing is granted then.
   */
  grant({ plugin, id, asked, grants, atMs }: Extract<AdminOp, { op: 'principal.grant' }>): void {
    const row = this.#row.get(plugin, id) as unknown as Stored | undefined;
    if (row?.asked !== asked) {
      const by = row ? 'a registration that asks for something else by now' : 'its removal';
      throw new NeiraError('NEIRA_CONFLICT', { what: 'The principal', id, by });
    }
    const { title, digest, registeredAtMs } = row;
    this.#put.run(plugin, id, title, digest, asked, grants, registeredAtMs, atMs);
  }

  #countChange(plugin: string, nowMs: number): void {
    const known = this.#changes.get(plugin);
    const current = known && nowMs - known.sinceMs < CHANGES_WINDOW_MS ? known : { count: 0, sinceMs: nowMs };
    this.#changes.set(plugin, current);
    if (++current.count > MAX_CHANGES) {
      const what = 'changes of principals within an hour';
      throw new NeiraError('NEIRA_TOO_MANY', { plugin, what, max: MAX_CHANGES });
    }
  }
}

interface Stored {
  readonly title: string;
  readonly digest: string | null;
  readonly asked: string;
  readonly grants: string;
  readonly registeredAtMs: number;
}
