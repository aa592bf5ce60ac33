/** Values of the component model and the texts of host calls, by the shapes of abi/types/shapes.json. */
import type { Shape } from '../../component/shapes.ts';

/** An argument as an import takes it; the empty text is an absent option. */
export function lowered(shape: Shape, text: string): unknown {
  if (typeof shape === 'object' && 'option' in shape)
    return text === '' ? undefined : lowered(shape.option, text);
  if (shape === 'string' || shape === 'json' || (typeof shape === 'object' && 'enum' in shape)) return text;
  return loweredValue(shape, JSON.parse(text));
}

function loweredValue(shape: Shape, value: unknown): unknown {
  if (shape === 'json') return JSON.stringify(value);
  if (typeof shape === 'string') return value;
  if ('option' in shape) return value === undefined ? undefined : loweredValue(shape.option, value);
  if ('list' in shape) return (value as unknown[]).map((each) => loweredValue(shape.list, each));
  if ('enum' in shape) return value;
  const record: Record<string, unknown> = {};
  for (const name of Object.keys(shape.record))
    record[name] = loweredValue(shape.record[name]!, (value as Record<string, unknown>)[name]);
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
