// SCHED-01…03: when a job is due, across the changes of clocks.
import { describe, expect, test } from 'vitest';
import { jitterOf, type Timing, tickAfter, ticksBetween } from './job.ts';

const cron = (text: string, timezone = 'UTC'): Timing => ({ cron: text, timezone, createdAtMs: 0 });
const ticks = (timing: Timing, from: string, count: number) => {
  const found: string[] = [];
  for (let at: number | undefined = Date.parse(from); found.length < count; ) {
    at = tickAfter(timing, at!);
    if (at === undefined) break;
    found.push(new Date(at).toISOString());
  }
  return found;
};

test('cron, with seconds, names of days, and in a time zone', () => {
  expect(ticks(cron('*/15 * * * *'), '2026-11-25T08:07:00Z', 2)).toEqual([
    '2026-11-25T08:15:00.000Z',
    '2026-11-25T08:30:00.000Z',
  ]);
  expect(ticks(cron('*/20 * * * * *'), '2026-11-25T08:00:01Z', 2)).toEqual([
    '2026-11-25T08:00:20.000Z',
    '2026-11-25T08:00:40.000Z',
  ]);
  expect(ticks(cron('0 8 * * MON-FRI', 'Europe/Moscow'), '2026-11-27T06:00:00Z', 1)).toEqual([
    '2026-11-30T05:00:00.000Z',
  ]);
  expect(ticks(cron('0 0 29 2 *'), '2026-11-25T00:00:00Z', 1)).toEqual(['2028-02-29T00:00:00.000Z']);
});

describe('where clocks are changed', () => {
  test('a time that is not there that day comes as soon as clocks go on, once', () => {
    expect(ticks(cron('30 2 * * *', 'Europe/Berlin'), '2026-03-28T12:00:00Z', 2)).toEqual([
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ]);
  });

  test('a time that is there twice comes once', () => {
    expect(ticks(cron('30 2 * * *', 'Europe/Riga'), '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-24T23:30:00.000Z',
      '2026-10-26T00:30:00.000Z',
    ]);
  });
});

test('intervals are counted from when the job was made, and a moment comes once', () => {
  const every: Timing = { everyMs: 60_000, timezone: 'UTC', createdAtMs: 1000 };
  expect(tickAfter(every, 1000)).toBe(61_000);
  expect(tickAfter(every, 61_000)).toBe(121_000);
  expect(tickAfter(every, 200_000)).toBe(241_000);
  const once: Timing = { atMs: 5000, timezone: 'UTC', createdAtMs: 0 };
  expect([tickAfter(once, 0), tickAfter(once, 5000)]).toEqual([5000, undefined]);
});

test('ticks that were missed are counted, as far as it is worth it', () => {
  expect(
    ticksBetween(cron('* * * * *'), Date.parse('2026-11-25T08:00:00Z'), Date.parse('2026-11-25T08:10:30Z')),
  ).toBe(10);
  expect(ticksBetween(cron('* * * * * *'), 0, 1e9)).toBe(100);
});

test('jitter is the same for one tick, within its bound, and spread', () => {
  const all = Array.from({ length: 200 }, (_, n) => jitterOf('job', n * 60_000, 30_000));
  expect(jitterOf('job', 0, 30_000)).toBe(all[0]);
  expect(all.every((ms) => ms >= 0 && ms < 30_000)).toBe(true);
  expect(new Set(all).size).toBeGreaterThan(150);
  expect(jitterOf('job', 0, 0)).toBe(0);
});
