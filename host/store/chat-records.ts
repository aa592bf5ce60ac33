import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { recordPath, requireId, sameName } from './names.ts';
import type { LineWriter } from './projection.ts';
import type { Effect } from './records.ts';
import { foldText } from './search.ts';

export type RecordEffect = Extract<Effect, { op: 'record' }>;

/** Annotations and messages: a row, its words for search, and a line of the session's file (UIT-09). */
export class RecordWriter {
  readonly #db: DatabaseSync;
  readonly #lines: LineWriter;
  readonly #path: StatementSync;
  readonly #name: StatementSync;
  readonly #insert: StatementSync;
  readonly #index: StatementSync;
  /** Words of this group's records. FTS5 writes out all it has at every savepoint, so they wait for the end. */
  readonly #words: { readonly seq: number | bigint; readonly text: string }[] = [];

  constructor(db: DatabaseSync, lines: LineWriter) {
    this.#db = db;
    this.#lines = lines;
    this.#path = db.prepare(
      `select path from file join record_file_name on file.id = record_file_name.file
       where type = ? and chat = ? and session = ?`,
    );
    this.#name = db.prepare('insert into record_file_name(type, chat, session, file) values(?, ?, ?, ?)');
    this.#insert = db.prepare(
      `insert into record(type, plugin, chat, session, id, line, file, offset, bytes, at_ms, pii)
       values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#index = db.prepare('insert into record_text(rowid, text) values(?, ?)');
  }

  /**
   * Saves one record within the transaction at hand; answers its number and the bytes of its line.
   * @throws NEIRA_VALUE_INVALID for an id that must not become a file name, or a line that is not one.
   */
  save(
    plugin: string,
    record: RecordEffect,
    nowMs: number,
  ): { readonly number: number; readonly bytes: number } {
    const { type, chatId, sessionId, line } = record;
    requireId(chatId, 'chatId');
    requireId(sessionId, 'sessionId');
    // A line break inside a JSON text is always escaped; raw, it would make two lines of one.
    if (/[\n\r]/.test(line)) throw new TypeError('a record must be one line');
    const known = this.#path.get(type, chatId, sessionId);
    const path = known ? (known['path'] as string) : this.#newPath(type, chatId, sessionId);
    const { file, offset, bytes } = this.#lines.append('record', path, line);
    if (!known) this.#name.run(type, chatId, sessionId, file);
    const { lastInsertRowid } = this.#insert.run(
      type,
      plugin,
      chatId,
      sessionId,
      record.id,
      line,
      file,
      offset,
      bytes,
      nowMs,
      record.pii ?? null,
    );
    this.#words.push({ seq: lastInsertRowid, text: record.text });
    return { number: Number(lastInsertRowid), bytes };
  }

  /** For taking back the words of a record that is rolled back. */
  mark(): number {
    return this.#words.length;
  }

  rewind(mark: number): void {
    this.#words.length = mark;
  }

  /** Writes the words of the group, as the last part of its transaction. */
  index(): void {
    for (const { seq, text } of this.#words) this.#index.run(seq, foldText(text));
    this.#words.length = 0;
  }

  #newPath(type: RecordEffect['type'], chat: string, session: string): string {
    const path = recordPath(type, chat, session);
    if (sameName('A') === 'A') return path;
    const taken = this.#db
      .prepare('select path from file')
      .all()
      .some((row) => sameName(row['path'] as string) === sameName(path));
    return taken ? recordPath(type, chat, session, true) : path;
  }
}
