import { nextDelayMs, type RetryPolicy } from '../bus/retry.ts';
import type { AfterFailure } from '../store/bus-records.ts';
import type { MailboxDelivery } from '../turn-context.ts';

/** What becomes of a delivery when this attempt fails: another one after a while, or the dead letters. */
export function afterFailure(
  policy: RetryPolicy,
  { attempts, triesLeftFrom }: MailboxDelivery,
): AfterFailure {
  const attempt = attempts - triesLeftFrom + 1;
  if (attempt > policy.max) return 'dead';
  const { baseMs, maxMs } = policy;
  return { retryInMs: nextDelayMs({ attempt, baseMs, maxMs, random: Math.random }) };
}
