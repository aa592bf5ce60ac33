import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import type { Envelope } from '../../host/bus/envelope.ts';
import { checkEvent } from '../../host/bus/event-check.ts';
import { EventRegistry } from '../../host/bus/event-registry.ts';
import { bootHost, SCRIPT_GATES } from '../kit/boot-host.ts';
import { answering } from './saved-plugin.ts';

/** Whatever the host publishes about plugins is an event of its registry, valid as anybody's would be. */
test('what a host publishes about its plugins passes its own registry', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  const id = 'events.probe';
  const manifest = {
    id,
    permissions: { storage: ['read', 'write'], bus: { publish: ['ui.notify'] }, io: { ports: ['console'] } },
    publishes: ['ui.notify'],
    settings: { type: 'object', properties: { speed: { type: 'integer', default: 1 } } },
  };
  const at = `/api/neira/plugins/${id}`;
  const first = await host.script(manifest, answering(1), '');
  await host.call('PUT', `${at}/grants`, { permissions: manifest.permissions });
  await host.call('POST', `${at}/enable`);
  await host.call('PUT', `${at}/settings`, { settings: { speed: 2 } });
  await host.call('POST', `${at}/disable`);
  await host.call('POST', `${at}/enable`);
  const second = await host.script({ ...manifest, version: '2.0.0' }, answering(2));
  expect([first.status, second.status]).toEqual([201, 200]);
  writeFileSync(path.join(second.body.path, 'main.ts'), 'export const oops = ;\n');
  await host.call('POST', `${at}/reload`);
  writeFileSync(path.join(second.body.path, 'main.ts'), answering(3));
  await host.call('POST', `${at}/reload`);
  await host.call('POST', `${at}/rollback`);
  await host.call('DELETE', at);

  const registry = EventRegistry.load();
  const published = envelopesOf(host.home);
  const problems = published.flatMap((each) => {
    const { event, problems: found } = checkEvent(each, (name, version) => registry.find(name, version));
    return found.map(({ path: failing, message }) => `${event}: ${failing} ${message}`);
  });
  expect(problems).toEqual([]);
  const names = new Set(published.map((each) => each.event_name));
  for (const past of [
    'registered',
    'updated',
    'granted',
    'configured',
    'enabled',
    'disabled',
    'rolled_back',
    'removed',
  ])
    expect(names).toContain(`plugin.${past}`);
  // Its folder is watched as well: which of the two saw the mistake first is not ours to say.
  expect([...names].some((name) => name === 'plugin.reload_failed' || name === 'plugin.reloaded')).toBe(true);
});

function envelopesOf(home: string): Envelope[] {
  using db = new DatabaseSync(path.join(home, 'neira.db'), { readOnly: true });
  return db
    .prepare('select envelope from event order by seq')
    .all()
    .map(({ envelope }) => JSON.parse(String(envelope)) as Envelope);
}
