import { CARD_SHIFT } from './layout.ts';
import * as op from './opcodes.ts';
import type { Reader } from './reader.ts';
import type { ModuleShape } from './shape.ts';
import { EMPTY, I32, I64 } from './value-types.ts';
import { Writer } from './writer.ts';

/** A scratch local that belongs to the fuel; values of stores have one for each of their types. */
const FUEL = -1;
/** The scratch locals of addresses, and of the other operands of bulk operations. */
const ADDRESS = -2;
const LENGTH = -3;
const OPERAND = -4;

/** Instructions that one charge may cover before code behind a join of the control flow gets its own. */
const FOLD_BELOW = 24;

/**
 * The body of one function as it is written: runs of the original, and between them charges and marks.
 *
 * **Where the fuel is.** A function that needs a single charge takes it off the global. One with loops holds the
 * fuel in a local, which costs a loop one subtraction and one branch: the global is written before whatever may
 * look at it (calls, returns) and read again after a call. A trap on the way loses what was not written; running
 * out of fuel always writes.
 *
 * **What a charge covers.** Code is charged where it begins to run for certain: at the entry, at every loop
 * header, and behind joins (`else`, `end`). Only the entry and the headers look whether fuel is left: without
 * passing one of them, no more can run than the function is long.
 */
export class FunctionOutput {
  readonly code = new Writer(1 << 16);
  /** The function needs its fuel in a local and was begun without: what is written is of no use. */
  outgrown = false;
  readonly #shape: ModuleShape;
  /** Local index by purpose: one of those above, or the value type of a store. */
  readonly #scratch = new Map<number, number>();
  readonly #points: number[] = [];
  readonly #costs: number[] = [];
  #source!: Reader;
  #copied = 0;
  #firstScratch = 0;
  #fuelInLocal = false;
  /** The charge that the code here counts towards. */
  #current = 0;
  /** Set behind a join: the charge that covers what came before it, which may cover the rest too. */
  #joined = -1;

  constructor(shape: ModuleShape) {
    this.#shape = shape;
  }

