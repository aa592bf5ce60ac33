import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { NewsDesk } from './bus-news.ts';
import type { EventDraft } from './bus-records.ts';

export interface EventPlace {
  /** `executed`, `failed`, `dry-run`, `published`, `retried`. */
  readonly disposition: string;
  /** Turn that ran or published it; null for what comes from outside. */
  readonly turnId: string | null;
}

/** Events rows that one sweep deletes at most. */
const SWEEP_ROWS = 2000;

/** Every event in the order in which it was committed; what is old goes, unless somebody still waits for it. */
export class EventLog {
  readonly #news: NewsDesk;
  readonly #insert: StatementSync;
  readonly #last: StatementSync;
  readonly #lastBefore: StatementSync;
  readonly #firstNeeded: StatementSync;
  readonly #sweep: StatementSync;

  constructor(db: DatabaseSync, news: NewsDesk) {
    this.#news = news;
    this.#insert = db.prepare(
      `insert into event(event_id, subject, version, disposition, at_ms, turn_id, caller, envelope, schema)
       values(?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#last = db.prepare('select max(seq) as seq from event');
    this.#lastBefore = db.prepare('select seq from event where at_ms <= ? order by at_ms desc limit 1');
    this.#firstNeeded = db.prepare(
      'select min(seq) as seq from (select min(event_seq) as seq from delivery union all select min(event_seq) from outbox)',
    );
    this.#sweep = db.prepare(
      `delete from event where seq in (select seq from event where seq <= ? order by seq limit ${SWEEP_ROWS})`,
    );
  }

  /** @returns its place in the log */
  record(event: EventDraft, { disposition, turnId }: EventPlace, nowMs: number): number {
    const { id, subject, version, caller, envelope, schema = null } = event;
    if (disposition === 'published') this.#news.count('published', subject);
    const row = this.#insert.run(id, subject, version, disposition, nowMs, turnId, caller, envelope, schema);
    const seq = Number(row.lastInsertRowid);
    this.#news.recorded(seq);
    return seq;
  }

  /** Deletes events older than `beforeMs`, and those beyond the newest `keep`. */
  sweep(beforeMs: number, keep: number): void {
    const last = Number(this.#last.get()!['seq'] ?? 0);
    const old = Number(this.#lastBefore.get(beforeMs)?.['seq'] ?? 0);
    const needed = Number(this.#firstNeeded.get()!['seq'] ?? Number.MAX_SAFE_INTEGER);
    const upTo = Math.min(Math.max(old, last - keep), needed - 1);
    if (upTo > 0) this.#sweep.run(upTo);
  }
}
