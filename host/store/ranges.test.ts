import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { MIGRATIONS } from './migrations.ts';
import { compareKeys, type KeyRange, prefixEnd, rangeSql, scanSql } from './ranges.ts';
import { createKvReader } from './reader.ts';
import type { Effect, RangeRead } from './records.ts';
import type { Store } from './store.ts';
import { add, commit, openTemp, remove, set, turn } from './test-store.ts';

const KEYS = [
  'p',
  'p\u0000',
  'p/a',
  'p/я',
  'p/\uffff',
  'p/\u{10000}',
  'p/\u{10ffff}',
  'p/\u{10ffff}z',
  'p0',
  'q',
  '\u{10ffff}',
  '\u{10ffff}a',
];
const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

test('keys are compared as SQLite orders them', () => {
  const all = [...KEYS, '', 'a', 'é', '\ud7ff', '\ue000', '\uffee', '😀', '😁', '😀a'];
  for (const a of all) {
    for (const b of all)
      expect(Math.sign(compareKeys(a, b)), JSON.stringify([a, b])).toBe(Math.sign(byBytes(a, b)));
  }
});

test('a listing pages in both directions without a gap, whatever the keys are', async () => {
  const store = await openTemp();
  await commit(store, turn(KEYS.map((key) => set(key, key))));
  using reader = createKvReader(store.databasePath);
  const keysOf = (range: KeyRange, limit = Number.POSITIVE_INFINITY) => {
    const keys: string[] = [];
    for (const { key } of reader.scan('demo', range)) if (keys.push(key) >= limit) break;
    return keys;
  };
  for (const reverse of [false, true]) {
    for (const prefix of ['', 'p', 'p/', 'p/\u{10ffff}', '\u{10ffff}', 'x']) {
      const expected = KEYS.filter((key) => key.startsWith(prefix)).sort(byBytes);
      if (reverse) expected.reverse();
      const paged: string[] = [];
      for (let after: string | undefined; ; after = paged.at(-1)) {
        const page = keysOf({ prefix, reverse, ...(after !== undefined && { after }) }, 2);
        if (page.length === 0) break;
        paged.push(...page);
      }
      expect(paged).toEqual(expected);
    }
    // An `after` before the range begins with it, one behind it finds nothing.
    const [before, behind] = reverse ? ['z', 'a'] : ['a', 'z'];
    expect(keysOf({ prefix: 'p/', reverse, after: before })).toHaveLength(6);
    expect(keysOf({ prefix: 'p/', reverse, after: behind })).toEqual([]);
  }
});

test('a walk that is left half-way holds no snapshot open', async () => {
  const store = await openTemp();
  await commit(store, turn([set('a', 1), set('b', 1)]));
  using reader = createKvReader(store.databasePath);
  for (const begin of [true, false]) {
    if (begin) reader.begin();
    for (const { key } of reader.scan('demo', { prefix: '' })) if (key === 'a') break;
    reader.end();
    await commit(store, turn([add('a', 1)]));
    expect(reader.get('demo', 'a')?.value).toBe(begin ? '2' : '3');
  }
});

/** What is seen of `r/1` to `r/5`, and which keys lie in the part that was seen. */
const SEEN: readonly [range: Omit<RangeRead, 'count' | 'highest'>, inside: readonly string[]][] = [
  [{ prefix: 'r/' }, ['r/', 'r/0', 'r/1', 'r/3', 'r/5', 'r/9', 'r/\u{10ffff}']],
  [{ prefix: 'r/', reverse: true }, ['r/', 'r/0', 'r/1', 'r/3', 'r/5', 'r/9', 'r/\u{10ffff}']],
  [{ prefix: 'r/', until: 'r/3' }, ['r/', 'r/0', 'r/1', 'r/25', 'r/3']],
  [{ prefix: 'r/', after: 'r/2' }, ['r/25', 'r/3', 'r/5', 'r/9', 'r/\u{10ffff}']],
  [{ prefix: 'r/', after: 'r/2', until: 'r/4' }, ['r/25', 'r/3', 'r/4']],
  [{ prefix: 'r/', reverse: true, until: 'r/3' }, ['r/3', 'r/35', 'r/5', 'r/9', 'r/\u{10ffff}']],
  [{ prefix: 'r/', reverse: true, after: 'r/4' }, ['r/', 'r/0', 'r/1', 'r/3', 'r/35']],
  [{ prefix: 'r/', reverse: true, after: 'r/4', until: 'r/2' }, ['r/2', 'r/25', 'r/3', 'r/35']],
  [{ prefix: 'r/', reverse: true, after: 's' }, ['r/', 'r/1', 'r/5', 'r/9']],
  [{ prefix: 'none/', reverse: true }, ['none/', 'none/1']],
];
const TOUCHED = ['a', 'r', 'r0', 's', ...new Set(SEEN.flatMap(([, inside]) => inside)), 'r/2', 'r/4'];

