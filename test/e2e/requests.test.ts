import { expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';

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

async function doubler(host: TestHost, body: string, more: Record<string, unknown> = {}) {
  const answer = await host.script(
    {
      id: 'doubler',
      permissions: { storage: ['read', 'write'] },
      subscribes: [{ event: 'math.double@1' }],
      retry: { max: 0 },
      ...more,
    },
    { 'main.ts': `import { append, list } from 'neira:host/storage';\n${body}`, ...MATH },
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
  // The one that should answer asks itself first, and so never gets to it in time.
  await doubler(
    host,
    `import { request } from 'neira:host/bus';
export async function handle(event) { append('done', 1); await request('math.slow', {}, { timeoutMs: 5000 }); return { result: 1 }; }`,
    {
      publishes: ['math.slow@1'],
      subscribes: [{ event: 'math.double@1' }],
    },
  );
  const slow = await host.script(
    { id: 'slow', subscribes: [{ event: 'math.slow@1' }], gate: 'annotations_pencil' },
    {
      'main.ts': 'export function handle() { return { result: 1 }; }',
      'events/math_slow/x/v1/skip.txt': '',
    },
  );
  expect([201, 422]).toContain(slow.status);
  await asker(
    host,
    `try { await request('math.double', { n: 1 }, { timeoutMs: 300 }); } catch (error) { return { actions: [{ code: error.code }] }; }`,
  );
  const { body } = await host.event('ask');
  expect(['NEIRA_DEADLINE', 'NEIRA_COMMAND_UNHANDLED', 'NEIRA_EVENT_UNREGISTERED']).toContain(
    body.actions[0].code,
  );
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
