import { describe, expect, test } from 'vitest';
import { NeiraError } from '../errors.ts';
import { bearer, EVENT, post, startTestServer, type TestServer } from './test-api.ts';

describe('malformed bodies', () => {
  test.each([
    ['what is not JSON', '{"tool_id":'],
    ['two documents', '{} {}'],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
    ['a body nested beyond all use', `{"params":${'['.repeat(5000)}${']'.repeat(5000)}}`],
    ['keys that poison prototypes', '{"tool_id":"p","event":"e","params":{"__proto__":{"x":1}}}'],
    [
      'keys that poison constructors',
      '{"tool_id":"p","event":"e","params":{"constructor":{"prototype":{}}}}',
    ],
  ])('%s is 400', async (_what, body) => {
    await using server = await startTestServer();
    const { status, type, problem } = await post(server, '/api/neira/ui/events', body);
    expect([status, type, problem['code']]).toEqual([
      400,
      'application/problem+json; charset=utf-8',
      'NEIRA_BAD_REQUEST',
    ]);
    expect(server.api.calls).toEqual([]);
  });

  test.each([
    ['text/plain'],
    ['application/x-www-form-urlencoded'],
    ['application/xml'],
    ['multipart/form-data; boundary=x'],
    ['nonsense'],
  ])('the content type %s is 400', async (type) => {
    await using server = await startTestServer();
    const { status, problem } = await post(server, '/api/neira/ui/events', JSON.stringify(EVENT), {
      'content-type': type,
    });
    expect([status, problem['code']]).toEqual([400, 'NEIRA_BAD_REQUEST']);
  });

  const valid = { ...EVENT, context: { chat_id: 'чат.1', session_id: 'a_b-c' } };
  test.each<[string, unknown, string]>([
    ['nothing', undefined, '$'],
    ['a text', 'x', '$'],
    ['a list', [], '$'],
    ['no tool_id', { ...valid, tool_id: undefined }, 'tool_id'],
    ['no event', { ...valid, event: undefined }, 'event'],
    ['no params', { ...valid, params: undefined }, 'params'],
    ['params that are a list', { ...valid, params: [] }, 'params'],
    ['context that is a text', { ...valid, context: 'x' }, 'context'],
    ['context that is null', { ...valid, context: null }, 'context'],
    ['a tool_id that is a number', { ...valid, tool_id: 7 }, 'tool_id'],
    ['an event with a space', { ...valid, event: 'ui pencil' }, 'event'],
    ['a field nobody knows', { ...valid, source: 'me' }, 'source'],
    ['a chat id with a slash', { ...valid, context: { chat_id: 'a/b' } }, 'context.chat_id'],
    ['a chat id of dots', { ...valid, context: { chat_id: '..' } }, 'context.chat_id'],
    ['an empty session id', { ...valid, context: { session_id: '' } }, 'context.session_id'],
    ['a long id', { ...valid, context: { message_id: 'x'.repeat(129) } }, 'context.message_id'],
    ['an id that is a number', { ...valid, context: { user_id: 1 } }, 'context.user_id'],
    ['an id that ends in a line break', { ...valid, context: { user_id: 'a\n' } }, 'context.user_id'],
  ])('a UI event with %s is 422 and names the path', async (_what, body, path) => {
    await using server = await startTestServer();
    const { status, problem } = await post(
      server,
      '/api/neira/ui/events',
      body === undefined ? '' : JSON.stringify(body),
    );
    expect([status, problem['code']]).toEqual([422, 'NEIRA_INVALID']);
    expect(problem['errors'].map((error: { path: string }) => error.path)).toContain(path);
    expect(server.api.calls).toEqual([]);
  });

  test('every failing path is named at once', async () => {
    await using server = await startTestServer();
    const { problem } = await post(
      server,
      '/api/neira/ui/events',
      JSON.stringify({ params: 1, context: { chat_id: '/' } }),
    );
    expect(problem['errors'].map((error: { path: string }) => error.path).sort()).toEqual([
      'context.chat_id',
      'event',
      'params',
      'tool_id',
    ]);
  });

  test.each<[string, string, unknown, string]>([
    ['PUT', '/api/neira/mode', { mode: 'party' }, 'mode'],
    ['PUT', '/api/neira/gates/x', { stage: 'open' }, 'stage'],
    ['PUT', '/api/neira/gates/x', { stage: 'stable', force: 'yes' }, 'force'],
    ['PUT', '/api/neira/plugins/a/grants', { permissions: [] }, 'permissions'],
    ['PUT', '/api/neira/plugins/a/grants', {}, 'permissions'],
    ['PUT', '/api/neira/plugins/a/settings', { a: 1 }, 'settings'],
    ['POST', '/api/neira/plugins/a/rollback', { version: 1 }, 'version'],
    ['POST', '/api/neira/plugins', {}, '$'],
    ['POST', '/api/neira/plugins', { path: '/a', catalog: 'b' }, '$'],
    ['POST', '/api/neira/plugins', { manifest: {} }, 'files'],
    ['POST', '/api/neira/plugins', { path: '/a', files: {} }, 'files'],
    ['POST', '/api/neira/plugins', { manifest: {}, files: { 'a.ts': 1 } }, 'files.a.ts'],
    ['POST', '/api/neira/tokens', { name: 'x', scopes: [] }, 'scopes'],
    ['POST', '/api/neira/tokens', { name: 'x\u001b[2J', scopes: ['read'] }, 'name'],
    ['POST', '/api/neira/tokens', { name: 'x', scopes: ['root'] }, 'scopes[0]'],
    ['POST', '/api/neira/tokens', { name: 'x', scopes: ['read'], expires_at: 'soon' }, 'expires_at'],
  ])('%s %s %j is 422', async (method, path, body, failing) => {
    await using server = await startTestServer();
    const { status, problem } = await post(server, path, JSON.stringify(body), {}, method);
    expect([status, problem['code']]).toEqual([422, 'NEIRA_INVALID']);
    expect(problem['errors'].map((error: { path: string }) => error.path)).toContain(failing);
    expect(server.api.calls).toEqual([]);
  });

  test.each([
    ['/api/neira/journal?limit=0'],
    ['/api/neira/journal?limit=1001'],
    ['/api/neira/journal?limit=ten'],
    ['/api/neira/journal?after=-1'],
    ['/api/neira/journal?limit=1&limit=2'],
    ['/api/neira/journal?limt=1'],
    ['/api/neira/plugins?x=1'],
    ['/api/neira/search?type=all'],
    ['/api/neira/search?chat=..'],
    ['/api/neira/gates/match'],
    ['/api/neira/gates/match?phrase='],
    ['/api/neira/plugins/..%2f..%2fetc'],
    ['/api/neira/plugins/a%00b'],
    [`/api/neira/plugins/${'a'.repeat(129)}`],
  ])('GET %s is 422', async (path) => {
    await using server = await startTestServer();
    const response = await fetch(server.url + path, {
      headers: bearer('admin'),
    });
    const problem = (await response.json()) as { code: string; errors: unknown[] };
    expect([response.status, problem.code]).toEqual([422, 'NEIRA_INVALID']);
    expect(problem.errors.length).toBeGreaterThan(0);
    expect(server.api.calls).toEqual([]);
  });

  test('a mistyped dry_run does not run wet', async () => {
    await using server = await startTestServer();
    for (const query of ['?dryrun=1', '?dry_run=yes', '?dry_run=']) {
      expect((await post(server, `/api/neira/ui/events${query}`, JSON.stringify(EVENT))).status).toBe(422);
    }
    expect(server.api.calls).toEqual([]);
  });

  test('an Idempotency-Key that is empty, long or not printable is 422', async () => {
    await using server = await startTestServer();
    for (const key of [
      '',
      'x'.repeat(201),
      'ключ'
        .split('')
        .map(() => '\u00e9')
        .join(''),
    ]) {
      const { status, problem } = await post(server, '/api/neira/ui/events', JSON.stringify(EVENT), {
        'idempotency-key': key,
      });
      expect([status, problem['errors'][0].path]).toEqual([422, 'Idempotency-Key']);
    }
  });
});

