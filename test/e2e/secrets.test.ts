/** Secrets of a whole host: set, listed, granted, changed, and their master key. MEM-02, SCN-28. */

import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { bootHost, type HostOptions, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';

const ALL = '/api/neira/secrets';
const set = (host: TestHost, name: string, value: string) => host.call('PUT', `${ALL}/${name}`, { value });
const list = async (host: TestHost) => (await host.call('GET', ALL)).body.secrets;
const keyFile = (host: { readonly home: string }) => path.join(host.home, 'secrets.key');

/** Answers how long the secret is, which tells that the plugin was shown it. */
const LENGTH = `
  import { secret } from 'neira:host/io';
  export const handle = async (event) => ({ actions: [{ length: (await secret(event.payload.params.name)).length }] });`;
const manifest = (secrets: unknown, version = '1.0.0') => ({
  id: 'length',
  version,
  permissions: { secrets },
  ui: { buttons: [{ id: 'length', title: 'Length', event: 'ui.length' }] },
});
const shown = async (host: TestHost, name: string) => {
  // A plugin that takes long to boot does not keep the host from listening.
  const tools = async () => (await host.call('GET', '/api/neira/ui/tools')).body.tools;
  await expect.poll(tools, { timeout: 10_000 }).toHaveLength(1);
  const { body } = await host.event('length', { name });
  return body.code ?? body.actions[0].length;
};

async function inOneHome(
  work: (boot: (options?: HostOptions) => Promise<TestHost>, home: string) => Promise<void>,
) {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-secrets-'));
  try {
    await work((options = {}) => bootHost({ home, ...options }), home);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

test('a secret is set, listed without its value, set again as a new version, and removed', async () => {
  await using host = await bootHost();
  expect(existsSync(keyFile(host))).toBe(false);
  const made = await set(host, 'weather.api_key', 'first-value');
  expect(made).toMatchObject({
    status: 201,
    body: { name: 'weather.api_key', version: 1, usable: true, grants: [] },
  });
  expect(statSync(keyFile(host)).mode & 0o777).toBe(0o600);
  expect(await set(host, 'weather.api_key', 'second-value')).toMatchObject({
    status: 200,
    body: { version: 2 },
  });
  expect(await list(host)).toEqual([expect.objectContaining({ name: 'weather.api_key', version: 2 })]);
  expect((await host.call('DELETE', `${ALL}/weather.api_key`)).status).toBe(204);
  expect(await list(host)).toEqual([]);
  expect(await host.call('DELETE', `${ALL}/weather.api_key`)).toMatchObject({
    status: 404,
    body: { code: 'NEIRA_SECRET_MISSING' },
  });
  const { entries } = (await host.call('GET', '/api/neira/journal?limit=1000')).body;
  const seen = entries.filter((entry: { action: string }) => entry.action.startsWith('secret.'));
  expect(seen).toMatchObject([
    { action: 'secret.set', target: 'weather.api_key', actor: 'admin', after: { version: 1 } },
    { action: 'secret.set', after: { version: 2 } },
    { action: 'secret.removed', before: { version: 2 } },
  ]);
});

test('only an administrator may, and in safe mode nobody changes one', async () => {
  await using host = await bootHost();
  await set(host, 'a.b', 'value-of-it');
  const writer = await host.call('POST', '/api/neira/tokens', { name: 'w', scopes: ['write'] });
  for (const [method, where, body] of [
    ['GET', ALL, undefined],
    ['PUT', `${ALL}/a.b`, { value: 'x' }],
    ['DELETE', `${ALL}/a.b`, undefined],
    ['POST', `${ALL}/rotate-key`, undefined],
  ] as const)
    expect((await host.call(method, where, body, { token: writer.body.token })).status).toBe(403);
  await host.call('PUT', '/api/neira/mode', { mode: 'safe' });
  expect((await set(host, 'a.b', 'x')).body.code).toBe('NEIRA_SAFE_MODE');
  expect((await host.call('DELETE', `${ALL}/a.b`)).body.code).toBe('NEIRA_SAFE_MODE');
  expect((await host.call('POST', `${ALL}/rotate-key`)).body.code).toBe('NEIRA_SAFE_MODE');
  expect((await host.call('GET', ALL)).status).toBe(200);
});

test('a name that is none is refused', async () => {
  await using host = await bootHost();
  const odd = ['', 'A', 'a..b', '.a', 'a.', '1a', 'a-b', 'a b', 'x'.repeat(129)];
  const answers = await Promise.all(odd.map((name) => set(host, encodeURIComponent(name), 'value')));
  expect(answers.map(({ status }) => status)).toEqual(odd.map(() => 422));
});

test('a plugin is shown what it was granted to see, and an update that asks more waits for consent', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  await set(host, 'one', 'twelve bytes');
  await set(host, 'two', 'other');
  const first = [{ name: 'one', reveal: true, hosts: ['a.example.org'] }];
  expect((await host.script(manifest(first), LENGTH)).status).toBe(201);
  expect(await shown(host, 'one')).toBe(12);
  expect(await shown(host, 'two')).toBe('NEIRA_PERMISSION_DENIED');
  expect(await list(host)).toMatchObject([
    { name: 'one', grants: [{ plugin: 'length', hosts: ['a.example.org'], reveal: true }] },
    { name: 'two', grants: [] },
  ]);

  const more = [
    { name: 'one', reveal: true, hosts: ['a.example.org', 'b.example.org'] },
    { name: 'two', reveal: true },
  ];
  const updated = await host.script(manifest(more, '1.1.0'), LENGTH, '');
  expect(updated.body.pending_consent).toEqual(['secrets:one@b.example.org', 'secrets.reveal:two']);
  expect(await shown(host, 'two')).toBe('NEIRA_PERMISSION_DENIED');
  const grants = (secrets: unknown) =>
    host.call('PUT', '/api/neira/plugins/length/grants', { permissions: { secrets } });
  expect((await grants([{ name: 'two', reveal: true }])).status).toBe(200);
  await expect.poll(() => shown(host, 'two')).toBe(5);
  expect(await shown(host, 'one')).toBe('NEIRA_PERMISSION_DENIED');
  // The name alone is the hosts, not the text.
  expect((await grants(['one'])).body.grants.secrets).toEqual([
    { name: 'one', hosts: ['a.example.org', 'b.example.org'], reveal: false },
  ]);
});

test('another value is the only one from the next turn on; what is removed is missing', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  await host.script(manifest([{ name: 'one', reveal: true }]), LENGTH);
  expect(await shown(host, 'one')).toBe('NEIRA_SECRET_MISSING');
  await set(host, 'one', 'abc');
  expect(await shown(host, 'one')).toBe(3);
  await set(host, 'one', 'abcde');
  expect(await shown(host, 'one')).toBe(5);
  await host.call('DELETE', `${ALL}/one`);
  expect(await shown(host, 'one')).toBe('NEIRA_SECRET_MISSING');
});

test('a value that was replaced goes on being masked', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  await set(host, 'one', 'the-first-value');
  await set(host, 'one', 'the-second-value');
  const log = `
    import { log } from 'neira:host/io';
    export const handle = (event) => { log('info', event.payload.params.text); throw new Error(event.payload.params.text); };`;
  await host.script({ id: 'log', ui: { buttons: [{ id: 'log', title: 'Log', event: 'ui.log' }] } }, log);
  const text = 'the-first-value, the-second-value';
  expect((await host.event('log', { text })).body.detail).toContain('[secret:one], [secret:one]');
  const { lines } = (await host.call('GET', '/api/neira/plugins/log/logs')).body;
  expect(lines).toMatchObject([{ message: '[secret:one], [secret:one]' }]);
});

