import { InvalidArgumentError } from 'commander';

/** What the `events` commands take on their line, as the host wants it. */

const UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const NAME = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/;
const HEADER = /^[a-z][a-z0-9_-]{0,63}$/;
const PATTERN_WITH_VERSION = /^([^@\s]{1,200})(?:@([1-9]\d{0,3}))?$/;

/** A time, or a span before now as `10m`. */
export function readPast(text: string): string {
  return momentOf(text, -1);
}

/** A time, or a span from now on as `10m`. */
export function readFuture(text: string): string {
  return momentOf(text, 1);
}

function momentOf(text: string, direction: 1 | -1): string {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const atMs =
    count === undefined
      ? Date.parse(text)
      : Date.now() + direction * Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS];
  const at = new Date(atMs);
  if (Number.isNaN(at.getTime()))
    throw new InvalidArgumentError(
      'It is neither a time like 2030-01-31T12:00:00Z nor a span like 90s, 10m, 2h, 7d.',
    );
  return at.toISOString();
}

export function readPlace(text: string): string {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a number.');
  return text;
}

export function readPositive(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a number from 1.');
  return Number(text);
}

export function readIds(text: string, before: readonly number[] = []): readonly number[] {
  return [...before, readPositive(text)];
}

export interface EventName {
  readonly name: string;
  readonly version: number;
}

/** `order.placed`, `order.placed@2` */
export function readName(text: string): EventName {
  const { pattern: name, version = 1 } = readPattern(text);
  if (!NAME.test(name))
    throw new InvalidArgumentError('It must be the name of an event, as `order.placed@1`.');
  return { name, version };
}

export interface EventPattern {
  readonly pattern: string;
  readonly version?: number;
}

/** `order.*`, `order.>@2` */
export function readPattern(text: string): EventPattern {
  const [, pattern, version] = PATTERN_WITH_VERSION.exec(text) ?? [];
  if (pattern === undefined)
    throw new InvalidArgumentError('It must be a pattern of event names, as `order.>`.');
  return { pattern, ...(version !== undefined && { version: Number(version) }) };
}

/** `name=value`, gathered. */
export function readHeader(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const at = text.indexOf('=');
  const name = text.slice(0, at);
  if (at < 0 || !HEADER.test(name)) throw new InvalidArgumentError('It must be of the form name=value.');
  return { ...before, [name]: text.slice(at + 1) };
}
