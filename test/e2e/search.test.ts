import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';

const CHAT = `
import { saveMessage } from 'neira:host/storage';
export function handle({ payload: { params: { texts, chat = 'c1' } } }) {
  for (const text of texts) saveMessage({ chatId: chat, sessionId: 's1', role: 'user', text });
}`;
/** Answers what it was told to, after keeping what it was asked. */
const FINDER = `
import { get, set } from 'neira:host/storage';
export function handle({ event_name, payload, source }) {
  if (event_name === 'finder.tell') return set('answer', payload.params);
  set('asked', { ...payload, source });
  const { value } = get('answer');
  if (value.spin) for (;;);
  if (value.error) throw new Error(value.error);
  return { result: value.result };
}`;

let host: TestHost;
const search = async (query: Record<string, string>) => {
  const { status, body } = await host.call('GET', `/api/neira/search?${new URLSearchParams(query)}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
};
const texts = ({ results }: { results: { text: string }[] }) => results.map(({ text }) => text);
const tell = async (params: Record<string, unknown>) =>
  expect((await host.event('finder', params)).status).toBe(200);
const finder = {
  id: 'finder',
  permissions: { storage: ['read', 'write'], bus: { subscribe: ['search.query'] } },
  subscribes: [{ event: 'search.query@1' }],
  limits: { turn_ms: 100, cpu_ms: 50 },
  retry: { max: 0 },
  ui: { buttons: [{ id: 'finder', title: 'F', event: 'finder.tell' }] },
};
const chat = {
  id: 'chat',
  permissions: { storage: ['write'] },
  ui: { buttons: [{ id: 'chat', title: 'C', event: 'chat.say' }] },
};

beforeAll(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
  expect((await host.script(chat, CHAT)).status).toBe(201);
  await host.event('chat', { texts: ['молоко', 'хлеб и молоко', 'хлеб'] });
  await host.event('chat', { texts: ['чужое молоко'], chat: 'c2' });
});
afterAll(() => host.close());

// UIT-10
test('without a plugin the host answers, and says so', async () => {
  expect(await search({ q: 'молоко' })).toMatchObject({ answered_by: null, next: null });
  expect(texts(await search({ q: 'молоко', chat: 'c1' }))).toEqual(['молоко', 'хлеб и молоко']);
});

test('the host ranks too, and pages by score count hits', async () => {
  const first = await search({ q: 'молоко', order: 'score', limit: '2' });
  expect(texts(first)).toEqual(['молоко', 'чужое молоко']);
  expect(first.next).toBe(2);
  const rest = await search({ q: 'молоко', order: 'score', limit: '2', after: '2' });
  expect([texts(rest), rest.next]).toEqual([['хлеб и молоко'], null]);
});

describe('with a plugin that answers search.query@1', () => {
  beforeAll(async () => expect((await host.script(finder, FINDER)).status).toBe(201));
  beforeEach(() => tell({ result: { hits: [], next: null } }));

  test('the plugin says which records, and their lines come from the store', async () => {
    const hits = [
      { number: 3, score: 2, highlight: ['хлеб'] },
      { number: 1, score: 1 },
    ];
    await tell({ result: { hits, next: 7 } });
    const found = await search({ q: 'еда', order: 'score', limit: '2', after: '0' });
    expect(texts(found)).toEqual(['хлеб', 'молоко']);
    expect(found).toMatchObject({
      answered_by: 'finder',
      next: 7,
      hits: [
        { score: 2, highlight: ['хлеб'] },
        { score: 1, highlight: [] },
      ],
    });
    const asked = { query: '?dry_run=1' };
    expect((await host.event('finder', {}, {}, asked)).status).toBe(200);
    const { body } = await host.call('GET', '/api/neira/events?subject=search.query&limit=1000');
    expect(body.events.at(-1)).toMatchObject({
      source: 'host',
      payload: { q: 'еда', order: 'score', limit: 2, after: 0 },
    });
  });

  test('by time its hits are put in order', async () => {
    await tell({ result: { hits: [{ number: 3 }, { number: 1 }], next: null } });
    expect(texts(await search({ q: 'еда' }))).toEqual(['молоко', 'хлеб']);
  });

  // HOST-12: what a plugin says is not trusted.
  test('what was not asked for, is not there or comes twice is not shown', async () => {
    const hits = [{ number: 4 }, { number: 99 }, { number: 2 }, { number: 2 }, { number: 1 }];
    await tell({ result: { hits, next: null } });
    expect(texts(await search({ q: 'x', chat: 'c1', after: '1' }))).toEqual(['хлеб и молоко']);
    expect(texts(await search({ q: 'x', type: 'annotation' }))).toEqual([]);
    expect(texts(await search({ q: 'x', limit: '1' }))).toEqual(['молоко']);
  });

  test.each([
    ['throws', { error: 'не сейчас' }],
    ['never ends', { spin: true }],
    ['answers nothing', {}],
    ['answers another shape', { result: { hits: [{ number: 'all' }], next: null } }],
    ['answers no record', { result: { hits: [{ number: -1 }], next: null } }],
  ])('the host answers when it %s', async (_what, answer) => {
    await tell(answer);
    const found = await search({ q: 'молоко', chat: 'c1' });
    expect([texts(found), found.answered_by]).toEqual([['молоко', 'хлеб и молоко'], null]);
  });

  test('nothing of a request stays behind', async () => {
    await search({ q: 'молоко' });
    const { DatabaseSync } = await import('node:sqlite');
    const db = new DatabaseSync(`${host.home}/neira.db`, { readOnly: true });
    const open = () => db.prepare('select count(*) as count from request').get()!['count'];
    await expect.poll(open).toBe(0);
    db.close();
  });

  test('disabled, locked or gone, it is not asked', async () => {
    expect((await search({ q: 'молоко' })).answered_by).toBe('finder');
    await host.call('POST', '/api/neira/plugins/finder/disable');
    expect((await search({ q: 'молоко' })).answered_by).toBeNull();
    await host.call('POST', '/api/neira/plugins/finder/enable');
    expect((await search({ q: 'молоко' })).answered_by).toBe('finder');
    await host.call('PUT', '/api/neira/gates/runtime_scripting', { stage: 'locked', force: true });
    expect((await search({ q: 'молоко' })).answered_by).toBeNull();
    await host.call('PUT', '/api/neira/gates/runtime_scripting', { stage: 'experimental', force: true });
    await host.call('DELETE', '/api/neira/plugins/finder');
    expect((await search({ q: 'молоко' })).answered_by).toBeNull();
  });
});
