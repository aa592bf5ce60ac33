import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { NeiraError } from '../errors.ts';
import { bearer, EVENT, post, startTestServer, type TestServer, TOKENS } from './test-api.ts';

/** Sends bytes and answers what comes back until the other side closes. */
async function raw(server: TestServer, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.on('error', () => {});
  let got = '';
  socket.setEncoding('utf8').on('data', (part) => (got += part));
  socket.write(bytes);
  await once(socket, 'close');
  return got;
}

describe('problem documents', () => {
  test('what the host refuses says the code, what happened and what to do', async () => {
    await using server = await startTestServer();
    server.api.override({
      async uiEvent() {
        throw new NeiraError('NEIRA_PLUGIN_FAILED', {
          plugin: 'p',
          name: 'TypeError',
          reason: 'x',
          file: 'main.ts',
          line: 3,
          stack: 'at main.ts',
        });
      },
    });
    const { status, problem } = await post(server, '/api/neira/ui/events', JSON.stringify(EVENT));
    expect(status).toBe(500);
    expect(problem).toEqual({
      type: 'urn:neira:error:NEIRA_PLUGIN_FAILED',
      title: 'NEIRA_PLUGIN_FAILED',
      trace_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      status: 500,
      code: 'NEIRA_PLUGIN_FAILED',
      detail: 'Plugin `p` threw TypeError: x.',
      remedy: 'Correct the place named in `file` and `line`.',
      plugin: 'p',
      name: 'TypeError',
      reason: 'x',
      file: 'main.ts',
      line: 3,
    });
    expect(server.logged).toEqual([]);
  });

  test.each([
    ['an error', new Error('cannot open /home/anna/.neira/neira.db')],
    ['a text', 'cannot open /home/anna'],
    [
      'an error of Node',
      Object.assign(new Error('ENOENT /home/anna'), { code: 'ENOENT', path: '/home/anna' }),
    ],
    ['its own mistake', new NeiraError('NEIRA_INTERNAL', { reason: 'at /home/anna', stack: '/home/anna' })],
    ['its store', new NeiraError('NEIRA_STORE_FAILED', { reason: 'SQLITE_IOERR /home/anna' })],
  ])(
    'a mistake of the host, thrown as %s, is logged under an id and shows nothing',
    async (_what, thrown) => {
      await using server = await startTestServer();
      server.api.override({
        async uiEvent() {
          throw thrown;
        },
      });
      const { status, problem } = await post(server, '/api/neira/ui/events', JSON.stringify(EVENT));
      expect(status).toBe(500);
      expect(JSON.stringify(problem)).not.toMatch(/home|anna|node_modules|\.ts/);
      expect(server.logged.map((line) => line.details)).toEqual([
        expect.objectContaining({ err: thrown, request: problem['request_id'] }),
      ]);
    },
  );

  test('an address that cannot be decoded is 400', async () => {
    await using server = await startTestServer();
    const got = await raw(
      server,
      `GET /api/%zz HTTP/1.1\r\nHost: ${new URL(server.url).host}\r\nConnection: close\r\n\r\n`,
    );
    expect(got).toMatch(/^HTTP\/1.1 400 /);
    expect(got).toContain('"code":"NEIRA_BAD_REQUEST"');
  });

  test('no answer names the software or may be cached or sniffed', async () => {
    await using server = await startTestServer();
    for (const path of ['/healthz', '/nothing', '/api/neira/mode']) {
      const { headers } = await fetch(server.url + path);
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('server') ?? headers.get('x-powered-by')).toBeNull();
    }
  });
});

