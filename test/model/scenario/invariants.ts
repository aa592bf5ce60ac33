/** What has to be true of the engine's rows after every turn. */
import { expect } from 'vitest';
import type { Program } from '../../../plugins/scripts/scenario_engine/program.ts';
import { holdingsOf } from '../../../plugins/scripts/scenario_engine/run/holding.ts';
import type { Frame, Run } from '../../../plugins/scripts/scenario_engine/run/state.ts';
import type { EngineHost } from './engine-host.ts';
import type { History } from './load.ts';

export interface Known {
  readonly programs: ReadonlyMap<string, Program>;
  /** Runs that were begun with `force`: no mode counts them out. */
  readonly forced: ReadonlySet<string>;
}

export function requireSound(host: EngineHost, { settings }: History, known: Known): void {
  const runs = runsIn(host);
  requireSlots(runs, settings.max_concurrent_per_node, known);
  requireModes(runs, known);
  requireHoldings(host, runs, settings.pools, known);
}

export function runsIn(host: EngineHost): readonly Run[] {
  return host.keysBelow('state/').map((key) => host.read<Run>(key)!);
}

/** So many work at a time, and whoever works has a place. */
function requireSlots(runs: readonly Run[], perNode: number, { programs }: Known): void {
  const placed = runs.filter(({ slot, phase }) => slot && phase !== 'ended');
  if (perNode > 0) expect(placed.length, 'runs that work on the node').toBeLessThanOrEqual(perNode);
  for (const [id, { maxConcurrent }] of programs) {
    if (maxConcurrent === undefined && perNode === 0) continue;
    const own = runs.filter(({ scenario }) => scenario === id);
    const working = own.filter(({ phase, paused, threads }) => {
      const isIdle = threads.every(({ frames }) => (frames.at(-1)!.wait?.kind ?? 'answer') !== 'answer');
      return phase === 'forward' && !paused && !isIdle;
    });
    for (const run of working) expect(run.slot, `${run.id} of ${id} works and has no place`).toBe(true);
    if (maxConcurrent !== undefined)
      expect(own.filter(({ slot, phase }) => slot && phase !== 'ended').length, id).toBeLessThanOrEqual(
        maxConcurrent,
      );
  }
}

/** What the modes promise, of those that nobody forced. */
function requireModes(runs: readonly Run[], { programs, forced }: Known): void {
  for (const [id, { mode, max }] of programs) {
    const active = runs.filter(
      ({ scenario, admitted, phase, id: run }) =>
        scenario === id && admitted && phase !== 'ended' && !forced.has(run),
    );
    if (mode === 'single' || mode === 'queued')
      expect(active.length, `${id} at a time`).toBeLessThanOrEqual(1);
    if (mode === 'parallel') expect(active.length, `${id} at a time`).toBeLessThanOrEqual(max);
  }
}

/** A lock has one holder, a pool so many, and the books say what the runs say. */
function requireHoldings(
  host: EngineHost,
  runs: readonly Run[],
  pools: Readonly<Record<string, number>>,
  { programs }: Known,
): void {
  const held = new Map<string, string[]>();
  for (const run of runs)
    for (const frame of run.threads.flatMap(({ frames }) => frames))
      for (const name of heldBy(frame, programs.get(run.scenario)!))
        held.set(name, [...(held.get(name) ?? []), `${run.id} ${frame.holds}`]);
  for (const [name, holders] of held) {
    const capacity = name.startsWith('pool:') ? pools[name.slice('pool:'.length)]! : 1;
    expect(holders.length, `${name}: ${holders.join(', ')}`).toBeLessThanOrEqual(capacity);
    const book = host.read<{ holders: { run: string; number: number }[] }>(`holding/${name}`);
    const written = (book?.holders ?? []).map(({ run, number }) => `${run} ${number}`);
    for (const holder of holders) expect(written, name).toContain(holder);
  }
}

function heldBy(frame: Frame, program: Program): readonly string[] {
  return frame.holds === undefined || frame.node < 0 ? [] : holdingsOf(program.nodes[frame.node]!);
}

/** Nothing is left of runs that have all ended. */
export function requireEmpty(host: EngineHost): void {
  for (const prefix of ['queue/', 'holding/', 'question/', 'listener/'])
    expect(host.keysBelow(prefix), prefix).toEqual([]);
  const active = host.keysBelow('active/').map((key) => host.read(key));
  expect(active.filter((count) => count !== 0)).toEqual([]);
  const load = host.read<{ slots: number; scenarios: Record<string, unknown> }>('load');
  expect({ slots: load?.slots ?? 0, scenarios: load?.scenarios ?? {} }).toEqual({ slots: 0, scenarios: {} });
}
