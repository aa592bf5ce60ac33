import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { RequestAnswer, RequestIdentity } from './bus-records.ts';

/**
 * Requests that turns made of other plugins, with their answers (design §4): a turn that runs again finds the
 * answer to what it asked before, and asks nobody twice. They live until the delivery that asked is settled.
 */
export class RequestBook {
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  readonly #answer: StatementSync;
  readonly #close: StatementSync;
  readonly #forget: StatementSync;
  readonly #overdue: StatementSync;
  readonly #pending: StatementSync;
  readonly #pendingOf: StatementSync;
  readonly #late: StatementSync;
  #answers: RequestAnswer[] = [];

  constructor(db: DatabaseSync) {
    this.#find = db.prepare(
      'select id, answer from request where caller = ? and digest = ? and occurrence = ?',
    );
    this.#insert = db.prepare(
      'insert into request(caller, digest, occurrence, deadline_ms) values(?, ?, ?, ?) returning id',
    );
    this.#answer = db.prepare('update request set answer = ? where id = ? and answer is null');
    this.#close = db.prepare('delete from request where caller = ?');
    this.#forget = db.prepare(`delete from request where caller = ? and answer like 'E%'`);
    this.#overdue = db.prepare('delete from request where deadline_ms <= ?');
    this.#pendingOf = db.prepare('select id from request where caller = ? and answer is null');
    this.#late = db.prepare('select id, caller from request where answer is null and deadline_ms <= ?');
    this.#pending = db.prepare('select 1 from request where id = ? and answer is null');
  }

  /** The request as it was made before. */
  find({ caller, digest, occurrence }: RequestIdentity): { id: number; answer: string | null } | undefined {
    return this.#find.get(caller, digest, occurrence) as { id: number; answer: string | null } | undefined;
  }

  open({ caller, digest, occurrence }: RequestIdentity, deadlineMs: number): number {
    return Number(this.#insert.get(caller, digest, occurrence, deadlineMs)!['id']);
  }

  pendingOf(caller: string): readonly number[] {
    return this.#pendingOf.all(caller).map(({ id }) => Number(id));
  }

  overdue(nowMs: number): readonly { readonly id: number; readonly caller: string }[] {
    return this.#late.all(nowMs) as unknown as readonly { id: number; caller: string }[];
  }

  isPending(id: number): boolean {
    return this.#pending.get(id) !== undefined;
  }

  /** The first answer stands. @param answer `V<json>`, `U` or `E<refusal>` */
  answer(id: number, answer: string): void {
    if (this.#answer.run(answer, id).changes > 0) this.#answers.push({ id, answer });
  }

  /** The delivery that asked is settled. */
  close(caller: string): void {
    this.#close.run(caller);
  }

  /** It will be tried again, and what failed then may succeed. */
  forgetFailures(caller: string): void {
    this.#forget.run(caller);
  }

  /** Of turns that ended without a word: nobody will come back to these. */
  purge(beforeMs: number): void {
    this.#overdue.run(beforeMs);
  }

  mark(): number {
    return this.#answers.length;
  }

  rewind(mark: number): void {
    this.#answers.length = mark;
  }

  take(): readonly RequestAnswer[] {
    const answers = this.#answers;
    this.#answers = [];
    return answers;
  }
}
