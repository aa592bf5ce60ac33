import { expect, test } from 'vitest';
import type { EventDraft } from './bus-records.ts';
import { type EventPage, PAGE_ROWS } from './event-reads.ts';
import type { Store } from './store.ts';
import { commit, openTemp } from './test-store.ts';

async function record(
  store: Store,
  count: number,
  subjectOf: (n: number) => string,
  chars = 10,
): Promise<void> {
  const events = Array.from(
    { length: count },
    (_, n): EventDraft => ({
      id: `e${n}`,
      subject: subjectOf(n),
      version: 1,
      envelope: JSON.stringify({ n, pad: 'x'.repeat(chars) }),
      mode: 'event',
      caller: 'host',
    }),
  );
  await commit(store, { kind: 'publish', events });
}

const seqs = ({ events }: EventPage) => events.map(({ seq }) => seq);

test('a page looks at a bounded number of rows, and the next goes on behind them', async () => {
  const store = await openTemp();
  const last = PAGE_ROWS + 10;
  await record(store, last, (n) => (n === last - 1 ? 'rare' : 'common'));
  const matches = (subject: string) => subject === 'rare';
  const first = store.eventPage({ matches, limit: 5 });
  expect(first).toEqual({ events: [], seenTo: PAGE_ROWS, more: true });
  const second = store.eventPage({ matches, after: first.seenTo, limit: 5 });
  expect([seqs(second), second.seenTo, second.more]).toEqual([[last], last, false]);
  const back = store.eventPage({ matches: (subject) => !matches(subject), reverse: true, limit: 2 });
  expect([seqs(back), back.seenTo, back.more]).toEqual([[last - 1, last - 2], last - 3, true]);
  expect(seqs(store.eventPage({ subject: 'rare', limit: 5 }))).toEqual([last]);
  expect(store.events({ matches, limit: 5 })).toHaveLength(1);
  expect(store.events({ matches, after: 0, limit: 5 })).toHaveLength(1);
});

test('a page ends with the envelope that fills it', async () => {
  const store = await openTemp();
  await record(store, 20, () => 'large', 250_000);
  const page = store.eventPage({ limit: 100 });
  expect([page.events.length, page.seenTo, page.more]).toEqual([5, 5, true]);
  expect(store.eventPage({ limit: 100, after: 18 })).toMatchObject({ seenTo: 20, more: false });
});

test('what was looked at ends where the log or the query ends, whatever matched', async () => {
  const store = await openTemp();
  expect(store.eventPage({ limit: 1 })).toEqual({ events: [], seenTo: 0, more: false });
  await record(store, 10, () => 'a');
  expect(store.eventPage({ subject: 'b', limit: 1 })).toEqual({ events: [], seenTo: 10, more: false });
  expect(store.eventPage({ after: 2, upTo: 4, limit: 9 })).toMatchObject({ seenTo: 4, more: false });
  // Beyond the end there is nothing, and a place does not go back.
  expect(store.eventPage({ after: 99, limit: 9 })).toEqual({ events: [], seenTo: 99, more: false });
});
