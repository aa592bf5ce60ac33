const FIRST_CAPACITY_BYTES = 1024;
/** Longer runs are copied by the engine of V8, shorter ones faster by hand. */
const LONG_RUN_BYTES = 24;

/** Collects bytes of a module. */
export class Writer {
  length = 0;
  #bytes: Uint8Array;

  constructor(capacityBytes = FIRST_CAPACITY_BYTES) {
    this.#bytes = new Uint8Array(capacityBytes);
  }

  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
  }

  byte(value: number): this {
    if (this.length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.length++] = value;
    return this;
  }

  code(...values: readonly number[]): this {
    return this.raw(values, 0, values.length);
  }

  u32(value: number): this {
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    return this.byte(rest);
  }

  /** A signed number of 32 bits. */
  s32(value: number): this {
    let rest = value | 0;
    while (rest < -0x40 || rest >= 0x40) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    return this.byte(rest & 0x7f);
  }

  raw(source: ArrayLike<number>, start: number, end: number): this {
    const byteCount = end - start;
    if (this.length + byteCount > this.#bytes.length) this.#grow(byteCount);
    if (byteCount > LONG_RUN_BYTES && source instanceof Uint8Array) {
      this.#bytes.set(source.subarray(start, end), this.length);
    } else {
      for (let at = 0; at < byteCount; at++) this.#bytes[this.length + at] = source[start + at]!;
    }
    this.length += byteCount;
    return this;
  }

  append(other: Writer): this {
    return this.raw(other.#bytes, 0, other.length);
  }

  name(text: string): this {
    const bytes = Buffer.from(text);
    return this.u32(bytes.length).raw(bytes, 0, bytes.length);
  }

  /** Leaves room for a number that is known later; {@link patch} writes it. Returns its place. */
  reserve(): number {
    this.code(0x80, 0x80, 0x80, 0x00);
    return this.length - 4;
  }

  /** Writes a signed LEB128 number below 2^27 into the four bytes at `place`. */
  patch(place: number, value: number): void {
    this.#bytes[place] = (value & 0x7f) | 0x80;
    this.#bytes[place + 1] = ((value >> 7) & 0x7f) | 0x80;
    this.#bytes[place + 2] = ((value >> 14) & 0x7f) | 0x80;
    this.#bytes[place + 3] = (value >> 21) & 0x7f;
  }

  #grow(byteCount: number): void {
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + byteCount));
    larger.set(this.written);
    this.#bytes = larger;
  }
}
