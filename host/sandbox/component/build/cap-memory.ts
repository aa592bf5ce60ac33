import { BytesReader, encodeU32 } from './bytes-reader.ts';

const HEADER_BYTES = 8;
const SECTION_MEMORY = 5;
const PAGE_BYTES = 65536;

/** A trusted module whose one memory grows to `maxBytes` and no further; its own code sees growing fail. */
export function capMemory(bytes: Uint8Array, maxBytes: number): Uint8Array<ArrayBuffer> {
  const reader = new BytesReader(bytes, HEADER_BYTES);
  while (!reader.isDone) {
    const start = reader.at;
    const id = reader.byte();
    const section = reader.part(reader.u32());
    if (id !== SECTION_MEMORY) continue;
    section.u32();
    section.byte();
    const body = [1, 1, ...encodeU32(section.u32()), ...encodeU32(Math.floor(maxBytes / PAGE_BYTES))];
    const capped = [SECTION_MEMORY, ...encodeU32(body.length), ...body];
    return Buffer.concat([bytes.subarray(0, start), Uint8Array.from(capped), bytes.subarray(section.end)]);
  }
  return Buffer.from(bytes);
}
