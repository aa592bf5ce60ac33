import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ERRORS } from '../errors.ts';
import { compileSchema } from '../schema.ts';
import { documentedPath, loadContract } from './openapi.ts';
import { bearer, sendTo, startTestServer, type TestServer } from './test-api.ts';

const contract = loadContract();
let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());
beforeEach(async () => {
  server.api.override({});
  await send('POST /api/neira/plugins', { manifest: { id: 'ui.pencil' }, files: {} });
  await send('POST /api/neira/tokens', { name: 'one', scopes: ['read'] });
  server.api.calls.length = 0;
});

const send = (call: string, body?: unknown, headers?: Record<string, string>) =>
  sendTo(server, call, body, headers);

/** One good call of every route: [the route, what is sent, its body, its status]. */
const CALLS: readonly (readonly [route: string, path: string, body: unknown, status: number])[] = [
  ['GET /healthz', '/healthz', undefined, 200],
  ['GET /openapi.json', '/openapi.json', undefined, 200],
  ['GET /docs', '/docs', undefined, 200],
  ['GET /metrics', '/metrics', undefined, 200],
  ['GET /api/neira/status', '/api/neira/status', undefined, 200],
  ['GET /api/neira/commands', '/api/neira/commands', undefined, 200],
  ['GET /api/neira/plugins', '/api/neira/plugins', undefined, 200],
  [
    'POST /api/neira/plugins',
    '/api/neira/plugins',
    { manifest: { id: 'ui.pencil' }, files: { 'main.ts': '' } },
    200,
  ],
  ['GET /api/neira/plugins/:id', '/api/neira/plugins/ui.pencil', undefined, 200],
  ['POST /api/neira/plugins/:id/enable', '/api/neira/plugins/ui.pencil/enable', undefined, 200],
  ['POST /api/neira/plugins/:id/disable', '/api/neira/plugins/ui.pencil/disable', undefined, 200],
  ['POST /api/neira/plugins/:id/reload', '/api/neira/plugins/ui.pencil/reload', undefined, 200],
  [
    'POST /api/neira/plugins/:id/rollback',
    '/api/neira/plugins/ui.pencil/rollback',
    { version: '0.0.1' },
    200,
  ],
  [
    'PUT /api/neira/plugins/:id/grants',
    '/api/neira/plugins/ui.pencil/grants',
    { permissions: { storage: ['write'] } },
    200,
  ],
  ['GET /api/neira/plugins/:id/principals', '/api/neira/plugins/ui.pencil/principals', undefined, 200],
  [
    'PUT /api/neira/plugins/:id/principals/:principal/grants',
    '/api/neira/plugins/ui.pencil/principals/scenario:morning/grants',
    { permissions: { storage: ['write'] } },
    200,
  ],
  [
    'DELETE /api/neira/plugins/:id/principals/:principal',
    '/api/neira/plugins/ui.pencil/principals/scenario:morning',
    undefined,
    204,
  ],
  ['GET /api/neira/plugins/:id/rehearsal', '/api/neira/plugins/ui.pencil/rehearsal', undefined, 200],
  ['PUT /api/neira/plugins/:id/rehearsal', '/api/neira/plugins/ui.pencil/rehearsal', { mode: 'block' }, 200],
  [
    'POST /api/neira/plugins/:id/rehearsal/accept',
    '/api/neira/plugins/ui.pencil/rehearsal/accept',
    undefined,
    200,
  ],
  ['GET /api/neira/plugins/:id/settings', '/api/neira/plugins/ui.pencil/settings', undefined, 200],
  [
    'PUT /api/neira/plugins/:id/settings',
    '/api/neira/plugins/ui.pencil/settings',
    { settings: { a: 1 } },
    200,
  ],
  ['GET /api/neira/plugins/:id/logs', '/api/neira/plugins/ui.pencil/logs?limit=5', undefined, 200],
  ['DELETE /api/neira/plugins/:id', '/api/neira/plugins/ui.pencil?data=drop', undefined, 204],
  ['GET /api/neira/catalog', '/api/neira/catalog', undefined, 200],
  ['GET /api/neira/ui/tools', '/api/neira/ui/tools', undefined, 200],
  [
    'POST /api/neira/ui/events',
    '/api/neira/ui/events',
    { tool_id: 'pencil', event: 'ui.pencil.draw', params: {}, context: {} },
    200,
  ],
  ['GET /api/neira/gates', '/api/neira/gates', undefined, 200],
  [
    'GET /api/neira/gates/match',
    `/api/neira/gates/match?phrase=${encodeURIComponent('открой карандаш')}`,
    undefined,
    200,
  ],
  [
    'PUT /api/neira/gates/:id',
    '/api/neira/gates/annotations_pencil',
    { stage: 'experimental', force: true },
    200,
  ],
  ['GET /api/neira/mode', '/api/neira/mode', undefined, 200],
  ['PUT /api/neira/mode', '/api/neira/mode', { mode: 'normal' }, 200],
  ['GET /api/neira/journal', '/api/neira/journal?after=0&limit=10', undefined, 200],
  ['GET /api/neira/events', '/api/neira/events?subject=ui.%3E', undefined, 200],
  ['GET /api/neira/events/topics', '/api/neira/events/topics', undefined, 200],
  [
    'POST /api/neira/events',
    '/api/neira/events',
    { event_name: 'order.placed', payload: { n: 1 }, headers: { locale: 'de' }, at: '2030-01-01T00:00:00Z' },
    200,
  ],
  [
    'POST /api/neira/events/replay',
    '/api/neira/events/replay',
    { since: '2026-01-01T00:00:00Z', until: '2026-02-01T00:00:00Z', subject: 'order.>', after: 3, limit: 5 },
    200,
  ],
  ['GET /api/neira/dead-letters', '/api/neira/dead-letters?plugin=shop&subject=order.%3E', undefined, 200],
  ['POST /api/neira/dead-letters/retry', '/api/neira/dead-letters/retry', { plugin: 'shop' }, 200],
  ['POST /api/neira/dead-letters/drop', '/api/neira/dead-letters/drop', { ids: [7] }, 200],
  ['GET /api/neira/dead-letters/:id', '/api/neira/dead-letters/7', undefined, 200],
  ['DELETE /api/neira/dead-letters/:id', '/api/neira/dead-letters/7', undefined, 204],
  ['POST /api/neira/dead-letters/:id/retry', '/api/neira/dead-letters/7/retry', undefined, 200],
  [
    'POST /api/neira/dry-run',
    '/api/neira/dry-run',
    {
      event: { event_name: 'order.placed', version: 1, payload: { n: 1 }, headers: { locale: 'de' } },
      plugin: 'shop',
      follow: true,
      stubs: [{ request: 'math.double@1', answer: 2 }],
    },
    200,
  ],
  [
    'GET /api/neira/turns',
    '/api/neira/turns?plugin=shop&outcome=ok&subject=order.%3E&limit=5',
    undefined,
    200,
  ],
  [
    'POST /api/neira/turns/replay',
    '/api/neira/turns/replay',
    { plugin: 'shop', version: '1.0.0', outcome: 'failed', since: '2026-01-01T00:00:00Z', limit: 5 },
    200,
  ],
  ['GET /api/neira/turns/:id', '/api/neira/turns/e1:demo:1%232', undefined, 200],
  ['GET /api/neira/turns/:id/fixture', '/api/neira/turns/e1:demo:1/fixture', undefined, 200],
  ['POST /api/neira/turns/:id/replay', '/api/neira/turns/e1:demo:1/replay', { version: '1.0.0' }, 200],
  ['GET /api/neira/search', '/api/neira/search?type=annotation&q=x&chat=c1', undefined, 200],
  ['GET /api/neira/export', '/api/neira/export?type=message', undefined, 200],
  ['GET /api/neira/tokens', '/api/neira/tokens', undefined, 200],
  [
    'POST /api/neira/tokens',
    '/api/neira/tokens',
    { name: 'x', scopes: ['read'], expires_at: '2030-01-01T00:00:00Z' },
    201,
  ],
  ['DELETE /api/neira/tokens/:id', '/api/neira/tokens/t1', undefined, 204],
  ['GET /api/neira/secrets', '/api/neira/secrets', undefined, 200],
  ['PUT /api/neira/secrets/:name', '/api/neira/secrets/a.b', { value: 'x' }, 201],
  ['DELETE /api/neira/secrets/:name', '/api/neira/secrets/a.b', undefined, 204],
  ['POST /api/neira/secrets/rotate-key', '/api/neira/secrets/rotate-key', undefined, 200],
  ['POST /api/neira/backup', '/api/neira/backup', undefined, 201],
];

