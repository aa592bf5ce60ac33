/**
 * Randomness of a turn: a stream seeded by HMAC(secret of the home, delivery), so that a turn that is run
 * again draws the same, and nobody without the secret can foresee it (design §4).
 */
import { createHmac, hash } from 'node:crypto';

const BLOCK_BYTES = 32;

export class TurnRandom {
  readonly #secret: Uint8Array;
  readonly #delivery: string;
  #key: string | undefined;
  #blocks = 0;
  #ids = 0;

  /** @param seed of {@link seedOf}, where the home's secret is not known */
  constructor(secret: Uint8Array, delivery: string, seed?: string) {
    this.#secret = secret;
    this.#delivery = delivery;
    this.#key = seed;
  }

  /** What a delivery draws from, and nothing that another could be told from. */
  static seedOf(secret: Uint8Array, delivery: string): string {
    return createHmac('sha256', secret).update(delivery).digest('base64');
  }

  bytes(count: number): Uint8Array {
    const out = new Uint8Array(count);
    for (let at = 0; at < count; at += BLOCK_BYTES) {
      out.set(this.#block('stream', this.#blocks++).subarray(0, count - at), at);
    }
    return out;
  }

  /** An id in the form of a version 4 UUID, drawn beside the stream that the plugin sees. */
  id(): string {
    const bytes = this.#block('id', this.#ids++);
    bytes[6] = (bytes[6]! & 0x0f) | 0x40;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    const hex = bytes.toString('hex', 0, 16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  #block(purpose: string, number: number): Buffer {
    this.#key ??= TurnRandom.seedOf(this.#secret, this.#delivery);
    // The key is of fixed length and nobody chooses what follows it, so a plain hash serves, in a third of the time.
    return hash('sha256', `${this.#key}${purpose}/${number}`, 'buffer');
  }
}
