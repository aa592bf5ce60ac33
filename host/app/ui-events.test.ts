import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bootHost, type TestHost } from '../../test/kit/boot-host.ts';

const ECHO = `
import { saveAnnotation } from 'neira:host/storage';
export function handle(event) {
  const { context } = event.payload;
  if (context.chat_id) saveAnnotation({ chatId: context.chat_id, sessionId: context.session_id ?? 's', kind: 'k', data: null });
  return { actions: [{ type: 'echo', event }] };
}`;
const MANIFEST = {
  id: 'echo',
  permissions: { storage: ['write'] },
  ui: {
    buttons: [
      { id: 'echo', title: 'Echo', event: 'echo.said', params_schema: { color: 'string?', size: 'int' } },
    ],
  },
};
const GOOD = { size: 1 };
let host: TestHost;

beforeEach(async () => {
  host = await bootHost();
});
afterEach(() => host.close());

const post = (body: unknown, options = {}) => host.call('POST', '/api/neira/ui/events', body, options);
const event = (params: unknown = GOOD, context: unknown = {}, options = {}) =>
  post({ tool_id: 'echo', event: 'echo.said', params, context }, options);
const journal = async () =>
  (await host.call('GET', '/api/neira/journal?limit=1000')).body.entries as {
    action: string;
    target: string;
    after: Record<string, unknown>;
  }[];
const openAll = async () => {
  await host.open('runtime_scripting', 'ui_tools_registry');
  expect((await host.script(MANIFEST, ECHO)).status).toBe(201);
};

// HOST-41
describe('while a gate is locked', () => {
  test('every well-formed event is recorded and journaled and runs nothing, whether its tool is known or not', async () => {
    const answer = await event({ anything: true });
    expect(answer).toMatchObject({
      status: 200,
      body: { mode: 'dry-run', ran: false, actions: [], reason: expect.stringMatching(/gate/) },
    });
    const { body } = await host.call('GET', '/api/neira/events?subject=echo.said');
    expect(body.events).toMatchObject([
      {
        id: answer.body.event_id,
        payload: { tool_id: 'echo', params: { anything: true } },
      },
    ]);
    expect(body.places).toMatchObject([{ disposition: 'dry-run' }]);
    expect((await journal()).at(-1)).toMatchObject({
      action: 'ui.event.dry-run',
      target: 'echo',
      after: { event_id: answer.body.event_id },
    });
  });

  test('a resend under the same key is recorded once', async () => {
    const headers = { 'idempotency-key': 'one' };
    const [first, second] = [await event(GOOD, {}, { headers }), await event(GOOD, {}, { headers })];
    expect(second.body).toEqual(first.body);
    expect((await host.call('GET', '/api/neira/events?subject=echo.said')).body.events).toHaveLength(1);
  });

  test('each of the gates is enough to hold it, and the last one lets it run', async () => {
    await openAll();
    expect((await event()).body).toMatchObject({ mode: 'executed', ran: true });
    for (const gate of ['runtime_scripting', 'ui_tools_registry']) {
      await host.call('PUT', `/api/neira/gates/${gate}`, { stage: 'locked' });
      expect((await event()).body, gate).toMatchObject({ mode: 'dry-run', ran: false });
      await host.open(gate);
    }
    expect((await event()).body).toMatchObject({ mode: 'executed', ran: true });
  });
});

