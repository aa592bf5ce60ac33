import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import { ACTING, Engine, STORE } from './principal-kit.ts';

/** What a principal may is what an administrator agreed to, and no longer than that (design §5). */

let host: TestHost;

beforeAll(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
});
afterAll(() => host.close());

test('what grows keeps the old grants and waits with the rest; what shrank has to be granted anew', async () => {
  const engine = await Engine.register(host, 'growing', ACTING);
  await engine.run('join', { id: 'p', permissions: { storage: ['read'] } });
  await engine.grant('p');
  await engine.run('join', { id: 'p', permissions: STORE });
  expect(await engine.principals()).toMatchObject([
    { grants: { storage: ['read'] }, pending_consent: ['storage.write'] },
  ]);
  expect(await engine.run('read', { id: 'p', key: 'k' })).toEqual({ value: null });
  expect(await engine.run('write', { id: 'p', key: 'k', value: 1 })).toMatchObject({
    details: { missing: 'granted' },
  });
  await engine.grant('p');
  await engine.run('join', { id: 'p', permissions: {} });
  await engine.run('join', { id: 'p', permissions: STORE });
  expect(await engine.principals()).toMatchObject([
    { grants: { storage: [] }, pending_consent: ['storage.read', 'storage.write'] },
  ]);
});

test('what is removed and registered again begins with nothing: no grants, no keys', async () => {
  const engine = await Engine.register(host, 'returning', ACTING);
  await engine.run('join', { id: 'p', permissions: STORE });
  await engine.grant('p');
  await engine.run('write', { id: 'p', key: 'k', value: 'x'.repeat(100_000) });
  const usage = async () =>
    (await host.call('GET', '/api/neira/plugins/returning')).body.counters.stored_bytes;
  expect(await usage()).toBeGreaterThan(100_000);
  await engine.run('leave', { id: 'p' });
  expect([await engine.run('keys'), await usage()]).toEqual([[], 0]);
  await engine.run('join', { id: 'p', permissions: STORE });
  expect(await engine.run('read', { id: 'p', key: 'k' })).toMatchObject({
    code: 'NEIRA_PERMISSION_DENIED',
  });
  await engine.grant('p');
  expect(await engine.run('read', { id: 'p', key: 'k' })).toEqual({ value: null });
});

test('nobody can be granted what it does not ask for, what does not exist, or by who may not', async () => {
  const engine = await Engine.register(host, 'strict', ACTING);
  await engine.run('join', { id: 'p', permissions: { storage: ['read'], secrets: ['weather.key'] } });
  const put = (what: unknown, at = 'p', options = {}) =>
    host.call('PUT', `${engine.path}/${at}/grants`, what, options);
  expect(await put({ permissions: { storage: ['write'] } })).toMatchObject({
    status: 422,
    body: {
      code: 'NEIRA_INVALID',
      detail: expect.stringContaining('the principal does not ask for storage.write'),
    },
  });
  expect((await put({ permissions: { principals: ['delegate'] } })).status).toBe(422);
  expect((await put({ permissions: { everything: true } })).status).toBe(422);
  expect((await put({})).status).toBe(422);
  expect((await put({ permissions: {} }, 'p', { query: '?grant=all' })).status).toBe(422);
  expect((await put({ permissions: {} }, 'nobody')).status).toBe(404);
  expect((await put({ permissions: {} }, 'No%20Body')).status).toBe(422);
  expect((await host.call('DELETE', `${engine.path}/nobody`)).status).toBe(404);
  expect((await host.call('GET', '/api/neira/plugins/nothing/principals')).status).toBe(404);
  const { token } = (await host.call('POST', '/api/neira/tokens', { name: 'w', scopes: ['write'] })).body;
  expect((await put({ permissions: {} }, 'p', { token })).status).toBe(403);
  expect((await host.call('DELETE', `${engine.path}/p`, undefined, { token })).status).toBe(403);
  expect((await host.call('GET', engine.path, undefined, { token })).status).toBe(200);
});

test('safe mode grants and removes nothing, and a plugin that delegates runs dry for who is no administrator', async () => {
  const engine = await Engine.register(host, 'safely', ACTING, { permissions: { principals: ['delegate'] } });
  await engine.run('join', { id: 'p', permissions: STORE });
  const { token } = (await host.call('POST', '/api/neira/tokens', { name: 's', scopes: ['write'] })).body;
  await host.call('PUT', '/api/neira/mode', { mode: 'safe' });
  try {
    for (const [method, at] of [
      ['PUT', '/p/grants'],
      ['DELETE', '/p'],
    ] as const) {
      const body = method === 'PUT' ? { permissions: {} } : undefined;
      expect(await host.call(method, `${engine.path}${at}`, body)).toMatchObject({
        status: 423,
        body: { code: 'NEIRA_SAFE_MODE' },
      });
    }
    const sent = { tool_id: 'safely', event: 'safely.run', params: { job: 'leave', id: 'p' }, context: {} };
    const { body } = await host.call('POST', '/api/neira/ui/events', sent, { token });
    expect(body).toMatchObject({ mode: 'dry-run', planned: [{ op: 'principal.remove', id: 'p' }] });
    expect(await engine.principals()).toHaveLength(1);
  } finally {
    await host.call('PUT', '/api/neira/mode', { mode: 'normal' });
  }
});

test('a plugin that was not granted to delegate registers nobody, and acts as nobody any more', async () => {
  const engine = await Engine.register(
    host,
    'undelegated',
    `${ACTING} try({ id }) { return tried(() => register({ id, title: 'T' })); },`,
    {},
    '?enable=1',
  );
  const refused = {
    code: 'NEIRA_PERMISSION_DENIED',
    details: { permission: 'principals.delegate', missing: 'granted' },
  };
  expect(await engine.run('try', { id: 'p' })).toMatchObject(refused);
  const grants = (permissions: object) =>
    host.call('PUT', '/api/neira/plugins/undelegated/grants', { permissions });
  await grants({ storage: ['read', 'write'], principals: ['delegate'] });
  await engine.run('join', { id: 'p', permissions: STORE });
  await engine.grant('p');
  expect(await engine.run('write', { id: 'p', key: 'k', value: 1 })).toEqual({ value: null });
  await grants({ storage: ['read', 'write'] });
  expect(await engine.run('write', { id: 'p', key: 'k', value: 1 })).toMatchObject(refused);
});
