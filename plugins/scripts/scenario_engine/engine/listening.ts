/**
 * Steps that wait for events. A scenario listens by a subscription of its own, decided by its own grants, for all its
 * runs; which of them an event is for is found by the values that they compare.
 */

import type { Acting } from 'neira:host/principals';
import { delete as drop, get, list, set } from 'neira:host/storage';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { WaitFor } from '../program.ts';
import { keys } from './keys.ts';

type EventWait = Extract<WaitFor, { kind: 'event' }>;

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

/** Of the values that a listener compares. */
export function digestOf(value: unknown): string {
  return bytesToHex(sha256(utf8ToBytes(JSON.stringify(value)))).slice(0, 24);
}
