import { expect, test } from 'vitest';
import { TurnRandom } from './context/turn-random.ts';
import { logKey } from './store/kv.ts';
import type { KeyRange } from './store/ranges.ts';
import { type PluginPolicy, type StateEntry, type StateReader, TurnContext } from './turn-context.ts';

const LIMITS = {
  turnMs: 200,
  waitMs: 10_000,
  cpuMs: 50,
  memoryMb: 32,
  hostCalls: 1000,
  publishes: 10,
  outputBytes: 1000,
  logBytes: 30,
  storageMb: 10,
  requests: 20,
  requestsPerMinute: 120,
  responseBytes: 100_000,
};
const MAX_BYTES = 1024 * 1024;
const page = (limit: number, maxBytes = MAX_BYTES) => ({ limit, maxBytes });

/** Committed state in a map, all at version 1 unless said otherwise, ordered as SQLite orders it. */
class FakeReader implements StateReader {
  readonly entries: StateEntry[];
  open = 0;

  constructor(state: Readonly<Record<string, string>> = {}) {
    this.entries = Object.entries(state)
      .map(([key, value]) => ({ key, value, version: 1 }))
      .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  }

  begin(): void {
    this.open++;
  }
  end(): void {
    this.open--;
  }
  get(_plugin: string, key: string) {
    return this.entries.find((entry) => entry.key === key);
  }
  /** Keys in the order in which they were loaded. */
  readonly loaded: string[] = [];
  *scan(_plugin: string, { prefix, after, reverse }: KeyRange) {
    const order = (a: string, b: string) =>
      Buffer.compare(Buffer.from(a), Buffer.from(b)) * (reverse ? -1 : 1);
    for (const entry of reverse ? this.entries.toReversed() : this.entries) {
      if (!entry.key.startsWith(prefix) || (after !== undefined && order(entry.key, after) <= 0)) continue;
      this.loaded.push(entry.key);
      yield entry;
    }
  }
  principal() {
    return undefined;
  }
  records() {
    return [];
  }
  lastOf(_plugin: string, log: string) {
    const numbers = this.entries
      .filter(({ key }) => key.startsWith(`${log}/`) && /^\d{16}$/.test(key.slice(log.length + 1)))
      .map(({ key }) => Number(key.slice(-16)));
    return Math.max(0, ...numbers);
  }
}

function turnOn(reader: StateReader): TurnContext {
  const policy = { plugin: 'demo', limits: LIMITS } as unknown as PluginPolicy;
  const origin = {
    turnId: 't',
    eventId: 'e',
    correlationId: 'c',
    tenant: 't',
    caller: 'write',
    mode: 'normal',
    dryRun: false,
    startedAtMs: 5,
    attempts: 0,
    subscriptions: '[]',
  } as const;
  return new TurnContext(policy, origin, reader, new TurnRandom(Buffer.alloc(32), 't'));
}

const keys = (entries: readonly StateEntry[]) => entries.map(({ key }) => key);

test('a turn that reads nothing opens no snapshot; one that does closes it', () => {
  const reader = new FakeReader({ a: '1' });
  const blind = turnOn(reader);
  blind.set('b', '1');
  blind.append('log', '1');
  expect(reader.open).toBe(0);
  blind.end();
  const reading = turnOn(reader);
  reading.get('a');
  reading.list({ prefix: '' }, page(10));
  expect(reader.open).toBe(1);
  reading.end();
  reading.end();
  expect(reader.open).toBe(0);
});

test('blind writes carry no reads, so two turns that only write never conflict', () => {
  const turn = turnOn(new FakeReader({ a: '1' }));
  turn.set('a', '2');
  turn.delete('b');
  turn.append('log', '1');
  turn.add('a', 1);
  expect(turn.reads).toEqual({ keys: [], ranges: [] });
});

test('each key that was read is kept once, with the version that was committed, also one that was not there', () => {
  const turn = turnOn(new FakeReader({ a: '1' }));
  turn.get('a');
  turn.set('a', '2');
  turn.get('a');
  turn.get('nothing');
  turn.get('a');
  expect(turn.reads.keys).toEqual([
    { key: 'a', version: 1 },
    { key: 'nothing', version: 0 },
  ]);
});