test('secrets outlive the host, sealed with a key that is not in the database', async () => {
  await inOneHome(async (boot, home) => {
    await using first = await boot({ gates: SCRIPT_GATES });
    await set(first, 'one', 'twelve bytes');
    await first.script(manifest([{ name: 'one', reveal: true }]), LENGTH);
    await first.close();
    const key = readFileSync(keyFile(first), 'utf8').trim();
    const stored = readFileSync(path.join(home, 'neira.db'));
    for (const form of [key, Buffer.from(key, 'base64').toString('hex'), Buffer.from(key, 'base64')])
      expect(stored.includes(form)).toBe(false);
    await using second = await boot();
    expect(await shown(second, 'one')).toBe(12);
  });
});

test('a row cannot stand in for another: it is bound to its name and version', async () => {
  await inOneHome(async (boot, home) => {
    const first = await boot();
    await set(first, 'one', 'of the first');
    await set(first, 'two', 'of the second');
    await first.close();
    const db = new DatabaseSync(path.join(home, 'neira.db'));
    db.exec("update secret set sealed = (select sealed from secret where name = 'two') where name = 'one'");
    db.close();
    await using second = await boot();
    expect(await list(second)).toMatchObject([
      { name: 'one', usable: false },
      { name: 'two', usable: false },
    ]);
    expect(await set(second, 'three', 'x')).toMatchObject({
      status: 503,
      body: { code: 'NEIRA_SECRETS_LOCKED' },
    });
    expect((await second.call('DELETE', `${ALL}/one`)).status).toBe(204);
    expect(await list(second)).toMatchObject([{ name: 'two', usable: true }]);
  });
});

