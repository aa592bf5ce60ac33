/**
 * From the outbox to other hubs: what waits in the store is sent in order, a batch at a time, and leaves it when
 * the other side has it. A batch that failed is sent again, after a pause that grows.
 */
import type { CarriedEvent, Transport } from '../bus/transport/transport.ts';
import type { Logger } from '../log.ts';
import type { OutboxEntry } from '../store/outbox.ts';

export interface OutboxParts {
  readonly transport: Pick<Transport, 'name' | 'send'>;
  outbox(limit: number): readonly OutboxEntry[];
  /** Deletes what other hubs have. */
  left(upToSeq: number): Promise<void>;
  readonly log: Logger;
}

const BATCH = 64;
const FIRST_PAUSE_MS = 50;
/** A transport knows by itself when its line is back; this only asks it. */
const MAX_PAUSE_MS = 2000;

export class Outbox {
  readonly #parts: OutboxParts;
  #running = false;
  #stopped = false;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  /** There may be something to send. */
  wake(): void {
    if (this.#running || this.#stopped || this.#timer) return;
    this.#running = true;
    void this.#send().finally(() => {
      this.#running = false;
    });
  }

  /** Sends nothing any more; what is on its way and not yet known to have arrived comes again. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #send(): Promise<void> {
    const { outbox, transport, left, log } = this.#parts;
    try {
      // Read to the end after every batch: what is committed meanwhile wakes nobody.
      for (let batch = outbox(BATCH); !this.#stopped && batch.length > 0; batch = outbox(BATCH)) {
        await transport.send(batch.map(carriedOf));
        if (this.#stopped) return;
        await left(batch.at(-1)!.seq);
        this.#failures = 0;
      }
    } catch (err) {
      if (this.#stopped) return;
      if (this.#failures++ === 0)
        log.warn({ err, transport: transport.name }, 'events could not be sent to other hubs');
      this.#pause();
    }
  }

  #pause(): void {
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), MAX_PAUSE_MS);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.wake();
    }, pauseMs);
    this.#timer.unref();
  }
}

function carriedOf({ id, subject, mode, envelope }: OutboxEntry): CarriedEvent {
  return { id, subject, mode, envelope };
}
