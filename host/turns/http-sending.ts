/**
 * One `io.request` on its way: secrets filled in, each hop checked again, redirects followed, and what came of it put
 * into words that can be kept – the answer itself, a refusal, or that nobody knows.
 */
import { isUtf8 } from 'node:buffer';
import {
  describeTarget,
  type HttpTarget,
  httpPermission,
  parseRedirect,
  SAFE_METHODS,
} from '../../gates/http-rules.ts';
import type { SecretSource } from '../context/secret-source.ts';
import { requirePermission } from '../context/turn-permission.ts';
import { NeiraError } from '../errors.ts';
import { HEADER_VALUE, type HttpRequest, isHandle, type Part } from '../functions/http-request.ts';
import {
  ACCEPTED_ENCODINGS,
  type Exchange,
  type ExchangeAnswer,
  ExchangeError,
} from '../ports/http/client.ts';
import type { PluginPolicy, TurnDelivery } from '../turn-context.ts';
import { refusalText } from './turn-waits.ts';

export interface SendingParts {
  exchange(exchange: Exchange): Promise<ExchangeAnswer>;
  readonly secrets: SecretSource;
}

export interface Order {
  readonly request: HttpRequest;
  readonly policy: PluginPolicy & { readonly principal?: string };
  readonly turn: Pick<TurnDelivery, 'mode' | 'caller'>;
  /** For methods that are not safe, unless the plugin gave one. */
  readonly idempotencyKey: string;
  readonly timeoutMs: number;
  /** One of them aborted: nobody will ask for the answer any more. */
  readonly over: readonly AbortSignal[];
  onSent(): void;
}

/** What is counted of requests. */
export type RequestOutcome =
  | 'answered'
  | 'failed'
  | 'timeout'
  | 'refused'
  | 'unknown'
  | 'withdrawn'
  | 'recorded';

export type Ended =
  | {
      /** `V<json>` or `E<refusal>` */
      readonly answer: string;
      /** It may be otherwise the next time. */
      readonly passing: boolean;
      readonly outcome: RequestOutcome;
    }
  /** Given up before anything was done by it. */
  | { readonly answer: undefined; readonly outcome: 'withdrawn' };

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Of another origin's business (Fetch, "HTTP-redirect fetch"). */
const PERSONAL = new Set(['authorization', 'cookie', 'proxy-authorization']);
const ABOUT_BODY = new Set(['content-encoding', 'content-language', 'content-location', 'content-type']);
const IDEMPOTENCY_KEY = 'idempotency-key';

/** Never throws. */
export async function sendRequest(parts: SendingParts, order: Order): Promise<Ended> {
  const stop = new AbortController();
  const end = () => stop.abort(OVER);
  const timer = setTimeout(() => stop.abort(TIMEOUT), order.timeoutMs);
  for (const signal of order.over) {
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
  }
  try {
    return await new Sending(parts, order, stop.signal).run();
  } finally {
    clearTimeout(timer);
    for (const signal of order.over) signal.removeEventListener('abort', end);
  }
}

const OVER = new Error('nobody waits for it any more');
const TIMEOUT = new Error('it took too long');

interface Header {
  readonly name: string;
  readonly value: string;
  readonly secret: boolean;
}

class Sending {
  readonly #parts: SendingParts;
  readonly #order: Order;
  readonly #signal: AbortSignal;
  #method: string;
  #url: URL;
  #headers: readonly Header[] = [];
  #body: Buffer | undefined;
  #secretBody = false;
  /** From here on something may have left. */
  #begun = false;
  /** A request that is not safe was answered: whatever comes of the redirect, it has been carried out. */
  #done = false;

  constructor(parts: SendingParts, order: Order, signal: AbortSignal) {
    this.#parts = parts;
    this.#order = order;
    this.#signal = signal;
    this.#method = order.request.method;
    this.#url = new URL(order.request.url);
  }

  async run(): Promise<Ended> {
    try {
      return this.#answered(await this.#followed());
    } catch (error) {
      return this.#failed(error);
    }
  }

