/**
 * Steps that wait for events. A scenario listens by a subscription of its own, decided by its own grants, for all its
 * runs; which of them an event is for is found by the values that they compare.
 */

import { delivery, publish } from 'neira:host/bus';
import type { Acting } from 'neira:host/principals';
import { delete as drop, get, list, set } from 'neira:host/storage';
import type { Envelope } from 'neira:host/types';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { WaitFor } from '../program.ts';
import { valueAt } from '../run/simulation.ts';
import { keys } from './keys.ts';
import { tellRun } from './tell.ts';

type EventWait = Extract<WaitFor, { kind: 'event' }>;

/** Listeners that one turn tells. */
const PAGE = 100;
const NAME = /^principal:([^/]+)\/wait\.([0-9a-f]+)$/;

/** @returns the key under which it listens */
export function listenFor(
  me: Acting,
  scenario: string,
  run: string,
  what: EventWait,
  equals: readonly unknown[],
  wait: number,
) {
  const paths = what.correlate.map(({ path }) => path);
  const ear = digestOf([what.event, what.version ?? null, what.filter ?? null, paths]);
  if (!get(keys.ear(scenario, ear))) {
    const event = what.version === undefined ? what.event : `${what.event}@${what.version}`;
    me.bus.subscribe({
      name: `wait.${ear}`,
      event,
      ...(what.filter !== undefined && { filter: what.filter }),
    });
    set(keys.ear(scenario, ear), { paths } as never);
  }
  const key = keys.listener(scenario, ear, digestOf(equals), run, wait);
  set(key, null as never);
  return key;
}

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
  for (const { key } of page) {
    const [run, wait] = key.slice(prefix.length).split('/');
    tellRun(run!, { kind: 'heard', wait: Number(wait), event });
  }
  if (page.length < PAGE) return;
  publish('scenario.event.spread', { scenario_id: scenario, ear, event, after: page.at(-1)!.key } as never);
}

/** Ends the subscriptions of a scenario that nobody waits by. */
export function closeEars(me: Acting, scenario: string): void {
  const prefix = `ear/${scenario}/`;
  for (const { key } of list(prefix, { limit: 100 })) {
    const ear = key.slice(prefix.length);
    if (list(`listener/${scenario}/${ear}/`, { limit: 1 }).length > 0) continue;
    me.bus.unsubscribe(`wait.${ear}`);
    drop(key);
  }
}

function digestOf(value: unknown): string {
  return bytesToHex(sha256(utf8ToBytes(JSON.stringify(value)))).slice(0, 24);
}
