import type { DatabaseSync } from 'node:sqlite';
import type { DeadLetter, MailboxEntry, SubscriptionDraft } from './bus-records.ts';
import { PAGE_CHARS, PAGE_ROWS } from './event-reads.ts';
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
  /** Those whose subject it lets through. */
  readonly matches?: (subject: string) => boolean;
  /** Those with a higher number, up to another. */
  readonly after?: number;
  readonly upTo?: number;
  readonly limit: number;
}

export interface DeadLetterPage {
  readonly letters: readonly DeadLetter[];
  /** Everything up to here was looked at. */
  readonly seenTo: number;
  readonly more: boolean;
}

/** A subscription that a plugin made while it ran. */
export interface StoredSubscription {
  readonly plugin: string;
  readonly subscription: SubscriptionDraft;
}

/** What main reads of mailboxes and dead letters. */
export function createMailboxReads(db: DatabaseSync) {
  const entries = `select ${ENTRY} from delivery d join event e on e.seq = d.event_seq where d.plugin = ?`;
  const after = db.prepare(`${entries} and d.id > ? order by d.id limit ?`);
  const ofKey = db.prepare(`${entries} and d.key = ? and d.id > ? and d.id <= ? order by d.id limit ?`);
  const plugins = db.prepare('select distinct plugin from delivery');
  const waitingCount = db.prepare('select count(*) as count from delivery');
  const depth = db.prepare('select count(*) as count from delivery where plugin = ?');
  const lag = db.prepare(
    `select plugin, subscriptions ->> 0 as subscription, count(*) as depth, min(at_ms) as oldestAtMs
     from delivery group by plugin, subscriptions ->> 0 order by plugin, subscription`,
  );
  const DEAD = `id, plugin, event_id as eventId, subject, version, key, subscriptions, attempts, error,
    published_at_ms as publishedAtMs, at_ms as atMs, envelope`;
  const deadPlaces = db.prepare(
    `select id, subject from dead_letter where id > ?1 and id <= ?2 and (?3 is null or plugin = ?3)
     order by id limit ${PAGE_ROWS}`,
  );
  const lastDead = db.prepare('select coalesce(max(id), 0) as id from dead_letter');
  const subscriptions = db.prepare('select plugin, draft from subscription order by plugin, name');
  const waiting = db.prepare(
    `select subject, version, count(*) as count from delivery d join event e on e.seq = d.event_seq
     group by subject, version`,
  );
  const deadOne = db.prepare(`select ${DEAD} from dead_letter where id = ?`);
  const deadCount = db.prepare('select plugin, count(*) as count from dead_letter group by plugin');
  const delayed = db.prepare(
    'select (select count(*) from delayed) + (select count(*) from delayed_send) as count',
  );
  return {
    /** Deliveries that wait for a plugin, in order, after the one with this id. */
    mailbox: (plugin: string, afterId: number, limit: number) =>
      after.all(plugin, afterId, limit) as unknown as readonly MailboxEntry[],
    mailboxOfKey: (plugin: string, key: string, afterId: number, upToId: number, limit: number) =>
      ofKey.all(plugin, key, afterId, upToId, limit) as unknown as readonly MailboxEntry[],
    /** Plugins for which something waits. */
    mailboxPlugins: () => plugins.all().map((row) => row['plugin'] as string),
    waitingCount: () => Number(waitingCount.get()!['count']),
    mailboxDepth: (plugin: string) => Number(depth.get(plugin)!['count']),
    mailboxLags: () => lag.all() as unknown as readonly MailboxLag[],
    /** In order; a page holds no more than fits into memory. */
    deadLetters({ plugin, matches, after = 0, upTo, limit }: DeadLetterQuery): DeadLetterPage {
      const letters: DeadLetter[] = [];
      let seenTo = after;
      let scanned = 0;
      let chars = 0;
      for (const row of deadPlaces.iterate(after, upTo ?? Number.MAX_SAFE_INTEGER, plugin ?? null)) {
        seenTo = Number(row['id']);
        scanned++;
        if (!matches || matches(row['subject'] as string)) {
          const letter = deadLetterOf(deadOne.get(seenTo)!);
          letters.push(letter);
          chars += letter.envelope.length;
        }
        if (letters.length >= limit || chars >= PAGE_CHARS || scanned === PAGE_ROWS)
          return { letters, seenTo, more: true };
      }
      return { letters, seenTo, more: false };
    },
    lastDeadLetterId: () => Number(lastDead.get()!['id']),
    deadLetter(id: number): DeadLetter | undefined {
      const row = deadOne.get(id);
      return row && deadLetterOf(row);
    },
    deadLetterCounts: () =>
      new Map(deadCount.all().map((row) => [row['plugin'] as string, Number(row['count'])])),
    subscriptions: () =>
      subscriptions.all().map(
        ({ plugin, draft }): StoredSubscription => ({
          plugin: plugin as string,
          subscription: JSON.parse(draft as string) as SubscriptionDraft,
        }),
      ),
    /** How many deliveries of each event wait in all mailboxes together, by `name@version`. */
    waitingByEvent: () =>
      new Map(
        waiting.all().map(({ subject, version, count }) => [`${subject}@${version}`, Number(count)] as const),
      ),
    /** Events and sends whose moment has not come. */
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
