// Contract, "A script plugin": HTTP calls that a plugin contributes (SCN-04…06 stand on them).
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootHost, eventFiles, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';

const SCHEMA = {
  properties: {
    id: { type: 'string', minLength: 1 },
    limit: { type: 'integer', minimum: 1 },
    deep: { type: 'boolean' },
    tags: { type: 'array', items: { type: 'string' } },
    refuse: { type: 'integer' },
    sleepMs: { type: 'integer' },
  },
};
const ROUTES = [
  { method: 'POST', path: '/api/things', command: 'thing.make@1' },
  { method: 'GET', path: '/api/things', command: 'thing.find@1' },
  { method: 'GET', path: '/api/things/:id', command: 'thing.find@1' },
  { method: 'DELETE', path: '/api/things/:id', command: 'thing.make@1', scope: 'admin' },
];
const SOURCE = `
import { add, get } from 'neira:host/storage';
export function handle(event) {
  const { payload, event_name, source } = event;
  if (payload.refuse) return { result: { ok: false, error: { code: 'THING_REFUSED', message: 'no such thing', status: payload.refuse, details: { near: 'other' } } } };
  if (event_name === 'thing.make') { add('made', 1); return { result: { ok: true, made: get('made').value, payload } }; }
  if (payload.id === 'nothing') return {};
  return { result: { payload, source } };
}`;
const manifest = (more: object = {}) => ({
  id: 'things',
  permissions: { storage: ['read', 'write'] },
  subscribes: [{ event: 'thing.make@1' }, { event: 'thing.find@1' }],
  routes: ROUTES,
  ...more,
});
const files = {
  'main.ts': SOURCE,
  ...eventFiles('thing.make@1!', SCHEMA),
  ...eventFiles('thing.find@1!', SCHEMA),
};

let host: TestHost;
beforeAll(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
});
afterAll(() => host.close());

const call = (method: string, path: string, body?: unknown, options: object = {}) =>
  host.call(method as 'GET', path, body, options);

test('they are asked for and granted, and until then say so', async () => {
  expect((await call('GET', '/api/things')).status).toBe(404);
  const added = await host.script(manifest(), files, '?enable=1');
  expect(added.status, JSON.stringify(added.body)).toBe(201);
  expect(added.body.pending_consent).toContain('http.route:POST /api/things');
  const refused = await call('GET', '/api/things');
  expect([refused.status, refused.body.code]).toEqual([403, 'NEIRA_PERMISSION_DENIED']);
  expect(refused.body.remedy).toContain('neira plugin grant things');
  const granted = await host.call('PUT', '/api/neira/plugins/things/grants', {
    permissions: {
      storage: ['read', 'write'],
      bus: { subscribe: ['thing.make', 'thing.find'] },
      routes: ROUTES.map(({ method, path }) => `${method} ${path}`),
    },
  });
  expect(granted.status, JSON.stringify(granted.body)).toBe(200);
  expect((await call('GET', '/api/things')).status).toBe(200);
});

test('a call is a command: its body, its query and its path are the payload, as the schema wants them', async () => {
  expect((await call('POST', '/api/things', { id: 'a', limit: 3 })).body).toEqual({
    ok: true,
    made: 1,
    payload: { id: 'a', limit: 3 },
  });
  const found = await call('GET', '/api/things/x1?limit=20&deep=true&tags=a&tags=b');
  expect(found.body).toEqual({
    payload: { id: 'x1', limit: 20, deep: true, tags: ['a', 'b'] },
    source: expect.stringMatching(/^client:/),
  });
  expect((await call('GET', '/api/things?tags=one')).body.payload).toEqual({ tags: ['one'] });
  expect((await call('GET', '/api/things/nothing')).status).toBe(204);
});

test('what does not fit the schema is refused with the paths, and what the plugin refuses is a problem document', async () => {
  const wrong = await call('POST', '/api/things', { limit: 'many', other: 1 });
  expect(wrong.status).toBe(422);
  expect(wrong.body.errors.length).toBeGreaterThan(0);
  expect((await call('POST', '/api/things', [1])).body.code).toBe('NEIRA_INVALID');
  const refused = await call('POST', '/api/things', { refuse: 409 });
  expect(refused.headers.get('content-type')).toContain('application/problem+json');
  expect([refused.status, refused.body]).toEqual([
    409,
    {
      type: 'urn:neira:error:THING_REFUSED',
      title: 'THING_REFUSED',
      status: 409,
      code: 'THING_REFUSED',
      detail: 'no such thing',
      near: 'other',
    },
  ]);
  expect((await call('POST', '/api/things', { refuse: 200 })).status).toBe(422);
});

