import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type ErrorDetails, toProblem } from '../errors.ts';
import type { HostApi } from './api.ts';
import { type Access, createDoor } from './auth.ts';
import { acceptJson } from './json.ts';
import { loadContract } from './openapi.ts';
import { createOriginGuard } from './origin.ts';
import { badRequest, compileValidator, type HttpLog, sendProblem } from './problem.ts';
import { createRateLimit } from './rate.ts';
import { contributedCall } from './routes/contributed.ts';
import { eventRoutes } from './routes/events.ts';
import { gateRoutes } from './routes/gates.ts';
import { metaRoutes } from './routes/meta.ts';
import { pluginRoutes } from './routes/plugins.ts';
import { principalRoutes } from './routes/principals.ts';
import { recordRoutes } from './routes/records.ts';
import type { RouteContext } from './routes/route.ts';
import { secretRoutes } from './routes/secrets.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { turnRoutes } from './routes/turns.ts';
import { uiRoutes } from './routes/ui.ts';
import { type HttpObserver, traceRequests } from './trace.ts';

export interface HttpSettings {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Further origins that browsers may call from. */
  readonly origins: readonly string[];
  readonly bodyLimitBytes: number;
  /** For registering a plugin, inline or as a zip. */
  readonly uploadLimitBytes: number;
  /** Calls a token, or an address without one, may make in a minute; 0 is without limit. */
  readonly ratePerMinute: number;
  readonly maxConnections: number;
  /** How long the headers, and the whole of a request, may take to arrive. */
  readonly headersTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
  /** How long `close` waits for calls in progress before it cuts them. */
  readonly closeTimeoutMs?: number;
}

export interface ServerOptions {
  readonly api: HostApi;
  readonly log: HttpLog;
  readonly settings: HttpSettings;
  readonly observer?: HttpObserver;
  /** Takes secrets out of what errors say. */
  readonly mask?: (details: ErrorDetails) => ErrorDetails;
}

export interface HttpServer {
  /** Starts to listen; answers the address to call. */
  listen(): Promise<string>;
  /** Takes no new calls, lets those in progress end, and frees the port. */
  close(): Promise<void>;
  readonly app: FastifyInstance;
  /** Every call that is served, and what it needs. */
  readonly routes: readonly { readonly method: string; readonly url: string; readonly access: Access }[];
}

const DEFAULTS = { headersTimeoutMs: 10_000, requestTimeoutMs: 60_000, closeTimeoutMs: 10_000 };
const CONNECTIONS_CHECK_MS = 1_000;
const KEEP_ALIVE_MS = 30_000;
const IDLE_SWEEP_MS = 25;
const MAX_PARAMETER_CHARS = 1_000;

/**
 * The HTTP face of a host: routes over a {@link HostApi}, behind one door (auth.ts).
 *
 * It decides nothing about plugins, gates or modes; it keeps out who has no business here, refuses what is
 * malformed, and says every refusal as a problem document.
 */
export async function createServer({
  api,
  log,
  settings,
  observer,
  mask = (details) => details,
}: ServerOptions): Promise<HttpServer> {
  const timeouts = { ...DEFAULTS, ...settings };
  const guard = createOriginGuard(settings);
  let stopping = false;
  const refuse = (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
    sendProblem(log, error, request, reply, mask);

  const app = fastify({
    logger: false,
    bodyLimit: settings.bodyLimitBytes,
    requestTimeout: timeouts.requestTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: MAX_PARAMETER_CHARS },
    http: {
      headersTimeout: timeouts.headersTimeoutMs,
      connectionsCheckingInterval: Math.min(CONNECTIONS_CHECK_MS, timeouts.headersTimeoutMs),
    },
    frameworkErrors: refuse,
    clientErrorHandler: answerClientError,
  });
  app.server.maxConnections = settings.maxConnections;
  app.decorateRequest('caller', null as never);
  app.setValidatorCompiler(compileValidator);
  acceptJson(app);

  const routes: { method: string; url: string; access: Access }[] = [];
  app.addHook('onRoute', ({ method, url, config }) => {
    for (const one of [method].flat()) routes.push({ method: one, url, access: config?.access ?? 'read' });
  });
  // Before the door, so that a refusal has its place in a trace too.
  traceRequests(app, observer);
  const rate = createRateLimit(settings.ratePerMinute);
  app.addHook('onRequest', createDoor({ api, guard, rate, isStopping: () => stopping }));
  app.setErrorHandler(refuse);
  app.setNotFoundHandler((request, reply) => contributedCall(api, request, reply));

  const { uploadLimitBytes } = settings;
  const closing = new AbortController();
  const context: RouteContext = {
    app,
    api,
    contract: loadContract(),
    log,
    uploadLimitBytes,
    closing: closing.signal,
  };
  metaRoutes(context);
  pluginRoutes(context);
  principalRoutes(context);
  uiRoutes(context);
  gateRoutes(context);
  eventRoutes(context);
  turnRoutes(context);
  recordRoutes(context);
  tokenRoutes(context);
  secretRoutes(context);
  await app.ready();

  return {
    app,
    routes,
    async listen() {
      await app.listen({ host: settings.host, port: settings.port });
      const { port, family, address } = app.server.address() as AddressInfo;
      guard.setPort(port);
      return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
    },
    async close() {
      stopping = true;
      closing.abort();
      await closeGently(app, timeouts.closeTimeoutMs);
    },
  };
}

async function closeGently(app: FastifyInstance, timeoutMs: number): Promise<void> {
  const server = app.server as Server;
  const cut = setTimeout(() => server.closeAllConnections(), timeoutMs);
  // A connection whose call was in progress is idle only after its answer.
  const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
  try {
    await app.close();
  } finally {
    clearTimeout(cut);
    clearInterval(sweep);
  }
}

/** What arrives broken, too large or too slowly to become a request. */
function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const [line, reason] = CLIENT_ERRORS[error.code ?? ''] ?? ['400 Bad Request', 'it is not HTTP'];
  const status = Number(line.slice(0, 3));
  const body = JSON.stringify({ ...toProblem(badRequest(reason)), status });
  socket.end(
    `HTTP/1.1 ${line}\r\nContent-Type: application/problem+json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n${body}`,
  );
  // A client that does not read its answer either must not hold the socket.
  setTimeout(() => socket.destroy(), 1_000).unref();
}

const CLIENT_ERRORS: Readonly<Record<string, readonly [string, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'it took too long to arrive'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'its headers are too large'],
};
