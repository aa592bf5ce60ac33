import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  grantsWithin,
  NO_PERMISSIONS,
  normalisePermissions,
  pendingConsent,
  permissionNames,
  writesAnything,
} from '../base/permissions.ts';
import { checkedGrants } from './grants.ts';
import { type ManifestProblem, NOT_YET, parseManifest } from './manifest.ts';

const examples = join(import.meta.dirname, '../../abi/manifest/v1/examples');
const read = (kind: string, name: string) => readFileSync(join(examples, kind, name), 'utf8');
const minimal = { id: 'demo', version: '0.1.0', kind: 'script', entry: 'main.ts' };
const with_ = (more: object) => parseManifest({ ...minimal, ...more });

function problems(source: string | object, files?: string[]): ManifestProblem[] {
  try {
    parseManifest(source, files === undefined ? {} : { files });
  } catch (error) {
    expect(error).toMatchObject({ code: 'NEIRA_MANIFEST_INVALID', details: { reason: expect.any(String) } });
    const errors = (error as { details: { errors: ManifestProblem[] } }).details.errors;
    for (const each of errors)
      expect([each.path, each.message, each.remedy].every((text) => text.length > 0)).toBe(true);
    return errors;
  }
  throw new Error('the manifest was accepted');
}

test.each(readdirSync(join(examples, 'valid')))('%s validates', (name) => {
  const manifest = parseManifest(read('valid', name));
  expect(JSON.parse(JSON.stringify(manifest))).toEqual(manifest);
});

test.each(readdirSync(join(examples, 'invalid')))('%s is refused where and as it says', (name) => {
  const text = read('invalid', name);
  const [, path, words] = /^# expect: (\S+) (.+)$/m.exec(text)!;
  expect(problems(text)).toContainEqual(
    expect.objectContaining({ path, message: expect.stringContaining(words!) }),
  );
});

describe('manifests of the source (X-30)', () => {
  test('the script validates: scopes are storage, the button is a subscription, the short form is a schema', () => {
    // HOST-08, HOST-09, UIT-03
    const manifest = parseManifest(read('valid', 'source-script.yaml'), {
      files: ['ui_pencil.ts', 'manifest.yaml'],
    });
    expect(manifest).toMatchObject({
      entry: 'ui_pencil.ts',
      gate: 'runtime_scripting',
      permissions: { ...NO_PERMISSIONS, storage: ['write'] },
      subscribes: [{ event: 'ui.pencil.draw@1' }],
      limits: {
        turnMs: 200,
        cpuMs: 50,
        waitMs: 10000,
        memoryMb: 32,
        concurrency: 4,
        hostCalls: 1000,
        publishes: 100,
        outputKb: 256,
        logKb: 64,
        storageMb: 50,
        principals: 100,
        requests: 20,
        requestsPerMinute: 120,
        responseKb: 1024,
      },
      retry: { max: 3, backoff: 'exponential' },
      buttons: [
        {
          id: 'pencil',
          title: { en: 'Карандаш', ru: 'Карандаш' },
          icon: 'pencil',
          event: 'ui.pencil.draw',
          paramsSchema: {
            type: 'object',
            properties: { color: { type: ['string', 'null'] }, size: { type: ['integer', 'null'] } },
            required: [],
            additionalProperties: true,
          },
        },
      ],
    });
  });

  test('the component validates', () => {
    // HOST-14
    expect(parseManifest(read('valid', 'source-wasm.yaml'))).toMatchObject({
      kind: 'wasm',
      entry: 'some_heavy.wasm',
      gate: 'runtime_wasm_plugins',
    });
  });
});

test('the manifest of the contract keeps its key, and asks to publish what it declares', () => {
  const manifest = parseManifest(read('valid', 'contract.yaml'));
  expect(manifest.subscribes).toEqual([{ event: 'ui.pencil.draw@1', key: '$.payload.context.chat_id' }]);
  expect(permissionNames(manifest.permissions)).toEqual(['storage.write', 'bus.publish:annotation.saved']);
  expect(manifest.settings).toMatchObject({ type: 'object' });
});

test.each([
  ['plugins/scripts/demo/main.ts', ['main.ts'], 'main.ts'],
  ['plugins/scripts/other_name/main.ts', ['main.ts'], 'main.ts'],
  ['demo/main.ts', ['demo/main.ts'], 'demo/main.ts'],
  ['demo/main.ts', ['main.ts'], 'main.ts'],
  ['./src/main.ts', ['src/main.ts'], 'src/main.ts'],
])('the entry %s in %j is %s', (entry, files, found) => {
  expect(parseManifest({ ...minimal, entry }, { files }).entry).toBe(found);
});

