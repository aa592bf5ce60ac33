/**
 * The drivers behind `io.send`: what a committed turn sent leaves here, at least once, in order per target.
 *
 * What was committed and not confirmed is still in the store after a crash and is sent then, marked as
 * a doubtful resend (design §4).
 */
import type { Logger } from '../log.ts';

/** The ports of this host; a manifest that asks for another is refused. */
export const PORT_NAMES: readonly string[] = ['console'];

export interface PortSend {
  readonly id: string;
  readonly port: string;
  readonly target: string;
  readonly payload: string;
}

export interface PortDriver {
  /** @throws when it could not be sent; it is tried again then. */
  send(message: PortSend, doubtful: boolean): Promise<void>;
}

const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 30_000;

export class Ports {
  readonly #drivers: ReadonlyMap<string, PortDriver>;
  readonly #confirm: (ids: readonly string[]) => Promise<unknown>;
  readonly #log: Logger;
  readonly #targets = new Map<string, Promise<void>>();
  #closed = false;

  constructor(
    drivers: ReadonlyMap<string, PortDriver>,
    confirm: (ids: readonly string[]) => Promise<unknown>,
    log: Logger,
  ) {
    this.#drivers = drivers;
    this.#confirm = confirm;
    this.#log = log;
  }

  perform(sends: readonly PortSend[], doubtful = false): void {
    for (const message of sends) {
      const target = `${message.port}\0${message.target}`;
      const before = this.#targets.get(target) ?? Promise.resolve();
      const sent = before.then(() => this.#send(message, doubtful));
      this.#targets.set(target, sent);
      void sent.then(() => {
        if (this.#targets.get(target) === sent) this.#targets.delete(target);
      });
    }
  }

  /** What is not sent by now stays in the store for the next start. */
  close(): void {
    this.#closed = true;
  }

  async #send(message: PortSend, resent: boolean): Promise<void> {
    let sent = false;
    let doubtful = resent;
    for (let waitMs = FIRST_RETRY_MS; !this.#closed; waitMs = Math.min(waitMs * 2, LAST_RETRY_MS)) {
      try {
        if (!sent) await this.#leave(message, doubtful);
        sent = true;
        await this.#confirm([message.id]);
        return;
      } catch (error) {
        // What failed may have left all the same.
        doubtful = true;
        const what = sent ? 'that a message was sent could not be kept' : 'a message could not be sent';
        this.#log.warn({ err: error, send: message.id, port: message.port, waitMs }, what);
        await new Promise((resolve) => setTimeout(resolve, waitMs).unref());
      }
    }
  }

  async #leave(message: PortSend, doubtful: boolean): Promise<void> {
    const driver = this.#drivers.get(message.port);
    if (driver) return driver.send(message, doubtful);
    const { id, port } = message;
    this.#log.error({ send: id, port }, 'there is no such port; the message is dropped');
  }
}
