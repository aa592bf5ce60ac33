/** How plugins, gates and records look to clients (contract, HTTP). */

import { pendingConsent } from '../base/permissions.ts';
import type {
  ErrorView,
  GateDetail,
  GateSignal,
  JournalEntryView,
  PluginDetail,
  PluginSummary,
  PrincipalView,
} from '../http/api.ts';
import type { GateService, GateState } from '../registry/gate-service.ts';
import type { LivePlugin, PluginError } from '../registry/live-plugin.ts';
import type { RegisteredPrincipal } from '../registry/principal-admin.ts';
import type { Registry } from '../registry/registry.ts';
import type { JournalEntry } from '../store/journal.ts';
import type { Statistic, StoredFailure } from '../store/reads.ts';
import type { VersionRow } from '../store/records.ts';

const DAY_MS = 86_400_000;

export interface PluginFacts {
  versions(plugin: string): readonly VersionRow[];
  failures(plugin: string, limit: number): readonly StoredFailure[];
  statistics(sinceMs?: number): readonly Statistic[];
  usageBytes(plugin: string): number;
}

export function summaryView(registry: Registry, gates: GateService, plugin: LivePlugin): PluginSummary {
  const { row, version, manifest, error } = plugin;
  const gate = gates.view(manifest.gate);
  const reason = registry.whyInactive(plugin);
  return {
    id: row.id,
    version: version.version,
    kind: row.kind,
    state: row.state,
    gate: gate.id,
    gate_stage: gate.stage,
    active: reason === undefined,
    ...(reason !== undefined && { reason }),
    ...(error && { last_error: errorView(error) }),
  };
}

export function detailView(
  registry: Registry,
  gates: GateService,
  facts: PluginFacts,
  plugin: LivePlugin,
): PluginDetail {
  const { row, version, manifest, grants, settings } = plugin;
  const counted = facts.statistics().filter((each) => each.plugin === row.id);
  const sum = (field: 'turns' | 'failures' | 'dryRuns' | 'runMs') =>
    counted.reduce((total, each) => total + each[field], 0);
  return {
    ...summaryView(registry, gates, plugin),
    title: { ...manifest.title },
    manifest,
    grants,
    pending_consent: pendingConsent(manifest.permissions, grants),
    settings,
    path: row.path,
    origin: row.origin,
    signed_by: version.signedBy,
    versions: facts.versions(row.id).map((each) => ({
      version: each.version,
      digest: each.digest,
      at: new Date(each.createdAtMs).toISOString(),
      current: each.digest === row.digest,
    })),
    limits: { ...manifest.limits },
    counters: {
      turns: sum('turns'),
      failures: sum('failures'),
      dry_runs: sum('dryRuns'),
      run_ms: Math.round(sum('runMs')),
      stored_bytes: facts.usageBytes(row.id),
    },
    recent_errors: facts.failures(row.id, 20).map(({ error, atMs }) => errorView({ ...error, atMs })),
  };
}

export function principalView({ row, asked, grants, pending }: RegisteredPrincipal): PrincipalView {
  return {
    id: row.id,
    title: row.title,
    ...(row.digest !== null && { digest: row.digest }),
    permissions: asked,
    grants,
    pending_consent: pending,
    registered_at: new Date(row.registeredAtMs).toISOString(),
    updated_at: new Date(row.updatedAtMs).toISOString(),
  };
}

function errorView({
  code,
  details,
  message,
  atMs,
  ...rest
}: PluginError & { readonly stack?: string }): ErrorView {
  const { file, line, column, stack } = details as {
    file?: string;
    line?: number;
    column?: number;
    stack?: string;
  };
  const trace = rest.stack ?? stack;
  return {
    code,
    details,
    message,
    at: new Date(atMs).toISOString(),
    ...(file !== undefined && { file }),
    ...(line !== undefined && { line }),
    ...(column !== undefined && { column }),
    ...(trace !== undefined && { stack: trace }),
  };
}

export function gateView(
  gates: GateService,
  facts: Pick<PluginFacts, 'statistics'>,
  state: GateState,
): GateDetail {
  const { declaration, stage, sinceMs, declaredBy } = state;
  const missing = new Set(gates.missing(state).map(({ gate }) => gate));
  return {
    id: declaration.id,
    aliases: declaration.aliases,
    title: { ...declaration.title },
    stage,
    since: new Date(sinceMs).toISOString(),
    requires: declaration.requires.map((need) => ({ ...need, met: !missing.has(need.gate) })),
    opens: { ...declaration.opens },
    signals: signalsOf(gates, facts, state),
    phrases: { ...declaration.phrases },
    declared_by: declaredBy,
  };
}

/** Promotion signals, measured by the host where it can: turns, share of failures, days in this stage (HOST-47). */
function signalsOf(
  gates: GateService,
  facts: Pick<PluginFacts, 'statistics'>,
  state: GateState,
): GateSignal[] {
  const counted = facts.statistics(state.sinceMs).filter((each) => each.gate === state.declaration.id);
  const turns = counted.reduce((total, each) => total + each.turns, 0);
  const failures = counted.reduce((total, each) => total + each.failures, 0);
  const measured = {
    turns,
    failures_percent: turns === 0 ? 0 : (failures / turns) * 100,
    days: state.stage === 'locked' ? 0 : (Date.now() - state.sinceMs) / DAY_MS,
  };
  return gates.signals(state, measured).map(({ stage, signal, statement, value, target, met }) => ({
    stage,
    name: signal === 'manual' ? (statement?.en ?? signal) : signal,
    value: value === null ? null : Math.round(value * 100) / 100,
    target: target ?? statement?.ru ?? '',
    met,
  }));
}

export function journalView(entry: JournalEntry): JournalEntryView {
  return entry as unknown as JournalEntryView;
}
