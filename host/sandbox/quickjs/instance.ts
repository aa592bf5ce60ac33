/**
 * One booted sandbox: a guest with its image, which runs one turn at a time and is reset after each.
 *
 * Life: `Instance.boot()` evaluates prelude, host modules and plugin code in a fresh module and takes the
 * image; `Instance.restore()` makes another instance from an image, in this thread or any other; `run()`
 * performs one turn; `reset()` copies back the pages that the turn dirtied.
 */
import { EvalFlags } from 'quickjs-emscripten-core';
import { NeiraError } from '../../errors.ts';
import { EngineFault, Guest, type GuestHooks, TEXT_SLOT_BYTES } from './engine.ts';
import { type Image, type ImagePointers, resetToImage, restoreImage, takeImage } from './image.ts';
import { MAX_STACK_BYTES } from './layout.ts';

/** What a running guest may ask for; the functions behind it decide and refuse. */
export interface HostCalls {
  /** Answers `V<json>`, `U` or `E<json of a refusal>`. Throwing ends the turn. */
  call(op: string, args: readonly string[]): string;
  randomBytes(count: number): Uint8Array;
  nowMs(): number;
}

export interface Budget {
  /** Above this the guest is interrupted, with a stack that shows where. */
  readonly softFuel: number;
  /** Above this it is ended in the middle of whatever it does. */
  readonly hardFuel: number;
  /** Moment of `performance.now()` at which it is ended however little fuel it used. */
  readonly wallDeadlineMs: number;
  readonly maxOutputBytes: number;
}

export interface ThrownReport {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** When a host function refused and the plugin let it through: what the host had said, JSON. */
  readonly refusal: string;
}

export type RunResult =
  | { readonly kind: 'value'; readonly json: string | undefined }
  | { readonly kind: 'thrown'; readonly report: ThrownReport }
  /** Out of soft fuel (`cpu`), at the place the stack names. */
  | { readonly kind: 'interrupted'; readonly stack: string }
  /** Ended by hard fuel (`cpu`) or by the clock (`turn`). */
  | { readonly kind: 'aborted'; readonly why: 'cpu' | 'turn' }
  /** The promise can no longer settle. */
  | { readonly kind: 'pending' }
  | { readonly kind: 'output-too-large' }
  | { readonly kind: 'refused'; readonly error: unknown }
  | { readonly kind: 'fault'; readonly message: string };

export type Failure = Exclude<RunResult, { kind: 'value' }>;

export interface Polyfill {
  readonly name: string;
  readonly globals: readonly string[];
  readonly code: string;
}

export interface BootSource {
  readonly prelude: string;
  /** Modules named `neira:host/*`, evaluated before the plugin so that it can import them. */
  readonly modules: readonly { readonly name: string; readonly code: string }[];
  /** Loaded when a global of theirs is first touched. */
  readonly polyfills: readonly Polyfill[];
  /** The plugin's bundle, an ES module. */
  readonly code: string;
  readonly name: string;
}

/** A boot failed inside the guest; `result` says how. */
export class BootError extends Error {
  readonly result: Failure;
  readonly during: 'load' | 'prepare';

  constructor(during: 'load' | 'prepare', result: Failure) {
    super(`boot failed during ${during}: ${result.kind}`);
    this.during = during;
    this.result = result;
  }
}

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

/** The host's own guest code keeps neither its source text nor its line tables in the image. */
const TRUSTED_SCRIPT = EvalFlags.JS_EVAL_TYPE_GLOBAL | EvalFlags.JS_EVAL_FLAG_STRIP;
const TRUSTED_MODULE = EvalFlags.JS_EVAL_TYPE_MODULE | EvalFlags.JS_EVAL_FLAG_STRIP;

const BUFFER_BYTES = 64 * 1024;
const MAX_REPORT_BYTES = 64 * 1024;
/** One argument of a host call; a reply of the largest `limits.output_kb` has to fit. */
const MAX_CALL_BYTES = 4 * 1024 * 1024 + 1024;
const MAX_RANDOM_BYTES = 65_536;
const HOST_FUNCTION = 1;
/** About 3 µs. */
const HOST_CALL_FUEL = 300;
/** What it costs the host to start one promise job, about 1 µs, so that a flood of empty ones is no bargain. */
const JOB_FUEL = 100;
/** About 0.1 µs: what HMAC costs the host for each byte of randomness. */
const RANDOM_BYTE_FUEL = 10;
/** What describing a thrown thing may cost on top of a budget that is used up: about 10 ms. */
const REPORT_FUEL = 1_000_000;

