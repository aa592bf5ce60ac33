/**
 * Running code of one guest under a budget: calls in, calls out, promise jobs, and every way in which a
 * run can end. What runs and from which memory is the instance's business (instance.ts).
 */
import { NeiraError } from '../../errors.ts';
import type { Budget, Failure, HostCalls, RunResult, Suspended, ThrownReport } from '../run-result.ts';
import type { Polyfill } from './boot-source.ts';
import { EngineFault, Guest, type GuestHooks } from './engine.ts';
import type { ImagePointers } from './image.ts';

class Ended extends Error {
  readonly why: 'cpu' | 'turn';
  constructor(why: 'cpu' | 'turn') {
    super(why);
    this.why = why;
  }
}

/** Carries an error of the host's side out through the guest's frames. */
class Refused extends Error {
  readonly error: unknown;
  constructor(error: unknown) {
    super('refused');
    this.error = error;
  }
}

/** The answer of an async `handle` is longer than any budget. */
class OutputTooLarge extends Error {}

export const BUFFER_BYTES = 64 * 1024;
const MAX_REPORT_BYTES = 64 * 1024;
/** One argument of a host call; a reply of the largest `limits.output_kb` has to fit. */
const MAX_CALL_BYTES = 4 * 1024 * 1024 + 1024;
const MAX_RANDOM_BYTES = 65_536;
/** About 3 µs. */
const HOST_CALL_FUEL = 300;
/** What it costs the host to start one promise job, about 1 µs, so that a flood of empty ones is no bargain. */
const JOB_FUEL = 100;
/** About 0.1 µs: what HMAC costs the host for each byte of randomness. */
const RANDOM_BYTE_FUEL = 10;
/** What describing a thrown thing may cost on top of a budget that is used up: about 10 ms. */
const REPORT_FUEL = 1_000_000;

export class GuestRun implements GuestHooks {
  readonly guest: Guest;
  readonly #polyfills: readonly Polyfill[];
  pointers!: ImagePointers;
  #host: HostCalls | undefined;
  #budget: Budget | undefined;
  #fuelUsed = 0;
  #interrupted = false;
  #outOfMemory = false;
  #settled: string | undefined;
  readonly #waits = new Set<number>();
  /** What `wait.answer` hands out. */
  #delivered = 'U';

  constructor(memoryMb: number, polyfills: readonly Polyfill[]) {
    this.#polyfills = polyfills;
    this.guest = new Guest(this, memoryMb);
  }

  /** Fuel used since it was armed. */
  get fuelUsed(): number {
    return this.#fuelUsed + this.guest.fuelUsedInSlice();
  }

  /** Whether the guest ran out of soft fuel since it was armed. */
  get interrupted(): boolean {
    return this.#interrupted;
  }

  // --- GuestHooks

