/** What follows an opcode, for those whose operands are passed through as they are. */
import { F32, F64, I32, I64, V128 } from './value-types.ts';

export const UNREACHABLE = 0x00;
export const BLOCK = 0x02;
export const LOOP = 0x03;
export const IF = 0x04;
export const ELSE = 0x05;
export const END = 0x0b;
export const BR = 0x0c;
export const BR_IF = 0x0d;
export const BR_TABLE = 0x0e;
export const RETURN = 0x0f;
export const CALL = 0x10;
export const CALL_INDIRECT = 0x11;
export const RETURN_CALL = 0x12;
export const RETURN_CALL_INDIRECT = 0x13;
export const SELECT_TYPED = 0x1c;
export const LOCAL_GET = 0x20;
export const LOCAL_SET = 0x21;
export const LOCAL_TEE = 0x22;
export const GLOBAL_GET = 0x23;
export const GLOBAL_SET = 0x24;
export const TABLE_GET = 0x25;
export const TABLE_SET = 0x26;
export const I32_STORE8 = 0x3a;
export const MEMORY_SIZE = 0x3f;
export const MEMORY_GROW = 0x40;
export const I32_CONST = 0x41;
export const I64_CONST = 0x42;
export const F32_CONST = 0x43;
export const F64_CONST = 0x44;
export const I64_LT_S = 0x53;
export const I32_ADD = 0x6a;
export const I32_SUB = 0x6b;
export const I32_SHR_U = 0x76;
export const I64_SUB = 0x7d;
export const REF_NULL = 0xd0;
export const REF_IS_NULL = 0xd1;
export const REF_FUNC = 0xd2;
export const MISC_PREFIX = 0xfc;
export const SIMD_PREFIX = 0xfd;

/** After `MISC_PREFIX`. */
export const MEMORY_INIT = 8;
export const DATA_DROP = 9;
export const MEMORY_COPY = 10;
export const MEMORY_FILL = 11;
export const TABLE_INIT = 12;
export const ELEM_DROP = 13;
export const TABLE_COPY = 14;
export const TABLE_GROW = 15;
export const TABLE_SIZE = 16;
export const TABLE_FILL = 17;

/** After `SIMD_PREFIX`. */
export const V128_STORE = 11;
export const V128_CONST = 12;
const I8X16_SHUFFLE = 13;
const FIRST_LANE = 21;
const LAST_LANE = 34;
const FIRST_MEMORY_LANE = 84;
const FIRST_STORE_LANE = 88;
const LAST_MEMORY_LANE = 91;
const LAST_ZERO_LOAD = 93;
const LAST_SIMD = 255;
/** Numbers that the final specification of SIMD leaves out. */
const SIMD_GAPS = new Set([
  0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb, 0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4,
  0xe2, 0xee,
]);

/** The shape of a SIMD instruction's operands; undefined for one that is not on the list. */
export function simdShape(opcode: number): 'none' | 'memory' | 'memory-lane' | 'lane' | 'bytes' | undefined {
  if (opcode <= V128_STORE) return 'memory';
  if (opcode <= I8X16_SHUFFLE) return 'bytes';
  if (opcode < FIRST_LANE) return 'none';
  if (opcode <= LAST_LANE) return 'lane';
  if (opcode < FIRST_MEMORY_LANE) return 'none';
  if (opcode <= LAST_MEMORY_LANE) return 'memory-lane';
  if (opcode <= LAST_ZERO_LOAD) return 'memory';
  return opcode <= LAST_SIMD && !SIMD_GAPS.has(opcode) ? 'none' : undefined;
}

export function isSimdStore(opcode: number): boolean {
  return opcode === V128_STORE || (opcode >= FIRST_STORE_LANE && opcode <= LAST_MEMORY_LANE);
}

/** Type of the value that a store puts into memory; undefined for what is no store. */
export function storedType(opcode: number): number | undefined {
  if (opcode < 0x36 || opcode > 0x3e) return undefined;
  if (opcode === 0x38) return F32;
  if (opcode === 0x39) return F64;
  return opcode === 0x36 || opcode === 0x3a || opcode === 0x3b ? I32 : I64;
}

export const SIMD_STORED_TYPE = V128;

/** Why an opcode of one byte is not on the list. */
export function refusedFeature(opcode: number): string {
  if ((opcode >= 0x06 && opcode <= 0x0a) || opcode === 0x18 || opcode === 0x19 || opcode === 0x1f) {
    return 'exception handling';
  }
  if (opcode === 0x14 || opcode === 0x15) return 'typed function references (call_ref)';
  if (opcode >= 0xd3 && opcode <= 0xd6) return 'typed function references and wasm GC';
  if (opcode >= 0xe0 && opcode <= 0xe6) return 'stack switching';
  if (opcode === 0xfb) return 'wasm GC (or stringref)';
  if (opcode === 0xfe) return 'threads (atomic instructions)';
  return `opcode 0x${opcode.toString(16).padStart(2, '0')}`;
}
