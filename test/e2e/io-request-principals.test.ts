import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import { type HttpPeer, openPeer, redirectTo } from '../kit/http-peer.ts';
import { Engine, REGISTER } from './principal-kit.ts';

/** Requests of a principal: what its plugin was granted is of no use to it (design §4, "Delegation"). */

let host: TestHost;
let here: HttpPeer;
let there: HttpPeer;
let engine: Engine;

const rule = (peer: HttpPeer, more = {}) => ({
  host: peer.host,
  methods: ['GET', 'POST'],
  schemes: ['http'],
  private: true,
  ...more,
});

beforeAll(async () => {
  here = await openPeer();
  there = await openPeer();
  host = await bootHost({ gates: SCRIPT_GATES });
  engine = await Engine.register(
    host,
    'engine',
    `${REGISTER}
  own({ call }) { return tried(() => io.request(call)); },
  ask({ id, call }) { return tried(() => as(id).io.request(call)); },
  both({ ids, call }) { return Promise.all(ids.map((id) => tried(() => as(id).io.request(call)))); },`,
    { permissions: { principals: ['delegate'], io: { http: [rule(here), rule(there)] } } },
  );
  await engine.run('join', { id: 'one', permissions: { io: { http: [rule(here)] } } });
  await engine.run('join', { id: 'two', permissions: { io: { http: [rule(here)] } } });
  await engine.run('join', { id: 'public', permissions: { io: { http: [rule(here, { private: false })] } } });
});
afterAll(async () => {
  await host.close();
  await here.close();
  await there.close();
});

const call = () => ({ url: `${here.url}/start` });

test('it may ask what it was granted, and nothing before', async () => {
  expect((await engine.run('own', { call: call() })).value).toMatchObject({ status: 200 });
  expect(await engine.run('ask', { id: 'one', call: call() })).toMatchObject({
    code: 'NEIRA_PERMISSION_DENIED',
    details: { principal: 'one', permission: `io.request:GET http://${here.host}/` },
  });
  await engine.grant('one');
  expect((await engine.run('ask', { id: 'one', call: call() })).value).toMatchObject({ status: 200 });
});

test('a redirect leads it nowhere that only its plugin may go', async () => {
  await engine.grant('one');
  here.answer(redirectTo(`${there.url}/end`));
  const before = there.received.length;
  expect(await engine.run('ask', { id: 'one', call: call() })).toMatchObject({
    code: 'NEIRA_PERMISSION_DENIED',
    details: { principal: 'one', permission: `io.request:GET ${there.url}/end` },
  });
  expect(there.received).toHaveLength(before);
  expect((await engine.run('own', { call: call() })).value).toMatchObject({ status: 200 });
});

test('it reaches no private address unless that was granted to itself', async () => {
  await engine.grant('public');
  expect(await engine.run('ask', { id: 'public', call: call() })).toMatchObject({
    code: 'NEIRA_ADDRESS_REFUSED',
  });
});

test('what two of them ask alike in one turn is asked for each, under a key of its own', async () => {
  await engine.grant('one');
  await engine.grant('two');
  here.answer((_request, response) => void response.end());
  const before = here.received.length;
  await engine.run('both', { ids: ['one', 'two'], call: { ...call(), method: 'POST', body: 'x' } });
  const keys = here.received.slice(before).map(({ headers }) => headers['idempotency-key']);
  expect(new Set(keys).size).toBe(2);
});

test('a host that no URL could have is refused when it is asked for, and when it is granted', async () => {
  const http = [{ host: 'a.org:99999', methods: ['GET'] }];
  const { body } = await engine.send('join', { id: 'odd', permissions: { io: { http } } });
  expect(body).toMatchObject({ code: 'NEIRA_VALUE_INVALID' });
  const grant = await host.call('PUT', '/api/neira/plugins/engine/grants', { permissions: { io: { http } } });
  expect(grant).toMatchObject({ status: 422, body: { code: 'NEIRA_INVALID' } });
});
