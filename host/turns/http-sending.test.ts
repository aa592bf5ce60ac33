import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { httpPermissionNames } from '../../gates/http-rules.ts';
import { type HttpPeer, openPeer, redirectTo } from '../../test/kit/http-peer.ts';
import type { SecretSource } from '../context/secret-source.ts';
import { NeiraError } from '../errors.ts';
import { httpRequest } from '../functions/http-request.ts';
import { HttpClient } from '../ports/http/client.ts';
import type { PluginPolicy } from '../turn-context.ts';
import { sendRequest } from './http-sending.ts';

/** Redirects and secrets of a request, with real servers on both sides of a redirect (issue of egress; design §5). */

let here: HttpPeer;
let there: HttpPeer;
let client: HttpClient;

beforeEach(async () => {
  here = await openPeer();
  there = await openPeer();
  client = new HttpClient(async () => [{ address: '127.0.0.1', family: 4 }]);
});
afterEach(async () => {
  await client.close();
  await here.close();
  await there.close();
});

const KEY = 'k3y+/=';
/** One secret, for the host that is asked first. */
const secrets: SecretSource = {
  fill(_policy, name, host) {
    if (name !== 'weather.api_key') throw new NeiraError('NEIRA_SECRET_MISSING', { secret: name });
    expect(host).toBe(here.host);
    return KEY;
  },
  mask: (text) => text.replaceAll(KEY, '[secret:weather.api_key]'),
};
const HANDLE = { secret: 'weather.api_key' };

