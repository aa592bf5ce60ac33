import type { Command } from 'commander';
import { addLiveEvents } from './events-live.ts';
import { addEventFiles } from './events-registry.ts';

export function addEvents(program: Command): void {
  const events = program
    .command('events')
    .description('the events of the bus: what there is, and what goes by');
  addLiveEvents(events);
  addEventFiles(events);
}
