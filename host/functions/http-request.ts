/** An HTTP request as a plugin gives it, checked and brought into the one form that main sends. */
import { MAX_URL_CHARS, type ParsedTarget, parseTarget, SAFE_METHODS } from '../../gates/http-rules.ts';
import type { WaitArguments } from '../context/open-waits.ts';
import type { Delegated } from '../context/turn-principals.ts';
import { NeiraError } from '../errors.ts';
import { parseObject } from './arguments.ts';
import { invalid, refuseOthers } from './bus-options.ts';

/** A secret by its name; its value is filled in where the request leaves. */
export interface SecretHandle {
  readonly secret: string;
}

export type Part = string | SecretHandle;

/** A name, and the parts that its value is joined of. */
export type NamedValue = readonly [name: string, parts: readonly Part[]];

export type RedirectMode = 'follow' | 'manual' | 'error';

export type HttpBody =
  | { readonly text: string }
  | { readonly base64: string }
  /** A JSON text, and whether it holds secrets. */
  | { readonly json: string; readonly secret: boolean };

/** What main is handed; `what` names it in errors: method and address, without the query. */
export interface HttpRequest extends WaitArguments {
  readonly method: string;
  readonly url: string;
  readonly query: readonly NamedValue[];
  readonly headers: readonly NamedValue[];
  readonly body?: HttpBody;
  readonly redirect: RedirectMode;
  readonly timeoutMs?: number;
  /** Of a principal: set by the host function, by what the turn found of it. */
  readonly rights?: Delegated;
}

export const MAX_BODY_BYTES = 1024 * 1024;
const MAX_REQUEST_BYTES = 2 * MAX_BODY_BYTES;
export const MAX_HEADER_BYTES = 16 * 1024;
const MAX_NAMED = 64;
const MAX_PARTS = 16;
const MAX_JSON_DEPTH = 64;
const METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE']);
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
/** Visible characters of Latin-1, spaces and tabs: nothing that could end a header. */
export const HEADER_VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;
const SECRET_NAME = /^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** How a message is carried is between the host and the other side. */
const OWN_HEADERS = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** @throws NEIRA_VALUE_INVALID, NEIRA_VALUE_TOO_LARGE */
export function httpRequest(given: string | undefined): {
  readonly request: HttpRequest;
  readonly target: Extract<ParsedTarget, { url: URL }>['target'];
} {
  const {
    method = 'GET',
    url,
    query,
    headers,
    body,
    bodyBase64,
    json,
    timeoutMs,
    redirect = 'follow',
    ...others
  } = parseObject(given, 'request', MAX_REQUEST_BYTES);
  refuseOthers('request', others);
  if (typeof method !== 'string' || !METHODS.has(method))
    throw invalid('request.method', `it must be one of ${[...METHODS].join(', ')}`);
  if (typeof url !== 'string') throw invalid('request.url', 'it must be a text');
  const parsed = parseTarget(method, url);
  if (!parsed.url) throw invalid('request.url', parsed.problem);
  const content = bodyOf({ body, bodyBase64, json });
  if (content && SAFE_METHODS.has(method)) throw invalid('request.body', `${method} has none`);
  const request: HttpRequest = {
    what: `${method} ${parsed.url.origin}${parsed.url.pathname}`.slice(0, MAX_WHAT_CHARS),
    method,
    url: parsed.url.href,
    query: namedValues(query, 'query', () => undefined),
    headers: headersOf(headers, content),
    ...(content && { body: content }),
    redirect: redirectOf(redirect),
    ...(timeoutMs !== undefined && { timeoutMs: timeoutOf(timeoutMs) }),
  };
  return { request, target: parsed.target };
}

const MAX_WHAT_CHARS = 300;

function redirectOf(mode: unknown): RedirectMode {
  if (mode === 'follow' || mode === 'manual' || mode === 'error') return mode;
  throw invalid('request.redirect', 'it must be follow, manual or error');
}

function timeoutOf(timeoutMs: unknown): number {
  if (typeof timeoutMs === 'number' && Number.isSafeInteger(timeoutMs) && timeoutMs >= 1) return timeoutMs;
  throw invalid('request.timeoutMs', 'it must be a whole number from 1');
}

// --- query and headers

function headersOf(given: unknown, body: HttpBody | undefined): readonly NamedValue[] {
  const headers = namedValues(given, 'headers', (name) => {
    if (!TOKEN.test(name)) return 'its name must be a token like x-api-key';
    const lower = name.toLowerCase();
    return OWN_HEADERS.has(lower) || lower.startsWith('proxy-') ? 'only the host sets it' : undefined;
  }).map(([name, parts]): NamedValue => [name.toLowerCase(), parts]);
  const names = new Set(headers.map(([name]) => name));
  if (names.size < headers.length) throw invalid('request.headers', 'a name is there twice');
  for (const [name, parts] of headers)
    for (const part of parts)
      if (typeof part === 'string' && !HEADER_VALUE.test(part))
        throw invalid(
          `request.headers.${name}`,
          'it holds a line break or another character that no header has',
        );
  if (!body || names.has('content-type')) return headers;
  return [...headers, ['content-type', [contentTypeOf(body)]]];
}

