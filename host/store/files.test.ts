import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from './store.ts';
import { commit, filesIn, linesOf, note, openTemp, tempHome, turn, WRITER } from './test-store.ts';

const FILE = 'context/chat/session.annotations.ndjson';
const line = (id: string, text = '') => JSON.stringify({ id, text });

/** A closed home with three lines in one file. */
async function homeWithLines(): Promise<string> {
  const home = tempHome();
  const store = await openStore({ writer: WRITER, home, durability: 'process' });
  for (const id of ['1', '2', '3']) await commit(store, turn([note(id)]));
  await store.close();
  expect(linesOf(home, FILE)).toEqual(['1', '2', '3'].map((id) => line(id)));
  return home;
}

/** What the process would have left had it died before the files were fsynced. */
function forgetWatermarks(home: string, synced = 0): void {
  const db = new DatabaseSync(join(home, 'neira.db'));
  db.prepare('update file set synced = ?, mtime_ms = null').run(synced);
  db.close();
}

async function reopened(home: string) {
  const store = await openStore({ writer: WRITER, home, durability: 'process' });
  onTestFinished(() => store.close());
  return store;
}

test('annotations and messages of a session lie in files of their own, one line each', async () => {
  const store = await openTemp();
  const message = { ...note('m', 'привет'), type: 'message' } as never;
  await Promise.all([store.submit(turn([note('a'), note('b')])), store.submit(turn([message, note('c')]))]);
  expect(linesOf(store.home, FILE)).toEqual(['a', 'b', 'c'].map((id) => line(id))); // UIT-09
  expect(linesOf(store.home, 'context/chat/session.messages.ndjson')).toEqual([line('m', 'привет')]);
});

test.each([0, 1, 9, 22, 23, 50])(
  'a tail that was cut off to %i bytes is written again in place',
  async (bytes) => {
    const home = await homeWithLines();
    forgetWatermarks(home);
    truncateSync(join(home, FILE), bytes);
    const store = await reopened(home);
    expect(linesOf(home, FILE)).toEqual(['1', '2', '3'].map((id) => line(id)));
    expect(filesIn(home, 'context/chat')).toHaveLength(1);
    expect(store.journal(undefined, 10)).toEqual([]);
  },
);

test('zeros where the power failed are written again in place', async () => {
  const home = await homeWithLines();
  forgetWatermarks(home, 5);
  const bytes = readFileSync(join(home, FILE));
  writeFileSync(join(home, FILE), bytes.fill(0, 20, 40));
  await reopened(home);
  expect(linesOf(home, FILE)).toEqual(['1', '2', '3'].map((id) => line(id)));
  expect(filesIn(home, 'context/chat')).toHaveLength(1);
});

test('a file that is gone is written again', async () => {
  const home = await homeWithLines();
  rmSync(join(home, 'context'), { recursive: true });
  await reopened(home);
  expect(linesOf(home, FILE)).toHaveLength(3);
});

const edits: [string, (path: string) => void][] = [
  ['a line was added', (path) => appendFileSync(path, '{"id":"mine"}\n')],
  [
    'a letter was changed and the size kept',
    (path) => writeFileSync(path, readFileSync(path, 'utf8').replace('"2"', '"7"')),
  ],
  ['lines were taken out', (path) => truncateSync(path, 10)],
  [
    'it was replaced by a link',
    (path) => {
      renameSync(path, `${path}.elsewhere`);
      symlinkSync(`${path}.elsewhere`, path);
    },
  ],
];

test.each(edits)(
  'a file that differs from its rows is set aside, journaled and rewritten: %s',
  async (_what, edit) => {
    const home = await homeWithLines();
    edit(join(home, FILE));
    const edited = readFileSync(join(home, FILE), 'utf8');
    const store = await reopened(home);
    expect(linesOf(home, FILE)).toEqual(['1', '2', '3'].map((id) => line(id)));
    const aside = filesIn(home, 'context/chat').find((name) => name.includes('.set-aside-'))!;
    expect(readFileSync(join(home, 'context/chat', aside), 'utf8')).toBe(edited);
    expect(store.journal(undefined, 10)).toMatchObject([
      { actor: 'host', action: 'file.set_aside', target: FILE, after: `context/chat/${aside}` },
    ]);
    await commit(store, turn([note('4')]));
    expect(linesOf(home, FILE)).toHaveLength(4);
  },
);

