/**
 * Rehearsal on reload: before a new version serves, the last turns that the serving one ran are run again on it,
 * and what it does otherwise is shown (design §1.3, §3). `block` keeps the old version until an administrator
 * accepts; a version that holds an administrator's word passes.
 */
import { NeiraError } from '../errors.ts';
import type { AdminOp, JournalDraft } from '../store/records.ts';
import type { Booted, Version } from './candidate.ts';
import { storedForm } from './candidate.ts';
import { type KeptTurn, keptTurns, replayable, whyNotReplayable } from './kept-turns.ts';
import type { LivePlugin } from './live-plugin.ts';
import type { Recipe } from './recipes.ts';
import type { Registry } from './registry.ts';
import { groundOfBooted, type Verdict } from './replayer.ts';

const REHEARSE_MODES = ['off', 'report', 'block'] as const;
export type RehearseMode = (typeof REHEARSE_MODES)[number];

export interface RehearsedTurn {
  readonly turn: string;
  readonly event_name: string;
  readonly comparable: boolean;
  readonly reason?: string;
  readonly differences: readonly {
    readonly what: string;
    readonly before?: unknown;
    readonly after?: unknown;
  }[];
}

export interface Rehearsal {
  readonly at: string;
  readonly mode: RehearseMode;
  /** Digests of the version that ran the turns, and of the one that was tried. */
  readonly from: string;
  readonly to: string;
  readonly replayed: number;
  readonly same: number;
  readonly different: number;
  readonly not_comparable: number;
  readonly took_ms: number;
  /** Whether the new version waits for an administrator's word. */
  readonly held: boolean;
  /** Of those that were not the same the newest. */
  readonly turns: readonly RehearsedTurn[];
}

const REHEARSED_TURNS = 100;
/** After this no further turn is begun. */
const BUDGET_MS = 250;
/** What is shown of them, all in all. */
const MAX_SHOWN_TURNS = 20;
const MAX_SHOWN_BYTES = 64 * 1024;

export function rehearseModeOf(registry: Registry, plugin: string): RehearseMode {
  const set = registry.parts.store.settings(modeName(plugin));
  return REHEARSE_MODES.find((mode) => mode === set) ?? 'report';
}

export function lastRehearsal(registry: Registry, plugin: string): Rehearsal | undefined {
  const stored = registry.parts.store.settings(reportName(plugin));
  return stored === undefined ? undefined : (JSON.parse(stored) as Rehearsal);
}

export function modeOp(plugin: string, mode: RehearseMode): AdminOp {
  return { op: 'setting.put', name: modeName(plugin), value: mode };
}

export function reportOp(plugin: string, report: Rehearsal): AdminOp {
  return { op: 'setting.put', name: reportName(plugin), value: JSON.stringify(report) };
}

/** What a new version needs to be rehearsed, and to be kept where it is held back. */
export interface Candidate {
  readonly version: Version;
  readonly booted: Booted;
  readonly policy: Recipe['policy'];
  readonly actor: string;
  readonly versionsKept: number;
}

/**
 * Answers what to commit with the swap: the report, and its entry in the journal where something differs.
 * @throws NEIRA_REHEARSAL_DIFFERS when the version is held back; it is kept then, for whoever accepts it.
 */
export async function rehearse(
  registry: Registry,
  candidate: Candidate,
): Promise<{ readonly ops: readonly AdminOp[]; readonly journal: readonly JournalDraft[] }> {
  const { version, actor } = candidate;
  const { id } = version.manifest;
  const before = registry.find(id);
  const mode = rehearseModeOf(registry, id);
  if (mode === 'off' || !before || before.row.digest === version.digest) return { ops: [], journal: [] };
  const report = await reportOn(registry, before, candidate, mode);
  if (report.replayed === 0) return { ops: [], journal: [] };
  if (report.held) await holdBack(registry, candidate, report);
  const differs = report.same < report.replayed;
  const entry = { actor, action: 'plugin.rehearsed', target: id, after: summaryOf(report) };
  return { ops: [reportOp(id, report)], journal: differs ? [entry] : [] };
}

