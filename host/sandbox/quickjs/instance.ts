/**
 * One booted sandbox: a guest with its image, which runs one turn at a time and is reset after each.
 *
 * Life: `Instance.boot()` evaluates prelude, host modules and plugin code in a fresh module and takes the
 * image; `Instance.restore()` makes another instance from an image, in this thread or any other; `run()`
 * performs one turn; `reset()` copies back the pages that the turn dirtied.
 */
import { EvalFlags } from 'quickjs-emscripten-core';
import { EngineFault, Guest, type GuestHooks } from './engine.ts';
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
  /** Set when a host function refused and the plugin let it through. */
  readonly code: string;
  readonly details?: Record<string, unknown>;
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
  readonly result: Exclude<RunResult, { kind: 'value' }>;
  readonly during: 'load' | 'prepare';

  constructor(during: 'load' | 'prepare', result: Exclude<RunResult, { kind: 'value' }>) {
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

/** The host's own guest code keeps neither its source text nor its line tables in the image. */
const TRUSTED_SCRIPT = EvalFlags.JS_EVAL_TYPE_GLOBAL | EvalFlags.JS_EVAL_FLAG_STRIP;
const TRUSTED_MODULE = EvalFlags.JS_EVAL_TYPE_MODULE | EvalFlags.JS_EVAL_FLAG_STRIP;

const BUFFER_BYTES = 64 * 1024;
const MAX_REPORT_BYTES = 64 * 1024;
const MAX_CALL_BYTES = 4 * 1024 * 1024;
const HOST_FUNCTION = 1;
/** About 3 µs. */
const HOST_CALL_FUEL = 300;

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
  static boot(
    source: BootSource,
    memoryMb: number,
    heapBytes: number,
    host: HostCalls,
    budget: Budget,
  ): Instance {
    const instance = new Instance(memoryMb, source.polyfills);
    instance.#boot(source, heapBytes, host, budget);
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

  nowMs(): number {
    return this.#host?.nowMs() ?? 0;
  }

  callHost(argumentCount: number, argumentValues: number): number {
    this.#charge(HOST_CALL_FUEL);
    const [op, ...args] = this.#readArguments(argumentCount, argumentValues);
    let answer: string;
    if (op === 'turn.settle') {
      this.#settled ??= args[0] ?? 'U';
      answer = 'U';
    } else if (op === 'random.seed') {
      answer = `[${new Uint32Array(Uint8Array.from(this.#host!.randomBytes(16)).buffer).join()}]`;
    } else if (op === 'random.bytes') {
      answer = `[${this.#host!.randomBytes(Number(args[0])).join()}]`;
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

  #answer(op: string, args: readonly string[]): string {
    try {
      return this.#host!.call(op, args);
    } catch (error) {
      throw new Refused(error);
    }
  }

  // --- boot

  #boot(source: BootSource, heapBytes: number, host: HostCalls, budget: Budget): void {
    const { fn } = this.#guest;
    this.#arm(host, budget);
    try {
      fn.initialize();
      const rt = fn.QTS_NewRuntime();
      fn.QTS_RuntimeSetMemoryLimit(rt, heapBytes);
      fn.QTS_RuntimeSetMaxStackSize(rt, MAX_STACK_BYTES);
      fn.QTS_RuntimeEnableInterruptHandler(rt);
      const ctx = fn.QTS_NewContext(rt, 0);
      const buffer = fn.malloc(BUFFER_BYTES);
      const argv = fn.malloc(16);
      this.#pointers = { rt, ctx, buffer, argv, run: 0, handle: 0 };
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
      this.#pointers = { ...this.#pointers, run: this.#property(internals, 'run') };
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
      throw new BootError('load', this.#endedBy(error) as Exclude<RunResult, { kind: 'value' }>);
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
      if (state === PROMISE_REJECTED)
        throw new BootError('load', { kind: 'thrown', report: this.#report(value) });
    }
    return value;
  }

  #throwIfException(value: number): void {
    const { fn } = this.#guest;
    const error = fn.QTS_ResolveException(this.#pointers.ctx, value);
    if (error === 0) return;
    const report = this.#report(error);
    throw new BootError(
      'load',
      this.#interrupted ? { kind: 'interrupted', stack: report.stack } : { kind: 'thrown', report },
    );
  }

  #finishJobs(during: 'load' | 'prepare'): void {
    const failed = this.#runJobs(() => false);
    if (failed !== undefined) throw new BootError(during, failed as Exclude<RunResult, { kind: 'value' }>);
  }

  // --- one call

  #call(target: number, argument: string, host: HostCalls, budget: Budget): RunResult {
    this.#arm(host, budget);
    try {
      const { fn } = this.#guest;
      const { ctx, argv, run } = this.#pointers;
      const event = this.#newText(argument);
      const bytes = this.#guest.bytes;
      bytes.writeUInt32LE(target, argv);
      bytes.writeUInt32LE(event, argv + 4);
      this.#guest.mark(argv, 8);
      const value = fn.QTS_Call(ctx, run, fn.QTS_GetUndefined(), 2, argv);
      const error = fn.QTS_ResolveException(ctx, value);
      if (error !== 0) return this.#uncaught(error);
      const text = this.#guest.readText(fn.QTS_GetString(ctx, value), budget.maxOutputBytes + 1);
      return text === 'P' ? this.#settle(budget) : this.#result(text, budget);
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
    if (this.#settled === undefined) return { kind: 'pending' };
    if (Buffer.byteLength(this.#settled) > budget.maxOutputBytes + 1) return { kind: 'output-too-large' };
    return this.#result(this.#settled, budget);
  }

  #runJobs(done: () => boolean): RunResult | undefined {
    const { fn } = this.#guest;
    const { rt, argv } = this.#pointers;
    while (!done() && fn.QTS_IsJobPending(rt)) {
      const value = fn.QTS_ExecutePendingJob(rt, 1, argv + 8);
      const ctx = this.#guest.bytes.readUInt32LE(argv + 8);
      if (ctx === 0) continue;
      const error = fn.QTS_ResolveException(ctx, value);
      if (error !== 0) return this.#uncaught(error);
    }
    return undefined;
  }

  #result(text: string | undefined, budget: Budget): RunResult {
    if (text === undefined) return { kind: 'output-too-large' };
    // Inside an async function the interrupt rejects its promise, and the report comes this way.
    if (this.#interrupted) return { kind: 'interrupted', stack: text[0] === 'E' ? stackOf(text) : '' };
    if (text[0] === 'V') {
      return text.length > budget.maxOutputBytes + 1
        ? { kind: 'output-too-large' }
        : { kind: 'value', json: text.slice(1) };
    }
    if (text[0] === 'E') return { kind: 'thrown', report: JSON.parse(text.slice(1)) as ThrownReport };
    return { kind: 'value', json: undefined };
  }

  /** An exception that no code of the guest could catch: the interrupt, or an error of the prelude itself. */
  #uncaught(error: number): RunResult {
    const report = this.#report(error);
    return this.#interrupted ? { kind: 'interrupted', stack: report.stack } : { kind: 'thrown', report };
  }

  #endedBy(error: unknown): RunResult {
    if (error instanceof Ended) return { kind: 'aborted', why: error.why };
    if (error instanceof Refused) return { kind: 'refused', error: error.error };
    // A trap of the module: unreachable code, or V8's own stack at its end.
    if (error instanceof RangeError) return { kind: 'fault', message: 'stack overflow' };
    if (error instanceof EngineFault || error instanceof WebAssembly.RuntimeError) {
      return { kind: 'fault', message: error.message };
    }
    return { kind: 'refused', error };
  }

  #report(error: number): ThrownReport {
    const { fn } = this.#guest;
    // Describing costs a little; a guest that was stopped for its fuel has none left.
    this.#budget = undefined;
    const text = this.#guest.readText(fn.QTS_Dump(this.#pointers.ctx, error), MAX_REPORT_BYTES) ?? '';
    try {
      const dump = JSON.parse(text) as Partial<ThrownReport>;
      return { name: dump.name ?? '', message: dump.message ?? '', stack: dump.stack ?? '', code: '' };
    } catch {
      return { name: 'non-error', message: text.slice(0, 1000), stack: '', code: '' };
    }
  }

  #arm(host: HostCalls, budget: Budget): void {
    this.#host = host;
    this.#budget = budget;
    this.#fuelUsed = 0;
    this.#interrupted = false;
    this.#settled = undefined;
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
    return fn.QTS_NewString(ctx, pointer);
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
      const text = this.#guest.readText(fn.QTS_GetString(this.#pointers.ctx, value), MAX_CALL_BYTES);
      if (text === undefined) throw new Refused(new RangeError(`an argument above ${MAX_CALL_BYTES} bytes`));
      out.push(text);
    }
    return out;
  }
}

function stackOf(report: string): string {
  return (JSON.parse(report.slice(1)) as ThrownReport).stack;
}

const PROMISE_PENDING = 0;
const PROMISE_REJECTED = 2;
