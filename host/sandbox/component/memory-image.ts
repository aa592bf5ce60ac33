/**
 * The memory of one core module as it was when the image was taken: its pages that are not zero. They lie in shared
 * memory, so that a component costs them once, however many instances start from them.
 */
import { CARD_PAGE_BYTES, LONGEST_STORE_BYTES } from './meter/layout.ts';

export interface MemoryImage {
  /** The pages that are not zero, one after the other. */
  readonly pages: SharedArrayBuffer;
  /** Int32 per page of memory: its place in `pages`, or -1 for a page of zeros. */
  readonly index: SharedArrayBuffer;
  readonly bytes: number;
}

const WASM_PAGE_BYTES = 65_536;
const ZERO_PAGE = Buffer.alloc(CARD_PAGE_BYTES);

export function takeMemory(memory: WebAssembly.Memory): MemoryImage {
  const bytes = Buffer.from(memory.buffer);
  const index = new Int32Array(new SharedArrayBuffer((bytes.length / CARD_PAGE_BYTES) * 4));
  const kept: number[] = [];
  for (let page = 0; page < index.length; page++) {
    const start = page * CARD_PAGE_BYTES;
    const zero = ZERO_PAGE.compare(bytes, start, start + CARD_PAGE_BYTES) === 0;
    index[page] = zero ? -1 : kept.push(page) - 1;
  }
  const pages = new Uint8Array(new SharedArrayBuffer(kept.length * CARD_PAGE_BYTES));
  kept.forEach((page, place) => {
    const start = page * CARD_PAGE_BYTES;
    pages.set(bytes.subarray(start, start + CARD_PAGE_BYTES), place * CARD_PAGE_BYTES);
  });
  return { pages: pages.buffer, index: index.buffer, bytes: bytes.length };
}

/** Lays the image into the memory of a fresh instance, whose own data lies below it. */
export function layMemory(memory: WebAssembly.Memory, image: MemoryImage): void {
  const missing = image.bytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(missing / WASM_PAGE_BYTES);
  const bytes = new Uint8Array(memory.buffer);
  const index = new Int32Array(image.index);
  for (let page = 0; page < index.length; page++) putPage(bytes, image, index, page);
}

/** Puts back every page whose card is marked, and clears the cards. The memory must not have grown. */
export function putBackMarked(
  memory: WebAssembly.Memory,
  cards: WebAssembly.Memory,
  image: MemoryImage,
): void {
  const bytes = new Uint8Array(memory.buffer);
  const index = new Int32Array(image.index);
  const marks = new Uint8Array(cards.buffer, 0, index.length + 1);
  for (let page = marks.indexOf(1); page >= 0; page = marks.indexOf(1, page + 1)) {
    marks[page] = 0;
    if (page >= index.length) continue;
    putPage(bytes, image, index, page);
    // A store at the end of a page reaches into the next one, and marks only where it begins.
    if (page + 1 < index.length) putPage(bytes, image, index, page + 1, LONGEST_STORE_BYTES);
  }
}

function putPage(
  bytes: Uint8Array,
  image: MemoryImage,
  index: Int32Array,
  page: number,
  length = CARD_PAGE_BYTES,
): void {
  const start = page * CARD_PAGE_BYTES;
  const place = index[page]!;
  if (place < 0) bytes.fill(0, start, start + length);
  else bytes.set(new Uint8Array(image.pages, place * CARD_PAGE_BYTES, length), start);
}
