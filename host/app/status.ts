/** `GET /api/neira/status`: the essence of a host, put together when asked. */
import type { StatusView } from '../http/api.ts';
import type { Metrics } from '../metrics.ts';
import type { GateService } from '../registry/gate-service.ts';
import type { Registry } from '../registry/registry.ts';
import type { HostMode } from './mode.ts';

export interface StatusParts {
  readonly version: string;
  readonly registry: Registry;
  readonly gates: GateService;
  readonly mode: HostMode;
  readonly metrics: Metrics;
  waiting(): number;
  stopping(): boolean;
}

export async function statusView(parts: StatusParts): Promise<StatusView> {
  const plugins = parts.registry.list();
  const inState = (state: string) => plugins.filter(({ row }) => row.state === state);
  const gates = parts.gates.list();
  const { published, deliveries, turns, commits, cellKills } = await parts.metrics.summary();
  const uptimeSeconds = process.uptime();
  const { rss, heapUsed } = process.memoryUsage();
  return {
    status: parts.stopping() ? 'stopping' : 'ok',
    mode: parts.mode.current,
    version: parts.version,
    started_at: new Date(Date.now() - uptimeSeconds * 1000).toISOString(),
    uptime_seconds: Math.round(uptimeSeconds),
    plugins: {
      registered: plugins.length,
      active: plugins.filter((plugin) => parts.registry.whyInactive(plugin) === undefined).length,
      enabled: inState('enabled').length,
      disabled: inState('disabled').length,
      quarantined: inState('quarantined').map(({ row }) => row.id),
    },
    gates: gates.length,
    open_gates: gates.filter(({ stage }) => stage !== 'locked').map(({ declaration }) => declaration.id),
    events: { published },
    deliveries: { ...deliveries, waiting: parts.waiting() },
    turns: { count: turns.count, p50_ms: rounded(turns.p50Ms), p95_ms: rounded(turns.p95Ms) },
    commits: { count: commits.count, median_records: rounded(commits.medianRecords) },
    cell_kills: cellKills,
    memory: { resident_bytes: rss, heap_bytes: heapUsed },
  };
}

function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 100) / 100;
}
