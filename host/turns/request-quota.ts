import type { TurnLimits } from '../turn-context.ts';

const WINDOW_MS = 60_000;
/** Requests of one plugin that are under way, and what their answers may hold of the host's memory together. */
const MAX_OPEN = 64;
const LEAST_OPEN = 4;
const MAX_OPEN_BYTES = 32 * 1024 * 1024;

interface Usage {
  /** Moments of the requests within the window, from `first` on. */
  times: number[];
  first: number;
  open: number;
}

/** What would be too much, in the words of NEIRA_REQUEST_RATE. */
export interface OverQuota {
  readonly max: number;
  readonly per: 'a minute' | 'at a time';
}

/** How many requests plugins make: within a minute, and at a time (HOST-25). */
export class RequestQuota {
  readonly #usage = new Map<string, Usage>();

  /** Counts a request and opens it, unless that would be too much. */
  take(
    plugin: string,
    { requestsPerMinute, responseBytes }: Pick<TurnLimits, 'requestsPerMinute' | 'responseBytes'>,
    nowMs: number,
  ): OverQuota | undefined {
    const usage = this.#of(plugin);
    forgetBefore(usage, nowMs - WINDOW_MS);
    if (usage.times.length - usage.first >= requestsPerMinute)
      return { max: requestsPerMinute, per: 'a minute' };
    const maxOpen = Math.min(Math.max(Math.floor(MAX_OPEN_BYTES / responseBytes), LEAST_OPEN), MAX_OPEN);
    if (usage.open >= maxOpen) return { max: maxOpen, per: 'at a time' };
    usage.times.push(nowMs);
    usage.open++;
    return undefined;
  }

  /** Nothing had to be sent. */
  giveBack(plugin: string): void {
    this.#of(plugin).times.pop();
    this.closed(plugin);
  }

  closed(plugin: string): void {
    this.#of(plugin).open--;
  }

  #of(plugin: string): Usage {
    let usage = this.#usage.get(plugin);
    if (!usage) {
      usage = { times: [], first: 0, open: 0 };
      this.#usage.set(plugin, usage);
    }
    return usage;
  }
}

function forgetBefore(usage: Usage, ms: number): void {
  while (usage.first < usage.times.length && usage.times[usage.first]! <= ms) usage.first++;
  // Now and then, so that each is moved once at most.
  if (usage.first <= usage.times.length / 2) return;
  usage.times = usage.times.slice(usage.first);
  usage.first = 0;
}
