/**
 * What a host counts and measures, as Prometheus text (OBS-06, BUS-18). One table declares every instrument.
 *
 * Labels are plugins, events of the registry, routes and words of this file: of few values, never what a user
 * sent. A label that grows all the same ends in `other`. Turns and deliveries are counted through children
 * that are looked up once, because this is paid for every turn.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type BucketCount, quantile } from './base/quantile.ts';

export type DeliveryOutcome =
  | 'done'
  /** It failed and comes again. */
  | 'retried'
  /** It failed for the last time and lies in the dead letters. */
  | 'dead'
  /** It is tried once and failed, as a UI event: who sent it was told. */
  | 'failed'
  /** Gate, mode or quarantine did not let it run. */
  | 'refused'
  /** Its deadline or age passed while it waited. */
  | 'expired'
  /** Too many waited. */
  | 'shed';

export type PublishRefusal = 'unknown' | 'forbidden' | 'invalid' | 'too-large' | 'cycle' | 'busy';
export type TurnEnd = 'ok' | 'failed' | 'dry-run' | 'replayed';
export type CellKill = 'watchdog' | 'memory' | 'crash';

/** What waits for one subscription, told at a scrape. */
export interface MailboxView {
  readonly plugin: string;
  readonly subscription: string;
  readonly depth: number;
  /** Epoch ms; undefined for an empty mailbox. */
  readonly oldestAtMs: number | undefined;
}

/** The essence, for `neira status`; counted since boot. */
export interface MetricsSummary {
  readonly published: number;
  readonly deliveries: Readonly<Record<DeliveryOutcome, number>>;
  readonly turns: { readonly count: number; readonly p50Ms: number | null; readonly p95Ms: number | null };
  readonly commits: { readonly count: number; readonly medianRecords: number | null };
  readonly cellKills: number;
}

/** Values that one label may have; those that come later are counted together. */
export const MAX_LABEL_VALUES = 1000;
const OTHER = 'other';
const OUTCOMES: readonly DeliveryOutcome[] = [
  'done',
  'retried',
  'dead',
  'failed',
  'refused',
  'expired',
  'shed',
];

const TURN_SECONDS = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
const WAIT_SECONDS = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600];
const COMMIT_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];
const COMMIT_RECORDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
const HTTP_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

