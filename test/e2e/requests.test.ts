import { expect, test } from 'vitest';
import { bootHost, eventFiles, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';

/** `bus.request` between plugins of a real host (BUS-11; design §4, "Requests"). */

const schema = (name: string) =>
  JSON.stringify({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `urn:neira:event:${name}:1.0.0`,
    'x-version': '1.0.0',
    type: 'object',
    properties: { n: { type: 'number' } },
    additionalProperties: false,
  });

const META = 'kind: command\nsummary: Doubles a number\n';

const MATH = {
  'events/math/double/v1/schema.json': schema('math.double'),
  'events/math/double/v1/meta.yaml': META,
};

async function doubler(
  host: TestHost,
  body: string,
  more: Record<string, unknown> = {},
  events: Record<string, string> = {},
) {
  const answer = await host.script(
    {
      id: 'doubler',
      permissions: { storage: ['read', 'write'] },
      subscribes: [{ event: 'math.double@1' }],
      retry: { max: 0 },
      ...more,
    },
    { 'main.ts': `import { append, list } from 'neira:host/storage';\n${body}`, ...MATH, ...events },
  );
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
}

async function asker(host: TestHost, body: string, more: Record<string, unknown> = {}) {
  const answer = await host.script(
    {
      id: 'asker',
      permissions: { storage: ['read', 'write'] },
      publishes: ['math.double@1'],
      ui: { buttons: [{ id: 'ask', title: 'Ask', event: 'ui.ask.now' }] },
      ...more,
    },
    `import { request } from 'neira:host/bus';
import { append } from 'neira:host/storage';
export async function handle(event) { ${body} }`,
  );
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
}

test('a plugin asks another and gets its result; both turns are atomic by themselves', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  await doubler(
    host,
    `export function handle(event) { append('done', event.payload.n); return { result: event.payload.n * 2 }; }`,
  );
  await asker(
    host,
    `const n = await request('math.double', { n: 21 }); return { actions: [{ type: 'answer', n }] };`,
  );
  const { status, body } = await host.event('ask');
  expect(body, JSON.stringify(body)).toMatchObject({
    mode: 'executed',
    actions: [{ type: 'answer', n: 42 }],
  });
  expect(status).toBe(200);
});

test('what the other turn failed with is what the one that asked is told', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  await doubler(host, `export function handle() { throw new RangeError('too large'); }`);
  await asker(
    host,
    `try { await request('math.double', { n: 1 }); } catch (error) { return { actions: [{ code: error.code, message: error.message }] }; }`,
  );
  const { body } = await host.event('ask');
  expect(body.actions).toEqual([
    { code: 'NEIRA_PLUGIN_FAILED', message: expect.stringContaining('too large') },
  ]);
});

test('nobody handles it: refused at once, with the remedy', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  await doubler(host, 'export function handle() {}', { subscribes: [] });
  await asker(host, `await request('math.double', { n: 1 });`);
  const { body } = await host.event('ask');
  expect(body).toMatchObject({ status: 404, code: 'NEIRA_COMMAND_UNHANDLED' });
});

test('past its deadline nothing of the command is kept, and whoever asked is told', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  // It would succeed with its second try, which comes too late.
  await doubler(
    host,
    `import { delivery } from 'neira:host/bus';
export function handle(event) {
  if (delivery().attempt === 1) throw new Error('not yet');
  console.log('done all the same');
  return { result: 1 };
}`,
    { retry: { max: 5, base_ms: 800, max_ms: 800 } },
  );
  await asker(
    host,
    `try { await request('math.double', { n: 1 }, { timeoutMs: 200 }); } catch (error) { return { actions: [{ code: error.code }] }; }`,
  );
  const { body } = await host.event('ask');
  expect(body.actions).toEqual([{ code: 'NEIRA_DEADLINE' }]);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const { body: logs } = await host.call('GET', '/api/neira/plugins/doubler/logs');
  expect(JSON.stringify(logs)).not.toContain('done all the same');
  expect((await host.call('GET', '/api/neira/dead-letters')).body.dead_letters).toEqual([]);
});

test('the result goes out as the reply event of the command too, and has to fit its schema', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  const reply = {
    ...eventFiles('math.double.result@1', {
      type: 'object',
      required: ['n'],
      properties: { n: { type: 'number' } },
      additionalProperties: false,
    }),
    'events/math/double.result/v1/meta.yaml': 'kind: reply\nsummary: The doubled number\n',
  };
  await doubler(
    host,
    'export function handle(event) { return { result: event.payload.n > 9 ? 9 : { n: event.payload.n * 2 } }; }',
    {},
    reply,
  );
  await asker(
    host,
    `try { return { actions: [{ n: (await request('math.double', { n: event.payload.params.n })).n }] }; }
     catch (error) { return { actions: [{ code: error.code }] }; }`,
  );
  expect((await host.event('ask', { n: 4 })).body.actions).toEqual([{ n: 8 }]);
  expect((await host.event('ask', { n: 10 })).body.actions).toEqual([{ code: 'NEIRA_REPLY_INVALID' }]);
  const { body } = await host.call('GET', '/api/neira/events?subject=math.>');
  const named = (name: string) =>
    body.events.filter((event: { event_name: string }) => event.event_name === name);
  expect(named('math.double')).toHaveLength(2);
  expect(named('math.double.result')).toMatchObject([
    { source: 'plugin:doubler', payload: { n: 8 }, causation_id: named('math.double')[0].id },
  ]);
});

test('a circle of requests is refused, naming the way', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  await doubler(
    host,
    `import { request } from 'neira:host/bus';
export async function handle(event) {
  try { return { result: await request('math.double', { n: event.payload.n - 1 }) }; }
  catch (error) { return { result: error.message }; }
}`,
    { publishes: ['math.double@1'] },
  );
  await asker(host, `return { actions: [{ said: await request('math.double', { n: 3 }) }] };`);
  const { body } = await host.event('ask');
  expect(body.actions[0].said).toContain('asker → doubler → doubler');
});

test('a dry run asks dry: the answer is real, and nothing of either turn stays', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  await doubler(
    host,
    `export function handle(event) { append('done', event.payload.n); return { result: list('done/').length }; }`,
  );
  await asker(host, `return { actions: [{ n: await request('math.double', { n: 1 }) }] };`);
  for (let round = 0; round < 2; round++) {
    const { body } = await host.event('ask', {}, {}, { query: '?dry_run=1' });
    expect(body, JSON.stringify(body)).toMatchObject({ mode: 'dry-run', actions: [{ n: 1 }] });
  }
});
