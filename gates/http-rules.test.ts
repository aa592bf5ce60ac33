import { describe, expect, test } from 'vitest';
import { decide } from './decide.ts';
import {
  type HttpRule,
  httpPermission,
  httpPermissionNames,
  parseTarget,
  problemOfRule,
} from './http-rules.ts';

/** What a rule of `permissions.io.http` lets through, by the decision itself. */
function allows(
  rule: Partial<HttpRule>,
  url: string,
  method = 'GET',
  flag?: 'private' | 'idempotent',
): boolean {
  const asked = httpPermissionNames({ host: 'api.example.org', methods: ['GET'], ...rule });
  const parsed = parseTarget(method, url);
  if (!parsed.url) return false;
  const permission = httpPermission({ asked, granted: asked }, parsed.target, flag);
  const held = asked.includes(permission);
  const { verdict } = decide({
    about: 'call',
    plugin: 'p',
    permission,
    asked: held,
    granted: held,
    gate: { id: 'g', stage: 'stable' },
    mode: 'normal',
    caller: 'write',
  });
  return verdict === 'run';
}

describe('hosts', () => {
  test.each([
    ['api.example.org', 'https://api.example.org/x', true],
    ['api.example.org', 'https://API.EXAMPLE.org/x', true],
    ['api.example.org', 'https://api.example.org:443/x', true],
    ['api.example.org:443', 'https://api.example.org/x', true],
    ['api.example.org', 'https://api.example.org:8443/x', false],
    ['api.example.org:8443', 'https://api.example.org:8443/x', true],
    ['api.example.org:8443', 'https://api.example.org/x', false],
    ['api.example.org', 'http://api.example.org/x', false],
    ['api.example.org', 'https://example.org/x', false],
    ['api.example.org', 'https://api.example.org.evil.org/x', false],
    ['api.example.org', 'https://api.example.org./x', false],
    ['api.example.org', 'https://evilapi.example.org/x', false],
    ['*.example.org', 'https://api.example.org/x', true],
    ['*.example.org', 'https://a.b.example.org/x', true],
    ['*.example.org', 'https://example.org/x', false],
    ['*.example.org', 'https://.example.org/x', false],
    ['*.example.org', 'https://evilexample.org/x', false],
    ['*.example.org', 'https://a.example.org:8443/x', false],
    ['*.example.org:8443', 'https://a.example.org:8443/x', true],
    ['127.0.0.1', 'https://2130706433/x', true],
    ['127.0.0.1', 'https://0x7f.1/x', true],
    ['[::1]', 'https://[0:0::1]/x', true],
  ] as const)('%s and %s: %s', (host, url, expected) => {
    expect(allows({ host }, url)).toBe(expected);
  });
});

describe('paths', () => {
  test.each([
    ['/v1', '/v1', true],
    ['/v1', '/v1/', true],
    ['/v1', '/v1/now', true],
    ['/v1/', '/v1/now', true],
    ['/v1', '/v1?x=/admin', true],
    ['/v1', '/v10', false],
    ['/v1', '/', false],
    ['/v1', '/V1', false],
    ['/v1', '/%76%31', false],
    ['/v1', '/v1/../admin', false],
    ['/v1', '/v1/%2e%2e/admin', false],
    ['/v1', '/v1/%2E%2e/admin', false],
    ['/v1', '/v1/..%2fadmin', false],
    ['/v1', '/v1/..%5cadmin', false],
    ['/v1', '/v1/%252e%252e/admin', false],
    ['/v1', '/v1/%25252e%25252e%25252fadmin', false],
    ['/v1', '/v1/..;/admin', false],
    ['/v1', '/v1/..%3bx/admin', false],
    ['/v1', '/v1/%2f../admin', false],
    ['/v1', '/v1//../now', true],
    ['/v1', '/v1/a%2Fb', true],
    ['/v1', '/v1/a/../b', true],
    ['/', '/anything/..%2fat%2fall', true],
  ] as const)('%s and %s: %s', (prefix, path, expected) => {
    expect(allows({ paths: [prefix] }, `https://api.example.org${path}`)).toBe(expected);
  });
});

test.each([
  'https://user@api.example.org/',
  'https://user:word@api.example.org/',
  'https://api.example.org/#part',
  'https://api.example.org\\@evil.org/',
  'https://api.example.org/a\r\nx: y',
  'https://api.example.org/a b',
  ' https://api.example.org/',
  'https:\tapi.example.org/',
  'ftp://api.example.org/',
  'file:///etc/passwd',
  'data:text/plain,x',
  '//api.example.org/',
  '/v1',
  'https://',
  `https://api.example.org/${'x'.repeat(9000)}`,
])('%j is no address to ask', (url) => {
  expect(parseTarget('GET', url)).toEqual({ problem: expect.any(String) });
});

test('a rule stands for itself: no two of them add up to more than was asked', () => {
  const asked = [
    { host: 'a.org', methods: ['GET'], paths: ['/x'] },
    { host: 'a.org', methods: ['POST'], paths: ['/y'], private: true },
  ].flatMap(httpPermissionNames);
  const more = httpPermissionNames({
    host: 'a.org',
    methods: ['GET', 'POST'],
    paths: ['/x', '/y'],
    private: true,
  });
  expect(more.filter((name) => !asked.includes(name))).toEqual([
    'io.request:GET https://a.org/x private',
    'io.request:GET https://a.org/y',
    'io.request:GET https://a.org/y private',
    'io.request:POST https://a.org/x',
    'io.request:POST https://a.org/x private',
  ]);
});

test('methods and what is allowed beside are asked for one by one', () => {
  const url = 'https://api.example.org/x';
  expect(allows({}, url, 'POST')).toBe(false);
  expect(allows({ methods: ['POST'] }, url, 'POST')).toBe(true);
  expect(allows({ schemes: ['http'] }, url)).toBe(false);
  expect(allows({ schemes: ['http'] }, 'http://api.example.org/x')).toBe(true);
  expect(allows({}, url, 'GET', 'private')).toBe(false);
  expect(allows({ private: true }, url, 'GET', 'private')).toBe(true);
  expect(allows({ private: true }, url, 'GET', 'idempotent')).toBe(false);
});

test('of several rules that allow it a granted one is taken; without any the refusal names the request', () => {
  const asked = ['io.request:GET https://a.org/', 'io.request:GET https://a.org/x'];
  const parsed = parseTarget('GET', 'https://a.org/x/y');
  if (!parsed.url) throw new Error(parsed.problem);
  const { target } = parsed;
  expect(httpPermission({ asked, granted: [asked[1]!] }, target)).toBe(asked[1]);
  expect(httpPermission({ asked, granted: [] }, target)).toBe(asked[0]);
  expect(httpPermission({ asked: [], granted: [] }, target)).toBe('io.request:GET https://a.org/x/y');
});

test('a host that no URL could have is a mistake', () => {
  expect(problemOfRule({ host: 'a.org:70000', methods: ['GET'] })).toEqual(expect.any(String));
  expect(problemOfRule({ host: '[::1', methods: ['GET'] })).toEqual(expect.any(String));
  expect(problemOfRule({ host: '1.2.3.4.5', methods: ['GET'] })).toEqual(expect.any(String));
  expect(problemOfRule({ host: '*.example.org:8443', methods: ['GET'] })).toBeUndefined();
});
