import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type SpawnedHost, spawnHost } from '../kit/boot-host.ts';
import { INSPECTED, inspectHeap } from '../kit/heap.ts';
import { drained, Publishers } from './bus-kit.ts';
import { LOAD_CLIENTS, LOAD_EVENT, loadState, prepareLoadHome } from './bus-load-kit.ts';

const LOAD_MS = Number(process.env['NEIRA_LOAD_MS'] ?? 30_000);
/** Each of them collects the heap first. */
const SAMPLE_MS = 2000;
/** Code is compiled. */
const WARM_UP = 0.2;
const MB = 1024 * 1024;
/** What main holds for the bus is bounded whatever waits. */
const MAX_HEAP_GROWTH_BYTES = 8 * MB;
/** The page caches of the writer, the reads and the cells (store/database.ts, reader.ts) fill with the file. */
const MAX_RESIDENT_GROWTH_BYTES = (64 + 16 + 3 * 8 + 64) * MB;

// BUS-37, BUS-38
test(
  `${LOAD_MS / 1000} s of publishers that are faster than their consumers: memory stays flat and nothing is lost`,
  async () => {
    const home = await prepareLoadHome();
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    const host = await spawnHost({
      home,
      env: { NEIRA_CELLS: '2', ...INSPECTED },
      settings: 'http: {rate_per_minute: 10000000}\n',
    });
    const publishers = new Publishers(LOAD_EVENT);
    const over = sleep(LOAD_MS, 'over');
    const sampled = memoryOf(host, over);
    await publishers.run(host, Promise.race([over, host.exited]), LOAD_CLIENTS);
    const samples = await sampled;
    await drained(host);
    const { body: metrics } = await host.call('GET', '/metrics');
    await host.close();

    expect(publishers.refusals, 'who is slow slows down its publishers').toBeGreaterThan(0);
    const { acknowledged } = publishers;
    const { published, slow, relay, last, newest, oldest, dead } = loadState(home);
    const made = new Set(published);
    expect(made.size).toBe(published.length);
    for (const n of acknowledged) expect(made).toContain(n);
    const all = published.toSorted((a, b) => a - b);
    for (const handled of [slow, relay, last]) expect(handled.toSorted((a, b) => a - b)).toEqual(all);
    expect(dead).toEqual([]);
    // What the others did not take is what they say.
    for (const [plugin, handled] of [
      ['load.newest', newest],
      ['load.oldest', oldest],
    ] as const) {
      expect(new Set(handled).size, plugin).toBe(handled.length);
      expect(handled.length + shedOf(metrics, plugin), plugin).toBe(published.length);
      expect(handled.length, plugin).toBeLessThan(published.length);
    }

    const heap = growth(samples.map(({ live_bytes }) => live_bytes));
    const resident = growth(samples.map(({ resident_bytes }) => resident_bytes));
    const told = `${acknowledged.size} events, ${publishers.refusals} refusals, heap ${heap.told}, resident ${resident.told}`;
    console.log(`bus load: ${told}`);
    expect(heap.bytes, told).toBeLessThan(MAX_HEAP_GROWTH_BYTES);
    expect(resident.bytes, told).toBeLessThan(MAX_RESIDENT_GROWTH_BYTES);
  },
  LOAD_MS + 3 * 60_000,
);

interface Memory {
  readonly resident_bytes: number;
  /** Of main, after a collection. */
  readonly live_bytes: number;
}

async function memoryOf(host: SpawnedHost, over: Promise<unknown>): Promise<Memory[]> {
  using heap = await inspectHeap(host);
  const samples: Memory[] = [];
  let going = true;
  void over.then(() => {
    going = false;
  });
  while (going) {
    const live_bytes = await heap.liveBytes();
    const { resident_bytes } = (await host.call('GET', '/api/neira/status')).body.memory;
    samples.push({ live_bytes, resident_bytes });
    await sleep(SAMPLE_MS);
  }
  return samples;
}

/** From the first third to the last. */
function growth(samples: readonly number[]) {
  const warm = samples.slice(Math.floor(samples.length * WARM_UP));
  const third = Math.floor(warm.length / 3);
  const [first, last] = [median(warm.slice(0, third)), median(warm.slice(-third))];
  return { bytes: last - first, told: `${Math.round(first / MB)} → ${Math.round(last / MB)} MB` };
}

function shedOf(metrics: string, plugin: string): number {
  const line = metrics.split('\n').find((each) => /shed/.test(each) && each.includes(`plugin="${plugin}"`));
  return Number(line?.split(' ').at(-1) ?? 0);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
