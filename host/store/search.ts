import type { DatabaseSync } from 'node:sqlite';

/** Search and export of annotations and messages, by one mechanism for both (UIT-10). */

export interface SearchQuery {
  readonly type?: 'annotation' | 'message';
  /** Words; each is found at the beginning of a word, in any case. All must be found. */
  readonly q?: string;
  readonly chat?: string;
  readonly session?: string;
  /** `time` (the default): the oldest first. `score`: what fits best first. */
  readonly order?: 'time' | 'score';
  /** By time: what comes after the record with this `seq`. By score: so many are skipped. */
  readonly after?: number;
  readonly limit?: number;
}

export interface FoundRecord {
  readonly seq: number;
  readonly type: 'annotation' | 'message';
  readonly plugin: string;
  readonly chatId: string;
  readonly sessionId: string;
  readonly id: string;
  readonly line: string;
}

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;
const MAX_WORDS = 32;
const EXPORT_PAGE = 500;

/** The same for writing and asking: compatible forms are one, and ё is е, as Russian readers type it. */
export function foldText(text: string): string {
  return text.normalize('NFKC').replaceAll('ё', 'е').replaceAll('Ё', 'Е');
}

/**
 * What a person typed, as an FTS5 expression. Every word is a quoted prefix, so nothing in it is syntax.
 * Undefined when it holds no word at all, which nothing can match.
 */
export function matchExpression(q: string): string | undefined {
  const words = foldText(q)
    .split(/[\s\0]+/u)
    .filter((word) => /[\p{L}\p{N}]/u.test(word))
    .slice(0, MAX_WORDS);
  return words.length === 0 ? undefined : words.map((word) => `"${word.replaceAll('"', '""')}"*`).join(' ');
}

export function createSearch(db: DatabaseSync) {
  const columns = 'seq, type, plugin, chat as chatId, session as sessionId, id, line';

  function search(query: SearchQuery): readonly FoundRecord[] {
    const byScore = query.order === 'score';
    const conditions = ['record.seq > ?'];
    const values: (string | number)[] = [byScore ? 0 : (query.after ?? 0)];
    let from = 'record';
    let order = 'seq';
    if (query.q !== undefined && query.q.trim() !== '') {
      const expression = matchExpression(query.q);
      if (expression === undefined) return [];
      from = 'record_text cross join record on record.seq = record_text.rowid';
      conditions.push('record_text match ?');
      values.push(expression);
      if (byScore) order = 'bm25(record_text), seq';
    }
    for (const column of ['type', 'chat', 'session'] as const) {
      if (query[column] === undefined) continue;
      conditions.push(`${column} = ?`);
      values.push(query[column]);
    }
    const limit = Math.max(0, Math.min(query.limit ?? DEFAULT_LIMIT, MAX_LIMIT));
    // There are as many texts of this statement as combinations of conditions; node:sqlite prepares in µs.
    const sql = `select ${columns} from ${from} where ${conditions.join(' and ')} order by ${order} limit ? offset ?`;
    return db
      .prepare(sql)
      .all(...values, limit, byScore ? (query.after ?? 0) : 0) as unknown as FoundRecord[];
  }

  /** Every line that matches, oldest first; page by page, so that a long export holds no snapshot open. */
  function* exportLines(query: Omit<SearchQuery, 'limit'>): Generator<string> {
    for (let after = query.after ?? 0; ; ) {
      const page = search({ ...query, after, limit: EXPORT_PAGE });
      for (const { line } of page) yield line;
      if (page.length < EXPORT_PAGE) return;
      after = page.at(-1)!.seq;
    }
  }

  const atSeq = db.prepare(`select ${columns} from record where seq = ?`);

  /** In the order of `seqs`; where there is none, none is answered. */
  function recordsAt(seqs: readonly number[]): readonly FoundRecord[] {
    return seqs.flatMap((seq) => (atSeq.get(seq) as unknown as FoundRecord | undefined) ?? []);
  }

  return { search, recordsAt, exportLines };
}
