/**
 * A run of one component instance under a budget: what it may ask for, what that costs, and how it ends. The instance
 * itself, and the memory that it starts from, is component-instance.ts.
 */
import { isNeiraError, NeiraError } from '../../errors.ts';
import type { Budget, Failure, HostCalls, RunResult, Suspended } from '../run-result.ts';
import { FUEL_PER_UNIT } from './meter/layout.ts';
import { answerValue, argumentText, type FunctionShape, HOST_FUNCTIONS } from './shapes.ts';

/** Ends the guest from the host's side of a call. */
class Ended extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super('the run was ended');
    this.failure = failure;
  }
}

/** What a component gets for a host function that refused: `refusal` of the WIT. */
interface Refusal {
  readonly code: string;
  readonly message: string;
  /** JSON */
  readonly details: string;
}

/** About 3 µs, in the unit of budgets. */
const HOST_CALL_FUEL = 300;
/** About 0.1 µs. */
const RANDOM_BYTE_FUEL = 10;
/** One argument of a host call; a reply of the largest `limits.output_kb` has to fit. */
const MAX_CALL_CHARS = 4 * 1024 * 1024 + 1024;
const MAX_MESSAGE_CHARS = 4096;
/** As an error of JavaScript is told: its class, what it says, and where it was thrown. */
const TOLD = /^(\w*Error|non-error): ([\s\S]*?)(?:\n(\s+at [\s\S]*))?$/;

const STACK_OVERFLOW: Failure = { kind: 'fault', message: 'stack overflow' };

export class ComponentRun {
  /** Shared by all modules of the instance. */
  readonly fuel = new WebAssembly.Global({ value: 'i64', mutable: true }, 0n);
  #host: HostCalls | undefined;
  #budget: Budget | undefined;
  /** Whatever the guest does afterwards, this is how the run ended. */
  #ended: Failure | undefined;
  #allowed = 0n;
  /** Which limit it is that the fuel stands for. */
  #ends: 'cpu' | 'turn' = 'cpu';
  readonly #waits = new Map<number, (answer: string) => void>();
  /** By code, what host functions refused in this run. */
  readonly #refusals = new Map<string, Refusal>();
  #endings: (() => void)[] = [];
  #waited = false;
  #resources = false;
  /** Settles the slice that runs now. */
  #settle: (result: RunResult | Suspended) => void = () => {};

