import { createHash } from 'node:crypto';
import { NeiraError } from '../errors.ts';

const ID = /^[\p{L}\p{N}_.-]{1,128}$/u;
const ONLY_DOTS = /^\.+$/;
/** File systems allow 255 bytes; what follows the name (`.annotations.ndjson.set-aside-…`) needs room too. */
const MAX_NAME_BYTES = 200;
const PREFIX_BYTES = 100;
/** Names that Windows does not take as they are. */
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)|[. ]$/i;

const SUFFIX = { annotation: '.annotations.ndjson', message: '.messages.ndjson' } as const;

/**
 * An id that comes from outside and becomes a file name.
 * @throws NEIRA_VALUE_INVALID unless it matches `[\p{L}\p{N}_.-]{1,128}` and is not only dots.
 */
export function requireId(id: unknown, what: string): asserts id is string {
  if (typeof id === 'string' && ID.test(id) && !ONLY_DOTS.test(id)) return;
  const reason = 'it must be 1 to 128 letters, digits, `_`, `.` or `-`, and not only dots';
  throw new NeiraError('NEIRA_VALUE_INVALID', { what, reason });
}

/**
 * Where the lines of a chat session lie, relative to the home: `context/<chat>/<session>.annotations.ndjson`
 * (UIT-09). A name too long for a file keeps its beginning and ends in `~<sha-256>`; `~` is in no id, so no
 * two ids share a file. `distinct` asks for that form also for a name that fits: for one which the file
 * system holds to be the same as another (see {@link sameName}).
 */
export function recordPath(
  type: 'annotation' | 'message',
  chat: string,
  session: string,
  distinct = false,
): string {
  const file = distinct ? hashed(session, `${chat}/${session}`) : fileName(session);
  return `context/${fileName(chat)}/${file}${SUFFIX[type]}`;
}

export function journalPath(atMs: number): string {
  return `journal/${new Date(atMs).toISOString().slice(0, 7)}.ndjson`;
}

/** What two paths have in common when this machine's file system takes them for one. */
export function sameName(path: string): string {
  return process.platform === 'darwin' || process.platform === 'win32'
    ? path.normalize('NFC').toLowerCase()
    : path;
}

function fileName(id: string): string {
  const fits = Buffer.byteLength(id) <= MAX_NAME_BYTES;
  return fits && !(process.platform === 'win32' && RESERVED.test(id)) ? id : hashed(id, id);
}

function hashed(id: string, identity: string): string {
  let prefix = '';
  for (const letter of id) {
    if (Buffer.byteLength(prefix + letter) > PREFIX_BYTES) break;
    prefix += letter;
  }
  return `${prefix}~${createHash('sha256').update(identity).digest('hex')}`;
}
