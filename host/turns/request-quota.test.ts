import { expect, test } from 'vitest';
import { RequestQuota } from './request-quota.ts';

// HOST-25
const LIMITS = { requestsPerMinute: 3, responseBytes: 1024 };
const OVER = { max: 3, per: 'a minute' };

test('within any minute no more than so many are made', () => {
  const quota = new RequestQuota();
  const made = (atMs: number) => {
    const over = quota.take('p', LIMITS, atMs);
    if (!over) quota.closed('p');
    return over;
  };
  expect([0, 10, 20, 30, 59_999].map(made)).toEqual([undefined, undefined, undefined, OVER, OVER]);
  expect([60_000, 60_005, 60_010, 60_011].map(made)).toEqual([undefined, OVER, undefined, OVER]);
});

test('what is given back may be made again; another plugin has its own', () => {
  const quota = new RequestQuota();
  for (let n = 0; n < 3; n++) expect(quota.take('p', LIMITS, n)).toBeUndefined();
  expect(quota.take('p', LIMITS, 5)).toEqual(OVER);
  expect(quota.take('other', LIMITS, 5)).toBeUndefined();
  quota.giveBack('p');
  expect(quota.take('p', LIMITS, 6)).toBeUndefined();
});

test('at a time so many are open as their answers fit into 32 MB, from 4 to 64', () => {
  for (const [responseBytes, max] of [
    [1024, 64],
    [1024 * 1024, 32],
    [3 * 1024 * 1024, 10],
    [1024 * 1024 * 1024, 4],
  ] as const) {
    const quota = new RequestQuota();
    const limits = { requestsPerMinute: 1000, responseBytes };
    for (let n = 0; n < max; n++) expect(quota.take('p', limits, 0)).toBeUndefined();
    expect(quota.take('p', limits, 0)).toEqual({ max, per: 'at a time' });
    quota.closed('p');
    expect(quota.take('p', limits, 0)).toBeUndefined();
  }
});
