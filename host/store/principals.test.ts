import { expect, test } from 'vitest';
import { NO_PERMISSIONS } from '../base/permissions.ts';
import type { Effect, PrincipalDraft } from './records.ts';
import { openTemp, set, turn } from './test-store.ts';

const READ = JSON.stringify({ ...NO_PERMISSIONS, storage: ['read'] });
const BOTH = JSON.stringify({ ...NO_PERMISSIONS, storage: ['read', 'write'] });
const register = (id: string, asked = READ, more: Partial<PrincipalDraft> = {}): Effect => ({
  op: 'principal.register',
  principal: { id, title: id, asked, ...more },
  max: 10,
});
const remove = (id: string): Effect => ({ op: 'principal.remove', id });
const grant = (asked: string, grants = asked) =>
  ({ op: 'principal.grant', plugin: 'demo', id: 'p', asked, grants, atMs: 7 }) as const;
const entry = { actor: 'admin', action: 'principal.granted', target: 'demo/p' };

test('a grant counts for what was asked when the administrator saw it, and for nothing else', async () => {
  const store = await openTemp();
  await store.submit(turn([register('p')]));
  await store.submit(turn([register('p', BOTH)]));
  const late = await store.submit({ kind: 'admin', ops: [grant(READ)], journal: [entry] });
  expect(late).toMatchObject({ ok: false, error: { code: 'NEIRA_CONFLICT', details: { id: 'p' } } });
  expect(store.journal(undefined, 10).map(({ action }) => action)).toEqual([
    'principal.registered',
    'principal.updated',
  ]);
  expect(await store.submit({ kind: 'admin', ops: [grant(BOTH, READ)], journal: [entry] })).toMatchObject({
    ok: true,
  });
  expect(store.principals('demo')).toMatchObject([{ id: 'p', asked: BOTH, grants: READ, updatedAtMs: 7 }]);
});

test('a turn that acted as a principal conflicts with every change of it, and with its removal', async () => {
  const store = await openTemp();
  const acted = () => {
    const version = store.principals('demo')[0]?.version ?? 0;
    const reads = { keys: [], ranges: [], principals: [{ id: 'p', version }] };
    return turn([set('principal:p/k', 1)], { reads });
  };
  const changes: readonly Effect[] = [
    register('p', BOTH),
    register('p', BOTH, { digest: 'd' }),
    remove('p'),
    register('p'),
  ];
  await store.submit(turn([register('p')]));
  for (const change of changes) {
    const late = acted();
    await store.submit(turn([change]));
    expect(await store.submit(late)).toMatchObject({ ok: false, conflict: true });
  }
  const late = acted();
  await store.submit({ kind: 'admin', ops: [grant(READ)], journal: [entry] });
  expect(await store.submit(late)).toMatchObject({ ok: false, conflict: true });
  expect(await store.submit(acted())).toMatchObject({ ok: true });
});

test('the removal of a principal takes its keys and no others, and gives their bytes back', async () => {
  const store = await openTemp();
  const keys = ['principal:p/a', 'principal:p/', 'principal:p', 'principal:p.q/a', 'principal:p0', 'q'];
  await store.submit(turn([register('p'), register('p.q'), ...keys.map((key) => set(key, key))]));
  const before = store.usageBytes('demo');
  await store.submit(turn([remove('p')]));
  const gone = ['principal:p/a', 'principal:p/'].reduce((sum, key) => sum + key.length + key.length + 2, 0);
  expect(before - store.usageBytes('demo')).toBe(gone);
  // To remove it again frees nothing.
  await store.submit(turn([remove('p')]));
  expect(before - store.usageBytes('demo')).toBe(gone);
  expect(store.principals('demo').map(({ id }) => id)).toEqual(['p.q']);
});

test('an administrator removes what is there, and learns of what is not', async () => {
  const store = await openTemp();
  await store.submit(turn([register('p'), set('principal:p/k', 1), set('own', 1)]));
  const op = { op: 'principal.remove', plugin: 'demo', id: 'p' } as const;
  const removing = {
    kind: 'admin',
    ops: [op],
    journal: [{ ...entry, action: 'principal.removed' }],
  } as const;
  expect(await store.submit(removing)).toMatchObject({ ok: true });
  expect(store.usageBytes('demo')).toBe('own1'.length);
  expect(await store.submit(removing)).toMatchObject({ ok: false, error: { code: 'NEIRA_NOT_FOUND' } });
});

test('a plugin that is full may remove a principal, and one principal too many fails its turn whole', async () => {
  const store = await openTemp();
  const big = 'x'.repeat(250_000);
  for (const n of [1, 2, 3]) await store.submit(turn([register('p'), set(`principal:p/${n}`, big)]));
  expect(await store.submit(turn([remove('p')], { storageMb: 0.000001 }))).toMatchObject({
    outcome: { status: 'ok' },
  });
  const many = Array.from({ length: 11 }, (_, n) => register(`p${n}`));
  expect(await store.submit(turn([set('k', 1), ...many]))).toMatchObject({
    outcome: {
      status: 'failed',
      error: { code: 'NEIRA_TOO_MANY', details: { what: 'principals', max: 10 } },
    },
  });
  expect(store.principals('demo')).toEqual([]);
  expect(store.usageBytes('demo')).toBe(0);
});
