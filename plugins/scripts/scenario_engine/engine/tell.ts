/** The one way in which anything reaches a run: an event of the engine to itself, in the order of the run's key. */
import { publish } from 'neira:host/bus';
import type { RunEvent } from '../run/state.ts';

export const TOLD = 'scenario.run.told';

/** @returns the id by which it can be taken back until then */
export function tellRun(run: string, event: RunEvent, atMs?: number): string {
  const options = atMs === undefined ? {} : { at: new Date(atMs).toISOString() };
  return publish(TOLD, { run_id: run, event } as never, options);
}