  /** Fuel used since it was armed, in the unit of budgets. */
  get fuelUsed(): number {
    return Math.ceil(Number(this.#allowed - this.fuel.value) / FUEL_PER_UNIT);
  }

  /** Whether it left something in the instance that no memory holds: a wait, a handle of a resource. */
  get leftTraces(): boolean {
    return this.#waited || this.#resources;
  }

  arm(host: HostCalls, budget: Budget): void {
    this.#host = host;
    this.#budget = budget;
    this.#ended = undefined;
    this.#waits.clear();
    this.#refusals.clear();
    this.#endings = [];
    this.#waited = false;
    this.#resources = false;
    const { softFuel, wallFuel = softFuel } = budget;
    this.#ends = wallFuel < softFuel ? 'turn' : 'cpu';
    this.#allowed = BigInt(Math.floor(Math.min(softFuel, wallFuel) * FUEL_PER_UNIT));
    this.fuel.value = this.#allowed;
  }

  /** Nothing may be asked for until it is armed again. */
  disarm(): void {
    this.#host = undefined;
  }

  // --- from call to result

  /** Of a component that never waits: a plain call. Never throws. */
  whole(call: () => string): RunResult {
    try {
      return this.#finish(this.#valued(call()));
    } catch (error) {
      return this.#finish(this.endedBy(error));
    }
  }

  /** Runs until `start` settles or the guest stands still in a call that waits. Never rejects. */
  slice(start: () => Promise<string>): Promise<RunResult | Suspended> {
    const { promise, resolve } = Promise.withResolvers<RunResult | Suspended>();
    this.#settle = resolve;
    (async () => start())().then(
      (text) => this.#settle(this.#finish(this.#valued(text))),
      (error: unknown) => this.#settle(this.#finish(this.endedBy(error))),
    );
    return promise;
  }

  /** Goes on with a guest that stands still: `answer` is what `wait` came to. */
  resume(wait: number, answer: string, host: HostCalls, budget: Budget): Promise<RunResult | Suspended> {
    const { promise, resolve } = Promise.withResolvers<RunResult | Suspended>();
    const answered = this.#waits.get(wait);
    if (!answered) {
      resolve({ kind: 'suspended' });
      return promise;
    }
    this.#waits.delete(wait);
    this.#host = host;
    this.#budget = budget;
    this.#settle = resolve;
    answered(answer);
    return promise;
  }

  /** The last lines of output are logged now, at the cost of the run. Never throws. */
  #finish(result: RunResult): RunResult {
    try {
      for (const ending of this.#endings) ending();
      return result;
    } catch (error) {
      return result.kind === 'value' ? this.endedBy(error) : result;
    } finally {
      this.#endings = [];
      this.#host = undefined;
    }
  }

  #valued(text: string): RunResult {
    if (this.#ended) return this.#ended;
    const { maxOutputBytes } = this.#budget!;
    return text.length > maxOutputBytes || Buffer.byteLength(text) > maxOutputBytes
      ? { kind: 'output-too-large' }
      : { kind: 'value', json: text };
  }

  /** What an exception means: of the host, of V8 at a trap, or the error text that the guest answered. */
  endedBy(error: unknown): Failure {
    if (this.#ended) return this.#ended;
    if (error instanceof Ended) return error.failure;
    if (this.fuel.value < 0n) return { kind: 'aborted', why: this.#ends };
    if (!(error instanceof Error)) return this.#failed(error);
    return 'payload' in error ? this.#failed(error.payload) : faultOf(error);
  }

  /** A guest that fails with the code of a refusal lets that refusal through. */
  #failed(payload: unknown): Failure {
    const message = typeof payload === 'string' ? payload.slice(0, MAX_MESSAGE_CHARS) : 'it failed';
    const refused = this.#refusals.get(message);
    const refusal = refused ? JSON.stringify({ ...refused, details: JSON.parse(refused.details) }) : '';
    const [, name = 'Error', text = message, stack = ''] = TOLD.exec(message) ?? [];
    return { kind: 'thrown', report: { name, message: text, stack, refusal } };
  }

  // --- what the guest may ask for

  /**
   * The functions of `neira:host/*`, by interface without version, as the glue imports them. What never waits is not
   * given what could: its glue would take the promise for the answer.
   */
  hostFunctions(waits: boolean): Record<string, Record<string, unknown>> {
    const modules: Record<string, Record<string, unknown>> = {};
    for (const fn of HOST_FUNCTIONS) {
      if (fn.waits && !waits) continue;
      const module = fn.interface.replace(/@.*$/, '');
      modules[module] ??= {};
      modules[module][fn.name] = fn.waits
        ? (...args: unknown[]) => this.#waitFor(fn, args)
        : (...args: unknown[]) => this.#call(fn, args);
    }
    return modules;
  }

  #call(fn: FunctionShape, args: readonly unknown[]): unknown {
    return this.#answerOf(fn, this.#ask(fn, args));
  }

  #waitFor(fn: FunctionShape, args: readonly unknown[]): unknown {
    const answer = this.#ask(fn, args);
    if (answer[0] !== 'P') return this.#answerOf(fn, answer);
    this.#waited = true;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#waits.set(Number(answer.slice(1)), resolve);
    // The stack of the guest is set aside before this is heard of.
    this.#settle({ kind: 'suspended' });
    return promise.then((text) => this.#answerOf(fn, text));
  }

  /** @throws what the WIT calls `refusal`, or what ends the run */
  #ask(fn: FunctionShape, args: readonly unknown[]): string {
    this.#requireRunning();
    this.charge(HOST_CALL_FUEL);
    const texts = fn.params.map(({ name, shape }, at) => {
      try {
        return argumentText(shape, args[at], name);
      } catch (error) {
        throw isNeiraError(error) ? this.#refusal(error) : this.#stop(faultOf(error));
      }
    });
    const long = texts.findIndex((text) => text.length > MAX_CALL_CHARS);
    if (long >= 0) throw this.#refusal(tooLarge(fn, long, texts[long]!));
    try {
      return this.#host!.call(fn.op, texts, (fuel) => this.charge(fuel));
    } catch (error) {
      if (error instanceof Ended) throw error;
      throw this.#stop(isStackOverflow(error) ? STACK_OVERFLOW : { kind: 'refused', error });
    }
  }

  #answerOf(fn: FunctionShape, answer: string): unknown {
    if (answer[0] === 'E') {
      const refused = JSON.parse(answer.slice(1)) as { code: string; message: string; details: unknown };
      throw fn.refuses ? this.#refusal(refused) : this.#stop({ kind: 'refused', error: refused });
    }
    return answerValue(fn.answer, answer[0] === 'V' ? answer.slice(1) : undefined);
  }

