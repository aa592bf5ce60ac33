/**
 * What the parts of a filter do with JSON values, and what that may cost.
 *
 * Publisher and subscriber may both be hostile, so nothing here throws, calls into a value or reads more
 * than its own fields, and all that grows with a value is paid for first.
 */

/** No value: a field that is missing, a type that does not fit, or steps that ran out. */
export const FAILED: unique symbol = Symbol('failed');

/** One evaluation. A step is some ten nanoseconds. */
export interface Run {
  readonly event: unknown;
  steps: number;
}

/** Characters that are compared or copied in one step. */
const CHARS_PER_STEP = 64;
const MAX_COMPARED_DEPTH = 64;
const JSON_NUMBER = /^-?(?:0|[1-9]\d{0,30})(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?$/;
const INTEGER = /^-?\d{1,15}$/;

/** False when the run cannot pay; it then never matches. */
export function spend(run: Run, steps: number): boolean {
  run.steps -= steps;
  return run.steps >= 0;
}

export function spendChars(run: Run, chars: number): boolean {
  return spend(run, chars / CHARS_PER_STEP);
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function fieldOf(holder: unknown, name: string): unknown {
  if (!isMap(holder) || !Object.hasOwn(holder, name)) return FAILED;
  const value = holder[name];
  return value === undefined ? FAILED : value;
}

export function elementOf(holder: unknown, index: unknown): unknown {
  if (typeof index === 'string') return fieldOf(holder, index);
  if (!Array.isArray(holder) || !Number.isSafeInteger(index)) return FAILED;
  const position = index as number;
  return position >= 0 && position < holder.length ? holder[position] : FAILED;
}

/** Values of different types are different, not an error. */
export function areEqual(run: Run, a: unknown, b: unknown, depth = 0): unknown {
  if (!spend(run, 1) || depth > MAX_COMPARED_DEPTH) return FAILED;
  if (typeof a === 'string' && typeof b === 'string') {
    return a.length !== b.length ? false : spendChars(run, a.length) ? a === b : FAILED;
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length !== b.length) return false;
    return allEqual(run, a.keys(), (index) => [a[index], b[index]], depth);
  }
  if (isMap(a) && isMap(b)) {
    const names = Object.keys(a);
    if (!spend(run, names.length) || names.length !== Object.keys(b).length) return false;
    if (!names.every((name) => Object.hasOwn(b, name))) return false;
    return allEqual(run, names, (name) => [a[name], b[name]], depth);
  }
  return a === b;
}

function allEqual<T>(run: Run, places: Iterable<T>, pairAt: (place: T) => [unknown, unknown], depth: number) {
  for (const place of places) {
    const [left, right] = pairAt(place);
    const same = areEqual(run, left, right, depth + 1);
    if (same !== true) return same;
  }
  return true;
}

export function isIn(run: Run, value: unknown, holder: unknown): unknown {
  if (isMap(holder)) return typeof value === 'string' ? Object.hasOwn(holder, value) : FAILED;
  if (!Array.isArray(holder)) return FAILED;
  let result: unknown = false;
  for (const each of holder) {
    const same = areEqual(run, value, each);
    if (same === true) return true;
    if (same === FAILED) result = FAILED;
    if (run.steps < 0) break;
  }
  return result;
}

/** Negative, zero or positive as for a sort; NaN compares with nothing. */
export function compare(run: Run, a: unknown, b: unknown): number | typeof FAILED {
  if (typeof a === 'number' && typeof b === 'number') return a < b ? -1 : a > b ? 1 : a === b ? 0 : NaN;
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  if (typeof a !== 'string' || typeof b !== 'string') return FAILED;
  if (!spendChars(run, Math.min(a.length, b.length))) return FAILED;
  return a < b ? -1 : a > b ? 1 : 0;
}

export function sum(run: Run, a: unknown, b: unknown): unknown {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  if (typeof a === 'string' && typeof b === 'string') {
    return spendChars(run, a.length + b.length) ? a + b : FAILED;
  }
  if (!Array.isArray(a) || !Array.isArray(b)) return FAILED;
  return spend(run, a.length + b.length) ? [...a, ...b] : FAILED;
}

/** Characters are counted as Unicode counts them. */
export function sizeOf(run: Run, value: unknown): unknown {
  if (Array.isArray(value)) return value.length;
  if (typeof value === 'string') {
    if (!spend(run, value.length)) return FAILED;
    let size = 0;
    for (const _ of value) size++;
    return size;
  }
  if (!isMap(value)) return FAILED;
  const size = Object.keys(value).length;
  return spend(run, size) ? size : FAILED;
}

/** Searching may compare each character of one with each of the other. */
export function contains(run: Run, text: string, part: string): unknown {
  return spendChars(run, text.length * Math.max(1, part.length)) ? text.includes(part) : FAILED;
}

export function textOf(_run: Run, value: unknown): unknown {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : FAILED;
}

export function integerOf(_run: Run, value: unknown): unknown {
  if (typeof value === 'string') return INTEGER.test(value) ? Number(value) : FAILED;
  return typeof value === 'number' && Number.isFinite(value) ? Math.trunc(value) : FAILED;
}

export function doubleOf(_run: Run, value: unknown): unknown {
  if (typeof value === 'string') return JSON_NUMBER.test(value) ? Number(value) : FAILED;
  return typeof value === 'number' ? value : FAILED;
}
