/** text.search in the real host, behind its gate, beside a plugin that talks (HOST-11, UIT-09). */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootHost, COMPONENT_GATES, type TestHost } from '../../../test/kit/boot-host.ts';

const CHAT = `
import { saveAnnotation, saveMessage } from 'neira:host/storage';
export function handle({ payload: { params: { texts = [], marks = [], chat = 'c1' } } }) {
  const place = { chatId: chat, sessionId: 's1' };
  for (const text of texts) saveMessage({ ...place, role: 'user', text });
  for (const label of marks) saveAnnotation({ ...place, kind: 'stroke', data: { label } });
}`;
const SAID = [
  'Купили свежего хлеба и молока',
  'Хлеб кончился',
  'Running in the rain',
  'She runs every morning',
  'Сверху лежит белая бумага',
];
const WAIT_MS = 15_000;
const POLL_MS = 100;

let host: TestHost;
const search = async (query: Record<string, string>) =>
  (await host.call('GET', `/api/neira/search?${new URLSearchParams(query)}`)).body;
const textsOf = async (query: Record<string, string>) => {
  const { results } = (await search(query)) as { results: { text?: string; data?: { label: string } }[] };
  return results.map(({ text, data }) => text ?? data?.label).sort();
};

/** What was saved is taken into the index by a later turn. */
async function found(query: Record<string, string>, count: number): Promise<void> {
  const until = Date.now() + WAIT_MS;
  for (;;) {
    const { results, answered_by } = await search(query);
    if (answered_by === 'text.search' && results.length === count) return;
    if (Date.now() > until) throw new Error(JSON.stringify({ answered_by, results }));
    await pause(POLL_MS);
  }
}

beforeAll(async () => {
  host = await bootHost({ gates: COMPONENT_GATES });
  const chat = {
    id: 'chat',
    permissions: { storage: ['write'] },
    ui: { buttons: [{ id: 'chat', title: 'Chat', event: 'chat.say' }] },
  };
  expect((await host.script(chat, CHAT)).status).toBe(201);
  // Said before there is an index: it catches up.
  expect((await host.event('chat', { texts: SAID.slice(0, 3) })).status).toBe(200);
  const registered = await host.call(
    'POST',
    '/api/neira/plugins',
    { catalog: 'text.search' },
    { query: '?enable=1&grant=all' },
  );
  expect([registered.status, registered.body.active]).toEqual([201, false]);
});
afterAll(() => host.close());

test('behind its locked gate it is not asked, and the host searches by itself', async () => {
  expect((await search({ q: 'хлеб' })).answered_by).toBeNull();
});

test('its gate open, it finds what was said before by other forms of the words', async () => {
  await host.open('text_search');
  expect((await host.event('chat', { texts: SAID.slice(3), marks: ['бумаги для рисунка'] })).status).toBe(
    200,
  );
  await found({ q: 'хлебом' }, 2);
  expect(await textsOf({ q: 'хлебом' })).toEqual([SAID[0], SAID[1]].sort());
  expect(await textsOf({ q: 'run' })).toEqual([SAID[2], SAID[3]].sort());
});

test('a phrase, a word that must not be there, a type, the beginning of a word', async () => {
  expect(await textsOf({ q: '"хлеб кончился"' })).toEqual([SAID[1]]);
  expect(await textsOf({ q: 'хлеб -молоко' })).toEqual([SAID[1]]);
  await found({ q: 'бумага' }, 2);
  expect(await textsOf({ q: 'бумага', type: 'annotation' })).toEqual(['бумаги для рисунка']);
  expect(await textsOf({ q: 'morn' })).toEqual([SAID[3]]);
});

test('a strange question is answered, and nothing of it breaks the next', async () => {
  for (const q of ['"', '-', '""""', '- -', '\u{1F600}', 'ы'.repeat(200), '" -" "a'])
    expect(Array.isArray((await search({ q })).results), q).toBe(true);
  expect(await textsOf({ q: 'run' })).toHaveLength(2);
});

test('disabled, it is not asked; enabled again, it has missed nothing', async () => {
  await host.call('POST', '/api/neira/plugins/text.search/disable');
  expect((await search({ q: 'run' })).answered_by).toBeNull();
  expect((await host.event('chat', { texts: ['They ran away'] })).status).toBe(200);
  await host.call('POST', '/api/neira/plugins/text.search/enable');
  await found({ q: 'away' }, 1);
});
