/** The events of this repository, from their folders: those of the host and those of the bundled plugins. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { readEventTexts } from '../host/bus/event-disk.ts';
import { readEventFolders, readPluginEvents } from '../host/bus/event-files.ts';
import { byName, type EventDefinition, HOST_OWNER } from '../host/bus/event-registry.ts';
import { parseManifest } from '../host/registry/manifest.ts';

/** Sorted by name. @throws Error naming the first folder that is not whole; the lint says more. */
export function loadEvents(root: string): readonly EventDefinition[] {
  const { events, findings } = readEventFolders(
    readEventTexts(path.join(root, 'abi/events')),
    HOST_OWNER,
    true,
  );
  const [first] = findings;
  if (first) throw new Error(`abi/events/${first.file}${first.pointer} ${first.message}`);
  return [...events.map(({ definition }) => definition), ...bundledEvents(root)].sort(byName);
}

function bundledEvents(root: string): EventDefinition[] {
  return ['plugins/scripts', 'plugins/wasm'].flatMap((home) => bundledIn(path.join(root, home)));
}

function bundledIn(home: string): EventDefinition[] {
  if (!existsSync(home)) return [];
  return readdirSync(home).flatMap((name) => {
    const folder = path.join(home, name);
    const events = path.join(folder, 'events');
    if (!existsSync(events)) return [];
    const { id } = parseManifest(readFileSync(path.join(folder, 'manifest.yaml'), 'utf8'));
    const files = [...readEventTexts(events)].map(([file, text]) => [`events/${file}`, text] as const);
    return readPluginEvents(id, new Map(files));
  });
}
