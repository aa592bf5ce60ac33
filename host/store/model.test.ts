import { expect, test } from 'vitest';
import { TurnRandom } from '../context/turn-random.ts';
import { isNeiraError } from '../errors.ts';
import { type PluginPolicy, TurnContext } from '../turn-context.ts';
import { createKvReader } from './reader.ts';
import type { Effect, RangeRead, Reads, TurnRecord } from './records.ts';
import { note, openTemp, seededRandom, turn } from './test-store.ts';

const seed = Number(process.env['NEIRA_TEST_SEED'] ?? Date.now() % 1_000_000);
const TURNS_PER_ACTOR = 250;

type Op =
  | { readonly op: 'get' | 'delete'; readonly key: string }
  | { readonly op: 'set' | 'append'; readonly key: string; readonly value: string }
  | { readonly op: 'add'; readonly key: string; readonly amount: number }
  | {
      readonly op: 'list';
      readonly range: { readonly prefix: string; readonly after?: string; readonly reverse: boolean };
      readonly limit: number;
      readonly maxBytes: number;
    };

const REFUSED = 'refused';
/** What a read answered, or that an operation was refused. */
type Seen = string | undefined;

const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const numberOf = (log: string, key: string) =>
  key.startsWith(`${log}/`) && /^\d{16}$/.test(key.slice(log.length + 1)) ? Number(key.slice(-16)) : 0;

interface Entry {
  readonly version: number;
  /** JSON; undefined for what was added to something that is no number. */
  readonly value: string | undefined;
}

/** The keys of one plugin as they are when one turn runs after the other: every operation applies at once. */
class Model {
  entries = new Map<string, Entry>();
  version = 0;

  /** What is seen of the range, in its order. */
  range({ prefix, after, until, reverse }: Omit<RangeRead, 'count' | 'highest'>): [string, Entry][] {
    const sign = reverse ? -1 : 1;
    return [...this.entries]
      .filter(([key]) => key.startsWith(prefix))
      .filter(([key]) => after === undefined || byBytes(key, after) * sign > 0)
      .filter(([key]) => until === undefined || byBytes(key, until) * sign <= 0)
      .sort(([a], [b]) => byBytes(a, b) * sign);
  }

  holds({ keys, ranges }: Reads): boolean {
    return (
      keys.every(({ key, version }) => (this.entries.get(key)?.version ?? 0) === version) &&
      ranges.every((range) => {
        const found = this.range(range);
        const highest = Math.max(0, ...found.map(([, { version }]) => version));
        return found.length === range.count && highest === range.highest;
      })
    );
  }

  perform(op: Op): Seen {
    const put = (key: string, value: string | undefined) =>
      void this.entries.set(key, { value, version: this.version });
    switch (op.op) {
      case 'get': {
        const found = this.entries.get(op.key);
        return found ? (found.value ?? REFUSED) : undefined;
      }
      case 'set':
        put(op.key, op.value);
        return undefined;
      case 'delete':
        this.entries.delete(op.key);
        return undefined;
      case 'append': {
        const last = Math.max(0, ...[...this.entries.keys()].map((key) => numberOf(op.key, key)));
        put(`${op.key}/${String(last + 1).padStart(16, '0')}`, op.value);
        return undefined;
      }
      case 'add': {
        const found = this.entries.get(op.key);
        const before: unknown = found ? JSON.parse(found.value ?? 'null') : 0;
        put(op.key, typeof before === 'number' ? JSON.stringify(before + op.amount) : undefined);
        return undefined;
      }
      case 'list': {
        const page: [string, string][] = [];
        let bytes = 0;
        for (const [key, { value }] of this.range(op.range)) {
          if (page.length === op.limit) break;
          if (value === undefined) return REFUSED;
          bytes += Buffer.byteLength(key + value);
          if (page.length > 0 && bytes > op.maxBytes) break;
          page.push([key, value]);
        }
        return JSON.stringify(page);
      }
    }
  }
}

function performIn(context: TurnContext, op: Op): Seen {
  try {
    switch (op.op) {
      case 'get':
        return context.get(op.key)?.value;
      case 'list': {
        const { limit, maxBytes } = op;
        return JSON.stringify(
          context.list(op.range, { limit, maxBytes }).map(({ key, value }) => [key, value]),
        );
      }
      case 'add':
        return void context.add(op.key, op.amount);
      case 'set':
        return void context.set(op.key, op.value);
      case 'append':
        return void context.append(op.key, op.value);
      case 'delete':
        return void context.delete(op.key);
    }
  } catch (error) {
    if (isNeiraError(error) && error.code === 'NEIRA_ADD_REFUSED') return REFUSED;
    throw error;
  }
}

interface Planned {
  readonly record: TurnRecord;
  readonly steps: readonly (readonly [Op, Seen])[];
}

/**
 * Turns that read, think and write at the same time, with nothing but the writer's validation between them.
 * What was committed, and what each of them saw, must be what one turn after the other, in the order of their
 * acks, would have made and seen; and a turn is refused only when something changed of what it read.
 */
