import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { openForWriting } from './database.ts';
import { lockHome } from './lock.ts';
import { MIGRATIONS, migrate } from './migrations.ts';
import { createKvReader } from './reader.ts';
import { openStore } from './store.ts';
import { commit, journal, note, openTemp, set, tempHome, turn, WRITER } from './test-store.ts';

test('a home is open in one process at a time, and free again when that one is gone', async () => {
  const home = tempHome();
  const store = await openStore({ writer: WRITER, home, durability: 'process' });
  await expect(openStore({ writer: WRITER, home, durability: 'process' })).rejects.toMatchObject({
    code: 'NEIRA_HOME_LOCKED',
  });
  await store.close();
  const again = await openStore({ writer: WRITER, home, durability: 'process' });
  await again.close();
});

test('a process that was killed leaves no lock behind', async () => {
  const home = tempHome();
  const script = `const { lockHome } = await import(${JSON.stringify(new URL('./lock.ts', import.meta.url).href)});
    globalThis.kept = lockHome(process.argv[1]); console.log('locked'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, home], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  expect(() => lockHome(home)).toThrow(expect.objectContaining({ code: 'NEIRA_HOME_LOCKED' }));
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('exit', resolve));
  lockHome(home)[Symbol.dispose]();
});

test('an older home is migrated, after a backup that opens', () => {
  const path = join(tempHome(), 'neira.db');
  using db = openForWriting(path, 'process');
  migrate(db, path);
  db.exec("insert into setting(name, value) values('greeting', '1')");
  expect(readdirSync(join(path, '..')).filter((name) => name.includes('backup'))).toEqual([]);
  const newer = [
    ...MIGRATIONS,
    'create table later(a); update setting set value = 2',
    'create table latest(a)',
  ];
  migrate(db, path, newer);
  expect(db.prepare('pragma user_version').get()).toMatchObject({ user_version: newer.length });
  expect(db.prepare('select value from setting').get()).toMatchObject({ value: '2' });
  using backup = new DatabaseSync(`${path}.backup-v${MIGRATIONS.length}`, { readOnly: true });
  expect(backup.prepare('select value from setting').get()).toMatchObject({ value: '1' });
  expect(backup.prepare('pragma user_version').get()).toMatchObject({ user_version: MIGRATIONS.length });
  // A step that fails leaves the home at the step before it.
  expect(() => migrate(db, path, [...newer, 'create table more(a); create table latest(a)'])).toThrow(
    'already exists',
  );
  expect(db.prepare('pragma user_version').get()).toMatchObject({ user_version: newer.length });
  expect(db.prepare("select 1 from sqlite_schema where name = 'more'").get()).toBeUndefined();
});

test('a home of a newer Neira is refused and not touched', async () => {
  const home = tempHome();
  await (await openStore({ writer: WRITER, home, durability: 'process' })).close();
  const db = new DatabaseSync(join(home, 'neira.db'));
  db.exec('pragma user_version = 99');
  db.close();
  await expect(openStore({ writer: WRITER, home, durability: 'process' })).rejects.toMatchObject({
    code: 'NEIRA_HOME_NEWER',
    details: { found: 99 },
  });
  // The lock went with the refusal.
  lockHome(home)[Symbol.dispose]();
});

test('a full disk refuses, keeps nothing of what it refused, and goes on when there is space', async () => {
  const store = await openTemp({ durability: 'power' });
  await commit(store, turn([set('before', 1), note('n0')]));
  const { page_count } = new DatabaseSync(store.databasePath, { readOnly: true })
    .prepare('pragma page_count')
    .get() as { page_count: number };
  await store.setMaxPageCount(page_count + 4);
  const big = 'x'.repeat(100_000);
  const acks = await Promise.all([
    store.submit(turn([set('small', 1), note('n1')])),
    store.submit(turn([set('big', big)])),
    store.submit(journal('while.full')),
  ]);
  for (const ack of acks) expect(ack).toMatchObject({ ok: false, error: { code: 'NEIRA_DISK_FULL' } });
  using reader = createKvReader(store.databasePath);
  expect(Array.from(reader.scan('demo', { prefix: '' }), ({ key }) => key)).toEqual(['before']);
  expect(store.events({ limit: 10 })).toHaveLength(1);
  await store.setMaxPageCount(1_000_000);
  await commit(store, turn([set('big', big), note('n2')]));
  await commit(store, journal('after.full'));
  expect(Array.from(reader.scan('demo', { prefix: '' }), ({ key }) => key)).toEqual(['before', 'big']);
  expect(store.search({}).map(({ id }) => id)).toEqual(['n0', 'n2']);
  expect(store.journal(0, 10)).toMatchObject([{ seq: 1, action: 'after.full' }]);
});

test('closing commits what was submitted and refuses what comes later', async () => {
  const home = tempHome();
  const store = await openStore({ writer: WRITER, home, durability: 'power' });
  const last = Array.from({ length: 50 }, (_, n) => store.submit(turn([set(`k${n}`, n)])));
  const closed = store.close();
  await expect(store.submit(turn())).rejects.toMatchObject({ code: 'NEIRA_STOPPING' });
  expect((await Promise.all(last)).every(({ ok }) => ok)).toBe(true);
  await closed;
  await store.close();
  // All of it is in the one file.
  expect(statSync(join(home, 'neira.db-wal'), { throwIfNoEntry: false })?.size ?? 0).toBe(0);
});

test('a backup is a home of its own', async () => {
  const store = await openTemp();
  await commit(store, turn([set('a', 1), note('n')]));
  const home = tempHome();
  await store.backup(join(home, 'neira.db'));
  await commit(store, turn([set('b', 1)]));
  const restored = await openStore({ writer: WRITER, home, durability: 'process' });
  using reader = createKvReader(restored.databasePath);
  expect(Array.from(reader.scan('demo', { prefix: '' }), ({ key }) => key)).toEqual(['a']);
  expect(existsSync(join(home, 'context/chat/session.annotations.ndjson'))).toBe(true);
  await restored.close();
  await expect(store.backup('/nowhere/at/all.db')).rejects.toMatchObject({ code: 'NEIRA_STORE_FAILED' });
});
