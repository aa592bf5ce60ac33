import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { NeiraError } from '../errors.ts';
import type { NewsDesk } from './bus-news.ts';
import { fault } from './fault.ts';
import type { PortSend } from './records.ts';

/** Delayed sends that one plugin may have waiting. */
export const MAX_DELAYED_SENDS = 10_000;
const DUE_ROWS = 500;

interface LeavingSend extends PortSend {
  readonly plugin: string;
  readonly turnId: string;
}

/**
 * Port sends, from the commit that promised them until somebody confirms that they left. One that is delayed
 * gets its place in the line only when its moment comes, so that what leaves to a target does so in order of time.
 */
export class DelayedSends {
  readonly #news: NewsDesk;
  readonly #insert: StatementSync;
  readonly #count: StatementSync;
  readonly #deleteOwn: StatementSync;
  readonly #delete: StatementSync;
  readonly #due: StatementSync;
  readonly #nextDue: StatementSync;
  readonly #leave: StatementSync;
  readonly #takeBack: StatementSync;

  constructor(db: DatabaseSync, news: NewsDesk) {
    this.#news = news;
    this.#insert = db.prepare(
      `insert into delayed_send(id, due_ms, plugin, turn_id, port, target, payload, principal)
       values(?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#count = db.prepare('select count(*) as count from delayed_send where plugin = ?');
    this.#deleteOwn = db.prepare(
      'delete from delayed_send where id = ? and plugin = ? and (?3 is null or principal = ?3)',
    );
    this.#delete = db.prepare('delete from delayed_send where id = ?');
    this.#due = db.prepare(
      `select id, plugin, turn_id as turnId, port, target, payload from delayed_send
       where due_ms <= ? order by due_ms, seq limit ${DUE_ROWS}`,
    );
    this.#nextDue = db.prepare('select min(due_ms) as due from delayed_send');
    this.#leave = db.prepare(
      'insert into send(id, turn_id, plugin, port, target, payload, at_ms) values(?, ?, ?, ?, ?, ?, ?)',
    );
    this.#takeBack = db.prepare('delete from send where id = ? and plugin = ? and turn_id = ?');
  }

  /** @throws NEIRA_TOO_MANY */
  add(
    { id, port, target, payload, as }: PortSend & { readonly as?: string },
    dueMs: number,
    plugin: string,
    turnId: string,
  ): void {
    if (Number(this.#count.get(plugin)!['count']) >= MAX_DELAYED_SENDS)
      throw new NeiraError('NEIRA_TOO_MANY', { plugin, what: 'delayed sends', max: MAX_DELAYED_SENDS });
    this.#insert.run(id, dueMs, plugin, turnId, port, target, payload, as ?? null);
    this.#news.delayedMoved();
  }

  /** Promised from here on: it leaves now, and after a crash again. */
  leave({ id, turnId, plugin, port, target, payload }: LeavingSend, nowMs: number): void {
    this.#leave.run(id, turnId, plugin, port, target, payload, nowMs);
  }

  /**
   * Takes back a delayed send of this plugin, as one of its principals only that one's own, or one that `turnId`,
   * which is committing now, staged itself.
   */
  cancel(id: string, plugin: string, turnId: string, principal?: string): void {
    if (this.#deleteOwn.run(id, plugin, principal ?? null).changes > 0) this.#news.delayedMoved();
    else this.#takeBack.run(id, plugin, turnId);
  }

  /** A bounded number of those whose moment has come leave, the oldest first. */
  release(nowMs: number): void {
    for (const row of this.#due.all(nowMs)) {
      const send = row as unknown as LeavingSend;
      this.#delete.run(send.id);
      this.leave(send, nowMs);
      const { id, port, target, payload } = send;
      this.#news.send({ id, port, target, payload });
      this.#news.delayedMoved();
      fault('mailbox.mid-due');
    }
  }

  nextDueMs(): number | undefined {
    return (this.#nextDue.get()!['due'] as number | null) ?? undefined;
  }
}