test(`concurrent turns commit as if one after the other (seed ${seed})`, async () => {
  const random = seededRandom(seed);
  const store = await openTemp();
  const plugins = ['one', 'two'];
  const models = new Map(plugins.map((plugin) => [plugin, new Model()]));
  const readers = [0, 1, 2, 3].map(() => createKvReader(store.databasePath));
  const keys = [
    ...Array.from({ length: 10 }, (_, n) => `${'ab'[n % 2]}/${n}`),
    'a/я',
    'a/😀',
    'a/\uffee',
    'a',
    'b0',
  ];
  const counts = { conflicts: 0, refusals: 0, committed: 0 };
  const lines: string[] = [];
  let notes = 0;

  const oneOf = <T>(choices: readonly T[]): T => choices[random(choices.length)]!;

  /** An entry of the log about where it ends, or what only looks like one. */
  function someLogKey(plugin: string): string {
    const numbers = [...models.get(plugin)!.entries.keys()].map((key) => numberOf('log', key));
    const number = Math.max(1, ...numbers) - 2 + random(5);
    return `log/${String(Math.max(0, number)).padStart(16, '0')}${oneOf(['', '', '', 'x'])}`;
  }

  function someOp(plugin: string): Op {
    const key = random(4) === 0 ? oneOf([someLogKey(plugin), 'log/x']) : oneOf(keys);
    const value = random(12) === 0 ? '"text"' : String(random(1000));
    switch (random(9)) {
      case 0:
        return { op: 'get', key };
      case 1:
      case 2: {
        const after = random(2) === 0 ? { after: oneOf([...keys, someLogKey(plugin)]) } : {};
        const range = { prefix: oneOf(['a/', 'b/', '', 'log/', 'a/1']), reverse: random(2) === 0, ...after };
        return { op: 'list', range, limit: 1 + random(6), maxBytes: oneOf([10, 40, 1_000_000]) };
      }
      case 3:
      case 4:
        return { op: 'set', key, value };
      case 5:
        return { op: 'delete', key };
      case 6:
        return { op: 'append', key: oneOf(['log', 'log', 'a']), value: String(random(1000)) };
      default:
        return { op: 'add', key, amount: oneOf([1, -3, 0.25, 1000]) };
    }
  }

  function plan(reader: (typeof readers)[number]): Planned {
    const plugin = oneOf(plugins);
    const policy = { plugin, limits: { publishes: 10, logBytes: 0 } } as unknown as PluginPolicy;
    const id = `t${++notes}`;
    const context = new TurnContext(policy, {} as never, reader, new TurnRandom(Buffer.alloc(32), id));
    const steps: [Op, Seen][] = [];
    for (let n = random(6); n >= 0; n--) {
      const op = someOp(plugin);
      steps.push([op, performIn(context, op)]);
    }
    if (random(4) === 0) context.record(note(id) as Extract<Effect, { op: 'record' }>);
    context.end();
    const fails = random(10) === 0;
    const error = { code: 'NEIRA_PLUGIN_FAILED', details: {}, message: 'x' } as const;
    const record = turn(fails ? [] : context.effects, {
      plugin,
      reads: context.reads,
      ...(fails && { outcome: { status: 'failed', error } }),
    });
    return { record, steps };
  }

  /** Runs the turn on the model and compares what it saw; answers whether all that it wrote can be kept. */
  function rerun(after: Model, { record, steps }: Planned): boolean {
    let doomed = false;
    for (const [op, seen] of steps) {
      const told = `${record.turnId} of ${record.plugin}: ${JSON.stringify(steps)}`;
      if (op.op === 'add' && seen === REFUSED) {
        // The turn knew the value, so nothing was staged.
        expect(JSON.parse(after.entries.get(op.key)?.value ?? 'null'), told).not.toBeTypeOf('number');
        continue;
      }
      expect(after.perform(op), `${JSON.stringify(op)} in ${told}`).toBe(seen);
      doomed ||= [...after.entries.values()].some(({ value }) => value === undefined);
    }
    return !doomed;
  }

  function applyToModel(planned: Planned, failed: boolean): void {
    const { record } = planned;
    const before = models.get(record.plugin)!;
    const after = new Model();
    after.entries = new Map(before.entries);
    const writes = record.effects.some(({ op }) => ['set', 'delete', 'append', 'add'].includes(op));
    after.version = before.version + (writes ? 1 : 0);
    const canBeKept = rerun(after, planned);
    expect(failed, record.turnId).toBe(record.outcome.status === 'failed' || !canBeKept);
    if (failed) {
      if (record.outcome.status === 'ok') counts.refusals++;
      return;
    }
    models.set(record.plugin, after);
    for (const effect of record.effects) if (effect.op === 'record') lines.push(effect.line);
  }

  async function actor(reader: (typeof readers)[number]): Promise<void> {
    for (let n = 0; n < TURNS_PER_ACTOR; n++) {
      const planned = plan(reader);
      // A model that goes on in the order of acks sees what the store saw.
      const ack = await store.submit(planned.record);
      const { turnId, plugin, reads } = planned.record;
      expect(ack.ok, `${turnId} read ${JSON.stringify(reads)}`).toBe(models.get(plugin)!.holds(reads));
      if (ack.ok) {
        applyToModel(planned, ack.outcome?.status === 'failed');
        counts.committed++;
      } else if (ack.conflict) counts.conflicts++;
      else expect.fail(JSON.stringify(ack));
    }
  }
  await Promise.all(readers.map(actor));
  // Alone, a turn finds everything as it read it.
  const { conflicts } = counts;
  await actor(readers[0]!);
  expect(counts.conflicts).toBe(conflicts);

  const last = readers[0]!;
  for (const plugin of plugins) {
    const found = [...last.scan(plugin, { prefix: '' })];
    const expected = models.get(plugin)!.range({ prefix: '' });
    expect(found.map((entry) => ({ ...entry }))).toEqual(
      expected.map(([key, entry]) => ({ key, pii: null, ...entry })),
    );
    const held = found.reduce(
      (sum, { key, value }) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
      0,
    );
    const records = store.search({ limit: 1000 }).filter((found) => found.plugin === plugin);
    const lineBytes = records.reduce((sum, { line }) => sum + Buffer.byteLength(line) + 1, 0);
    expect(store.usageBytes(plugin)).toBe(held + lineBytes);
  }
  expect([...store.exportLines({})]).toEqual(lines);
  for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(0);
  for (const reader of readers) reader[Symbol.dispose]();
});
