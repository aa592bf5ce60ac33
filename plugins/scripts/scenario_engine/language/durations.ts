import { parse } from '@lukeed/ms';

/** Milliseconds of `500ms`, `10s`, `5m`, `1h`, `2d`; a number is one of seconds. The schema says what is allowed. */
export function parseDuration(given: string | number): number {
  if (typeof given === 'number') return Math.round(given * 1000);
  const ms = parse(given);
  if (ms === undefined) throw new SyntaxError(`\`${given}\` is no duration such as 500ms, 10s, 5m, 1h or 2d`);
  return Math.round(ms);
}
