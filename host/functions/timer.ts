/**
 * `neira:host/timer`: time within a turn. Twin of abi/wit/v1/timer.wit and sandbox/quickjs/guest/timer.ts; the
 * timers of scripts (sandbox/quickjs/guest/timers.ts) wait by the same function.
 */
import { type HostFunction, optionalCount } from './arguments.ts';
import { invalid } from './bus-options.ts';

/** The timers of Node go no further. */
export const MAX_SLEEP_MS = 0x7fff_ffff;

export const timerFunctions: Readonly<Record<string, HostFunction>> = {
  /** @throws NEIRA_WAITS_EXCEEDED with too many open waits */
  sleep(turn, [given]) {
    const ms = optionalCount(given);
    if (ms === undefined || ms > MAX_SLEEP_MS) throw invalid('ms', `it must be 0 to ${MAX_SLEEP_MS}`);
    return turn.wait('timer.sleep', { what: `${ms} ms`, dueMs: turn.nowMs + ms });
  },
};
