import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import { type HttpPeer, openPeer } from '../kit/http-peer.ts';

/** How much a plugin may ask and be told over HTTP (HOST-25). */

let host: TestHost;
let peer: HttpPeer;

beforeAll(async () => {
  peer = await openPeer();
  host = await bootHost({ gates: SCRIPT_GATES });
});
afterAll(async () => {
  await host.close();
  await peer.close();
});

let plugins = 0;

/** Answers what each call was told; those of one list are open at the same time. */
async function fetcher(limits: Record<string, number>) {
  const id = `fetcher${++plugins}`;
  const rule = { host: peer.host, methods: ['GET', 'POST'], schemes: ['http'], private: true };
  const registered = await host.script(
    {
      id,
      permissions: { io: { http: [rule] } },
      limits: { turn_ms: 5000, ...limits },
      ui: { buttons: [{ id, title: id, event: `ui.${id}.now` }] },
    },
    `import { request } from 'neira:host/io';
const nested = (depth) => (depth === 0 ? 1 : [nested(depth - 1)]);
const made = ({ chars, depth, ...call }) => ({
  ...call,
  ...(chars && { method: 'POST', body: 'x'.repeat(chars) }),
  ...(depth && { method: 'POST', json: nested(depth) }),
});
const told = (call) => request(made(call)).then(({ status, body }) => ({ status, size: body.length }), ({ code, details }) => ({ code, details }));
export async function handle(event) {
  const answers = [];
  for (const call of event.payload.params.calls)
    answers.push(Array.isArray(call) ? await Promise.all(call.map(told)) : await told(call));
  return { actions: [{ answers }] };
}`,
  );
  expect(registered.status, JSON.stringify(registered.body)).toBe(201);
  return async (...calls: unknown[]): Promise<{ status?: number; code?: string; details?: unknown }[]> => {
    const { status, body } = await host.event(id, { calls });
    expect(status, JSON.stringify(body)).toBe(200);
    return body.actions[0].answers;
  };
}

const get = (path = '/') => ({ url: `${peer.url}${path}` });

test('a turn makes so many requests and no more', async () => {
  const fetch = await fetcher({ requests: 2 });
  const before = peer.received.length;
  const [first, second, third] = await fetch(get(), get(), get());
  expect([first, second]).toMatchObject([{ status: 200 }, { status: 200 }]);
  expect(third).toMatchObject({ code: 'NEIRA_REQUESTS_EXCEEDED', details: { max: 2 } });
  expect(peer.received).toHaveLength(before + 2);
  expect(await fetch(get())).toMatchObject([{ status: 200 }]);
});

test('all turns of a plugin make so many requests within a minute; others are not held up', async () => {
  const fetch = await fetcher({ requests_per_minute: 3 });
  const other = await fetcher({ requests_per_minute: 3 });
  expect(await fetch(get(), get())).toMatchObject([{ status: 200 }, { status: 200 }]);
  expect(await fetch(get(), get())).toMatchObject([
    { status: 200 },
    { code: 'NEIRA_REQUEST_RATE', details: { max: 3, per: 'a minute' } },
  ]);
  expect(await other(get())).toMatchObject([{ status: 200 }]);
});

test('a plugin has so many requests under way at a time, fewer the larger its answers may be', async () => {
  const fetch = await fetcher({ response_kb: 3072 });
  const held = Promise.withResolvers<void>();
  peer.answer(async (_request, response) => {
    await held.promise;
    response.end();
  });
  const before = peer.received.length;
  const list = (count: number, path: string) => Array.from({ length: count }, () => get(path));
  const first = fetch(list(12, '/a'));
  await expect.poll(() => peer.received.length, { timeout: 10_000 }).toBe(before + 10);
  expect(await fetch(get('/b'))).toMatchObject([
    { code: 'NEIRA_REQUEST_RATE', details: { max: 10, per: 'at a time' } },
  ]);
  held.resolve();
  const codes = ((await first)[0] as unknown as { code?: string }[]).map(({ code }) => code);
  expect(codes).toEqual([
    ...Array.from({ length: 10 }, () => undefined),
    'NEIRA_REQUEST_RATE',
    'NEIRA_REQUEST_RATE',
  ]);
  expect(await fetch(get('/b'))).toMatchObject([{ status: 200 }]);
});

test('a body above response_kb is refused, decompressed or not; one at the limit is taken', async () => {
  const fetch = await fetcher({ response_kb: 1 });
  peer.answer(({ url }, response) => void response.end('x'.repeat(url === '/more' ? 1025 : 1024)));
  expect(await fetch(get(), get('/more'))).toMatchObject([
    { status: 200, size: 1024 },
    { code: 'NEIRA_RESPONSE_TOO_LARGE', details: { maxBytes: 1024, status: 200 } },
  ]);
});

test('the largest answer that a manifest can ask for reaches the plugin', async () => {
  const fetch = await fetcher({ response_kb: 3072, memory_mb: 64, cpu_ms: 1000 });
  peer.answer((_request, response) => void response.end('x'.repeat(3072 * 1024)));
  expect(await fetch(get())).toMatchObject([{ status: 200, size: 3072 * 1024 }]);
});

test('a body of 1 MB is sent, a larger one is refused; so is JSON that is nested deeper than 64', async () => {
  const fetch = await fetcher({ memory_mb: 64, cpu_ms: 1000 });
  peer.answer(({ body }, response) => void response.end(String(body.length)));
  const MB = 1024 * 1024;
  expect(
    await fetch(
      { ...get(), chars: MB },
      { ...get(), chars: MB + 1 },
      { ...get(), depth: 64 },
      { ...get(), depth: 65 },
    ),
  ).toMatchObject([
    { status: 200, size: 7 },
    { code: 'NEIRA_VALUE_TOO_LARGE' },
    { status: 200 },
    { code: 'NEIRA_VALUE_INVALID' },
  ]);
});

test('a request ends with timeoutMs; another that is open at the same time goes on', async () => {
  const fetch = await fetcher({});
  peer.answer(({ url }, response) => {
    if (url === '/late') setTimeout(() => response.end('late'), 400);
  });
  const [answers] = (await fetch([{ ...get('/never'), timeoutMs: 100 }, get('/late')])) as unknown as [
    unknown[],
  ];
  expect(answers).toMatchObject([
    { code: 'NEIRA_HTTP_TIMEOUT', details: { timeoutMs: 100, request: `GET ${peer.url}/never` } },
    { status: 200, size: 4 },
  ]);
});

test('a dry run sends nothing and says which request it would have made', async () => {
  const fetch = await fetcher({});
  await fetch();
  const before = peer.received.length;
  const id = `fetcher${plugins}`;
  const { body } = await host.event(id, { calls: [get('/dry')] }, {}, { query: '?dry_run=1' });
  expect(body).toMatchObject({ code: 'NEIRA_DRY_RUN_REQUEST', request: `GET ${peer.url}/dry` });
  expect(peer.received).toHaveLength(before);
});
