/**
 * Runs first in every image, before any code of a plugin: captures the primordials that the host relies on,
 * so that nothing a plugin does to its globals changes how the host talks to it.
 *
 * What it puts under `__neira` is taken away again once the host functions' modules have picked it up.
 */
import { installPolyfills } from './lazily.ts';
import { makeTimers } from './timers.ts';

/** Provided by the host: op and string arguments in; `V<json>`, `U` (nothing), `E<json>` or `P<wait>` out. */
declare const host: (op: string, ...args: string[]) => string;

interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly details: unknown;
}

const hostCall = host;
const { parse, stringify } = JSON;
const { apply } = Reflect;
const { then } = Promise.prototype;
const NativePromise = Promise;
const resolvePromise = Promise.resolve.bind(Promise);
const toText = String;
const { floor } = Math;

/** A method as a function that nobody can replace any more. */
function captured<F>(method: unknown): F {
  return Function.prototype.call.bind(method as () => void) as F;
}

function getter<T, V>(prototype: T, name: string): (self: object) => V {
  return captured(Object.getOwnPropertyDescriptor(prototype, name)!.get);
}

const sliceText = captured<(s: string, a: number, b?: number) => string>(String.prototype.slice);
const includesText = captured<(s: string, part: string) => boolean>(String.prototype.includes);
const isWellFormed = captured<(s: string) => boolean>(
  (String.prototype as unknown as { isWellFormed(): boolean }).isWellFormed,
);
const joinTexts = captured<(a: unknown[], s: string) => string>(Array.prototype.join);
const NativeWeakMap = WeakMap;
const remember = captured<(map: object, key: object, value: string) => void>(WeakMap.prototype.set);
const recall = captured<(map: object, key: object) => string | undefined>(WeakMap.prototype.get);
const NativeError = Error;
const NativeTypeError = TypeError;
const NativeRangeError = RangeError;
const NativeUint8Array = Uint8Array;
const NativeUint32Array = Uint32Array;
// The view's own words about itself could be a subclass's lies, and differ from one reading to the next.
const viewPrototype = Object.getPrototypeOf(Uint8Array.prototype) as object;
const bufferOf = getter<object, ArrayBuffer>(viewPrototype, 'buffer');
const byteLengthOf = getter<object, number>(viewPrototype, 'byteLength');
const byteOffsetOf = getter<object, number>(viewPrototype, 'byteOffset');
const { defineProperty, freeze, create } = Object;

class NeiraError extends NativeError {
  readonly code: string;
  readonly details: unknown;

  constructor({ code, message, details }: Refusal) {
    super(message);
    this.name = 'NeiraError';
    this.code = code;
    this.details = details;
  }
}

/** The refusals that came from the host, as it said them: whatever else looks like one is a plugin's own. */
const refusals = new NativeWeakMap();

function refused(refusal: string): NeiraError {
  const error = new NeiraError(parse(refusal) as Refusal);
  remember(refusals, error, refusal);
  return error;
}

/** One host call, `op` first; a refusal is thrown as a NeiraError at the author's line. */
function call(...args: string[]): unknown {
  // The rest array is handed on as it is: a spread would go through the guest's Array iterator.
  const answer = apply(hostCall, undefined, args) as string;
  const kind = answer[0];
  if (kind === 'V') return parse(sliceText(answer, 1));
  if (kind === 'U') return undefined;
  throw refused(sliceText(answer, 1));
}

// --- waits: calls whose answer comes later in the turn (design §4, "Requests")

interface Wait {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  /** Where the call was made: when the answer comes there is nothing of the author's on the stack. */
  readonly stack?: unknown;
}

const waits = create(null) as Record<string, Wait>;

/** An async host call; what is wrong with `args` (`op` first) rejects its promise like any refusal. */
function callLater(args: () => string[]): Promise<unknown> {
  return new NativePromise((resolve, reject) => {
    const answer = apply(hostCall, undefined, args()) as string;
    if (answer[0] !== 'P') settle(answer, resolve, reject);
    else waits[sliceText(answer, 1)] = { resolve, reject, stack: new NativeError().stack };
  });
}

