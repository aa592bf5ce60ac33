import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextDelayMs } from './retry.ts';

const policy = { baseMs: 200, maxMs: 10_000 };
const longest = () => 1 - Number.EPSILON;

test('waits double with every attempt and stop growing at the limit', () => {
  // BUS-16
  const waits = [1, 2, 3, 6, 7, 50, 5000].map((attempt) =>
    nextDelayMs({ ...policy, attempt, random: longest }),
  );
  expect(waits).toEqual([200, 400, 800, 6400, 10_000, 10_000, 10_000]);
});

test('a wait is spread between half and all of its length, in whole milliseconds', () => {
  const attempts = fc.record({
    attempt: fc.integer({ min: 1, max: 2000 }),
    baseMs: fc.integer({ min: 1, max: 60_000 }),
    maxMs: fc.integer({ min: 1, max: 86_400_000 }),
    luck: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  });
  fc.assert(
    fc.property(attempts, ({ luck, ...failed }) => {
      const waitMs = nextDelayMs({ ...failed, random: () => luck });
      const longestMs = Math.min(failed.maxMs, failed.baseMs * 2 ** (failed.attempt - 1));
      expect(waitMs).toBeGreaterThanOrEqual(Math.floor(longestMs / 2));
      expect(waitMs).toBeLessThanOrEqual(longestMs);
      expect(waitMs).toBe(Math.trunc(waitMs));
    }),
  );
  expect(nextDelayMs({ ...policy, attempt: 1, random: () => 0 })).toBe(100);
});
