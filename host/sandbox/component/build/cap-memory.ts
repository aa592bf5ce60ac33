import { Reader } from '../meter/reader.ts';
import { Writer } from '../meter/writer.ts';

const HEADER_BYTES = 8;
const SECTION_MEMORY = 5;
const HAS_MAXIMUM = 1;
const PAGE_BYTES = 65536;

/** A trusted module whose one memory grows to `maxBytes` and no further; its own code sees growing fail. */
export function capMemory(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const reader = new Reader(bytes, HEADER_BYTES, bytes.length, 'module');
  while (reader.position < reader.end) {
    const start = reader.position;
    const id = reader.byte();
    const section = reader.stretch('section');
    if (id !== SECTION_MEMORY) continue;
    const memories = section.u32();
    section.byte();
    const initialPages = section.u32();
    const memory = new Writer().u32(memories).byte(HAS_MAXIMUM).u32(initialPages);
    memory.u32(Math.floor(maxBytes / PAGE_BYTES));
    const capped = new Writer().byte(SECTION_MEMORY).u32(memory.length).append(memory);
    return Buffer.concat([bytes.subarray(0, start), capped.written, bytes.subarray(section.end)]);
  }
  return bytes;
}