describe('sizes and times', () => {
  test('a body above the limit is 413, announced or not', async () => {
    await using server = await startTestServer();
    const { status, problem } = await post(
      server,
      '/api/neira/ui/events',
      JSON.stringify({ ...EVENT, params: { x: 'x'.repeat(64 * 1024) } }),
    );
    expect([status, problem['code'], problem['maxBytes']]).toEqual([413, 'NEIRA_BODY_TOO_LARGE', 64 * 1024]);
    const chunk = `8000\r\n${'x'.repeat(0x8000)}\r\n`;
    const got = await raw(
      server,
      `POST /api/neira/ui/events HTTP/1.1\r\nHost: ${new URL(server.url).host}\r\nAuthorization: Bearer ${TOKENS.admin}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(3)}`,
    );
    expect(got).toMatch(/^HTTP\/1.1 413 /);
  });

  test('a registration may be larger than other bodies', async () => {
    await using server = await startTestServer();
    const big = (bytes: number) =>
      JSON.stringify({ manifest: { id: 'big' }, files: { 'a.ts': 'x'.repeat(bytes) } });
    expect((await post(server, '/api/neira/plugins', big(100 * 1024))).status).toBe(201);
    expect((await post(server, '/api/neira/plugins', big(257 * 1024))).status).toBe(413);
  });

  test('headers that overflow are 431, what is not HTTP is 400', async () => {
    await using server = await startTestServer();
    expect(await raw(server, `GET / HTTP/1.1\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431 [\s\S]*NEIRA_BAD_REQUEST/,
    );
    expect(await raw(server, 'hello\r\n\r\n')).toMatch(/^HTTP\/1.1 400 [\s\S]*NEIRA_BAD_REQUEST/);
    expect(
      await raw(server, 'GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'),
    ).toMatch(/^HTTP\/1.1 400 /);
  });

  test('a client that sends its headers or its body drop by drop is cut off', async () => {
    await using server = await startTestServer({ headersTimeoutMs: 300, requestTimeoutMs: 600 });
    const { host } = new URL(server.url);
    const startedMs = performance.now();
    const got = await Promise.all([
      raw(server, `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nX-Slow: `),
      raw(
        server,
        `POST /api/neira/ui/events HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${TOKENS.admin}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"tool`,
      ),
    ]);
    for (const answer of got) expect(answer).toMatch(/^HTTP\/1.1 408 /);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  test('connections beyond the limit are dropped and the others go on', async () => {
    await using server = await startTestServer({ maxConnections: 2 });
    const port = Number(new URL(server.url).port);
    const open: Socket[] = [];
    for (let n = 0; n < 2; n++) open.push(connect(port, '127.0.0.1'));
    await Promise.all(open.map((socket) => once(socket, 'connect')));
    const third = connect(port, '127.0.0.1').on('error', () => {});
    await once(third, 'close');
    open[0]!.write(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
    const [answer] = await once(open[0]!, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1.1 200 /);
    for (const socket of open) socket.destroy();
  });
});

describe('export', () => {
  test('an endless export is read only as fast as its reader reads, and released when the reader leaves', async () => {
    await using server = await startTestServer();
    let made = 0;
    let released = false;
    function* lines() {
      try {
        for (;;) {
          made++;
          yield JSON.stringify({ n: made, text: 'x'.repeat(1000) });
        }
      } finally {
        released = true;
      }
    }
    server.api.override({ exportLines: lines });
    const stop = new AbortController();
    const response = await fetch(`${server.url}/api/neira/export`, {
      headers: bearer('read'),
      signal: stop.signal,
    });
    expect(response.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
    const reader = response.body!.getReader();
    await reader.read();
    await settled(() => made);
    const madeForOneRead = made;
    expect(madeForOneRead).toBeLessThan(50_000);
    stop.abort();
    await expect.poll(() => released).toBe(true);
  });

  test('an export that fails before its first line is a problem document; nothing at all is an empty body', async () => {
    await using server = await startTestServer();
    server.api.override({
      // biome-ignore lint/correctness/useYield: it fails before it yields
      *exportLines() {
        throw new NeiraError('NEIRA_BUSY', { what: 'the store', waiting: 3 });
      },
    });
    const failed = await fetch(`${server.url}/api/neira/export`, { headers: bearer('read') });
    expect([failed.status, failed.headers.get('retry-after')]).toEqual([503, '1']);
    server.api.override({ exportLines: () => [] });
    const empty = await fetch(`${server.url}/api/neira/export`, { headers: bearer('read') });
    expect([empty.status, await empty.text()]).toEqual([200, '']);
  });

  test('an export that breaks off in the middle is not taken for a whole one', async () => {
    await using server = await startTestServer();
    server.api.override({
      *exportLines() {
        yield 'x'.repeat(200_000);
        throw new Error('torn');
      },
    });
    const response = await fetch(`${server.url}/api/neira/export`, { headers: bearer('read') });
    await expect(response.text()).rejects.toThrow();
    expect(server.logged.length).toBe(1);
  });
});

describe('closing', () => {
  test('a call in progress ends, and then nobody listens any more', async () => {
    const server = await startTestServer();
    const { promise, resolve } = Promise.withResolvers<void>();
    server.api.override({
      async uiEvent() {
        await promise;
        return { event_id: 'late', mode: 'executed', ran: true, actions: [] };
      },
    });
    const running = post(server, '/api/neira/ui/events', JSON.stringify(EVENT));
    await expect.poll(() => server.api.calls.length).toBe(1);
    const closing = server.close();
    resolve();
    expect((await running).problem['event_id']).toBe('late');
    await closing;
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
  });

  test('a call that never ends does not keep the host from closing', async () => {
    const server = await startTestServer({ closeTimeoutMs: 200 });
    server.api.override({ uiEvent: () => new Promise(() => {}) });
    const hanging = post(server, '/api/neira/ui/events', JSON.stringify(EVENT)).catch(() => 'cut');
    await expect.poll(() => server.api.calls.length).toBe(1);
    await server.close();
    expect(await hanging).toBe('cut');
  });
});

/** Waits until a number has not changed for a while. */
async function settled(read: () => number): Promise<void> {
  let last = -1;
  while (read() !== last) {
    last = read();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
