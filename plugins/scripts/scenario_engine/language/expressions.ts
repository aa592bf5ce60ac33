/**
 * Expressions of scenarios: CEL over JSON (SCN-19). They have no loop without an end, no effect, and nothing but what is in
 * their scope; what they cost is counted as everything that the plugin computes.
 *
 * Numbers are those of JSON: `bag.n + 1` and `bag.price * 2` are what they look like, whichever of CEL's two kinds of
 * number a side is. Between two whole numbers that are written out `/` is CEL's own: `7 / 2` is 3.
 */
import { Environment, type ParseResult } from '@marcbachmann/cel-js';
import type { Expression, Program, Template } from '../program.ts';

/** How the author's expression cannot be worked out. */
export interface ExpressionFault {
  readonly code: 'SCENARIO_EXPRESSION';
  readonly message: string;
}

/** What every expression may name; the variables of loops come with them. */
export const NAMES = ['ctx', 'bag', 'event', 'run', 'turn', 'error', 'result', 'now'] as const;

const OPTIONS = { homogeneousAggregateLiterals: false, enableOptionalTypes: true } as const;
const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
};

function environment(unlistedVariablesAreDyn: boolean): Environment {
  const made = new Environment({ ...OPTIONS, unlistedVariablesAreDyn });
  for (const [sign, work] of Object.entries(ARITHMETIC)) {
    const mixed = (a: unknown, b: unknown) => work(Number(a), Number(b));
    made.registerOperator(`double ${sign} int`, mixed).registerOperator(`int ${sign} double`, mixed);
    if (sign === '%') made.registerOperator('double % double', mixed);
  }
  const joined = (a: unknown, b: unknown) => `${a}${b}`;
  for (const kind of ['double', 'int', 'bool'])
    made.registerOperator(`string + ${kind}`, joined).registerOperator(`${kind} + string`, joined);
  return made
    .registerFunction('coalesce(dyn, dyn): dyn', (a: unknown, b: unknown) => a ?? b)
    .registerFunction('json(dyn): string', (value: unknown) => JSON.stringify(plain(value)));
}

const LENIENT = environment(true);
const parsed = new Map<Expression, ParseResult>();

/** @throws {ExpressionFault} @returns JSON */
export function evaluate(expression: Expression, scope: Readonly<Record<string, unknown>>): unknown {
  let run = parsed.get(expression);
  try {
    run ??= LENIENT.parse(expression);
    parsed.set(expression, run);
    return plain(run(scope));
  } catch (error) {
    throw faultOf(expression, error);
  }
}

function faultOf(expression: Expression, error: unknown): ExpressionFault {
  const [reason] = String((error as Error).message).split('\n');
  return { code: 'SCENARIO_EXPRESSION', message: `\`${expression}\`: ${reason}` };
}

/** What expressions see, made when the first asks for it. */
export type LazyScope = () => Readonly<Record<string, unknown>>;

/** @throws {ExpressionFault} */
export function fill(template: Template, scope: LazyScope): unknown {
  if (template === null || typeof template !== 'object') return template;
  if (Array.isArray(template)) return template.map((each) => fill(each, scope));
  const { $: value, $$: parts } = template as { readonly $?: unknown; readonly $$?: unknown };
  if (typeof value === 'string') return evaluate(value, scope());
  if (Array.isArray(parts)) return parts.map((part) => inText(fill(part, scope))).join('');
  return Object.fromEntries(Object.entries(template).map(([name, each]) => [name, fill(each, scope)]));
}

function inText(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** As JSON has it: whole numbers that are too large are texts, moments RFC 3339, durations milliseconds. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([name, each]) => [String(name), plain(each)]));
  const { seconds, nanos } = value as { readonly seconds?: unknown; readonly nanos?: unknown };
  if (typeof seconds === 'bigint' && typeof nanos === 'number') return Number(seconds) * 1000 + nanos / 1e6;
  const shape = Object.getPrototypeOf(value);
  if (shape !== Object.prototype && shape !== null) return String(value);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]));
}

// --- before anything runs

export interface ExpressionProblem {
  readonly message: string;
  /** Characters before it. */
  readonly offset: number;
}

/** What is wrong with an expression that may name `names`, before it ever runs. */
export function problemOf(expression: Expression, names: readonly string[]): ExpressionProblem | undefined {
  const strict = environment(false);
  for (const name of names) strict.registerVariable(name, 'dyn');
  try {
    const { valid, error } = strict.parse(expression).check();
    return valid ? undefined : problem(error);
  } catch (error) {
    return problem(error);
  }
}

function problem(error: unknown): ExpressionProblem {
  const { message, range } = error as {
    readonly message: string;
    readonly range?: { readonly start: number };
  };
  return { message: message.split('\n')[0]!, offset: range?.start ?? 0 };
}

/** Parses all expressions of a definition, so that no turn has to. */
export function prepareExpressions(program: Program): void {
  for (const expression of expressionsIn(program.nodes))
    if (!parsed.has(expression)) parsed.set(expression, LENIENT.parse(expression));
}

const EXPRESSION_FIELDS = new Set(['$', 'when', 'while', 'items', 'on', 'accept', 'filter']);

function* expressionsIn(value: unknown): Iterable<Expression> {
  if (value === null || typeof value !== 'object') return;
  for (const [name, each] of Object.entries(value))
    if (typeof each === 'string' && EXPRESSION_FIELDS.has(name)) yield each;
    else yield* expressionsIn(each);
}
