import { request as httpRequest } from 'node:http';
import { describe, expect, test } from 'vitest';
import { NeiraError } from '../errors.ts';
import { createOriginGuard } from './origin.ts';
import { createRateLimit } from './rate.ts';
import { bearer, startTestServer, TOKENS } from './test-api.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** fetch does not let one set Host; this does. */
function call(url: string, headers: Record<string, string>, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, { method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    });
    sent.on('error', reject).end();
  });
}

describe('Host', () => {
  test('only names of this host, on its port, are answered', async () => {
    await using server = await startTestServer();
    const port = new URL(server.url).port;
    for (const host of [
      `127.0.0.1:${port}`,
      `localhost:${port}`,
      `LOCALHOST:${port}`,
      `[::1]:${port}`,
      'console.example.org',
    ]) {
      expect([host, (await call(`${server.url}/healthz`, { host })).status]).toEqual([host, 200]);
    }
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      'localhost',
      '127.0.0.1:1',
      `localhost.evil.example:${port}`,
      `x@127.0.0.1:${port}`,
      `192.168.1.9:${port}`,
    ]) {
      const { status, text } = await call(`${server.url}/healthz`, { host });
      expect([host, status, JSON.parse(text).code]).toEqual([host, 403, 'NEIRA_ORIGIN_REFUSED']);
    }
  });

  test('bound to every address, any number is this host and any name is not', () => {
    const guard = createOriginGuard({ host: '0.0.0.0', port: 8787, origins: [] });
    for (const host of ['192.168.1.9:8787', '[fe80::1]:8787', 'localhost:8787']) guard.requireHost(host);
    guard.requireOrigin('http://192.168.1.9:8787');
    for (const host of [
      '192.168.1.9',
      '192.168.1.9:80',
      'neira.example:8787',
      '0x7f.1:8787',
      '2130706433:8787',
      undefined,
    ]) {
      expect(() => guard.requireHost(host)).toThrow(NeiraError);
    }
  });

  test('on port 80 the port may be left out', () => {
    const guard = createOriginGuard({ host: '127.0.0.1', port: 80, origins: [] });
    guard.requireHost('localhost');
    guard.requireHost('localhost:80');
  });

  test('an origin that is none stops the boot', () => {
    expect(() => createOriginGuard({ host: '127.0.0.1', port: 1, origins: ['example'] })).toThrow(
      /NEIRA_ORIGINS/,
    );
  });
});

describe('Origin', () => {
  test('its own, and those of NEIRA_ORIGINS, may call and are told so; all others are refused', async () => {
    await using server = await startTestServer();
    const port = new URL(server.url).port;
    for (const origin of [server.url, `http://localhost:${port}`, 'https://console.example.org']) {
      const { status, headers } = await call(`${server.url}/api/neira/mode`, { origin, ...bearer('read') });
      expect([origin, status, headers['access-control-allow-origin'], headers['vary']]).toEqual([
        origin,
        200,
        origin,
        'Origin',
      ]);
    }
    for (const origin of [
      'null',
      'https://evil.example',
      'http://console.example.org',
      `https://localhost:${port}`,
      'https://console.example.org.evil',
    ]) {
      const { status, text, headers } = await call(`${server.url}/api/neira/mode`, {
        origin,
        ...bearer('admin'),
      });
      expect([origin, status, JSON.parse(text).code]).toEqual([origin, 403, 'NEIRA_ORIGIN_REFUSED']);
      expect(headers['access-control-allow-origin']).toBeUndefined();
    }
    expect(server.api.calls.length).toBe(3);
  });

  test('a preflight is answered without a token, for a known origin only', async () => {
    await using server = await startTestServer();
    const ask = {
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization',
    };
    const good = await call(
      `${server.url}/api/neira/ui/events`,
      { origin: 'https://console.example.org', ...ask },
      'OPTIONS',
    );
    expect([good.status, good.headers['access-control-allow-origin']]).toEqual([
      204,
      'https://console.example.org',
    ]);
    expect(good.headers['access-control-allow-headers']).toContain('authorization');
    const bad = await call(
      `${server.url}/api/neira/ui/events`,
      { origin: 'https://evil.example', ...ask },
      'OPTIONS',
    );
    expect(bad.status).toBe(403);
    expect((await call(`${server.url}/api/neira/ui/events`, {}, 'OPTIONS')).status).toBe(401);
  });
});

describe('tokens', () => {
  test.each([
    ['Basic YWRtaW46YWRtaW4='],
    ['Bearer'],
    ['Bearer '],
    [`Bearer ${TOKENS.admin} x`],
    [`Bearer ${'x'.repeat(600)}`],
    [TOKENS.admin],
  ])('%s is refused', async (authorization) => {
    await using server = await startTestServer();
    const { status, text } = await call(`${server.url}/api/neira/mode`, { authorization });
    expect([status, JSON.parse(text).code]).toEqual([401, 'NEIRA_UNAUTHENTICATED']);
  });

  test('the scheme is written in any case', async () => {
    await using server = await startTestServer();
    expect(
      (await call(`${server.url}/api/neira/mode`, { authorization: `bearer ${TOKENS.read}` })).status,
    ).toBe(200);
  });

  test('no token is ever logged, also when the call fails by the fault of the host', async () => {
    await using server = await startTestServer();
    server.api.override({
      getMode() {
        throw new Error('boom');
      },
    });
    await call(`${server.url}/api/neira/mode`, bearer('read'));
    expect(server.logged.length).toBe(1);
    expect(JSON.stringify(server.logged)).not.toContain(TOKENS.read);
  });
});

describe('the rate', () => {
  test('calls beyond it answer 429 and when to come again; other tokens are not touched', async () => {
    await using server = await startTestServer({ ratePerMinute: 3 });
    const status = async (headers: Record<string, string>) =>
      (await call(`${server.url}/api/neira/mode`, headers)).status;
    for (let n = 0; n < 3; n++) expect(await status(bearer('read'))).toBe(200);
    const { status: code, headers, text } = await call(`${server.url}/api/neira/mode`, bearer('read'));
    expect([code, JSON.parse(text).code]).toEqual([429, 'NEIRA_RATE_LIMITED']);
    expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect(await status(bearer('write'))).toBe(200);
  });

  test('whoever guesses tokens is slowed down, and locks nobody else out', async () => {
    await using server = await startTestServer({ ratePerMinute: 3 });
    const guess = async () =>
      (await call(`${server.url}/api/neira/mode`, { authorization: `Bearer ${Math.random()}` })).status;
    expect([await guess(), await guess(), await guess(), await guess()]).toEqual([401, 401, 401, 429]);
    expect((await call(`${server.url}/api/neira/mode`, bearer('admin'))).status).toBe(200);
  });

  test('a bucket refills steadily and holds no more than a minute', () => {
    let now = 0;
    const rate = createRateLimit(60, () => now);
    for (let n = 0; n < 60; n++) expect(rate.take('a')).toBe(0);
    expect(rate.take('a')).toBe(1);
    now += 1_000;
    expect([rate.take('a'), rate.take('a')]).toEqual([0, 1]);
    now += 3_600_000;
    for (let n = 0; n < 60; n++) expect(rate.take('a')).toBe(0);
    expect(rate.take('a')).toBe(1);
  });

  test('0 is without limit', () => {
    const rate = createRateLimit(0);
    for (let n = 0; n < 1000; n++) expect(rate.take('a')).toBe(0);
  });
});
