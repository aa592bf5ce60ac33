/** Where things lie in the guest's memory, and the units in which it is counted. */

export const PAGE_BYTES = 4096;
export const WASM_PAGE_BYTES = 65_536;

/**
 * One byte a 4 KB page, in the lowest part of the guest's C stack, which grows down from 5.3 MB and is
 * limited to {@link MAX_STACK_BYTES}. (The data segments end at 87 KB; a table at 64 KB would lie in them.)
 */
export const CARD_TABLE = 131_072;

/** The card table has room for this much memory: the largest `limits.memory_mb`, stack and data. */
export const MAX_MEMORY_MB = 262;
export const CARD_TABLE_BYTES = (MAX_MEMORY_MB * 1024 * 1024) / PAGE_BYTES;

/** Memory that a fresh module has, before a plugin allocates anything: stack and heap of an empty context. */
export const INITIAL_MEMORY_MB = 16;

/** What stack and data segments take of the memory before the heap begins; comes on top of `limits.memory_mb`. */
export const STACK_AND_DATA_MB = 6;

/**
 * The last part of the memory, which a guest gets only while its end is described: one that filled its heap
 * and holds on to it leaves no room for the words that say so.
 */
export const RESERVE_BYTES = 512 * 1024;

/** The guest reports to the host each time it has used this much fuel. */
export const FUEL_SLICE = 50_000;

/**
 * Fuel of one millisecond of `cpu_ms`. A constant, so that a limit means the same on every machine and in
 * every replay; measured as what the reference machine burns in typical script code (test/bench).
 */
export const FUEL_PER_MS = 100_000;

/** Stack of the guest. V8 needs about 32 times as much for its own frames (design §7, the stack rule). */
export const MAX_STACK_BYTES = 256 * 1024;
export const CELL_STACK_MB = 10;
