/** Values of the component model and the texts of host calls, by the shapes of abi/types/shapes.json. */
import type { Shape } from '../../component/shapes.ts';

/** What no import could be given: the engine traps at it, and the host would have refused it. */
export class Misfit {
  readonly what: string;
  readonly reason: string;
  constructor(what: string, reason: string) {
    this.what = what;
    this.reason = reason;
  }
}

/** Of these the host names a field by itself. */
const FLAT = new Set(['annotation', 'message']);

const WHOLE: Readonly<Record<string, number>> = {
  u8: 0xff,
  u16: 0xffff,
  u32: 0xffff_ffff,
  u64: Number.MAX_SAFE_INTEGER,
};

/** An argument as an import takes it; the empty text is an absent option. @throws Misfit */
export function lowered(shape: Shape, text: string, what: string): unknown {
  if (typeof shape === 'object' && 'option' in shape)
    return text === '' ? undefined : lowered(shape.option, text, what);
  if (shape === 'string' || shape === 'json') return text;
  return loweredValue(shape, typeof shape === 'object' && 'enum' in shape ? text : JSON.parse(text), what);
}

function loweredValue(shape: Shape, value: unknown, what: string): unknown {
  if (typeof shape === 'string') return loweredPrimitive(shape, value, what);
  if ('option' in shape)
    return value === undefined || value === null ? undefined : loweredValue(shape.option, value, what);
  if ('list' in shape) {
    if (!Array.isArray(value)) throw new Misfit(what, 'it must be a list');
    return value.map((each) => loweredValue(shape.list, each, what));
  }
  if ('enum' in shape) {
    if (!shape.enum.includes(value as string))
      throw new Misfit(what, `it must be one of ${shape.enum.join(', ')}`);
    return value;
  }
  return loweredRecord(shape.record, value, what);
}

function loweredPrimitive(shape: string, value: unknown, what: string): unknown {
  if (shape === 'json') return JSON.stringify(value === undefined ? null : value);
  if (shape === 'string') {
    if (typeof value !== 'string') throw new Misfit(what, 'it must be a text');
    return value;
  }
  if (shape === 'bool') {
    if (typeof value !== 'boolean') throw new Misfit(what, 'it must be true or false');
    return value;
  }
  if (typeof value !== 'number') throw new Misfit(what, 'it must be a number');
  const most = WHOLE[shape];
  if (most !== undefined && !(Number.isInteger(value) && value >= 0 && value <= most))
    throw new Misfit(what, 'it must be a whole number, not negative');
  return value;
}

function loweredRecord(fields: Readonly<Record<string, Shape>>, value: unknown, what: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Misfit(what, 'it must be an object');
  for (const name of Object.keys(value))
    if (!Object.hasOwn(fields, name)) throw new Misfit(`${what}.${name}`, 'there is no such field');
  const record: Record<string, unknown> = {};
  for (const name of Object.keys(fields))
    record[name] = loweredValue(
      fields[name]!,
      (value as Record<string, unknown>)[name],
      FLAT.has(what) ? name : `${what}.${name}`,
    );
  return record;
}

/** The JSON of an answer; undefined for an absent one. What is JSON already is not read again. */
export function raisedText(shape: Shape, value: unknown): string | undefined {
  if (shape === 'json') return value as string;
  if (typeof shape === 'string') return JSON.stringify(typeof value === 'bigint' ? Number(value) : value);
  if ('option' in shape)
    return value === undefined || value === null ? undefined : raisedText(shape.option, value);
  if ('list' in shape) return `[${(value as unknown[]).map((each) => raisedText(shape.list, each)).join()}]`;
  if ('enum' in shape) return JSON.stringify(value);
  const fields: string[] = [];
  for (const name of Object.keys(shape.record)) {
    const text = raisedText(shape.record[name]!, (value as Record<string, unknown>)[name]);
    if (text !== undefined) fields.push(`${JSON.stringify(name)}:${text}`);
  }
  return `{${fields.join()}}`;
}
