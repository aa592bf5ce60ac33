/** What a step says about failing, time, and what it holds: the keys that all kinds have (SCN-08, CAP-06). */
import type { Node, Retry } from '../program.ts';
import type { Compiler, Spot } from './compiler.ts';
import { parseDuration } from './durations.ts';

export type Written = Readonly<Record<string, unknown>>;
type Given = string | number;

const BASE_MS = 1000;
const MAX_MS = 60_000;

interface OnError {
  readonly strategy: 'retry' | 'backoff' | 'circuit_breaker' | 'fallback' | 'continue' | 'abort';
  readonly max?: number;
  readonly timeout?: Given;
  readonly delay?: Given;
  readonly threshold?: number;
  readonly reset?: Given;
  readonly value?: unknown;
  readonly steps?: unknown;
  readonly codes?: readonly string[];
}

export function faultsOf(compiler: Compiler, step: Written, spot: Spot, inside: Spot): Partial<Node> {
  const {
    timeout,
    save,
    locks,
    release_locks: releases,
    pool,
    compensate,
  } = step as {
    timeout?: Given;
    save?: string;
    locks?: readonly string[];
    release_locks?: boolean;
    pool?: 'cpu' | 'io';
    compensate?: unknown;
  };
  return {
    ...(timeout !== undefined && { timeoutMs: parseDuration(timeout) }),
    ...(save !== undefined && { save }),
    ...(locks && { locks }),
    ...(releases !== undefined && { releaseLocks: releases }),
    ...(pool && { pool }),
    ...retriesOf(step['retries']),
    ...onErrorOf(compiler, step['on_error'], spot, inside),
    ...(compensate !== undefined && { compensate: undoOf(compiler, compensate, spot, inside) }),
  };
}

function retriesOf(given: unknown): { readonly retry?: Retry } {
  if (given === undefined) return {};
  const { max, backoff, codes } =
    typeof given === 'number'
      ? { max: given }
      : (given as { max: number; backoff?: unknown; codes?: string[] });
  if (max === 0) return {};
  return { retry: { max, ...waitsOf(backoff), ...(codes && { codes }) } };
}

function waitsOf(backoff: unknown): Omit<Retry, 'max' | 'codes'> {
  const {
    base,
    factor = 2,
    max,
    jitter = 0.5,
  } = backoff !== null && typeof backoff === 'object'
    ? (backoff as { base?: Given; factor?: number; max?: Given; jitter?: number })
    : { base: backoff as Given | undefined };
  const baseMs = base === undefined ? BASE_MS : parseDuration(base);
  return { baseMs, factor, maxMs: max === undefined ? Math.max(MAX_MS, baseMs) : parseDuration(max), jitter };
}

function onErrorOf(compiler: Compiler, given: unknown, spot: Spot, inside: Spot): Partial<Node> {
  if (given === undefined) return {};
  const list = (Array.isArray(given) ? given : [given]) as readonly OnError[];
  return Object.assign(
    {},
    ...list.map((each, at) => {
      const place = Array.isArray(given) ? ['on_error', at] : ['on_error'];
      return strategyOf(compiler, each, compiler.under(inside, ...place), compiler.under(spot, ...place));
    }),
  );
}

function strategyOf(compiler: Compiler, given: OnError, inside: Spot, spot: Spot): Partial<Node> {
  const { strategy, max = 3, timeout, delay, threshold = 5, reset = '30s', codes } = given;
  const giveUp = timeout === undefined ? {} : { giveUpAfterMs: parseDuration(timeout) };
  const only = codes ? { codes } : {};
  const baseMs = delay === undefined ? BASE_MS : parseDuration(delay);
  switch (strategy) {
    case 'retry':
      return { retry: { max, baseMs, factor: 1, maxMs: baseMs, jitter: 0, ...giveUp, ...only } };
    case 'backoff':
      return {
        retry: { max, baseMs, factor: 2, maxMs: Math.max(MAX_MS, baseMs), jitter: 0.5, ...giveUp, ...only },
      };
    case 'circuit_breaker':
      return { breaker: { threshold, resetMs: parseDuration(reset) } };
    case 'continue':
      return { fallback: { value: null } };
    case 'abort':
      return {};
    case 'fallback': {
      const { value, steps } = given;
      if ((value === undefined) === (steps === undefined))
        compiler.files.add(spot, 'a fallback has either a `value` or `steps`');
      if (steps === undefined)
        return {
          fallback: { value: compiler.template(value ?? null, compiler.under(spot, 'value'), spot.names) },
        };
      const under = compiler.under(inside, 'steps');
      return { fallback: { steps: compiler.block(steps, { ...under, above: `${inside.above}/fallback` }) } };
    }
  }
}

/** One step or several; they may not ask people, who may never answer. */
function undoOf(compiler: Compiler, given: unknown, spot: Spot, inside: Spot): readonly number[] {
  const place = compiler.under(inside, 'compensate');
  const above = { above: `${inside.above}/undo` };
  const before = compiler.nodes.length;
  const block = Array.isArray(given)
    ? compiler.block(given, { ...place, ...above })
    : compiler.block([given], { ...place, ...above, source: oneInList(place) });
  const waits = compiler.nodes
    .slice(before)
    .some((node) => node?.kind === 'wait' && node.for.kind === 'answer');
  if (waits)
    compiler.files.add(compiler.under(spot, 'compensate'), 'a compensation may not wait for a person');
  return block;
}

/** A single step stands where a list would have it as its first. */
function oneInList({ source, path }: Spot): Spot['source'] {
  const { length } = path;
  return {
    ...source,
    placeOf: (asked) =>
      source.placeOf(asked.length > length ? [...asked.slice(0, length), ...asked.slice(length + 1)] : asked),
  };
}
