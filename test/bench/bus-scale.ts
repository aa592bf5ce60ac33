/** How the cost of a job grows with what else is there: plugins, subscriptions, filters, a backlog. */
import { type BusHost, jobOf, openBusHost } from './bus-host.ts';
import { cpuMicros, drive, newJob } from './bus-work.ts';
import { atMost, mb, median, type Row, type Section, times, us } from './kit.ts';

const IN_FLIGHT = 64;
const WARM_UP_MS = 2000;
const POINT_MS = 500;
const REPEATS = 3;
const PLUGINS = [1, 10, 100, 1000];
const SUBSCRIPTIONS = [1, 10, 100, 1000, 10_000];
/** Subscriptions that one turn makes. */
const CHUNK = 1000;
const BACKLOG = 100_000;
const BACKLOG_IN_FLIGHT = 512;
const BACKLOG_LIMIT_MS = 25_000;
const DRAIN_MS = 3000;

/** CPU of a job, all threads. */
async function costOf(host: BusHost, next: () => string): Promise<number> {
  const driver = {
    send: (job: unknown) => host.send(next(), job),
    cpuMicros: async () => cpuMicros(),
  };
  const found: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++)
    found.push((await drive(driver, IN_FLIGHT, POINT_MS)).cpuMicros);
  return median(found);
}

async function warmUp(host: BusHost, plugin: string): Promise<void> {
  const driver = {
    send: (job: unknown) => host.send(jobOf(plugin), job),
    cpuMicros: async () => cpuMicros(),
  };
  await drive(driver, IN_FLIGHT, WARM_UP_MS);
}

async function byPlugins(): Promise<readonly Row[]> {
  await using host = await openBusHost();
  const plugins: string[] = [];
  const rows: Row[] = [];
  const one: number[] = [];
  const spread: number[] = [];
  for (const count of PLUGINS) {
    const more = Array.from({ length: count - plugins.length }, (_, n) => `bench.p${plugins.length + n}`);
    await host.register(more);
    plugins.push(...more);
    if (count === 1) await warmUp(host, plugins[0]!);
    let turn = 0;
    one.push(await costOf(host, () => jobOf(plugins[0]!)));
    spread.push(await costOf(host, () => jobOf(plugins[turn++ % count]!)));
    rows.push({
      what: `${count} plugins: CPU a job, all to one, and to each in turn`,
      figure: `${us(one.at(-1)!)}, ${us(spread.at(-1)!)}`,
    });
  }
  const most = PLUGINS.at(-1)!;
  return [
    ...rows,
    atMost(`job to one of ${most} plugins : of 1`, one.at(-1)! / one[0]!, 2, times),
    atMost(`job to each of ${most} in turn : to 1`, spread.at(-1)! / spread[0]!, 2, times),
  ];
}

/** Adds subscriptions `from`…`to` to a plugin, as its turns would. */
async function subscribe(
  host: BusHost,
  plugin: string,
  from: number,
  to: number,
  draft: (n: number) => { readonly pattern: string; readonly filter?: string },
): Promise<void> {
  for (let first = from; first < to; first += CHUNK) {
    const numbers = Array.from({ length: Math.min(CHUNK, to - first) }, (_, n) => first + n);
    await host.commit(
      plugin,
      numbers.map((n) => ({
        op: 'subscribe',
        subscription: { name: `s${n}`, version: null, ...draft(n) },
      })),
    );
  }
}