/** Called by the host between two runs of the guest; it hands out the answer when it is asked for it. */
function deliver(wait: string): void {
  const found = waits[wait];
  if (found === undefined) return;
  const { resolve, reject, stack } = found;
  delete waits[wait];
  settle(apply(hostCall, undefined, ['wait.answer']) as string, resolve, reject, stack);
}

function settle(answer: string, resolve: Wait['resolve'], reject: Wait['reject'], stack?: unknown): void {
  const kind = answer[0];
  if (kind === 'V') resolve(parse(sliceText(answer, 1)));
  else if (kind === 'U') resolve(undefined);
  else {
    const error = refused(sliceText(answer, 1));
    if (stack !== undefined) define(error, 'stack', stack);
    reject(error);
  }
}

// --- timers

/** Until then code runs whose memory every turn starts from: it may not wait. */
let isSealed = false;

const timers = makeTimers({
  sleep(ms, woken) {
    const answer = apply(hostCall, undefined, ['timer.sleep', toText(ms)]) as string;
    if (answer[0] !== 'P') throw refused(sliceText(answer, 1));
    const wait = sliceText(answer, 1);
    waits[wait] = { resolve: woken, reject: woken };
    return wait;
  },
  drop(wait) {
    delete waits[wait];
    apply(hostCall, undefined, ['wait.drop', wait]);
  },
  requireTurn() {
    if (!isSealed) call('timer.sleep', '0');
  },
});

function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new NativeTypeError(`${what} must be a string`);
  if (includesText(value, '\0')) throw new NativeTypeError(`${what} must not contain NUL`);
  if (!isWellFormed(value)) throw new NativeTypeError(`${what} must not contain lone surrogates`);
  return value;
}

function json(value: unknown, what: string): string {
  const out = stringify(value);
  if (out === undefined) throw new NativeTypeError(`${what} must be a JSON value`);
  return out;
}

/** An optional whole number as text, empty when absent. */
function count(value: unknown, what: string): string {
  if (value === undefined) return '';
  if (typeof value !== 'number' || value < 0 || floor(value) !== value) {
    throw new NativeTypeError(`${what} must be a whole number, not negative`);
  }
  return toText(value);
}

// --- randomness: the stream of the turn, from the host (design §4)

/** 128 bits of state of sfc32; undefined until a turn first asks, so that an image carries none. */
let random: Uint32Array | undefined;

function nextRandom(): number {
  random ??= new NativeUint32Array(parse(apply(hostCall, undefined, ['random.seed']) as string) as number[]);
  const s = random;
  const sum = (s[0]! + s[1]! + s[3]!) | 0;
  s[3] = s[3]! + 1;
  s[0] = s[1]! ^ (s[1]! >>> 9);
  s[1] = (s[2]! + (s[2]! << 3)) | 0;
  s[2] = ((s[2]! << 21) | (s[2]! >>> 11)) + sum;
  return sum >>> 0;
}

function define(target: object, name: string, value: unknown): void {
  defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
}

for (const name in timers.globals)
  define(globalThis, name, timers.globals[name as keyof typeof timers.globals]);

/** 53 bits: 32 of one draw above 21 of another. */
define(Math, 'random', () => (nextRandom() * 0x20_0000 + (nextRandom() >>> 11)) / 0x20_0000_0000_0000);

function randomBytes(length: number): number[] {
  return parse(apply(hostCall, undefined, ['random.bytes', toText(length)]) as string) as number[];
}

const MAX_RANDOM_BYTES = 65_536;

define(
  globalThis,
  'crypto',
  freeze({
    getRandomValues(view: ArrayBufferView) {
      const length = byteLengthOf(view);
      if (length > MAX_RANDOM_BYTES)
        throw new NativeRangeError(`at most ${MAX_RANDOM_BYTES} random bytes a call`);
      const target = new NativeUint8Array(bufferOf(view), byteOffsetOf(view), length);
      const bytes = randomBytes(length);
      for (let i = 0; i < bytes.length; i++) target[i] = bytes[i]!;
      return view;
    },
    randomUUID() {
      const b = randomBytes(16);
      b[6] = (b[6]! & 0x0f) | 0x40;
      b[8] = (b[8]! & 0x3f) | 0x80;
      let out = '';
      for (let i = 0; i < 16; i++) {
        if (i === 4 || i === 6 || i === 8 || i === 10) out += '-';
        const hex = '0123456789abcdef';
        out += hex[b[i]! >> 4]! + hex[b[i]! & 15]!;
      }
      return out;
    },
  }),
);

