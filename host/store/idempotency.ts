import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Ack } from './records.ts';

const KEPT_MS = 24 * 60 * 60 * 1000;

/** Keys under which clients send again what they are not sure of, with what was answered the first time. */
export class IdempotencyKeys {
  readonly #find: StatementSync;
  readonly #insert: StatementSync;

  constructor(db: DatabaseSync) {
    this.#find = db.prepare('select digest, reply from idempotency where key = ? and expires_at_ms > ?');
    this.#insert = db.prepare(
      'insert or replace into idempotency(key, digest, reply, expires_at_ms) values(?, ?, ?, ?)',
    );
  }

  /** The answer of before, or the refusal of a key that came with something else; undefined for a new one. */
  lookUp({ key, digest }: { readonly key: string; readonly digest: string }, nowMs: number): Ack | undefined {
    const used = this.#find.get(key, nowMs);
    if (!used) return undefined;
    if (used['digest'] === digest) return { ok: true, replay: used['reply'] as string };
    return { ok: false, error: { code: 'NEIRA_IDEMPOTENCY_MISMATCH', details: {} } };
  }

  remember(
    { key, digest, reply }: { readonly key: string; readonly digest: string; readonly reply: string },
    nowMs: number,
  ): void {
    this.#insert.run(key, digest, reply, nowMs + KEPT_MS);
  }
}
