/** How often an attempt asked the same: what tells two equal requests of one delivery apart, in every attempt alike. */
export class Occurrences {
  readonly #asked = new Map<number, Map<string, number>>();

  /** From 1. @param signal aborted when the attempt is over */
  next(attempt: number, digest: string, signal: AbortSignal): number {
    let counts = this.#asked.get(attempt);
    if (!counts) {
      counts = new Map();
      this.#asked.set(attempt, counts);
      signal.addEventListener('abort', () => this.#asked.delete(attempt));
    }
    const occurrence = (counts.get(digest) ?? 0) + 1;
    counts.set(digest, occurrence);
    return occurrence;
  }
}
