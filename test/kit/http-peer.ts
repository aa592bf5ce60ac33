/** The other side of `io.request` in tests: a real HTTP server on loopback that counts what it was sent. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export type Behaviour = (
  request: Received,
  response: ServerResponse,
  incoming: IncomingMessage,
) => void | Promise<void>;

export interface HttpPeer extends AsyncDisposable {
  readonly port: number;
  /** `127.0.0.1:<port>` */
  readonly host: string;
  readonly url: string;
  /** Requests that came with their whole body, in order. */
  readonly received: readonly Received[];
  /** What it does with a request from now on. */
  answer(behaviour: Behaviour): void;
  /** How often it was sent a request that is not safe, by its `Idempotency-Key`. */
  unsafe(): ReadonlyMap<string, number>;
  close(): Promise<void>;
}

const OK: Behaviour = (_request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end('{"ok":true}');
};

export async function openPeer(behaviour: Behaviour = OK): Promise<HttpPeer> {
  let current = behaviour;
  const received: Received[] = [];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('error', () => {});
    incoming.on('end', () => {
      const request: Received = {
        method: incoming.method ?? '',
        url: incoming.url ?? '',
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString(),
      };
      received.push(request);
      void current(request, response, incoming);
    });
  });
  await listen(server);
  // A test that forgets it ends all the same.
  server.unref();
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return {
    port,
    host: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}`,
    received,
    answer: (next) => {
      current = next;
    },
    unsafe() {
      const counts = new Map<string, number>();
      for (const { method, headers } of received) {
        if (['GET', 'HEAD', 'OPTIONS'].includes(method)) continue;
        const key = String(headers['idempotency-key']);
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      return counts;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
}

/** Ends the connection at once, so that the other side sees a reset. */
export const reset: Behaviour = (_request, _response, incoming) => {
  incoming.socket.resetAndDestroy();
};

export const status =
  (code: number, body = ''): Behaviour =>
  (_request, response) => {
    response.statusCode = code;
    response.end(body);
  };

export const redirectTo =
  (location: string, code = 302): Behaviour =>
  (_request, response) => {
    response.statusCode = code;
    response.setHeader('location', location);
    response.end();
  };

/** Never answers. */
export const silence: Behaviour = () => {};
