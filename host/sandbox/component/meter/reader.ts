import { type ModuleRefused, malformed, tooMany } from './refusal.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads one stretch of a module. It never passes its end, and takes of LEB128 numbers only what the
 * specification allows, so that the host and V8 read the same bytes as the same thing.
 */
export class Reader {
  readonly bytes: Uint8Array;
  readonly end: number;
  position: number;
  /** What is being read, for refusals: "type section", "function 12". */
  where: string;

  constructor(bytes: Uint8Array, start: number, end: number, where: string) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
    this.where = where;
  }

  get place(): string {
    return `${this.where}, byte ${this.position}`;
  }

  fault(what: string): ModuleRefused {
    return malformed(`${this.place}: ${what}`);
  }

  byte(): number {
    if (this.position >= this.end) throw this.fault('ends too early');
    return this.bytes[this.position++]!;
  }

  skip(byteCount: number): void {
    if (byteCount > this.end - this.position) throw this.fault('ends too early');
    this.position += byteCount;
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    const last = this.byte();
    if (last > 0x0f) throw this.fault('a number does not fit into 32 bits');
    return value + last * 2 ** 28;
  }

  /** A signed number of at most 32, 33 or 64 bits, passed over. */
  skipSigned(bits: 32 | 64): void {
    const maxBytes = bits === 32 ? 5 : 10;
    for (let read = 1; read < maxBytes; read++) if (this.byte() < 0x80) return;
    const last = this.byte();
    const signAndUnused = bits === 32 ? 0x78 : 0x7f;
    if (last > 0x7f || ((last & signAndUnused) !== 0 && (last & signAndUnused) !== signAndUnused)) {
      throw this.fault(`a number does not fit into ${bits} bits`);
    }
  }

  /** A signed 33-bit number, as block and heap types are: a type's index, or a negative code of one byte. */
  s33(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte >= 0x80) continue;
      if (shift === 28 && (byte & 0x70) !== 0 && (byte & 0x70) !== 0x70) break;
      return byte & 0x40 ? value - 2 ** (shift + 7) : value;
    }
    throw this.fault('a number does not fit into 33 bits');
  }

  /** The length of a list, whose every entry takes a byte at least: a lie is found before anything is kept. */
  count(max: number, what: string): number {
    const count = this.u32();
    if (count > this.end - this.position) throw this.fault(`says ${count} ${what} and is shorter than that`);
    if (count > max) throw tooMany(count, what, max);
    return count;
  }

  /** The place and the length of a stretch that is counted in bytes. */
  stretch(where: string): Reader {
    const length = this.u32();
    const start = this.position;
    this.skip(length);
    return new Reader(this.bytes, start, this.position, where);
  }

  name(): string {
    const { position: start, end } = this.stretch(this.where);
    try {
      return UTF8.decode(this.bytes.subarray(start, end));
    } catch {
      throw this.fault('a name is not valid UTF-8');
    }
  }

  finish(): void {
    if (this.position !== this.end) throw this.fault('bytes are left over');
  }
}
