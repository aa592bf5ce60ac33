/** Part of the time that asking may take: one part in so many. */
const SHARE = 50;

/**
 * Asks `source` anew only when it has not been busy with it for long, else answers as before: what costs more
 * with every row takes a bounded share of the thread however often it is asked.
 */
export function seldom<T>(source: () => T, now: () => number = () => performance.now()): () => T {
  let last: { readonly value: T } | undefined;
  let againAt = 0;
  return () => {
    const beganAt = now();
    if (last === undefined || beganAt >= againAt) {
      last = { value: source() };
      const endedAt = now();
      againAt = endedAt + (endedAt - beganAt) * SHARE;
    }
    return last.value;
  };
}
