/** `"погода {city}" -> scenario.run(weather_now, {city})`, alone or under the name of an intent (INT-01, INT-04). */
import { parse } from 'yaml';
import type { Run } from './rule-file.ts';

const SHORT = /^\s*(["'])(.+)\1\s*->\s*scenario\.run\(\s*([a-z][a-z0-9_]*)\s*(?:,\s*(\{.*\})\s*)?\)\s*$/su;
const EXAMPLE =
  'write `\'"weather in {city}" -> scenario.run(weather_now, {city})\'`, or `{<intent>: …}` with it';

export interface ShortForm {
  readonly intent: string;
  readonly sentence: string;
  readonly run: Run;
}

export interface ShortFault {
  readonly message: string;
  readonly remedy?: string;
}

/** Without a name the intent is the scenario's, with a dot for the first underline: `weather_now` is `weather.now`. */
export function readShortForm(given: string | object): ShortForm | ShortFault {
  const entries = typeof given === 'string' ? [[undefined, given] as const] : Object.entries(given);
  const [[name, rule] = [undefined, undefined]] = entries;
  if (entries.length !== 1 || typeof rule !== 'string')
    return { message: 'this is no rule', remedy: EXAMPLE };
  const [, , sentence, scenario, given_ctx] = SHORT.exec(rule) ?? [];
  if (sentence === undefined || scenario === undefined)
    return { message: 'this is no rule', remedy: EXAMPLE };
  let ctx: Record<string, unknown>;
  try {
    ctx = contextOf(given_ctx);
  } catch (error) {
    return {
      message: `\`${given_ctx}\` cannot be read: ${(error as Error).message.split('\n')[0]}`,
      remedy: EXAMPLE,
    };
  }
  return { intent: name ?? scenario.replace('_', '.'), sentence, run: { scenario, ctx } };
}

/** `{city}` is short for `{city: "{city}"}`. */
function contextOf(text: string | undefined): Record<string, unknown> {
  if (text === undefined) return {};
  const given = parse(text) as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(given).map(([key, value]) => [key, value === null ? `{${key}}` : value]),
  );
}