test('a key that others can read is refused until it is put right, and the host runs without secrets', async () => {
  await inOneHome(async (boot, home) => {
    const first = await boot({ gates: SCRIPT_GATES });
    await set(first, 'one', 'twelve bytes');
    await first.script(manifest([{ name: 'one', reveal: true }]), LENGTH);
    await first.close();
    chmodSync(path.join(home, 'secrets.key'), 0o640);
    await using second = await boot();
    expect(await shown(second, 'one')).toBe('NEIRA_SECRETS_LOCKED');
    const refused = await set(second, 'two', 'x');
    expect(refused).toMatchObject({ status: 503, body: { code: 'NEIRA_SECRETS_LOCKED' } });
    expect(refused.body.detail).toContain('0640');
    chmodSync(path.join(home, 'secrets.key'), 0o600);
    expect((await set(second, 'two', 'x')).status).toBe(201);
    expect(await shown(second, 'one')).toBe(12);
  });
});

test('a key that does not fit what is stored is refused by name, and no other is made in its place', async () => {
  await inOneHome(async (boot, home) => {
    const first = await boot();
    await set(first, 'one', 'twelve bytes');
    await first.close();
    for (const key of [undefined, randomBytes(32).toString('base64'), 'no key at all']) {
      rmSync(keyFile({ home }), { force: true });
      if (key !== undefined) writeFileSync(keyFile({ home }), key, { mode: 0o600 });
      await using host = await boot();
      expect(await set(host, 'one', 'x')).toMatchObject({ body: { code: 'NEIRA_SECRETS_LOCKED' } });
      expect(existsSync(keyFile(host)) ? readFileSync(keyFile(host), 'utf8') : undefined).toBe(key);
    }
  });
});

test('a new master key seals everything anew', async () => {
  await inOneHome(async (boot, home) => {
    const first = await boot({ gates: SCRIPT_GATES });
    await set(first, 'one', 'twelve bytes');
    await first.script(manifest([{ name: 'one', reveal: true }]), LENGTH);
    const before = readFileSync(keyFile(first), 'utf8');
    const sealed = () => {
      using db = new DatabaseSync(path.join(home, 'neira.db'), { readOnly: true });
      return db.prepare('select sealed, version from secret').get()!;
    };
    const old = sealed();
    expect(await first.call('POST', `${ALL}/rotate-key`)).toMatchObject({
      status: 200,
      body: { secrets: 1 },
    });
    expect(readFileSync(keyFile(first), 'utf8')).not.toBe(before);
    expect(statSync(keyFile(first)).mode & 0o777).toBe(0o600);
    expect(sealed()['sealed']).not.toBe(old['sealed']);
    expect(sealed()['version']).toBe(old['version']);
    expect(await shown(first, 'one')).toBe(12);
    await set(first, 'two', 'after it');
    await first.close();
    await using second = await boot();
    expect(await shown(second, 'one')).toBe(12);
    expect(existsSync(`${keyFile(second)}.previous`)).toBe(false);
  });
});

test('a key of the environment seals instead of the file, and is changed by the environment', async () => {
  await inOneHome(async (boot) => {
    const [a, b] = [randomBytes(32).toString('base64'), randomBytes(32).toString('hex')];
    const first = await boot({ env: { NEIRA_SECRETS_KEY: a }, gates: SCRIPT_GATES });
    await set(first, 'one', 'twelve bytes');
    await first.script(manifest([{ name: 'one', reveal: true }]), LENGTH);
    expect(existsSync(keyFile(first))).toBe(false);
    expect(await first.call('POST', `${ALL}/rotate-key`)).toMatchObject({ status: 422 });
    await first.close();

    const wrong = await boot({ env: { NEIRA_SECRETS_KEY: b } });
    expect(await shown(wrong, 'one')).toBe('NEIRA_SECRETS_LOCKED');
    await wrong.close();

    const env = { NEIRA_SECRETS_KEY: b, NEIRA_SECRETS_KEY_PREVIOUS: a };
    const changing = await boot({ env });
    expect(await shown(changing, 'one')).toBe(12);
    expect((await changing.call('POST', `${ALL}/rotate-key`)).body).toEqual({ secrets: 1 });
    await changing.close();
    await using last = await boot({ env: { NEIRA_SECRETS_KEY: b } });
    expect(await shown(last, 'one')).toBe(12);
  });
});

test('a key of the environment that is none stops the boot, and is not shown', async () => {
  const booting = bootHost({ env: { NEIRA_SECRETS_KEY: 'swordfish' } });
  await expect(booting).rejects.toMatchObject({
    code: 'NEIRA_CONFIG_INVALID',
    details: { setting: 'NEIRA_SECRETS_KEY' },
  });
  await expect(booting).rejects.not.toThrow(/swordfish/);
});