const RANKS = { read: 1, write: 2, admin: 3 } as const;

describe('the contract', () => {
  test('documents the routes that are served, and no others', () => {
    const served = server.routes.map(({ method, url }) => `${method} ${documentedPath(url)}`);
    expect(served.sort()).toEqual([...contract.operations.keys()].sort());
    expect(CALLS.map(([route]) => documentedPath(route)).sort()).toEqual(
      [...contract.operations.keys()].sort(),
    );
  });

  test('names the scope that each route asks for', () => {
    for (const { method, url, access } of server.routes) {
      const [requirement] = contract.operations.get(`${method} ${documentedPath(url)}`)!.security;
      expect([method, url, requirement?.['token']?.[0] ?? 'open']).toEqual([method, url, access]);
    }
  });

  test('lists every error code of the catalogue', () => {
    const { components } = contract.document as {
      components: { schemas: { ErrorCode: { enum: string[] } } };
    };
    expect(components.schemas.ErrorCode.enum.toSorted()).toEqual(Object.keys(ERRORS).sort());
  });

  test.each(CALLS)('%s answers as documented', async (route, path, body, status) => {
    const operation = contract.operations.get(documentedPath(route))!;
    const request = operation.requestBody?.content['application/json']?.schema;
    expect(request === undefined).toBe(body === undefined);
    if (request !== undefined) expect(compileSchema(request).problems(body)).toEqual([]);

    const answer = await send(`${route.split(' ')[0]} ${path}`, body);
    expect(answer.status, answer.text).toBe(status);
    const [type, media] = Object.entries(operation.responses[status]!.content ?? {})[0] ?? [];
    if (type === undefined) return expect(answer.text).toBe('');
    expect(answer.headers.get('content-type')).toContain(type);
    if (type === 'application/json') expect(compileSchema(media!.schema).problems(answer.body)).toEqual([]);
  });

  test('its document is served and every reference in it resolves', async () => {
    const { body } = await send('GET /openapi.json');
    expect(body.openapi).toBe('3.1.0');
    expect(body.paths['/api/neira/ui/events'].post.operationId).toBe('uiEvent');
  });

  test('its page has no scripts, and a policy that forbids them', async () => {
    const { text, headers } = await send('GET /docs');
    expect(text).toContain('POST /api/neira/ui/events');
    expect(text).toContain('NEIRA_GATE_LOCKED');
    expect(text).not.toMatch(/<script|src=|href="http/);
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/);
  });
});

