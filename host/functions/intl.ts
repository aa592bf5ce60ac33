/**
 * `neira:host/intl`: texts as a language and a country write them, by the host's own Intl. Twin of
 * abi/wit/v1/intl.wit and sandbox/quickjs/guest/intl.ts; what authors use is `Intl` (guest/polyfills/intl.ts).
 *
 * A call is a pure question, but its answer changes with the library that gives it: it is observed, so that a
 * replay is told the same again. Its fuel follows from the question and from what the turn asked before, never from
 * what a cell happens to keep.
 */
import { hash } from 'node:crypto';
import { fromShape, isNeiraError, NeiraError, toShape } from '../errors.ts';
import { collectGarbage } from '../sandbox/collect-garbage.ts';
import type { Charge } from '../sandbox/run-result.ts';
import type { TurnContext } from '../turn-context.ts';
import { type HostFunction, parsedJson, parseObject } from './arguments.ts';
import { invalid } from './bus-options.ts';
import {
  checkSizes,
  SERVICES,
  type Service,
  SUPPORTED_LOCALES,
  SUPPORTED_LOCALES_FUEL,
  supportedLocales,
} from './intl-services.ts';

const MAX_INPUT_BYTES = 64 * 1024;
/** Many texts in one call, instead of a call for each pair of them. */
const MAX_RANK_BYTES = 1536 * 1024;
const MAX_LOCALES_BYTES = 1024;
const MAX_LOCALES = 8;
const MAX_LOCALE_CHARS = 128;
const MAX_OPTIONS_BYTES = 2048;
const MAX_OPTION_CHARS = 64;
/** What texts cost on their way through, in and out. */
const CHAR_FUEL = 3;
/** Calendars that follow the moon and the sun. */
const SLOW_CALENDAR = /chinese|dangi/i;
const SLOW_CALENDAR_FUEL = 6000;
const MAX_QUESTION_CHARS = 200;

/** Formatters that a cell keeps, for all its turns; and as many a turn has made without being charged anew. */
const KEPT_FORMATTERS = 128;
const KEPT_OF_TURN = 64;
/** One holds some 25 KB outside of the heap, which V8 does not see: by itself it would collect too late. */
const COLLECT_AFTER = 1000;

const formatters = new Map<string, unknown>();
let dropped = 0;
const madeByTurn = new WeakMap<TurnContext, Map<string, true>>();

interface Question {
  readonly service: Service;
  readonly name: string;
  readonly method: string;
  readonly locales: string;
  readonly options: string;
  readonly input: readonly unknown[];
}

export const intlFunctions: Readonly<Record<string, HostFunction>> = {
  /**
   * @throws NEIRA_VALUE_INVALID for what Intl throws; `error` is the class of it
   * @throws NEIRA_VALUE_TOO_LARGE
   */
  call(turn, [name = '', method = '', locales = '', options = '', inputText = ''], charge) {
    const service = SERVICES.get(name);
    const found = service?.methods.get(method);
    const lists = method === SUPPORTED_LOCALES && service !== undefined && service.options.length > 0;
    if (!service || !(found || lists))
      throw invalid('method', `there is no ${method.slice(0, 64)} of ${name.slice(0, 64)}`);
    const question = { service, name, method, locales, options, input: inputOf(method, inputText) };
    checkSizes(name, method, question.input);
    charge(inputText.length * CHAR_FUEL);
    if (lists) charge(SUPPORTED_LOCALES_FUEL);
    else {
      chargeFormatter(turn, question, charge);
      charge(found!.fuel + (found!.fuelOf?.(question.input) ?? 0));
      if (SLOW_CALENDAR.test(locales + options)) charge(SLOW_CALENDAR_FUEL);
    }
    const what = questionOf([name, method, locales, options, inputText]);
    const answer = turn.observe(what, () => answerTo(question), true);
    charge(answer.length * CHAR_FUEL);
    if (answer[0] === 'V') return answer.slice(1);
    if (answer[0] === 'R') throw fromShape(JSON.parse(answer.slice(1)));
    throw new NeiraError('NEIRA_VALUE_INVALID', { what: name, ...JSON.parse(answer.slice(1)) });
  },
};

