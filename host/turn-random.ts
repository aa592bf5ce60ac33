/**
 * Randomness of a turn: a stream seeded by HMAC(secret of the home, delivery), so that a turn that is run
 * again draws the same, and nobody without the secret can foresee it (design §4).
 */
import { createHmac, hash } from 'node:crypto';

const BLOCK_BYTES = 32;

export class TurnRandom {
  readonly #secret: Buffer;
  readonly #delivery: string;
  #key: string | undefined;
  #blocks = 0;
  #ids = 0;

  constructor(secret: Uint8Array, delivery: string) {
    this.#secret = Buffer.from(secret.buffer, secret.byteOffset, secret.byteLength);
    this.#delivery = delivery;
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
    this.#key ??= createHmac('sha256', this.#secret).update(this.#delivery).digest('base64');
    // The key is of fixed length and nobody chooses what follows it, so a plain hash serves, in a third of the time.
    return hash('sha256', `${this.#key}${purpose}/${number}`, 'buffer');
  }
}