  outOfFuel(): void {
    this.#fuelUsed += this.guest.fuelUsedInSlice();
    this.guest.refuel();
    const budget = this.#budget;
    if (!budget) return;
    if (this.#fuelUsed >= budget.hardFuel) throw new Ended('cpu');
    if (performance.now() > budget.wallDeadlineMs) throw new Ended('turn');
  }

  shouldInterrupt(): boolean {
    if (!this.#budget || this.fuelUsed < this.#budget.softFuel) return false;
    this.#interrupted = true;
    return true;
  }

  outOfMemory(): void {
    this.#outOfMemory = true;
  }

  nowMs(): number {
    return this.#host?.nowMs() ?? 0;
  }

  callHost(argumentCount: number, argumentValues: number): number {
    this.#charge(HOST_CALL_FUEL);
    const [op, ...args] = this.#readArguments(argumentCount, argumentValues);
    let answer: string;
    if (args.includes(TOO_LONG)) {
      if (op === 'turn.settle') throw new OutputTooLarge();
      answer = tooLarge(op);
    } else if (op === 'turn.settle') {
      this.#settled ??= args[0] ?? 'U';
      answer = 'U';
    } else if (op === 'random.seed') {
      answer = `[${new Uint32Array(Uint8Array.from(this.#host!.randomBytes(16)).buffer).join()}]`;
    } else if (op === 'random.bytes') {
      answer = this.#randomBytes(Number(args[0]));
    } else if (op === 'wait.answer') {
      answer = this.#delivered;
      this.#delivered = 'U';
    } else if (op === 'wait.drop') {
      const wait = Number(args[0]);
      if (this.#waits.delete(wait)) this.#host?.dropWait?.(wait);
      answer = 'U';
    } else if (op === 'polyfill.source') {
      answer = this.#polyfills.find((polyfill) => polyfill.name === args[0])?.code ?? '';
    } else {
      answer = this.#answer(op ?? '', args);
    }
    return this.newText(answer);
  }

  /** Makes a call cost what it costs the host, so that a flood of calls runs into `cpu_ms`. */
  #charge(fuel: number): void {
    this.#fuelUsed += fuel;
    if (this.#budget && this.#fuelUsed >= this.#budget.hardFuel) throw new Ended('cpu');
  }

  /** The prelude asks for no more than this, but what it was told about a view may be a guest's lie. */
  #randomBytes(count: number): string {
    if (!(count >= 0 && count <= MAX_RANDOM_BYTES)) return '[]';
    this.#charge(count * RANDOM_BYTE_FUEL);
    return `[${this.#host!.randomBytes(Math.floor(count)).join()}]`;
  }

  #answer(op: string, args: readonly string[]): string {
    try {
      const answer = this.#host!.call(op, args, (fuel) => this.#charge(fuel));
      if (answer[0] === 'P') this.#waits.add(Number(answer.slice(1)));
      return answer;
    } catch (error) {
      throw error instanceof Ended ? error : new Refused(error);
    }
  }

  // --- one call

  /** Calls a function of the guest with one JSON argument. Never throws. */
  call(target: number, argument: string, host: HostCalls, budget: Budget): RunResult | Suspended {
    this.arm(host, budget);
    try {
      const { fn } = this.guest;
      const { ctx, argv, run } = this.pointers;
      const fits = this.guest.fillTextSlot(this.pointers.eventText, argument);
      const event = fits ? this.pointers.event : this.newText(argument);
      const bytes = this.guest.bytes;
      bytes.writeUInt32LE(target, argv);
      bytes.writeUInt32LE(event, argv + 4);
      this.guest.mark(argv, 8);
      const value = fn.QTS_Call(ctx, run, fn.QTS_GetUndefined(), 2, argv);
      const error = fn.QTS_ResolveException(ctx, value);
      if (error !== 0) return this.uncaught(error);
      const string = this.guest.stringOf(value);
      const text =
        string === 0
          ? this.guest.readText(fn.QTS_GetString(ctx, value), budget.maxOutputBytes)
          : this.guest.readString(string, budget.maxOutputBytes);
      return text === 'P' ? this.#settle(budget) : this.#result(text);
    } catch (error) {
      return this.endedBy(error);
    } finally {
      this.disarm();
    }
  }

  /**
   * Goes on with a suspended call: `answer` settles the promise of `wait`. Fuel, interrupts and what was
   * settled go on from where they were; `budget` holds the whole call's fuel. Never throws.
   */
  resume(wait: number, answer: string, host: HostCalls, budget: Budget): RunResult | Suspended {
    if (!this.#waits.delete(wait)) return SUSPENDED;
    this.#host = host;
    this.#budget = budget;
    this.#delivered = answer;
    try {
      const { fn } = this.guest;
      const { ctx, argv, deliver, event, eventText } = this.pointers;
      // The event was parsed long ago, and its text slot is free again.
      this.guest.fillTextSlot(eventText, String(wait));
      this.guest.bytes.writeUInt32LE(event, argv);
      this.guest.mark(argv, 4);
      const value = fn.QTS_Call(ctx, deliver, fn.QTS_GetUndefined(), 1, argv);
      const error = fn.QTS_ResolveException(ctx, value);
      return error === 0 ? this.#settle(budget) : this.uncaught(error);
    } catch (error) {
      return this.endedBy(error);
    } finally {
      this.disarm();
    }
  }

  /** Runs promise jobs until the answer is there; what is still queued then is dropped with the turn. */
  #settle(budget: Budget): RunResult | Suspended {
    while (this.#settled === undefined) {
      const failed = this.runJobs(() => this.#settled !== undefined);
      if (failed !== undefined) return failed;
      if (this.#settled !== undefined) break;
      // An interrupt inside a job rejects its promise; where nobody waits for that one, this is all there is to see.
      if (this.#interrupted) return { kind: 'interrupted', stack: '' };
      const idle = this.#runTimer();
      if (idle !== 'ran') return idle ?? (this.#waits.size > 0 ? SUSPENDED : { kind: 'pending' });
    }
    if (Buffer.byteLength(this.#settled) > budget.maxOutputBytes) return { kind: 'output-too-large' };
    return this.#result(this.#settled);
  }

  /** Runs the timer that is due, if any; else the guest sees to it that it is woken for the nearest. */
  #runTimer(): Failure | 'ran' | undefined {
    this.#charge(JOB_FUEL);
    const { fn } = this.guest;
    const { ctx, argv, idle } = this.pointers;
    const value = fn.QTS_Call(ctx, idle, fn.QTS_GetUndefined(), 0, argv);
    const error = fn.QTS_ResolveException(ctx, value);
    if (error !== 0) return this.uncaught(error);
    return fn.QTS_GetFloat64(ctx, value) === 1 ? 'ran' : undefined;
  }

  runJobs(done: () => boolean): Failure | undefined {
    const { fn } = this.guest;
    const { rt, argv } = this.pointers;
    while (!done() && fn.QTS_IsJobPending(rt)) {
      this.#charge(JOB_FUEL);
      const value = fn.QTS_ExecutePendingJob(rt, 1, argv + 8);
      const ctx = this.guest.bytes.readUInt32LE(argv + 8);
      if (ctx === 0) continue;
      const error = fn.QTS_ResolveException(ctx, value);
      if (error !== 0) return this.uncaught(error);
    }
    return undefined;
  }

  #result(text: string | undefined): RunResult {
    if (text === undefined) return { kind: 'output-too-large' };
    // Inside an async function the interrupt rejects its promise, and the report comes this way.
    if (this.#interrupted)
      return { kind: 'interrupted', stack: text[0] === 'E' ? this.#parseReport(text).stack : '' };
    if (text[0] === 'E') return { kind: 'thrown', report: this.#parseReport(text) };
    // No JSON begins with a capital letter.
    return { kind: 'value', json: text === 'U' ? undefined : text };
  }

  /** An exception that no code of the guest could catch: the interrupt, or an error of the prelude itself. */
  uncaught(error: number): Failure {
    const report = this.#report(error);
    return this.#interrupted ? { kind: 'interrupted', stack: report.stack } : { kind: 'thrown', report };
  }

  /** What an exception on the host's side means for the run. */
  endedBy(error: unknown): Failure {
    if (error instanceof OutputTooLarge) return { kind: 'output-too-large' };
    if (error instanceof Ended) return { kind: 'aborted', why: error.why };
    if (error instanceof Refused) return { kind: 'refused', error: error.error };
    // A trap of the module: unreachable code, or V8's own stack at its end.
    if (error instanceof RangeError) return { kind: 'fault', message: 'stack overflow' };
    if (error instanceof EngineFault || error instanceof WebAssembly.RuntimeError) {
      // The engine does not check every pointer that it was refused.
      const starved = this.#outOfMemory && error instanceof WebAssembly.RuntimeError;
      return { kind: 'fault', message: starved ? OUT_OF_MEMORY.message : error.message };
    }
    return { kind: 'refused', error };
  }

  /**
   * Describes what was thrown, with the prelude's own describer: whatever was thrown may have accessors and
   * traps, so that this runs under a budget as well, a small one of its own.
   */
  #report(error: number): ThrownReport {
    const { fn } = this.guest;
    const { ctx, argv, describe } = this.pointers;
    const interrupted = this.#interrupted;
    const hardFuel = this.fuelUsed + REPORT_FUEL;
    this.#budget = { ...this.#budget!, softFuel: Number.POSITIVE_INFINITY, hardFuel };
    this.guest.mayUseReserve = true;
    try {
      this.guest.bytes.writeUInt32LE(error, argv);
      this.guest.mark(argv, 4);
      const value = describe === 0 ? 0 : fn.QTS_Call(ctx, describe, fn.QTS_GetUndefined(), 1, argv);
      if (value === 0) return this.#dump(error);
      // Without memory, or because the guest broke what JSON.stringify itself relies on (accessors at Array indices).
      if (fn.QTS_ResolveException(ctx, value) !== 0) return this.#outOfMemory ? OUT_OF_MEMORY : INDESCRIBABLE;
      const text = this.guest.readText(fn.QTS_GetString(ctx, value), MAX_REPORT_BYTES);
      return text === undefined ? INDESCRIBABLE : this.#parseReport(text);
    } catch (trouble) {
      return trouble instanceof EngineFault && this.#outOfMemory ? OUT_OF_MEMORY : INDESCRIBABLE;
    } finally {
      this.#interrupted = interrupted;
    }
  }

  /** Without room for an error QuickJS throws `null`, and without room for its words nothing describes it. */
  #parseReport(text: string): ThrownReport {
    const report = JSON.parse(text.slice(1)) as ThrownReport;
    const wordless = report.message === INDESCRIBABLE.message || report.message === 'null';
    return this.#outOfMemory && wordless ? { ...OUT_OF_MEMORY, stack: report.stack } : report;
  }

  /** For the host's own guest code, whose errors come before there is anything to describe them. */
  #dump(error: number): ThrownReport {
    const text = this.guest.readText(this.guest.fn.QTS_Dump(this.pointers.ctx, error), MAX_REPORT_BYTES);
    return { ...INDESCRIBABLE, message: text ?? '' };
  }

  arm(host: HostCalls, budget: Budget): void {
    this.#host = host;
    this.#budget = budget;
    this.#fuelUsed = 0;
    this.#interrupted = false;
    this.#outOfMemory = false;
    this.#settled = undefined;
    this.#waits.clear();
    this.guest.mayUseReserve = false;
    this.guest.refuel();
  }

  disarm(): void {
    this.#budget = undefined;
    this.#host = undefined;
  }

  // --- values

  newText(text: string): number {
    const { fn } = this.guest;
    const { ctx, buffer } = this.pointers;
    if (this.guest.writeText(buffer, BUFFER_BYTES, text) >= 0) return fn.QTS_NewString(ctx, buffer);
    const { pointer } = this.guest.allocateText(text);
    const string = fn.QTS_NewString(ctx, pointer);
    // A turn that reads much would fill its memory with what it was told, long before it ends.
    fn.free(pointer);
    return string;
  }

  #readArguments(count: number, values: number): string[] {
    const { fn } = this.guest;
    const out: string[] = [];
    for (let index = 0; index < count; index++) {
      const value = fn.QTS_ArgvGetJSValueConstPointer(values, index);
      const pointer = fn.QTS_GetString(this.pointers.ctx, value);
      const text = this.guest.readText(pointer, MAX_CALL_BYTES);
      out.push(text ?? TOO_LONG);
      if (text === undefined || text.length > BUFFER_BYTES) fn.QTS_FreeCString(this.pointers.ctx, pointer);
    }
    return out;
  }
}

const SUSPENDED: Suspended = { kind: 'suspended' };

/** Stands for an argument that is not read at all; no text from a guest holds a NUL. */
const TOO_LONG = '\0';

function tooLarge(op: string | undefined): string {
  const what = `argument of ${op}`;
  const bytes = `more than ${MAX_CALL_BYTES}`;
  const { code, message, details } = new NeiraError('NEIRA_VALUE_TOO_LARGE', {
    what,
    bytes,
    maxBytes: MAX_CALL_BYTES,
  });
  return `E${JSON.stringify({ code, message, details })}`;
}

const INDESCRIBABLE: ThrownReport = {
  name: 'non-error',
  message: 'what was thrown cannot be described',
  stack: '',
  refusal: '',
};
const OUT_OF_MEMORY: ThrownReport = { ...INDESCRIBABLE, name: 'InternalError', message: 'out of memory' };
