/** Annotations and messages of all plugins, as a turn that may read them gets them. */
import type { RecordRow } from '../store/record-reads.ts';
import type { Confidential } from './confidential.ts';

/** What a search looks at of one record, in characters. */
export const MAX_SEARCH_TEXT = 4096;

export interface RecordPage {
  readonly after: number;
  readonly limit: number;
  /** Without lines. */
  readonly textOnly: boolean;
  /** Of lines and texts; the first record is taken whatever its size. */
  readonly maxBytes: number;
}

/** `chat-record` of the WIT as scripts get it, and what of its line is personal. */
interface ChatRecord {
  readonly number: number;
  readonly text: string;
  readonly line?: unknown;
  readonly pii?: string;
}

/** A page as it is kept for a replay, JSON: with the lines that are asked for, or in which something is marked. */
export function readRecords(rows: Iterable<RecordRow>, { limit, maxBytes, textOnly }: RecordPage): string {
  const page: string[] = [];
  let bytes = 0;
  if (limit === 0) return '[]';
  for (const { line, pii, ...place } of rows) {
    const text = searchText(JSON.parse(line) as Saved);
    bytes += Buffer.byteLength(text) + (textOnly ? 0 : Buffer.byteLength(line));
    if (bytes > maxBytes && page.length > 0) break;
    const record = JSON.stringify({ ...place, text, ...(pii !== null && { pii }) });
    page.push(textOnly && pii === null ? record : withLine(record, line));
    if (page.length >= limit) break;
  }
  return `[${page.join()}]`;
}

/** The page as the plugin gets it: what is marked in it binds the turn, and the marks themselves stay behind. */
export function showRecords(page: string, { textOnly }: RecordPage, confidential: Confidential): string {
  if (!page.includes('"pii":')) return page;
  const shown = (JSON.parse(page) as ChatRecord[]).map(({ pii, line, ...place }) => {
    if (pii !== undefined) confidential.markAt(JSON.stringify(line), pii);
    return textOnly ? place : { ...place, line };
  });
  return JSON.stringify(shown);
}

/** The line is JSON already. */
function withLine(record: string, line: string): string {
  return `${record.slice(0, -1)},"line":${line}}`;
}

export interface Saved {
  readonly type?: unknown;
  readonly text?: unknown;
  readonly kind?: unknown;
  readonly data?: unknown;
}

/** The text of a message, the kind and all texts of an annotation. */
export function searchText({ type, text, kind, data }: Saved): string {
  const all = type === 'message' ? String(text) : `${kind} ${textsIn(data)}`;
  return all.slice(0, MAX_SEARCH_TEXT);
}

/** Every string inside `value`; as much of it as search keeps. */
function textsIn(value: unknown): string {
  const found: string[] = [];
  let length = 0;
  const open: unknown[] = [value];
  while (open.length > 0 && length < MAX_SEARCH_TEXT) {
    const part = open.pop();
    if (typeof part === 'string') {
      found.push(part);
      length += part.length + 1;
    } else if (typeof part === 'object' && part !== null) {
      const parts = Array.isArray(part) ? part : Object.values(part);
      // What lies first is found first.
      for (let index = parts.length - 1; index >= 0; index--) {
        if (typeof parts[index] !== 'number') open.push(parts[index]);
      }
    }
  }
  return found.join(' ');
}
