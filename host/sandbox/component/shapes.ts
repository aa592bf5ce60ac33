/**
 * What a component passes and expects (typed values, as jco lifts and lowers them), in the texts that host functions
 * take and answer (host/functions): one table for all of them, generated from the WIT.
 *
 * JSON travels as text on both sides, so a value is checked where it becomes part of a larger text: a component could
 * pass anything.
 */
import table from '../../../abi/types/shapes.json' with { type: 'json' };
import { NeiraError } from '../../errors.ts';

/** Twin of `Shape` in abi/render-shapes.ts. */
export type Shape =
  | string
  | { readonly option: Shape }
  | { readonly list: Shape }
  | { readonly record: Readonly<Record<string, Shape>> }
  | { readonly enum: readonly string[] };

export interface FunctionShape {
  /** `storage.save-annotation` */
  readonly op: string;
  /** `neira:host/storage@1.0.0` */
  readonly interface: string;
  /** `saveAnnotation` */
  readonly name: string;
  readonly waits?: boolean;
  /** Answers a `result`; what cannot refuse ends the run instead. */
  readonly refuses?: boolean;
  readonly params: readonly { readonly name: string; readonly shape: Shape }[];
  /** Without one it answers nothing. */
  readonly answer: Shape | null;
}

export const HOST_FUNCTIONS: readonly FunctionShape[] = table.functions as readonly FunctionShape[];

/** An argument as a host function takes it: an absent option is the empty text. */
export function argumentText(shape: Shape, value: unknown, name: string): string {
  if (value === undefined) return '';
  if (typeof shape === 'object') {
    if ('option' in shape) return argumentText(shape.option, value, name);
    if ('enum' in shape) return value as string;
    return jsonOf(shape, value, name);
  }
  return shape === 'string' || shape === 'json' ? (value as string) : jsonOf(shape, value, name);
}

/** The JSON of a value of that shape. */
function jsonOf(shape: Shape, value: unknown, name: string): string {
  if (typeof shape === 'string') {
    if (shape === 'json') return checkedJson(value as string, name);
    return typeof value === 'bigint' ? String(value) : JSON.stringify(value);
  }
  if ('option' in shape) return jsonOf(shape.option, value, name);
  if ('enum' in shape) return JSON.stringify(value);
  if ('list' in shape)
    return `[${(value as readonly unknown[]).map((each) => jsonOf(shape.list, each, name)).join()}]`;
  const fields = Object.entries(shape.record).flatMap(([field, of]) => {
    const given = (value as Record<string, unknown>)[field];
    return given === undefined ? [] : [`${JSON.stringify(field)}:${jsonOf(of, given, `${name}.${field}`)}`];
  });
  return `{${fields.join()}}`;
}

function checkedJson(text: string, what: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch {
    throw new NeiraError('NEIRA_VALUE_INVALID', { what, reason: 'it is not JSON' });
  }
}

/** The answer of a host function, JSON, as a value of that shape; undefined for none. */
export function answerValue(shape: Shape | null, json: string | undefined): unknown {
  if (shape === null || json === undefined) return undefined;
  return shape === 'json' ? json : typedValue(shape, JSON.parse(json));
}

function typedValue(shape: Shape, value: unknown): unknown {
  if (typeof shape === 'string') {
    if (shape === 'json') return JSON.stringify(value);
    return shape === 'u64' || shape === 's64' ? BigInt(value as number) : value;
  }
  if ('enum' in shape) return value;
  if ('option' in shape)
    return value === undefined || value === null ? undefined : typedValue(shape.option, value);
  if ('list' in shape) return (value as readonly unknown[]).map((each) => typedValue(shape.list, each));
  const given = value as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(shape.record).map(([field, of]) => [field, typedValue(of, given[field])]),
  );
}
