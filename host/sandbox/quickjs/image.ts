/**
 * The image of a plugin: the memory that every turn starts from, as the non-zero pages of a booted guest.
 *
 * It lies in shared memory, so that every cell restores from the same bytes and a plugin costs them once.
 */
import { createHash } from 'node:crypto';
import { type Guest, isCardPage } from './engine.ts';
import { CARD_TABLE, CARD_TABLE_BYTES, PAGE_BYTES, WASM_PAGE_BYTES } from './layout.ts';

/** Places in the guest that the host calls or writes to; the same in every instance of an image. */
export interface ImagePointers {
  readonly rt: number;
  readonly ctx: number;
  /** Text buffer for what the host passes in. */
  readonly buffer: number;
  readonly argv: number;
  /** The value that carries the event into `run`, and the text slot behind it. */
  readonly event: number;
  readonly eventText: number;
  readonly run: number;
  /** The prelude's function that takes the answer of a wait. */
  readonly deliver: number;
  /** The prelude's function for when nothing is left to do: timers. */
  readonly idle: number;
  /** The prelude's describer of thrown things. */
  readonly describe: number;
  /** 0 when the plugin exports no `handle`. */
  readonly handle: number;
}

export interface ScriptImage {
  readonly kind: 'script';
  /** The non-zero pages, one after the other. */
  readonly pages: SharedArrayBuffer;
  /** Int32 per page of memory: its place in `pages`, or -1 for a page of zeros. */
  readonly index: SharedArrayBuffer;
  readonly memoryBytes: number;
  readonly memoryMb: number;
  readonly stackPointer: number;
  readonly pointers: ImagePointers;
}

/** A fresh guest is zero but for its data segments, which end below this page. */
const DATA_PAGES = CARD_TABLE / PAGE_BYTES;

const ZERO_PAGE = Buffer.alloc(PAGE_BYTES);

export function takeImage(guest: Guest, pointers: ImagePointers, memoryMb: number): ScriptImage {
  const memory = guest.bytes;
  const pageCount = memory.length / PAGE_BYTES;
  const index = new Int32Array(new SharedArrayBuffer(pageCount * 4));
  const kept: number[] = [];
  for (let page = 0; page < pageCount; page++) {
    const start = page * PAGE_BYTES;
    const zero = isCardPage(page) || ZERO_PAGE.compare(memory, start, start + PAGE_BYTES) === 0;
    index[page] = zero ? -1 : kept.push(page) - 1;
  }
  const pages = new Uint8Array(new SharedArrayBuffer(kept.length * PAGE_BYTES));
  kept.forEach((page, place) => {
    pages.set(memory.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES), place * PAGE_BYTES);
  });
  memory.fill(0, CARD_TABLE, CARD_TABLE + CARD_TABLE_BYTES);
  return {
    kind: 'script',
    pages: pages.buffer,
    index: index.buffer,
    memoryBytes: memory.length,
    memoryMb,
    stackPointer: guest.fn.stack_pointer.value,
    pointers,
  };
}

/** Names the memory of an image: the same code that was told the same leaves the same. */
export function digestOfImage({ pages, index, memoryBytes, stackPointer, pointers }: ScriptImage): string {
  return createHash('sha256')
    .update(new Uint8Array(pages))
    .update(new Uint8Array(index))
    .update(JSON.stringify([memoryBytes, stackPointer, pointers]))
    .digest('hex');
}

/** Lays an image into a fresh guest, whose own data segments the image covers. */
export function restoreImage(guest: Guest, image: ScriptImage): void {
  const missing = image.memoryBytes - guest.memory.buffer.byteLength;
  if (missing > 0) guest.memory.grow(missing / WASM_PAGE_BYTES);
  const { pages, index } = views(image);
  const memory = guest.bytes;
  for (let page = 0; page < index.length; page++) {
    const place = index[page]!;
    if (place >= 0) memory.set(pages[place]!, page * PAGE_BYTES);
    else if (page < DATA_PAGES) memory.fill(0, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
  }
  memory.fill(0, CARD_TABLE, CARD_TABLE + CARD_TABLE_BYTES);
  guest.fn.stack_pointer.value = image.stackPointer;
}

/**
 * Copies back every page whose card is marked; sound also after the guest was ended in mid-flight. Pages that
 * the image does not hold, and that cost memory from now on although they are zero, are noted in `touched`.
 */
export function resetToImage(guest: Guest, image: ScriptImage, touched: Set<number>): number {
  const { pages, index } = views(image);
  const memory = guest.bytes;
  const { fn } = guest;
  let dirty = 0;
  for (let page = fn.next_dirty(0); page >= 0; page = fn.next_dirty(page + 1)) {
    if (isCardPage(page)) continue;
    dirty++;
    const place = page < index.length ? index[page]! : -1;
    if (place >= 0) memory.set(pages[place]!, page * PAGE_BYTES);
    else {
      memory.fill(0, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
      touched.add(page);
    }
  }
  guest.fn.stack_pointer.value = image.stackPointer;
  return dirty;
}

/** Bytes of memory that the guest really holds now: the image's, what earlier turns touched, what this one has. */
export function heldBytes(guest: Guest, image: ScriptImage, touched: ReadonlySet<number>): number {
  const { index } = views(image);
  const cards = guest.bytes.subarray(CARD_TABLE, CARD_TABLE + guest.bytes.length / PAGE_BYTES);
  let pages = image.pages.byteLength / PAGE_BYTES + touched.size;
  for (let page = cards.indexOf(1); page >= 0; page = cards.indexOf(1, page + 1)) {
    const inImage = page < index.length && index[page]! >= 0;
    if (!inImage && !touched.has(page)) pages++;
  }
  return pages * PAGE_BYTES;
}

interface Views {
  readonly pages: readonly Uint8Array[];
  readonly index: Int32Array;
}

const viewsOf = new WeakMap<SharedArrayBuffer, Views>();

/** One view a page, made once a thread: making them anew costs more than the copy. */
function views(image: ScriptImage): Views {
  let known = viewsOf.get(image.pages);
  if (!known) {
    const pages: Uint8Array[] = [];
    for (let at = 0; at < image.pages.byteLength; at += PAGE_BYTES) {
      pages.push(new Uint8Array(image.pages, at, PAGE_BYTES));
    }
    known = { pages, index: new Int32Array(image.index) };
    viewsOf.set(image.pages, known);
  }
  return known;
}
