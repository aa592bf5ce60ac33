import { expect, test } from 'vitest';
import { createKvReader } from './reader.ts';
import type { Effect } from './records.ts';
import type { Store } from './store.ts';
import { append, commit, note, openTemp, remove, set, turn } from './test-store.ts';

function contents(store: Store, prefix = ''): Record<string, unknown> {
  using reader = createKvReader(store.databasePath);
  const entries = [...reader.scan('demo', { prefix })];
  return Object.fromEntries(entries.map(({ key, value }) => [key, JSON.parse(value)]));
}

const versionOf = (store: Store, key: string): number => {
  using reader = createKvReader(store.databasePath);
  return reader.get('demo', key)?.version ?? 0;
};

test('everything that a turn staged commits with its event, its outcome and its logs', async () => {
  const store = await openTemp();
  const send: Effect = { op: 'send', id: 't/1', port: 'console', target: 'out', payload: '"hi"' };
  const publish: Effect = {
    op: 'publish',
    event: {
      id: 'p1',
      subject: 'annotation.saved',
      version: 1,
      envelope: '{"id":"p1"}',
      mode: 'event',
      caller: 'write',
    },
  };
  const record = turn([set('a', 1), append('log', 'x'), note('n1'), publish, send], {
    logs: [{ level: 'info', message: 'drawn', atMs: 5 }],
    outcome: { status: 'ok', actions: '[{"type":"note"}]' },
  });
  const ack = await commit(store, record);
  expect(ack.outcome).toEqual(record.outcome);
  expect(ack.sends).toEqual([{ id: 't/1', port: 'console', target: 'out', payload: '"hi"' }]);
  expect(contents(store)).toEqual({ a: 1, 'log/0000000000000001': 'x' });
  expect(store.search({}).map(({ id }) => id)).toEqual(['n1']); // UIT-10
  expect(store.events({ limit: 10 }).map((e) => [e.subject, e.disposition])).toEqual([
    ['ui.pencil.draw', 'executed'],
    ['annotation.saved', 'published'],
  ]);
  expect(store.logs('demo', 10)).toMatchObject([{ message: 'drawn', turnId: record.turnId }]);
  expect(store.turn(record.turnId)).toMatchObject({ plugin: 'demo', outcome: record.outcome });
  expect(store.pendingSends()).toHaveLength(1);
  await commit(store, { kind: 'sent', ids: ['t/1'] });
  expect(store.pendingSends()).toHaveLength(0);
});

test('a failed turn leaves its event, its failure and its logs, and nothing of its effects', async () => {
  const store = await openTemp();
  const error = { code: 'NEIRA_PLUGIN_FAILED', details: {}, message: 'boom', stack: 'main.ts:3' } as const;
  const record = turn([set('a', 1), note('n1')], {
    outcome: { status: 'failed', error },
    logs: [{ level: 'error', message: 'last words', atMs: 5 }],
    idempotency: { key: 'k', digest: 'd' },
  });
  expect(await commit(store, record)).toMatchObject({ ok: true, outcome: { status: 'failed', error } });
  expect(contents(store)).toEqual({});
  expect(store.search({})).toEqual([]);
  expect(store.events({ limit: 10 })).toMatchObject([{ disposition: 'failed', eventId: record.eventId }]);
  expect(store.failures('demo', 10)).toMatchObject([
    { error, envelope: record.envelope, version: 'digest-1' },
  ]);
  expect(store.logs('demo', 10)).toMatchObject([{ message: 'last words' }]);
  // A failed event stays retriable under its key.
  expect(store.idempotentReply('k')).toBeUndefined();
});

test('a turn that was recorded before gets its first answer and changes nothing', async () => {
  const store = await openTemp();
  const first = turn([append('log', 1)], { outcome: { status: 'ok', actions: '["first"]' } });
  const acks = await Promise.all([
    store.submit(first),
    store.submit({ ...first, outcome: { status: 'ok', actions: '["second"]' } }),
  ]);
  acks.push(await store.submit(first));
  for (const ack of acks) expect(ack).toMatchObject({ ok: true, outcome: { actions: '["first"]' } });
  expect(acks.map((ack) => ack.ok && ack.repeated)).toEqual([undefined, true, true]);
  expect(Object.keys(contents(store))).toHaveLength(1);
});