  /** As the glue takes it for the error of a `result`: a thrown object that is no Error. */
  #refusal({ code, message, details }: { code: string; message: string; details: unknown }): Refusal {
    const refusal = { code, message, details: JSON.stringify(details ?? {}) };
    this.#refusals.set(code, refusal);
    return refusal;
  }

  /** Takes fuel, in the unit of budgets. @throws what ends the run */
  charge(fuel: number): void {
    this.fuel.value -= BigInt(Math.ceil(fuel * FUEL_PER_UNIT));
    if (this.fuel.value < 0n) throw this.#stop({ kind: 'aborted', why: this.#ends });
    if (performance.now() > this.#budget!.wallDeadlineMs) throw this.#stop({ kind: 'aborted', why: 'turn' });
  }

  #requireRunning(): void {
    if (this.#ended) throw new Ended(this.#ended);
    if (!this.#host)
      throw this.#stop({ kind: 'fault', message: 'a host function was called outside of a turn' });
  }

  #stop(failure: Failure): Ended {
    this.#ended ??= failure;
    return new Ended(failure);
  }

  nowMs(): number {
    this.#requireRunning();
    return this.#host!.nowMs();
  }

  randomBytes(count: number): Uint8Array {
    this.#requireRunning();
    this.charge(count * RANDOM_BYTE_FUEL);
    return this.#host!.randomBytes(count);
  }

  /** A line of standard output, within the byte budget of the log. */
  log(level: 'info' | 'warn', line: string): void {
    if (!this.#host || this.#ended) return;
    this.charge(HOST_CALL_FUEL);
    this.#host.call('io.log', [level, line], (fuel) => this.charge(fuel));
  }

  /** Called when the run ends, while it can still log. */
  onEnd(ending: () => void): void {
    this.#endings.push(ending);
  }

  usesResources(): void {
    this.#resources = true;
  }
}

/** A guest that calls itself for ever may ask the host when there is next to no stack left. */
function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && /call stack/.test(error.message);
}

function faultOf(error: unknown): Failure {
  if (isStackOverflow(error)) return STACK_OVERFLOW;
  return { kind: 'fault', message: (error as Error).message.slice(0, MAX_MESSAGE_CHARS) };
}

function tooLarge(fn: FunctionShape, at: number, text: string): NeiraError {
  const what = `\`${fn.params[at]!.name}\` of ${fn.op}`;
  return new NeiraError('NEIRA_VALUE_TOO_LARGE', { what, bytes: text.length, maxBytes: MAX_CALL_CHARS });
}
