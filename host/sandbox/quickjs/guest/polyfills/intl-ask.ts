/** Questions to the host's Intl, and how what code says to Intl becomes one. */
import { INTL_OPTIONS, type IntlService } from '../../../../base/intl-options.ts';
import type {} from './given.ts';

/** What of a formatter goes along with every question to it; both are JSON. */
export interface Making {
  readonly service: string;
  readonly locales: string;
  readonly options: string;
}

interface Refusal {
  readonly code?: string;
  readonly details?: { readonly error?: string; readonly reason?: string };
}

export function ask(
  { service, locales, options }: Making,
  method: string,
  input: readonly unknown[] = [],
): unknown {
  try {
    return neira.intl(service, method, locales, options, JSON.stringify(input));
  } catch (error) {
    const { code, details } = error as Refusal;
    if (code === 'NEIRA_VALUE_INVALID' && details?.error === 'RangeError')
      throw new RangeError(details.reason);
    if (code === 'NEIRA_VALUE_INVALID' && details?.error === 'TypeError') throw new TypeError(details.reason);
    throw error;
  }
}

export function localesText(locales: unknown): string {
  if (locales === undefined) return '[]';
  if (typeof locales === 'string') return JSON.stringify([locales]);
  if (locales === null) throw new TypeError('locales must be a language tag or an array of them');
  const list: string[] = [];
  const { length } = locales as ArrayLike<unknown>;
  for (let i = 0; i < length; i++) {
    const tag = (locales as ArrayLike<unknown>)[i];
    if (typeof tag !== 'string' && (typeof tag !== 'object' || tag === null))
      throw new TypeError('a language tag must be a string');
    list.push(String(tag));
  }
  return JSON.stringify(list);
}

/** The options that the service knows, as plain values. */
export function plainOptions(service: IntlService, options: unknown): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  if (options === undefined) return plain;
  if (options === null) throw new TypeError('options must be an object');
  for (const name of INTL_OPTIONS[service]) {
    const value = (options as Record<string, unknown>)[name];
    if (value !== undefined) plain[name] = plainOption(value);
  }
  return plain;
}

function plainOption(value: unknown): unknown {
  const isPlain =
    typeof value === 'string' || typeof value === 'boolean' || value === null || Number.isFinite(value);
  return isPlain ? value : `${value as string}`;
}

/** A number as JSON can say it. */
export function numeric(given: unknown): unknown {
  const value = typeof given === 'object' || typeof given === 'function' ? primitive(given) : given;
  if (typeof value === 'bigint') return { bigint: `${value}` };
  if (typeof value === 'string') return value;
  const number = Number(value);
  return Number.isFinite(number) && !Object.is(number, -0)
    ? number
    : { number: Object.is(number, -0) ? '-0' : `${number}` };
}

function primitive(value: unknown): unknown {
  const own = value === null ? 0 : (value as object).valueOf();
  return typeof own === 'object' || typeof own === 'function' ? Number(own) : own;
}

/** A moment in milliseconds; without one it is now. */
export function moment(given: unknown): number {
  const ms = given === undefined ? Date.now() : Number(given);
  if (!(Math.abs(ms) <= 8.64e15)) throw new RangeError('Invalid time value');
  return Math.trunc(ms);
}

/** Keeps up to so many, and begins anew where there are more. */
export class Kept<Value> {
  readonly #values = new Map<string, Value>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get(key: string, make: () => Value): Value {
    const known = this.#values.get(key);
    if (known !== undefined) return known;
    const value = make();
    if (this.#values.size >= this.#max) this.#values.clear();
    this.#values.set(key, value);
    return value;
  }
}