test.each(SEEN)(
  'of %j every insert, change and removal inside conflicts, none outside',
  async (seen, inside) => {
    const store = await openTemp();
    const base = ['a', 'r', 'r/1', 'r/2', 'r/3', 'r/4', 'r/5', 's'];
    await commit(store, turn(base.map((key) => set(key, 0))));
    const isInside = (key: string) => {
      if (!key.startsWith(seen.prefix)) return false;
      const behind = seen.reverse ? byBytes(seen.after ?? '\u{10ffff}', key) : byBytes(key, seen.after ?? '');
      const within = seen.until === undefined || byBytes(key, seen.until) * (seen.reverse ? -1 : 1) <= 0;
      return behind > 0 && within;
    };
    for (const key of inside) expect(isInside(key), key).toBe(true);
    for (const key of TOUCHED) {
      const changes: Effect[] = [set(key, 1), add(key, 1), remove(key), set(key, 0)];
      for (const change of changes) {
        const was = readOf(store, seen, isInside);
        const there = contentOf(store).some((entry) => entry.key === key);
        await commit(store, turn([change]));
        const ack = await store.submit(turn([], { reads: { keys: [], ranges: [was] } }));
        const touched = isInside(key) && (there || change.op !== 'delete');
        expect(ack.ok, `${change.op} ${key}`).toBe(!touched);
      }
      if (!base.includes(key)) await commit(store, turn([remove(key)]));
    }
  },
);

function contentOf(store: Store) {
  using reader = createKvReader(store.databasePath);
  return [...reader.scan('demo', { prefix: '' })];
}

function readOf(
  store: Store,
  seen: Omit<RangeRead, 'count' | 'highest'>,
  isInside: (key: string) => boolean,
): RangeRead {
  const found = contentOf(store).filter(({ key }) => isInside(key));
  return { ...seen, count: found.length, highest: Math.max(0, ...found.map(({ version }) => version)) };
}

test('reads and checks of a range seek in the index and sort nothing, however many keys the plugin has', () => {
  using db = new DatabaseSync(':memory:');
  for (const step of MIGRATIONS) db.exec(step);
  db.exec(
    `with recursive n(i) as (select 0 union all select i + 1 from n where i < 99999)
     insert into kv(plugin, k, version, value) select 'demo', printf('k%06d', i), i + 1, '0' from n`,
  );
  db.exec('analyze');
  const planOf = (sql: string, ...values: (string | Uint8Array | number)[]) =>
    db
      .prepare(`explain query plan ${sql}`)
      .all(...values)
      .map((row) => row['detail']);
  const SEEK = 'SEARCH kv USING PRIMARY KEY (plugin=? AND k>? AND k<?)';
  for (const end of [prefixEnd('k'), prefixEnd('')]) {
    for (const sql of [scanSql('>=', false), scanSql('>', false), scanSql('>=', true)])
      expect(planOf(sql, 'demo', 'k', end)).toEqual([SEEK]);
    for (const above of ['>', '>='] as const) {
      for (const below of ['<', '<='] as const) {
        const plan = planOf(rangeSql(above, below), 'demo', 'k', end, 11);
        // What is counted are the rows that the seek gave, and those end one after the last that was seen.
        expect(plan).toEqual(['CO-ROUTINE (subquery-1)', SEEK, 'SCAN (subquery-1)']);
        const row = db.prepare(rangeSql(above, below)).get('demo', 'k', end, 11);
        expect(row).toMatchObject({ count: 11, highest: 11 });
      }
    }
  }
});

test('64 additions in flight to one counter all commit, and none runs twice', async () => {
  const store = await openTemp();
  const acks = await Promise.all(Array.from({ length: 64 }, (_, n) => store.submit(turn([add('n', n)]))));
  expect(acks.map(({ ok }) => ok)).toEqual(acks.map(() => true));
  expect(contentOf(store)).toMatchObject([{ key: 'n', value: '2016' }]);
  expect(store.usageBytes('demo')).toBe('n2016'.length);
});

test('who read a counter conflicts with an addition to it', async () => {
  const store = await openTemp();
  await commit(store, turn([add('n', 1)]));
  const { version } = contentOf(store)[0]!;
  const reads = { keys: [{ key: 'n', version }], ranges: [] };
  expect(await store.submit(turn([add('n', 1)], { reads }))).toMatchObject({ ok: true });
  expect(await store.submit(turn([add('n', 1)], { reads }))).toMatchObject({ conflict: true });
});

test('an addition that cannot be made fails its turn alone, as its plugin', async () => {
  const store = await openTemp();
  const kept = { text: '1', large: Number.MAX_SAFE_INTEGER, list: [1], nothing: null };
  await commit(store, turn(Object.entries(kept).map(([key, of]) => set(key, of))));
  for (const key of Object.keys(kept)) {
    const [ack, other] = await Promise.all([
      store.submit(turn([set('staged', 1), add(key, 1)])),
      store.submit(turn([add('n', 1)])),
    ]);
    const error = { code: 'NEIRA_ADD_REFUSED', details: { key } };
    expect(ack, key).toMatchObject({ ok: true, outcome: { status: 'failed', error } });
    expect(other).toMatchObject({ ok: true, outcome: { status: 'ok' } });
  }
  expect(Object.fromEntries(contentOf(store).map(({ key, value }) => [key, JSON.parse(value)]))).toEqual({
    ...kept,
    n: 4,
  });
  expect(store.failures('demo', 10)).toHaveLength(4);
});

test('additions, values and removals of one turn apply in the order in which it staged them', async () => {
  const store = await openTemp();
  const steps = [add('n', 0.1), add('n', 0.2), set('m', 5), add('m', -7), add('d', 1), remove('d')];
  await commit(store, turn([...steps, remove('m2'), add('m2', 3), add('s', 1), set('s', 'x')]));
  expect(contentOf(store).map(({ key, value }) => [key, value])).toEqual([
    ['m', '-2'],
    ['m2', '3'],
    ['n', String(0.1 + 0.2)],
    ['s', '"x"'],
  ]);
});
