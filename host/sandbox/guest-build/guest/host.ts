/**
 * The one function through which the prelude of scripts asks its host (quickjs/guest/prelude.ts), over the imports
 * of a component. Arguments and answers are texts there, and values of the component model here; abi/types/shapes.json
 * says which are which.
 *
 * An import that waits returns with its answer. So a request is made where it is called, and its promise settles when
 * the turn has nothing else to do; a sleep begins only then, so that several run side by side.
 */
import * as bus from 'neira:host/bus@1.0.0';
import * as intl from 'neira:host/intl@1.0.0';
import * as io from 'neira:host/io@1.0.0';
import * as principals from 'neira:host/principals@1.0.0';
import * as storage from 'neira:host/storage@1.0.0';
import * as timer from 'neira:host/timer@1.0.0';
import shapes from '../../../../abi/types/shapes.json' with { type: 'json' };
import type { Shape } from '../../component/shapes.ts';
import { inTurn, randomBytes } from './environment.ts';
import { lowered, Misfit, raisedText } from './values.ts';

interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly details: string;
}

type Import = (...args: unknown[]) => unknown;

interface Described {
  readonly op: string;
  readonly waits: boolean;
  readonly params: readonly { readonly name: string; readonly shape: Shape }[];
  readonly answer: Shape | null;
  readonly call: Import;
}

const FAMILIES: Readonly<Record<string, Readonly<Record<string, Import>>>> = {
  storage,
  io,
  bus,
  principals,
  timer,
  intl,
} as never;

const functions = new Map<string, Described>();
for (const each of shapes.functions) {
  const call = FAMILIES[each.op.slice(0, each.op.indexOf('.'))]![each.name]!;
  const params = each.params as Described['params'];
  const { op, answer } = each;
  functions.set(op, { op, waits: 'waits' in each, params, answer: answer as Shape | null, call });
}

/** The timers of Node go no further. */
const MAX_SLEEP_MS = 0x7fff_ffff;
const SLEEP_MISFIT = new Misfit('ms', `it must be 0 to ${MAX_SLEEP_MS}`);

/** What the turn waits for: the answers that are there, and the sleeps that have to be slept. */
const answered: { readonly wait: number; readonly answer: string }[] = [];
const sleeps: { readonly wait: number; readonly dueMs: number }[] = [];
let lastWait = 0;
let handedOut = 'U';
let settled: string | undefined;

/** A call begins with nothing of one before it: `prepare` leaves its memory to every turn. */
export function begin(): void {
  answered.length = 0;
  sleeps.length = 0;
  handedOut = 'U';
  settled = undefined;
}

export function host(op: string, ...args: string[]): string {
  switch (op) {
    case 'random.seed':
      return wordsOf(randomBytes(16));
    case 'random.bytes':
      return `[${Array.from(randomBytes(Number(args[0]))).join()}]`;
    case 'polyfill.source':
      return notInside(args[0]!);
    case 'wait.answer': {
      const answer = handedOut;
      handedOut = 'U';
      return answer;
    }
    case 'wait.drop':
      sleeps.splice(0, sleeps.length, ...sleeps.filter(({ wait }) => String(wait) !== args[0]));
      return 'U';
    case 'turn.settle':
      settled ??= args[0] ?? 'U';
      return 'U';
  }
  const described = functions.get(op)!;
  if (!inTurn()) return atBuild(op);
  if (op === 'timer.sleep') {
    const ms = Number(args[0]);
    const refused = Number.isInteger(ms) && ms >= 0 && ms <= MAX_SLEEP_MS ? undefined : SLEEP_MISFIT;
    if (refused) answered.push({ wait: ++lastWait, answer: refusalOf(refused) });
    else sleeps.push({ wait: ++lastWait, dueMs: Date.now() + ms });
    return `P${lastWait}`;
  }
  const answer = ask(described, args);
  if (!described.waits) return answer;
  answered.push({ wait: ++lastWait, answer });
  return `P${lastWait}`;
}

/**
 * Goes on with the turn, which has nothing to do: hands out one answer, or sleeps until the nearest moment.
 * False when there is nothing to wait for.
 */
export function awaitNext(deliver: (wait: string) => void): boolean {
  const next = answered.shift() ?? slept();
  if (next === undefined) return false;
  handedOut = next.answer;
  deliver(String(next.wait));
  return true;
}

export const settledAnswer = () => settled;

function slept() {
  let first = 0;
  for (let i = 1; i < sleeps.length; i++) if (sleeps[i]!.dueMs < sleeps[first]!.dueMs) first = i;
  const [sleep] = sleeps.splice(first, 1);
  if (sleep === undefined) return undefined;
  const ms = sleep.dueMs - Date.now();
  const answer = ms > 0 ? ask(functions.get('timer.sleep')!, [String(ms)]) : 'U';
  return { wait: sleep.wait, answer };
}

function ask({ call, params, answer }: Described, args: readonly string[]): string {
  try {
    const given = call(...params.map(({ name, shape }, at) => lowered(shape, args[at] ?? '', name)));
    const text = answer === null ? undefined : raisedText(answer, given);
    return text === undefined ? 'U' : `V${text}`;
  } catch (error) {
    if (error instanceof Misfit) return refusalOf(error);
    const refusal = (error as { readonly payload?: Refusal }).payload;
    if (refusal === undefined) throw error;
    const { code, message, details } = refusal;
    return `E{"code":${JSON.stringify(code)},"message":${JSON.stringify(message)},"details":${details}}`;
  }
}

/** As the host says it (functions/arguments.ts). */
function refusalOf({ what, reason }: Misfit): string {
  const message = `The ${what} is not valid: ${reason}.`;
  return `E${JSON.stringify({ code: 'NEIRA_VALUE_INVALID', message, details: { what, reason } })}`;
}

/** Four words out of 16 bytes, the lowest byte of each first. */
function wordsOf(bytes: ArrayLike<number>): string {
  const words: number[] = [];
  for (let i = 0; i < 16; i += 4)
    words.push((bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)) >>> 0);
  return `[${words.join()}]`;
}

function atBuild(op: string): string {
  if (op === 'io.log') return 'U';
  throw new Error(
    `top-level code runs when the component is built and reaches no host: call ${op} in handle() or prepare()`,
  );
}

/** A global that the source does not name, reached in some other way. */
function notInside(polyfill: string): string {
  return `(function(){throw new TypeError("the polyfill ${polyfill} is not inside: name its global in the source")})`;
}
