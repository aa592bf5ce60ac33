import { expect, test } from 'vitest';
import { MAX_DELAYED_SENDS } from './delayed-sends.ts';
import type { Effect } from './records.ts';
import { openStore, type Store } from './store.ts';
import { commit, openTemp, set, tempHome, turn, WRITER } from './test-store.ts';

/** Port sends with a time: durable, in order, and taken back only by their plugin and only before they left. */

const HOUR = 3_600_000;
const send = (id: string, atMs?: number, target = 'out'): Effect => ({
  op: 'send',
  id,
  port: 'console',
  target,
  payload: `"${id}"`,
  ...(atMs !== undefined && { atMs }),
});
const cancel = (id: string): Effect => ({ op: 'cancel-send', id });
const later = () => Date.now() + HOUR;
const ids = (sends: readonly { id: string }[] | undefined) => (sends ?? []).map(({ id }) => id);

/** What leaves because its moment came, as main hears of it. */
function released(store: Store): string[] {
  const left: string[] = [];
  store.onNews(({ sends }) => left.push(...ids(sends)));
  return left;
}

const tick = (store: Store) => commit(store, { kind: 'tick' });
const passed = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('a delayed send leaves nothing with its commit, is counted, and main is told when it is due', async () => {
  const store = await openTemp();
  const due: (number | undefined)[] = [];
  store.onNews(({ dueMs }) => due.push(dueMs));
  const atMs = later();
  const ack = await commit(store, turn([send('a', atMs), send('b')]));
  expect(ids(ack.sends)).toEqual(['b']);
  expect(ids(store.pendingSends())).toEqual(['b']);
  expect(store.delayedCount()).toBe(1);
  expect(due).toContain(atMs);
});

test('a time that has passed is no delay', async () => {
  const store = await openTemp();
  const ack = await commit(store, turn([send('a', Date.now() - 1)]));
  expect(ids(ack.sends)).toEqual(['a']);
  expect(store.delayedCount()).toBe(0);
});

test('those that are due leave by their time, then as they were staged, behind what left before them', async () => {
  const store = await openTemp();
  const left = released(store);
  const soon = Date.now() + 30;
  await commit(store, turn([send('c', soon + 2), send('a', soon), send('b', soon), send('x', later())]));
  await commit(store, turn([send('before')]));
  await tick(store);
  expect(left).toEqual([]);
  await passed(60);
  await tick(store);
  expect(left).toEqual(['a', 'b', 'c']);
  expect(ids(store.pendingSends())).toEqual(['before', 'a', 'b', 'c']);
  expect(store.delayedCount()).toBe(1);
  await tick(store);
  expect(left).toHaveLength(3);
});

test('it is taken back until it leaves, by a later turn or by the one that staged it', async () => {
  const store = await openTemp();
  await commit(store, turn([send('a', later()), send('b', later())]));
  await commit(store, turn([cancel('a'), cancel('nothing')]));
  expect(store.delayedCount()).toBe(1);
  const ack = await commit(store, turn([send('c', later()), send('d'), send('e'), cancel('c'), cancel('d')]));
  expect(ids(ack.sends)).toEqual(['e']);
  expect(ids(store.pendingSends())).toEqual(['e']);
  expect(store.delayedCount()).toBe(1);
});

test('what has left is not taken back, and neither is what another plugin staged', async () => {
  const store = await openTemp();
  const left = released(store);
  await commit(store, turn([send('a', later()), send('b', Date.now() + 200), send('c')]));
  await passed(220);
  await tick(store);
  await commit(store, turn([cancel('a')], { plugin: 'other' }));
  await commit(store, turn([cancel('b'), cancel('c')]));
  expect(left).toEqual(['b']);
  expect(ids(store.pendingSends())).toEqual(['c', 'b']);
  expect(store.delayedCount()).toBe(1);
});

test('a turn that failed delays nothing and takes nothing back', async () => {
  const store = await openTemp();
  await commit(store, turn([send('a', later())]));
  const failing = turn([cancel('a'), send('b', later()), set('k', 'x'.repeat(2_000_000))]);
  expect(await commit(store, failing)).toMatchObject({ outcome: { error: { code: 'NEIRA_STORAGE_FULL' } } });
  expect(store.delayedCount()).toBe(1);
});

test('it waits over a restart, and one that was released and not confirmed is pending', async () => {
  const home = tempHome();
  const first = await openStore({ writer: WRITER, home, durability: 'process' });
  await commit(first, turn([send('soon', Date.now() + 30), send('late', later())]));
  await first.close();
  const second = await openStore({ writer: WRITER, home, durability: 'process' });
  expect(second.delayedCount()).toBe(2);
  await passed(40);
  await tick(second);
  expect(ids(second.pendingSends())).toEqual(['soon']);
  await second.close();
  const third = await openStore({ writer: WRITER, home, durability: 'process' });
  const due: (number | undefined)[] = [];
  third.onNews(({ dueMs }) => due.push(dueMs));
  expect(ids(third.pendingSends())).toEqual(['soon']);
  expect(third.delayedCount()).toBe(1);
  await third.close();
});

test('a plugin may have so many waiting; one more fails its turn, which keeps nothing', async () => {
  const store = await openTemp();
  const many = Array.from({ length: MAX_DELAYED_SENDS }, (_, n) => send(`m${n}`, later()));
  await commit(store, turn(many));
  const ack = await commit(store, turn([send('over', later())]));
  expect(ack.outcome).toMatchObject({
    status: 'failed',
    error: { code: 'NEIRA_TOO_MANY', details: { what: 'delayed sends', max: MAX_DELAYED_SENDS } },
  });
  expect((await commit(store, turn([send('theirs', later())], { plugin: 'other' }))).outcome?.status).toBe(
    'ok',
  );
  expect((await commit(store, turn([cancel('m0'), send('over', later())]))).outcome?.status).toBe('ok');
});

test('more than one step takes are released step by step, none of them lost', async () => {
  const store = await openTemp();
  const left = released(store);
  // Not before all of them are kept, however long that takes.
  const soon = Date.now() + 1500;
  const names = Array.from({ length: 1200 }, (_, n) => `s${n}`);
  await commit(store, turn(names.map((name) => send(name, soon))));
  await passed(soon - Date.now() + 20);
  for (let step = 0; step < 3; step++) await tick(store);
  expect(left).toEqual(names);
});

test('a plugin that is removed with its data takes what it had delayed along', async () => {
  const store = await openTemp();
  await commit(store, turn([send('a', later())]));
  await commit(store, {
    kind: 'admin',
    ops: [{ op: 'plugin.delete', id: 'demo', dropData: true }],
    journal: [],
  });
  expect(store.delayedCount()).toBe(0);
});
