import type { DatabaseSync } from 'node:sqlite';

export interface StoredEvent {
  readonly seq: number;
  readonly eventId: string;
  readonly subject: string;
  /** `executed`, `failed`, `dry-run`, `published`, `retried`. */
  readonly disposition: string;
  readonly atMs: number;
  /** The turn that ran it, or that published it. */
  readonly turnId: string | null;
  readonly envelope: string;
}

export interface EventFilter {
  /** Events of exactly this subject, which an index finds. */
  readonly subject?: string;
  /** Events whose subject it lets through. */
  readonly matches?: (subject: string) => boolean;
}

export interface EventPageQuery extends EventFilter {
  /** Events with a higher place. */
  readonly after?: number;
  /** Events up to this place. */
  readonly upTo?: number;
  /** The newest first. */
  readonly reverse?: boolean;
  readonly limit: number;
}

export interface EventPage {
  readonly events: readonly StoredEvent[];
  /** Everything up to here was looked at; in reverse, down to here. */
  readonly seenTo: number;
  /** There may be more beyond `seenTo`. */
  readonly more: boolean;
}

export interface EventQuery extends EventFilter {
  readonly sinceMs?: number;
  /** What came after the event with this `seq`. */
  readonly after?: number;
  readonly limit: number;
}

/** What one page costs at most: rows that are looked at, and characters of envelopes that it holds. */
export const PAGE_ROWS = 4096;
export const PAGE_CHARS = 1024 * 1024;

const EVENT = `seq, event_id as eventId, subject, disposition, at_ms as atMs, turn_id as turnId, envelope`;

/** What main reads of the log of events. */
export function createEventReads(db: DatabaseSync) {
  const places = (order: 'asc' | 'desc', subject = '') =>
    db.prepare(
      `select seq, subject from event where ${subject} seq > ? and seq <= ? order by seq ${order} limit ${PAGE_ROWS}`,
    );
  const all = { asc: places('asc'), desc: places('desc') };
  const ofSubject = { asc: places('asc', 'subject = ? and'), desc: places('desc', 'subject = ? and') };
  const one = db.prepare(`select ${EVENT} from event where seq = ?`);
  const eventFrom = db.prepare('select seq, at_ms as atMs from event where seq >= ? order by seq limit 1');
  const lastEvent = db.prepare('select coalesce(max(seq), 0) as seq from event');

  const lastEventSeq = () => Number(lastEvent.get()!['seq']);

  /** The seq of the last event before a moment: times rise with seq, so halving finds it. */
  function eventSeqBefore(sinceMs: number): number {
    let low = 0;
    let high = lastEventSeq();
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const row = eventFrom.get(middle) as { seq: number; atMs: number } | undefined;
      if (row && row.atMs < sinceMs) low = Math.max(middle, row.seq);
      else high = middle - 1;
    }
    return low;
  }

  /**
   * A bounded piece of the log. Envelopes are read of matching events alone, so that what a filter leaves out
   * costs little.
   */
  function eventPage(query: EventPageQuery): EventPage {
    const { subject, matches, after = 0, reverse = false, limit } = query;
    // Taken first: an event that is committed meanwhile lies behind it and is not passed over.
    const last = lastEventSeq();
    const upTo = Math.min(query.upTo ?? Number.MAX_SAFE_INTEGER, last);
    const order = reverse ? 'desc' : 'asc';
    const rows =
      subject === undefined
        ? all[order].iterate(after, upTo)
        : ofSubject[order].iterate(subject, after, upTo);
    const events: StoredEvent[] = [];
    let scanned = 0;
    let chars = 0;
    for (const row of rows as Iterable<unknown> as Iterable<{ seq: number; subject: string }>) {
      scanned++;
      if (!matches || matches(row.subject)) {
        const event = one.get(row.seq) as unknown as StoredEvent;
        events.push(event);
        chars += event.envelope.length;
      }
      if (events.length >= limit || chars >= PAGE_CHARS || scanned === PAGE_ROWS)
        return { events, seenTo: reverse ? row.seq - 1 : row.seq, more: true };
    }
    return { events, seenTo: reverse ? after : Math.max(upTo, after), more: false };
  }

  return {
    lastEventSeq,
    eventSeqBefore,
    eventPage,

    /** Events after `after` or since `sinceMs`; with neither the newest. Always the oldest of them first. */
    events({ sinceMs, after, limit, ...filter }: EventQuery): readonly StoredEvent[] {
      const reverse = after === undefined && sinceMs === undefined;
      const found: StoredEvent[] = [];
      let range: { readonly after?: number; readonly upTo?: number } = reverse
        ? {}
        : { after: Math.max(after ?? 0, sinceMs === undefined ? 0 : eventSeqBefore(sinceMs)) };
      for (let more = limit > 0; more && found.length < limit; ) {
        const page = eventPage({ ...filter, ...range, reverse, limit: limit - found.length });
        found.push(...page.events);
        range = reverse ? { upTo: page.seenTo } : { after: page.seenTo };
        more = page.more;
      }
      return reverse ? found.reverse() : found;
    },
  };
}