export class Instance implements GuestHooks {
  readonly #guest: Guest;
  readonly #memoryMb: number;
  readonly #polyfills: readonly Polyfill[];
  #pointers!: ImagePointers;
  #image: Image | undefined;
  #host: HostCalls | undefined;
  #budget: Budget | undefined;
  #fuelUsed = 0;
  #interrupted = false;
  #outOfMemory = false;
  #settled: string | undefined;

  private constructor(memoryMb: number, polyfills: readonly Polyfill[]) {
    this.#memoryMb = memoryMb;
    this.#polyfills = polyfills;
    this.#guest = new Guest(this, memoryMb);
  }

  /**
   * Boots `source` and takes its image. `prepare` of the plugin, when it exports one, runs with `host`,
   * which may answer reads. @throws BootError
   */
  static boot(source: BootSource, memoryMb: number, host: HostCalls, budget: Budget): Instance {
    const instance = new Instance(memoryMb, source.polyfills);
    instance.#boot(source, host, budget);
    return instance;
  }

  static restore(image: Image, polyfills: readonly Polyfill[]): Instance {
    const instance = new Instance(image.memoryMb, polyfills);
    restoreImage(instance.#guest, image);
    instance.#pointers = image.pointers;
    instance.#image = image;
    return instance;
  }

  get image(): Image {
    return this.#image!;
  }

  /** Guest memory now; it can only grow, so an instance that a turn blew up is replaced, not reset. */
  get memoryBytes(): number {
    return this.#guest.memory.buffer.byteLength;
  }

  /** Fuel used by the last run. */
  get fuelUsed(): number {
    return this.#fuelUsed + this.#guest.fuelUsedInSlice();
  }

  /** Runs `handle(event)` to its end. Never throws; call {@link reset} before the next run. */
  run(eventJson: string, host: HostCalls, budget: Budget): RunResult {
    return this.#call(this.#pointers.handle, eventJson, host, budget);
  }

  /** Back to the image: answers how many pages were copied. */
  reset(): number {
    return resetToImage(this.#guest, this.#image!);
  }

  // --- GuestHooks

  outOfFuel(): void {
    this.#fuelUsed += this.#guest.fuelUsedInSlice();
    this.#guest.refuel();
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
    } else if (op === 'polyfill.source') {
      answer = this.#polyfills.find((polyfill) => polyfill.name === args[0])?.code ?? '';
    } else {
      answer = this.#answer(op ?? '', args);
    }
    return this.#newText(answer);
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
      return this.#host!.call(op, args);
    } catch (error) {
      throw new Refused(error);
    }
  }

  // --- boot

  #boot(source: BootSource, host: HostCalls, budget: Budget): void {
    const { fn } = this.#guest;
    this.#arm(host, budget);
    try {
      fn.initialize();
      const rt = fn.QTS_NewRuntime();
      fn.QTS_RuntimeSetMaxStackSize(rt, MAX_STACK_BYTES);
      fn.QTS_RuntimeEnableInterruptHandler(rt);
      const ctx = fn.QTS_NewContext(rt, 0);
      const buffer = fn.malloc(BUFFER_BYTES);
      const argv = fn.malloc(16);
      this.#pointers = { rt, ctx, buffer, argv, event: 0, eventText: 0, run: 0, describe: 0, handle: 0 };
      const global = fn.QTS_GetGlobalObject(ctx);
      const hostFunction = fn.QTS_NewFunction(
        ctx,
        this.#guest.allocateText('host').pointer,
        1,
        0,
        HOST_FUNCTION,
      );
      fn.QTS_SetProp(ctx, global, this.#newText('host'), hostFunction);
      this.#evaluate(source.prelude, 'neira:prelude', TRUSTED_SCRIPT);
      for (const module of source.modules) this.#evaluate(module.code, module.name, TRUSTED_MODULE);
      const internals = this.#property(global, '__neira');
      const seal = this.#property(internals, 'seal');
      const run = this.#property(internals, 'run');
      const event = this.#newText(' '.repeat(TEXT_SLOT_BYTES));
      const eventText = this.#guest.stringOf(event);
      this.#guest.makeTextSlot(eventText);
      this.#pointers = {
        ...this.#pointers,
        event,
        eventText,
        run,
        describe: this.#property(internals, 'describeThrown'),
      };
      this.#evaluate('delete globalThis.__neira; delete globalThis.host;', 'neira:seal', TRUSTED_SCRIPT);
      this.#touchPolyfills(source);
      const namespace = this.#evaluate(source.code, source.name, EvalFlags.JS_EVAL_TYPE_MODULE);
      const handle = this.#property(namespace, 'handle');
      if (this.#typeOf(handle) === 'function') this.#pointers = { ...this.#pointers, handle };
      const prepare = this.#property(namespace, 'prepare');
      this.#finishJobs('load');
      if (this.#typeOf(prepare) === 'function') this.#prepare(prepare, host, budget);
      this.#arm(host, budget);
      fn.QTS_Call(ctx, seal, fn.QTS_GetUndefined(), 0, argv);
    } catch (error) {
      if (error instanceof BootError) throw error;
      throw new BootError('load', this.#endedBy(error));
    } finally {
      this.#disarm();
    }
    this.#image = takeImage(this.#guest, this.#pointers, this.#memoryMb);
  }

  /** Whether the plugin exports a function `handle`. */
  get hasHandler(): boolean {
    return this.#pointers.handle !== 0;
  }

  #prepare(prepare: number, host: HostCalls, budget: Budget): void {
    const result = this.#call(prepare, '', host, budget);
    if (result.kind !== 'value') throw new BootError('prepare', result);
  }

  /** Loads what the bundle names into the image, so that no turn pays for it. */
  #touchPolyfills({ polyfills, code }: BootSource): void {
    for (const { name, globals, code: polyfill } of polyfills) {
      if (!globals.some((global) => new RegExp(`\\b${global}\\b`).test(code))) continue;
      for (const global of globals)
        this.#evaluate(`delete globalThis.${global}`, 'neira:polyfill', TRUSTED_SCRIPT);
      this.#evaluate(polyfill, `neira:polyfill/${name}`, TRUSTED_SCRIPT);
    }
  }