  /** Begins a body whose instructions start at the reader's position. */
  begin(source: Reader, locals: number, entryCost: number, fuelInLocal: boolean): void {
    this.#source = source;
    this.#copied = source.position;
    this.#firstScratch = locals;
    this.#fuelInLocal = fuelInLocal;
    this.outgrown = false;
    this.code.clear();
    this.#scratch.clear();
    this.#points.length = 0;
    this.#costs.length = 0;
    this.#joined = -1;
    this.code.code(op.GLOBAL_GET).u32(this.#shape.fuelGlobal);
    this.#subtract(entryCost);
    this.#check();
  }

  /** Copies the original up to `position`; {@link skipTo} leaves a stretch out. */
  copyTo(position: number): void {
    if (position > this.#copied) this.code.raw(this.#source.bytes, this.#copied, position);
    this.#copied = position;
  }

  skipTo(position: number): void {
    this.#copied = position;
  }

  get charge(): number {
    return this.#current;
  }

  /** Counts an instruction at `start` towards the charge that covers it. */
  count(start: number, cost: number): void {
    if (this.#joined >= 0) {
      this.#current = this.#joined;
      this.#joined = -1;
      if (this.#costs[this.#current]! >= FOLD_BELOW) this.#chargeAnew(start);
    }
    this.#costs[this.#current]! += cost;
  }

  /** A join behind a construct whose opening the charge `opening` covers: what follows runs only after that. */
  join(opening: number): void {
    this.#joined = opening;
  }

  /** The header of a loop, just read. */
  loopHeader(cost: number): void {
    if (!this.#fuelInLocal) this.outgrown = true;
    this.copyTo(this.#source.position);
    this.code.code(op.LOCAL_GET).u32(this.#local(FUEL));
    this.#subtract(cost);
    this.#check();
  }

  /** Writes the fuel where others look for it, before the instruction at `start`. */
  publishFuel(start: number): void {
    if (!this.#fuelInLocal) return;
    this.copyTo(start);
    this.code.code(op.LOCAL_GET).u32(this.#local(FUEL));
    this.code.code(op.GLOBAL_SET).u32(this.#shape.fuelGlobal);
  }

  /** Takes over what a call has left, behind the instruction just read. */
  receiveFuel(): void {
    if (!this.#fuelInLocal) return;
    this.copyTo(this.#source.position);
    this.#reload();
  }

  /** Marks the page of a store's first byte, before the store at `start`. */
  markStore(start: number, offset: number, type: number): void {
    const address = this.#local(ADDRESS);
    const value = this.#local(type);
    const { code } = this;
    this.copyTo(start);
    code.code(op.LOCAL_SET).u32(value).code(op.LOCAL_TEE).u32(address);
    if (offset > 0) code.code(op.I32_CONST).s32(offset).code(op.I32_ADD);
    code.code(op.I32_CONST, CARD_SHIFT, op.I32_SHR_U, op.I32_CONST, 1);
    code.code(op.I32_STORE8, 0x40, this.#shape.cardMemory, 0);
    code.code(op.LOCAL_GET).u32(address).code(op.LOCAL_GET).u32(value);
  }

  /** Calls `helper` with address and length of the operation at `start`, whose three operands stay as they are. */
  markBulk(start: number, helper: number): void {
    const length = this.#local(LENGTH);
    const source = this.#local(OPERAND);
    const address = this.#local(ADDRESS);
    const { code } = this;
    this.publishFuel(start);
    this.copyTo(start);
    code.code(op.LOCAL_SET).u32(length).code(op.LOCAL_SET).u32(source).code(op.LOCAL_TEE).u32(address);
    code.code(op.LOCAL_GET).u32(length).code(op.CALL).u32(helper);
    code.code(op.LOCAL_GET).u32(address).code(op.LOCAL_GET).u32(source).code(op.LOCAL_GET).u32(length);
    this.#reload();
  }

  /** Calls `helper` with the length on top of the stack, which it leaves there, before the operation at `start`. */
  chargeLength(start: number, helper: number): void {
    this.publishFuel(start);
    this.copyTo(start);
    this.code.code(op.CALL).u32(helper);
    this.#reload();
  }

  /** Number and types of the scratch locals, as groups of one. */
  get scratchTypes(): number[] {
    return [...this.#scratch.keys()].map((purpose) => (purpose === FUEL ? I64 : purpose < 0 ? I32 : purpose));
  }

  /** Ends the body: what is left is copied, and every charge gets its amount. */
  finish(): void {
    this.copyTo(this.#source.end);
    this.#points.forEach((place, index) => {
      this.code.patch(place, this.#costs[index]!);
    });
  }

  #chargeAnew(start: number): void {
    if (!this.#fuelInLocal) this.outgrown = true;
    const fuel = this.#local(FUEL);
    this.copyTo(start);
    this.code.code(op.LOCAL_GET).u32(fuel);
    this.#subtract(0);
    this.code.code(op.LOCAL_SET).u32(fuel);
  }

  #reload(): void {
    if (!this.#fuelInLocal) return;
    this.code.code(op.GLOBAL_GET).u32(this.#shape.fuelGlobal);
    this.code.code(op.LOCAL_SET).u32(this.#local(FUEL));
  }

  /** A new charge, off the fuel on the stack. */
  #subtract(cost: number): void {
    this.code.byte(op.I64_CONST);
    this.#points.push(this.code.reserve());
    this.#costs.push(cost);
    this.#current = this.#points.length - 1;
    this.code.byte(op.I64_SUB);
  }

  #check(): void {
    const fuel = this.#local(FUEL);
    const { fuelGlobal } = this.#shape;
    this.code.code(op.LOCAL_TEE).u32(fuel);
    if (!this.#fuelInLocal) this.code.code(op.GLOBAL_SET).u32(fuelGlobal).code(op.LOCAL_GET).u32(fuel);
    this.code.code(op.I64_CONST, 0, op.I64_LT_S, op.IF, EMPTY);
    if (this.#fuelInLocal) this.code.code(op.LOCAL_GET).u32(fuel).code(op.GLOBAL_SET).u32(fuelGlobal);
    this.code.code(op.UNREACHABLE, op.END);
  }

  #local(purpose: number): number {
    let local = this.#scratch.get(purpose);
    if (local === undefined) {
      local = this.#firstScratch + this.#scratch.size;
      this.#scratch.set(purpose, local);
    }
    return local;
  }
}
