/** Events that steps wait for: whom of those who listen an event is for, and how they come to know. */
import { delivery, publish } from 'neira:host/bus';
import { get, list } from 'neira:host/storage';
import type { Envelope } from 'neira:host/types';
import { valueAt } from '../run/simulation.ts';
import type { RunEvent } from '../run/state.ts';
import { keys } from './keys.ts';
import { digestOf } from './listening.ts';
import { moveRun } from './move.ts';
import { Refusal } from './refusal.ts';
import { tellRun } from './tell.ts';

/** Listeners that one turn tells. */
const PAGE = 100;
const NAME = /^principal:([^/]+)\/wait\.([0-9a-f]+)$/;

/** Tells those whom an event is for. @returns whether it came because of a scenario at all */
export function hear(event: Envelope): boolean {
  const heard = delivery()
    .subscriptions.map((name) => NAME.exec(name))
    .filter((each) => each !== null);
  for (const [, scenario, ear] of heard) spread(scenario!, ear!, event, undefined);
  return heard.length > 0;
}

/** @param after the listener that was told last */
export function spread(scenario: string, ear: string, event: unknown, after: string | undefined): void {
  const { paths } = (get<{ paths: string[] }>(keys.ear(scenario, ear) as never)?.value ?? {}) as {
    paths?: string[];
  };
  if (!paths) return;
  const values = digestOf(paths.map((path) => valueAt(event, path) ?? null));
  const prefix = `listener/${scenario}/${ear}/${values}/`;
  const page = list(prefix, { limit: PAGE, ...(after !== undefined && { after }) });
  // One is told here and now; many go on side by side, each in a turn of its own.
  const tell = page.length === 1 ? deliver : tellRun;
  for (const { key } of page) {
    const [run, wait] = key.slice(prefix.length).split('/');
    tell(run!, { kind: 'heard', wait: Number(wait), event });
  }
  if (page.length < PAGE) return;
  publish('scenario.event.spread', { scenario_id: scenario, ear, event, after: page.at(-1)!.key } as never);
}

/** Moves a run on; one that was forgotten hears nothing any more. */
export function deliver(run: string, event: RunEvent): void {
  try {
    moveRun(run, event);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  }
}
