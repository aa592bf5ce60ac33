export interface RetryPolicy {
  readonly max: number;
  readonly baseMs: number;
  readonly maxMs: number;
}

export function nextDelayMs(of: {
  readonly attempt: number;
  readonly baseMs: number;
  readonly maxMs: number;
  random(): number;
}): number {
  const full = Math.min(of.baseMs * 2 ** (of.attempt - 1), of.maxMs);
  return full / 2 + (of.random() * full) / 2;
}