test('a turn whose key was changed by another conflicts, in the same group too', async () => {
  const store = await openTemp();
  const reads = { keys: [{ key: 'n', version: 0 }], ranges: [] };
  const [first, second] = await Promise.all([
    store.submit(turn([set('n', 1)], { reads })),
    store.submit(turn([set('n', 2)], { reads })),
  ]);
  expect(first.ok).toBe(true);
  expect(second).toMatchObject({ ok: false, conflict: true });
  expect(contents(store)).toEqual({ n: 1 });
  // A turn that staged nothing, or that failed, has still read what is no longer true.
  expect(await store.submit(turn([], { reads }))).toMatchObject({ conflict: true });
  const error = { code: 'NEIRA_PLUGIN_FAILED', details: {}, message: 'x' } as const;
  expect(await store.submit(turn([], { reads, outcome: { status: 'failed', error } }))).toMatchObject({
    conflict: true,
  });
});

test('an empty range conflicts with what was put into it, and not with its neighbours', async () => {
  const store = await openTemp();
  const reads = { keys: [], ranges: [{ prefix: 'run/', count: 0, highest: 0 }] };
  await commit(store, turn([set('run', 1), set('run0', 1)]));
  expect(await store.submit(turn([], { reads }))).toMatchObject({ ok: true });
  await commit(store, turn([set('run/1', 1)]));
  expect(await store.submit(turn([], { reads }))).toMatchObject({ conflict: true });
});

test('a range notices an insert, a change, a removal, and a removal made good by an insert', async () => {
  const store = await openTemp();
  await commit(store, turn([set('r/a', 1)]));
  for (let i = 0; i < 9; i++) await commit(store, turn([set('r/x', i)]));
  const range = () => {
    using reader = createKvReader(store.databasePath);
    const entries = [...reader.scan('demo', { prefix: 'r/' })];
    return { prefix: 'r/', count: entries.length, highest: Math.max(...entries.map((e) => e.version)) };
  };
  const changes: Effect[][] = [
    [set('r/b', 1)],
    [set('r/a', 2)],
    [remove('r/b')],
    [remove('r/a'), set('r/c', 1)],
    [remove('r/x'), set('r/x', 8)],
  ];
  for (const effects of changes) {
    const reads = { keys: [], ranges: [range()] };
    expect(await store.submit(turn([], { reads }))).toMatchObject({ ok: true });
    await commit(store, turn(effects));
    expect(await store.submit(turn([], { reads })), JSON.stringify(effects)).toMatchObject({
      conflict: true,
    });
  }
});

test('of a range only the part that was seen counts', async () => {
  const store = await openTemp();
  await commit(store, turn([set('r/1', 0), set('r/2', 0), set('r/3', 0), set('r/4', 0)]));
  const reads = { keys: [], ranges: [{ prefix: 'r/', after: 'r/1', until: 'r/3', count: 2, highest: 1 }] };
  await commit(store, turn([set('r/1', 1), set('r/4', 1), remove('r/4')]));
  expect(await store.submit(turn([], { reads }))).toMatchObject({ ok: true });
  await commit(store, turn([set('r/3', 1)]));
  expect(await store.submit(turn([], { reads }))).toMatchObject({ conflict: true });
});

test('a key that was deleted and made again never repeats a version', async () => {
  const store = await openTemp();
  await commit(store, turn([set('k', 'one')]));
  const seen = versionOf(store, 'k');
  await commit(store, turn([remove('k')]));
  await commit(store, turn([set('k', 'two')]));
  const reads = { keys: [{ key: 'k', version: seen }], ranges: [] };
  expect(await store.submit(turn([], { reads }))).toMatchObject({ conflict: true });
});

test('appends of two turns do not conflict and are numbered in the order of their commits', async () => {
  const store = await openTemp();
  await Promise.all(['a', 'b', 'c'].map((v) => store.submit(turn([append('log', v), append('log', v)]))));
  expect(Object.entries(contents(store))).toEqual(
    ['a', 'a', 'b', 'b', 'c', 'c'].map((v, i) => [`log/000000000000000${i + 1}`, v]),
  );
  // A key that only looks like a number is not one.
  await commit(store, turn([set('log/9x', 0), set('log/zzz', 0), append('log', 'd')]));
  expect(contents(store)['log/0000000000000007']).toBe('d');
});

