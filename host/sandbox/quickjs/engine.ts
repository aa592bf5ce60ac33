/**
 * One QuickJS in its own wasm module and its own capped memory: the lowest layer of the script engine.
 *
 * `engine.wasm` is the module that quickjs-emscripten ships, metered and card-marked by build-engine.ts.
 * It is instantiated here without emscripten's glue: the few imports it has are either the four hooks
 * below or refused, so that nothing of the host's environment (clock, time zone, stdout) leaks in.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import {
  CARD_TABLE,
  CARD_TABLE_BYTES,
  FUEL_SLICE,
  INITIAL_MEMORY_MB,
  MAX_MEMORY_MB,
  PAGE_BYTES,
  RESERVE_BYTES,
  WASM_PAGE_BYTES,
} from './layout.ts';

const MB = 1024 * 1024;

/** What the running guest asks of its host. Pointers are offsets into the guest's memory. */
export interface GuestHooks {
  /** A call of the guest's `host` function; answers a pointer to a new guest value. */
  callHost(argumentCount: number, argumentValues: number): number;
  /** A slice of fuel ran out; throwing ends the guest at once, whatever it is in the middle of. */
  outOfFuel(): void;
  /** The guest wants more memory than it may have; QuickJS throws "out of memory" next, or `null` without room for that. */
  outOfMemory(): void;
  /** Polled between bytecodes; true throws an uncatchable error inside the guest, which keeps its stack. */
  shouldInterrupt(): boolean;
  /** Milliseconds since 1970, UTC. */
  nowMs(): number;
}

/** The functions of QuickJS's C interface that the host uses; every pointer is a number. */
interface EngineExports {
  readonly fuel: WebAssembly.Global<'i32'>;
  readonly stack_pointer: WebAssembly.Global<'i32'>;
  /** The first marked page from `from` on, whose card it clears; -1 when there is none. */
  next_dirty(from: number): number;
  initialize(): void;
  malloc(bytes: number): number;
  free(pointer: number): void;
  QTS_NewRuntime(): number;
  QTS_RuntimeSetMaxStackSize(rt: number, bytes: number): void;
  QTS_RuntimeEnableInterruptHandler(rt: number): void;
  QTS_NewContext(rt: number, intrinsics: number): number;
  QTS_NewFunction(
    ctx: number,
    name: number,
    argumentCount: number,
    isConstructor: number,
    hostRef: number,
  ): number;
  QTS_GetGlobalObject(ctx: number): number;
  QTS_GetProp(ctx: number, object: number, name: number): number;
  QTS_SetProp(ctx: number, object: number, name: number, value: number): void;
  QTS_GetUndefined(): number;
  QTS_NewString(ctx: number, utf8: number): number;
  QTS_GetString(ctx: number, value: number): number;
  QTS_FreeCString(ctx: number, text: number): void;
  QTS_GetFloat64(ctx: number, value: number): number;
  QTS_ArgvGetJSValueConstPointer(argv: number, index: number): number;
  QTS_Typeof(ctx: number, value: number): number;
  QTS_Eval(
    ctx: number,
    code: number,
    length: number,
    filename: number,
    detectModule: number,
    flags: number,
  ): number;
  QTS_Call(ctx: number, fn: number, self: number, argc: number, argv: number): number;
  QTS_ResolveException(ctx: number, maybeException: number): number;
  QTS_Dump(ctx: number, value: number): number;
  QTS_Throw(ctx: number, error: number): number;
  QTS_IsJobPending(rt: number): number;
  QTS_ExecutePendingJob(rt: number, max: number, contextOut: number): number;
  QTS_PromiseState(ctx: number, value: number): number;
  QTS_PromiseResult(ctx: number, value: number): number;
}

/** A fault of the engine itself (failed assertion, abort), or a trap: the instance has to be reset. */
export class EngineFault extends Error {}

/** A flat string of QuickJS: reference count, length with the top bit for UTF-16, two words of hash, units, NUL. */
const TAG_STRING = -7;
const STRING_LENGTH = 4;
const STRING_IS_WIDE = 0x8000_0000;
const STRING_HEADER_BYTES = 16;

/** Bytes of a text slot; it holds texts of less than half as many UTF-16 units. */
export const TEXT_SLOT_BYTES = 32 * 1024;

let compiled: WebAssembly.Module | undefined;

export const ENGINE_FILE = path.join(import.meta.dirname, 'engine.wasm');

/** Compiles `engine.wasm` once a thread; a module compiled elsewhere can be handed in. */
export function engineModule(shared?: WebAssembly.Module): WebAssembly.Module {
  compiled ??= shared ?? new WebAssembly.Module(readFileSync(ENGINE_FILE));
  return compiled;
}

