import { appendFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import type { Store } from './store.ts';
import { commit, filesIn, journal, linesOf, openTemp } from './test-store.ts';
import { verifyJournal } from './verify-journal.ts';

async function written(count = 5): Promise<{ store: Store; file: string }> {
  const store = await openTemp();
  for (let i = 1; i <= count; i++) await commit(store, journal(`step.${i}`, { n: i }));
  return { store, file: `journal/${filesIn(store.home, 'journal')[0]}` };
}

/** What somebody with the database open, and the triggers out of the way, could do. */
function tamper(home: string, sql: string): void {
  const db = new DatabaseSync(join(home, 'neira.db'), { timeout: 5000 });
  db.exec(`drop trigger journal_no_update; drop trigger journal_no_delete; ${sql}`);
  db.close();
}

// HOST-28, HOST-42
test('every change gets a meta id, an entry and a line', async () => {
  const { store, file } = await written(2);
  const ack = await commit(store, {
    kind: 'admin',
    ops: [{ op: 'setting.put', name: 'mode', value: '"safe"' }],
    journal: [
      {
        actor: 'admin',
        action: 'mode.changed',
        target: 'host',
        before: 'normal',
        after: 'safe',
        note: 'почему',
      },
      { actor: 'admin', action: 'gate.locked', target: 'g' },
    ],
  });
  const entries = store.journal(2, 10);
  expect(ack.meta).toEqual(entries.map((entry) => entry['neira:meta']));
  expect(entries[0]).toMatchObject({
    seq: 3,
    actor: 'admin',
    before: 'normal',
    after: 'safe',
    note: 'почему',
  });
  const all = store.journal(0, 10);
  expect(linesOf(store.home, file).map((text) => JSON.parse(text))).toEqual(all);
  const ids = all.map((entry) => entry['neira:meta']);
  expect([...ids].sort()).toEqual(ids);
  expect(ids.every((id) => /^nm_[0-9a-z]{27}$/.test(id))).toBe(true);
  expect(all.map(({ prev }) => prev).slice(1)).toEqual(all.map(({ hash }) => hash).slice(0, -1));
  expect(store.journal(undefined, 2).map(({ seq }) => seq)).toEqual([3, 4]);
  expect(verifyJournal(store.home)).toEqual({ ok: true, entries: 4, pendingLines: 0 });
});

test('the table takes neither updates nor deletes', async () => {
  const { store } = await written(1);
  const db = new DatabaseSync(join(store.home, 'neira.db'), { timeout: 5000 });
  expect(() => db.exec("update journal set line = '{}'")).toThrow('append-only');
  expect(() => db.exec('delete from journal')).toThrow('append-only');
  db.close();
});

test('a change of which the journal entry cannot be written does not happen', async () => {
  const store = await openTemp();
  const circular = {
    kind: 'admin',
    ops: [{ op: 'setting.put', name: 'x', value: '1' }, { op: 'nonsense' }],
    journal: [],
  } as never;
  expect(await store.submit(circular)).toMatchObject({ ok: false });
  expect(store.settings('x')).toBeUndefined();
});

test('verify names the file and the line that was changed', async () => {
  const { store, file } = await written();
  const path = join(store.home, file);
  const original = readFileSync(path, 'utf8');
  writeFileSync(path, original.replace('"n":3', '"n":8'));
  expect(verifyJournal(store.home)).toMatchObject({
    ok: false,
    problem: { file, line: 3, what: 'the line is not what the journal says' },
  });
  writeFileSync(path, original);
  appendFileSync(path, '{"seq":6}\n');
  expect(verifyJournal(store.home)).toMatchObject({
    ok: false,
    problem: { file, line: 6, what: 'the journal has no such line' },
  });
});

test('verify names a line that is missing from the file, and lets pass what the next boot will write', async () => {
  const { store, file } = await written();
  await store.close();
  const path = join(store.home, file);
  truncateSync(path, readFileSync(path, 'utf8').lastIndexOf('\n', readFileSync(path).length - 2) + 1);
  expect(verifyJournal(store.home)).toMatchObject({
    ok: false,
    problem: { file, line: 5, what: 'the line is missing' },
  });
  const db = new DatabaseSync(join(store.home, 'neira.db'));
  db.exec('update file set synced = 0');
  db.close();
  expect(verifyJournal(store.home)).toEqual({ ok: true, entries: 5, pendingLines: 1 });
});

const tamperings = [
  [
    'update journal set line = replace(line, \'"n":3\', \'"n":9\') where seq = 3',
    3,
    'the content of the entry does not match its hash',
  ],
  ['delete from journal where seq = 2', 2, 'the entry is missing; the next one is 3'],
  ["update journal set line = 'x' where seq = 4", 4, 'the entry is not JSON'],
  ["update journal set meta = 'nm_0' where seq = 4", 4, 'the entry is not the one of this row'],
] as const;

test.each(tamperings)('verify finds a tampered row: %s', async (sql, seq, what) => {
  const { store } = await written();
  await store.close();
  tamper(store.home, sql);
  expect(verifyJournal(store.home)).toMatchObject({ ok: false, problem: { seq, what } });
});

test('an entry that was forged with a right hash of its own breaks the chain at the next', async () => {
  const { store } = await written();
  await store.close();
  const { hashOf } = await import('./journal.ts');
  const entry = { ...store_entry(store.home, 3), after: { n: 99 } };
  const forged = JSON.stringify({ ...entry, hash: hashOf(entry) }).replaceAll("'", "''");
  tamper(store.home, `update journal set line = '${forged}' where seq = 3`);
  expect(verifyJournal(store.home)).toMatchObject({
    ok: false,
    problem: { seq: 4, what: 'the entry does not continue the one before it' },
  });
});

function store_entry(home: string, seq: number) {
  const db = new DatabaseSync(join(home, 'neira.db'), { readOnly: true });
  const { line } = db.prepare('select line from journal where seq = ?').get(seq) as { line: string };
  db.close();
  return JSON.parse(line);
}
