/** The sections before the code that say what a module has: types, imports, functions, tables, memory, globals. */
import { rewriteExpression } from './constant-expressions.ts';
import { fuelImport, importName } from './names.ts';
import type { Reader } from './reader.ts';
import { ModuleRefused, unsupported } from './refusal.ts';
import {
  MAX_FUNCTIONS,
  MAX_GLOBALS,
  MAX_IMPORTS,
  MAX_PARAMS,
  MAX_TABLES,
  MAX_TYPES,
  type ModuleShape,
} from './shape.ts';
import { I64, referenceType, V128, valueType } from './value-types.ts';
import { Writer } from './writer.ts';

const WASM_PAGE_BYTES = 65_536;
/** A byte for every 4 KB: one page of cards covers 256 MB. */
const CARD_MEMORY_PAGES = 1;
const MAX_COVERED_PAGES = 4096;
/** Only to bound the list: a second memory is refused where it stands. */
const MAX_LISTED_MEMORIES = 100;
const FUNCTION_TYPE = 0x60;
const GC_TYPES = new Set([0x4e, 0x4f, 0x50, 0x5e, 0x5f]);
const TABLE_WITH_INITIALISER = 0x40;

const HAS_MAXIMUM = 1;
const SHARED = 2;
const SIXTY_FOUR_BITS = 4;
const CUSTOM_PAGE_SIZE = 8;

export const EXTERNAL = { function: 0, table: 1, memory: 2, global: 3, tag: 4 } as const;

/** The types as they are, without their count: those of the helpers come behind them. */
export function rewriteTypes(reader: Reader, shape: ModuleShape): Writer {
  const count = reader.count(MAX_TYPES, 'types');
  const start = reader.position;
  for (let index = 0; index < count; index++) {
    const place = reader.place;
    const form = reader.byte();
    if (form !== FUNCTION_TYPE) {
      throw GC_TYPES.has(form)
        ? unsupported('garbage-collected types (wasm GC: struct, array, rec, sub)', place)
        : unsupported(`type form 0x${form.toString(16)}`, place);
    }
    const params = skipValueTypes(reader, 'parameters');
    shape.types.push({ params, results: skipValueTypes(reader, 'results') });
  }
  return new Writer().raw(reader.bytes, start, reader.position);
}

function skipValueTypes(reader: Reader, what: string): number {
  const count = reader.count(MAX_PARAMS, what);
  for (let index = 0; index < count; index++) valueType(reader);
  return count;
}

/** Reads the imports, and gives them with the fuel behind them. */
export function rewriteImports(reader: Reader, shape: ModuleShape): Writer {
  const count = reader.count(MAX_IMPORTS, 'imports');
  const start = reader.position;
  for (let index = 0; index < count; index++) readImport(reader, shape);
  const out = new Writer().u32(count + 1).raw(reader.bytes, start, reader.position);
  out.name(fuelImport.module).name(fuelImport.name);
  return out.code(EXTERNAL.global, I64, 1);
}

function readImport(reader: Reader, shape: ModuleShape): void {
  const label = importName(reader);
  const place = reader.place;
  switch (reader.byte()) {
    case EXTERNAL.function:
      shape.functions.push(typeIndex(reader, shape));
      shape.importedFunctions++;
      return;
    case EXTERNAL.table:
      referenceType(reader);
      readTableLimits(reader, shape, `table ${label}`);
      shape.importedTables++;
      return;
    case EXTERNAL.memory:
      readMemoryLimits(reader, shape, `memory ${label}`);
      shape.importedMemories++;
      return;
    case EXTERNAL.global:
      valueType(reader);
      mutability(reader);
      shape.importedGlobals++;
      return;
    case EXTERNAL.tag:
      throw unsupported('exception handling (an imported tag)', place);
    default:
      throw reader.fault('an import is of no known kind');
  }
}

/** The types of the functions as they are, without their count. */
export function rewriteFunctions(reader: Reader, shape: ModuleShape): Writer {
  const count = reader.count(MAX_FUNCTIONS, 'functions');
  const start = reader.position;
  for (let index = 0; index < count; index++) shape.functions.push(typeIndex(reader, shape));
  return new Writer().raw(reader.bytes, start, reader.position);
}

function typeIndex(reader: Reader, shape: ModuleShape): number {
  const index = reader.u32();
  if (index >= shape.types.length) throw reader.fault(`there is no type ${index}`);
  return index;
}

