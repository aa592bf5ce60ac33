/**
 * Understanding by rules: sentences that authors wrote as templates, linked into one automaton per language when the image
 * is made, so that a turn only follows it (INT-01…04, INT-07).
 */
import type { Envelope, Reply } from 'neira:host/types';
import { COMMANDS } from './rules/commands.ts';
import { hear } from './rules/hearing.ts';
import { prepareLanguages } from './rules/prepared.ts';
import { Refusal } from './rules/refusal.ts';

export function prepare(): void {
  prepareLanguages();
}

export async function handle(event: Envelope): Promise<Reply> {
  const command = COMMANDS[event.event_name];
  if (!command) await hear(event);
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
