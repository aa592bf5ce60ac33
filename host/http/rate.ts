/**
 * How often one caller may call: a bucket of a minute's calls that refills steadily, so a burst of up to a
 * minute's worth passes and a flood is cut to the rate.
 *
 * It is our own rather than @fastify/rate-limit because it stands in the hot path: no promise, no headers and no
 * allocation for a call that passes.
 */
export interface RateLimit {
  /** Takes one call of `key`: 0 when it may pass, else the seconds to wait. */
  take(key: string): number;
}

interface Bucket {
  calls: number;
  atMs: number;
}

/** Buckets beyond this number are forgotten, oldest first; a forgotten caller starts with a full one. */
const MAX_BUCKETS = 10_000;

/** `perMinute` 0 means without limit. */
export function createRateLimit(perMinute: number, nowMs: () => number = () => performance.now()): RateLimit {
  if (perMinute <= 0) return { take: () => 0 };
  const perMs = perMinute / 60_000;
  const buckets = new Map<string, Bucket>();

  function bucketOf(key: string, now: number): Bucket {
    const known = buckets.get(key);
    if (known !== undefined) return known;
    if (buckets.size >= MAX_BUCKETS) {
      for (const oldest of buckets.keys()) {
        buckets.delete(oldest);
        break;
      }
    }
    const fresh = { calls: perMinute, atMs: now };
    buckets.set(key, fresh);
    return fresh;
  }

  return {
    take(key) {
      const now = nowMs();
      const bucket = bucketOf(key, now);
      bucket.calls = Math.min(perMinute, bucket.calls + (now - bucket.atMs) * perMs);
      bucket.atMs = now;
      if (bucket.calls >= 1) {
        bucket.calls -= 1;
        return 0;
      }
      return Math.max(1, Math.ceil((1 - bucket.calls) / perMs / 1000));
    },
  };
}