describe('scopes', () => {
  const table = CALLS.flatMap(([route, path, body]) =>
    (['none', 'wrong', 'read', 'write', 'admin'] as const).map((who) => [route, who, path, body] as const),
  );
  test.each(table)('%s with token: %s', async (route, who, path, body) => {
    const access = server.routes.find(({ method, url }) => `${method} ${url}` === route)!.access;
    const headers = who === 'none' ? {} : who === 'wrong' ? { authorization: 'Bearer nobody' } : bearer(who);
    const {
      status,
      body: problem,
      headers: got,
    } = await send(`${route.split(' ')[0]} ${path}`, body, headers as Record<string, string>);
    if (access === 'open') return expect(status).toBe(200);
    if (who === 'none' || who === 'wrong') {
      expect([status, problem.code]).toEqual([401, 'NEIRA_UNAUTHENTICATED']);
      expect(got.get('www-authenticate')).toMatch(/^Bearer/);
      expect(server.api.calls).toEqual([]);
    } else if (RANKS[who] < RANKS[access]) {
      expect([status, problem.code, problem.scope]).toEqual([403, 'NEIRA_FORBIDDEN', access]);
      expect(got.get('www-authenticate')).toContain('insufficient_scope');
      expect(server.api.calls).toEqual([]);
    } else expect(status).toBeLessThan(300);
  });

  test('an address that does not exist says so only to a token', async () => {
    expect((await send('GET /nothing', undefined, {})).status).toBe(401);
    const { status, body, headers } = await send('GET /nothing?secret=1');
    expect([status, body.code, body.id]).toEqual([404, 'NEIRA_NOT_FOUND', 'GET /nothing']);
    expect(headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect((await send('PATCH /api/neira/plugins')).status).toBe(404);
  });
});
