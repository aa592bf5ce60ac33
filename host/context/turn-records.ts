/** Annotations and messages of all plugins, as a turn that may read them gets them. */
import type { RecordRow } from '../store/record-reads.ts';
import type { Confidential } from './confidential.ts';

/** What a search looks at of one record, in characters. */
export const MAX_SEARCH_TEXT = 4096;

export interface RecordPage {
  readonly after: number;
  readonly limit: number;
  /** Of lines and texts; the first record is taken whatever its size. */
  readonly maxBytes: number;
}

/** `chat-record` of the WIT as scripts get it, and what of its line is personal. */
interface ChatRecord {
  readonly number: number;
  readonly text: string;
  readonly line: unknown;
  readonly pii?: string;
}

/** A page as it is kept for a replay, JSON. */
export function readRecords(rows: Iterable<RecordRow>, { limit, maxBytes }: RecordPage): string {
  const page: string[] = [];
  let bytes = 0;
  if (limit === 0) return '[]';
  for (const { line, pii, ...place } of rows) {
    const text = searchText(JSON.parse(line) as Saved);
    bytes += Buffer.byteLength(line) + Buffer.byteLength(text);
    if (bytes > maxBytes && page.length > 0) break;
    page.push(recordJson({ ...place, text, ...(pii !== null && { pii }) }, line));
    if (page.length >= limit) break;
  }
  return `[${page.join()}]`;
}

/** The page as the plugin gets it: what is marked in it binds the turn, and the marks themselves stay behind. */
export function showRecords(page: string, confidential: Confidential): string {
  if (!page.includes('"pii":')) return page;
  const shown = (JSON.parse(page) as ChatRecord[]).map(({ pii, line, ...place }) => {
    const text = JSON.stringify(line);
    if (pii !== undefined) confidential.markAt(text, pii);
    return recordJson(place, text);
  });
  return `[${shown.join()}]`;
}

function recordJson(place: object, line: string): string {
  return `${JSON.stringify(place).slice(0, -1)},"line":${line}}`;
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
