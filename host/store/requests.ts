import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { NewsDesk } from './bus-news.ts';
import type { RequestIdentity } from './bus-records.ts';
import type { TurnFailure } from './records.ts';

/**
 * Requests that turns made of other plugins, with their answers (design §4): a turn that runs again finds the
 * answer to what it asked before, and asks nobody twice. They live until the delivery that asked is settled.
 */
export class RequestBook {
  readonly #news: NewsDesk;
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  readonly #answer: StatementSync;
  readonly #close: StatementSync;
  readonly #forget: StatementSync;
  readonly #purge: StatementSync;
  readonly #pending: StatementSync;
  readonly #pendingOf: StatementSync;
  readonly #overdue: StatementSync;

  constructor(db: DatabaseSync, news: NewsDesk) {
    this.#news = news;
    this.#find = db.prepare(
      'select id, answer from request where caller = ? and digest = ? and occurrence = ?',
    );
    this.#insert = db.prepare(
      'insert into request(caller, digest, occurrence, deadline_ms) values(?, ?, ?, ?) returning id',
    );
    this.#answer = db.prepare('update request set answer = ? where id = ? and answer is null');
    this.#close = db.prepare('delete from request where caller = ?');
    this.#forget = db.prepare(`delete from request where caller = ? and answer like 'E%'`);
    this.#purge = db.prepare('delete from request where deadline_ms <= ?');
    this.#pending = db.prepare('select 1 from request where id = ? and answer is null');
    this.#pendingOf = db.prepare('select id from request where caller = ? and answer is null');
    this.#overdue = db.prepare('select id from request where answer is null and deadline_ms <= ?');
  }

  /** The request as it was made before. */
  find({ caller, digest, occurrence }: RequestIdentity) {
    return this.#find.get(caller, digest, occurrence) as { id: number; answer: string | null } | undefined;
  }

  open({ caller, digest, occurrence }: RequestIdentity, deadlineMs: number): number {
    return Number(this.#insert.get(caller, digest, occurrence, deadlineMs)!['id']);
  }

  isPending(id: number): boolean {
    return this.#pending.get(id) !== undefined;
  }

  pendingOf(caller: string): readonly number[] {
    return this.#pendingOf.all(caller).map(({ id }) => Number(id));
  }

  overdue(nowMs: number): readonly number[] {
    return this.#overdue.all(nowMs).map(({ id }) => Number(id));
  }

  /** The first answer stands. @param answer `V<json>`, `U` or `E<refusal>` */
  answer(id: number, answer: string): void {
    if (this.#answer.run(answer, id).changes > 0) this.#news.answer(id, answer);
  }

  refuse(id: number, { code, message, details }: TurnFailure): void {
    this.answer(id, `E${JSON.stringify({ code, message, details })}`);
  }

  /** The delivery that asked is settled. */
  close(caller: string): void {
    this.#close.run(caller);
  }

  /** It will be tried again, and what failed then may succeed. */
  forgetFailures(caller: string): void {
    this.#forget.run(caller);
  }

  /** Answers that nobody came back for. */
  purge(beforeMs: number): void {
    this.#purge.run(beforeMs);
  }
}
