import { expect, onTestFinished, test } from 'vitest';
import type { TailPage } from '../http/bus-api.ts';
import type { EventDraft } from '../store/bus-records.ts';
import { commit, openTemp } from '../store/test-store.ts';
import { EventRecords } from './event-records.ts';
import { seldom } from './seldom.ts';

// BUS-18: a tail over the log of a real store.

const draft = (n: number, subject: string, chars = 0): EventDraft => ({
  id: `e${n}`,
  subject,
  version: 1,
  envelope: JSON.stringify({ n, pad: 'x'.repeat(chars) }),
  mode: 'event',
  caller: 'host',
});

async function openRecords() {
  const store = await openTemp();
  const records = new EventRecords(store);
  store.onNews((news) => records.news(news));
  const end = new AbortController();
  onTestFinished(() => end.abort());
  const publish = (events: readonly EventDraft[]) => commit(store, { kind: 'publish', events });
  return { store, records, end, publish };
}

const HOUR_MS = 3_600_000;

test('a filter that nothing passes moves its place on, so that a reader that comes back need not begin anew', async () => {
  const { records, end, publish } = await openRecords();
  await publish(Array.from({ length: 10_000 }, (_, n) => draft(n, 'common')));
  const pages = records.tail({ subject: 'rare.*', after: 0 }, 20, end.signal);
  const places: number[] = [];
  for await (const { events, seenTo } of pages) {
    expect(events).toEqual([]);
    places.push(seenTo);
    if (places.length === 5) break;
  }
  expect(places.slice(0, 3)).toEqual([4096, 8192, 10_000]);
  expect(places.at(-1)).toBe(10_000);
  expect(records.tails).toBe(0);
});

test('a reader that does not ask gets nothing read for it, and all of it when it asks', async () => {
  const { records, end, publish, store } = await openRecords();
  let read = 0;
  const counted = new EventRecords({
    ...store,
    eventPage(query) {
      const page = store.eventPage(query);
      read += page.events.length;
      return page;
    },
  });
  store.onNews((news) => counted.news(news));
  const pages = counted.tail({}, HOUR_MS, end.signal);
  await pages.next();
  for (let n = 0; n < 30; n++) await publish([draft(n, 'a.b', 200_000)]);
  expect([read, records.tails, counted.tails]).toEqual([0, 0, 1]);
  const got: TailPage['events'][number][] = [];
  while (got.length < 30) got.push(...(await pages.next()).value!.events);
  expect(got.map(({ envelope }) => (JSON.parse(envelope) as { n: number }).n)).toEqual([...Array(30).keys()]);
  end.abort();
  expect((await pages.next()).done).toBe(true);
  expect(counted.tails).toBe(0);
});

test('news wakes a waiting tail; the signal ends it at once, also one that is left in the middle', async () => {
  const { records, end, publish } = await openRecords();
  const waiting = records.tail({ subject: 'a.*' }, HOUR_MS, end.signal);
  const left = records.tail({}, HOUR_MS, end.signal);
  await Promise.all([waiting.next(), left.next()]);
  const next = waiting.next();
  await publish([draft(1, 'other'), draft(2, 'a.b')]);
  expect((await next).value).toMatchObject({ events: [{ seq: 2, name: 'a.b' }], seenTo: 2 });
  const last = waiting.next();
  end.abort();
  expect((await last).done).toBe(true);
  expect(records.tails).toBe(0);
});

test('what is slow to ask is asked seldom', () => {
  let nowMs = 0;
  let asked = 0;
  const ask = seldom(
    () => {
      nowMs += 10;
      return ++asked;
    },
    () => nowMs,
  );
  expect([ask(), ask(), ask()]).toEqual([1, 1, 1]);
  nowMs += 499;
  expect(ask()).toBe(1);
  nowMs += 2;
  expect(ask()).toBe(2);
});