/** A long one is named by its digest: the record of a turn has room for other things. */
function questionOf(parts: readonly string[]): string {
  // Of JSON none but itself has such lines.
  const whole = parts.join('\n');
  if (whole.length <= MAX_QUESTION_CHARS) return `intl.call ${whole}`;
  return `intl.call ${parts[0]}.${parts[1]} ${hash('sha256', JSON.stringify(parts), 'base64url')}`;
}

/** `V<json>`, `R` with a refusal, or `E` with what the standard throws: all of it is what a replay is told again. */
function answerTo({ service, name, method, locales, options, input }: Question): string {
  try {
    const found = service.methods.get(method);
    const value = found
      ? found.run(formatterOf(service, name, locales, options), input)
      : supportedLocales(name, localesOf(locales), optionsOf(service, options));
    return `V${JSON.stringify(value ?? null)}`;
  } catch (error) {
    if (isNeiraError(error)) return `R${JSON.stringify(toShape(error))}`;
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
    return `E${JSON.stringify({ error: error.name, reason: error.message })}`;
  }
}

/** Making one costs much more than using it. */
function chargeFormatter(turn: TurnContext, question: Question, charge: Charge): void {
  const { service, name, locales, options } = question;
  const made = madeByTurn.get(turn) ?? new Map<string, true>();
  madeByTurn.set(turn, made);
  const key = keyOf(name, locales, options);
  if (!made.delete(key)) {
    // Checked once, and before anything of it is observed.
    localesOf(locales);
    optionsOf(service, options);
    charge(service.createFuel);
  }
  keep(made, key, true, KEPT_OF_TURN);
}

function formatterOf(service: Service, name: string, locales: string, options: string): unknown {
  const key = keyOf(name, locales, options);
  const kept = formatters.get(key);
  if (kept !== undefined) formatters.delete(key);
  const formatter = kept ?? service.create(localesOf(locales), optionsOf(service, options));
  if (keep(formatters, key, formatter, KEPT_FORMATTERS) && ++dropped === COLLECT_AFTER) {
    dropped = 0;
    collectGarbage();
  }
  return formatter;
}

function keyOf(name: string, locales: string, options: string): string {
  return `${name}\n${locales}\n${options}`;
}

/** As the one used last; whether the one used longest ago made room. */
function keep<Value>(map: Map<string, Value>, key: string, value: Value, max: number): boolean {
  map.set(key, value);
  if (map.size <= max) return false;
  map.delete(map.keys().next().value!);
  return true;
}

// --- arguments: whatever a guest says

function inputOf(method: string, text: string): readonly unknown[] {
  const { value } = parsedJson(text || '[]', 'input', method === 'rank' ? MAX_RANK_BYTES : MAX_INPUT_BYTES);
  if (Array.isArray(value)) return value;
  throw invalid('input', 'it must be the array of the arguments');
}

function localesOf(text: string): readonly string[] {
  const { value } = parsedJson(text || '[]', 'locales', MAX_LOCALES_BYTES);
  if (!Array.isArray(value) || value.length > MAX_LOCALES)
    throw invalid('locales', `it must be an array of at most ${MAX_LOCALES}`);
  for (const locale of value)
    if (typeof locale !== 'string' || locale.length > MAX_LOCALE_CHARS)
      throw invalid('locales', `each must be a text of at most ${MAX_LOCALE_CHARS} characters`);
  return value as string[];
}

function optionsOf({ options: known }: Service, text: string): Readonly<Record<string, unknown>> {
  const given = parseObject(text || '{}', 'options', MAX_OPTIONS_BYTES);
  for (const [name, value] of Object.entries(given)) {
    const what = `options.${name.slice(0, 64)}`;
    if (!known.includes(name)) throw invalid(what, 'it is not a known option');
    if (typeof value === 'object' && value !== null) throw invalid(what, 'it must be a plain value');
    if (typeof value === 'string' && value.length > MAX_OPTION_CHARS)
      throw invalid(what, `it is longer than ${MAX_OPTION_CHARS} characters`);
  }
  return given;
}
