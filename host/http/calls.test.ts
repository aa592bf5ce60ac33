import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { NeiraError } from '../errors.ts';
import { bearer, sendTo, startTestServer, type TestServer } from './test-api.ts';

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

describe('what reaches the host', () => {
  test('a registration by each way, and the flags of development', async () => {
    await send('POST /api/neira/plugins?enable=1&grant=all', { path: '/some/folder' });
    await send('POST /api/neira/plugins', { catalog: 'ui.pencil' });
    await send('POST /api/neira/plugins?enable=0', {
      manifest: { id: 'a' },
      files: { 'a.bin': { base64: 'AA==' } },
      signature: { keyId: 'k', signature: 's' },
    });
    expect(server.api.calls).toEqual([
      ['registerPlugin', { from: 'path', path: '/some/folder' }, { enable: true, grantAll: true }],
      ['registerPlugin', { from: 'catalog', id: 'ui.pencil' }, { enable: false, grantAll: false }],
      [
        'registerPlugin',
        {
          from: 'inline',
          manifest: { id: 'a' },
          files: { 'a.bin': { base64: 'AA==' } },
          signature: { keyId: 'k', signature: 's' },
        },
        { enable: false, grantAll: false },
      ],
    ]);
  });

  test('a new plugin is 201 with its address, an update 200', async () => {
    const body = { manifest: { id: 'new.one' }, files: {} };
    const first = await send('POST /api/neira/plugins', body);
    expect([first.status, first.headers.get('location')]).toEqual([201, '/api/neira/plugins/new.one']);
    expect((await send('POST /api/neira/plugins', body)).status).toBe(200);
  });

  test('a zip in a form', async () => {
    const form = new FormData();
    form.set('plugin', new Blob([Buffer.from('PK zip bytes')]), 'p.zip');
    const response = await fetch(`${server.url}/api/neira/plugins?enable=1`, {
      method: 'POST',
      body: form,
      headers: bearer('admin'),
    });
    expect(response.status).toBe(201);
    expect(server.api.calls).toEqual([
      [
        'registerPlugin',
        { from: 'zip', bytes: Buffer.from('PK zip bytes') },
        { enable: true, grantAll: false },
      ],
    ]);
  });

  test('a rollback with a version, without one, and without a body', async () => {
    for (const body of [{ version: '1.0.0' }, {}, undefined])
      await send('POST /api/neira/plugins/ui.pencil/rollback', body);
    expect(server.api.calls).toEqual([
      ['rollbackPlugin', 'ui.pencil', '1.0.0'],
      ['rollbackPlugin', 'ui.pencil', undefined],
      ['rollbackPlugin', 'ui.pencil', undefined],
    ]);
  });

  test('data is kept unless it is to be dropped', async () => {
    await send('DELETE /api/neira/plugins/ui.pencil');
    await send('POST /api/neira/plugins', { catalog: 'ui.pencil' });
    await send('DELETE /api/neira/plugins/ui.pencil?data=drop');
    expect(server.api.calls.filter(([name]) => name === 'removePlugin')).toEqual([
      ['removePlugin', 'ui.pencil', false],
      ['removePlugin', 'ui.pencil', true],
    ]);
  });

  test('a UI event: context is {} when absent; dry run, key and language are passed on', async () => {
    const event = { tool_id: 'pencil', event: 'ui.pencil.draw', params: { x: 1, extra: [] } };
    await send('POST /api/neira/ui/events', event);
    await send(
      'POST /api/neira/ui/events?dry_run=1',
      { ...event, context: { chat_id: 'чат-1' } },
      { ...bearer('write'), 'idempotency-key': 'k 1', 'accept-language': 'ru' },
    );
    const traceparent = expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(server.api.calls).toEqual([
      ['uiEvent', { ...event, context: {} }, { dryRun: false, traceparent }],
      [
        'uiEvent',
        { ...event, context: { chat_id: 'чат-1' } },
        { dryRun: true, idempotencyKey: 'k 1', acceptLanguage: 'ru', traceparent },
      ],
    ]);
  });

  test('what a principal is granted: the permissions, or all that it asks for, and not both or neither', async () => {
    const path = '/api/neira/plugins/ui.pencil/principals/scenario:morning';
    const permissions = { storage: ['read'] };
    await send(`PUT ${path}/grants`, { permissions });
    await send(`PUT ${path}/grants?grant=all`);
    await send(`DELETE ${path}`);
    for (const [call, body] of [
      [`PUT ${path}/grants`, {}],
      [`PUT ${path}/grants?grant=all`, { permissions }],
      [`PUT ${path}/grants?grant=some`, undefined],
      [`PUT ${path}/grants`, { permissions, other: 1 }],
    ] as const)
      expect((await send(call, body)).status, call).toBe(422);
    expect(server.api.calls).toEqual([
      ['grantPrincipal', 'ui.pencil', 'scenario:morning', permissions],
      ['grantPrincipal', 'ui.pencil', 'scenario:morning', 'all'],
      ['removePrincipal', 'ui.pencil', 'scenario:morning'],
    ]);
  });

  test('numbers of a query, with their defaults', async () => {
    await send('GET /api/neira/journal');
    await send('GET /api/neira/journal?after=7&limit=3');
    await send('GET /api/neira/plugins/ui.pencil/logs');
    expect(server.api.calls).toEqual([
      ['readJournal', 0, 100],
      ['readJournal', 7, 3],
      ['pluginLogs', 'ui.pencil', 100],
    ]);
  });

  test('a published event has its trace, and its key from either place', async () => {
    const event = { event_name: 'order.placed', payload: {} };
    const keyed = { ...event, headers: { idempotency_key: 'k 1' } };
    const admin = bearer('admin');
    await send('POST /api/neira/events', event, { ...admin, 'idempotency-key': 'k 1' });
    await send('POST /api/neira/events', keyed, { ...admin, 'idempotency-key': 'k 1' });
    const traceparent = expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    const asked = ['publishEvent', { ...keyed, version: 1 }, { traceparent }];
    expect(
      server.api.calls.map(([name, body, options]) => [name, { version: 1, ...(body as object) }, options]),
    ).toEqual([asked, asked]);
    for (const key of ['k 2', ' '.repeat(300)]) {
      const { status, body } = await send('POST /api/neira/events', keyed, {
        ...admin,
        'idempotency-key': key,
      });
      expect([status, body.errors[0].path]).toEqual([422, 'Idempotency-Key']);
    }
    expect(server.api.calls).toHaveLength(2);
  });

  test('the live tail as Server-Sent Events, which no envelope can break out of', async () => {
    const sse = { ...bearer('read'), accept: 'text/event-stream' };
    const { text, headers } = await send('GET /api/neira/events?subject=order.*', undefined, {
      ...sse,
      'last-event-id': '3',
    });
    expect(headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(text).toBe(
      'retry: 1000\n: still here\nid: 3\n\nid: 4\nevent: order.placed\ndata: {"id":"e4", "payload":{"n":1}}\n\n',
    );
    await send('GET /api/neira/events?after=9&since=2026-01-01T00:00:00Z', undefined, sse);
    await send('GET /api/neira/events?since=2026-01-01T00:00:00Z', undefined, sse);
    expect(server.api.calls.map((call) => call.slice(0, 3))).toEqual([
      ['tailEvents', { subject: 'order.*', after: 3 }, 15_000],
      ['tailEvents', { after: 9 }, 15_000],
      ['tailEvents', { since: '2026-01-01T00:00:00Z' }, 15_000],
    ]);
    const refused = await send('GET /api/neira/events', undefined, { ...sse, 'last-event-id': 'x' });
    expect([refused.status, refused.body.errors[0].path]).toEqual([422, 'Last-Event-ID']);
    expect((await send('GET /api/neira/events?until=2026-01-01T00:00:00Z', undefined, sse)).status).toBe(422);
  });

  test('a tail that is refused is a problem document, and says when to come back', async () => {
    server.api.override({
      // biome-ignore lint/correctness/useYield: it is refused before its first page
      async *tailEvents() {
        throw new NeiraError('NEIRA_TOO_MANY_TAILS', { max: 64 });
      },
    });
    const { status, body, headers } = await send('GET /api/neira/events', undefined, {
      ...bearer('read'),
      accept: 'text/event-stream',
    });
    expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'NEIRA_TOO_MANY_TAILS', '1']);
  });

  test('a full mailbox says when to come back', async () => {
    server.api.override({
      async publishEvent() {
        throw new NeiraError('NEIRA_MAILBOX_FULL', { plugin: 'shop', max: 1 });
      },
    });
    const { status, headers } = await send('POST /api/neira/events', { event_name: 'a.b', payload: 1 });
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
  });

  test('dead letters by number, by filter, and as lines', async () => {
    await send('POST /api/neira/dead-letters/8/retry');
    await send('DELETE /api/neira/dead-letters/8');
    await send('POST /api/neira/dead-letters/retry', { plugin: 'shop', subject: 'order.>' });
    await send('POST /api/neira/dead-letters/drop', { all: true });
    const lines = await send('GET /api/neira/dead-letters?plugin=shop&after=3', undefined, {
      ...bearer('read'),
      accept: 'application/x-ndjson',
    });
    expect(JSON.parse(lines.text)).toMatchObject({ id: 7, plugin: 'shop' });
    expect(server.api.calls).toEqual([
      ['retryDeadLetters', { ids: [8] }],
      ['dropDeadLetters', { ids: [8] }],
      ['retryDeadLetters', { plugin: 'shop', subject: 'order.>' }],
      ['dropDeadLetters', { all: true }],
      ['exportDeadLetters', { plugin: 'shop' }, 3],
    ]);
    for (const body of [{}, { ids: [] }, { all: false }, { ids: [0] }, { else: 1 }])
      expect((await send('POST /api/neira/dead-letters/drop', body)).status).toBe(422);
    expect((await send('GET /api/neira/dead-letters/x')).status).toBe(422);
  });

  test('search as JSON, or as lines for those who ask', async () => {
    expect((await send('GET /api/neira/search?q=x')).body).toEqual({
      results: [{ type: 'annotation', id: 'a1' }],
      next: null,
      answered_by: null,
    });
    const lines = await send('GET /api/neira/search?q=x', undefined, {
      ...bearer('read'),
      accept: 'application/x-ndjson',
    });
    expect(lines.text).toBe('{"type":"annotation","id":"a1"}\n');
  });
});