test.each(['/etc/passwd.ts', '..\\x.ts', 'a/../../x.ts', 'C:x.ts', 'a//b.ts', 'main.py', 'x\u0000.ts'])(
  'the entry %j is refused',
  (entry) => {
    expect(problems({ ...minimal, entry })).toMatchObject([{ path: 'entry' }]);
  },
);

test('an entry that is not among the files is refused, and those that are there are named', () => {
  expect(problems(minimal, ['index.ts', 'node_modules/x/y.ts'])).toMatchObject([
    { path: 'entry', message: expect.stringContaining('are index.ts') },
  ]);
});

describe('what nothing offers yet is refused at load', () => {
  test.each<[string, object]>([['web', { web: true }]])('%s', (path, more) => {
    expect(problems({ ...minimal, ...more })).toMatchObject([
      {
        path,
        message: expect.stringContaining('not offered yet'),
        remedy: expect.stringContaining('Remove'),
      },
    ]);
  });

  test('every line of the list is tried above, and asking for nothing is accepted', () => {
    expect(NOT_YET).toHaveLength(1);
    expect(with_({ commands: [], web: false, permissions: { secrets: [] } }).id).toBe('demo');
  });
});

// MEM-02, SCN-28
describe('secrets', () => {
  const secretsOf = (secrets: unknown) => permissionNames(with_({ permissions: { secrets } }).permissions);

  test('are asked for each host by itself, and to be shown by itself', () => {
    const weather = { name: 'weather.api_key', hosts: ['API.example.org', 'b.example.org:8443'] };
    expect(secretsOf([weather, { name: 'pin', reveal: true }])).toEqual([
      'secrets:weather.api_key@api.example.org',
      'secrets:weather.api_key@b.example.org:8443',
      'secrets.reveal:pin',
    ]);
  });

  test('one that is named twice is asked for everywhere that it is named for', () => {
    expect(
      secretsOf([
        { name: 'a', hosts: ['x.org'] },
        { name: 'a', hosts: ['y.org'], reveal: true },
      ]),
    ).toEqual(['secrets:a@x.org', 'secrets:a@y.org', 'secrets.reveal:a']);
  });

  test('a name alone is short for every host of io.http', () => {
    const http = [{ host: 'api.example.org', methods: ['GET'] }];
    expect(normalisePermissions({ secrets: ['a.b'], io: { http } }).secrets).toEqual([
      { name: 'a.b', hosts: ['api.example.org'], reveal: false },
    ]);
  });

  test.each([
    ['one that could be sent nowhere', ['a.b'], /names no host/],
    ['a name in capitals', ['A.b'], /name of a secret/],
    ['a field that is not known', [{ name: 'a', values: ['x'] }], /name of a secret/],
    ['a host that is no text', [{ name: 'a', hosts: [1] }], /name of a secret/],
  ])('%s is refused', (_what, secrets, message) => {
    expect(problems({ ...minimal, permissions: { secrets } })).toMatchObject([
      { path: 'permissions.secrets[0]', message: expect.stringMatching(message) },
    ]);
  });

  test('a name alone grants the hosts that were asked for, and not that it is shown', () => {
    const asked = normalisePermissions({ secrets: [{ name: 'a', hosts: ['x.org'], reveal: true }] });
    expect(permissionNames(checkedGrants({ secrets: ['a'] }, asked))).toEqual(['secrets:a@x.org']);
    expect(pendingConsent(asked, checkedGrants({ secrets: ['a'] }, asked))).toEqual(['secrets.reveal:a']);
    const less = normalisePermissions({ secrets: [{ name: 'a', hosts: ['x.org', 'z.org'] }] });
    expect(permissionNames(grantsWithin(less, asked))).toEqual(['secrets:a@x.org']);
    expect(() => checkedGrants({ secrets: [{ name: 'a', hosts: ['y.org'] }] }, asked)).toThrow(
      /secrets:a@y.org/,
    );
  });
});

test('every problem is told at once', () => {
  expect(
    problems({ ...minimal, version: 'x', colour: 1, web: true, limits: { turn_ms: 0 } })
      .map(({ path }) => path)
      .sort(),
  ).toEqual(['colour', 'limits.turn_ms', 'version', 'web']);
});

test('a text that is no YAML is refused with its line', () => {
  expect(() => parseManifest('id: [')).toThrow(
    expect.objectContaining({
      code: 'NEIRA_MANIFEST_INVALID',
      details: expect.objectContaining({ line: 1 }),
    }),
  );
  expect(problems('just text')).toMatchObject([{ path: '$' }]);
  expect(problems([])).toMatchObject([{ path: '$' }]);
});

