import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BootedPlugin, bootPlugin } from '../../../test/kit/boot-plugin.ts';
import { type ComponentFolder, componentFolder } from '../../../test/kit/component-folder.ts';

let component: ComponentFolder;
let plugin: BootedPlugin;
beforeAll(async () => {
  component = await componentFolder(new URL('.', import.meta.url));
  const { folder, components } = component;
  plugin = await bootPlugin(folder, { grant: 'all', settings: { greeting: 'Welcome' }, components });
});
afterAll(async () => {
  await plugin.close();
  component[Symbol.dispose]();
});

const greet = (name: string) => plugin.send('hello.ts.greet', { params: { name } });

test('it greets with the greeting that was set, and counts the visits of each name', async () => {
  await greet('Anna');
  await greet('Boris');
  const { actions } = await greet('Anna');
  expect(actions).toEqual([{ type: 'notify', text: 'Welcome, Anna. This is visit 2.' }]);
});

test('it stores the count, sends a line to the console and logs one', async () => {
  const { effects, logs } = await greet('Анна');
  expect(effects).toMatchObject([
    { op: 'set', key: 'visits/Анна', value: '1' },
    { op: 'send', port: 'console', target: 'greetings', payload: '{"name":"Анна","visits":1}' },
  ]);
  expect(logs).toMatchObject([{ level: 'info', message: 'Welcome, Анна. This is visit 1.' }]);
});

test('an event without params fails, and nothing of it is kept', async () => {
  await expect(plugin.send('hello.ts.greet', {})).rejects.toMatchObject({ code: 'NEIRA_PLUGIN_FAILED' });
});