// --- globals that authors expect and QuickJS lacks

const install = installPolyfills(
  (polyfill) => apply(hostCall, undefined, ['polyfill.source', polyfill]) as string,
  freeze({
    intl: (service: string, method: string, locales: string, options: string, input: string) =>
      call('intl.call', service, method, locales, options, input),
  }),
);

// --- console: lines of the plugin's log

function show(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof NativeError) return `${value.name}: ${value.message}\n${value.stack ?? ''}`;
  try {
    return stringify(value) ?? toText(value);
  } catch {
    return toText(value);
  }
}

function logAt(level: string) {
  return (...values: unknown[]): void => {
    const parts: string[] = [];
    for (let i = 0; i < values.length; i++) parts[i] = show(values[i]);
    call('io.log', level, logLine(joinTexts(parts, ' ')));
  };
}

/** Above the largest `limits.log_kb`, so that the host drops and counts what was cut here. */
const MAX_LINE = 1024 * 1024 + 1;

/** A line is shown whatever is in it: what the way to the host cannot carry is escaped. */
function logLine(line: string): string {
  const cut = sliceText(line, 0, MAX_LINE);
  return includesText(cut, '\0') || !isWellFormed(cut) ? stringify(cut) : cut;
}

define(
  globalThis,
  'console',
  freeze({
    debug: logAt('debug'),
    log: logAt('info'),
    info: logAt('info'),
    warn: logAt('warn'),
    error: logAt('error'),
    trace: logAt('debug'),
  }),
);

// --- one turn

/** Describes whatever was thrown, without trusting any part of it. */
function describeThrown(thrown: unknown): string {
  let name = 'non-error';
  let message = '';
  let stack = '';
  let refusal = '';
  try {
    if (typeof thrown === 'object' && thrown !== null) {
      refusal = recall(refusals, thrown) ?? '';
      const error = thrown as Partial<Error>;
      name = sliceText(toText(error.name), 0, 100);
      message = sliceText(toText(error.message), 0, 1000);
      stack = sliceText(toText(error.stack ?? ''), 0, 4000);
    } else {
      message = sliceText(toText(thrown), 0, 1000);
    }
  } catch {
    message ||= 'what was thrown cannot be described';
  }
  const report = create(null) as Record<string, unknown>;
  report['name'] = name;
  report['message'] = message;
  report['stack'] = stack;
  report['refusal'] = refusal;
  return `E${stringify(report)}`;
}

function answer(reply: unknown): string {
  return stringify(reply) ?? 'U';
}

/** Held to the end of the turn: taking apart what the reset throws away as a whole would be wasted work. */
const held: { event: unknown; reply: unknown } = { event: undefined, reply: undefined };

/** Calls `fn` with the parsed event: JSON, `U` for nothing, `E…` for what was thrown, `P` when `turn.settle` will tell. */
function run(fn: (event: unknown) => unknown, event: string): string {
  try {
    held.event = event === '' ? undefined : parse(event);
    const result = fn(held.event);
    held.reply = result;
    if (
      typeof result === 'object' &&
      result !== null &&
      typeof (result as PromiseLike<unknown>).then === 'function'
    ) {
      apply(then, resolvePromise(result), [
        (value: unknown) => {
          let out: string;
          try {
            out = answer(value);
          } catch (thrown) {
            out = describeThrown(thrown);
          }
          apply(hostCall, undefined, ['turn.settle', out]);
        },
        (thrown: unknown) => apply(hostCall, undefined, ['turn.settle', describeThrown(thrown)]),
      ]);
      return 'P';
    }
    return answer(result);
  } catch (thrown) {
    return describeThrown(thrown);
  }
}

/** Last act of building an image: what was drawn at load must not repeat in every turn. */
function seal(): string {
  isSealed = true;
  random = undefined;
  held.event = undefined;
  held.reply = undefined;
  return 'U';
}

define(globalThis, '__neira', {
  call,
  callLater,
  text,
  json,
  count,
  logLine,
  run,
  deliver,
  idle: timers.idle,
  install,
  describeThrown,
  seal,
  NeiraError,
});
