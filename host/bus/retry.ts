/** When a delivery that failed is tried again (BUS-16). */

export interface RetryPolicy {
  /** Attempts after the first. */
  readonly max: number;
  /** The longest wait before the first of them. */
  readonly baseMs: number;
  readonly maxMs: number;
}

export interface FailedAttempt extends Pick<RetryPolicy, 'baseMs' | 'maxMs'> {
  /** Which attempt failed, from 1. */
  readonly attempt: number;
  /** Evenly spread over [0, 1), such as `Math.random`. */
  readonly random: () => number;
}

/**
 * Exponential with jitter: evenly between half and all of `baseMs × 2^(attempt − 1)`, of which `maxMs` is the
 * most. So deliveries that failed together do not come again together, and none comes at once. Whole
 * milliseconds.
 */
export function nextDelayMs({ attempt, baseMs, maxMs, random }: FailedAttempt): number {
  const longestMs = Math.min(maxMs, baseMs * 2 ** (attempt - 1));
  return Math.round(longestMs / 2 + (longestMs / 2) * random());
}