test('the short form knows lists, any and required', () => {
  const button = {
    id: 'a',
    title: 'A',
    event: 'a.b',
    params_schema: { points: 'number[]', note: 'any?', on: 'bool', tags: 'string[]?' },
  };
  expect(with_({ ui: { buttons: [button] } }).buttons[0]!.paramsSchema).toEqual({
    type: 'object',
    properties: {
      points: { type: 'array', items: { type: 'number' } },
      note: {},
      on: { type: 'boolean' },
      tags: { type: ['array', 'null'], items: { type: 'string' } },
    },
    required: ['points', 'on'],
    additionalProperties: true,
  });
});

describe('keys', () => {
  test.each(['$.*', '$[0:2]', '$["a","b"]', '$[?@.a]', '$..a', '@.a', '', '$.a b'])(
    '%s is refused',
    (key) => {
      expect(problems({ ...minimal, subscribes: [{ event: 'a.b@1', key }] })).toMatchObject([
        { path: 'subscribes[0].key' },
      ]);
    },
  );
});

describe('HTTP', () => {
  const http = (...rules: object[]) => with_({ permissions: { io: { http: rules } } }).permissions;
  const base = { host: 'api.example.org', methods: ['GET'], paths: ['/v1'] };

  test('an update that widens a rule in any way needs consent again, one that narrows it needs none', () => {
    const before = http(base);
    for (const wider of [
      { host: '*.example.org' },
      { host: 'api.example.org:8443' },
      { methods: ['GET', 'POST'] },
      { paths: ['/v1', '/v2'] },
      { paths: ['/'] },
      { schemes: ['https', 'http'] },
      { private: true },
      { idempotent: true },
    ])
      expect(pendingConsent(http({ ...base, ...wider }), before), JSON.stringify(wider)).not.toEqual([]);
    const wide = http({ ...base, methods: ['GET', 'POST'], private: true, idempotent: true });
    expect(pendingConsent(before, wide)).toEqual([]);
    const { paths: _every, ...anywhere } = base;
    expect(pendingConsent(http(anywhere), before)).toEqual(['io.request:GET https://api.example.org/']);
  });

  test('a rule is spelled in one way, whichever way it was written', () => {
    expect(permissionNames(http({ ...base, host: 'api.example.org:443', paths: ['/v1/'] }))).toEqual(
      permissionNames(http(base)),
    );
  });

  test('too many pairs of method and path are refused', () => {
    const paths = Array.from({ length: 16 }, (_, index) => `/p${index}`);
    const rules = Array.from({ length: 64 }, (_, index) => ({
      host: `h${index}.org`,
      methods: ['GET', 'POST'],
      paths,
    }));
    expect(problems({ ...minimal, permissions: { io: { http: rules } } })).toMatchObject([
      { path: 'permissions.io.http' },
    ]);
  });

  test.each([
    'API.example.org',
    'https://a.org',
    'a.org/x',
    'user@a.org',
    '*',
    '*.org',
    'a.*.org',
    '',
    'a..b',
    'a.org:0',
    'a.org:99999',
    '::1',
    '[::1',
  ])('the host %j is refused', (host) => {
    expect(problems({ ...minimal, permissions: { io: { http: [{ ...base, host }] } } })).toMatchObject([
      { path: 'permissions.io.http[0].host' },
    ]);
  });

  test.each(['v1', '/v1/../x', '/./x', '/a%2fb', '/a b', '/a?x', '/a#x', '/a\\b', '//a', ''])(
    'the path %j is refused',
    (path) => {
      expect(
        problems({ ...minimal, permissions: { io: { http: [{ ...base, paths: [path] }] } } }),
      ).toMatchObject([{ path: 'permissions.io.http[0].paths[0]' }]);
    },
  );

  test.each(['/', '/v1', '/v1/', '/.well-known/x', '/a.b/c-d_e~'])('the path %j is taken', (path) => {
    expect(http({ ...base, paths: [path] }).io.http).toHaveLength(1);
  });
});

test('an update that asks more needs consent again; what only reads does not write', () => {
  const small = with_({ permissions: { storage: ['read'] } }).permissions;
  const large = with_({
    permissions: { storage: ['read', 'write'], io: { ports: ['console'] } },
  }).permissions;
  expect(pendingConsent(large, small)).toEqual(['storage.write', 'io.send:console']);
  expect(pendingConsent(small, large)).toEqual([]);
  expect([writesAnything(small), writesAnything(large), writesAnything(NO_PERMISSIONS)]).toEqual([
    false,
    true,
    false,
  ]);
  expect(writesAnything(with_({ publishes: ['a.b@1'] }).permissions)).toBe(true);
});
