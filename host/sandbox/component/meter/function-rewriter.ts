import { FunctionOutput } from './function-output.ts';
import type { Helpers } from './helpers.ts';
import * as op from './opcodes.ts';
import type { Reader } from './reader.ts';
import { ModuleRefused, unsupported } from './refusal.ts';
import { MAX_FUNCTION_BYTES, MAX_LOCALS, MAX_NESTING, type ModuleShape } from './shape.ts';
import { blockType, skipHeapType, valueType } from './value-types.ts';
import { Writer } from './writer.ts';

/** In an alignment: a memory is named (multi-memory proposal). */
const NAMES_MEMORY = 0x40;
const MAX_BRANCH_TARGETS = 65_520;
/** Eight locals, parameters or results cost as much as an instruction where they are made or moved. */
const SLOT_SHIFT = 3;

/** Decodes function bodies, one after the other, and writes each with its charges and marks. */
export class FunctionRewriter {
  readonly #shape: ModuleShape;
  readonly #helpers: Helpers;
  readonly #output: FunctionOutput;
  readonly #head = new Writer();
  /** For each open construct: its opcode, and the charge that covers its opening. */
  readonly #opcodes: number[] = [];
  readonly #openings: number[] = [];
  #reader!: Reader;
  #locals = 0;

  constructor(shape: ModuleShape, helpers: Helpers) {
    this.#shape = shape;
    this.#helpers = helpers;
    this.#output = new FunctionOutput(shape);
  }