/** The first subscription is that of the manifest, which the jobs come by. */
async function bySubscriptions(): Promise<readonly Row[]> {
  await using host = await openBusHost();
  const [subjects, filters] = ['bench.subjects', 'bench.filters'] as const;
  await host.register([subjects, filters], {
    permissions: { storage: ['read', 'write'], bus: { subscribe: ['bench.>'] } },
  });
  await warmUp(host, subjects);
  const rows: Row[] = [];
  const distinct: number[] = [];
  const filtered: number[] = [];
  let made = 1;
  for (const count of SUBSCRIPTIONS) {
    await subscribe(host, subjects, made, count, (n) => ({ pattern: `bench.other.s${n}` }));
    await subscribe(host, filters, made, count, (n) => ({
      pattern: jobOf(filters),
      filter: `event.payload.n == -${n}`,
    }));
    made = count;
    distinct.push(await costOf(host, () => jobOf(subjects)));
    filtered.push(await costOf(host, () => jobOf(filters)));
    rows.push({
      what: `${count} subscriptions: CPU a job, to other subjects, and to its own with filters`,
      figure: `${us(distinct.at(-1)!)}, ${us(filtered.at(-1)!)}`,
    });
  }
  const most = SUBSCRIPTIONS.at(-1)!;
  const perFilter = SUBSCRIPTIONS.map((count, index) => (filtered[index]! - filtered[0]!) / count);
  return [
    ...rows,
    atMost(`job beside ${most} subjects : beside 1`, distinct.at(-1)! / distinct[0]!, 2, times),
    { what: `a filter that does not match, of ${most}`, figure: us(perFilter.at(-1)!) },
    atMost(`the same : of ${most / 10}`, perFilter.at(-1)! / perFilter.at(-2)!, 2, times),
  ];
}

/** What waits for a plugin that does not run must cost rows, not memory. */
async function backlog(): Promise<readonly Row[]> {
  await using host = await openBusHost();
  const plugin = 'bench.stopped';
  await host.register([plugin], { mailbox: { max: 2 * BACKLOG } });
  await warmUp(host, plugin);
  host.pause(plugin, true);
  const before = process.memoryUsage.rss();
  const began = performance.now();
  let sent = 0;
  let halfway = before;
  const publisher = async () => {
    while (sent < BACKLOG && performance.now() - began < BACKLOG_LIMIT_MS) {
      if (++sent === BACKLOG / 2) halfway = process.memoryUsage.rss();
      await host.publish(jobOf(plugin), newJob(0));
    }
  };
  await Promise.all(Array.from({ length: BACKLOG_IN_FLIGHT }, publisher));
  const tookMs = performance.now() - began;
  const after = process.memoryUsage.rss();
  const waiting = host.store.mailboxDepth(plugin);
  host.pause(plugin, false);
  let highest = after;
  const drained = performance.now();
  while (performance.now() - drained < DRAIN_MS) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    highest = Math.max(highest, process.memoryUsage.rss());
  }
  const done = waiting - host.store.mailboxDepth(plugin);
  return [
    {
      what: `${waiting} events for a plugin that does not run: events a second`,
      figure: perSecond(sent, tookMs),
    },
    { what: 'resident memory before', figure: mb(before) },
    { what: `grown by, with ${BACKLOG / 2} waiting`, figure: mb(halfway - before) },
    { what: `grown by, with ${waiting} waiting`, figure: mb(after - before) },
    { what: 'grown by at most, while it works them off', figure: mb(highest - before) },
    { what: 'jobs a second from the backlog', figure: perSecond(done, performance.now() - drained) },
  ];
}

const perSecond = (count: number, tookMs: number) => String(Math.round((count * 1000) / tookMs));

export async function run(): Promise<Section> {
  // The backlog first: what the process has of memory by then is that of one host.
  const waiting = await backlog();
  const rows = [...(await byPlugins()), ...(await bySubscriptions()), ...waiting];
  return {
    name: 'bus, growing (in-process, durability power)',
    rows,
    notes: [
      `${IN_FLIGHT} in flight; each figure is the median of ${REPEATS} times ${POINT_MS / 1000} s; all plugins run the same code, from one image`,
      'growth is linear where a job costs the same whatever else is there; a filter is looked at for each event of its subject',
      'memory holds up to 80 MB that SQLite keeps of its file; a backlog is bounded by the mailbox of the plugin',
    ],
  };
}