test('a turn that would go over the quota fails as a whole; shrinking is always allowed', async () => {
  const store = await openTemp();
  const big = 'x'.repeat(700 * 1024);
  await commit(store, turn([set('a', big)]));
  const bytes = store.usageBytes('demo');
  const over = turn([set('small', 1), note('n', 'text'), set('b', big)]);
  expect(await commit(store, over)).toMatchObject({
    outcome: { status: 'failed', error: { code: 'NEIRA_STORAGE_FULL' } },
  });
  expect(Object.keys(contents(store))).toEqual(['a']);
  expect(store.search({})).toEqual([]);
  expect(store.usageBytes('demo')).toBe(bytes);
  expect(store.failures('demo', 5)).toMatchObject([{ error: { code: 'NEIRA_STORAGE_FULL' } }]);
  const shrink = turn([remove('a'), set('c', 'y')], { storageMb: 0.000001 });
  expect((await commit(store, shrink)).outcome?.status).toBe('ok');
  expect(store.usageBytes('demo')).toBe('c'.length + '"y"'.length);
});

test('what a plugin holds is the sum of its keys, values and lines', async () => {
  const store = await openTemp();
  await commit(
    store,
    turn([set('ключ', 'значение'), set('ключ', 'ё'), note('n', 'т'), append('l', 1), remove('nothing')]),
  );
  const line = JSON.stringify({ id: 'n', text: 'т' });
  const expected = [`ключ"ё"`, `${line}\n`, 'l/0000000000000001', '1'].join('');
  expect(store.usageBytes('demo')).toBe(Buffer.byteLength(expected));
});

test('after its deadline a turn is refused and nothing of it is kept', async () => {
  const store = await openTemp();
  const late = turn([set('a', 1)], { deadlineAtMs: Date.now() - 1 });
  expect(await store.submit(late)).toMatchObject({
    ok: false,
    turnId: late.turnId,
    error: { code: 'NEIRA_DEADLINE' },
  });
  expect(contents(store)).toEqual({});
  expect(store.events({ limit: 10 })).toEqual([]);
  expect(store.turn(late.turnId)).toBeUndefined();
});

test('a used idempotency key answers the stored reply, and refuses another body', async () => {
  const store = await openTemp();
  const first = turn([append('log', 1)], {
    idempotency: { key: 'k', digest: 'd' },
    outcome: { status: 'ok', actions: '[1]' },
  });
  await commit(store, first);
  const again = turn([append('log', 1)], { idempotency: { key: 'k', digest: 'd' } });
  const ack = await commit(store, again);
  expect(JSON.parse(ack.replay!)).toEqual({
    event_id: first.eventId,
    mode: 'executed',
    ran: true,
    actions: [1],
  });
  const other = turn([append('log', 1)], { idempotency: { key: 'k', digest: 'other' } });
  expect(await store.submit(other)).toMatchObject({
    ok: false,
    error: { code: 'NEIRA_IDEMPOTENCY_MISMATCH' },
  });
  expect(Object.keys(contents(store))).toHaveLength(1);

  // HOST-41: a dry-run event is recorded once under its key as well.
  const dry = { kind: 'event', eventId: 'd1', subject: 's', envelope: '{}', disposition: 'dry-run' } as const;
  const idempotency = { key: 'dry', digest: 'd', reply: '{"ran":false}' };
  await commit(store, { ...dry, plugin: 'demo', gate: 'g', idempotency });
  expect(await commit(store, { ...dry, idempotency })).toMatchObject({ replay: '{"ran":false}' });
  expect(store.events({ subject: 's', limit: 10 })).toHaveLength(1);
});

