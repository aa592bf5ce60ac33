import type { DatabaseSync } from 'node:sqlite';

/** An annotation or a message, as a plugin that may read all of them gets it. */
export interface RecordRow {
  /** Rises in the order in which records were committed. */
  readonly number: number;
  readonly type: 'annotation' | 'message';
  readonly id: string;
  readonly plugin: string;
  readonly chatId: string;
  readonly sessionId: string;
  readonly line: string;
  /** Marks of what is personal in `line`, see confidential.ts. */
  readonly pii: string | null;
}

/** One walk at a time. */
export function prepareRecords(db: DatabaseSync): (after: number) => Iterable<RecordRow> {
  const behind = db.prepare(
    `select seq as number, type, id, plugin, chat as chatId, session as sessionId, line, pii from record
     where seq > ? order by seq`,
  );
  return (after) => behind.iterate(after) as unknown as Iterable<RecordRow>;
}
