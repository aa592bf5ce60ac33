import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';

/** Waits through a whole host, as authors meet them. */

let host: TestHost;

beforeAll(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
});
afterAll(() => host.close());

test('a request that no plugin handles rejects; caught or not, it is the plugin that decides', async () => {
  await host.events('math.ask@1!');
  const registered = await host.script(
    {
      id: 'asker',
      publishes: ['math.ask@1'],
      ui: { buttons: [{ id: 'asker', title: 'Asker', event: 'asker.run' }] },
    },
    `import { request } from 'neira:host/bus';
     export async function handle({ payload }) {
       if (payload.params.uncaught) await request('math.ask', 1);
       const code = await request('math.ask', 1).catch((error) => error.code);
       return { actions: [{ code }] };
     }`,
  );
  expect(registered.status, JSON.stringify(registered.body)).toBe(201);
  const caught = await host.event('asker');
  expect(caught.body).toMatchObject({ actions: [{ code: 'NEIRA_COMMAND_UNHANDLED' }] });
  const uncaught = await host.event('asker', { uncaught: true });
  expect(uncaught).toMatchObject({
    status: 404,
    body: { code: 'NEIRA_COMMAND_UNHANDLED', command: 'math.ask@1', file: 'main.ts', line: 3 },
  });
});
