/** A guest as authors build it: real, large, composed of many parts. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { componentize } from 'componentize-qjs';
import { expect, onTestFinished, test } from 'vitest';
import { buildComponent } from './build-component.ts';
import { hostWorld } from './host-world.ts';
import { instanceOf, LIMITS } from './test-components.ts';

const WASM = path.resolve(import.meta.dirname, '../../../../plugins/wasm');

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
  expect(built.facts).toMatchObject({ exports: ['handle'], prepares: false, waits: true });

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

// Our header and templates declare all host functions; the linkers leave out what a guest does not call.
test.each(['hello_c', 'hello_rust', 'hello_as', 'text_search'])(
  '%s calls nothing that waits, and is built to answer in one plain call',
  async (name) => {
    const built = await buildComponent(readFileSync(path.join(WASM, name, 'plugin.wasm')), LIMITS);
    expect(built.facts.waits).toBe(false);
  },
);