test('they are in the document of the API, with what they take', async () => {
  const { body } = await host.call('GET', '/openapi.json');
  expect(body.paths['/api/neira/status'].get.operationId).toBe('status');
  expect(body.paths['/api/things'].post).toMatchObject({
    tags: [expect.any(String)],
    'x-command': expect.stringMatching(/@1$/),
    requestBody: { content: { 'application/json': { schema: { type: 'object' } } } },
  });
  const [parameter] = body.paths['/api/things/{id}'].get.parameters;
  expect(parameter).toMatchObject({ name: 'id', in: 'path', required: true });
});

test('the same Idempotency-Key gets the same answer, and nothing is done twice', async () => {
  const headers = { 'idempotency-key': 'k-1' };
  const first = await call('POST', '/api/things', { id: 'once' }, { headers });
  const again = await call('POST', '/api/things', { id: 'once' }, { headers });
  expect(again.body).toEqual(first.body);
  const other = await call('POST', '/api/things', { id: 'once' }, { headers: { 'idempotency-key': 'k-2' } });
  expect(other.body.made).toBe(first.body.made + 1);
  const changed = await call('POST', '/api/things', { id: 'another' }, { headers });
  expect([changed.status, changed.body.code]).toEqual([422, 'NEIRA_IDEMPOTENCY_MISMATCH']);
});

test('each needs its scope, and a token at all', async () => {
  const made = async (scopes: string[]) =>
    (await host.call('POST', '/api/neira/tokens', { name: `t-${scopes[0]}`, scopes })).body.token as string;
  const read = await made(['read']);
  expect((await call('GET', '/api/things', undefined, { token: read })).status).toBe(200);
  expect((await call('POST', '/api/things', {}, { token: read })).body.code).toBe('NEIRA_FORBIDDEN');
  const write = await made(['write']);
  expect((await call('POST', '/api/things', {}, { token: write })).status).toBe(200);
  expect((await call('DELETE', '/api/things/a', undefined, { token: write })).body.code).toBe(
    'NEIRA_FORBIDDEN',
  );
  expect((await call('GET', '/api/things', undefined, { token: 'x' })).status).toBe(401);
});

test('a disabled plugin says that it is, a changed one answers as it says now, a removed one not at all', async () => {
  await host.call('POST', '/api/neira/plugins/things/disable');
  expect((await call('GET', '/api/things')).body).toMatchObject({ code: 'NEIRA_PLUGIN_INACTIVE' });
  await host.call('POST', '/api/neira/plugins/things/enable');
  const routes = [{ method: 'GET', path: '/api/things/all', command: 'thing.find@1' }];
  expect((await host.script(manifest({ version: '1.1.0', routes }), files)).status).toBe(200);
  expect((await call('GET', '/api/things')).status).toBe(404);
  expect((await call('GET', '/api/things/all')).status).toBe(200);
  await host.call('DELETE', '/api/neira/plugins/things');
  expect((await call('GET', '/api/things/all')).status).toBe(404);
});

test('what is the host`s, of another plugin or no command of its own is refused', async () => {
  const register = async (id: string, routes: object[]) =>
    (await host.script(manifest({ id, routes }), { 'main.ts': SOURCE })).body;
  expect((await host.script(manifest(), files)).status).toBe(201);
  const clash = await register('others', [
    { method: 'GET', path: '/api/things/:name', command: 'thing.find@1' },
  ]);
  expect(clash).toMatchObject({ code: 'NEIRA_CONFLICT', by: 'plugin `things`' });
  for (const [path, said] of [
    ['/api/neira/plugins', /is the host's/],
    ['/metrics', /is the host's/],
    ['/api/../x', /must be a path|lies/],
    ['api', /must be a path/],
    ['/', /must be a path/],
  ] as const)
    expect(
      JSON.stringify((await register('others', [{ method: 'GET', path, command: 'thing.find@1' }])).errors),
      path,
    ).toMatch(said);
  const foreign = await register('others', [{ method: 'GET', path: '/api/o', command: 'scenario.run@1' }]);
  expect(JSON.stringify(foreign.errors)).toContain('does not subscribe');
});
