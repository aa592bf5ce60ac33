/** The plugins of the load test: consumers that are slower than their publishers, by each policy that there is. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'vitest';
import { databasePath } from '../../host/store/database.ts';
import { SCRIPT_GATES, spawnHost } from '../kit/boot-host.ts';
import { numbersOf, schema } from './bus-kit.ts';

export const LOAD_CLIENTS = 24;
export const LOAD_EVENT = 'load.made';
const RELAYED = 'load.relayed';

/** Work of about a millisecond. */
const WORK = 'for (let turns = 0; turns < 30_000; turns++);';
const append = (work: string) => `import { append } from 'neira:host/storage';
export function handle(event) { ${work} append('seen', event.payload.n); }`;
const relay = `import { publish } from 'neira:host/bus';
import { append } from 'neira:host/storage';
export function handle(event) { append('seen', event.payload.n); publish('${RELAYED}', event.payload); }`;

const PLUGINS = [
  { id: 'load.relay', event: LOAD_EVENT, mailbox: { max: 2000, overflow: 'slow' }, source: relay },
  { id: 'load.last', event: RELAYED, mailbox: { max: 200, overflow: 'slow' }, source: append(WORK) },
  { id: 'load.slow', event: LOAD_EVENT, mailbox: { max: 2000, overflow: 'slow' }, source: append(WORK) },
  {
    id: 'load.newest',
    event: LOAD_EVENT,
    mailbox: { max: 50, overflow: 'drop_newest' },
    source: append(WORK),
  },
  {
    id: 'load.oldest',
    event: LOAD_EVENT,
    mailbox: { max: 50, overflow: 'drop_oldest' },
    source: append(WORK),
  },
] as const;

export async function prepareLoadHome(): Promise<string> {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-load-'));
  await using host = await spawnHost({ home, gates: SCRIPT_GATES });
  for (const { id, event, mailbox, source } of PLUGINS) {
    const isRelay = id === 'load.relay';
    const manifest = {
      id,
      permissions: { storage: ['read', 'write'] },
      subscribes: [{ event: `${event}@1` }],
      mailbox,
      limits: { turn_ms: 10_000 },
      ...(isRelay && { publishes: [`${RELAYED}@1`] }),
    };
    const files = {
      'main.ts': source,
      ...(isRelay && {
        'events/load/made/v1/schema.json': schema(LOAD_EVENT),
        'events/load/relayed/v1/schema.json': schema(RELAYED),
      }),
    };
    const registered = await host.script(manifest, files);
    expect(registered.status, JSON.stringify(registered.body)).toBe(201);
  }
  return home;
}

/** Numbers of the events that were published, and of those that each plugin handled, in order. */
export function loadState(home: string) {
  const db = new DatabaseSync(databasePath(home), { readOnly: true });
  try {
    const handledBy = (plugin: string) =>
      db
        .prepare(`select value from kv where plugin = ? and k >= 'seen/' order by k`)
        .all(plugin)
        .map(({ value }) => Number(value));
    return {
      published: numbersOf(db, LOAD_EVENT),
      relay: handledBy('load.relay'),
      last: handledBy('load.last'),
      slow: handledBy('load.slow'),
      newest: handledBy('load.newest'),
      oldest: handledBy('load.oldest'),
      dead: db.prepare('select plugin, error from dead_letter limit 3').all(),
    };
  } finally {
    db.close();
  }
}
