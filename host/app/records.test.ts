import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../../test/kit/boot-host.ts';

const NOTES = `
import { saveAnnotation, saveMessage } from 'neira:host/storage';
export function handle({ payload: { params, context } }) {
  const place = { chatId: context.chat_id, sessionId: context.session_id };
  const id = params.kind ? saveAnnotation({ ...place, kind: params.kind, data: params.data ?? null }) : saveMessage({ ...place, role: params.role ?? 'user', text: params.text });
  return { actions: [{ type: 'saved', id }] };
}`;
const MANIFEST = {
  id: 'notes',
  permissions: { storage: ['write'] },
  ui: { buttons: [{ id: 'note', title: 'Note', event: 'notes.add' }] },
};

let host: TestHost;
const context = { chat_id: 'чат-1', session_id: 's-1' };

async function save(params: Record<string, unknown>, place: object = context): Promise<string> {
  const { status, body } = await host.event('note', params, place);
  expect(status, JSON.stringify(body)).toBe(200);
  return body.actions[0].id;
}

const query = (values: Record<string, string | number>) =>
  `?${new URLSearchParams(Object.entries(values).map(([name, value]) => [name, String(value)]))}`;
const search = async (values: Record<string, string | number>, on = host) =>
  (await on.call('GET', `/api/neira/search${query(values)}`)).body;
const found = async (values: Record<string, string | number>) =>
  ((await search(values)).results as { id: string }[]).map(({ id }) => id);

beforeAll(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
  expect((await host.script(MANIFEST, NOTES)).status).toBe(201);
});
afterAll(() => host.close());

// UIT-10
describe('search and export', () => {
  test('messages and annotations are found by the same call, and told apart by their type', async () => {
    const message = await save({ text: 'Купить молоко и хлеб' });
    const annotation = await save({ kind: 'stroke', data: { label: 'молоко', points: [[1, 2]] } });
    expect((await found({ q: 'молоко' })).sort()).toEqual([message, annotation].sort());
    expect(await found({ q: 'молоко', type: 'message' })).toEqual([message]);
    expect(await found({ q: 'молоко', type: 'annotation' })).toEqual([annotation]);
    expect(await found({ q: 'молоко', chat: 'чат-1' })).toHaveLength(2);
    expect(await found({ q: 'молоко', chat: 'чат-2' })).toEqual([]);
    expect(await found({ q: 'кефир' })).toEqual([]);
  });

  test('Russian is found in any case, with ё as е', async () => {
    const id = await save({ text: 'ЁЛКА стоит в Углу' });
    for (const q of ['ёлка', 'ЕЛКА', 'елка', 'углу', 'УГЛУ стоит'])
      expect(await found({ q }), q).toEqual([id]);
  });

  test.each([
    '"',
    "'",
    '*',
    'a OR b',
    'NEAR(',
    '(',
    '-x',
    'text:x',
    'молоко"',
    '\\',
    '%',
    'x'.repeat(500),
    '^',
    'a AND',
  ])('what a query language would take for a command is only text: %s', async (q) => {
    expect((await host.call('GET', `/api/neira/search${query({ q })}`)).status).toBeLessThan(423);
  });

  test('pages lead through all of it, each line once', async () => {
    const place = { chat_id: 'paged', session_id: 's' };
    const saved: string[] = [];
    for (let n = 0; n < 25; n++) saved.push(await save({ text: `page ${n}` }, place));
    const seen: string[] = [];
    for (let after: number | null = 0; after !== null; ) {
      const page: { results: { id: string }[]; next: number | null } = await search({
        chat: 'paged',
        limit: 10,
        after,
      });
      seen.push(...page.results.map(({ id }) => id));
      after = page.next;
    }
    expect(seen.sort()).toEqual(saved.sort());
  });

  test('the export is the lines of the files, filtered the same way', async () => {
    const place = { chat_id: 'exported', session_id: 's' };
    await save({ text: 'первое\nвторое' }, place);
    await save({ kind: 'mark', data: 'третье' }, place);
    const exported = async (type: string) =>
      (await host.call('GET', `/api/neira/export${query({ chat: 'exported', ...(type && { type }) })}`)).body;
    const file = (kind: string) =>
      readFileSync(path.join(host.home, `context/exported/s.${kind}.ndjson`), 'utf8');
    expect(await exported('annotation')).toBe(file('annotations'));
    expect(await exported('message')).toBe(file('messages'));
    expect((await exported('')).trimEnd().split('\n')).toHaveLength(2);
    expect((await host.call('GET', `/api/neira/export${query({ chat: 'nobody' })}`)).body).toBe('');
  });

  test('a type that is none is refused', async () => {
    for (const where of ['search', 'export'])
      expect((await host.call('GET', `/api/neira/${where}?type=secret`)).status).toBe(422);
  });

  test('search answers as NDJSON when asked to', async () => {
    const { body, headers } = await host.call('GET', '/api/neira/search?chat=paged', undefined, {
      headers: { accept: 'application/x-ndjson' },
    });
    expect(headers.get('content-type')).toContain('ndjson');
    expect(body.trimEnd().split('\n')).toHaveLength(25);
  });
});