  /** Evaluates code and answers the value, for a module its namespace. Top-level await must end by itself. */
  #evaluate(code: string, name: string, flags: number): number {
    const { fn } = this.#guest;
    const { ctx } = this.#pointers;
    const source = this.#guest.allocateText(code);
    const file = this.#guest.allocateText(name);
    let value = fn.QTS_Eval(ctx, source.pointer, source.length, file.pointer, 0, flags);
    this.#throwIfException(value);
    if (flags & EvalFlags.JS_EVAL_TYPE_MODULE && fn.QTS_PromiseState(ctx, value) !== -1) {
      this.#finishJobs('load');
      const state = fn.QTS_PromiseState(ctx, value);
      if (state === PROMISE_PENDING) throw new BootError('load', { kind: 'pending' });
      value = fn.QTS_PromiseResult(ctx, value);
      if (state === PROMISE_REJECTED) throw new BootError('load', this.#uncaught(value));
    }
    return value;
  }

  #throwIfException(value: number): void {
    const { fn } = this.#guest;
    const error = fn.QTS_ResolveException(this.#pointers.ctx, value);
    if (error !== 0) throw new BootError('load', this.#uncaught(error));
  }

  #finishJobs(during: 'load' | 'prepare'): void {
    const failed = this.#runJobs(() => false);
    if (failed !== undefined) throw new BootError(during, failed);
    // A job that is interrupted rejects its promise, which perhaps nobody looks at.
    if (this.#interrupted) throw new BootError(during, { kind: 'interrupted', stack: '' });
  }

  // --- one call

  #call(target: number, argument: string, host: HostCalls, budget: Budget): RunResult {
    this.#arm(host, budget);
    try {
      const { fn } = this.#guest;
      const { ctx, argv, run } = this.#pointers;
      const fits = this.#guest.fillTextSlot(this.#pointers.eventText, argument);
      const event = fits ? this.#pointers.event : this.#newText(argument);
      const bytes = this.#guest.bytes;
      bytes.writeUInt32LE(target, argv);
      bytes.writeUInt32LE(event, argv + 4);
      this.#guest.mark(argv, 8);
      const value = fn.QTS_Call(ctx, run, fn.QTS_GetUndefined(), 2, argv);
      const error = fn.QTS_ResolveException(ctx, value);
      if (error !== 0) return this.#uncaught(error);
      const string = this.#guest.stringOf(value);
      const text =
        string === 0
          ? this.#guest.readText(fn.QTS_GetString(ctx, value), budget.maxOutputBytes)
          : this.#guest.readString(string, budget.maxOutputBytes);
      return text === 'P' ? this.#settle(budget) : this.#result(text);
    } catch (error) {
      return this.#endedBy(error);
    } finally {
      this.#disarm();
    }
  }

