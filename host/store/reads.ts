import type { DatabaseSync } from 'node:sqlite';
import { createEventReads } from './event-reads.ts';
import type { JournalEntry } from './journal.ts';
import { createMailboxReads } from './mailbox-reads.ts';
import { createOutboxReads } from './outbox.ts';
import { createPrincipalReads } from './principals.ts';
import type {
  GateRow,
  LogLine,
  PluginRow,
  PortSend,
  SecretRow,
  TokenRow,
  TurnFailure,
  TurnOutcome,
  VersionRow,
} from './records.ts';
import { createSearch } from './search.ts';
import { dayOf } from './statistics.ts';
import { createTranscriptReads } from './transcript-reads.ts';

export interface StoredLog extends Omit<LogLine, 'as'> {
  readonly seq: number;
  readonly turnId: string;
  readonly principal: string | null;
}

export interface StoredFailure {
  readonly seq: number;
  readonly plugin: string;
  readonly turnId: string;
  /** Digest of the version that ran. */
  readonly version: string;
  readonly eventId: string;
  readonly atMs: number;
  readonly error: TurnFailure;
  readonly envelope: string;
  /** JSON of `Reads`; null when it was too large to keep. */
  readonly reads: string | null;
}

export interface StoredTurn {
  readonly turnId: string;
  readonly plugin: string;
  readonly version: string;
  readonly gate: string;
  readonly eventId: string;
  readonly outcome: TurnOutcome;
  readonly startedAtMs: number;
  readonly runMs: number;
  readonly fuel: number;
}

export interface Statistic {
  readonly plugin: string;
  readonly gate: string;
  readonly turns: number;
  readonly failures: number;
  readonly dryRuns: number;
  readonly fuel: number;
  readonly runMs: number;
}

const PLUGIN = `id, kind, state, digest, path, origin, source_digest as sourceDigest, grants, settings, reason,
  last_error as lastError, registered_at_ms as registeredAtMs, updated_at_ms as updatedAtMs`;
const VERSION = `plugin, digest, version, manifest, files, bundle, source_map as sourceMap,
  created_at_ms as createdAtMs, signed_by as signedBy`;
const TOKEN = `id, name, hash, scopes, created_at_ms as createdAtMs, expires_at_ms as expiresAtMs,
  revoked_at_ms as revokedAtMs`;

export type StoreReads = ReturnType<typeof createReads>;