function instruments(registry: Registry) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter<L>({ name, help, labelNames, registers });
  const histogram = <L extends string>(
    name: string,
    help: string,
    buckets: readonly number[],
    labelNames: readonly L[] = [],
  ) => new Histogram<L>({ name, help, buckets: [...buckets], labelNames, registers });
  return {
    published: counter('neira_events_published_total', 'Events accepted on the bus.', ['event']),
    publishRefused: counter('neira_publish_refused_total', 'Events refused at publishing, and why.', [
      'reason',
    ]),
    deliveries: counter('neira_deliveries_total', 'Tries of deliveries by how they ended.', [
      'plugin',
      'outcome',
    ]),
    turn: histogram('neira_turn_seconds', 'From entering a cell to the commit.', TURN_SECONDS, [
      'plugin',
      'outcome',
    ]),
    turnWait: histogram('neira_turn_wait_seconds', 'From arrival to entering a cell.', WAIT_SECONDS, [
      'plugin',
    ]),
    turnRun: counter('neira_turn_run_seconds_total', 'Time spent inside handle().', ['plugin']),
    turnFuel: counter('neira_turn_fuel_total', 'Fuel used inside handle().', ['plugin']),
    conflicts: counter('neira_turn_conflicts_total', 'Turns run again, since what they read had changed.', [
      'plugin',
    ]),
    cellKills: counter('neira_cell_kills_total', 'Serving cells that were ended, and why.', ['reason']),
    commitRecords: histogram('neira_commit_batch_records', 'Records committed together.', COMMIT_RECORDS),
    commit: histogram('neira_commit_seconds', 'One group commit, fsync and lines of files.', COMMIT_SECONDS),
    ioRequests: counter('neira_io_requests_total', 'HTTP requests of plugins by what came of them.', [
      'plugin',
      'outcome',
    ]),
    requests: counter('neira_http_requests_total', 'HTTP calls answered.', ['method', 'route', 'status']),
    request: histogram(
      'neira_http_request_seconds',
      'From the headers of a call to its answer.',
      HTTP_SECONDS,
      ['method', 'route'],
    ),
  };
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #all = instruments(this.#registry);
  readonly #labels = new Map<string, Set<string>>();
  readonly #published = children((event) => this.#all.published.labels(this.#bounded('event', event)));
  readonly #deliveries = children((plugin, outcome) =>
    this.#all.deliveries.labels(this.#bounded('plugin', plugin), outcome),
  );
  readonly #turns = children((plugin, outcome) =>
    this.#all.turn.labels(this.#bounded('plugin', plugin), outcome),
  );
  readonly #plugins = children((plugin) => {
    const label = this.#bounded('plugin', plugin);
    return {
      wait: this.#all.turnWait.labels(label),
      run: this.#all.turnRun.labels(label),
      fuel: this.#all.turnFuel.labels(label),
    };
  });
  readonly #requests = children((route, method, status) => ({
    count: this.#all.requests.labels(method, route, status),
    seconds: this.#all.request.labels(method, route),
  }));
  #mailboxes: () => Iterable<MailboxView> = () => [];

  constructor() {
    this.#gauges();
    describeProcess(this.#registry);
  }

  /** Of the text that {@link text} gives. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  // --- the bus

  eventPublished(event: string, count = 1): void {
    this.#published(event).inc(count);
  }

  publishRefused(reason: PublishRefusal): void {
    this.#all.publishRefused.inc({ reason });
  }

  delivered(plugin: string, outcome: DeliveryOutcome, count = 1): void {
    this.#deliveries(plugin, outcome).inc(count);
  }

  /** `source` is asked at every scrape and must be cheap. */
  watchMailboxes(source: () => Iterable<MailboxView>): void {
    this.#mailboxes = source;
  }

  // --- turns, cells, commits

  turnEnded(plugin: string, end: TurnEnd, tookMs: number, waitMs: number): void {
    this.#turns(plugin, end).observe(tookMs / 1000);
    this.#plugins(plugin).wait.observe(waitMs / 1000);
  }

  turnRan(plugin: string, runMs: number, fuel: number): void {
    const { run, fuel: used } = this.#plugins(plugin);
    run.inc(runMs / 1000);
    used.inc(fuel);
  }

  conflict(plugin: string): void {
    this.#all.conflicts.inc({ plugin: this.#bounded('plugin', plugin) });
  }

  cellKilled(reason: CellKill): void {
    this.#all.cellKills.inc({ reason });
  }

  committed(records: number, micros: number): void {
    this.#all.commitRecords.observe(records);
    this.#all.commit.observe(micros / 1e6);
  }

  // --- HTTP

  /** `outcome` is one of the words of http-sending.ts. */
  requestMade(plugin: string, outcome: string): void {
    this.#all.ioRequests.inc({ plugin: this.#bounded('plugin', plugin), outcome });
  }

  /** `route` is the pattern of the call, as `/api/neira/plugins/:id`, never its address. */
  requestEnded(method: string, route: string, status: number, tookMs: number): void {
    const { count, seconds } = this.#requests(route, method, String(status));
    count.inc();
    seconds.observe(tookMs / 1000);
  }

  async summary(): Promise<MetricsSummary> {
    const { published, deliveries, turn, commitRecords, cellKills } = this.#all;
    const byOutcome = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Record<
      DeliveryOutcome,
      number
    >;
    for (const { labels, value } of (await deliveries.get()).values)
      byOutcome[labels.outcome as DeliveryOutcome] += value;
    const turns = bucketsOf(await turn.get());
    const commits = bucketsOf(await commitRecords.get());
    const p50 = quantile(turns, 0.5);
    const p95 = quantile(turns, 0.95);
    return {
      published: sumOf(await published.get()),
      deliveries: byOutcome,
      turns: {
        count: countOf(turns),
        p50Ms: p50 === null ? null : p50 * 1000,
        p95Ms: p95 === null ? null : p95 * 1000,
      },
      commits: { count: countOf(commits), medianRecords: wholeOf(quantile(commits, 0.5)) },
      cellKills: sumOf(await cellKills.get()),
    };
  }

  #bounded(label: string, value: string): string {
    const known = this.#labels.get(label) ?? new Set();
    this.#labels.set(label, known);
    if (known.has(value)) return value;
    if (known.size >= MAX_LABEL_VALUES) return OTHER;
    known.add(value);
    return value;
  }

  #gauges(): void {
    const registers = [this.#registry];
    const labelNames = ['plugin', 'subscription'] as const;
    const depth: Gauge<(typeof labelNames)[number]> = new Gauge({
      name: 'neira_mailbox_depth',
      help: 'Deliveries that wait for a subscription.',
      labelNames,
      registers,
      collect: () => {
        // What was unsubscribed must not stay with its last value.
        depth.reset();
        oldest.reset();
        let shown = 0;
        for (const { plugin, subscription, depth: waiting, oldestAtMs } of this.#mailboxes()) {
          if (shown++ >= MAX_LABEL_VALUES) break;
          const ageMs = oldestAtMs === undefined ? 0 : Math.max(0, Date.now() - oldestAtMs);
          depth.set({ plugin, subscription }, waiting);
          oldest.set({ plugin, subscription }, ageMs / 1000);
        }
      },
    });
    // After the depth, which sets both: they are read in this order.
    const oldest = new Gauge({
      name: 'neira_mailbox_oldest_seconds',
      help: 'How long the oldest delivery of a subscription has waited.',
      labelNames,
      registers,
    });
  }
}