  /** Appends the body that `reader` covers, of a function of type `type`, to `out`. */
  rewrite(reader: Reader, type: number, out: Writer): void {
    if (reader.end - reader.position > MAX_FUNCTION_BYTES) {
      throw new ModuleRefused('limits', `${reader.where}: more than ${MAX_FUNCTION_BYTES} bytes of code`);
    }
    const { params, results } = this.#shape.types[type]!;
    this.#reader = reader;
    const groups = reader.count(MAX_LOCALS, 'groups of locals');
    const groupsStart = reader.position;
    this.#locals = this.#countLocals(params, groups);
    const start = reader.position;
    const entryCost = 1 + ((this.#locals + results) >> SLOT_SHIFT);
    this.#rewriteCode(start, entryCost, false);
    if (this.#output.outgrown) this.#rewriteCode(start, entryCost, true);

    const { code, scratchTypes } = this.#output;
    this.#head.clear();
    this.#head.u32(groups + scratchTypes.length).raw(reader.bytes, groupsStart, start);
    for (const scratch of scratchTypes) this.#head.code(1, scratch);
    out
      .u32(this.#head.length + code.length)
      .append(this.#head)
      .append(code);
  }

  #countLocals(params: number, groups: number): number {
    const reader = this.#reader;
    let locals = params;
    for (let group = 0; group < groups; group++) {
      locals += reader.u32();
      if (locals > MAX_LOCALS) {
        throw new ModuleRefused('limits', `${reader.where}: more than ${MAX_LOCALS} locals`);
      }
      valueType(reader);
    }
    return locals;
  }

  #rewriteCode(start: number, entryCost: number, fuelInLocal: boolean): void {
    const reader = this.#reader;
    const output = this.#output;
    reader.position = start;
    output.begin(reader, this.#locals, entryCost, fuelInLocal);
    this.#opcodes.length = 0;
    this.#openings.length = 0;
    this.#open(op.BLOCK);
    while (this.#opcodes.length > 0) {
      this.#instruction(reader.position, reader.byte());
      if (output.outgrown) return;
    }
    reader.finish();
    output.finish();
  }

  #instruction(start: number, opcode: number): void {
    const reader = this.#reader;
    switch (opcode) {
      case op.BLOCK:
      case op.LOOP:
      case op.IF:
        this.#construct(start, opcode);
        return;
      case op.ELSE:
        this.#else();
        return;
      case op.END:
        this.#end(start);
        return;
    }
    this.#output.count(start, 1);
    if (opcode >= 0x45 && opcode <= 0xc4) return;
    switch (opcode) {
      case op.LOCAL_GET:
      case op.LOCAL_SET:
      case op.LOCAL_TEE:
        this.#local();
        return;
      case op.GLOBAL_GET:
      case op.GLOBAL_SET:
        this.#global();
        return;
      case op.I32_CONST:
        reader.skipSigned(32);
        return;
      case op.I64_CONST:
        reader.skipSigned(64);
        return;
      case op.F32_CONST:
        reader.skip(4);
        return;
      case op.F64_CONST:
        reader.skip(8);
        return;
      case op.UNREACHABLE:
      case 0x01: // nop
      case 0x1a: // drop
      case 0x1b: // select
      case op.REF_IS_NULL:
        return;
      case op.BR:
      case op.BR_IF:
      case op.BR_TABLE:
      case op.RETURN:
        this.#branch(start, opcode);
        return;
      case op.CALL:
      case op.CALL_INDIRECT:
      case op.RETURN_CALL:
      case op.RETURN_CALL_INDIRECT:
        this.#call(start, opcode);
        return;
      case op.MEMORY_SIZE:
        this.#memoryIndex();
        return;
      case op.MEMORY_GROW:
        this.#memoryIndex();
        this.#output.chargeLength(start, this.#helpers.index('pages'));
        return;
      case op.MISC_PREFIX:
        this.#misc(start);
        return;
      case op.SIMD_PREFIX:
        this.#simd(start);
        return;
    }
    if (opcode >= 0x28 && opcode <= 0x3e) this.#memoryAccess(start, opcode);
    else this.#reference(start, opcode);
  }

  #construct(start: number, opcode: number): void {
    const type = blockType(this.#reader, this.#shape.types.length);
    this.#output.count(start, opcode === op.BLOCK ? 0 : 1);
    this.#open(opcode);
    if (opcode !== op.LOOP) return;
    const { params } = type < 0 ? { params: 0 } : this.#shape.types[type]!;
    this.#output.loopHeader(params >> SLOT_SHIFT);
  }

  #open(opcode: number): void {
    if (this.#opcodes.length >= MAX_NESTING) {
      throw new ModuleRefused(
        'limits',
        `${this.#reader.place}: blocks are nested deeper than ${MAX_NESTING}`,
      );
    }
    this.#opcodes.push(opcode);
    this.#openings.push(this.#output.charge);
  }

  #else(): void {
    if (this.#opcodes.at(-1) !== op.IF) throw this.#reader.fault('an else without its if');
    this.#opcodes[this.#opcodes.length - 1] = op.ELSE;
    this.#output.join(this.#openings.at(-1)!);
  }

  #end(start: number): void {
    this.#opcodes.pop();
    const opening = this.#openings.pop()!;
    if (this.#opcodes.length === 0) this.#output.publishFuel(start);
    else this.#output.join(opening);
  }

  #branch(start: number, opcode: number): void {
    const reader = this.#reader;
    let furthest = this.#opcodes.length - 1;
    if (opcode === op.BR_TABLE) {
      furthest = 0;
      const targets = reader.count(MAX_BRANCH_TARGETS, 'targets of a branch');
      for (let target = 0; target <= targets; target++) furthest = Math.max(furthest, reader.u32());
    } else if (opcode !== op.RETURN) {
      furthest = reader.u32();
    }
    if (furthest >= this.#opcodes.length) throw reader.fault('a branch leads out of the function');
    if (furthest === this.#opcodes.length - 1) this.#output.publishFuel(start);
  }

  #call(start: number, opcode: number): void {
    const reader = this.#reader;
    const index = reader.u32();
    if (opcode === op.CALL || opcode === op.RETURN_CALL) {
      if (index >= this.#shape.functions.length) throw reader.fault(`there is no function ${index}`);
    } else {
      if (index >= this.#shape.types.length) throw reader.fault(`there is no type ${index}`);
      this.#tableIndex();
    }
    this.#output.publishFuel(start);
    if (opcode === op.CALL || opcode === op.CALL_INDIRECT) this.#output.receiveFuel();
  }

  #local(): void {
    const index = this.#reader.u32();
    if (index >= this.#locals) throw this.#reader.fault(`there is no local ${index}`);
  }

  #global(): void {
    const reader = this.#reader;
    const operand = reader.position;
    const index = reader.u32();
    if (index >= this.#shape.globals) throw reader.fault(`there is no global ${index}`);
    const shifted = this.#shape.shiftedGlobal(index);
    if (shifted === index) return;
    this.#output.copyTo(operand);
    this.#output.code.u32(shifted);
    this.#output.skipTo(reader.position);
  }

  #memoryIndex(): void {
    const reader = this.#reader;
    if (reader.u32() !== 0) throw unsupported('more than one memory', reader.place);
    if (!this.#shape.hasMemory) throw reader.fault('there is no memory');
  }

  #tableIndex(): void {
    const index = this.#reader.u32();
    if (index >= this.#shape.tables) throw this.#reader.fault(`there is no table ${index}`);
  }

  /** Reads alignment and offset, and gives the offset. */
  #memoryOperand(): number {
    const reader = this.#reader;
    const place = reader.place;
    const alignment = reader.u32();
    if ((alignment & NAMES_MEMORY) !== 0) throw unsupported('more than one memory', place);
    if (alignment > 4) throw reader.fault('an alignment is larger than the value');
    if (!this.#shape.hasMemory) throw reader.fault('there is no memory');
    return reader.u32();
  }

  #memoryAccess(start: number, opcode: number): void {
    const offset = this.#memoryOperand();
    const type = op.storedType(opcode);
    if (type !== undefined) this.#output.markStore(start, offset, type);
  }

  #simd(start: number): void {
    const reader = this.#reader;
    const place = reader.place;
    const opcode = reader.u32();
    const shape = op.simdShape(opcode);
    if (shape === undefined) {
      throw unsupported(opcode >= 0x100 ? 'relaxed SIMD' : `SIMD opcode 0x${opcode.toString(16)}`, place);
    }
    if (shape === 'bytes') reader.skip(16);
    if (shape === 'lane') reader.skip(1);
    if (shape !== 'memory' && shape !== 'memory-lane') return;
    const offset = this.#memoryOperand();
    if (shape === 'memory-lane') reader.skip(1);
    if (op.isSimdStore(opcode)) this.#output.markStore(start, offset, op.SIMD_STORED_TYPE);
  }

  #misc(start: number): void {
    const reader = this.#reader;
    const place = reader.place;
    const opcode = reader.u32();
    switch (opcode) {
      case op.MEMORY_INIT:
        this.#dataIndex();
        this.#memoryIndex();
        this.#output.markBulk(start, this.#helpers.index('bulk'));
        return;
      case op.DATA_DROP:
        this.#dataIndex();
        this.#shape.resettable = false;
        return;
      case op.MEMORY_COPY:
        this.#memoryIndex();
        this.#memoryIndex();
        this.#output.markBulk(start, this.#helpers.index('bulk'));
        return;
      case op.MEMORY_FILL:
        this.#memoryIndex();
        this.#output.markBulk(start, this.#helpers.index('bulk'));
        return;
      case op.ELEM_DROP:
        reader.u32();
        this.#shape.resettable = false;
        return;
      case op.TABLE_SIZE:
        this.#tableIndex();
        return;
      case op.TABLE_INIT:
      case op.TABLE_COPY:
      case op.TABLE_GROW:
      case op.TABLE_FILL:
        this.#tableChange(start, opcode);
        return;
    }
    if (opcode > 7) throw unsupported(`opcode 0xfc ${opcode}`, place);
  }

  #tableChange(start: number, opcode: number): void {
    if (opcode === op.TABLE_INIT) this.#reader.u32();
    if (opcode === op.TABLE_COPY) this.#tableIndex();
    this.#tableIndex();
    this.#shape.resettable = false;
    this.#output.chargeLength(start, this.#helpers.index('entries'));
  }

  #dataIndex(): void {
    const index = this.#reader.u32();
    if (index >= this.#shape.dataCount) throw this.#reader.fault(`there is no data segment ${index}`);
  }

  #reference(start: number, opcode: number): void {
    const reader = this.#reader;
    switch (opcode) {
      case op.SELECT_TYPED:
        if (reader.u32() !== 1) throw reader.fault('a select names one type');
        valueType(reader);
        return;
      case op.TABLE_GET:
        this.#tableIndex();
        return;
      case op.TABLE_SET:
        this.#shape.resettable = false;
        this.#tableIndex();
        return;
      case op.REF_NULL:
        skipHeapType(reader);
        return;
      case op.REF_FUNC: {
        const index = reader.u32();
        if (index >= this.#shape.functions.length) throw reader.fault(`there is no function ${index}`);
        return;
      }
    }
    throw unsupported(op.refusedFeature(opcode), `${reader.where}, byte ${start}`);
  }
}
