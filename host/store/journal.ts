import { createHash, randomBytes } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { journalPath } from './names.ts';
import type { LineWriter } from './projection.ts';
import type { JournalDraft } from './records.ts';

/**
 * The journal: every change of the host, append-only and hash-chained (HOST-28, HOST-42). Each entry carries
 * the hash of the one before it, so that none can be changed, taken out or put between without a trace.
 * The truth is the table `journal`; `journal/YYYY-MM.ndjson` shows it.
 */
export interface JournalEntry {
  readonly seq: number;
  /** `nm_…`: unique, and sorted as text it is sorted by time. */
  readonly 'neira:meta': string;
  readonly ts: string;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly note?: string;
  /** Hash of the entry before; 64 zeros for the first. */
  readonly prev: string;
  readonly hash: string;
}

export const FIRST_PREV = '0'.repeat(64);
const BASE32 = '0123456789abcdefghjkmnpqrstvwxyz';
const RANDOM_BYTES = 10;

export class JournalWriter {
  readonly #last: StatementSync;
  readonly #insert: StatementSync;
  readonly #lines: LineWriter;

  constructor(db: DatabaseSync, lines: LineWriter) {
    this.#last = db.prepare('select line from journal order by seq desc limit 1');
    this.#insert = db.prepare('insert into journal(seq, meta, line, file, offset) values(?, ?, ?, ?, ?)');
    this.#lines = lines;
  }

  /** Appends within the transaction at hand; answers the meta id. */
  append(draft: JournalDraft, nowMs: number): string {
    const row = this.#last.get();
    const last = row ? (JSON.parse(row['line'] as string) as JournalEntry) : undefined;
    const seq = (last?.seq ?? 0) + 1;
    // A clock that was set back must not bring the entries out of order.
    const atMs = Math.max(nowMs, last ? Date.parse(last.ts) : 0);
    const entry: Omit<JournalEntry, 'hash'> = {
      seq,
      'neira:meta': metaId(atMs, seq),
      ts: new Date(atMs).toISOString(),
      actor: draft.actor,
      action: draft.action,
      target: draft.target,
      ...(draft.before !== undefined && { before: draft.before }),
      ...(draft.after !== undefined && { after: draft.after }),
      ...(draft.note !== undefined && { note: draft.note }),
      prev: last?.hash ?? FIRST_PREV,
    };
    const line = JSON.stringify({ ...entry, hash: hashOf(entry) });
    const { file, offset } = this.#lines.append('journal', journalPath(atMs), line);
    this.#insert.run(seq, entry['neira:meta'], line, file, offset);
    return entry['neira:meta'];
  }
}

/** sha-256 over the hash before and the entry without its own hash, keys sorted. */
export function hashOf(entry: Omit<JournalEntry, 'hash'>): string {
  const { hash: _own, ...content } = entry as JournalEntry;
  return createHash('sha256')
    .update(entry.prev)
    .update(canonicalJson(JSON.parse(JSON.stringify(content))))
    .digest('hex');
}

/** JSON with the keys of every object in order, so that equal content has equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join()}}`;
}

function metaId(atMs: number, seq: number): string {
  let random = '';
  for (const byte of randomBytes(RANDOM_BYTES)) random += BASE32[byte % 32];
  return `nm_${base32(atMs, 10)}${base32(seq, 7)}${random}`;
}

function base32(value: number, digits: number): string {
  let text = '';
  for (let rest = value, n = 0; n < digits; n++, rest = Math.floor(rest / 32))
    text = BASE32[rest % 32] + text;
  return text;
}
