import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { httpPermissionNames } from '../../gates/http-rules.ts';
import { type HttpPeer, openPeer, silence } from '../../test/kit/http-peer.ts';
import {
  action,
  deliver,
  failure,
  request as nextRequest,
  performBy,
  plugin,
  pool,
  serve,
  store,
  stored,
} from '../../test/kit/waiting-spine.ts';
import { HttpClient } from '../ports/http/client.ts';
import { HttpRequests } from './http-requests.ts';

/** Requests of turns that run again within one process, to a real server. Of processes: test/crash/http-kill.test.ts. */

let peer: HttpPeer;
let client: HttpClient;
let requests: HttpRequests;
let outcomes: string[];

beforeEach(async () => {
  peer = await openPeer();
  client = new HttpClient();
  outcomes = [];
  requests = new HttpRequests({
    submit: (record) => store.submit(record),
    exchange: (exchange) => client.exchange(exchange),
    secrets: { fill: () => '', mask: (text) => text },
    secret: Buffer.alloc(32, 1),
    observe: (_plugin, outcome) => outcomes.push(outcome),
  });
  performBy((call) => (call.op === 'io.request' ? requests.perform(call) : undefined));
});

afterEach(async () => {
  await requests.close();
  await client.close();
  await peer.close();
});

const HEAD = `
  import { request } from 'neira:host/io';
  import { request as ask } from 'neira:host/bus';
  import { append, get, set } from 'neira:host/storage';
  const post = (body = 'x') => request({ method: 'POST', url: URL_, body });
  const told = (promise) => promise.then(({ status, body }) => ({ status, body }), ({ code }) => ({ code }));
`;

function asking(id: string, body: string, limits = {}) {
  const source = `${HEAD.replace('URL_', `'${peer.url}/'`)}\nexport async function handle(event) { ${body} }`;
  const rule = { host: peer.host, methods: ['GET', 'POST'], schemes: ['http'], private: true };
  return serve(id, source, limits, httpPermissionNames(rule));
}

const arrived = (count: number) =>
  expect.poll(() => peer.received.length, { interval: 2, timeout: 10_000 }).toBe(count);

function kept(): readonly unknown[] {
  const db = new DatabaseSync(store.databasePath, { readOnly: true });
  const rows = db.prepare('select answer from http_request').all();
  db.close();
  return rows.map(({ answer }) => answer);
}

/** Ends the one cell that there is, with all turns that stand still in it. */
async function loseCell(): Promise<void> {
  const killer = await plugin(`killer${++killers}`, `console.log('fault: exit');`);
  expect(await failure(deliver(killer))).toMatchObject({ code: 'NEIRA_CELL_LOST' });
}
let killers = 0;

test('a turn whose cell is lost while its request is under way waits along with it when it runs again', async () => {
  const held = Promise.withResolvers<void>();
  peer.answer(async (_request, response) => {
    await held.promise;
    response.end('late');
  });
  const asker = await asking('asker', `return { actions: [await told(post())] };`);
  const delivered = deliver(asker);
  await arrived(1);
  await loseCell();
  held.resolve();
  expect(await action(delivered)).toEqual({ status: 200, body: 'late' });
  expect(peer.received).toHaveLength(1);
  expect(kept()).toEqual([]);
});

test('a turn whose cell is lost after the answer finds it when it runs again', async () => {
  const asker = await asking(
    'asker',
    `const first = await told(post()); await ask('math.ask', 1); return { actions: [first] };`,
  );
  const delivered = deliver(asker);
  await nextRequest();
  expect(kept()).toHaveLength(1);
  await loseCell();
  (await nextRequest()).answer(1);
  expect(await action(delivered)).toEqual({ status: 200, body: '{"ok":true}' });
  expect(peer.received).toHaveLength(1);
  expect(outcomes).toEqual(['answered', 'recorded']);
});

test('a turn that runs again, since what it had read was changed, asks nobody twice', async () => {
  const asker = await asking(
    'asker',
    `const seen = get('n')?.value ?? 0; const { status } = await post(); set('n', seen + 1); return { actions: [{ status }] };`,
  );
  const held = Promise.withResolvers<void>();
  peer.answer(async (_request, response) => {
    await held.promise;
    response.end();
  });
  const delivered = deliver(asker);
  await arrived(1);
  const writer = await serve(
    'asker',
    `import { set } from 'neira:host/storage'; export function handle() { set('n', 5); }`,
  );
  await deliver(writer);
  held.resolve();
  expect(await action(delivered)).toEqual({ status: 200 });
  expect(stored('asker', 'n')).toBe(6);
  expect(peer.received).toHaveLength(1);
});

test('two equal requests of one turn are two, and stay two when it runs again', async () => {
  peer.answer((_request, response) => void response.end(`answer ${peer.received.length}`));
  const asker = await asking(
    'asker',
    `const first = await post(), second = await post(); await ask('math.ask', 1);
     return { actions: [{ bodies: [first.body, second.body] }] };`,
  );
  const delivered = deliver(asker);
  await nextRequest();
  await loseCell();
  (await nextRequest()).answer(1);
  expect(await action(delivered)).toEqual({ bodies: ['answer 1', 'answer 2'] });
  expect([...peer.unsafe().values()]).toEqual([1, 1]);
});

test('a request that is under way when its turn is settled is given up', async () => {
  const closed = Promise.withResolvers<void>();
  peer.answer((_request, _response, incoming) => void incoming.socket.once('close', () => closed.resolve()));
  const asker = await asking(
    'asker',
    `post(); await ask('math.ask', 1); return { actions: [{ done: true }] };`,
  );
  const delivered = deliver(asker);
  await arrived(1);
  (await nextRequest()).answer(1);
  expect(await action(delivered)).toEqual({ done: true });
  await closed.promise;
  expect(kept()).toEqual([]);
});

test('what was asked and is not answered in time: unknown where it may have been done, a timeout where that does not matter', async () => {
  peer.answer(silence);
  const asker = await asking(
    'asker',
    `const all = [post(), request({ url: '${peer.url}/' })].map(told); return { actions: [{ all: await Promise.all(all) }] };`,
    { waitMs: 500 },
  );
  expect(await action(deliver(asker))).toEqual({
    all: [{ code: 'NEIRA_OUTCOME_UNKNOWN' }, { code: 'NEIRA_HTTP_TIMEOUT' }],
  });
});

test('a dry run sends nothing; it ends there, and the refusal names the request', async () => {
  const asker = await asking('asker', `await post().catch(() => {}); return { actions: [{ went: 'on' }] };`);
  const dry = await deliver(asker, null, { dryRun: true });
  expect(dry).toMatchObject({
    kind: 'dry',
    record: {
      outcome: { error: { code: 'NEIRA_DRY_RUN_REQUEST', details: { request: `POST ${peer.url}/` } } },
    },
  });
  expect(peer.received).toEqual([]);
  expect(kept()).toEqual([]);
});

test('a host that closes gives up what is under way and keeps that nobody knows what came of it', async () => {
  peer.answer(silence);
  const asker = await asking('asker', `return { actions: [await told(post())] };`);
  const delivered = deliver(asker);
  await arrived(1);
  await requests.close();
  expect(await action(delivered)).toEqual({ code: 'NEIRA_OUTCOME_UNKNOWN' });
  expect(pool.size).toBe(1);
});