function contentTypeOf(body: HttpBody): string {
  if ('json' in body) return 'application/json';
  return 'text' in body ? 'text/plain;charset=UTF-8' : 'application/octet-stream';
}

function namedValues(
  given: unknown,
  what: 'query' | 'headers',
  problemOf: (name: string) => string | undefined,
): readonly NamedValue[] {
  if (given === undefined) return [];
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw invalid(`request.${what}`, 'it must be an object');
  const entries = Object.entries(given as Record<string, unknown>);
  if (entries.length > MAX_NAMED) throw invalid(`request.${what}`, `it has more than ${MAX_NAMED}`);
  let bytes = 0;
  const named = entries.map(([name, value]): NamedValue => {
    const place = `request.${what}.${name.slice(0, 64)}`;
    const problem = problemOf(name);
    if (problem !== undefined) throw invalid(place, problem);
    const parts = partsOf(value, place);
    if (![name, ...parts].every((each) => typeof each !== 'string' || each.isWellFormed()))
      throw invalid(place, 'it holds half of a surrogate pair');
    bytes += parts.reduce((sum, part) => sum + (typeof part === 'string' ? part.length : 0), name.length);
    return [name, parts];
  });
  const maxBytes = what === 'headers' ? MAX_HEADER_BYTES : MAX_URL_CHARS;
  if (bytes > maxBytes) throw tooLarge(`request.${what}`, bytes, maxBytes);
  return named;
}

function partsOf(value: unknown, place: string): readonly Part[] {
  const all = Array.isArray(value) ? value : [value];
  if (all.length > MAX_PARTS) throw invalid(place, `it has more than ${MAX_PARTS} parts`);
  return all.map((part: unknown) => {
    if (typeof part === 'string') return part;
    if (typeof part === 'number' || typeof part === 'boolean') return String(part);
    return handleOf(part, place);
  });
}

function handleOf(value: unknown, place: string): SecretHandle {
  if (isHandle(value)) return { secret: nameOf(value, place) };
  throw invalid(place, 'it must be a text, a number, true or false, {secret: name} or a list of these');
}

/** An object that names a secret and nothing else. */
export function isHandle(value: unknown): value is SecretHandle {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const names = Object.keys(value);
  return names.length === 1 && typeof (value as { secret?: unknown }).secret === 'string';
}

function nameOf({ secret }: SecretHandle, place: string): string {
  if (secret.length <= 128 && SECRET_NAME.test(secret)) return secret;
  throw invalid(place, 'a secret has a name like weather.api_key');
}

// --- body

function bodyOf(given: {
  readonly body: unknown;
  readonly bodyBase64: unknown;
  readonly json: unknown;
}): HttpBody | undefined {
  const named = Object.entries(given).filter(([, value]) => value !== undefined);
  if (named.length > 1) throw invalid('request.body', 'give one of body, bodyBase64 and json');
  const [found] = named;
  if (!found) return undefined;
  const [name, value] = found;
  const body = name === 'json' ? jsonBody(value) : textBody(name, value);
  const bytes = bytesOf(body);
  if (bytes > MAX_BODY_BYTES) throw tooLarge('request.body', bytes, MAX_BODY_BYTES);
  return body;
}

function textBody(name: string, value: unknown): HttpBody {
  if (typeof value !== 'string') throw invalid(`request.${name}`, 'it must be a text');
  if (name === 'body') return { text: value };
  if (value.length % 4 !== 0 || !BASE64.test(value)) throw invalid('request.bodyBase64', 'it is not Base64');
  return { base64: value };
}

function jsonBody(value: unknown): HttpBody {
  const secret = holdsHandles(value, 1);
  return { json: JSON.stringify(value), secret };
}

/** @throws NEIRA_VALUE_INVALID below {@link MAX_JSON_DEPTH}: whoever walks through it must not run out of stack. */
function holdsHandles(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth > MAX_JSON_DEPTH) throw invalid('request.json', `it is nested deeper than ${MAX_JSON_DEPTH}`);
  if (isHandle(value)) return nameOf(value, 'request.json') !== '';
  let found = false;
  for (const each of Object.values(value)) found = holdsHandles(each, depth + 1) || found;
  return found;
}

function bytesOf(body: HttpBody): number {
  if ('base64' in body) return Buffer.byteLength(body.base64, 'base64');
  return Buffer.byteLength('text' in body ? body.text : body.json);
}

function tooLarge(what: string, bytes: number, maxBytes: number): NeiraError {
  return new NeiraError('NEIRA_VALUE_TOO_LARGE', { what, bytes, maxBytes });
}
