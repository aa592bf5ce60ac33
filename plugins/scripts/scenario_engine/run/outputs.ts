/** `expected_outputs`: what has to be true of the bag when a run ends well (CAP-13). */
import { Validator } from '@cfworker/json-schema';
import type { ExpectedOutput } from '../program.ts';
import type { StepError } from './state.ts';

const NAMED: Readonly<Record<string, object>> = {
  isodate: { type: 'string', format: 'date-time' },
  string: { type: 'string' },
  number: { type: 'number' },
  integer: { type: 'integer' },
  boolean: { type: 'boolean' },
  array: { type: 'array' },
  object: { type: 'object' },
};

/** The first that is not true. */
export function brokenOutput(
  expected: readonly ExpectedOutput[],
  bag: Readonly<Record<string, unknown>>,
): StepError | undefined {
  for (const { field, type, schema } of expected) {
    const value = field
      .split('.')
      .reduce<unknown>((at, name) => (at as Record<string, unknown>)?.[name], bag);
    const wanted = type === undefined ? schema! : NAMED[type]!;
    const isRight = value !== undefined && new Validator(wanted, '2020-12').validate(value).valid;
    if (isRight) continue;
    const message = `\`${field}\` is ${value === undefined ? 'not there' : JSON.stringify(value).slice(0, 200)}, expected is ${type ?? JSON.stringify(schema)}`;
    return { code: 'SCENARIO_OUTPUT', message, details: { field } };
  }
  return undefined;
}