async function reportOn(
  registry: Registry,
  before: LivePlugin,
  { version, booted, policy }: Candidate,
  mode: RehearseMode,
): Promise<Rehearsal> {
  const started = performance.now();
  const { id, digest: from } = before.row;
  const all = { sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER };
  const turns: KeptTurn[] = [];
  for (const turn of keptTurns(registry.parts.store, id, all)) {
    if (turn.version === from && whyNotReplayable(turn) === undefined) turns.push(turn);
    if (turns.length === REHEARSED_TURNS) break;
  }
  const ground = groundOfBooted(registry.parts.pool.errands, booted, version.sourceMap, policy);
  const verdicts: Verdict[] = [];
  // A version that computes long must not keep the one who saved it waiting: the newest count most.
  for (let size = 1; verdicts.length < turns.length && performance.now() - started < BUDGET_MS; size *= 2) {
    const next = turns.slice(verdicts.length, verdicts.length + size);
    verdicts.push(...(await registry.replayer.replay(ground, next.map(replayable))));
  }
  const rehearsed = verdicts.flatMap((verdict, index) =>
    viewOf(turns[index]!.id, turns[index]!.subject, verdict),
  );
  const notComparable = rehearsed.filter(({ comparable }) => !comparable).length;
  return {
    at: new Date().toISOString(),
    mode,
    from,
    to: version.digest,
    replayed: verdicts.length,
    same: verdicts.length - rehearsed.length,
    different: rehearsed.length - notComparable,
    not_comparable: notComparable,
    took_ms: Math.round(performance.now() - started),
    held: mode === 'block' && rehearsed.length > 0,
    turns: bounded(rehearsed),
  };
}

function viewOf(turn: string, subject: string, verdict: Verdict): readonly RehearsedTurn[] {
  if (verdict.kind === 'same') return [];
  const common = { turn, event_name: subject };
  if (verdict.kind === 'not-comparable')
    return [{ ...common, comparable: false, reason: verdict.reason, differences: [] }];
  return [{ ...common, comparable: true, differences: verdict.differences }];
}

function bounded(turns: readonly RehearsedTurn[]): readonly RehearsedTurn[] {
  let bytes = 0;
  const shown = turns.slice(0, MAX_SHOWN_TURNS).filter((turn) => {
    bytes += JSON.stringify(turn).length;
    return bytes <= MAX_SHOWN_BYTES;
  });
  const [first] = turns;
  // One whose values are too large to show is still named, with what differs.
  const named = first && { ...first, differences: first.differences.map(({ what }) => ({ what })) };
  return shown.length > 0 || !named ? shown : [named];
}

/** Keeps the version and the report, so that it can be accepted as it was rehearsed. */
async function holdBack(registry: Registry, candidate: Candidate, report: Rehearsal): Promise<never> {
  const { version, actor, versionsKept } = candidate;
  const { id } = version.manifest;
  const stored = storedForm(version, Date.now());
  const ops: AdminOp[] = [
    ...[...stored.blobs].map(
      ([digest, bytes]): AdminOp => ({ op: 'blob.put', digest, bytes: bytes.toString('base64') }),
    ),
    { op: 'version.put', row: stored.row, keep: versionsKept },
    reportOp(id, report),
  ];
  const entry = { actor, action: 'plugin.held-back', target: id, after: summaryOf(report) };
  await registry.commit(ops, [entry]);
  const { replayed, different, not_comparable, to } = report;
  throw new NeiraError('NEIRA_REHEARSAL_DIFFERS', {
    plugin: id,
    replayed,
    different,
    not_comparable,
    version: to,
  });
}

/** For the journal: which turns, and what of them differs, without the values. */
function summaryOf({ turns, ...report }: Rehearsal): Record<string, unknown> {
  return {
    ...report,
    turns: turns.map(({ turn, reason, differences }) => ({
      turn,
      ...(reason !== undefined && { reason }),
      differs: differences.map(({ what }) => what),
    })),
  };
}

function modeName(plugin: string): string {
  return `rehearse:${plugin}`;
}

function reportName(plugin: string): string {
  return `rehearsal:${plugin}`;
}