  async #followed(): Promise<ExchangeAnswer> {
    this.#require(this.#target);
    this.#fillIn();
    for (let hop = 0; ; hop++) {
      const answer = await this.#exchange();
      const location = REDIRECTS.has(answer.status) ? answer.headers.get('location') : undefined;
      const { redirect } = this.#order.request;
      if (location === undefined || redirect === 'manual') return answer;
      if (redirect === 'error') throw this.#refusedRedirect(`it was asked to be refused (${answer.status})`);
      if (hop === MAX_REDIRECTS) throw this.#refusedRedirect(`it is the ${MAX_REDIRECTS + 1}th in a row`);
      this.#follow(answer.status, location);
    }
  }

  get #target(): HttpTarget {
    return describeTarget(this.#method, this.#url);
  }

  /** Sending it again does no harm. */
  get #isRepeatable(): boolean {
    return SAFE_METHODS.has(this.#method) || isIdempotent(this.#order, this.#target);
  }

  #exchange(): Promise<ExchangeAnswer> {
    const { policy, request, onSent } = this.#order;
    this.#begun = true;
    return this.#parts.exchange({
      method: this.#method,
      url: this.#url,
      headers: this.#headers.map(({ name, value }) => [name, value] as const),
      ...(this.#body && { body: this.#body }),
      isPrivate: this.#allows('private'),
      alone: !SAFE_METHODS.has(this.#method),
      maxBodyBytes: policy.limits.responseBytes,
      signal: this.#signal,
      onSent,
      skipsBody: (status) => REDIRECTS.has(status) && request.redirect !== 'manual',
    });
  }

  #require(target: HttpTarget): void {
    const { policy, turn } = this.#order;
    requirePermission(policy, { ...turn, dryRun: false }, httpPermission(policy, target));
  }

  #allows(flag: 'private'): boolean {
    return isAllowed(this.#order, this.#target, flag);
  }

  // --- filling in

  #fillIn(): void {
    const { request, idempotencyKey } = this.#order;
    const query = request.query.map(
      ([name, parts]) => `${encodeURIComponent(name)}=${encodeURIComponent(this.#fill(parts))}`,
    );
    if (query.length > 0) this.#url.search = [this.#url.search.slice(1), ...query].filter(Boolean).join('&');
    const headers = request.headers.map(([name, parts]): Header => {
      const value = this.#fill(parts);
      if (!HEADER_VALUE.test(value))
        throw new NeiraError('NEIRA_VALUE_INVALID', {
          what: `request.headers.${name}`,
          reason: 'a secret in it holds a character that no header has',
        });
      return { name, value, secret: parts.some(isHandle) };
    });
    const has = new Set(headers.map(({ name }) => name));
    const add = (name: string, value: string) => {
      if (!has.has(name)) headers.push({ name, value, secret: false });
    };
    add('user-agent', 'Neira');
    add('accept', '*/*');
    add('accept-encoding', ACCEPTED_ENCODINGS);
    if (!SAFE_METHODS.has(this.#method)) add(IDEMPOTENCY_KEY, idempotencyKey);
    this.#headers = headers;
    this.#body = this.#bodyOf(request);
  }

  #fill(parts: readonly Part[]): string {
    return parts.map((part) => (typeof part === 'string' ? part : this.#secret(part.secret))).join('');
  }

  #secret(name: string): string {
    return this.#parts.secrets.fill(this.#order.policy, name, this.#url.host);
  }

  #bodyOf({ body }: HttpRequest): Buffer | undefined {
    if (!body) return undefined;
    if ('base64' in body) return Buffer.from(body.base64, 'base64');
    if ('text' in body) return Buffer.from(body.text);
    if (!body.secret) return Buffer.from(body.json);
    this.#secretBody = true;
    return Buffer.from(JSON.stringify(this.#filled(JSON.parse(body.json))));
  }

  #filled(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    if (isHandle(value)) return this.#secret(value.secret);
    if (Array.isArray(value)) return value.map((each) => this.#filled(each));
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, this.#filled(each)]));
  }

  // --- redirects

  #follow(status: number, location: string): void {
    const method = rewritten(this.#method, status);
    if (!SAFE_METHODS.has(this.#method) && status < 307) this.#done = true;
    const next = parseRedirect(method, location, this.#url);
    if (!next.url) throw this.#refusedRedirect(next.problem);
    if (next.url.origin !== this.#url.origin) this.#leaveOrigin(location, method);
    if (method !== this.#method) {
      this.#body = undefined;
      this.#secretBody = false;
      this.#headers = this.#headers.filter(({ name }) => !ABOUT_BODY.has(name) && name !== IDEMPOTENCY_KEY);
    }
    this.#method = method;
    this.#url = next.url;
    this.#require(next.target);
  }

  /** A secret was given to one host, and another does not get it, whoever sends us there. */
  #leaveOrigin(location: string, method: string): void {
    if ([location, decoded(location)].some((text) => this.#mask(text) !== text))
      throw this.#refusedRedirect('its address carries a secret to another host');
    if (this.#secretBody && method === this.#method)
      throw this.#refusedRedirect('the body carries a secret that is not for another host');
    this.#headers = this.#headers.filter(({ name, secret }) => !secret && !PERSONAL.has(name));
  }

  #refusedRedirect(reason: string): NeiraError {
    return new NeiraError('NEIRA_REDIRECT_REFUSED', { request: this.#order.request.what, reason });
  }

  // --- what came of it

  #answered({ status, headers, body }: ExchangeAnswer): Ended {
    const response = {
      status,
      url: this.#mask(`${this.#url.origin}${this.#url.pathname}`),
      headers: Object.fromEntries([...headers].map(([name, value]) => [this.#mask(name), this.#mask(value)])),
      ...this.#maskedBody(body),
    };
    const passing = !this.#done && isPassing(status);
    return { answer: `V${JSON.stringify(response)}`, passing, outcome: 'answered' };
  }

  #maskedBody(body: Buffer): { readonly body: string } | { readonly bodyBase64: string } {
    if (isUtf8(body)) return { body: this.#mask(body.toString('utf8')) };
    return { bodyBase64: Buffer.from(this.#mask(body.toString('latin1')), 'latin1').toString('base64') };
  }

  #mask(text: string): string {
    return this.#parts.secrets.mask(text);
  }

  #failed(error: unknown): Ended {
    if (!(error instanceof ExchangeError)) return this.#refused(error, false, 'refused');
    const { request, timeoutMs, policy } = this.#order;
    const { kind, sent, status, cause } = error;
    const reason = this.#mask(error.message).slice(0, MAX_REASON_CHARS);
    const what = { request: request.what, ...(status !== undefined && { status }) };
    const known = !this.#done && status !== undefined && isPassing(status);
    if (kind === 'too-large') {
      const { responseBytes: maxBytes } = policy.limits;
      return this.#refused(
        new NeiraError('NEIRA_RESPONSE_TOO_LARGE', { ...what, maxBytes }),
        known,
        'failed',
      );
    }
    if (kind === 'invalid')
      return this.#refused(new NeiraError('NEIRA_RESPONSE_INVALID', { ...what, reason }), known, 'failed');
    const isOver = kind === 'aborted' && cause === OVER;
    const timedOut = kind === 'aborted' && cause === TIMEOUT;
    if (this.#done || (sent && !this.#isRepeatable)) return unknownOutcome(request, reason, status);
    if (isOver) return { answer: undefined, outcome: 'withdrawn' };
    if (timedOut)
      return this.#refused(new NeiraError('NEIRA_HTTP_TIMEOUT', { ...what, timeoutMs }), true, 'timeout');
    if (cause instanceof NeiraError)
      return this.#refused(new NeiraError(cause.code, { ...cause.details, ...what }), true, 'refused');
    return this.#refused(new NeiraError('NEIRA_HTTP_FAILED', { ...what, reason }), true, 'failed');
  }

  #refused(error: unknown, passing: boolean, outcome: RequestOutcome): Ended {
    return { answer: refusalText(error), passing: passing || !this.#begun, outcome };
  }
}

const MAX_REASON_CHARS = 300;

/** Kept until the delivery is settled: only the plugin decides whether it is sent once more. */
export function unknownOutcome(request: HttpRequest, reason: string, status?: number): Ended {
  const details = { request: request.what, reason, ...(status !== undefined && { status }) };
  const answer = refusalText(new NeiraError('NEIRA_OUTCOME_UNKNOWN', details));
  return { answer, passing: false, outcome: 'unknown' };
}

/** Whether it may be sent again although nobody knows what came of it. */
export function isRepeatable(order: Pick<Order, 'policy' | 'turn' | 'request'>): boolean {
  const { method, url } = order.request;
  return SAFE_METHODS.has(method) || isIdempotent(order, describeTarget(method, new URL(url)));
}

function isIdempotent(order: Pick<Order, 'policy' | 'turn'>, target: HttpTarget): boolean {
  return isAllowed(order, target, 'idempotent');
}

function isAllowed(
  { policy, turn }: Pick<Order, 'policy' | 'turn'>,
  target: HttpTarget,
  flag: 'private' | 'idempotent',
): boolean {
  try {
    requirePermission(policy, { ...turn, dryRun: false }, httpPermission(policy, target, flag));
    return true;
  } catch {
    return false;
  }
}

/** 408, 429 and what the other side calls its own failure. */
function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** Fetch: a POST that was moved becomes a GET, and everything that is told to see elsewhere does. */
function rewritten(method: string, status: number): string {
  const becomesGet =
    ((status === 301 || status === 302) && method === 'POST') || (status === 303 && method !== 'HEAD');
  return becomesGet ? 'GET' : method;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
