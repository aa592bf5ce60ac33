/**
 * A job of the bus: an event of 300 bytes → one plugin that writes a key and publishes an event, all durable. Beside
 * it the same job on BullMQ, and its rows by a bare writer thread; all are up and take turns.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openBaseline } from './baseline-jobs.ts';
import { openBullmq } from './bullmq.ts';
import { type BusHost, jobOf, openBusHost } from './bus-host.ts';
import { cpuMicros, type Driven, drive, JOB_BYTES, type JobDriver, newJob } from './bus-work.ts';
import { atLeast, atMost, median, ms, type Row, ratio, type Section, times, us } from './kit.ts';
import { type RedisServer, startRedis } from './redis.ts';

const IN_FLIGHT = 64;
/** Its worker starves when no job waits beside the 64 that it works on. */
const BULLMQ_IN_FLIGHT = 256;
const WARM_UP_MS = 2000;
const ROUNDS = 7;
const ROUND_MS = 800;
const SINGLE_ROUNDS = 5;
const SINGLE_MS = 700;
const PAGE_BYTES = 4096;
const DISK_PAGES = 1000;

const FREE = 'bench.free';
const KEYED = 'bench.keyed';

interface Side {
  readonly name: string;
  readonly driver: JobDriver;
  readonly inFlight: number;
  readonly rounds: Driven[];
}

export async function run(): Promise<Section> {
  await using redis = await startRedis();
  await using host = await openBusHost();
  await host.register([FREE]);
  await host.register([KEYED], { subscribes: [{ event: `${jobOf(KEYED)}@1`, key: '$.payload.key' }] });
  await using baseline = await openBaseline();
  await using bullmq = redis && (await openBullmq(redis, IN_FLIGHT));
  const side = (name: string, driver: JobDriver, inFlight = IN_FLIGHT): Side => {
    return { name, driver, inFlight, rounds: [] };
  };
  const free = side('neira', driverOf(host, FREE));
  const keyed = side('neira, by key', driverOf(host, KEYED));
  const rows = side('bare writer thread, the same rows', baseline);
  const peers = bullmq && ([side('BullMQ', bullmq, BULLMQ_IN_FLIGHT), side('BullMQ', bullmq)] as const);
  const sides = [free, keyed, rows, ...(peers ?? [])];
  await takeTurns(sides, WARM_UP_MS, 1);
  for (const { rounds } of sides) rounds.length = 0;
  await takeTurns(sides, ROUND_MS, ROUNDS);
  const singles = await oneInFlight([free, keyed, ...(peers?.slice(0, 1) ?? [])]);
  return {
    name: 'bus (in-process, durability power)',
    rows: [...sides.map(shown), ...against(free, rows, peers), ...singles],
    notes: notesOf(redis),
  };
}

function driverOf(host: BusHost, plugin: string): JobDriver {
  return { send: (job) => host.send(jobOf(plugin), job), cpuMicros: async () => cpuMicros() };
}

async function takeTurns(sides: readonly Side[], forMs: number, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const { driver, inFlight, rounds } of sides) rounds.push(await drive(driver, inFlight, forMs));
  }
}

const perSecond = ({ rounds }: Side) => rounds.map((round) => round.perSecond);

function shown(side: Side): Row {
  const cpu = median(side.rounds.map((round) => round.cpuMicros));
  return {
    what: `${side.name}, ${side.inFlight} in flight`,
    figure: `${Math.round(median(perSecond(side)))} jobs/s, CPU a job ${us(cpu)}`,
  };
}

