import type { StatusView } from './api.ts';

/** The essence of a host that is none, for test-api.ts. For tests only. */
export function testStatus(changes: Partial<StatusView> = {}): StatusView {
  return {
    status: 'ok',
    mode: 'normal',
    version: '0.1.0',
    started_at: '2026-01-02T03:04:05.678Z',
    uptime_seconds: 93_784,
    plugins: { registered: 2, active: 1, enabled: 1, disabled: 0, quarantined: ['bad.one'] },
    gates: 3,
    open_gates: ['runtime_scripting'],
    events: { published: 7 },
    deliveries: { done: 5, retried: 2, dead: 1, failed: 0, refused: 0, expired: 0, shed: 0, waiting: 4 },
    turns: { count: 8, p50_ms: 1.25, p95_ms: 9 },
    commits: { count: 6, median_records: 1.5 },
    cell_kills: 1,
    memory: { resident_bytes: 150_000_000, heap_bytes: 30_000_000 },
    ...changes,
  };
}