test('a record that cannot be applied does not take the others of its group with it', async () => {
  const store = await openTemp();
  const broken = { ...turn([set('x', 1)]), effects: [{ op: 'set', key: 'x', value: null }] } as never;
  const unknown = { ...turn(), effects: [{ op: 'set', key: 'y', value: '1' }, { op: 'fly' }] } as never;
  const acks = await Promise.all([
    store.submit(turn([set('a', 1)])),
    store.submit(broken),
    store.submit(unknown),
    store.submit(turn([set('b', 1)])),
  ]);
  expect(acks.map(({ ok }) => ok)).toEqual([true, false, false, true]);
  expect(acks[1]).toMatchObject({ error: { code: 'NEIRA_STORE_FAILED' } });
  expect(contents(store)).toEqual({ a: 1, b: 1 });
});

test('turns, failures and dry runs are counted per plugin and gate', async () => {
  const store = await openTemp();
  const error = { code: 'NEIRA_PLUGIN_FAILED', details: {}, message: 'x' } as const;
  await Promise.all([
    store.submit(turn()),
    store.submit(turn([], { outcome: { status: 'failed', error } })),
    store.submit(turn([], { gate: 'other' })),
    store.submit({
      kind: 'event',
      eventId: 'd',
      subject: 's',
      envelope: '{}',
      disposition: 'dry-run',
      plugin: 'demo',
      gate: 'other',
    }),
  ]);
  expect(store.statistics(Date.now())).toMatchObject([
    { plugin: 'demo', gate: 'other', turns: 1, failures: 0, dryRuns: 1 },
    { plugin: 'demo', gate: 'runtime_scripting', turns: 2, failures: 1, dryRuns: 0, fuel: 20 },
  ]);
  expect(store.statistics(Date.now() + 86_400_000)).toEqual([]);
});

test('logs and failures keep the newest of each plugin', async () => {
  const store = await openTemp();
  const line = (n: number) => ({ level: 'info', message: `${n}`, atMs: n }) as const;
  for (let i = 0; i < 30; i++) {
    await commit(store, turn([], { logs: Array.from({ length: 100 }, (_, n) => line(i * 100 + n)) }));
  }
  const logs = store.logs('demo', 100_000);
  expect(logs.length).toBeGreaterThanOrEqual(2000);
  expect(logs.length).toBeLessThan(2300);
  expect(logs.at(-1)?.message).toBe('2999');
});

test('a reader sees one moment from its first read to its end', async () => {
  const store = await openTemp();
  using reader = createKvReader(store.databasePath);
  await commit(store, turn([set('a', 1)]));
  reader.begin();
  await commit(store, turn([set('a', 2)]));
  expect(reader.get('demo', 'a')?.value).toBe('2');
  await commit(store, turn([set('a', 3), set('b', 1)]));
  expect(reader.get('demo', 'a')?.value).toBe('2');
  expect([...reader.scan('demo', { prefix: '' })]).toHaveLength(1);
  reader.end();
  expect(reader.get('demo', 'a')?.value).toBe('3');
  expect(reader.get('other', 'a')).toBeUndefined();
});

test('events are found by subject, filter, time and position', async () => {
  const store = await openTemp();
  for (const subject of ['ui.a', 'ui.b', 'nlp.intent.x', 'ui.a.deep']) {
    await commit(store, turn([], { subject }));
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  const subjects = (query: Omit<Parameters<Store['events']>[0], 'limit'>, limit = 10) =>
    store.events({ ...query, limit }).map(({ subject }) => subject);
  expect(subjects({ subject: 'ui.a' })).toEqual(['ui.a']);
  expect(subjects({ matches: (subject) => subject.startsWith('ui.') })).toEqual([
    'ui.a',
    'ui.b',
    'ui.a.deep',
  ]);
  expect(subjects({}, 2)).toEqual(['nlp.intent.x', 'ui.a.deep']);
  expect(subjects({ after: 1 }, 2)).toEqual(['ui.b', 'nlp.intent.x']);
  const third = store.events({ limit: 10 })[2]!;
  expect(subjects({ sinceMs: third.atMs })).toEqual(['nlp.intent.x', 'ui.a.deep']);
  expect(subjects({ sinceMs: 0 })).toHaveLength(4);
  expect(subjects({ sinceMs: Date.now() + 1000 })).toEqual([]);
  expect(subjects({}, 0)).toEqual([]);
});
