/** The sections around the code: exports, start, elements and data. */
import { functionIndex, rewriteExpression } from './constant-expressions.ts';
import { EXTERNAL } from './declarations.ts';
import { exportName, OWN_PREFIX } from './names.ts';
import type { Reader } from './reader.ts';
import { tooMany, unsupported } from './refusal.ts';
import { MAX_EXPORTS, MAX_SEGMENTS, type ModuleShape } from './shape.ts';
import { referenceType } from './value-types.ts';
import { Writer } from './writer.ts';

/** The exports of the module, and behind them what the host needs to put an instance back to its image. */
export function rewriteExports(reader: Reader, shape: ModuleShape): Writer {
  const own = ownExports(shape);
  const count = reader.count(MAX_EXPORTS, 'exports');
  const out = new Writer().u32(count + own.length);
  for (let place = 0; place < count; place++) {
    out.name(exportName(reader));
    const kind = reader.byte();
    const index = reader.u32();
    if (kind > EXTERNAL.global) throw unsupported('exception handling (an exported tag)', reader.place);
    if (index >= sizes(shape)[kind]!) throw reader.fault('an export names what is not there');
    out.byte(kind).u32(kind === EXTERNAL.global ? shape.shiftedGlobal(index) : index);
  }
  for (const { name, kind, index } of own) out.name(name).byte(kind).u32(index);
  return out;
}

/** How many of each kind there are to export, by the number of the kind. */
function sizes(shape: ModuleShape): number[] {
  return [shape.functions.length, shape.tables, shape.hasMemory ? 1 : 0, shape.globals];
}

function ownExports(shape: ModuleShape): { name: string; kind: number; index: number }[] {
  const globals = shape.mutableGlobals.map((index) => ({
    name: `${OWN_PREFIX}global${index}`,
    kind: EXTERNAL.global,
    index: shape.shiftedGlobal(index),
  }));
  if (!shape.hasMemory) return globals;
  return [
    ...globals,
    { name: `${OWN_PREFIX}memory0`, kind: EXTERNAL.memory, index: 0 },
    { name: `${OWN_PREFIX}cards0`, kind: EXTERNAL.memory, index: shape.cardMemory },
  ];
}

export function rewriteStart(reader: Reader, shape: ModuleShape): Writer {
  return new Writer().u32(functionIndex(reader, shape));
}

/** How many data segments there are, which code may name before they come. */
export function readDataCount(reader: Reader, shape: ModuleShape): Writer {
  shape.dataCount = reader.u32();
  if (shape.dataCount > MAX_SEGMENTS) throw tooMany(shape.dataCount, 'data segments', MAX_SEGMENTS);
  return new Writer().u32(shape.dataCount);
}

const MAX_ELEMENT_FLAGS = 7;
const ACTIVE_OF_OTHER_TABLE = 2;
const PASSIVE_OR_DECLARED = 1;
const AS_EXPRESSIONS = 4;
const FUNCTIONS_KIND = 0;

export function rewriteElements(reader: Reader, shape: ModuleShape): Writer {
  const count = reader.count(MAX_SEGMENTS, 'element segments');
  const out = new Writer().u32(count);
  for (let segment = 0; segment < count; segment++) rewriteElementSegment(reader, shape, out);
  return out;
}

function rewriteElementSegment(reader: Reader, shape: ModuleShape, out: Writer): void {
  const flags = reader.u32();
  if (flags > MAX_ELEMENT_FLAGS) throw reader.fault('an element segment of no known kind');
  out.u32(flags);
  const isActive = (flags & PASSIVE_OR_DECLARED) === 0;
  const namesTable = (flags & ACTIVE_OF_OTHER_TABLE) !== 0;
  if (isActive) {
    const table = namesTable ? reader.u32() : 0;
    if (table >= shape.tables) throw reader.fault(`there is no table ${table}`);
    if (namesTable) out.u32(table);
    rewriteExpression(reader, shape, out);
  }
  if (flags & AS_EXPRESSIONS) {
    if (!isActive || namesTable) out.byte(referenceType(reader));
    const entries = reader.count(reader.end, 'elements');
    out.u32(entries);
    for (let entry = 0; entry < entries; entry++) rewriteExpression(reader, shape, out);
    return;
  }
  if (!isActive || namesTable) {
    if (reader.byte() !== FUNCTIONS_KIND) throw reader.fault('elements of no known kind');
    out.byte(FUNCTIONS_KIND);
  }
  const entries = reader.count(reader.end, 'elements');
  out.u32(entries);
  for (let entry = 0; entry < entries; entry++) out.u32(functionIndex(reader, shape));
}

const ACTIVE = 0;
const PASSIVE = 1;
const ACTIVE_OF_NAMED_MEMORY = 2;

export function rewriteData(reader: Reader, shape: ModuleShape): Writer {
  const count = reader.count(MAX_SEGMENTS, 'data segments');
  const out = new Writer(reader.end - reader.position).u32(count);
  for (let segment = 0; segment < count; segment++) {
    const flags = reader.u32();
    if (flags > ACTIVE_OF_NAMED_MEMORY) throw reader.fault('a data segment of no known kind');
    if (flags === ACTIVE_OF_NAMED_MEMORY && reader.u32() !== 0) {
      throw unsupported('more than one memory', reader.place);
    }
    if (flags !== PASSIVE && !shape.hasMemory) throw reader.fault('there is no memory');
    out.u32(flags === PASSIVE ? PASSIVE : ACTIVE);
    if (flags !== PASSIVE) rewriteExpression(reader, shape, out);
    const { position: start, end } = reader.stretch(reader.where);
    out.u32(end - start).raw(reader.bytes, start, end);
  }
  return out;
}