test('a range that was read is kept as far as it was seen, in both directions', () => {
  const turn = turnOn(new FakeReader({ a1: '1', a2: '2', a3: '3', b: '4' }));
  expect(keys(turn.list({ prefix: 'a' }, page(2)))).toEqual(['a1', 'a2']);
  expect(keys(turn.list({ prefix: 'a', after: 'a1' }, page(10)))).toEqual(['a2', 'a3']);
  expect(keys(turn.list({ prefix: 'none' }, page(10)))).toEqual([]);
  expect(keys(turn.list({ prefix: 'a', reverse: true }, page(2)))).toEqual(['a3', 'a2']);
  expect(keys(turn.list({ prefix: '', after: 'a2', reverse: true }, page(10)))).toEqual(['a1']);
  expect(turn.reads.ranges).toEqual([
    { prefix: 'a', until: 'a2', count: 2, highest: 1 },
    { prefix: 'a', after: 'a1', count: 2, highest: 1 },
    { prefix: 'none', count: 0, highest: 0 },
    { prefix: 'a', reverse: true, until: 'a2', count: 2, highest: 1 },
    { prefix: '', after: 'a2', reverse: true, count: 1, highest: 1 },
  ]);
});

test('of committed keys only those up to the last key of the page were seen, also when it is a staged one', () => {
  const reader = new FakeReader({ a1: '1', a2: '2', a3: '3', a9: '9' });
  const turn = turnOn(reader);
  turn.set('a25', '"new"');
  turn.delete('a2');
  expect(keys(turn.list({ prefix: 'a' }, page(2)))).toEqual(['a1', 'a25']);
  expect(keys(turn.list({ prefix: 'a', reverse: true }, page(3)))).toEqual(['a9', 'a3', 'a25']);
  expect(turn.reads.ranges).toEqual([
    { prefix: 'a', until: 'a25', count: 2, highest: 1 },
    { prefix: 'a', reverse: true, until: 'a25', count: 2, highest: 1 },
  ]);
});

test('pages are whole whatever the turn staged between committed keys', () => {
  const committed = Object.fromEntries(
    Array.from({ length: 20 }, (_, n) => [`k${String(n).padStart(2, '0')}`, `${n}`]),
  );
  const turn = turnOn(new FakeReader(committed));
  const expected = new Map(Object.entries(committed));
  for (const n of [0, 3, 4, 5, 19]) {
    turn.delete(`k${String(n).padStart(2, '0')}`);
    expected.delete(`k${String(n).padStart(2, '0')}`);
  }
  for (const key of ['k', 'k045', 'k19z', 'kя', 'k😀', 'k\uffee']) {
    turn.set(key, '"new"');
    expected.set(key, '"new"');
  }
  const all = [...expected.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const reverse of [false, true]) {
    for (const limit of [1, 2, 3, 7, 100]) {
      const seen: string[] = [];
      for (let after: string | undefined; ; after = seen.at(-1)) {
        const range = { prefix: 'k', reverse, ...(after !== undefined && { after }) };
        const found = turn.list(range, page(limit));
        seen.push(...keys(found));
        if (found.length < limit) break;
      }
      expect(reverse ? seen.reverse() : seen, `pages of ${limit}`).toEqual(all);
    }
  }
});

test('a page is cut by its bytes, and holds at least one entry', () => {
  const turn = turnOn(new FakeReader({ a: 'x'.repeat(600), b: 'x'.repeat(600), c: 'x', d: 'ж'.repeat(500) }));
  expect(keys(turn.list({ prefix: '' }, page(10, 1000)))).toEqual(['a']);
  expect(keys(turn.list({ prefix: '', after: 'a' }, page(10, 1000)))).toEqual(['b', 'c']);
  expect(keys(turn.list({ prefix: '' }, page(10, 10)))).toEqual(['a']);
  expect(keys(turn.list({ prefix: '', reverse: true }, page(10, 1000)))).toEqual(['d']);
  // Had the entry that did not fit been smaller, the page would be another: it was seen.
  expect(turn.reads.ranges).toEqual([
    { prefix: '', until: 'b', count: 2, highest: 1 },
    { prefix: '', after: 'a', until: 'd', count: 3, highest: 1 },
    { prefix: '', until: 'b', count: 2, highest: 1 },
    { prefix: '', reverse: true, until: 'c', count: 2, highest: 1 },
  ]);
});