function against(
  neira: Side,
  rows: Side,
  bullmq: readonly [best: Side, even: Side] | undefined,
): readonly Row[] {
  const overRows = ratio(perSecond(neira), perSecond(rows));
  const toRows = atLeast('neira : bare writer thread, jobs a second', overRows, 0.25, times);
  if (!bullmq)
    return [toRows, { what: 'neira : BullMQ, jobs a second', figure: 'not measured', target: '≥ 2.00×' }];
  const over = (side: Side) => ratio(perSecond(neira), perSecond(side));
  const [best, even] = bullmq;
  return [
    toRows,
    // The target is held against its best case, which has four times as many in flight.
    atLeast('neira : BullMQ at its best, jobs a second (goal 5×)', over(best), 2, times),
    { what: `neira : BullMQ, both with ${IN_FLIGHT} in flight`, figure: times(over(even)) },
  ];
}

interface Single {
  readonly fsyncMs: number;
  /** Until the event was durable, and from there until its effects were. */
  readonly ackMs: number;
  readonly effectMs: number;
}

/** Before each job the disk is asked once, since its speed changes from one moment to the next. */
async function oneInFlight(sides: readonly Side[]): Promise<readonly Row[]> {
  using disk = openDisk();
  const found = sides.map((): Single[] => []);
  for (let round = 0; round < SINGLE_ROUNDS; round++) {
    for (const [index, { driver }] of sides.entries()) {
      const began = performance.now();
      while (performance.now() - began < SINGLE_MS)
        found[index]!.push({ fsyncMs: disk.syncMs(), ...(await one(driver)) });
    }
  }
  const p50 = (singles: readonly Single[], of: (single: Single) => number) => median(singles.map(of));
  const above = (singles: readonly Single[]) => p50(singles, ({ effectMs, fsyncMs }) => effectMs - fsyncMs);
  const [free = [], keyed = []] = found;
  return [
    { what: 'one fdatasync, p50', figure: ms(p50(found.flat(), ({ fsyncMs }) => fsyncMs)) },
    ...sides.map(({ name }, index): Row => {
      const ack = ms(p50(found[index]!, ({ ackMs }) => ackMs));
      const effect = ms(p50(found[index]!, ({ effectMs }) => effectMs));
      return {
        what: `${name}, one in flight: event durable, then its effects, p50`,
        figure: `${ack} + ${effect}`,
      };
    }),
    atMost('event → effects above one fdatasync, p50', above(free), 1, ms),
    atMost('the same, by key', above(keyed), 1, ms),
  ];
}

async function one(driver: JobDriver): Promise<Omit<Single, 'fsyncMs'>> {
  const sent = performance.now();
  const { done } = await driver.send(newJob(0));
  const durable = performance.now();
  await done;
  return { ackMs: durable - sent, effectMs: performance.now() - durable };
}

/** A file beside the databases that is written over in place, as a log is: growing it would cost more. */
function openDisk() {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-bench-'));
  const file = openSync(path.join(home, 'fsync'), 'w');
  const page = Buffer.alloc(PAGE_BYTES, 1);
  for (let index = 0; index < DISK_PAGES; index++) writeSync(file, page);
  fdatasyncSync(file);
  let next = 0;
  return {
    syncMs(): number {
      const began = performance.now();
      writeSync(file, page, 0, PAGE_BYTES, (next++ % DISK_PAGES) * PAGE_BYTES);
      fdatasyncSync(file);
      return performance.now() - began;
    },
    [Symbol.dispose]() {
      closeSync(file);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function notesOf(redis: RedisServer | undefined): readonly string[] {
  const peer = redis
    ? `BullMQ on redis-server ${redis.version} with appendonly yes, appendfsync always, on the same disk; its worker has concurrency ${IN_FLIGHT}, and ${BULLMQ_IN_FLIGHT} in flight are its best case; its CPU is that of this process and of Redis`
    : 'redis-server is not installed, so BullMQ was not measured: apt-get install redis-server';
  return [
    `${ROUNDS} rounds of ${ROUND_MS / 1000} s, taking turns, medians, ratios by round; a job is an event of ${JOB_BYTES} B, one key written and one event published; it counts when its effects are durable`,
    'the bare writer thread commits the event with its delivery, and then what the turn did, in the tables of the host under group commit',
    peer,
  ];
}