export function rewriteTables(reader: Reader, shape: ModuleShape): Writer {
  const count = reader.count(MAX_TABLES, 'tables');
  const out = new Writer().u32(count);
  for (let index = 0; index < count; index++) {
    const place = reader.place;
    if (reader.bytes[reader.position] === TABLE_WITH_INITIALISER) {
      throw unsupported('a table with an initialiser', place);
    }
    const type = referenceType(reader);
    const { initial, maximum } = readTableLimits(reader, shape, `table ${shape.tables}`);
    shape.tableElements += initial;
    if (shape.tableElements > shape.limits.maxTableElements) {
      throw new ModuleRefused(
        'limits',
        `the tables start with ${shape.tableElements} elements; ${shape.limits.maxTableElements} are allowed`,
      );
    }
    out.code(type, HAS_MAXIMUM).u32(initial).u32(Math.min(maximum, shape.limits.maxTableElements));
    shape.definedTables++;
  }
  return out;
}

/** The memory, capped, and behind it the cards of the one that the module has, defined or imported. */
export function rewriteMemories(reader: Reader, shape: ModuleShape): Writer {
  const maxPages = Math.min(Math.floor(shape.limits.maxMemoryBytes / WASM_PAGE_BYTES), MAX_COVERED_PAGES);
  const count = reader.count(MAX_LISTED_MEMORIES, 'memories');
  const out = new Writer();
  for (let index = 0; index < count; index++) {
    const { initial, maximum } = readMemoryLimits(reader, shape, 'the memory');
    shape.definedMemories++;
    out.code(HAS_MAXIMUM).u32(initial).u32(Math.min(maximum, maxPages));
  }
  if (!shape.hasMemory) return new Writer().u32(0);
  out.code(HAS_MAXIMUM, CARD_MEMORY_PAGES, CARD_MEMORY_PAGES);
  return new Writer().u32(count + 1).append(out);
}

interface Limits {
  readonly initial: number;
  readonly maximum: number;
}

function readTableLimits(reader: Reader, shape: ModuleShape, what: string): Limits {
  const limits = readLimits(reader, what);
  const { maxTableElements } = shape.limits;
  if (limits.initial > maxTableElements) {
    throw new ModuleRefused(
      'limits',
      `${what} starts with ${limits.initial} elements; ${maxTableElements} are allowed`,
    );
  }
  return limits;
}

function readMemoryLimits(reader: Reader, shape: ModuleShape, what: string): Limits {
  if (shape.hasMemory) throw unsupported('more than one memory', reader.place);
  const limits = readLimits(reader, what);
  const maxMemoryBytes = Math.min(shape.limits.maxMemoryBytes, MAX_COVERED_PAGES * WASM_PAGE_BYTES);
  if (limits.initial * WASM_PAGE_BYTES > maxMemoryBytes) {
    const bytes = limits.initial * WASM_PAGE_BYTES;
    throw new ModuleRefused('limits', `${what} starts with ${bytes} bytes; ${maxMemoryBytes} are allowed`);
  }
  return limits;
}

function readLimits(reader: Reader, what: string): Limits {
  const place = `${what} (${reader.place})`;
  const flags = reader.byte();
  if (flags >= 2 * CUSTOM_PAGE_SIZE) throw reader.fault('limits of no known kind');
  if (flags & SHARED) throw unsupported('shared memory', place);
  if (flags & SIXTY_FOUR_BITS) throw unsupported('64-bit addresses (memory64, table64)', place);
  if (flags & CUSTOM_PAGE_SIZE) throw unsupported('a page size of its own', place);
  const initial = reader.u32();
  const maximum = flags & HAS_MAXIMUM ? reader.u32() : Number.POSITIVE_INFINITY;
  if (maximum < initial) throw reader.fault('a maximum is below what it starts with');
  return { initial, maximum };
}

export function rewriteGlobals(reader: Reader, shape: ModuleShape): Writer {
  const count = reader.count(MAX_GLOBALS, 'globals');
  const out = new Writer().u32(count);
  for (let index = 0; index < count; index++) {
    const type = valueType(reader);
    const mutable = mutability(reader);
    out.code(type, mutable);
    rewriteExpression(reader, shape, out);
    if (mutable) shape.mutableGlobals.push(shape.globals);
    // JavaScript cannot read a vector, so the host cannot put it back.
    if (mutable && type === V128) shape.resettable = false;
    shape.definedGlobals++;
  }
  return out;
}

function mutability(reader: Reader): number {
  const place = reader.place;
  const flag = reader.byte();
  if (flag > 3) throw reader.fault('a global is neither constant nor mutable');
  if (flag > 1) throw unsupported('a shared global', place);
  return flag;
}
