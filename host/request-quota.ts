const WINDOW_MS = 60_000;
/** Requests of one plugin that are under way, and what their answers may hold of the host's memory together. */
const MAX_OPEN = 64;
const LEAST_OPEN = 4;
const MAX_OPEN_BYTES = 32 * 1024 * 1024;

export function maxOpen(responseBytes: number): number {
  return Math.min(Math.max(Math.floor(MAX_OPEN_BYTES / responseBytes), LEAST_OPEN), MAX_OPEN);
}

interface Usage {
  /** Moments of the requests within the window, from `first` on. */
  times: number[];
  first: number;
  open: number;
}

/** How many requests plugins make: within a minute, and at a time (HOST-25). */
export class RequestQuota {
  readonly #usage = new Map<string, Usage>();

  /** Counts a request, unless the plugin has made `perMinute` within the last minute. */
  take(plugin: string, perMinute: number, nowMs: number): boolean {
    const usage = this.#of(plugin);
    while ((usage.times[usage.first] ?? nowMs) <= nowMs - WINDOW_MS) usage.first++;
    if (usage.first > perMinute) {
      usage.times = usage.times.slice(usage.first);
      usage.first = 0;
    }
    if (usage.times.length - usage.first >= perMinute) return false;
    usage.times.push(nowMs);
    return true;
  }

  /** Nothing had to be sent. */
  giveBack(plugin: string): void {
    this.#of(plugin).times.pop();
  }

  isFull(plugin: string, responseBytes: number): boolean {
    return this.#of(plugin).open >= maxOpen(responseBytes);
  }

  opened(plugin: string): void {
    this.#of(plugin).open++;
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
