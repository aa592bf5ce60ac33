import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { bootSearch, type SearchGuest, termsIn } from '../../../test/kit/search-guest.ts';
import { type Asked, searchAll } from '../../../test/kit/search-reference.ts';

let newGuest: () => SearchGuest;
beforeAll(async () => {
  newGuest = await bootSearch();
});

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const seeded = { seed: SEED, verbose: 0 };

/** Few words in many forms, so that they meet; signs and scripts that end or make words. */
const WORDS = (
  'хлеб хлеба хлебом молоко молока книга книгами читать читали читающий ёлка елки День дня дни run running runs runner ' +
  "naïve café don't isn't x-ray e-mail Москва москвы 2026 12 a я 漢字 日本 привет-мир über straße"
).split(' ');
const words = fc.constantFrom(...WORDS);
const texts = fc
  .array(fc.tuple(words, fc.constantFrom(' ', ', ', '. ', ' — ', '\n', '/')), { maxLength: 12 })
  .map((parts) => parts.map((part) => part.join('')).join(''));
const records = fc.array(
  fc.record({
    text: fc.oneof(
      { weight: 9, arbitrary: texts },
      { weight: 1, arbitrary: fc.string({ unit: 'grapheme' }) },
    ),
    type: fc.constantFrom('message', 'annotation'),
    chatId: fc.constantFrom('c1', 'чат.2'),
    sessionId: fc.constantFrom('s1', 's2'),
  }),
  { maxLength: 60 },
);
const parts = fc.oneof(
  words,
  words.map((word) => word.slice(0, 2)),
  words.map((word) => `-${word}`),
  fc.array(words, { minLength: 1, maxLength: 3 }).map((phrase) => `"${phrase.join(' ')}"`),
  fc.array(words, { minLength: 1, maxLength: 2 }).map((phrase) => `-«${phrase.join(' ')}»`),
);
const questions = fc.record(
  {
    q: fc
      .tuple(fc.array(parts, { minLength: 1, maxLength: 4 }), fc.constantFrom('', ' '))
      .map(([all, end]) => all.join(' ') + end),
    type: fc.constantFrom('message', 'annotation'),
    chat: fc.constantFrom('c1', 'чат.2', 'c3'),
    session: fc.constantFrom('s1', 's2'),
  },
  { requiredKeys: ['q'] },
);

async function expectSame(guest: SearchGuest, question: Asked): Promise<void> {
  const expected = searchAll(guest.records, question);
  const { hits, next } = await guest.search({ ...question, order: 'score', limit: 1000 });
  const shown = { question, seed: SEED };
  expect(next, JSON.stringify(shown)).toBeNull();
  expect(hits.map(({ number }) => number).sort(ascending), JSON.stringify(shown)).toEqual(
    expected.map(({ number }) => number).sort(ascending),
  );
  const scores = new Map(expected.map(({ number, score }) => [number, score]));
  for (const { number, score } of hits)
    expect(score, JSON.stringify(shown)).toBeCloseTo(scores.get(number)!, 3);
}
const ascending = (a: number, b: number) => a - b;

// HOST-11
describe('the index finds what a look through every record finds', () => {
  test('before, while and after records are taken in, with the same scores', {
    timeout: 60_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(records, { minLength: 1, maxLength: 6 }),
        fc.array(questions, { minLength: 1, maxLength: 4 }),
        async (batches, asked) => {
          const guest = newGuest();
          for (const batch of batches) {
            for (const { text, ...place } of batch) guest.save(text, place);
            for (const question of asked) await expectSame(guest, question);
            await guest.step();
          }
          await guest.catchUp();
          for (const question of asked) await expectSame(guest, question);
        },
      ),
      { ...seeded, numRuns: 40 },
    );
  });

  test('a page is a part of the whole, in either order', async () => {
    await fc.assert(
      fc.asyncProperty(records, words, fc.integer({ min: 1, max: 9 }), async (all, q, limit) => {
        const guest = newGuest();
        for (const { text, ...place } of all) guest.save(text, place);
        await guest.catchUp();
        for (const order of ['time', 'score']) {
          const whole = (await guest.search({ q, order, limit: 1000 })).hits;
          const seen: number[] = [];
          for (let after: number | null = 0; after !== null; ) {
            const page = await guest.search({ q, order, limit, after });
            expect(page.hits.length).toBeLessThanOrEqual(limit);
            seen.push(...page.hits.map(({ number }) => number));
            after = page.next;
          }
          expect(seen, `seed ${SEED}`).toEqual(whole.map(({ number }) => number));
        }
      }),
      { ...seeded, numRuns: 40 },
    );
  });
});