  /** Runs promise jobs until the answer is there; what is still queued then is dropped with the turn. */
  #settle(budget: Budget): RunResult {
    const failed = this.#runJobs(() => this.#settled !== undefined);
    if (failed !== undefined) return failed;
    // An interrupt inside a job rejects its promise; where nobody waits for that one, this is all there is to see.
    if (this.#settled === undefined)
      return this.#interrupted ? { kind: 'interrupted', stack: '' } : { kind: 'pending' };
    if (Buffer.byteLength(this.#settled) > budget.maxOutputBytes) return { kind: 'output-too-large' };
    return this.#result(this.#settled);
  }

  #runJobs(done: () => boolean): Failure | undefined {
    const { fn } = this.#guest;
    const { rt, argv } = this.#pointers;
    while (!done() && fn.QTS_IsJobPending(rt)) {
      this.#charge(JOB_FUEL);
      const value = fn.QTS_ExecutePendingJob(rt, 1, argv + 8);
      const ctx = this.#guest.bytes.readUInt32LE(argv + 8);
      if (ctx === 0) continue;
      const error = fn.QTS_ResolveException(ctx, value);
      if (error !== 0) return this.#uncaught(error);
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
  #uncaught(error: number): Failure {
    const report = this.#report(error);
    return this.#interrupted ? { kind: 'interrupted', stack: report.stack } : { kind: 'thrown', report };
  }

  #endedBy(error: unknown): Failure {
    if (error instanceof OutputTooLarge) return { kind: 'output-too-large' };
    if (error instanceof Ended) return { kind: 'aborted', why: error.why };
    if (error instanceof Refused) return { kind: 'refused', error: error.error };
    // A trap of the module: unreachable code, or V8's own stack at its end.
    if (error instanceof RangeError) return { kind: 'fault', message: 'stack overflow' };
    if (error instanceof EngineFault || error instanceof WebAssembly.RuntimeError) {
      return { kind: 'fault', message: error.message };
    }
    return { kind: 'refused', error };
  }

  /**
   * Describes what was thrown, with the prelude's own describer: whatever was thrown may have accessors and
   * traps, so that this runs under a budget as well, a small one of its own.
   */
  #report(error: number): ThrownReport {
    const { fn } = this.#guest;
    const { ctx, argv, describe } = this.#pointers;
    const interrupted = this.#interrupted;
    const hardFuel = this.fuelUsed + REPORT_FUEL;
    this.#budget = { ...this.#budget!, softFuel: Number.POSITIVE_INFINITY, hardFuel };
    this.#guest.mayUseReserve = true;
    try {
      this.#guest.bytes.writeUInt32LE(error, argv);
      this.#guest.mark(argv, 4);
      const value = describe === 0 ? 0 : fn.QTS_Call(ctx, describe, fn.QTS_GetUndefined(), 1, argv);
      if (value === 0) return this.#dump(error);
      // Without memory, or because the guest broke what JSON.stringify itself relies on (accessors at Array indices).
      if (fn.QTS_ResolveException(ctx, value) !== 0) return this.#outOfMemory ? OUT_OF_MEMORY : INDESCRIBABLE;
      const text = this.#guest.readText(fn.QTS_GetString(ctx, value), MAX_REPORT_BYTES);
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
    const text = this.#guest.readText(this.#guest.fn.QTS_Dump(this.#pointers.ctx, error), MAX_REPORT_BYTES);
    return { ...INDESCRIBABLE, message: text ?? '' };
  }

  #arm(host: HostCalls, budget: Budget): void {
    this.#host = host;
    this.#budget = budget;
    this.#fuelUsed = 0;
    this.#interrupted = false;
    this.#outOfMemory = false;
    this.#settled = undefined;
    this.#guest.mayUseReserve = false;
    this.#guest.refuel();
  }

  #disarm(): void {
    this.#budget = undefined;
    this.#host = undefined;
  }

  // --- values

  #newText(text: string): number {
    const { fn } = this.#guest;
    const { ctx, buffer } = this.#pointers;
    if (this.#guest.writeText(buffer, BUFFER_BYTES, text) >= 0) return fn.QTS_NewString(ctx, buffer);
    const { pointer } = this.#guest.allocateText(text);
    const string = fn.QTS_NewString(ctx, pointer);
    // A turn that reads much would fill its memory with what it was told, long before it ends.
    fn.free(pointer);
    return string;
  }

  #property(object: number, name: string): number {
    const { fn } = this.#guest;
    const value = fn.QTS_GetProp(this.#pointers.ctx, object, this.#newText(name));
    this.#throwIfException(value);
    return value;
  }

  #typeOf(value: number): string {
    return this.#guest.readText(this.#guest.fn.QTS_Typeof(this.#pointers.ctx, value), 100) ?? '';
  }

  #readArguments(count: number, values: number): string[] {
    const { fn } = this.#guest;
    const out: string[] = [];
    for (let index = 0; index < count; index++) {
      const value = fn.QTS_ArgvGetJSValueConstPointer(values, index);
      const pointer = fn.QTS_GetString(this.#pointers.ctx, value);
      const text = this.#guest.readText(pointer, MAX_CALL_BYTES);
      out.push(text ?? TOO_LONG);
      if (text === undefined || text.length > BUFFER_BYTES) fn.QTS_FreeCString(this.#pointers.ctx, pointer);
    }
    return out;
  }
}

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

const PROMISE_PENDING = 0;
const PROMISE_REJECTED = 2;
