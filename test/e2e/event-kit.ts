/** A shop that brings an event of its own, and a tail over a connection that a test can cut where it wants. */
import { type ClientRequest, get, type IncomingMessage } from 'node:http';
import type { TestHost } from '../kit/boot-host.ts';

export const SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'urn:neira:event:order.placed:1.0.0',
  'x-version': '1.0.0',
  type: 'object',
  required: ['n'],
  properties: { n: { type: 'integer' }, key: { type: 'string' }, pad: { type: 'string' } },
  additionalProperties: false,
};

export const shop = (more: Record<string, unknown> = {}) => ({
  id: 'shop',
  permissions: { storage: ['read', 'write'] },
  subscribes: [{ event: 'order.placed@1', key: '$.payload.key' }],
  retry: { max: 1, base_ms: 10, max_ms: 20 },
  ...more,
});

export const files = (source: string, schema: object = SCHEMA) => ({
  'main.ts': source,
  'events/order/placed/v1/schema.json': JSON.stringify(schema),
});

export const COUNT = `import { append } from 'neira:host/storage';
export function handle(event) {
  append('seen', event.payload.n);
  console.log('seen ' + event.payload.n + ' ' + (event.headers.replay_of ?? ''));
}`;

export const IDLE = 'export function handle() {}';

/** Numbers that the plugin logged, in order. */
export async function seen(host: TestHost, plugin = 'shop'): Promise<number[]> {
  const { body } = await host.call('GET', `/api/neira/plugins/${plugin}/logs?limit=1000`);
  return (body.lines ?? [])
    .map(({ message }: { message: string }) => /^seen (\d+)/.exec(message)?.[1])
    .filter(Boolean)
    .map(Number);
}

export const place = (host: TestHost, n: number, more: object = {}, body: object = {}) =>
  host.call('POST', '/api/neira/events', { event_name: 'order.placed', payload: { n, ...more }, ...body });

export interface Tailed {
  readonly id: number;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
  readonly data: any;
}

export interface Tail {
  readonly events: Tailed[];
  /** The last `id`, also one that came without an event. */
  lastId(): string | undefined;
  readonly response: IncomingMessage;
  readonly ended: Promise<void>;
  cut(): void;
}

/** Follows the events of a host. @param cutAfterBytes the connection is destroyed in the middle of what comes then. */
export async function tail(
  host: TestHost,
  query = '',
  headers: Record<string, string> = {},
  cutAfterBytes = Number.POSITIVE_INFINITY,
): Promise<Tail> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request: ClientRequest = get(
    `${host.url}/api/neira/events${query}`,
    {
      headers: { authorization: `Bearer ${host.token}`, accept: 'text/event-stream', ...headers },
      agent: false,
    },
    resolve,
  );
  request.on('error', reject);
  const response = await promise;
  const events: Tailed[] = [];
  let lastId = headers['last-event-id'];
  let text = '';
  let bytes = 0;
  const ended = new Promise<void>((done) => response.on('close', done));
  response.on('error', () => {});
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    const taken = chunk.slice(0, Math.max(0, cutAfterBytes - bytes));
    bytes += chunk.length;
    text += taken;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = fieldsOf(text.slice(0, end));
      text = text.slice(end + 2);
      lastId = fields['id'] ?? lastId;
      if (fields['data'] === undefined) continue;
      events.push({ id: Number(fields['id']), event: fields['event']!, data: JSON.parse(fields['data']) });
    }
    if (bytes >= cutAfterBytes) request.destroy();
  });
  return { events, lastId: () => lastId, response, ended, cut: () => void request.destroy() };
}

function fieldsOf(block: string): Record<string, string> {
  return Object.fromEntries(
    block.split('\n').map((line) => {
      const at = line.indexOf(': ');
      return [line.slice(0, at), line.slice(at + 2)];
    }),
  );
}

/** Deterministic numbers from 0 to 1. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
