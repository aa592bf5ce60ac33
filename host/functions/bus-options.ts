/** What a plugin says beside event and payload, checked: options of a publish, a request and a send, names. */
import { NeiraError } from '../errors.ts';
import { isPresent, parseObject } from './arguments.ts';

export const MAX_OPTIONS_BYTES = 16 * 1024;
const MAX_HEADERS = 16;
const HEADER_NAME = /^[a-z][a-z0-9_-]{0,63}$/;
const MAX_HEADER_CHARS = 512;
/** Set by the host, not by a plugin. */
export const OWN_HEADERS = new Set(['idempotency_key', 'traceparent', 'tracestate', 'replay_of', 'pii']);
const MAX_AHEAD_MS = 10 * 366 * 24 * 60 * 60 * 1000;
const NAME = /^[\p{L}\p{N}_.:/-]{1,128}$/u;

export interface PublishOptions {
  readonly version: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly atMs?: number;
  readonly key?: string;
  readonly broadcast: boolean;
}

const NO_OPTIONS: PublishOptions = { version: 1, headers: {}, broadcast: false };

export function publishOptions(given: string | undefined, nowMs: number): PublishOptions {
  if (!isPresent(given)) return NO_OPTIONS;
  const {
    version = 1,
    at,
    idempotencyKey,
    headers = {},
    broadcast = false,
    ...others
  } = parseObject(given, 'options', MAX_OPTIONS_BYTES);
  refuseOthers('options', others);
  if (typeof broadcast !== 'boolean') throw invalid('options.broadcast', 'it must be true or false');
  const checked = headersOf(headers);
  return {
    version: countOf(version, 'version'),
    broadcast,
    headers: idempotencyKey === undefined ? checked : { ...checked, ...keyHeader(idempotencyKey) },
    ...(idempotencyKey !== undefined && { key: idempotencyKey as string }),
    ...(at !== undefined && { atMs: timeOf(at, nowMs) }),
  };
}

function keyHeader(key: unknown): { readonly idempotency_key: string } {
  if (typeof key === 'string' && key !== '' && key.length <= MAX_HEADER_CHARS)
    return { idempotency_key: key };
  throw invalid('options.idempotencyKey', `it must be a text of 1 to ${MAX_HEADER_CHARS} characters`);
}

function headersOf(given: unknown): Readonly<Record<string, string>> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw invalid('options.headers', 'it must be an object of texts');
  const entries = Object.entries(given);
  if (entries.length > MAX_HEADERS) throw invalid('options.headers', `it has more than ${MAX_HEADERS}`);
  for (const [name, value] of entries) {
    const what = `options.headers.${name.slice(0, 64)}`;
    if (!HEADER_NAME.test(name)) throw invalid(what, 'its name must match [a-z][a-z0-9_-]{0,63}');
    if (OWN_HEADERS.has(name)) throw invalid(what, 'only the host sets it');
    if (typeof value !== 'string' || value.length > MAX_HEADER_CHARS)
      throw invalid(what, `it must be a text of at most ${MAX_HEADER_CHARS} characters`);
  }
  return Object.fromEntries(entries) as Record<string, string>;
}

/** RFC 3339 with its offset: what a local time means depends on where it is read. */
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

function timeOf(at: unknown, nowMs: number): number {
  const atMs = typeof at === 'string' && RFC_3339.test(at) ? Date.parse(at) : Number.NaN;
  if (Number.isNaN(atMs))
    throw invalid('options.at', 'it must be a time like 2026-11-24T07:00:00+02:00, or a Date');
  if (atMs - nowMs > MAX_AHEAD_MS) throw invalid('options.at', 'it is more than ten years ahead');
  return atMs;
}

export function nameOf(name: unknown): string {
  if (typeof name === 'string' && NAME.test(name)) return name;
  throw invalid('name', 'it must be 1 to 128 letters, digits, `_`, `.`, `:`, `/` or `-`');
}

export function refuseOthers(what: string, others: Record<string, unknown>): void {
  const [other] = Object.keys(others);
  if (other !== undefined) throw invalid(`${what}.${other.slice(0, 64)}`, 'it is not a known field');
}

export function invalid(what: string, reason: string): NeiraError {
  return new NeiraError('NEIRA_VALUE_INVALID', { what, reason });
}

/** Of an `io.send`. */
export function sendOptions(given: string | undefined, nowMs: number): { readonly atMs?: number } {
  if (!isPresent(given)) return {};
  const { at, ...others } = parseObject(given, 'options', MAX_OPTIONS_BYTES);
  refuseOthers('options', others);
  return at === undefined ? {} : { atMs: timeOf(at, nowMs) };
}

export interface RequestOptions {
  readonly version: number;
  readonly timeoutMs?: number;
}

export function requestOptions(given: string | undefined): RequestOptions {
  if (!isPresent(given)) return { version: 1 };
  const { version = 1, timeoutMs, ...others } = parseObject(given, 'options', MAX_OPTIONS_BYTES);
  refuseOthers('options', others);
  return {
    version: countOf(version, 'version'),
    ...(timeoutMs !== undefined && { timeoutMs: countOf(timeoutMs, 'timeoutMs') }),
  };
}

export interface AskOptions {
  readonly version: number;
  readonly timeoutMs: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly key?: string;
  /** JSON. */
  readonly context?: string;
}

const MAX_ASK_MS = 30 * 24 * 60 * 60 * 1000;
const DEFAULT_ASK_MS = 10 * 60 * 1000;
const MAX_KEY_CHARS = 256;
const MAX_CONTEXT_CHARS = 4096;

export function askOptions(given: string | undefined): AskOptions {
  const options = isPresent(given) ? parseObject(given, 'options', MAX_OPTIONS_BYTES) : {};
  const {
    version = 1,
    timeoutMs = DEFAULT_ASK_MS,
    key,
    context,
    headers = {},
    idempotencyKey,
    ...others
  } = options;
  refuseOthers('options', others);
  if (key !== undefined && !(typeof key === 'string' && key !== '' && key.length <= MAX_KEY_CHARS))
    throw invalid('options.key', `it must be a text of 1 to ${MAX_KEY_CHARS} characters`);
  const told = context === undefined ? undefined : JSON.stringify(context);
  if (told !== undefined && told.length > MAX_CONTEXT_CHARS)
    throw invalid('options.context', `it has ${told.length} characters, ${MAX_CONTEXT_CHARS} are allowed`);
  const waitMs = countOf(timeoutMs, 'timeoutMs');
  if (waitMs > MAX_ASK_MS) throw invalid('options.timeoutMs', 'it is more than 30 days');
  return {
    version: countOf(version, 'version'),
    timeoutMs: waitMs,
    headers: { ...headersOf(headers), ...(idempotencyKey !== undefined && keyHeader(idempotencyKey)) },
    ...(key !== undefined && { key: key as string }),
    ...(told !== undefined && { context: told }),
  };
}

function countOf(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value;
  throw invalid(`options.${what}`, 'it must be a whole number from 1');
}
