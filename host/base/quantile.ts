/** A bucket of a histogram: how many values are at most `upTo`, those of the buckets before included. */
export interface BucketCount {
  readonly upTo: number;
  readonly count: number;
}

/**
 * The value below which the share `q` of all lies, as Prometheus estimates it: evenly spread within a bucket; of
 * what is above the last bound nothing better is known than that bound. Null when there are no values.
 */
export function quantile(buckets: readonly BucketCount[], q: number): number | null {
  const total = buckets.at(-1)?.count ?? 0;
  if (total === 0) return null;
  const rank = q * total;
  const at = buckets.findIndex(({ count }) => count >= rank);
  const { upTo, count } = buckets[at]!;
  const before = buckets[at - 1] ?? { upTo: 0, count: 0 };
  if (upTo === Number.POSITIVE_INFINITY) return before.upTo;
  return before.upTo + ((upTo - before.upTo) * (rank - before.count)) / (count - before.count);
}
