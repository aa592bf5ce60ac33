/** A guest as authors build it: real, large, composed of many parts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { componentize } from 'componentize-qjs';
import { expect, onTestFinished, test } from 'vitest';
import { buildComponent } from './build-component.ts';
import { hostWorld } from './host-world.ts';
import { instanceOf, LIMITS } from './test-components.ts';

const SOURCE = `
import { add } from 'neira:host/storage@1.0.0';
export function handle(input) {
  add('calls', 1);
  return JSON.stringify({ text: JSON.parse(input).text.toUpperCase() });
}`;

test('a JavaScript guest with WASI taken out is built and runs', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'neira-guest-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const witPath = path.join(folder, 'neira.wit');
  writeFileSync(witPath, hostWorld().wit);
  const given = { witPath, jsSource: SOURCE, world: 'plugin', sync: true, stubWasi: true };
  const built = await buildComponent((await componentize(given)).component, LIMITS);
  expect(built.facts).toMatchObject({ exports: ['handle'], prepares: false });

  const calls: unknown[][] = [];
  const noting = new Proxy(
    {},
    {
      get:
        (_, name) =>
        (...args: unknown[]) =>
          void calls.push([name, ...args]),
    },
  );
  const instance = instanceOf(built, Object.fromEntries(built.facts.imports.map((name) => [name, noting])));
  expect(await instance.handle('{"text":"привет"}')).toBe('{"text":"ПРИВЕТ"}');
  expect(calls).toEqual([['add', 'calls', 1]]);
});