test('a page loads no more values than it holds, and the one that no longer fits', () => {
  const big = Object.fromEntries(
    Array.from({ length: 1000 }, (_, n) => [`k${String(n).padStart(4, '0')}`, 'x'.repeat(256 * 1024)]),
  );
  const reader = new FakeReader(big);
  const turn = turnOn(reader);
  turn.set('k0001', '1');
  turn.delete('k0002');
  turn.add('k0003x', 1);
  expect(keys(turn.list({ prefix: 'k' }, page(1000)))).toEqual([
    'k0000',
    'k0001',
    'k0003',
    'k0003x',
    'k0004',
  ]);
  expect(reader.loaded).toHaveLength(6);
  expect(keys(turn.list({ prefix: 'k', reverse: true }, page(1000)))).toHaveLength(3);
  expect(reader.loaded).toHaveLength(6 + 4);
  expect(keys(turn.list({ prefix: 'k' }, page(2)))).toHaveLength(2);
  expect(reader.loaded).toHaveLength(6 + 4 + 2);
});

test('its own appends get the numbers that the commit will give, and the turn depends on nobody else appending', () => {
  const turn = turnOn(new FakeReader({ [logKey('log', 7)]: '7', other: '1' }));
  turn.append('log', '8');
  turn.append('log', '9');
  expect(keys(turn.list({ prefix: 'log/' }, page(10)))).toEqual([7, 8, 9].map((n) => logKey('log', n)));
  expect(turn.reads.keys).toEqual([{ key: logKey('log', 7), version: 1 }]);
  expect(turn.reads.ranges[0]).toEqual({
    prefix: 'log/',
    after: logKey('log', 7),
    until: `log/${'9'.repeat(16)}`,
    count: 0,
    highest: 0,
  });
  // Only the append itself is an effect: the number is given at commit.
  expect(turn.effects).toEqual([
    { op: 'append', key: 'log', value: '8' },
    { op: 'append', key: 'log', value: '9' },
  ]);
});

test('appends after a read of the log count on from those before it', () => {
  const turn = turnOn(new FakeReader());
  turn.append('log', '"a"');
  expect(turn.get(logKey('log', 1))?.value).toBe('"a"');
  turn.append('log', '"b"');
  expect(turn.list({ prefix: 'log/' }, page(10)).map(({ value }) => value)).toEqual(['"a"', '"b"']);
});

test('appends count from what the turn itself set or removed in the log', () => {
  const turn = turnOn(new FakeReader({ [logKey('log', 1)]: '1', [logKey('log', 2)]: '2' }));
  turn.delete(logKey('log', 2));
  turn.append('log', '"2 again"');
  expect(turn.get(logKey('log', 2))?.value).toBe('"2 again"');
  turn.set(logKey('log', 9), '9');
  turn.append('log', '10');
  expect(turn.get(logKey('log', 10))?.value).toBe('10');
});

test('reading other keys gives an append no number and the turn no range', () => {
  const turn = turnOn(new FakeReader({ a: '1' }));
  turn.append('log', '1');
  turn.get('a');
  turn.list({ prefix: 'b' }, page(10));
  expect(turn.reads.ranges).toEqual([{ prefix: 'b', count: 0, highest: 0 }]);
});

test('a removal of many entries looks back to the newest that is left, and no further', () => {
  const reader = new FakeReader(Object.fromEntries([1, 2, 8, 9].map((n) => [logKey('log', n), `${n}`])));
  const turn = turnOn(reader);
  turn.delete(logKey('log', 9));
  turn.delete(logKey('log', 8));
  turn.append('log', '3');
  turn.append('log', '4');
  expect(keys(turn.list({ prefix: 'log/' }, page(10)))).toEqual([1, 2, 3, 4].map((n) => logKey('log', n)));
});

test('logs inside logs are numbered apart, also where the turn removed an entry before it appended', () => {
  const turn = turnOn(new FakeReader({ [logKey('a/x', 1)]: '1' }));
  turn.append('a/x', '"lost"');
  turn.append('a', '"outer"');
  turn.delete(logKey('a/x', 2));
  turn.append('a/x', '"kept"');
  expect(turn.list({ prefix: 'a/' }, page(10)).map(({ key, value }) => [key, value])).toEqual([
    [logKey('a', 1), '"outer"'],
    [logKey('a/x', 1), '1'],
    [logKey('a/x', 2), '"kept"'],
  ]);
});

