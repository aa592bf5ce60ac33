import type { DatabaseSync } from 'node:sqlite';
import type { DeadLetter, MailboxEntry } from './bus-records.ts';
import { ENTRY } from './mailboxes.ts';

/** How far behind one subscription is. */
export interface MailboxLag {
  readonly plugin: string;
  /** Name of the subscription that brought the deliveries. */
  readonly subscription: string;
  readonly depth: number;
  readonly oldestAtMs: number;
}

export interface DeadLetterQuery {
  readonly plugin?: string;
  readonly subject?: string;
  /** Those with a higher number. */
  readonly after?: number;
  readonly limit: number;
}

/** What main reads of mailboxes and dead letters. */
export function createMailboxReads(db: DatabaseSync) {
  const entries = `select ${ENTRY} from delivery d join event e on e.seq = d.event_seq where d.plugin = ?`;
  const after = db.prepare(`${entries} and d.id > ? order by d.id limit ?`);
  const ofKey = db.prepare(`${entries} and d.key = ? and d.id > ? and d.id <= ? order by d.id limit ?`);
  const plugins = db.prepare('select distinct plugin from delivery');
  const depth = db.prepare('select count(*) as count from delivery where plugin = ?');
  const lag = db.prepare(
    `select plugin, subscriptions ->> 0 as subscription, count(*) as depth, min(at_ms) as oldestAtMs
     from delivery group by plugin, subscriptions ->> 0 order by plugin, subscription`,
  );
  const DEAD = `id, plugin, event_id as eventId, subject, version, key, subscriptions, attempts, error,
    published_at_ms as publishedAtMs, at_ms as atMs, envelope`;
  const dead = db.prepare(
    `select ${DEAD} from dead_letter where id > ?1 and (?2 is null or plugin = ?2) and (?3 is null or subject = ?3)
     order by id limit ?4`,
  );
  const deadOne = db.prepare(`select ${DEAD} from dead_letter where id = ?`);
  const deadCount = db.prepare('select plugin, count(*) as count from dead_letter group by plugin');
  const delayed = db.prepare('select count(*) as count from delayed');
  return {
    /** Deliveries that wait for a plugin, in order, after the one with this id. */
    mailbox: (plugin: string, afterId: number, limit: number) =>
      after.all(plugin, afterId, limit) as unknown as readonly MailboxEntry[],
    mailboxOfKey: (plugin: string, key: string, afterId: number, upToId: number, limit: number) =>
      ofKey.all(plugin, key, afterId, upToId, limit) as unknown as readonly MailboxEntry[],
    /** Plugins for which something waits. */
    mailboxPlugins: () => plugins.all().map((row) => row['plugin'] as string),
    mailboxDepth: (plugin: string) => Number(depth.get(plugin)!['count']),
    mailboxLags: () => lag.all() as unknown as readonly MailboxLag[],
    deadLetters: ({ plugin, subject, after: afterId = 0, limit }: DeadLetterQuery) =>
      dead.all(afterId, plugin ?? null, subject ?? null, limit).map(deadLetterOf),
    deadLetter(id: number): DeadLetter | undefined {
      const row = deadOne.get(id);
      return row && deadLetterOf(row);
    },
    deadLetterCounts: () =>
      new Map(deadCount.all().map((row) => [row['plugin'] as string, Number(row['count'])])),
    delayedCount: () => Number(delayed.get()!['count']),
  };
}

function deadLetterOf(row: Record<string, unknown>): DeadLetter {
  return {
    ...row,
    error: JSON.parse(row['error'] as string),
    subscriptions: JSON.parse(row['subscriptions'] as string),
  } as unknown as DeadLetter;
}
