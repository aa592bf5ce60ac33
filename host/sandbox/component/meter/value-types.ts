import type { Reader } from './reader.ts';
import { unsupported } from './refusal.ts';

export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export const V128 = 0x7b;
export const FUNCREF = 0x70;
export const EXTERNREF = 0x6f;

/** Block type without parameters and results. */
export const EMPTY = 0x40;

const GC = 'garbage-collected types (wasm GC)';
const REFUSED_TYPES: Readonly<Record<number, string>> = {
  120: GC,
  119: GC,
  116: 'exception references',
  115: GC,
  114: GC,
  113: GC,
  110: GC,
  109: GC,
  108: GC,
  107: GC,
  106: GC,
  105: 'exception references',
  104: 'stack switching',
  117: 'stack switching',
  103: 'stringref',
  102: 'stringref',
  100: 'typed function references',
  99: 'typed function references',
  98: GC,
};

/** A value type that this host runs, as its byte. */
export function valueType(reader: Reader): number {
  const place = reader.place;
  const type = reader.byte();
  if ((type >= V128 && type <= I32) || type === FUNCREF || type === EXTERNREF) return type;
  throw unsupportedType(type, place);
}

export function referenceType(reader: Reader): number {
  const type = valueType(reader);
  if (type !== FUNCREF && type !== EXTERNREF) throw reader.fault('a table holds references, not numbers');
  return type;
}

/** Passes over the type that `ref.null` names. */
export function skipHeapType(reader: Reader): void {
  const place = reader.place;
  const type = reader.s33();
  if (type === FUNCREF - 0x80 || type === EXTERNREF - 0x80) return;
  throw type >= 0 ? unsupported('typed function references', place) : unsupportedType(type + 0x80, place);
}

/** The type of a block: the index of a function type, or -1 for one that is given in place. */
export function blockType(reader: Reader, typeCount: number): number {
  const place = reader.place;
  const type = reader.s33();
  if (type < 0) {
    const code = type + 0x80;
    if (code === EMPTY || (code >= V128 && code <= I32) || code === FUNCREF || code === EXTERNREF) return -1;
    throw unsupportedType(code, place);
  }
  if (type >= typeCount) throw reader.fault(`there is no type ${type}`);
  return type;
}

function unsupportedType(code: number, place: string) {
  return unsupported(REFUSED_TYPES[code] ?? `value type 0x${(code & 0xff).toString(16)}`, place);
}
