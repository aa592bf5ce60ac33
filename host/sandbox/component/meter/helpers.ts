import { CARD_SHIFT } from './layout.ts';
import * as op from './opcodes.ts';
import type { ModuleShape } from './shape.ts';
import { EMPTY, I32 } from './value-types.ts';
import { Writer } from './writer.ts';

/** A memory operation costs 8, and 1 more for every 2^2 bytes, which a fast machine copies in the time of one. */
const BULK_BASE = 8;
const BULK_SHIFT = 2;
/** A reference that is copied costs as much as 2^3 instructions. */
const ENTRY_SHIFT = 3;
const ENTRY_BASE = 32;
/** Growing asks the run time of V8, and a page of 64 KB costs 2^12. */
const PAGE_SHIFT = 12;
const PAGE_BASE = 2048;

type HelperName = 'bulk' | 'entries' | 'pages';

interface Helper {
  readonly params: readonly number[];
  readonly results: readonly number[];
  readonly code: (shape: ModuleShape) => Writer;
}

/**
 * Functions behind those of the module that charge and mark what depends on a length.
 *
 * - `bulk(address, length)` charges for a memory operation and marks the pages it writes.
 * - `entries(length) → length` charges for an operation on a table.
 * - `pages(count) → count` charges for growing the memory.
 */
const HELPERS: Readonly<Record<HelperName, Helper>> = {
  bulk: {
    params: [I32, I32],
    results: [],
    code: (shape) => {
      const out = new Writer();
      charge(out, shape, 1, BULK_SHIFT, BULK_BASE);
      return markRange(out, shape);
    },
  },
  entries: {
    params: [I32],
    results: [I32],
    code: (shape) => charge(new Writer(), shape, 0, -ENTRY_SHIFT, ENTRY_BASE).code(op.LOCAL_GET, 0),
  },
  pages: {
    params: [I32],
    results: [I32],
    code: (shape) => charge(new Writer(), shape, 0, -PAGE_SHIFT, PAGE_BASE).code(op.LOCAL_GET, 0),
  },
};

const I64_EXTEND_I32_U = 0xad;
const I64_ADD = 0x7c;
const I64_SHL = 0x86;
const I64_SHR_U = 0x88;
const I32_GE_U = 0x4f;

/** Takes `base` and the length in `local`, shifted right (or left when negative), off the fuel. */
function charge(out: Writer, shape: ModuleShape, local: number, shift: number, base: number): Writer {
  out.code(op.GLOBAL_GET).u32(shape.fuelGlobal);
  out.code(op.LOCAL_GET, local, I64_EXTEND_I32_U);
  out.code(op.I64_CONST).s32(Math.abs(shift));
  out.code(shift < 0 ? I64_SHL : I64_SHR_U, op.I64_CONST).s32(base);
  out.code(I64_ADD, op.I64_SUB, op.GLOBAL_SET).u32(shape.fuelGlobal);
  out.code(op.GLOBAL_GET).u32(shape.fuelGlobal);
  return out.code(op.I64_CONST, 0, op.I64_LT_S, op.IF, EMPTY, op.UNREACHABLE, op.END);
}

/**
 * Marks the cards of local 0 (an address) up to local 1 (bytes) behind it. Where that passes the end of the
 * memory the operation itself traps, so a mark that traps first changes nothing.
 */
function markRange(out: Writer, shape: ModuleShape): Writer {
  const store = () => out.code(op.I32_STORE8, 0x40, shape.cardMemory, 0);
  const first = () => out.code(op.LOCAL_GET, 0, op.I32_CONST, CARD_SHIFT, op.I32_SHR_U);
  const last = () =>
    out
      .code(op.LOCAL_GET, 0, op.LOCAL_GET, 1, op.I32_ADD, op.I32_CONST, 1, op.I32_SUB)
      .code(op.I32_CONST, CARD_SHIFT, op.I32_SHR_U);
  out.code(op.LOCAL_GET, 1, op.IF, EMPTY);
  first().code(op.I32_CONST, 1);
  store();
  last().code(op.I32_CONST, 1);
  store();
  last();
  first().code(op.I32_SUB, op.I32_CONST, 2, I32_GE_U, op.IF, EMPTY);
  first().code(op.I32_CONST, 1);
  last();
  first().code(op.I32_SUB, op.MISC_PREFIX, op.MEMORY_FILL, shape.cardMemory);
  return out.code(op.END, op.END);
}

/** The helpers that a module needs, in the order in which it first did. */
export class Helpers {
  readonly #shape: ModuleShape;
  readonly #used: HelperName[] = [];

  constructor(shape: ModuleShape) {
    this.#shape = shape;
  }

  get used(): number {
    return this.#used.length;
  }

  /** Index of the helper in the rewritten module. */
  index(name: HelperName): number {
    const known = this.#used.indexOf(name);
    const place = known >= 0 ? known : this.#used.push(name) - 1;
    return this.#shape.functions.length + place;
  }

  writeTypes(out: Writer): void {
    for (const { params, results } of this.#helpers()) {
      out
        .code(0x60)
        .u32(params.length)
        .code(...params);
      out.u32(results.length).code(...results);
    }
  }

  writeFunctions(out: Writer): void {
    for (let place = 0; place < this.used; place++) out.u32(this.#shape.types.length + place);
  }

  writeBodies(out: Writer): void {
    for (const { code } of this.#helpers()) {
      const body = code(this.#shape).code(op.END);
      out
        .u32(body.length + 1)
        .byte(0)
        .append(body);
    }
  }

  #helpers(): Helper[] {
    return this.#used.map((name) => HELPERS[name]);
  }
}