describe('with open gates', () => {
  beforeEach(openAll);

  test('the plugin gets the sealed envelope: source, tenant and ids are those of the host', async () => {
    const { body } = await event(
      { size: 2, source: 'forged', points: [[1, 2]] },
      { chat_id: 'c', session_id: 's', tenant: 'forged' },
    );
    const seen = body.actions[0].event;
    expect(seen).toMatchObject({
      id: body.event_id,
      event_name: 'echo.said',
      version: 1,
      source: 'ui:admin',
      correlation_id: body.event_id,
      causation_id: null,
      tenant: 'default',
      payload: { tool_id: 'echo', params: { size: 2, source: 'forged', points: [[1, 2]] } },
    });
    expect(Math.abs(Date.parse(seen.ts) - Date.now())).toBeLessThan(5000);
  });

  test('an unknown tool is 404, an event that is not the tool’s and params that do not fit are 422 with their paths', async () => {
    expect((await post({ tool_id: 'nobody', event: 'a.b', params: {}, context: {} })).status).toBe(404);
    expect(await post({ tool_id: 'echo', event: 'other.event', params: GOOD, context: {} })).toMatchObject({
      status: 422,
      body: { errors: [{ path: 'event' }] },
    });
    expect(await event({ size: 'big', color: 5 })).toMatchObject({
      status: 422,
      body: { code: 'NEIRA_INVALID' },
    });
    const { body } = await event({});
    expect(JSON.stringify(body.errors)).toContain('size');
  });

  // UIT-09
  test.each(['..', '.', '../x', 'a/b', 'a\\b', '', 'x'.repeat(129), 'a\u0000', 'a b', 5, null])(
    'an id in the context that could be a path is 422: %j',
    async (id) => {
      for (const field of ['chat_id', 'session_id', 'other_id'])
        expect((await event(GOOD, { chat_id: 'c', [field]: id })).status, field).toBe(422);
      expect(
        existsSync(path.join(host.home, 'context')) ? readdirSync(path.join(host.home, 'context')) : [],
      ).toEqual([]);
    },
  );

  test('an empty or absent context is fine', async () => {
    expect((await event(GOOD, {})).body.mode).toBe('executed');
    expect((await post({ tool_id: 'echo', event: 'echo.said', params: GOOD })).body.mode).toBe('executed');
  });

  test('params that nest without end are refused or run, and are no mistake of the host', async () => {
    for (const depth of [500, 20_000]) {
      const params = `{"size":1,"deep":${'['.repeat(depth)}${']'.repeat(depth)}}`;
      const response = await fetch(`${host.url}/api/neira/ui/events`, {
        method: 'POST',
        headers: { authorization: `Bearer ${host.token}`, 'content-type': 'application/json' },
        body: `{"tool_id":"echo","event":"echo.said","params":${params},"context":{}}`,
      });
      const { code } = (await response.json()) as { code?: string };
      expect(code, `${depth}: ${response.status}`).not.toBe('NEIRA_INTERNAL');
    }
  });

  test('a dry run shows the planned effects and keeps none of them', async () => {
    const { body } = await event(GOOD, { chat_id: 'dry', session_id: 's' }, { query: '?dry_run=1' });
    expect(body).toMatchObject({
      mode: 'dry-run',
      ran: true,
      actions: [{ type: 'echo' }],
      planned: [{ op: 'record', type: 'annotation' }],
    });
    expect((await host.call('GET', '/api/neira/search?chat=dry')).body.results).toEqual([]);
    expect(existsSync(path.join(host.home, 'context/dry'))).toBe(false);
    expect((await host.call('GET', '/api/neira/events?subject=echo.said')).body.events).toEqual([]);
  });

  test('a disabled plugin’s tool is refused with the reason', async () => {
    await host.call('POST', '/api/neira/plugins/echo/disable');
    expect(await event()).toMatchObject({
      status: 409,
      body: { code: 'NEIRA_PLUGIN_INACTIVE', detail: expect.stringMatching(/disabled/) },
    });
  });

  test('in safe mode a plugin that writes does not run for who may only write', async () => {
    const { body: made } = await host.call('POST', '/api/neira/tokens', { name: 'w', scopes: ['write'] });
    await host.call('PUT', '/api/neira/mode', { mode: 'safe' });
    const answer = await event(GOOD, { chat_id: 'safe' }, { token: made.token });
    expect(answer.body.mode ?? answer.body.code).not.toBe('executed');
    expect((await host.call('GET', '/api/neira/search?chat=safe')).body.results).toEqual([]);
  });
});
