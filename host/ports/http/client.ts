/**
 * One HTTP exchange: a request out, its answer back, within bounds. It says whether anything may have left, because
 * only then is the outcome of a failure in doubt; it never sends twice, follows no redirect and reads no proxy settings.
 */
import { isUtf8 } from 'node:buffer';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, type ZlibOptions } from 'node:zlib';
import { Agent, Client, type Dispatcher } from 'undici';
import { connectorFor, type Resolve, systemResolve } from './connector.ts';

export interface Exchange {
  readonly method: string;
  readonly url: URL;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: Buffer;
  /** Addresses of this machine and of its networks are allowed. */
  readonly isPrivate: boolean;
  /** Sent over a connection of its own: one that is reused may be closed by the other side at the same moment. */
  readonly alone: boolean;
  readonly maxBodyBytes: number;
  /** Aborted: nothing more is waited for. */
  readonly signal: AbortSignal;
  /** The first bytes are about to be written. */
  onSent(): void;
  /** Of an answer with this status only the head is wanted. */
  skipsBody(status: number): boolean;
}

export interface ExchangeAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** Decompressed. */
  readonly body: Buffer;
}

/** Why there is no answer, or none that can be used. */
export class ExchangeError extends Error {
  readonly kind: 'failed' | 'aborted' | 'too-large' | 'invalid';
  /** Whether bytes of the request may have left. */
  readonly sent: boolean;
  /** Of the answer, as far as it came. */
  readonly status: number | undefined;

  constructor(
    kind: ExchangeError['kind'],
    reason: unknown,
    { sent, status }: { readonly sent: boolean; readonly status?: number | undefined },
  ) {
    super(reason instanceof Error ? reason.message : String(reason), { cause: reason });
    this.kind = kind;
    this.sent = sent;
    this.status = status;
  }
}

const MAX_HEADER_BYTES = 32 * 1024;
const HEADERS_TIMEOUT_MS = 60_000;
/** Between two pieces of a body. */
const BODY_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 4000;
const CONNECTIONS = 16;

const OPTIONS = {
  pipelining: 1,
  maxHeaderSize: MAX_HEADER_BYTES,
  headersTimeout: HEADERS_TIMEOUT_MS,
  bodyTimeout: BODY_TIMEOUT_MS,
  keepAliveTimeout: KEEP_ALIVE_MS,
  keepAliveMaxTimeout: KEEP_ALIVE_MS,
  allowH2: false,
} as const;