test('additions are blind until the turn reads what they add to', () => {
  const turn = turnOn(new FakeReader({ n: '5', other: '1' }));
  turn.add('n', 1);
  turn.add('n', 0.5);
  turn.get('other');
  expect(turn.reads).toEqual({ keys: [{ key: 'other', version: 1 }], ranges: [] });
  expect(turn.get('n')).toEqual({ key: 'n', value: '6.5', version: 0 });
  turn.add('n', 2);
  expect(turn.get('n')?.value).toBe('8.5');
  expect(turn.reads.keys).toEqual([
    { key: 'other', version: 1 },
    { key: 'n', version: 1 },
  ]);
  expect(turn.effects).toEqual([1, 0.5, 2].map((amount) => ({ op: 'add', key: 'n', amount })));
});

test('a listing adds to what it sees, and depends on nothing beyond its page', () => {
  const turn = turnOn(new FakeReader({ a: '1', c: '3', z: '26' }));
  for (const key of ['a', 'b', 'z', 'zz']) turn.add(key, 10);
  expect(turn.list({ prefix: '' }, page(3)).map(({ key, value }) => key + value)).toEqual([
    'a11',
    'b10',
    'c3',
  ]);
  expect(turn.reads).toEqual({ keys: [], ranges: [{ prefix: '', until: 'c', count: 2, highest: 1 }] });
  turn.add('b', 1);
  expect(turn.get('b')?.value).toBe('11');
});

test('an addition before, after and between values and removals does what was written', () => {
  const turn = turnOn(new FakeReader({ n: '5' }));
  turn.add('n', 1);
  turn.set('n', '100');
  turn.add('n', 1);
  expect(turn.get('n')?.value).toBe('101');
  turn.delete('n');
  expect(turn.get('n')).toBeUndefined();
  turn.add('n', 7);
  expect(turn.get('n')?.value).toBe('7');
});

test('an addition to what is no number is refused where the turn knows it, and nothing of it is staged', () => {
  const turn = turnOn(new FakeReader({ text: '"x"', list: '[]', top: `${Number.MAX_SAFE_INTEGER}` }));
  const refused = (key: string) =>
    expect.objectContaining({ code: 'NEIRA_ADD_REFUSED', details: { key, reason: expect.any(String) } });
  turn.set('own', '"x"');
  expect(() => turn.add('own', 1)).toThrow(refused('own'));
  expect(turn.get('own')?.value).toBe('"x"');
  expect(turn.effects).toHaveLength(1);
  for (const key of ['text', 'list', 'top']) {
    turn.add(key, 1);
    expect(() => turn.get(key)).toThrow(refused(key));
    expect(() => turn.list({ prefix: key, reverse: true }, page(10))).toThrow(refused(key));
  }
  // Who was refused has seen why, and depends on it.
  expect(turn.reads.keys.map(({ key }) => key)).toEqual(['own', 'text', 'list', 'top']);
  expect(turn.reads.ranges[0]).toEqual({
    prefix: 'text',
    reverse: true,
    until: 'text',
    count: 1,
    highest: 1,
  });
});

test('additions to entries of a log count as they will at the commit', () => {
  const turn = turnOn(new FakeReader({ [logKey('log', 1)]: '1' }));
  turn.append('log', '20');
  turn.add(logKey('log', 2), 2);
  turn.add(logKey('log', 1), 1);
  turn.add(logKey('log', 4), 4);
  turn.append('log', '5');
  expect(turn.list({ prefix: 'log/' }, page(10)).map(({ value }) => value)).toEqual(['2', '22', '4', '5']);
  turn.add(logKey('log', 5), 50);
  expect(turn.get(logKey('log', 5))?.value).toBe('55');
});

test('log lines are kept within the budget in bytes, and those over it are counted', () => {
  const turn = turnOn(new FakeReader());
  turn.log('info', 'x'.repeat(20));
  turn.log('info', 'ж'.repeat(10));
  turn.log('warn', 'short');
  turn.end();
  expect(turn.logs.map(({ level, message }) => [level, message])).toEqual([
    ['info', 'x'.repeat(20)],
    ['warn', 'short'],
    ['warn', '1 log lines above limits.log_kb were dropped'],
  ]);
});
