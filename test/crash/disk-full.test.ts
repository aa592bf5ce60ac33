import { afterEach, expect, test, vi } from 'vitest';
import type { Store } from '../../host/store/store.ts';
import { bootHost, type TestHost } from '../kit/boot-host.ts';
import { GATES, installPlugins, Load, verify } from './load.ts';

/** The store of the host under test: only there can a disk be made full without a disk of its own. */
let store: Store | undefined;

vi.mock(import('../../host/store/store.ts'), async (original) => {
  const real = await original();
  return {
    ...real,
    async openStore(options) {
      store = await real.openStore(options);
      return store;
    },
  };
});

const A_PAGE_IS_TOO_MUCH = 1;
const ENOUGH_PAGES = 1_000_000;
let host: TestHost;

afterEach(() => host.close());

// Contract, "Process": a full disk is a named error that stops accepting and loses nothing.
test('on a full disk events and changes are refused by name, reading goes on, and space is enough to go on', async () => {
  host = await bootHost({ gates: GATES });
  await installPlugins(host);
  const load = new Load();
  await load.run(host, new Promise((resolve) => setTimeout(resolve, 200)));
  const before = await verify(host, load);
  expect(before).toBe(load.acknowledged);

  await store!.setMaxPageCount(A_PAGE_IS_TOO_MUCH);
  const key = { headers: { 'idempotency-key': 'while-full' } };
  // Text that needs pages of its own: what fits into free places of the file is still taken.
  const params = { color: 'red', size: 2, points: Array.from({ length: 4000 }, (_, x) => [x, 0.5]) };
  const place = { chat_id: 'full', session_id: 'full' };
  const draw = () => host.event('pencil', params, place, key);
  const refused = await draw();
  expect(refused).toMatchObject({ status: 507, body: { code: 'NEIRA_DISK_FULL' } });
  expect(refused.body.detail).toMatch(/full/);
  const files = { 'main.ts': `export const handle = () => {}; // ${'x'.repeat(100_000)}` };
  const manifest = { id: 'late', version: '1.0.0', kind: 'script', entry: 'main.ts' };
  const change = await host.call('POST', '/api/neira/plugins', { manifest, files });
  expect(change).toMatchObject({ status: 507, body: { code: 'NEIRA_DISK_FULL' } });
  expect((await host.call('GET', '/api/neira/plugins/late')).status).toBe(404);
  expect((await host.call('GET', '/healthz')).status).toBe(200);
  expect(await verify(host, load)).toBe(before);
  expect((await host.call('GET', '/api/neira/search?chat=full')).body.results).toEqual([]);

  await store!.setMaxPageCount(ENOUGH_PAGES);
  expect(await draw()).toMatchObject({ status: 200, body: { mode: 'executed' } });
  expect(await draw()).toMatchObject({ status: 200, body: { mode: 'executed' } });
  expect((await host.call('GET', '/api/neira/search?chat=full')).body.results).toHaveLength(1);
});
