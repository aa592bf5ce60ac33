import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { NeiraError } from '../errors.ts';
import type { HttpAnswerRecord, HttpIntentRecord } from './http-records.ts';

/** Answers of one plugin whose deliveries are not settled; above it no further request is begun. */
export const MAX_KEPT_BYTES = 64 * 1024 * 1024;
/** For UI events, which end with their process, and for deliveries that were dropped. */
const KEPT_MS = 24 * 60 * 60 * 1000;

/** What becomes of requests when an attempt of their delivery is over. */
export type AttemptEnd =
  | 'settled'
  /** It will be made again, since `handle` threw: what failed then may succeed. */
  | 'threw'
  /** It will be made again, and `handle` is to find all as it was. */
  | 'lost';

/**
 * Requests that turns made over HTTP, each kept before it left, with its answer before the plugin saw it. A row without
 * an answer is one of which nobody knows whether it was carried out.
 */
export class HttpBook {
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  readonly #answer: StatementSync;
  readonly #withdraw: StatementSync;
  readonly #close: StatementSync;
  readonly #forget: StatementSync;
  readonly #heldBytes: StatementSync;
  readonly #purge: StatementSync;

  constructor(db: DatabaseSync) {
    this.#find = db.prepare(
      'select id, answer from http_request where caller = ? and digest = ? and occurrence = ?',
    );
    this.#insert = db.prepare(
      `insert into http_request(caller, digest, occurrence, plugin, delivery, at_ms) values(?, ?, ?, ?, ?, ?)
       returning id`,
    );
    this.#answer = db.prepare(
      'update http_request set answer = ?, passing = ?, bytes = ? where id = ? and answer is null',
    );
    this.#withdraw = db.prepare('delete from http_request where id = ? and answer is null');
    this.#close = db.prepare('delete from http_request where caller = ?');
    this.#forget = db.prepare('delete from http_request where caller = ? and passing = 1');
    this.#heldBytes = db.prepare(
      'select coalesce(sum(bytes), 0) as bytes from http_request where plugin = ? and bytes > 0',
    );
    this.#purge = db.prepare(
      `delete from http_request where at_ms <= ? and (delivery is null
         or not exists(select 1 from delivery where delivery.id = http_request.delivery))`,
    );
  }

  /** @throws NEIRA_TOO_MANY when the answers that the plugin has kept take too much room */
  begin(
    { identity, plugin, delivery, findOnly }: HttpIntentRecord,
    nowMs: number,
  ): { request?: number; answer?: string; fresh?: true } {
    const { caller, digest, occurrence } = identity;
    const known = this.#find.get(caller, digest, occurrence) as
      | { id: number; answer: string | null }
      | undefined;
    if (known) return { request: known.id, ...(known.answer !== null && { answer: known.answer }) };
    if (findOnly) return {};
    if (Number(this.#heldBytes.get(plugin)!['bytes']) > MAX_KEPT_BYTES) {
      const what = 'bytes of answers kept for turns that are not done';
      throw new NeiraError('NEIRA_TOO_MANY', { plugin, what, max: MAX_KEPT_BYTES });
    }
    const { id } = this.#insert.get(caller, digest, occurrence, plugin, delivery ?? null, nowMs) as {
      id: number;
    };
    return { request: id, fresh: true };
  }

  end({ id, answer, passing }: HttpAnswerRecord): void {
    if (answer === undefined) this.#withdraw.run(id);
    else this.#answer.run(answer, passing ? 1 : 0, Buffer.byteLength(answer), id);
  }

  attemptEnded(caller: string, end: AttemptEnd): void {
    if (end === 'settled') this.#close.run(caller);
    else if (end === 'threw') this.#forget.run(caller);
  }

  purge(nowMs: number): void {
    this.#purge.run(nowMs - KEPT_MS);
  }
}
