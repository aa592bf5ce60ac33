/**
 * Time and chance of one history: what the code under test asks the runtime for – timers, immediates, the clock,
 * `Math.random` – comes from here, so that a history takes no wall time and is the same whenever it is run.
 */
import { seededRandom } from '../../host/store/test-store.ts';

const START_MS = Date.UTC(2026, 0, 1);
const realImmediate = setImmediate;

interface Timer {
  readonly run: () => void;
  readonly everyMs: number | undefined;
  atMs: number;
  readonly order: number;
}

export class VirtualTime implements Disposable {
  nowMs = START_MS;
  #timers = new Set<Timer>();
  #immediates: (() => void)[] = [];
  #order = 0;
  readonly #restore: (() => void)[] = [];

  constructor(seed: number) {
    const random = seededRandom(seed);
    const start = (run: () => void, ms: number, repeats: boolean) => {
      const delayMs = Math.max(1, ms || 0);
      const timer = {
        run,
        everyMs: repeats ? delayMs : undefined,
        atMs: this.nowMs + delayMs,
        order: ++this.#order,
      };
      this.#timers.add(timer);
      return Object.assign(timer, { ref: () => timer, unref: () => timer });
    };
    const stop = (timer: unknown) => this.#timers.delete(timer as Timer);
    this.#replace(globalThis, {
      setTimeout: (run: () => void, ms = 0) => start(run, ms, false),
      setInterval: (run: () => void, ms = 0) => start(run, ms, true),
      clearTimeout: stop,
      clearInterval: stop,
      setImmediate: (run: () => void) => this.#immediates.push(run),
    });
    this.#replace(Date, { now: () => this.nowMs });
    this.#replace(performance, { now: () => this.nowMs - START_MS });
    this.#replace(Math, { random: () => random(1_000_000) / 1_000_000 });
  }

  #replace(owner: object, changes: Readonly<Record<string, unknown>>): void {
    for (const [name, value] of Object.entries(changes)) {
      const before = Object.getOwnPropertyDescriptor(owner, name);
      Object.defineProperty(owner, name, { value, configurable: true, writable: true });
      this.#restore.push(() => {
        if (before) Object.defineProperty(owner, name, before);
        else Reflect.deleteProperty(owner, name);
      });
    }
  }

  /** Lets everything run that waits for no time and no message. */
  settle(): Promise<void> {
    return new Promise((resolve) => realImmediate(resolve));
  }

  get hasImmediates(): boolean {
    return this.#immediates.length > 0;
  }

  runImmediate(): void {
    this.#immediates.shift()?.();
  }

  /** Goes on to the next timer and runs all that are due then. */
  async pass(): Promise<void> {
    const nextMs = Math.min(...[...this.#timers].map(({ atMs }) => atMs));
    if (nextMs !== Number.POSITIVE_INFINITY) await this.advance(Math.max(0, nextMs - this.nowMs));
  }

  /** A machine that slept: each timer fires once, however often its moment came. */
  async advance(ms: number): Promise<void> {
    this.nowMs += ms;
    const due = [...this.#timers].filter(({ atMs }) => atMs <= this.nowMs);
    for (const timer of due.sort((a, b) => a.atMs - b.atMs || a.order - b.order)) {
      if (!this.#timers.has(timer)) continue;
      if (timer.everyMs === undefined) this.#timers.delete(timer);
      else timer.atMs = this.nowMs + timer.everyMs;
      timer.run();
      await this.settle();
    }
  }

  /** The process is gone, and with it what it waited for. */
  forget(): void {
    this.#timers.clear();
    this.#immediates = [];
  }

  [Symbol.dispose](): void {
    this.forget();
    for (const restore of this.#restore.reverse()) restore();
  }
}
