/** `timer.tick@1` on every full minute, for whoever subscribed to it (BUS-48). */
import type { Logger } from '../log.ts';
import type { EventGateway } from './event-gateway.ts';

const INTERVAL_S = 60;
const INTERVAL_MS = INTERVAL_S * 1000;

export class Clock {
  readonly #gateway: EventGateway;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;

  constructor(gateway: EventGateway, log: Logger) {
    this.#gateway = gateway;
    this.#log = log;
  }

  /** A minute that passed while the host was down is not made up for: the event says which one it is. */
  start(): void {
    this.#wait((Math.floor(Date.now() / INTERVAL_MS) + 1) * INTERVAL_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #tick(atMs: number): void {
    const payload = { at: new Date(atMs).toISOString(), interval_s: INTERVAL_S };
    this.#gateway
      .announce('timer.tick', payload)
      .catch((err: unknown) => this.#log.warn({ err }, 'timer.tick could not be published'));
    // A timer may fire a little early, or late after a sleep: each minute comes once.
    this.#wait(Math.max(atMs, Math.floor(Date.now() / INTERVAL_MS) * INTERVAL_MS) + INTERVAL_MS);
  }

  #wait(untilMs: number): void {
    this.#timer = setTimeout(() => this.#tick(untilMs), untilMs - Date.now());
    this.#timer.unref();
  }
}
