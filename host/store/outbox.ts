import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { NeiraError } from '../errors.ts';
import type { EventDraft, EventMode, EventRouter } from './bus-records.ts';

/** Events that may wait for other hubs. */
export const MAX_OUTBOX = 100_000;

/** An event that waits to leave this host. */
export interface OutboxEntry {
  /** Rises in the order in which events were committed. */
  readonly seq: number;
  readonly id: string;
  readonly subject: string;
  readonly mode: EventMode;
  readonly envelope: string;
}

/** What leaves this host: a row for each event that a transport carries, until another hub has it. */
export class OutboxWriter {
  readonly #router: EventRouter;
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #first: StatementSync;
  readonly #last: StatementSync;
  #patterns: readonly string[] = [];

  constructor(db: DatabaseSync, router: EventRouter) {
    this.#router = router;
    this.#insert = db.prepare('insert into outbox(event_seq, mode) values(?, ?)');
    this.#delete = db.prepare('delete from outbox where seq <= ?');
    this.#first = db.prepare('select min(seq) as seq from outbox');
    this.#last = db.prepare('select max(seq) as seq from outbox');
  }

  /** Subject patterns of what leaves from now on. */
  carry(patterns: readonly string[]): void {
    this.#patterns = patterns;
  }

  /**
   * @param seq of the event in the log
   * @throws NEIRA_OUTBOX_FULL unless it is one that must never make its cause fail: then it stays here.
   */
  add({ subject, mode }: EventDraft, seq: number, whenFull: 'refuse' | 'shed'): void {
    if (!this.#patterns.some((pattern) => this.#router.covers(pattern, subject))) return;
    const first = Number(this.#first.get()!['seq'] ?? 0);
    const last = Number(this.#last.get()!['seq'] ?? 0);
    // What is sent goes from the front, so the distance is what waits.
    if (first > 0 && last - first + 1 >= MAX_OUTBOX) {
      if (whenFull === 'shed') return;
      throw new NeiraError('NEIRA_OUTBOX_FULL', { max: MAX_OUTBOX });
    }
    this.#insert.run(seq, mode);
  }

  /** Other hubs have these and all before. */
  left(upToSeq: number): void {
    this.#delete.run(upToSeq);
  }
}

export function createOutboxReads(db: DatabaseSync) {
  const page = db.prepare(
    `select o.seq as seq, e.event_id as id, e.subject as subject, o.mode as mode, e.envelope as envelope
     from outbox o join event e on e.seq = o.event_seq order by o.seq limit ?`,
  );
  return {
    /** What waits for other hubs, the oldest first. */
    outbox: (limit: number) => page.all(limit) as unknown as readonly OutboxEntry[],
  };
}
