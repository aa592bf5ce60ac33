import { expect, test } from 'vitest';
import type { AdminOp, PluginRow, VersionRow } from './records.ts';
import { openStore, type Store } from './store.ts';
import { commit, note, openTemp, set, tempHome, turn, WRITER } from './test-store.ts';

const blob = (digest: string): AdminOp => ({
  op: 'blob.put',
  digest,
  bytes: Buffer.from(digest).toString('base64'),
});

const pluginRow = (digest: string): PluginRow => ({
  id: 'demo',
  kind: 'script',
  state: 'enabled',
  digest,
  path: '/p',
  origin: 'upload',
  sourceDigest: digest,
  grants: '{}',
  settings: '{}',
  reason: null,
  lastError: null,
  registeredAtMs: 1,
  updatedAtMs: 2,
});

const versionRow = (digest: string): VersionRow => ({
  plugin: 'demo',
  digest,
  version: '0.1.0',
  manifest: '{}',
  files: JSON.stringify({ 'main.ts': `src-${digest}`, README: 'shared' }),
  bundle: `bundle-${digest}`,
  sourceMap: '',
  createdAtMs: 1,
  signedBy: null,
});

const admin = (store: Store, ...ops: AdminOp[]) => commit(store, { kind: 'admin', ops, journal: [] });

const put = (store: Store, digest: string, keep: number, serve = true) =>
  admin(
    store,
    blob('shared'),
    blob(`src-${digest}`),
    blob(`bundle-${digest}`),
    { op: 'version.put', row: versionRow(digest), keep },
    ...(serve ? [{ op: 'plugin.put', row: pluginRow(digest) } as const] : []),
  );

// HOST-27
test('the newest versions are kept, and always the one that serves', async () => {
  const store = await openTemp();
  for (const digest of ['v1', 'v2', 'v3', 'v4']) await put(store, digest, 3);
  const kept = () => store.versions('demo').map(({ digest }) => digest);
  expect(kept()).toEqual(['v4', 'v3', 'v2']);
  await admin(store, { op: 'plugin.put', row: pluginRow('v2') });
  await put(store, 'v5', 3, false);
  await put(store, 'v6', 3, false);
  expect(kept()).toEqual(['v6', 'v5', 'v2']);
  await put(store, 'v7', 1, false);
  expect(kept()).toEqual(['v7', 'v2']);
  expect(store.version('demo', 'v2')).toEqual(versionRow('v2'));
  expect(store.plugin('demo')).toEqual(pluginRow('v2'));
});

test('a blob lives as long as a version names it', async () => {
  const home = tempHome();
  const store = await openStore({ writer: WRITER, home, durability: 'process' });
  await put(store, 'v1', 1);
  await put(store, 'v2', 1);
  expect(store.blob('src-v1')).toBeUndefined();
  expect(Buffer.from(store.blob('src-v2')!).toString()).toBe('src-v2');
  expect(store.blob('shared')).toBeDefined();
  const dangling = await store.submit({
    kind: 'admin',
    ops: [{ op: 'version.put', row: versionRow('v3'), keep: 5 }],
    journal: [],
  });
  expect(dangling).toMatchObject({ ok: false, error: { code: 'NEIRA_STORE_FAILED' } });
  await admin(store, blob('orphan'));
  expect(store.blob('orphan')).toBeDefined();
  await store.close();
  const again = await openStore({ writer: WRITER, home, durability: 'process' });
  expect(again.blob('orphan')).toBeUndefined();
  expect(again.blob('shared')).toBeDefined();
  await again.close();
});

test('a plugin that is removed keeps its data until that is dropped; its lines stay with the chats', async () => {
  const store = await openTemp();
  await put(store, 'v1', 3);
  await commit(store, turn([set('a', 1), note('n')], { logs: [{ level: 'info', message: 'x', atMs: 1 }] }));
  const bytes = store.usageBytes('demo');
  await admin(store, { op: 'plugin.delete', id: 'demo', dropData: false });
  expect(store.plugins()).toEqual([]);
  expect(store.versions('demo')).toEqual([]);
  expect(store.blob('src-v1')).toBeUndefined();
  expect(store.usageBytes('demo')).toBe(bytes);
  await admin(store, { op: 'plugin.delete', id: 'demo', dropData: true });
  expect(store.usageBytes('demo')).toBe(bytes - 2);
  expect(store.logs('demo', 5)).toEqual([]);
  expect(store.search({})).toHaveLength(1);
});

test('gates, tokens and settings are put, replaced and taken away', async () => {
  const store = await openTemp();
  const gate = { id: 'g', stage: 'locked', sinceMs: 1, declaredBy: 'demo', declaration: '{}' } as const;
  const token = {
    id: 't',
    name: 'ci',
    hash: 'ff',
    scopes: '["read"]',
    createdAtMs: 1,
    expiresAtMs: null,
    revokedAtMs: null,
  };
  await admin(
    store,
    { op: 'gate.put', row: gate },
    { op: 'gate.put', row: { ...gate, stage: 'stable' } },
    { op: 'token.put', row: token },
    { op: 'setting.put', name: 'mode', value: '"safe"' },
  );
  expect(store.gates()).toEqual([{ ...gate, stage: 'stable' }]);
  expect(store.tokenByHash('ff')).toEqual(token);
  expect(store.settings('mode')).toBe('"safe"');
  await admin(
    store,
    { op: 'gate.delete', id: 'g' },
    { op: 'token.revoke', id: 't', atMs: 9 },
    { op: 'token.revoke', id: 't', atMs: 10 },
  );
  expect(store.gates()).toEqual([]);
  expect(store.tokens()).toMatchObject([{ revokedAtMs: 9 }]);
});
