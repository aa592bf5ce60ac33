import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { NewsDesk } from './bus-news.ts';
import type { RequestIdentity } from './bus-records.ts';
import type { TurnFailure } from './records.ts';

/** A command whose answer comes as an event. */
export interface OpenAsk {
  readonly plugin: string;
  /** The principal that asked. */
  readonly as?: string;
  /** Id of the command. */
  readonly id: string;
  readonly command: string;
  readonly version: number;
  readonly key?: string;
  /** JSON. */
  readonly context?: string;
  readonly correlationId: string;
  readonly tenant: string;
}

/**
 * Requests that turns made of other plugins, with their answers (design §4): a turn that runs again finds the
 * answer to what it asked before, and asks nobody twice. They live until the delivery that asked is settled.
 */
export class RequestBook {
  readonly #news: NewsDesk;
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  readonly #answer: StatementSync;
  readonly #other: StatementSync;
  readonly #close: StatementSync;
  readonly #forget: StatementSync;
  readonly #purge: StatementSync;
  readonly #pending: StatementSync;
  readonly #pendingOf: StatementSync;
  readonly #overdue: StatementSync;
  readonly #insertAsk: StatementSync;
  readonly #ask: StatementSync;
  readonly #delete: StatementSync;
  readonly #nextAsk: StatementSync;
  /** Brings the answer to a command that was asked. */
  readonly #bring: (ask: OpenAsk, answer: string) => void;

  constructor(db: DatabaseSync, news: NewsDesk, bring: (ask: OpenAsk, answer: string) => void) {
    this.#news = news;
    this.#bring = bring;
    this.#insertAsk = db.prepare(
      `insert into request(caller, digest, occurrence, deadline_ms, plugin, principal, asked)
       values(?, '', 1, ?, ?, ?, ?) returning id`,
    );
    this.#ask = db.prepare(
      'select id from request where caller = ? and plugin is ?2 and (?3 is null or principal is ?3)',
    );
    this.#delete = db.prepare('delete from request where id = ?');
    this.#nextAsk = db.prepare('select min(deadline_ms) as due from request where asked is not null');
    this.#find = db.prepare(
      'select id, answer from request where caller = ? and digest = ? and occurrence = ?',
    );
    this.#insert = db.prepare(
      'insert into request(caller, digest, occurrence, deadline_ms) values(?, ?, ?, ?) returning id',
    );
    this.#answer = db.prepare(
      'update request set answer = ? where id = ? and answer is null returning asked',
    );
    this.#other = db.prepare('select 1 from request where caller = ? and digest <> ?');
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

  /** Whether something else was asked under a name that is for one thing. */
  isOther({ caller, digest, once }: RequestIdentity): boolean {
    return once === true && this.#other.get(caller, digest) !== undefined;
  }

  open({ caller, digest, occurrence }: RequestIdentity, deadlineMs: number): number {
    return Number(this.#insert.get(caller, digest, occurrence, deadlineMs)!['id']);
  }

  /** The answer comes as an event. */
  openAsk(ask: OpenAsk, deadlineMs: number): number {
    const { plugin, as = null, id } = ask;
    return Number(this.#insertAsk.get(`ask:${id}`, deadlineMs, plugin, as, JSON.stringify(ask))!['id']);
  }

  /** An open command of this plugin, as one of its principals only that one's own. */
  findAsk(id: string, plugin: string, principal: string | undefined): number | undefined {
    return this.#ask.get(`ask:${id}`, plugin, principal ?? null)?.['id'] as number | undefined;
  }

  /** Nobody wants its answer any more. */
  forget(id: number): void {
    this.#delete.run(id);
  }

  nextAskDueMs(): number | undefined {
    return (this.#nextAsk.get()!['due'] as number | null) ?? undefined;
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
    const answered = this.#answer.get(answer, id) as { readonly asked: string | null } | undefined;
    if (!answered) return;
    if (answered.asked === null) this.#news.answer(id, answer);
    else {
      this.#delete.run(id);
      this.#bring(JSON.parse(answered.asked) as OpenAsk, answer);
    }
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
