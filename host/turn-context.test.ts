import { expect, test } from 'vitest';
import { logKey } from './store/kv.ts';
import { type PluginPolicy, type StateEntry, type StateReader, TurnContext } from './turn-context.ts';
import { TurnRandom } from './turn-random.ts';

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
};
const MAX_BYTES = 1024 * 1024;

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
  list(_plugin: string, prefix: string, after: string | undefined, limit: number) {
    const behind = (key: string) =>
      after === undefined || Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0;
    return this.entries.filter(({ key }) => key.startsWith(prefix) && behind(key)).slice(0, limit);
  }
  lastOf(_plugin: string, log: string, atMost = Number.MAX_SAFE_INTEGER) {
    const numbers = this.entries
      .filter(({ key }) => key.startsWith(`${log}/`))
      .map(({ key }) => Number(key.slice(-16)));
    return Math.max(0, ...numbers.filter((number) => number <= atMost));
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
  reading.list('', undefined, 10, MAX_BYTES);
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

test('a range that was read is kept as far as it was seen', () => {
  const turn = turnOn(new FakeReader({ a1: '1', a2: '2', a3: '3', b: '4' }));
  expect(keys(turn.list('a', undefined, 2, MAX_BYTES))).toEqual(['a1', 'a2']);
  expect(keys(turn.list('a', 'a1', 10, MAX_BYTES))).toEqual(['a2', 'a3']);
  expect(keys(turn.list('none', undefined, 10, MAX_BYTES))).toEqual([]);
  expect(turn.reads.ranges).toEqual([
    { prefix: 'a', until: 'a2', count: 2, highest: 1 },
    { prefix: 'a', after: 'a1', count: 2, highest: 1 },
    { prefix: 'none', count: 0, highest: 0 },
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
  for (const limit of [1, 2, 3, 7, 100]) {
    const seen: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = turn.list('k', after, limit, MAX_BYTES);
      seen.push(...keys(page));
      if (page.length < limit) break;
      after = page.at(-1)!.key;
    }
    expect(seen, `pages of ${limit}`).toEqual(all);
  }
});

test('a page is cut by its bytes, and holds at least one entry', () => {
  const turn = turnOn(new FakeReader({ a: 'x'.repeat(600), b: 'x'.repeat(600), c: 'x' }));
  expect(keys(turn.list('', undefined, 10, 1000))).toEqual(['a']);
  expect(keys(turn.list('', 'a', 10, 1000))).toEqual(['b', 'c']);
  expect(keys(turn.list('', undefined, 10, 10))).toEqual(['a']);
});

test('its own appends get the numbers that the commit will give, and the turn depends on nobody else appending', () => {
  const turn = turnOn(new FakeReader({ [logKey('log', 7)]: '7', other: '1' }));
  turn.append('log', '8');
  turn.append('log', '9');
  expect(keys(turn.list('log/', undefined, 10, MAX_BYTES))).toEqual([7, 8, 9].map((n) => logKey('log', n)));
  expect(turn.reads.ranges[0]).toEqual({ prefix: 'log/', after: logKey('log', 7), count: 0, highest: 0 });
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
  expect(turn.list('log/', undefined, 10, MAX_BYTES).map(({ value }) => value)).toEqual(['"a"', '"b"']);
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
  turn.list('b', undefined, 10, MAX_BYTES);
  expect(turn.reads.ranges).toEqual([{ prefix: 'b', count: 0, highest: 0 }]);
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
