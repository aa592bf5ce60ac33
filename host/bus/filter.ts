/**
 * Filters of subscriptions: CEL over `event`, the envelope (BUS-51).
 *
 * ```
 * event.payload.city == "Berlin" && event.payload.n > 5
 * $.payload.city in ["Berlin", "Bonn"]        the short form: `$.` reads `event.`
 * ```
 *
 * A field that is not there and a type that does not fit make no match, never an error. Filters run in the
 * writer thread on every publish, and both they and the events are written by plugins: a text has few parts
 * and no loops, and one evaluation has {@link MAX_STEPS} steps; one that needs more does not match.
 */
import type { Environment } from '@marcbachmann/cel-js';
import { lazyPackage } from '../base/lazy-package.ts';
import { NeiraError } from '../errors.ts';
import { compileRoot, type Evaluate, FilterProblem } from './filter-compiler.ts';

export const MAX_FILTER_CHARS = 1000;
export const MAX_FILTER_PARTS = 200;
export const MAX_FILTER_DEPTH = 20;
/** An ordinary filter takes ten to fifty; all of them take up to some 15 ms. */
export const MAX_STEPS = 100_000;
const MAX_REMEMBERED = 500;

export interface Filter {
  readonly text: string;
  /** Never throws. */
  matches(envelope: unknown): boolean;
}

const cel = lazyPackage<typeof import('@marcbachmann/cel-js')>('@marcbachmann/cel-js');
let parser: Environment | undefined;
const remembered = new Map<string, Filter>();

/** @throws NEIRA_VALUE_INVALID with `reason` and `position`, the number of the character, from 1. */
export function compileFilter(text: string): Filter {
  const known = remembered.get(text);
  if (known !== undefined) return known;
  const evaluate = compile(text);
  const matches = (event: unknown) => {
    const run = { event, steps: MAX_STEPS };
    return evaluate(run) === true && run.steps >= 0;
  };
  const filter = { text, matches };
  if (remembered.size >= MAX_REMEMBERED) remembered.delete(remembered.keys().next().value!);
  remembered.set(text, filter);
  return filter;
}

function compile(text: string): Evaluate {
  if (text.length > MAX_FILTER_CHARS) {
    throw invalid(`it is longer than ${MAX_FILTER_CHARS} characters`, MAX_FILTER_CHARS);
  }
  const { source, offsetOf } = writeOut(text);
  try {
    parser ??= new (cel().Environment)({
      limits: { maxAstNodes: MAX_FILTER_PARTS, maxDepth: MAX_FILTER_DEPTH },
    });
    return compileRoot(parser.parse(source).ast);
  } catch (error) {
    if (error instanceof FilterProblem) throw invalid(error.message, offsetOf(error.offset));
    if (!(error instanceof cel().ParseError)) throw error;
    const reason =
      error.code === 'limit_exceeded'
        ? `it has more than ${MAX_FILTER_PARTS} parts or is nested deeper than ${MAX_FILTER_DEPTH}`
        : error.summary;
    throw invalid(reason, offsetOf(error.range?.start ?? 0));
  }
}

/** Texts in quotes and comments, which stay as they are, or a `$` that stands for the event. */
const TEXT_OR_ROOT =
  /"""(?:\\[\s\S]|(?!""")[^\\])*"""|'''(?:\\[\s\S]|(?!''')[^\\])*'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\/\/.*|(?<![\w$])\$(?=[.[])/g;
const ROOT = 'event';

/** The short form written out; `offsetOf` leads from a place in the result back to one in `text`. */
function writeOut(text: string): { readonly source: string; readonly offsetOf: (offset: number) => number } {
  const roots: number[] = [];
  const source = text.replace(TEXT_OR_ROOT, (found, offset: number) => {
    if (found !== '$') return found;
    roots.push(offset + roots.length * (ROOT.length - 1));
    return ROOT;
  });
  const grown = (offset: number) => roots.filter((root) => root < offset).length * (ROOT.length - 1);
  return { source, offsetOf: (offset) => offset - grown(offset) };
}

function invalid(reason: string, offset: number): NeiraError {
  const position = offset + 1;
  return new NeiraError('NEIRA_VALUE_INVALID', {
    what: 'filter',
    reason: `${reason} (at character ${position})`,
    position,
  });
}
