/** Reads the primitives of the WebAssembly binary format; nothing is read past `end`, and no length is believed. */

/** What is wrong with the bytes, before anybody has said what it means for the whole. */
export class BadBytes extends Error {
  readonly atByte: number;
  /** Whether more bytes could have made it right. */
  readonly isShort: boolean;

  constructor(reason: string, atByte: number, isShort = false) {
    super(reason);
    this.atByte = atByte;
    this.isShort = isShort;
  }
}

const MAX_U32_BYTES = 5;
const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class BytesReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get isDone(): boolean {
    return this.at >= this.end;
  }

  byte(): number {
    if (this.isDone) throw new BadBytes('a byte is missing', this.at, true);
    return this.bytes[this.at++]!;
  }

  /** Unsigned LEB128 of at most 32 bits. */
  u32(): number {
    const start = this.at;
    let value = 0;
    for (let index = 0; index < MAX_U32_BYTES; index++) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) {
        if (value <= 0xffff_ffff) return value;
        break;
      }
    }
    throw new BadBytes('a number is larger than 32 bits', start);
  }

  /** A reader of the next `length` bytes, which this one steps over. */
  part(length: number): BytesReader {
    if (length > this.end - this.at) {
      throw new BadBytes(`${length} bytes are announced and ${this.end - this.at} are there`, this.at, true);
    }
    const start = this.at;
    this.at += length;
    return new BytesReader(this.bytes, start, this.at);
  }

  name(): string {
    const start = this.at;
    const part = this.part(this.u32());
    try {
      return text.decode(this.bytes.subarray(part.at, part.end));
    } catch {
      throw new BadBytes('a name is not UTF-8', start);
    }
  }

  /** Reads a count and so many items. Each takes a byte at least, so a lie about the count ends with the bytes. */
  each(readItem: () => void): void {
    for (let left = this.u32(); left > 0; left--) readItem();
  }
}

/** Unsigned LEB128. */
export function encodeU32(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return [...bytes, rest];
}
