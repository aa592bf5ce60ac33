import { expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import { openPeer } from '../kit/http-peer.ts';

/** `io.request` of a plugin in a real host, to a real server (HOST-06, HOST-25; design §4, "Requests"; §5). */

const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'];

async function fetcher(host: TestHost, peer: string, more: Record<string, unknown> = {}, rule = {}) {
  const answer = await host.script(
    {
      id: 'fetcher',
      permissions: {
        storage: ['read', 'write'],
        io: { http: [{ host: peer, methods: METHODS, schemes: ['http'], private: true, ...rule }] },
      },
      ui: { buttons: [{ id: 'fetch', title: 'Fetch', event: 'ui.fetch.now' }] },
      ...more,
    },
    `import { request } from 'neira:host/io';
export async function handle(event) {
  const { calls } = event.payload.params;
  const answers = [];
  for (const call of calls)
    answers.push(await request(call).catch(({ code, message, details }) => ({ code, message, details })));
  return { actions: [{ type: 'answers', answers }] };
}`,
  );
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return async (...calls: unknown[]) => {
    const { status, body } = await host.event('fetch', { calls });
    expect(status, JSON.stringify(body)).toBe(200);
    return body.actions[0].answers;
  };
}

test('a plugin asks a host that it was granted and gets status, headers and body', async () => {
  await using peer = await openPeer();
  await using host = await bootHost({ gates: SCRIPT_GATES });
  const fetch = await fetcher(host, peer.host);
  const [got, posted] = await fetch(
    { url: `${peer.url}/v1/now?city=Riga`, query: { unit: 'c', n: 2 }, headers: { 'X-Api-Key': ['a', 1] } },
    { method: 'POST', url: `${peer.url}/v1/notes`, json: { text: 'привет' } },
  );
  expect(got).toEqual({
    status: 200,
    url: `${peer.url}/v1/now`,
    headers: expect.objectContaining({ 'content-type': 'application/json' }),
    body: '{"ok":true}',
  });
  expect(posted).toMatchObject({ status: 200 });
  expect(peer.received).toMatchObject([
    { method: 'GET', url: '/v1/now?city=Riga&unit=c&n=2', headers: { 'x-api-key': 'a1' }, body: '' },
    {
      method: 'POST',
      url: '/v1/notes',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': expect.stringMatching(/^[\w-]{43}$/),
      },
      body: '{"text":"привет"}',
    },
  ]);
  const { body } = await host.call('GET', '/metrics');
  expect(body).toContain('neira_io_requests_total{plugin="fetcher",outcome="answered"} 2');
});

test('the same asked twice in a turn is asked twice, each under a key of its own', async () => {
  await using peer = await openPeer();
  await using host = await bootHost({ gates: SCRIPT_GATES });
  const fetch = await fetcher(host, peer.host);
  const post = { method: 'POST', url: `${peer.url}/`, body: 'x' };
  await fetch(post, post);
  expect([...peer.unsafe().values()]).toEqual([1, 1]);
});

// BUS-22
test('a turn that is replayed is told what it was told; nobody is asked again', async () => {
  await using peer = await openPeer();
  await using host = await bootHost({ gates: SCRIPT_GATES });
  const fetch = await fetcher(host, peer.host);
  peer.answer((_request, response) => void response.end(`answer ${peer.received.length}`));
  const post = { method: 'POST', url: `${peer.url}/`, json: { n: 1 } };
  await fetch(post, { url: `${peer.url}/now` }, { url: 'https://elsewhere.example.org/' });
  await peer.close();
  const replay = await host.call('POST', '/api/neira/turns/replay', { plugin: 'fetcher', limit: 10 });
  expect(replay.body, JSON.stringify(replay.body)).toMatchObject({ replayed: 1, same: 1, different: 0 });
  expect(peer.received).toHaveLength(2);
  // A dry run of the same is answered from what was answered then.
  const { body } = await host.call('GET', '/api/neira/turns?plugin=fetcher');
  const dry = await host.call('POST', '/api/neira/dry-run', { turn: body.turns[0].id });
  expect(JSON.stringify(dry.body), JSON.stringify(dry.body)).toContain('answer 2');
  expect(peer.received).toHaveLength(2);
});
