/** Triggers: begins scenarios when something happens, with a filter, and neither too often nor twice (BUS-30, BUS-50). */
import type { Envelope, Reply } from 'neira:host/types';
import { COMMANDS } from './commands.ts';
import { consented, follow, followAll, unfollow } from './definitions.ts';
import { due, ended, heard } from './firing.ts';
import { Refusal } from './refusal.ts';

type Handler = (payload: never) => void | Promise<void>;

const EVENTS: Readonly<Record<string, Handler>> = {
  'trigger.due': due,
  'scenario.completed': ended,
  'scenario.saved': follow,
  'scenario.removed': unfollow,
  'plugin.principal_granted': consented,
  'system.boot.completed': followAll,
  'plugin.enabled': followAll,
  'plugin.granted': followAll,
  'gate.opened': followAll,
};

export async function handle(event: Envelope): Promise<Reply> {
  const { event_name: name, source, payload } = event;
  const command = COMMANDS[name];
  if (command) return { result: answer(() => command(payload as never)) as never };
  await heard(event);
  const isForeign = name === 'trigger.due' && source !== 'plugin:trigger.rules';
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