test('a file that was only touched is left alone', async () => {
  const home = await homeWithLines();
  utimesSync(join(home, FILE), 1000, 1000);
  const inode = statSync(join(home, FILE)).ino;
  await reopened(home);
  expect(statSync(join(home, FILE)).ino).toBe(inode);
  expect(filesIn(home, 'context/chat')).toHaveLength(1);
});

test('a file that is edited or removed while the host runs is mended at the next line', async () => {
  const store = await openTemp();
  await commit(store, turn([note('1')]));
  appendFileSync(join(store.home, FILE), 'scribble\n');
  await commit(store, turn([note('2')]));
  expect(linesOf(store.home, FILE)).toEqual([line('1'), line('2')]);
  expect(store.journal(undefined, 10)).toMatchObject([{ action: 'file.set_aside' }]);
  rmSync(join(store.home, FILE));
  await commit(store, turn([note('3')]));
  expect(linesOf(store.home, FILE)).toEqual([line('1'), line('2'), line('3')]);
});

test.each([
  '',
  '.',
  '..',
  '...',
  '../x',
  'a/b',
  'a\\b',
  '/etc',
  'a\0b',
  'a b',
  'a\nb',
  '~x',
  '😀',
  'a'.repeat(129),
  null,
  7,
])('the id %j never becomes a file: the turn fails and keeps nothing', async (id) => {
  const store = await openTemp();
  const before = turn([note('ok', '', { chatId: 'fine', sessionId: 'fine' })]);
  await commit(store, before);
  for (const place of [{ chatId: id }, { sessionId: id }]) {
    const record = turn([note('bad', 'word', place as never)]);
    const ack = await commit(store, record);
    expect(ack.outcome).toMatchObject({ status: 'failed', error: { code: 'NEIRA_VALUE_INVALID' } });
  }
  expect(filesIn(store.home, 'context')).toEqual(['fine']);
  expect(store.search({}).map((found) => found.id)).toEqual(['ok']);
});

test('ids in any script and of any allowed length have a file of their own', async () => {
  const store = await openTemp();
  const long = 'ы'.repeat(127);
  const ids = ['чат-1', '日本', 'a.b_c-d', '..a', `${long}1`, `${long}2`, '𠀀'.repeat(128)];
  for (const id of ids) await commit(store, turn([note('n', id, { chatId: id, sessionId: id })]));
  for (const id of ids) expect(store.search({ chat: id })).toHaveLength(1);
  expect(filesIn(store.home, 'context')).toHaveLength(ids.length);
  expect(linesOf(store.home, 'context/чат-1/чат-1.annotations.ndjson')).toHaveLength(1);
});

test('nothing is written through a chat folder that is a symbolic link', async () => {
  const outside = tempHome();
  const store = await openTemp();
  mkdirSync(join(store.home, 'context'));
  symlinkSync(outside, join(store.home, 'context/chat'));
  const ack = await commit(store, turn([note('1')]));
  expect(ack.outcome).toMatchObject({ status: 'failed', error: { code: 'NEIRA_STORE_FAILED' } });
  expect(filesIn(outside, '.')).toEqual([]);
});

test('a folder that became a link is reported, kept out of, and mended when it is a folder again', async () => {
  const home = await homeWithLines();
  const outside = tempHome();
  renameSync(join(home, 'context/chat'), join(home, 'kept'));
  symlinkSync(outside, join(home, 'context/chat'));
  const store = await reopened(home);
  const problems: string[] = [];
  store.onProblem(({ what }) => problems.push(what));
  expect(problems).toMatchObject([expect.stringContaining(FILE)]);
  expect(filesIn(outside, '.')).toEqual([]);
  rmSync(join(home, 'context/chat'));
  await expect.poll(() => existsSync(join(home, FILE)), { timeout: 5000 }).toBe(true);
  expect(linesOf(home, FILE)).toHaveLength(3);
});

test('more sessions than the host keeps open are written as well', async () => {
  const store = await openTemp();
  for (let round = 0; round < 2; round++) {
    const ids = Array.from({ length: 150 }, (_, n) => `s${n}`);
    await Promise.all(ids.map((sessionId) => store.submit(turn([note(`${round}`, '', { sessionId })]))));
  }
  for (let n = 0; n < 150; n++) {
    expect(linesOf(store.home, `context/chat/s${n}.annotations.ndjson`)).toEqual([line('0'), line('1')]);
  }
});
