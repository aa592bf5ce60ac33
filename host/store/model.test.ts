import { expect, test } from 'vitest';
import { createKvReader } from './reader.ts';
import type { Effect, KeyRead, RangeRead, TurnRecord } from './records.ts';
import { append, note, openTemp, remove, seededRandom, set, turn } from './test-store.ts';

const seed = Number(process.env['NEIRA_TEST_SEED'] ?? Date.now() % 1_000_000);

/**
 * Turns that read, think and write at the same time, with nothing but the writer's validation between them.
 * What was committed must be what one turn after the other, in the order of their acks, would have made.
 */
test(`concurrent turns commit as if one after the other (seed ${seed})`, async () => {
  const random = seededRandom(seed);
  const store = await openTemp();
  const plugins = ['one', 'two'];
  const model = new Map(plugins.map((plugin) => [plugin, new Map<string, string>()]));
  const readers = [0, 1, 2, 3].map(() => createKvReader(store.databasePath));
  const keys = Array.from({ length: 12 }, (_, n) => `${'ab'[n % 2]}/${n}`);
  let notes = 0;
  let conflicts = 0;

  interface Planned {
    readonly record: TurnRecord;
    readonly sawKeys: readonly (readonly [string, string | undefined])[];
    readonly sawRanges: readonly (readonly [string, string])[];
  }

  function plan(reader: (typeof readers)[number]): Planned {
    const plugin = plugins[random(2)]!;
    reader.begin();
    const reads: KeyRead[] = [];
    const ranges: RangeRead[] = [];
    const sawKeys: [string, string | undefined][] = [];
    const sawRanges: [string, string][] = [];
    for (let n = random(3); n > 0; n--) {
      const key = keys[random(keys.length)]!;
      const found = reader.get(plugin, key);
      reads.push({ key, version: found?.version ?? 0 });
      sawKeys.push([key, found?.value]);
    }
    if (random(3) === 0) {
      const prefix = ['a/', 'b/', ''][random(3)]!;
      const found = reader.list(plugin, prefix, undefined, 1000);
      ranges.push({
        prefix,
        count: found.length,
        highest: found.reduce((top, e) => Math.max(top, e.version), 0),
      });
      sawRanges.push([prefix, JSON.stringify(found.map(({ key, value }) => [key, value]))]);
    }
    reader.end();
    const effects: Effect[] = [];
    for (let n = random(4); n > 0; n--) {
      const key = keys[random(keys.length)]!;
      const kind = random(6);
      if (kind < 3) effects.push(set(key, random(1000)));
      else if (kind === 3) effects.push(remove(key));
      else if (kind === 4) effects.push(append('log', random(1000)));
      else effects.push(note(`n${++notes}`));
    }
    const fails = random(10) === 0;
    const error = { code: 'NEIRA_PLUGIN_FAILED', details: {}, message: 'x' } as const;
    const record = turn(effects, {
      plugin,
      reads: { keys: reads, ranges },
      ...(fails && { outcome: { status: 'failed', error } }),
    });
    return { record, sawKeys, sawRanges };
  }

  const sorted = (state: Map<string, string>, prefix: string) =>
    JSON.stringify([...state].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1)));

  const lines: string[] = [];
  function applyToModel({ record, sawKeys, sawRanges }: Planned): void {
    const state = model.get(record.plugin)!;
    for (const [key, value] of sawKeys) expect(state.get(key), `${record.turnId} read ${key}`).toBe(value);
    for (const [prefix, seen] of sawRanges)
      expect(sorted(state, prefix), `${record.turnId} listed ${prefix}`).toBe(seen);
    if (record.outcome.status === 'failed') return;
    for (const effect of record.effects) {
      if (effect.op === 'set') state.set(effect.key, effect.value);
      else if (effect.op === 'delete') state.delete(effect.key);
      else if (effect.op === 'append') {
        const number = [...state.keys()].filter((key) => key.startsWith(`${effect.key}/`)).length + 1;
        state.set(`${effect.key}/${String(number).padStart(16, '0')}`, effect.value);
      } else if (effect.op === 'record') lines.push(effect.line);
    }
  }

  async function actor(reader: (typeof readers)[number]): Promise<void> {
    for (let n = 0; n < 250; n++) {
      const planned = plan(reader);
      // A model that goes on in the order of acks sees what the store saw.
      const ack = await store.submit(planned.record);
      if (ack.ok) applyToModel(planned);
      else if (ack.conflict) conflicts++;
      else expect.fail(JSON.stringify(ack));
    }
  }
  await Promise.all(readers.map(actor));

  const last = readers[0]!;
  for (const plugin of plugins) {
    const found = last.list(plugin, '', undefined, 100_000);
    expect(JSON.stringify(found.map(({ key, value }) => [key, value]))).toBe(sorted(model.get(plugin)!, ''));
    const held = found.reduce(
      (sum, { key, value }) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
      0,
    );
    const records = store.search({ limit: 1000 }).filter((found) => found.plugin === plugin);
    const lineBytes = records.reduce((sum, { line }) => sum + Buffer.byteLength(line) + 1, 0);
    expect(store.usageBytes(plugin)).toBe(held + lineBytes);
  }
  expect([...store.exportLines({})]).toEqual(lines);
  expect(conflicts).toBeGreaterThan(0);
  for (const reader of readers) reader[Symbol.dispose]();
});
