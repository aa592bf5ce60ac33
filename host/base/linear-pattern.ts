/**
 * Regular expressions of plugins, matched in linear time.
 *
 * A `pattern` in a plugin's schema is hostile: in the engine of JavaScript `(a+)+$` stops the host. RE2
 * steps an automaton instead, so matching costs characters × states and never more; look-around and back
 * references, which no automaton can do, are refused.
 */
import type { RE2JS } from 're2js';
import { lazyPackage } from './lazy-package.ts';

const re2 = lazyPackage<typeof import('re2js')>('re2js');

export const MAX_PATTERN_CHARS = 256;
export const MAX_PATTERN_STATES = 2000;
/** A longer text matches no pattern: it bounds what one text may cost. */
export const MAX_MATCHED_CHARS = 16_384;

export interface LinearPattern {
  readonly source: string;
  readonly states: number;
  test(text: string): boolean;
}

/** @throws Error with a readable message when RE2 cannot match the pattern, or it is too large. */
export function compileLinear(source: string): LinearPattern {
  if (source.length > MAX_PATTERN_CHARS) throw new Error(`is longer than ${MAX_PATTERN_CHARS} characters`);
  const compiled = compile(source);
  const states = compiled.programSize();
  if (states > MAX_PATTERN_STATES) throw new Error('repeats too much');
  return { source, states, test: (text) => text.length <= MAX_MATCHED_CHARS && compiled.test(text) };
}

function compile(source: string): RE2JS {
  try {
    const { RE2JS } = re2();
    return RE2JS.compile(RE2JS.translateRegExp(source));
  } catch (error) {
    throw new Error(`is not a pattern that is matched in linear time (${(error as Error).message})`);
  }
}
