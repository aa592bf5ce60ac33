import { createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import { type Behaviour, type HttpPeer, openPeer, reset, silence, status } from '../kit/http-peer.ts';

/** What a delivery that is tried again finds of the requests that it made before (design §4, "Requests"). */

let host: TestHost;
let peer: HttpPeer;
let closedPort: number;

const SOURCE = `import { request } from 'neira:host/io';
import { delivery } from 'neira:host/bus';
import { append } from 'neira:host/storage';
export async function handle(event) {
  const { call, spin, early } = event.payload;
  if (early && delivery().attempt === 1) {
    request(call);
    throw new Error('too early');
  }
  const told = await request(call).then(({ status, body }) => ({ status, body }), ({ code }) => ({ code }));
  console.log(JSON.stringify(told));
  if (delivery().attempt > 2) return;
  if (spin) for (;;);
  throw new Error('not yet');
}`;

beforeAll(async () => {
  peer = await openPeer();
  closedPort = await portOfNobody();
  host = await bootHost({ gates: SCRIPT_GATES });
  await host.events('job.made@1');
  const rule = { methods: ['GET', 'POST'], schemes: ['http'], private: true };
  const hosts = [peer.host, `127.0.0.1:${closedPort}`];
  const registered = await host.script(
    {
      id: 'worker',
      permissions: { storage: ['write'], io: { http: hosts.map((each) => ({ host: each, ...rule })) } },
      subscribes: [{ event: 'job.made@1', key: '$.payload.key' }],
      limits: { wait_ms: 500, cpu_ms: 20 },
      retry: { max: 3, base_ms: 10, max_ms: 20 },
    },
    SOURCE,
  );
  expect(registered.status, JSON.stringify(registered.body)).toBe(201);
});

afterAll(async () => {
  await host.close();
  await peer.close();
});

let said = 0;
beforeEach(async () => {
  said = (await lines()).length;
});

async function lines(): Promise<unknown[]> {
  const { body } = await host.call('GET', '/api/neira/plugins/worker/logs?limit=1000');
  return body.lines
    .filter(({ level }: { level: string }) => level === 'info')
    .map(({ message }: { message: string }) => JSON.parse(message));
}

/** What each of the three attempts of one delivery was told. */
async function attempts(
  call: Record<string, unknown>,
  more: Record<string, unknown> = {},
): Promise<unknown[]> {
  const payload = { key: 'one', call: { url: `${peer.url}/`, ...call }, ...more };
  await host.call('POST', '/api/neira/events', { event_name: 'job.made', payload });
  await expect
    .poll(async () => (await lines()).length - said, { timeout: 20_000 })
    .toBe(more['early'] ? 2 : 3);
  return (await lines()).slice(said);
}

const POST = { method: 'POST', body: 'x' };

/** One behaviour after the other, the last one again and again. */
function inTurn(...behaviours: readonly Behaviour[]): number {
  const before = peer.received.length;
  peer.answer((request, response, incoming) => {
    const index = Math.min(peer.received.length - before, behaviours.length) - 1;
    return behaviours[index]!(request, response, incoming);
  });
  return before;
}

const UNKNOWN = { code: 'NEIRA_OUTCOME_UNKNOWN' };
const ok = status(200, 'fine');
const OK = { status: 200, body: 'fine' };

test.each([408, 429, 500, 503])(
  'an answer of %i is forgotten when the handler throws, and asked for anew',
  async (code) => {
    const before = inTurn(status(code), ok);
    expect(await attempts(POST)).toEqual([{ status: code, body: '' }, OK, OK]);
    const [first, second] = peer.received.slice(before);
    expect(peer.received).toHaveLength(before + 2);
    // The other side can tell that it is the same.
    expect(first!.headers['idempotency-key']).toBe(second!.headers['idempotency-key']);
  },
);

test.each([200, 201, 400, 404, 409, 422])(
  'an answer of %i stays, whatever the handler throws',
  async (code) => {
    const before = inTurn(status(code, 'so it is'), ok);
    const answer = { status: code, body: 'so it is' };
    expect(await attempts(POST)).toEqual([answer, answer, answer]);
    expect(peer.received).toHaveLength(before + 1);
  },
);

test('an answer of 503 stays when the handler did not throw but was ended at a limit', async () => {
  const before = inTurn(status(503), ok);
  const answer = { status: 503, body: '' };
  expect(await attempts(POST, { spin: true })).toEqual([answer, answer, answer]);
  expect(peer.received).toHaveLength(before + 1);
});

test('a request that the handler did not wait for goes on, and the next attempt waits along with it', async () => {
  const before = inTurn((_request, response) => void setTimeout(() => response.end('fine'), 200));
  expect(await attempts(POST, { early: true })).toEqual([OK, OK]);
  expect(peer.received).toHaveLength(before + 1);
});

test('a POST whose connection was cut is unknown and stays so; it is received once', async () => {
  const before = inTurn(reset, ok);
  expect(await attempts(POST)).toEqual([UNKNOWN, UNKNOWN, UNKNOWN]);
  expect(peer.received).toHaveLength(before + 1);
});

test('a POST that was not answered in time is unknown and stays so; it is received once', async () => {
  const before = inTurn(silence, ok);
  expect(await attempts(POST)).toEqual([UNKNOWN, UNKNOWN, UNKNOWN]);
  expect(peer.received).toHaveLength(before + 1);
});

test('a POST whose answer broke off is unknown and stays so; it is received once', async () => {
  const before = inTurn((_request, response) => {
    response.writeHead(200, { 'content-length': '1000' });
    response.write('half', () => response.destroy());
  }, ok);
  expect(await attempts(POST)).toEqual([UNKNOWN, UNKNOWN, UNKNOWN]);
  expect(peer.received).toHaveLength(before + 1);
});

test('a POST that was carried out and then redirected to where nobody answers is not made again', async () => {
  const before = inTurn((_request, response) => {
    response.writeHead(303, { location: `http://127.0.0.1:${closedPort}/` });
    response.end();
  }, ok);
  expect(await attempts(POST)).toEqual([UNKNOWN, UNKNOWN, UNKNOWN]);
  expect(peer.received).toHaveLength(before + 1);
});

test('a GET whose connection was cut is asked for anew', async () => {
  const before = inTurn(reset, ok);
  expect(await attempts({})).toEqual([{ code: 'NEIRA_HTTP_FAILED' }, OK, OK]);
  expect(peer.received).toHaveLength(before + 2);
});

test('what never left is a plain failure, of a POST too', async () => {
  const call = { ...POST, url: `http://127.0.0.1:${closedPort}/` };
  const failed = { code: 'NEIRA_HTTP_FAILED' };
  expect(await attempts(call)).toEqual([failed, failed, failed]);
});

async function portOfNobody(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
