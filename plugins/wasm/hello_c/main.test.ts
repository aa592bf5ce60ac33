import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BootedPlugin, bootPlugin, type PluginOptions } from '../../../test/kit/boot-plugin.ts';

/** Runs `plugin.wasm` as it lies here: build it first. */
const boot = (options: PluginOptions) => bootPlugin(new URL('.', import.meta.url), options);

let plugin: BootedPlugin;
beforeAll(async () => {
  plugin = await boot({ grant: 'all', settings: { greeting: 'Welcome' } });
});
afterAll(() => plugin.close());

const greet = (name: unknown) => plugin.send('hello.c.greet', { params: { name } });

test('it greets with the greeting that was set, and counts the visits of each name', async () => {
  await greet('Anna');
  await greet('Boris');
  const { actions } = await greet('Anna');
  expect(actions).toEqual([
    { type: 'notify', text: expect.stringMatching(/^Welcome, Anna\. This is visit 2\./) },
  ]);
});

test('it stores the count, sends a line to the console and logs one', async () => {
  const { effects, logs } = await greet('Анна "А" 😀');
  expect(effects).toMatchObject([
    { op: 'set', key: 'visits/Анна "А" 😀', value: '1' },
    { op: 'send', port: 'console', target: 'greetings', payload: '{"name":"Анна \\"А\\" 😀","visits":1}' },
  ]);
  expect(logs).toMatchObject([{ level: 'info', message: expect.stringContaining('Анна "А" 😀') }]);
});

test('an event without a name fails with a reason, and nothing of it is kept', async () => {
  await expect(greet(7)).rejects.toMatchObject({
    code: 'NEIRA_PLUGIN_FAILED',
    details: { reason: 'the event has no text payload.params.name' },
  });
});

test('a refusal that it lets through keeps its code', async () => {
  await using locked = await boot({ grant: 'none' });
  await expect(locked.send('hello.c.greet', { params: { name: 'Anna' } })).rejects.toMatchObject({
    code: 'NEIRA_PERMISSION_DENIED',
    details: { permission: 'storage.read' },
  });
});