describe('segments', () => {
  /** Numbers of segments that hold anything, from their keys. */
  const segmentsOf = (guest: SearchGuest) =>
    new Set([...guest.stored.keys()].filter((key) => key.startsWith('s/')).map((key) => key.split('/')[1]));

  test('many small steps leave few segments, and every record once', async () => {
    const guest = newGuest();
    for (let n = 1; n <= 300; n++) {
      guest.save(`запись ${n} о хлебе`);
      await guest.catchUp();
    }
    expect(segmentsOf(guest).size).toBeLessThan(16);
    expect(termsIn(guest.stored).get('хлеб')!.sort(ascending)).toEqual(
      Array.from({ length: 300 }, (_, n) => n + 1),
    );
    expect((await guest.search({ q: 'хлеб', limit: 1000 })).hits).toHaveLength(300);
  });

  test('a term that is in very many records goes on in further blocks, and no value is too long', async () => {
    const guest = newGuest();
    for (let n = 0; n < 20_000; n++) guest.save(n % 2 ? 'часто' : `часто и слово${n}`);
    const turns = await guest.catchUp();
    expect(turns).toBeGreaterThan(20);
    expect(turns).toBeLessThan(60);
    const blocks = [...guest.stored.values()];
    expect(Math.max(...blocks.map((block) => block.length))).toBeLessThan(64 * 1024);
    const { hits, next } = await guest.search({ q: 'часто', order: 'time', after: 19_000, limit: 1000 });
    expect([hits.length, hits[0]!.number, hits.at(-1)!.number, next]).toEqual([1000, 19_001, 20_000, null]);
    expect((await guest.search({ q: 'слово19998' })).hits.map(({ number }) => number)).toEqual([19_999]);
  });

  test('what was taken in is not read again, and nothing is done where nothing is new', async () => {
    const guest = newGuest();
    guest.save('одна');
    expect(await guest.catchUp()).toBe(1);
    const before = new Map(guest.stored);
    expect(await guest.step()).toBe(false);
    expect(guest.stored).toEqual(before);
  });
});

// HOST-12: whatever comes in, the turn ends in an answer.
describe('hostile input', () => {
  const QUESTIONS = [
    '"',
    '""',
    '-',
    '--',
    '-"',
    '*',
    '\\',
    '\0',
    '(',
    'a OR b',
    '"a" "',
    '«',
    "'",
    "''''",
    '\u0306\u0306',
    '\ufffd',
    '😀',
    '#tmessage',
    's/0000000001/',
    'x'.repeat(4096),
    'ы'.repeat(4096),
    'a '.repeat(2048),
    '"'.repeat(4096),
    '-а '.repeat(1300),
    `"${'а '.repeat(2000)}"`,
    '漢'.repeat(4096),
    `a${'\u0301'.repeat(4000)}`,
  ];

  test.each(QUESTIONS.map((q) => [q.slice(0, 20), q] as const))('%j', async (_name, q) => {
    const guest = newGuest();
    for (const text of [q, `a ${q} b`, 'a b', '']) guest.save(text.slice(0, 4096));
    await expectSame(guest, { q });
    await guest.catchUp();
    await expectSame(guest, { q });
  });

  test('payloads of any shape', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.jsonValue(),
        fc.constantFrom('q', 'type', 'after', 'limit', 'order'),
        async (value, field) => {
          const guest = newGuest();
          guest.save('слово');
          for (const payload of [value, { q: 'слово', [field]: value }])
            expect(await guest.send('search.query', payload)).toMatchObject({
              result: { hits: expect.any(Array) },
            });
        },
      ),
      { ...seeded, numRuns: 60 },
    );
  });

  test('a state that is broken is not worse than an empty one', async () => {
    for (const broken of [
      'null',
      '"x"',
      '{}',
      '[1]',
      '[1,2,3,4,[5]]',
      '[1,2,3,4,5,[]]',
      '[9,9,9,9,[1,1],[2,2]]',
    ]) {
      const guest = newGuest();
      guest.save('слово');
      guest.stored.set('state', broken);
      guest.stored.set('s/0000000001/слов 0000000000000001', '"////"');
      await guest.search({ q: 'слово' });
      await guest.catchUp();
    }
  });
});

test('what is highlighted is written as in the record', async () => {
  const guest = newGuest();
  guest.save('Ёлки и ЕЛКА, ёлка; café и CAFÉ');
  const highlights = async (q: string) => (await guest.search({ q })).hits.map(({ highlight }) => highlight);
  expect(await highlights('ёлку ')).toEqual([['Ёлки', 'ЕЛКА', 'ёлка']]);
  expect(await highlights('caf')).toEqual([['café', 'CAFÉ']]);
});
