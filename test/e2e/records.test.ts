import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';

const CHAT = `
import { saveMessage } from 'neira:host/storage';
import { markPersonal } from 'neira:host/io';
export function handle({ payload: { params } }) {
  if (params.personal) markPersonal(params.personal);
  for (const text of params.texts)
    saveMessage({ chatId: params.chat ?? 'c1', sessionId: 's1', role: 'user', text });
}`;
/** Keeps what it hears of, and up to where it has read. */
const READER = `
import { append, get, records, set } from 'neira:host/storage';
import { log } from 'neira:host/io';
export function handle({ event_name, payload, correlation_id, causation_id, source }) {
  if (event_name === 'record.saved') append('heard', { ...payload, source, cause: causation_id, correlation_id });
  const after = get('cursor')?.value ?? 0;
  const page = records({ after, limit: 2 });
  for (const { number, text } of page) {
    append('read', text);
    log('info', 'read ' + text);
    set('cursor', number);
  }
  return { actions: [{ type: 'page', texts: page.map(({ text }) => text) }] };
}`;

let host: TestHost;
const chat = (id: string) => ({
  id,
  permissions: { storage: ['write'] },
  ui: { buttons: [{ id, title: id, event: `${id}.say` }] },
});
const reader = (id: string, changes: object = {}) => ({
  id,
  permissions: { storage: ['read', 'write'], records: ['read'], bus: { subscribe: ['record.saved'] } },
  subscribes: [{ event: 'record.saved@1', key: '$.tenant' }],
  ui: { buttons: [{ id, title: id, event: `${id}.read` }] },
  ...changes,
});
const register = async (manifest: { id: string }, source: string) =>
  expect((await host.script(manifest, source)).status).toBe(201);
const say = async (tool: string, params: object) => {
  const { status, body } = await host.event(tool, params as Record<string, unknown>);
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
};
const savedEvents = async () =>
  (await host.call('GET', '/api/neira/events?subject=record.saved&limit=1000')).body.events as {
    payload: Record<string, unknown>;
    causation_id: string;
    correlation_id: string;
  }[];

beforeAll(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
  await register(chat('chat'), CHAT.trim());
});
afterAll(() => host.close());

test('without a subscriber a turn that saves publishes nothing', async () => {
  await say('chat', { texts: ['никто не слышит'] });
  expect(await savedEvents()).toEqual([]);
});

// UIT-09, BUS-14
test('one event tells of all that a turn saved, and of nothing that it says', async () => {
  await register(reader('ear'), READER);
  const { event_id } = await say('chat', { texts: ['раз', 'два', 'три'] });
  const [event, ...others] = await savedEvents();
  expect(others).toEqual([]);
  expect(event).toMatchObject({
    event_name: 'record.saved',
    source: 'host',
    causation_id: event_id,
    correlation_id: event_id,
    payload: { plugin: 'chat', count: 3, places: [{ type: 'message', chat_id: 'c1', session_id: 's1' }] },
  });
  const { first, last } = event!.payload as { first: number; last: number };
  expect(last - first).toBe(2);
  expect(JSON.stringify(event)).not.toContain('раз');
});

test('a plugin is not told of what it saved itself, so that no answer answers itself', async () => {
  const before = (await savedEvents()).length;
  const source = `
import { saveMessage } from 'neira:host/storage';
export function handle({ event_name }) {
  saveMessage({ chatId: 'c1', sessionId: 's1', role: 'echo', text: event_name });
}`;
  const manifest = {
    ...chat('echo'),
    permissions: { storage: ['write'], bus: { subscribe: ['record.saved'] } },
    subscribes: [{ event: 'record.saved@1' }],
  };
  await register(manifest, source);
  await say('chat', { texts: ['эхо'] });
  // One for the message, one for the answer of the echo, which the ear hears and the echo does not.
  await expect.poll(async () => (await savedEvents()).length).toBe(before + 2);
  expect((await savedEvents()).at(-1)!.payload['plugin']).toBe('echo');
  await host.call('POST', '/api/neira/plugins/echo/disable');
});

// HOST-17, HOST-24
test('records are denied to who did not ask, to whom they were not granted', async () => {
  const unasked = { storage: ['read', 'write'] };
  await register(reader('unasked', { permissions: unasked, subscribes: [] }), READER);
  expect((await host.event('unasked')).body).toMatchObject({
    code: 'NEIRA_PERMISSION_DENIED',
    permission: 'records.read',
    missing: 'asked',
  });
  expect((await host.script(reader('ungranted', { subscribes: [] }), READER, '?enable=1')).status).toBe(201);
  const { body } = await host.call('GET', '/api/neira/plugins/ungranted');
  expect(body.pending_consent).toContain('records.read');
  const permissions = { storage: ['read', 'write'] };
  await host.call('PUT', '/api/neira/plugins/ungranted/grants', { permissions });
  const refused = await host.event('ungranted');
  expect(refused.body).toMatchObject({ permission: 'records.read', missing: 'granted' });
});

test('what its author called personal is personal to whoever reads it', async () => {
  await say('chat', { texts: ['звонила Ада Лавлейс'], personal: 'Ада Лавлейс' });
  await expect
    .poll(async () => {
      const { body } = await host.call('GET', '/api/neira/plugins/ear/logs?limit=1000');
      return body.lines.map(({ message }: { message: string }) => message).join();
    })
    .toContain('[personal]');
  const { body } = await host.call('GET', '/api/neira/plugins/ear/logs?limit=1000');
  expect(JSON.stringify(body)).not.toContain('Лавлейс');
});

// HOST-30: a replay is told what the turn was told, whatever was saved since.
test('a turn that read records replays exactly after others were saved', async () => {
  await register(reader('again', { subscribes: [] }), READER);
  await say('again', {});
  await say('chat', { texts: ['позже'] });
  const { body } = await host.call('GET', '/api/neira/turns?plugin=again&limit=10');
  const [{ id }] = body.turns;
  const replay = await host.call('POST', `/api/neira/turns/${encodeURIComponent(id)}/replay`, {});
  expect(replay.body, JSON.stringify(replay.body)).toMatchObject({ same: true, comparable: true });
});