/** The process under the names that dashboards expect; asked at a scrape, no timers. */
function describeProcess(registry: Registry): void {
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  const startedAtSeconds = Date.now() / 1000 - process.uptime();
  gauge('process_start_time_seconds', 'When the process began, Unix time.', () => startedAtSeconds);
  gauge('process_resident_memory_bytes', 'Memory of the whole process.', () => process.memoryUsage.rss());
  gauge('nodejs_heap_size_used_bytes', 'Heap of the main thread.', () => process.memoryUsage().heapUsed);
  let loop = performance.eventLoopUtilization();
  gauge(
    'nodejs_eventloop_utilization',
    'Share of time the main thread was busy since the last scrape.',
    () => {
      const before = loop;
      loop = performance.eventLoopUtilization();
      return performance.eventLoopUtilization(loop, before).utilization;
    },
  );
  const cpu = new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Processor time of all threads.',
    registers: [registry],
    collect() {
      const { user, system } = process.cpuUsage();
      cpu.reset();
      cpu.inc((user + system) / 1e6);
    },
  });
}

/** A child per labels, made once. Maps in maps: no key is built for a look-up. */
function children<C>(make: (...labels: [string, string, string]) => C) {
  const known = new Map<string, Map<string, Map<string, C>>>();
  return (first: string, second = '', third = ''): C => {
    const found = known.get(first)?.get(second)?.get(third);
    if (found !== undefined) return found;
    const child = make(first, second, third);
    if (known.size < MAX_LABEL_VALUES || known.has(first)) {
      const seconds = known.get(first) ?? new Map<string, Map<string, C>>();
      const thirds = seconds.get(second) ?? new Map<string, C>();
      known.set(first, seconds.set(second, thirds.set(third, child)));
    }
    return child;
  };
}

interface Collected {
  readonly values: readonly {
    readonly value: number;
    readonly labels: Readonly<Partial<Record<string, string | number>>>;
    readonly metricName?: string;
  }[];
}

function sumOf({ values }: Collected): number {
  return values.reduce((sum, { value }) => sum + value, 0);
}

/** The buckets of a histogram over all its labels. */
function bucketsOf({ values }: Collected): BucketCount[] {
  const counts = new Map<number, number>();
  for (const { labels, metricName, value } of values) {
    if (!metricName?.endsWith('_bucket')) continue;
    const upTo = Number(String(labels['le']).replace('+Inf', 'Infinity'));
    counts.set(upTo, (counts.get(upTo) ?? 0) + value);
  }
  return [...counts].map(([upTo, count]) => ({ upTo, count })).sort((a, b) => a.upTo - b.upTo);
}

function countOf(buckets: readonly BucketCount[]): number {
  return buckets.at(-1)?.count ?? 0;
}

/** An estimate between two buckets, of what comes in whole numbers. */
function wholeOf(estimate: number | null): number | null {
  return estimate === null ? null : Math.max(1, Math.round(estimate));
}
