import * as op from './opcodes.ts';
import type { Reader } from './reader.ts';
import { unsupported } from './refusal.ts';
import type { ModuleShape } from './shape.ts';
import { skipHeapType } from './value-types.ts';
import type { Writer } from './writer.ts';

/** Arithmetic that the extended constant expressions allow: add, sub and mul of i32 and i64. */
const ARITHMETIC = new Set([op.I32_ADD, op.I32_SUB, 0x6c, 0x7c, op.I64_SUB, 0x7e]);

/** Copies a constant expression, up to and with its end, and shifts the globals it reads. */
export function rewriteExpression(reader: Reader, shape: ModuleShape, out: Writer): void {
  for (;;) {
    const start = reader.position;
    const place = reader.place;
    const opcode = reader.byte();
    if (opcode === op.GLOBAL_GET) {
      const index = reader.u32();
      if (index >= shape.globals) throw reader.fault(`there is no global ${index}`);
      out.byte(op.GLOBAL_GET).u32(shape.shiftedGlobal(index));
      continue;
    }
    skipOperands(reader, shape, opcode, place);
    out.raw(reader.bytes, start, reader.position);
    if (opcode === op.END) return;
  }
}

function skipOperands(reader: Reader, shape: ModuleShape, opcode: number, place: string): void {
  switch (opcode) {
    case op.END:
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
    case op.REF_NULL:
      skipHeapType(reader);
      return;
    case op.REF_FUNC:
      functionIndex(reader, shape);
      return;
    case op.SIMD_PREFIX:
      if (reader.u32() !== op.V128_CONST) throw unsupported('this constant expression', place);
      reader.skip(16);
      return;
  }
  if (!ARITHMETIC.has(opcode)) {
    throw unsupported(`a constant expression with opcode 0x${opcode.toString(16)}`, place);
  }
}

export function functionIndex(reader: Reader, shape: ModuleShape): number {
  const index = reader.u32();
  if (index >= shape.functions.length) throw reader.fault(`there is no function ${index}`);
  return index;
}
