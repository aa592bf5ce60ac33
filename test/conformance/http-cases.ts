import { expect } from 'vitest';
import { type Case, refused, value } from './cases.ts';
import { PEER, type Step } from './probe.ts';

const ask = (request: unknown): Step => ['io.request', request];
const at = (path: string) => `${PEER.url}${path}`;
const answered = (more: Record<string, unknown> = {}) =>
  value(
    expect.objectContaining({
      status: 200,
      headers: expect.objectContaining({ 'content-type': 'application/json' }),
      body: '{"ok":true}',
      ...more,
    }),
  );

/** What no request may look like, each refused before anything is asked. */
const MISSHAPEN: readonly unknown[] = [
  'https://api.example.org',
  [],
  {},
  { url: 5 },
  { url: '/v1' },
  { url: 'ftp://a.org/' },
  { url: 'https://user:word@a.org/' },
  { url: 'https://a.org/#part' },
  { url: 'https://a.org\\@b.org/' },
  { url: 'https://a.org/\r\nx-injected: 1' },
  { url: at('/v1'), method: 'get' },
  { url: at('/v1'), method: 'CONNECT' },
  { url: at('/v1'), method: 'GET /x HTTP/1.1\r\nx: y' },
  { url: at('/v1'), body: 'GET has none' },
  { url: at('/v1'), method: 'POST', body: 5 },
  { url: at('/v1'), method: 'POST', body: 'a', json: 1 },
  { url: at('/v1'), method: 'POST', bodyBase64: 'no base64' },
  { url: at('/v1'), headers: { 'x-a': 'b\r\nx-injected: 1' } },
  { url: at('/v1'), headers: { 'x-a': ['b', '\n'] } },
  { url: at('/v1'), headers: { 'x a': 'b' } },
  { url: at('/v1'), headers: { 'x-a\r\nb': 'c' } },
  { url: at('/v1'), headers: { 'x-a': 'я' } },
  { url: at('/v1'), headers: { Host: 'other.org' } },
  { url: at('/v1'), headers: { 'Content-Length': '0' } },
  { url: at('/v1'), headers: { 'transfer-encoding': 'chunked' } },
  { url: at('/v1'), headers: { 'proxy-authorization': 'x' } },
  { url: at('/v1'), headers: { a: '1', A: '2' } },
  { url: at('/v1'), headers: { a: { secret: 5 } } },
  { url: at('/v1'), headers: { a: { secret: 'Not A Name' } } },
  { url: at('/v1'), headers: { a: null } },
  { url: at('/v1'), query: { a: { b: 1 } } },
  { url: at('/v1'), query: 'a=b' },
  { url: at('/v1'), timeoutMs: 0 },
  { url: at('/v1'), timeoutMs: '5' },
  { url: at('/v1'), redirect: 'sometimes' },
  { url: at('/v1'), colour: 'red' },
];

export const HTTP: readonly Case[] = [
  {
    fn: 'io.request',
    claim: 'answers status, address, headers and body',
    turns: () => [
      [
        ask({ url: at('/v1/now?a=1'), query: { b: 'ü', c: 2, d: true } }),
        ask({ method: 'POST', url: at('/v1/notes'), json: { text: 'привет' }, headers: { 'X-A': ['b', 1] } }),
      ],
    ],
    answers: () => [answered({ url: at('/v1/now') }), answered({ url: at('/v1/notes') })],
  },
  {
    fn: 'io.request',
    claim: 'what is no request is refused',
    turns: () => [MISSHAPEN.map(ask)],
    answers: () => MISSHAPEN.map(() => refused('NEIRA_VALUE_INVALID')),
  },
  {
    fn: 'io.request',
    claim: 'headers above 16 KB, or a query above 8 KB, are refused',
    turns: () => [
      [
        ask({ url: at('/v1'), headers: { a: 'x'.repeat(16 * 1024) } }),
        ask({ url: at('/v1'), query: { a: 'x'.repeat(8 * 1024) } }),
      ],
    ],
    answers: () => [refused('NEIRA_VALUE_TOO_LARGE'), refused('NEIRA_VALUE_TOO_LARGE')],
  },
  {
    fn: 'io.request',
    claim: 'host, scheme, method and path that are not granted are refused, with what to do',
    turns: () => [
      [
        ask({ url: 'https://other.example.org/v1' }),
        ask({ url: at('/v1').replace('http:', 'https:') }),
        ask({ method: 'DELETE', url: at('/v1') }),
        ask({ url: at('/v10') }),
        ask({ url: at('/v1/../admin') }),
        ask({ url: at('/v1/%2e%2e%2fadmin') }),
      ],
    ],
    answers: () => [
      refused('NEIRA_PERMISSION_DENIED', {
        permission: 'io.request:GET https://other.example.org/v1',
        remedy: expect.stringContaining('permissions.io.http'),
      }),
      ...Array.from({ length: 5 }, () => refused('NEIRA_PERMISSION_DENIED')),
    ],
  },
  {
    fn: 'io.request',
    claim: 'an address of this machine is refused unless the rule is for private ones',
    turns: () => [[ask({ url: 'https://127.0.0.1/' })]],
    answers: () => [refused('NEIRA_ADDRESS_REFUSED', { host: '127.0.0.1' })],
  },
];
