/**
 * Schedules: begins scenarios by cron, at a moment, at intervals (SCHED-01…05). A job has one delayed event, for its next
 * tick; the turn that it brings begins the scenario and arranges the one behind it, in one commit.
 */
import type { Envelope, Reply } from 'neira:host/types';
import { COMMANDS } from './commands.ts';
import { follow, followAll, unfollow } from './definitions.ts';
import { due, ended } from './due.ts';
import { Refusal } from './refusal.ts';

type Handler = (payload: never) => void | Promise<void>;

const EVENTS: Readonly<Record<string, Handler>> = {
  'schedule.due': due,
  'scenario.completed': ended,
  'scenario.saved': follow,
  'scenario.removed': unfollow,
  'system.boot.completed': followAll,
  'plugin.enabled': followAll,
  'plugin.granted': followAll,
  'gate.opened': followAll,
};

export async function handle(event: Envelope): Promise<Reply> {
  const { event_name: name, source, payload } = event;
  const command = COMMANDS[name];
  if (command) return { result: answer(() => command(payload as never)) as never };
  const isForeign = name === 'schedule.due' && source !== 'plugin:scheduler.cron';
  if (!isForeign) await EVENTS[name]?.(payload as never);
  return {};
}

function answer(run: () => object): object {
  try {
    return { ok: true, ...run() };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, error: error.error };
    throw error;
  }
}