describe('events', () => {
  const read = async (values: Record<string, string | number>) =>
    (await host.call('GET', `/api/neira/events${query(values)}`)).body;
  const events = async (values: Record<string, string | number>) => (await read(values)).events;

  test('are listed by subject, oldest first, with what became of them', async () => {
    const before = new Date(Date.now() - 1).toISOString();
    await host.event('note', { text: 'one' }, context);
    await host.event('note', { text: 5 }, context);
    const { events: listed, places } = await read({ subject: 'notes.add', since: before, limit: 1000 });
    expect(listed.slice(-2)).toMatchObject([
      {
        event_name: 'notes.add',
        payload: { params: { text: 'one' }, tool_id: 'note' },
        source: 'ui:admin',
      },
      { payload: { params: { text: 5 } } },
    ]);
    expect(places.slice(-2)).toMatchObject([{ disposition: 'executed' }, { disposition: 'failed' }]);
    const seqs: number[] = places.map(({ seq }: { seq: number }) => seq);
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    expect(await events({ subject: 'nothing.at.all' })).toEqual([]);
    expect(await events({ since: '2100-01-01T00:00:00Z' })).toEqual([]);
    expect(await events({ subject: 'notes.add', limit: 2 })).toHaveLength(2);
  });

  test('a time that is none, or a limit that is none, is refused', async () => {
    for (const odd of ['since=yesterday', 'limit=0', 'limit=x', 'limit=-1'])
      expect((await host.call('GET', `/api/neira/events?${odd}`)).status, odd).toBe(422);
  });
});

// HOST-42
test('a backup opens as a home of its own, with all that was acknowledged before it', async () => {
  const place = { chat_id: 'backup', session_id: 's' };
  const kept = await save({ text: 'до копии' }, place);
  const { status, body } = await host.call('POST', '/api/neira/backup');
  expect([status, body.bytes > 0]).toEqual([201, true]);
  expect(path.dirname(body.path)).toBe(path.join(host.home, 'backups'));
  await save({ text: 'после копии' }, place);
  const { body: journal } = await host.call('GET', '/api/neira/journal?limit=1000');
  expect(journal.entries.at(-1)).toMatchObject({ action: 'backup.made', actor: 'admin' });

  const home = mkdtempSync(path.join(tmpdir(), 'neira-restored-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  copyFileSync(body.path, path.join(home, 'neira.db'));
  await using restored = await bootHost({ home });
  const { results } = await search({ chat: 'backup' }, restored);
  expect(results).toMatchObject([{ id: kept, text: 'до копии' }]);
  // Its files are written anew from its rows, and its plugins are those of the copy.
  expect(
    readFileSync(path.join(home, 'context/backup/s.messages.ndjson'), 'utf8').trimEnd().split('\n'),
  ).toHaveLength(1);
  expect((await restored.call('GET', '/api/neira/plugins/notes')).body).toMatchObject({
    id: 'notes',
    state: 'enabled',
  });
  expect(
    (await restored.call('GET', '/api/neira/gates')).body.gates.find(
      ({ id }: { id: string }) => id === 'runtime_scripting',
    ).stage,
  ).toBe('experimental');
});

describe('mode', () => {
  test('is kept over restarts, and --safe boots into it and stays', async () => {
    const home = mkdtempSync(path.join(tmpdir(), 'neira-mode-'));
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    const modeAfter = async (env: Record<string, string>, set?: string) => {
      await using running = await bootHost({ home, env });
      const { body } = await running.call('GET', '/api/neira/mode');
      if (set) expect((await running.call('PUT', '/api/neira/mode', { mode: set })).status).toBe(200);
      expect((await running.call('GET', '/healthz')).body.mode).toBe(set ?? body.mode);
      return body;
    };
    expect(await modeAfter({})).toMatchObject({ mode: 'normal' });
    expect(await modeAfter({ NEIRA_SAFE_MODE: '1' })).toMatchObject({
      mode: 'safe',
      reason: expect.stringContaining('--safe'),
    });
    expect(await modeAfter({}, 'normal')).toMatchObject({ mode: 'safe' });
    expect(await modeAfter({}, 'safe')).toMatchObject({ mode: 'normal' });
    expect(await modeAfter({})).toMatchObject({ mode: 'safe' });
  });

  test('setting the mode that it is in changes and journals nothing', async () => {
    const entries = async () => (await host.call('GET', '/api/neira/journal?limit=1000')).body.entries.length;
    const before = await entries();
    expect((await host.call('PUT', '/api/neira/mode', { mode: 'normal' })).status).toBe(200);
    expect(await entries()).toBe(before);
  });
});