export class Guest {
  readonly fn: EngineExports;
  readonly memory: WebAssembly.Memory;
  /** Opens {@link RESERVE_BYTES}, until the next reset. */
  mayUseReserve = false;
  readonly #maxBytes: number;
  /** Current view of the memory; replaced when the memory grows. */
  #bytes: Buffer;

  constructor(hooks: GuestHooks, maxMemoryMb: number) {
    if (maxMemoryMb > MAX_MEMORY_MB) throw new RangeError(`at most ${MAX_MEMORY_MB} MB of guest memory`);
    this.#maxBytes = maxMemoryMb * MB;
    this.memory = new WebAssembly.Memory({
      initial: (INITIAL_MEMORY_MB * MB) / WASM_PAGE_BYTES,
      maximum: (maxMemoryMb * MB) / WASM_PAGE_BYTES,
    });
    this.#bytes = Buffer.from(this.memory.buffer);
    const instance = new WebAssembly.Instance(engineModule(), { env: this.#imports(hooks) });
    this.fn = instance.exports as unknown as EngineExports;
  }

  get bytes(): Buffer {
    if (this.#bytes.buffer !== this.memory.buffer) this.#bytes = Buffer.from(this.memory.buffer);
    return this.#bytes;
  }

  /** Fuel used since the last refill. Can exceed a slice: one bulk copy is charged at once. */
  fuelUsedInSlice(): number {
    return FUEL_SLICE - this.fn.fuel.value;
  }

  refuel(): void {
    this.fn.fuel.value = FUEL_SLICE;
  }

  /** Tells the card table about bytes that the host wrote itself. */
  mark(offset: number, length: number): void {
    const first = Math.floor(offset / PAGE_BYTES);
    const last = Math.floor((offset + Math.max(length, 1) - 1) / PAGE_BYTES);
    const bytes = this.bytes;
    for (let page = first; page <= last; page++) bytes[CARD_TABLE + page] = 1;
  }

  /** Writes `text` and a NUL at `offset`; answers the bytes written without the NUL, or -1 when it does not fit. */
  writeText(offset: number, capacity: number, text: string): number {
    // A UTF-16 unit takes at most three bytes of UTF-8.
    if (text.length * 3 >= capacity && Buffer.byteLength(text) >= capacity) return -1;
    const bytes = this.bytes;
    const written = bytes.utf8Write(text, offset, capacity - 1);
    bytes[offset + written] = 0;
    this.mark(offset, written + 1);
    return written;
  }

  /** Where the string behind a guest value lies; 0 unless it is one flat string. */
  stringOf(value: number): number {
    const bytes = this.bytes;
    return bytes.readInt32LE(value + 4) === TAG_STRING ? bytes.readUInt32LE(value) : 0;
  }

  /** Reads a flat guest string where it lies; undefined when it is longer than `maxBytes` of UTF-8. */
  readString(string: number, maxBytes: number): string | undefined {
    const bytes = this.bytes;
    const word = bytes.readUInt32LE(string + STRING_LENGTH);
    const wide = word >= STRING_IS_WIDE;
    const length = wide ? word - STRING_IS_WIDE : word;
    if (length > maxBytes) return undefined;
    const start = string + STRING_HEADER_BYTES;
    const text = wide ? bytes.ucs2Slice(start, start + 2 * length) : bytes.latin1Slice(start, start + length);
    return length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes ? undefined : text;
  }

  /** Empties a string of {@link TEXT_SLOT_BYTES} one-byte units, so that it can take texts and weighs nothing in an image. */
  makeTextSlot(string: number): void {
    this.bytes.fill(0, string + STRING_LENGTH, string + STRING_HEADER_BYTES + TEXT_SLOT_BYTES);
    this.mark(string, STRING_HEADER_BYTES + TEXT_SLOT_BYTES);
  }

  /** Makes a text slot that string; false when it does not fit. Much cheaper than a new string of the guest's. */
  fillTextSlot(string: number, text: string): boolean {
    if (text.length * 2 >= TEXT_SLOT_BYTES) return false;
    const bytes = this.bytes;
    const start = string + STRING_HEADER_BYTES;
    const wide = Buffer.byteLength(text) !== text.length;
    const written = wide ? bytes.ucs2Write(text, start) : bytes.latin1Write(text, start);
    bytes[start + written] = 0;
    bytes.writeUInt32LE(text.length + (wide ? STRING_IS_WIDE : 0), string + STRING_LENGTH);
    this.mark(string, STRING_HEADER_BYTES + written + 1);
    return true;
  }

  /** Allocates guest memory for `text`; it lives until the next reset. */
  allocateText(text: string): { readonly pointer: number; readonly length: number } {
    const capacity = Buffer.byteLength(text) + 1;
    const pointer = this.fn.malloc(capacity);
    if (pointer === 0) throw new EngineFault('out of memory');
    return { pointer, length: this.writeText(pointer, capacity, text) };
  }

  /** Reads the C string at `pointer`; undefined when it is longer than `maxBytes`. */
  readText(pointer: number, maxBytes = Number.POSITIVE_INFINITY): string | undefined {
    if (pointer === 0) throw new EngineFault('out of memory');
    const bytes = this.bytes;
    const end = bytes.indexOf(0, pointer);
    if (end - pointer > maxBytes) return undefined;
    return bytes.utf8Slice(pointer, end);
  }

  #imports(hooks: GuestHooks): Record<string, WebAssembly.ImportValue> {
    const fault = (what: string) => () => {
      throw new EngineFault(what);
    };
    return {
      memory: this.memory,
      out_of_fuel: () => hooks.outOfFuel(),
      should_interrupt: () => (hooks.shouldInterrupt() ? 1 : 0),
      call_function: (_ctx: number, _self: number, argc: number, argv: number) => hooks.callHost(argc, argv),
      date_now: () => hooks.nowMs(),
      resize_heap: (bytes: number) => {
        if (this.#grow(bytes >>> 0)) return 1;
        hooks.outOfMemory();
        return 0;
      },
      localtime: (seconds: bigint, tm: number) => this.#writeUtc(seconds, tm),
      tzset: (timezone: number, daylight: number, standardName: number, daylightName: number) => {
        this.bytes.writeInt32LE(0, timezone);
        this.bytes.writeInt32LE(0, daylight);
        this.mark(timezone, 4);
        this.mark(daylight, 4);
        this.writeText(standardName, 17, 'UTC');
        this.writeText(daylightName, 17, 'UTC');
      },
      environ_sizes_get: (count: number, size: number) => {
        this.bytes.writeUInt32LE(0, count);
        this.bytes.writeUInt32LE(0, size);
        this.mark(count, 4);
        this.mark(size, 4);
        return 0;
      },
      environ_get: () => 0,
      set_itimer: () => 0,
      keepalive_clear: () => {},
      free_host_ref: () => {},
      // QuickJS writes to descriptors only when it is about to give up; there is nowhere to write to.
      fd_write: () => 52,
      fd_close: () => 52,
      fd_seek: () => 70,
      assert_fail: (message: number) => {
        throw new EngineFault(`assertion failed: ${this.readText(message, 1000) ?? ''}`);
      },
      abort: fault('aborted'),
      exit: fault('exited'),
      // No module loader is installed: what is not bundled cannot be imported.
      normalize_module: fault('module loader'),
      load_module_source: fault('module loader'),
    };
  }

  /** The cap binds whatever the guest allocates; QuickJS's own memory limit would not bind typed arrays. */
  #grow(wantedBytes: number): boolean {
    const now = this.memory.buffer.byteLength;
    const cap = this.#maxBytes - (this.mayUseReserve ? 0 : RESERVE_BYTES);
    if (wantedBytes > cap) return false;
    const target = Math.min(cap, Math.max(wantedBytes, now + Math.floor(now / 8)));
    try {
      this.memory.grow(Math.ceil((target - now) / WASM_PAGE_BYTES));
      return true;
    } catch {
      // The machine itself has no more.
      return false;
    }
  }

  #writeUtc(seconds: bigint, tm: number): void {
    const date = new Date(Number(BigInt.asIntN(53, seconds)) * 1000);
    const yearStart = Date.UTC(date.getUTCFullYear(), 0, 1);
    const fields = [
      date.getUTCSeconds(),
      date.getUTCMinutes(),
      date.getUTCHours(),
      date.getUTCDate(),
      date.getUTCMonth(),
      date.getUTCFullYear() - 1900,
      date.getUTCDay(),
      Math.floor((date.getTime() - yearStart) / 86_400_000),
      0,
      0,
    ];
    const view = new Int32Array(fields.map((field) => field || 0));
    this.bytes.set(Buffer.from(view.buffer), tm);
    this.mark(tm, view.byteLength);
  }
}

/** Whether a page of guest memory holds the card table itself, which is never part of an image. */
export function isCardPage(page: number): boolean {
  return page >= CARD_TABLE / PAGE_BYTES && page < (CARD_TABLE + CARD_TABLE_BYTES) / PAGE_BYTES;
}