function policyOf(names: readonly string[]): PluginPolicy {
  return {
    plugin: 'p',
    version: 'v',
    gate: { id: 'g', stage: 'stable' },
    asked: names,
    granted: names,
    publishes: [],
    events: {},
    retry: { max: 0, baseMs: 1, maxMs: 1 },
    limits: {
      turnMs: 1000,
      waitMs: 5000,
      cpuMs: 100,
      memoryMb: 32,
      hostCalls: 100,
      publishes: 10,
      outputBytes: 1000,
      logBytes: 1000,
      storageMb: 1,
      requests: 20,
      requestsPerMinute: 120,
      responseBytes: 10_000,
    },
    settings: '{}',
  };
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'];
const rule = (host: string, more = {}) =>
  httpPermissionNames({ host, methods: METHODS, schemes: ['http'], private: true, ...more });

async function send(given: Record<string, unknown>, names = [...rule(here.host), ...rule(there.host)]) {
  const { request } = httpRequest(JSON.stringify({ url: `${here.url}/start`, ...given }));
  const ended = await sendRequest(
    { exchange: (exchange) => client.exchange(exchange), secrets },
    {
      request,
      policy: policyOf(names),
      turn: { mode: 'normal', caller: 'write' },
      idempotencyKey: 'the-key',
      timeoutMs: 5000,
      over: [],
      onSent: () => {},
    },
  );
  const { answer, ...rest } = ended;
  return { ...rest, answer: JSON.parse(answer!.slice(1)) };
}

describe('redirects', () => {
  test.each([
    [301, 'GET', 'GET'],
    [302, 'GET', 'GET'],
    [303, 'GET', 'GET'],
    [307, 'GET', 'GET'],
    [301, 'POST', 'GET'],
    [302, 'POST', 'GET'],
    [303, 'POST', 'GET'],
    [307, 'POST', 'POST'],
    [308, 'POST', 'POST'],
    [303, 'PUT', 'GET'],
    [302, 'PUT', 'PUT'],
    [303, 'HEAD', 'HEAD'],
  ])('%i after %s is followed with %s', async (status, method, next) => {
    here.answer(redirectTo(`${there.url}/end`, status));
    const { answer } = await send({ method, ...(['POST', 'PUT'].includes(method) && { body: 'x' }) });
    expect(answer).toMatchObject({ status: 200, url: `${there.url}/end` });
    const [received] = there.received;
    expect(received).toMatchObject({
      method: next,
      url: '/end',
      body: next === method && method !== 'GET' && method !== 'HEAD' ? 'x' : '',
    });
    if (next === 'GET') {
      expect(received!.headers).not.toHaveProperty('content-type');
      expect(received!.headers).not.toHaveProperty('idempotency-key');
    }
  });

  test('a host that is not granted is not asked, whoever redirects there', async () => {
    here.answer(redirectTo(`${there.url}/end`));
    expect(await send({}, rule(here.host))).toMatchObject({
      answer: { code: 'NEIRA_PERMISSION_DENIED', details: { permission: `io.request:GET ${there.url}/end` } },
      passing: false,
    });
    expect(there.received).toEqual([]);
  });

  test('a path that is not granted is not asked', async () => {
    here.answer(redirectTo('/admin'));
    const { answer } = await send({}, rule(here.host, { paths: ['/start'] }));
    expect(answer).toMatchObject({ code: 'NEIRA_PERMISSION_DENIED' });
    expect(here.received).toHaveLength(1);
  });

  test('an address that is not the world’s is refused where the rule does not allow it', async () => {
    here.answer(redirectTo(`http://inner.example.org:${there.port}/`));
    const names = [...rule(here.host), ...rule(`inner.example.org:${there.port}`, { private: false })];
    expect(await send({}, names)).toMatchObject({
      answer: { code: 'NEIRA_ADDRESS_REFUSED', details: { host: 'inner.example.org', address: '127.0.0.1' } },
      passing: true,
    });
    expect(there.received).toEqual([]);
  });

  test.each(['file:///etc/passwd', 'http://user:word@127.0.0.1/', 'javascript:1', 'http://'])(
    'to %s is refused',
    async (location) => {
      here.answer(redirectTo(location));
      expect((await send({})).answer).toMatchObject({ code: 'NEIRA_REDIRECT_REFUSED' });
    },
  );

  test('five in a row are followed, the sixth is not', async () => {
    here.answer(redirectTo('/start'));
    expect((await send({})).answer).toMatchObject({ code: 'NEIRA_REDIRECT_REFUSED' });
    expect(here.received).toHaveLength(6);
  });

  test('manual gives the redirect itself, error refuses it', async () => {
    here.answer(redirectTo(`${there.url}/end`));
    expect((await send({ redirect: 'manual' })).answer).toMatchObject({
      status: 302,
      headers: { location: `${there.url}/end` },
    });
    expect((await send({ redirect: 'error' })).answer).toMatchObject({ code: 'NEIRA_REDIRECT_REFUSED' });
    expect(there.received).toEqual([]);
  });

  test('what was carried out before the redirect is not forgotten, whatever comes after', async () => {
    here.answer(redirectTo(`${there.url}/end`, 303));
    there.answer((_request, response) => {
      response.statusCode = 503;
      response.end();
    });
    expect(await send({ method: 'POST', body: 'x' })).toMatchObject({
      answer: { status: 503 },
      passing: false,
    });
    expect(await send({})).toMatchObject({ answer: { status: 503 }, passing: true });
  });
});

describe('secrets', () => {
  const WITH_SECRETS = {
    query: { key: HANDLE },
    headers: { 'x-key': ['Key ', HANDLE], authorization: 'Basic mine', cookie: 'a=1', 'x-plain': 'p' },
  };

  test('are filled in where the request leaves: query, headers, and inside JSON', async () => {
    await send({ method: 'POST', ...WITH_SECRETS, json: { deep: [{ auth: HANDLE }], n: 1 } });
    expect(here.received).toMatchObject([
      {
        url: `/start?key=${encodeURIComponent(KEY)}`,
        headers: { 'x-key': `Key ${KEY}` },
        body: JSON.stringify({ deep: [{ auth: KEY }], n: 1 }),
      },
    ]);
  });

  test('are masked in what comes back: status line, headers, text and bytes', async () => {
    here.answer(({ headers }, response) => {
      response.setHeader('x-echo', String(headers['x-key']));
      response.end(`you said ${headers['x-key']}`);
    });
    const { answer } = await send(WITH_SECRETS);
    expect(JSON.stringify(answer)).not.toContain(KEY);
    expect(answer).toMatchObject({
      headers: { 'x-echo': 'Key [secret:weather.api_key]' },
      body: 'you said Key [secret:weather.api_key]',
    });
    here.answer(({ headers }, response) => {
      response.end(Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(String(headers['x-key']))]));
    });
    const { bodyBase64 } = (await send(WITH_SECRETS)).answer;
    expect(Buffer.from(bodyBase64, 'base64').toString('latin1')).toBe('ÿþKey [secret:weather.api_key]');
  });

  test('are not sent to another host, nor is what is personal; to the same host they are', async () => {
    here.answer(({ url }, response, incoming) =>
      (url === '/start' || url.startsWith('/start?') ? redirectTo('/next') : redirectTo(`${there.url}/end`))(
        undefined as never,
        response,
        incoming,
      ),
    );
    await send(WITH_SECRETS);
    expect(here.received[1]!.headers).toMatchObject({ 'x-key': `Key ${KEY}`, authorization: 'Basic mine' });
    const [{ headers }] = there.received as unknown as [{ headers: object }];
    expect(headers).toMatchObject({ 'x-plain': 'p' });
    for (const name of ['x-key', 'authorization', 'cookie']) expect(headers).not.toHaveProperty(name);
  });

  test.each([KEY, encodeURIComponent(KEY)])(
    'a redirect whose address carries one away is refused (%s)',
    async (key) => {
      here.answer(redirectTo(`${there.url}/end?stolen=${key}`));
      expect((await send(WITH_SECRETS)).answer).toMatchObject({ code: 'NEIRA_REDIRECT_REFUSED' });
      expect(there.received).toEqual([]);
    },
  );

  test('a body that holds one is not sent to another host', async () => {
    here.answer(redirectTo(`${there.url}/end`, 307));
    const { answer } = await send({ method: 'POST', json: { auth: HANDLE } });
    expect(answer).toMatchObject({ code: 'NEIRA_REDIRECT_REFUSED' });
    expect(there.received).toEqual([]);
  });

  test('one that is missing is a plain refusal, and nothing leaves', async () => {
    expect(await send({ headers: { a: { secret: 'no.such' } } })).toMatchObject({
      answer: { code: 'NEIRA_SECRET_MISSING' },
      passing: true,
    });
    expect(here.received).toEqual([]);
  });
});
