import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readEventTexts } from '../../host/bus/event-disk.ts';
import { lintEvents } from '../../host/bus/event-lint.ts';
import { generatedEvents } from '../../host/bus/event-registry.ts';
import { ROOT } from './sources.ts';

const folders = ['abi/events', ...['scripts', 'wasm'].flatMap(eventsOf)];

/** Folders of events of the bundled plugins. */
function eventsOf(kind: string): string[] {
  return readdirSync(path.join(ROOT, 'plugins', kind))
    .map((name) => `plugins/${kind}/${name}/events`)
    .filter((folder) => existsSync(path.join(ROOT, folder)));
}

// BUS-46: index, links, every example and every fixture. BUS-47: what is deprecated only warns.
test.for(folders)('the events of %s pass the lint', (folder, { annotate }) => {
  const known = generatedEvents();
  const find = (name: string, version: number) =>
    known.find((each) => each.name === name && each.version === version);
  const findings = lintEvents(readEventTexts(path.join(ROOT, folder)), { find });
  const told = findings.map((each) => `${each.rule}: ${each.file}${each.pointer} ${each.message}`);
  for (const warning of told.filter((_, index) => findings[index]!.severity === 'warning'))
    void annotate(warning);
  expect(told.filter((_, index) => findings[index]!.severity === 'error')).toEqual([]);
});