/** What main reads, synchronously and always committed. Lists are ordered oldest first where time orders them. */
export function createReads(db: DatabaseSync, home: string) {
  const plugins = db.prepare(`select ${PLUGIN} from plugin order by id`);
  const plugin = db.prepare(`select ${PLUGIN} from plugin where id = ?`);
  const versions = db.prepare(`select ${VERSION} from version where plugin = ? order by seq desc`);
  const version = db.prepare(`select ${VERSION} from version where plugin = ? and digest = ?`);
  const blob = db.prepare('select bytes from blob where digest = ?');
  const gates = db.prepare(
    'select id, stage, since_ms as sinceMs, declared_by as declaredBy, declaration from gate order by id',
  );
  const tokens = db.prepare(`select ${TOKEN} from token order by created_at_ms, id`);
  const tokenByHash = db.prepare(`select ${TOKEN} from token where hash = ?`);
  const secrets = db.prepare(
    'select name, version, sealed, created_at_ms as createdAtMs, set_at_ms as setAtMs from secret order by name',
  );
  const setting = db.prepare('select value from setting where name = ?');
  const journalAfter = db.prepare('select line from journal where seq > ? order by seq limit ?');
  const journalNewest = db.prepare(
    'select line from (select seq, line from journal order by seq desc limit ?) order by seq',
  );
  const logs = db.prepare(
    `select seq, turn_id as turnId, level, message, at_ms as atMs, principal from (
       select * from log where plugin = ? order by seq desc limit ?) order by seq`,
  );
  const failures = db.prepare(
    `select seq, plugin, turn_id as turnId, digest as version, event_id as eventId, at_ms as atMs, error, envelope,
       reads from (select * from failure where plugin = ? order by seq desc limit ?) order by seq`,
  );
  const turn = db.prepare(
    `select turn_id as turnId, plugin, digest as version, gate, event_id as eventId, outcome,
       started_at_ms as startedAtMs, run_ms as runMs, fuel from turn where turn_id = ?`,
  );
  const recipe = db.prepare('select body from recipe where digest = ?');
  const idempotent = db.prepare('select digest, reply from idempotency where key = ? and expires_at_ms > ?');
  const statistics = db.prepare(
    `select plugin, gate, sum(turns) as turns, sum(failures) as failures, sum(dry_runs) as dryRuns,
       sum(fuel) as fuel, sum(run_ms) as runMs from stat where day >= ? group by plugin, gate order by plugin, gate`,
  );
  const usage = db.prepare('select bytes from usage where plugin = ?');
  const sends = db.prepare('select id, port, target, payload from send order by seq limit ?');
  const { search, recordsAt, exportLines } = createSearch(db);

  return {
    plugins: () => plugins.all() as unknown as readonly PluginRow[],
    plugin: (id: string) => plugin.get(id) as unknown as PluginRow | undefined,
    /** Newest first. */
    versions: (id: string) => versions.all(id) as unknown as readonly VersionRow[],
    version: (id: string, digest: string) => version.get(id, digest) as unknown as VersionRow | undefined,
    blob: (digest: string) => blob.get(digest)?.['bytes'] as Uint8Array | undefined,
    gates: () => gates.all() as unknown as readonly GateRow[],
    tokens: () => tokens.all() as unknown as readonly TokenRow[],
    tokenByHash: (hash: string) => tokenByHash.get(hash) as unknown as TokenRow | undefined,
    secrets: () => secrets.all() as unknown as readonly SecretRow[],
    /** The value of a host setting, as it was put. */
    settings: (name: string) => setting.get(name)?.['value'] as string | undefined,

    /** Entries after `after`; without it the newest. Always the oldest of them first. */
    journal(after: number | undefined, limit: number): readonly JournalEntry[] {
      const rows = after === undefined ? journalNewest.all(limit) : journalAfter.all(after, limit);
      return rows.map((row) => JSON.parse(row['line'] as string) as JournalEntry);
    },

    /** The newest, oldest of them first. */
    logs: (id: string, limit: number) => logs.all(id, limit) as unknown as readonly StoredLog[],
    failures: (id: string, limit: number) =>
      failures.all(id, limit).map((row) => ({
        ...row,
        error: JSON.parse(row['error'] as string),
      })) as unknown as readonly StoredFailure[],
    turn(turnId: string): StoredTurn | undefined {
      const row = turn.get(turnId);
      return row && ({ ...row, outcome: JSON.parse(row['outcome'] as string) } as unknown as StoredTurn);
    },
    idempotentReply: (key: string) =>
      idempotent.get(key, Date.now()) as { readonly digest: string; readonly reply: string } | undefined,
    /** Sums per plugin and gate over whole days (UTC), from the day of `sinceMs` on. */
    statistics: (sinceMs = 0) => statistics.all(dayOf(sinceMs)) as unknown as readonly Statistic[],
    usageBytes: (id: string) => Number(usage.get(id)?.['bytes'] ?? 0),
    /** Port sends that nobody has confirmed with a `sent` record. */
    pendingSends: (limit = 1000) => sends.all(limit) as unknown as readonly PortSend[],
    recipe: (digest: string) => recipe.get(digest)?.['body'] as string | undefined,
    ...createTranscriptReads(db, home),
    ...createEventReads(db),
    ...createMailboxReads(db),
    ...createOutboxReads(db),
    ...createPrincipalReads(db),
    search,
    recordsAt,
    exportLines,
  };
}
