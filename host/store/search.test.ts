import { expect, test } from 'vitest';
import { commit, note, openTemp, turn } from './test-store.ts';

test('words are found in any case, from their beginning, in Russian as in English', async () => {
  const store = await openTemp();
  await commit(
    store,
    turn([
      note('1', 'Карандаш рисует ЁЛКУ'),
      note('2', 'a Pencil draws, naïve'),
      note('3', 'карандаши и ёлки'),
    ]),
  );
  const found = (q: string) => store.search({ q }).map(({ id }) => id);
  expect(found('карандаш')).toEqual(['1', '3']);
  expect(found('КАРАНДАШИ')).toEqual(['3']);
  expect(found('елк')).toEqual(['1', '3']);
  expect(found('Ёлку')).toEqual(['1']);
  expect(found('pen DRAW')).toEqual(['2']);
  expect(found('naive')).toEqual(['2']);
  expect(found('рандаш')).toEqual([]);
  expect(found('')).toEqual(['1', '2', '3']);
});

test.each([
  '"',
  '""',
  '*',
  'a"b*',
  'AND',
  'OR NOT',
  'NEAR(a b)',
  'text:x',
  '^a',
  '(',
  '-',
  'a -b',
  '\0',
  "'; drop table record; --",
  '!!!',
  '{a b}',
  'ё'.repeat(10_000),
])('what a person types is never syntax: %j', async (q) => {
  const store = await openTemp();
  await commit(store, turn([note('1', 'text')]));
  expect(() => store.search({ q })).not.toThrow();
});

// UIT-10
test('annotations and messages are searched and exported by type, chat and session, in pages', async () => {
  const store = await openTemp();
  for (let batch = 0; batch < 12; batch++) {
    const notes = Array.from({ length: 100 }, (_, n) =>
      note(`${batch}-${n}`, 'слово', { chatId: n % 2 ? 'odd' : 'even' }),
    );
    await commit(store, turn([...notes, { ...note(`m${batch}`, 'слово'), type: 'message' } as never]));
  }
  expect([...store.exportLines({ type: 'annotation' })]).toHaveLength(1200);
  expect([...store.exportLines({ q: 'слов', chat: 'odd' })]).toHaveLength(600);
  expect([...store.exportLines({ type: 'message', session: 'session' })]).toHaveLength(12);
  const first = store.search({ chat: 'even', limit: 2 });
  const next = store.search({ chat: 'even', limit: 2, after: first[1]!.seq });
  expect([...first, ...next].map(({ id }) => id)).toEqual(['0-0', '0-2', '0-4', '0-6']);
});

test('words of a turn that kept nothing are not found, nor found in place of those of its neighbours', async () => {
  const store = await openTemp();
  const broken = { ...turn(), effects: [note('bad', 'призрак'), { op: 'fly' }] } as never;
  const records = [
    turn([note('1', 'первый')]),
    turn([note('full', 'призрак')], { storageMb: 0 }),
    broken,
    turn([note('2', 'второй')]),
  ];
  await Promise.all(records.map((record) => store.submit(record)));
  expect(store.search({ q: 'призрак' })).toEqual([]);
  expect(store.search({ q: 'первый' }).map(({ id }) => id)).toEqual(['1']);
  expect(store.search({ q: 'второй' }).map(({ id }) => id)).toEqual(['2']);
});