describe('forms', () => {
  function form(...files: [string, Blob | string][]): FormData {
    const made = new FormData();
    for (const [name, content] of files)
      typeof content === 'string' ? made.append(name, content) : made.append(name, content, 'p.zip');
    return made;
  }
  async function upload(
    server: TestServer,
    body: NonNullable<RequestInit['body']>,
    headers: Record<string, string> = {},
  ) {
    const response = await fetch(`${server.url}/api/neira/plugins`, {
      method: 'POST',
      body,
      headers: { ...bearer('admin'), ...headers },
    });
    return { status: response.status, problem: (await response.json()) as Record<string, unknown> };
  }
  const zip = new Blob([Buffer.alloc(1000, 1)]);

  test.each<[string, FormData, number, string]>([
    ['no file', form(['note', 'x']), 400, 'NEIRA_BAD_REQUEST'],
    ['two files', form(['a', zip], ['b', zip]), 400, 'NEIRA_BAD_REQUEST'],
    [
      'a file too large by little',
      form(['a', new Blob([Buffer.alloc(256 * 1024 + 1)])]),
      413,
      'NEIRA_BODY_TOO_LARGE',
    ],
    [
      'many fields',
      form(['a', zip], ...Array.from({ length: 20 }, (_, n): [string, string] => [`f${n}`, 'x'])),
      400,
      'NEIRA_BAD_REQUEST',
    ],
  ])('with %s', async (_what, body, status, code) => {
    await using server = await startTestServer();
    const answer = await upload(server, body);
    expect([answer.status, answer.problem['code']]).toEqual([status, code]);
    expect(server.api.calls).toEqual([]);
  });

  test.each([
    ['no boundary', 'multipart/form-data', 'x'],
    [
      'an end that never comes',
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data; name="a"; filename="p.zip"\r\n\r\nPK',
    ],
    ['no form at all', 'multipart/form-data; boundary=b', 'PK PK PK'],
  ])('with %s is 400', async (_what, type, body) => {
    await using server = await startTestServer();
    const answer = await upload(server, body, { 'content-type': type });
    expect([answer.status, answer.problem['code']]).toEqual([400, 'NEIRA_BAD_REQUEST']);
    expect(server.api.calls).toEqual([]);
  });

  test('a refusal of the host is not taken for a malformed form', async () => {
    await using server = await startTestServer();
    server.api.override({
      async registerPlugin() {
        throw new NeiraError('NEIRA_ARCHIVE_REFUSED', { reason: 'a path leaves the folder' });
      },
    });
    const answer = await upload(server, form(['a', zip]));
    expect([answer.status, answer.problem['code']]).toEqual([422, 'NEIRA_ARCHIVE_REFUSED']);
  });
});
