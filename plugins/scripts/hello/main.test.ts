import { afterEach, beforeEach, expect, test } from 'vitest';
import { bootPlugin, recordedTurns } from '../../../test/kit/boot-plugin.ts';

let plugin: Awaited<ReturnType<typeof bootPlugin>>;

beforeEach(async () => {
  plugin = await bootPlugin(new URL('.', import.meta.url), {
    grant: 'all',
    settings: { greeting: 'Welcome' },
  });
});
afterEach(() => plugin.close());

function greet(name: string, context = {}) {
  return plugin.send('hello.greet', { params: { name }, context });
}

test('it greets with the greeting that was set', async () => {
  const { actions } = await greet('Anna');
  expect(actions).toEqual([{ type: 'notify', text: 'Welcome, Anna. This is visit 1.' }]);
});

test('it answers in Russian where the frontend is Russian', async () => {
  const { actions } = await greet('Анна', { locale: 'ru-RU' });
  expect(actions).toEqual([{ type: 'notify', text: 'Анна, это ваш визит номер 1.' }]);
});

test('it counts the visits of each name', async () => {
  await greet('Anna');
  await greet('Boris');
  const { actions } = await greet('Anna');
  expect(actions).toMatchObject([{ text: 'Welcome, Anna. This is visit 2.' }]);
});

test('it stores the count, sends a line to the console and logs one', async () => {
  const { effects, logs } = await greet('Anna');
  expect(effects).toMatchObject([
    { op: 'set', key: 'visits/Anna', value: '1' },
    { op: 'send', port: 'console', target: 'greetings', payload: '{"name":"Anna","visits":1}' },
  ]);
  expect(logs).toMatchObject([{ level: 'info', message: 'greeted Anna, visit 1' }]);
});

test('an event without a name fails, and nothing of it is kept', async () => {
  await expect(plugin.send('hello.greet', {})).rejects.toMatchObject({ code: 'NEIRA_PLUGIN_FAILED' });
});

test.each(recordedTurns(new URL('.', import.meta.url)))('$name comes out as it did', async ({ turn }) => {
  expect(await plugin.replay(turn)).toEqual({ kind: 'same' });
});
