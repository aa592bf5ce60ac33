/** How host functions read what a guest passed: texts only, checked here and nowhere else. */

import type { Wait } from '../context/open-waits.ts';
import { NeiraError } from '../errors.ts';
import type { Charge } from '../sandbox/run-result.ts';
import type { TurnContext } from '../turn-context.ts';

/**
 * Arguments are texts (JSON for values, empty for an absent option); the answer is JSON, nothing, or what
 * `turn.wait()` began, whose answer comes later.
 */
export type HostFunction = (
  turn: TurnContext,
  args: readonly (string | undefined)[],
  charge: Charge,
) => string | Wait | undefined;

/** Ids from outside that become file names: contract, "UI events". */
export const LOCAL_ID = /^(?!\.+$)[\p{L}\p{N}_.-]{1,128}$/u;

export function localId(value: unknown, what: string): string {
  if (typeof value === 'string' && LOCAL_ID.test(value)) return value;
  throw new NeiraError('NEIRA_VALUE_INVALID', {
    what,
    reason: 'it must be 1 to 128 letters, digits, "_", "." or "-", and not only dots',
  });
}

/** `value` as JSON text, well-formed and within `maxBytes`. A component could pass anything. */
export function jsonText(value: string | undefined, what: string, maxBytes: number): string {
  return parsedJson(value, what, maxBytes).text;
}

/** The same, with what it says. */
export function parsedJson(
  value: string | undefined,
  what: string,
  maxBytes: number,
): { readonly text: string; readonly value: unknown } {
  const text = value ?? '';
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) throw new NeiraError('NEIRA_VALUE_TOO_LARGE', { what, bytes, maxBytes });
  return { text, value: parseJson(text, what) };
}

/** An absent option arrives as an empty text. */
export function isPresent(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}

export function parseObject(
  value: string | undefined,
  what: string,
  maxBytes: number,
): Record<string, unknown> {
  const parsed = parseJson(jsonText(value, what, maxBytes), what);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new NeiraError('NEIRA_VALUE_INVALID', { what, reason: 'it must be an object' });
  }
  return parsed as Record<string, unknown>;
}

/** A whole number passed as text; undefined when the option is absent. */
export function optionalCount(value: string | undefined): number | undefined {
  if (!isPresent(value)) return undefined;
  const number = Number(value);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new NeiraError('NEIRA_VALUE_INVALID', {
    what: 'number',
    reason: 'it must be a whole number, not negative',
  });
}

/** A number passed as text, exact up to where whole numbers are. */
export function finiteNumber(value: string | undefined, what: string): number {
  const number = parseJson(value ?? '', what);
  if (typeof number === 'number' && Math.abs(number) <= Number.MAX_SAFE_INTEGER) return number;
  throw new NeiraError('NEIRA_VALUE_INVALID', { what, reason: 'it must be a number within ±(2^53 - 1)' });
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new NeiraError('NEIRA_VALUE_INVALID', { what, reason: 'it is not JSON' });
  }
}