export class HttpClient {
  readonly #connectors: {
    readonly world: ReturnType<typeof connectorFor>;
    readonly private: ReturnType<typeof connectorFor>;
  };
  /** Connections are shared by those who may reach the same addresses, and by no others. */
  readonly #agents: { readonly world: Agent; readonly private: Agent };

  constructor(resolve: Resolve = systemResolve) {
    this.#connectors = { world: connectorFor(false, resolve), private: connectorFor(true, resolve) };
    this.#agents = {
      world: new Agent({ ...OPTIONS, connections: CONNECTIONS, connect: this.#connectors.world }),
      private: new Agent({ ...OPTIONS, connections: CONNECTIONS, connect: this.#connectors.private }),
    };
  }

  /** @throws ExchangeError */
  async exchange(exchange: Exchange): Promise<ExchangeAnswer> {
    const reach = exchange.isPrivate ? 'private' : 'world';
    if (!exchange.alone) return answerOf(await dispatched(this.#agents[reach], exchange), exchange);
    const client = new Client(exchange.url.origin, { ...OPTIONS, connect: this.#connectors[reach] });
    try {
      return await answerOf(await dispatched(client, exchange), exchange);
    } finally {
      // Whatever still comes is of no interest, a connection that is only being made included.
      void client.destroy();
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#agents.world.destroy(), this.#agents.private.destroy()]);
  }
}

interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** As it was sent; undefined where it was not read. */
  readonly body: Buffer | undefined;
}

function dispatched(dispatcher: Dispatcher, exchange: Exchange): Promise<RawAnswer> {
  const { method, url, headers, body, alone, signal } = exchange;
  return new Promise((resolve, reject) => {
    const reception = new Reception(exchange, resolve, reject);
    if (reception.over) return;
    signal.addEventListener('abort', reception.abort, { once: true });
    dispatcher.dispatch(
      {
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: method as Dispatcher.HttpMethod,
        headers: headers.flat(),
        body: body ?? null,
        reset: alone,
      },
      reception,
    );
  });
}

/** Takes one answer in, piece by piece. */
class Reception implements Dispatcher.DispatchHandler {
  readonly #exchange: Exchange;
  readonly #resolve: (answer: RawAnswer) => void;
  readonly #reject: (error: ExchangeError) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #sent = false;
  #status: number | undefined;
  #headers: ReadonlyMap<string, string> = new Map();
  #chunks: Buffer[] = [];
  #bytes = 0;
  over = false;

  constructor(
    exchange: Exchange,
    resolve: (answer: RawAnswer) => void,
    reject: (error: ExchangeError) => void,
  ) {
    this.#exchange = exchange;
    this.#resolve = resolve;
    this.#reject = reject;
    if (exchange.signal.aborted) this.abort();
  }

  readonly abort = (): void => {
    this.#fail('aborted', this.#exchange.signal.reason);
  };

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Given up while it waited for a connection; or the dispatcher would send it a second time.
    if (this.over || this.#sent) {
      controller.abort(new Error('it is not sent again'));
      return;
    }
    this.#sent = true;
    this.#exchange.onSent();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    // Hints ahead of the answer.
    if (status < 200) return;
    this.#status = status;
    this.#headers = headersOf((controller.rawHeaders ?? []) as readonly (Buffer | string)[]);
    if (this.#exchange.skipsBody(status)) this.#end(undefined);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.over) return;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#exchange.maxBodyBytes) this.#fail('too-large', 'the body is too large');
    else this.#chunks.push(Buffer.from(chunk));
  }

  onResponseEnd(): void {
    this.#end(Buffer.concat(this.#chunks));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail('failed', error);
  }

  #end(body: Buffer | undefined): void {
    if (!this.#finish()) return;
    this.#resolve({ status: this.#status!, headers: this.#headers, body });
    if (body === undefined) this.#controller?.abort(new Error('the body is not wanted'));
  }

  #fail(kind: ExchangeError['kind'], reason: unknown): void {
    if (!this.#finish()) return;
    this.#reject(new ExchangeError(kind, reason, { sent: this.#sent, status: this.#status }));
    this.#controller?.abort(new Error('it is given up'));
  }

  #finish(): boolean {
    if (this.over) return false;
    this.over = true;
    this.#exchange.signal.removeEventListener('abort', this.abort);
    return true;
  }
}

/** By names in lower case; what came more than once is joined, cookies with a new line. */
function headersOf(raw: readonly (Buffer | string)[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = textOf(raw[index]!).toLowerCase();
    const value = textOf(raw[index + 1]!);
    const before = headers.get(name);
    const joint = name === 'set-cookie' ? '\n' : ', ';
    headers.set(name, before === undefined ? value : `${before}${joint}${value}`);
  }
  return headers;
}

function textOf(value: Buffer | string): string {
  if (typeof value === 'string') return value;
  return value.toString(isUtf8(value) ? 'utf8' : 'latin1');
}

// --- the body, decompressed

type Decode = (body: Buffer, options: ZlibOptions) => Promise<Buffer>;

const DECODERS: Readonly<Record<string, Decode>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  br: promisify(brotliDecompress) as Decode,
};

/** What is asked for in `accept-encoding`. */
export const ACCEPTED_ENCODINGS = 'gzip, br';

async function answerOf(
  { status, headers, body }: RawAnswer,
  { method, maxBodyBytes }: Exchange,
): Promise<ExchangeAnswer> {
  const known = { sent: true, status };
  const encoding = (headers.get('content-encoding') ?? 'identity').trim().toLowerCase();
  if (
    body === undefined ||
    body.length === 0 ||
    method === 'HEAD' ||
    encoding === 'identity' ||
    encoding === ''
  )
    return { status, headers, body: body ?? Buffer.alloc(0) };
  const decode = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined;
  if (!decode) throw new ExchangeError('invalid', `it is encoded as \`${encoding.slice(0, 40)}\``, known);
  try {
    return { status, headers, body: await decode(body, { maxOutputLength: maxBodyBytes }) };
  } catch (error) {
    const tooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    if (tooLarge) throw new ExchangeError('too-large', error, known);
    throw new ExchangeError('invalid', `it is no ${encoding}: ${(error as Error).message}`, known);
  }
}
