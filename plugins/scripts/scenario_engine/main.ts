/**
 * The scenario engine: it interprets definitions, one event at a time. Whatever reaches a run is an event of its key, and
 * each turn is one commit; so a run stands still between turns as a row, survives whatever happens to the process, and
 * does each step once.
 */
import type { Envelope, Reply } from 'neira:host/types';
import { COMMANDS } from './engine/commands.ts';
import { hear } from './engine/hearing.ts';
import { EVENTS } from './engine/inbox.ts';
import { preparePrograms } from './engine/programs.ts';
import { Refusal } from './engine/refusal.ts';

export function prepare(): void {
  preparePrograms();
}

export function handle(event: Envelope): Reply {
  hear(event);
  EVENTS[event.event_name]?.(event);
  const command = COMMANDS[event.event_name];
  return command ? { result: answer(() => command(event.payload as never, event)) as never } : {};
}

/** A refusal is an answer: nothing was kept, and whoever asked is told why and what to do. */
function answer(run: () => object): object {
  try {
    return { ok: true, ...run() };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, error: error.error };
    throw error;
  }
}
