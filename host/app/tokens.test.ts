import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { bootHost, type TestHost } from '../../test/kit/boot-host.ts';
import { adminToken } from './tokens.ts';

describe('tokens of a running host', () => {
  let host: TestHost;

  beforeEach(async () => {
    host = await bootHost();
  });
  afterEach(() => host.close());

  const create = async (body: Record<string, unknown>) =>
    (await host.call('POST', '/api/neira/tokens', body)).body;
  const status = async (method: string, where: string, token: string, body?: unknown) =>
    (await host.call(method, where, body, { token })).status;

  test('each scope may do what it names and what lies below it', async () => {
    const event = { tool_id: 'none', event: 'none.such', params: {}, context: {} };
    const calls = (token: string) =>
      Promise.all([
        status('GET', '/api/neira/plugins', token),
        status('POST', '/api/neira/ui/events', token, event),
        status('PUT', '/api/neira/mode', token, { mode: 'normal' }),
        status('GET', '/api/neira/tokens', token),
      ]);
    for (const [scopes, expected] of [
      [['read'], [200, 403, 403, 403]],
      [['write'], [200, 200, 403, 403]],
      [['admin'], [200, 200, 200, 200]],
      [
        ['read', 'admin'],
        [200, 200, 200, 200],
      ],
    ] as const) {
      const { token } = await create({ name: scopes.join(), scopes });
      expect(await calls(token), scopes.join()).toEqual(expected);
    }
    expect(await calls('no-such-token')).toEqual([401, 401, 401, 401]);
    expect(await calls(host.token)).toEqual([200, 200, 200, 200]);
  });

  test('a token that was revoked opens nothing from then on, and stays in the list', async () => {
    const { token, id } = await create({ name: 'gone', scopes: ['read'] });
    expect(await status('GET', '/api/neira/plugins', token)).toBe(200);
    expect((await host.call('DELETE', `/api/neira/tokens/${id}`)).status).toBe(204);
    expect(await status('GET', '/api/neira/plugins', token)).toBe(401);
    expect((await host.call('DELETE', `/api/neira/tokens/${id}`)).status).toBe(204);
    expect((await host.call('DELETE', '/api/neira/tokens/none')).status).toBe(404);
    const { body } = await host.call('GET', '/api/neira/tokens');
    expect(body.tokens.find((each: { id: string }) => each.id === id)).toMatchObject({
      name: 'gone',
      revoked_at: expect.any(String),
    });
  });

  test('a token opens until it expires, and no longer', async () => {
    const soon = new Date(Date.now() + 400).toISOString();
    const { token } = await create({ name: 'short', scopes: ['read'], expires_at: soon });
    expect(await status('GET', '/api/neira/plugins', token)).toBe(200);
    await expect.poll(() => status('GET', '/api/neira/plugins', token), { interval: 50 }).toBe(401);
    const past = await create({ name: 'past', scopes: ['read'], expires_at: '2020-01-01T00:00:00Z' });
    if (past.token) expect(await status('GET', '/api/neira/plugins', past.token)).toBe(401);
    for (const expires_at of ['tomorrow', '2026-13-01T00:00:00Z', 5]) {
      const refused = await host.call('POST', '/api/neira/tokens', {
        name: 'odd',
        scopes: ['read'],
        expires_at,
      });
      expect(refused.status, String(expires_at)).toBe(422);
    }
  });

  test('the secret is in the answer that made it and nowhere else, neither in the home nor in the journal', async () => {
    const { token, id } = await create({ name: 'secret', scopes: ['write'] });
    expect(token.length).toBeGreaterThan(30);
    expect(JSON.stringify((await host.call('GET', '/api/neira/tokens')).body)).not.toContain(token);
    expect(JSON.stringify((await host.call('GET', '/api/neira/journal')).body)).toContain(id);
    for (const file of filesBelow(host.home)) {
      const bytes = readFileSync(file);
      expect(bytes.includes(token), file).toBe(false);
      if (!file.endsWith('admin.token')) expect(bytes.includes(host.token), file).toBe(false);
    }
  });

  test('creating and revoking is journaled with who did it', async () => {
    const admin = await create({ name: 'deputy', scopes: ['admin'] });
    const made = (
      await host.call('POST', '/api/neira/tokens', { name: 'made', scopes: ['read'] }, { token: admin.token })
    ).body;
    await host.call('DELETE', `/api/neira/tokens/${made.id}`, undefined, { token: admin.token });
    const { body } = await host.call('GET', '/api/neira/journal?limit=1000');
    const own = body.entries.filter(({ target }: { target: string }) => target === made.id);
    expect(own).toMatchObject([
      { actor: 'deputy', action: 'token.created', after: { name: 'made', scopes: ['read'] } },
      { actor: 'deputy', action: 'token.revoked' },
    ]);
  });

  test('in safe mode tokens are revoked and not made', async () => {
    const { id } = await create({ name: 'before', scopes: ['read'] });
    await host.call('PUT', '/api/neira/mode', { mode: 'safe' });
    expect(await host.call('POST', '/api/neira/tokens', { name: 'late', scopes: ['read'] })).toMatchObject({
      status: 423,
      body: { code: 'NEIRA_SAFE_MODE' },
    });
    expect((await host.call('DELETE', `/api/neira/tokens/${id}`)).status).toBe(204);
  });
});

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

describe('the token of the administrator', () => {
  const newHome = () => {
    const home = mkdtempSync(path.join(tmpdir(), 'neira-token-'));
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    return home;
  };
  const fileOf = (home: string) => path.join(home, 'admin.token');
  const modeOf = (home: string) => statSync(fileOf(home)).mode & 0o777;

  test('is made once, for the owner only', () => {
    const home = newHome();
    const token = adminToken(home, undefined);
    expect(token).toMatch(/^[\w-]{30,}$/);
    expect(modeOf(home)).toBe(0o600);
    expect(adminToken(home, undefined)).toBe(token);
    expect(adminToken(newHome(), undefined)).not.toBe(token);
    expect(readdirSync(home)).toEqual(['admin.token']);
  });

  test('from the environment comes first and is written nowhere', () => {
    const home = newHome();
    expect(adminToken(home, 'given-by-me')).toBe('given-by-me');
    expect(readdirSync(home)).toEqual([]);
  });

  test('whose file is empty, because a first boot died over it, is made anew: an empty token opens nothing', () => {
    const home = newHome();
    writeFileSync(fileOf(home), '\n');
    expect(adminToken(home, undefined)).toMatch(/^[\w-]{30,}$/);
    expect(adminToken(home, undefined)).toBe(readFileSync(fileOf(home), 'utf8').trim());
    expect(modeOf(home)).toBe(0o600);
  });

  test('whose file others could read is closed to them', () => {
    const home = newHome();
    const token = adminToken(home, undefined);
    chmodSync(fileOf(home), 0o644);
    expect(adminToken(home, undefined)).toBe(token);
    expect(modeOf(home)).toBe(0o600);
  });
});
