import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootHost, COMPONENT_GATES, type TestHost } from '../../../test/kit/boot-host.ts';

const CHAT = `
import { saveMessage, saveAnnotation } from 'neira:host/storage';
export function handle({ payload: { params: { texts = [], marks = [], chat = 'c1', session = 's1' } } }) {
  const place = { chatId: chat, sessionId: session };
  for (const text of texts) saveMessage({ ...place, role: 'user', text });
  for (const label of marks) saveAnnotation({ ...place, kind: 'stroke', data: { label } });
}`;
const chat = {
  id: 'chat',
  permissions: { storage: ['write'] },
  ui: { buttons: [{ id: 'chat', title: 'C', event: 'chat.say' }] },
};
let host: TestHost;
const say = async (params: Record<string, unknown>) =>
  expect((await host.event('chat', params)).status).toBe(200);
const search = async (query: Record<string, string>) => {
  const { status, body } = await host.call('GET', `/api/neira/search?${new URLSearchParams(query)}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
};

beforeAll(async () => {
  host = await bootHost({ gates: [...COMPONENT_GATES, 'text_search'] });
  expect((await host.script(chat, CHAT)).status).toBe(201);
  const path = new URL('.', import.meta.url).pathname;
  const answer = await host.call('POST', '/api/neira/plugins', { path }, { query: '?enable=1&grant=all' });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
}, 30000);
afterAll(() => host.close());

test('x', async () => {
  await say({ texts: ['Купили свежего хлеба', 'Running in the rain'] });
  console.log(JSON.stringify(await search({ q: 'хлеб' })), JSON.stringify(await search({ q: 'runs' })));
  await new Promise((r) => setTimeout(r, 500));
  console.log(JSON.stringify(await search({ q: 'хлеб' })), JSON.stringify(await search({ q: 'runs' })));
  console.log(JSON.stringify((await host.call('GET', '/api/neira/plugins/text.search')).body.recent_errors));
});
