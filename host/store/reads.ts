import type { DatabaseSync } from 'node:sqlite';
import type { JournalEntry } from './journal.ts';
import { createMailboxReads } from './mailbox-reads.ts';
import type {
  GateRow,
  LogLine,
  PluginRow,
  PortSend,
  TokenRow,
  TurnFailure,
  TurnOutcome,
  VersionRow,
} from './records.ts';
import { createSearch } from './search.ts';
import { dayOf } from './statistics.ts';

export interface StoredEvent {
  readonly seq: number;
  readonly eventId: string;
  readonly subject: string;
  /** `executed`, `failed`, `dry-run`, `published`. */
  readonly disposition: string;
  readonly atMs: number;
  /** The turn that ran it, or that published it. */
  readonly turnId: string | null;
  readonly envelope: string;
}

export interface EventQuery {
  /** A subject, or a pattern: `*` is one part of the name, `>` at the end all that follow. */
  readonly subject?: string;
  readonly sinceMs?: number;
  /** What came after the event with this `seq`. */
  readonly after?: number;
  readonly limit: number;
}

export interface StoredLog extends LogLine {
  readonly seq: number;
  readonly turnId: string;
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
const EVENT = `seq, event_id as eventId, subject, disposition, at_ms as atMs, turn_id as turnId, envelope`;

export type StoreReads = ReturnType<typeof createReads>;

/** What main reads, synchronously and always committed. Lists are ordered oldest first where time orders them. */
export function createReads(db: DatabaseSync) {
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
  const setting = db.prepare('select value from setting where name = ?');
  const journalAfter = db.prepare('select line from journal where seq > ? order by seq limit ?');
  const journalNewest = db.prepare(
    'select line from (select seq, line from journal order by seq desc limit ?) order by seq',
  );
  const eventsAfter = db.prepare(`select ${EVENT} from event where seq > ? order by seq`);
  const eventsBefore = db.prepare(`select ${EVENT} from event order by seq desc`);
  const subjectAfter = db.prepare(`select ${EVENT} from event where subject = ? and seq > ? order by seq`);
  const subjectBefore = db.prepare(`select ${EVENT} from event where subject = ? order by seq desc`);
  const eventFrom = db.prepare('select seq, at_ms as atMs from event where seq >= ? order by seq limit 1');
  const lastEvent = db.prepare('select coalesce(max(seq), 0) as seq from event');
  const logs = db.prepare(
    `select seq, turn_id as turnId, level, message, at_ms as atMs from (
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
  const idempotent = db.prepare('select digest, reply from idempotency where key = ? and expires_at_ms > ?');
  const statistics = db.prepare(
    `select plugin, gate, sum(turns) as turns, sum(failures) as failures, sum(dry_runs) as dryRuns,
       sum(fuel) as fuel, sum(run_ms) as runMs from stat where day >= ? group by plugin, gate order by plugin, gate`,
  );
  const usage = db.prepare('select bytes from usage where plugin = ?');
  const sends = db.prepare('select id, port, target, payload from send order by seq limit ?');
  const { search, exportLines } = createSearch(db);

  /** The seq of the last event before a moment: times rise with seq, so halving finds it. */
  function lastSeqBefore(sinceMs: number): number {
    let low = 0;
    let high = Number(lastEvent.get()!['seq']);
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const row = eventFrom.get(middle) as { seq: number; atMs: number } | undefined;
      if (row && row.atMs < sinceMs) low = Math.max(middle, row.seq);
      else high = middle - 1;
    }
    return low;
  }

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
    /** The value of a host setting, as it was put. */
    settings: (name: string) => setting.get(name)?.['value'] as string | undefined,

    /** Entries after `after`; without it the newest. Always the oldest of them first. */
    journal(after: number | undefined, limit: number): readonly JournalEntry[] {
      const rows = after === undefined ? journalNewest.all(limit) : journalAfter.all(after, limit);
      return rows.map((row) => JSON.parse(row['line'] as string) as JournalEntry);
    },

    /** Events after `after` or since `sinceMs`; with neither the newest. Always the oldest of them first. */
    events({ subject, sinceMs, after, limit }: EventQuery): readonly StoredEvent[] {
      const newest = after === undefined && sinceMs === undefined;
      const from = Math.max(after ?? 0, sinceMs === undefined ? 0 : lastSeqBefore(sinceMs));
      const exact = subject !== undefined && !/[*>]/.test(subject);
      const rows = exact
        ? newest
          ? subjectBefore.iterate(subject)
          : subjectAfter.iterate(subject, from)
        : newest
          ? eventsBefore.iterate()
          : eventsAfter.iterate(from);
      const pattern = exact || subject === undefined ? undefined : subjectPattern(subject);
      const found: StoredEvent[] = [];
      if (limit > 0) {
        for (const row of rows as Iterable<unknown> as Iterable<StoredEvent>) {
          if (pattern && !pattern.test(row.subject)) continue;
          if (found.push(row) >= limit) break;
        }
      }
      return newest ? found.reverse() : found;
    },
    lastEventSeq: () => Number(lastEvent.get()!['seq']),

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
    ...createMailboxReads(db),
    search,
    exportLines,
  };
}

function subjectPattern(pattern: string): RegExp {
  const parts = pattern.split('.').map((part, index, all) => {
    if (part === '*') return '[^.]+';
    if (part === '>' && index === all.length - 1) return '.+';
    return part.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('\\.')}$`);
}
