/** Runs are forgotten when their time is over: how long depends on how they ended (`retain:`). */
import { publish } from 'neira:host/bus';
import { delete as drop, get, list } from 'neira:host/storage';
import { expiryOf, keys } from './keys.ts';
import { forgetRun, type Summary } from './runs.ts';

/** Runs that one turn forgets. */
const PAGE = 50;

export function forgetExpired(nowMs: number): void {
  const page = list('expiry/', { limit: PAGE });
  let forgotten = 0;
  for (const { key } of page) {
    const { atMs, run } = expiryOf(key);
    if (atMs > nowMs) return;
    const summary = get<Summary>(keys.summary(run) as never)?.value as unknown as Summary | undefined;
    // A long journal goes page by page.
    if (summary && !forgetRun(run, summary.scenario_id)) break;
    drop(key);
    forgotten += 1;
  }
  if (forgotten > 0 && page.length === PAGE)
    publish('scenario.run.expired', { at: new Date(nowMs).toISOString() });
}
