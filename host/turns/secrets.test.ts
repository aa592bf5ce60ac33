import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answerForRecord, REVEAL, referredSecret } from '../context/secret-reveal.ts';
import { createLogger, maskLog } from '../log.ts';
import { openStore, type Store } from '../store/store.ts';
import type { PluginPolicy } from '../turn-context.ts';
import { MasterKeys } from './secret-keys.ts';
import { Secrets } from './secrets.ts';

let home: string;
let store: Store;
let secrets: Secrets;

beforeAll(async () => {
  home = mkdtempSync(path.join(tmpdir(), 'neira-secrets-'));
  store = await openStore({
    home,
    durability: 'process',
    writer: new URL('../writer-main.ts', import.meta.url),
  });
  secrets = await Secrets.open({
    keys: new MasterKeys(home, {}),
    rows: () => store.secrets(),
    submit: (record) => store.submit(record),
    learn: (known) => store.learn(known),
    warn() {},
  });
  await secrets.set('test', 'weather.api_key', 'swordfish-42');
});
afterAll(async () => {
  await store.close();
  rmSync(home, { recursive: true });
});

const GRANT = 'secrets:weather.api_key@api.example.org';

function policy(
  changes: { asked?: string[]; granted?: string[]; stage?: 'locked' | 'experimental' } = {},
): PluginPolicy {
  const { asked = [GRANT], granted = [GRANT], stage = 'experimental' } = changes;
  return { plugin: 'demo', gate: { id: 'g', stage }, asked, granted } as unknown as PluginPolicy;
}

// SCN-28
test('a secret is filled in for the host that it was granted for, whatever the case of its letters', () => {
  expect(secrets.fill(policy(), 'weather.api_key', 'api.example.org')).toBe('swordfish-42');
  expect(secrets.fill(policy(), 'weather.api_key', 'API.example.org')).toBe('swordfish-42');
});

test.each<[string, PluginPolicy, string, string]>([
  ['another host', policy(), 'weather.api_key', 'evil.example.org'],
  ['another port of the host', policy(), 'weather.api_key', 'api.example.org:8443'],
  ['a host below it', policy(), 'weather.api_key', 'x.api.example.org'],
  ['another secret', policy(), 'weather.other', 'api.example.org'],
  ['what was not granted', policy({ granted: [] }), 'weather.api_key', 'api.example.org'],
  ['what the manifest does not ask any more', policy({ asked: [] }), 'weather.api_key', 'api.example.org'],
  ['a plugin behind a locked gate', policy({ stage: 'locked' }), 'weather.api_key', 'api.example.org'],
  [
    'who may only see it',
    policy({ asked: ['secrets.reveal:weather.api_key'], granted: ['secrets.reveal:weather.api_key'] }),
    'weather.api_key',
    'api.example.org',
  ],
])('%s is refused, and the refusal says what to do', (_what, asking, name, host) => {
  expect(() => secrets.fill(asking, name, host)).toThrow(
    expect.objectContaining({
      code: 'NEIRA_SECRET_DENIED',
      details: expect.objectContaining({
        plugin: 'demo',
        secret: name,
        host,
        remedy: expect.stringMatching(/\w/),
      }),
    }),
  );
});

test('one that nobody set is missing', () => {
  const permission = 'secrets:other@api.example.org';
  const asking = policy({ asked: [permission], granted: [permission] });
  expect(() => secrets.fill(asking, 'other', 'api.example.org')).toThrow(
    expect.objectContaining({ code: 'NEIRA_SECRET_MISSING' }),
  );
});

test('what comes back from outside is masked, also as it is written there', () => {
  const echo = { headers: { authorization: 'Bearer swordfish-42' }, url: '/?key=c3dvcmRmaXNoLTQy' };
  expect(secrets.mask(JSON.stringify(echo))).toBe(
    '{"headers":{"authorization":"Bearer [secret:weather.api_key]"},"url":"/?key=[secret:weather.api_key]"}',
  );
});

test('a line of the log stays JSON when something is masked in it, and its children are masked too', async () => {
  const written: string[] = [];
  const log = createLogger({ level: 'info', to: { write: (line: string) => void written.push(line) } });
  maskLog(log, secrets);
  await secrets.set('test', 'pin', '123456');
  log.info({ pin: 123456, deep: [{ key: 'swordfish-42' }] }, 'the pin is 123456');
  log.child({ of: 'swordfish-42' }).error({ err: new Error('no swordfish-42') }, 'failed');
  const [first, second] = written.map((line) => JSON.parse(line));
  expect(first).toMatchObject({
    pin: '[secret:pin]',
    deep: [{ key: '[secret:weather.api_key]' }],
    msg: 'the pin is [secret:pin]',
  });
  expect(second).toMatchObject({
    of: '[secret:weather.api_key]',
    err: { message: 'no [secret:weather.api_key]' },
  });
});

test('what the journal and the rows of plugins say is masked as it is written', async () => {
  const journal = [
    { actor: 'test', action: 'plugin.configured', target: 'demo', after: { key: 'swordfish-42' } },
  ];
  await store.submit({ kind: 'admin', ops: [], journal });
  expect(store.journal(undefined, 1)).toMatchObject([{ after: { key: '[secret:weather.api_key]' } }]);
});

test('a record of a wait refers to the secret that it was answered with', () => {
  const args = { what: 'pin', name: 'pin' };
  const recorded = answerForRecord(REVEAL, args, 'V"123456"');
  expect([recorded, referredSecret(recorded)]).toEqual(['R{"secret":"pin"}', 'pin']);
  const refusal = 'E{"code":"NEIRA_SECRET_MISSING"}';
  expect([answerForRecord(REVEAL, args, refusal), answerForRecord('bus.request', args, 'V"123456"')]).toEqual(
    [refusal, 'V"123456"'],
  );
  expect(referredSecret('V1')).toBeUndefined();
});
