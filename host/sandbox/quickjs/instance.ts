/**
 * One booted sandbox: a guest with its image, which runs one turn at a time and is reset after each.
 *
 * Life: `Instance.boot()` evaluates prelude, host modules and plugin code in a fresh module and takes the
 * image; `Instance.restore()` makes another instance from an image, in this thread or any other; `run()`
 * performs one turn, which `resume()` continues when it waits; `reset()` copies back the pages that it dirtied.
 */
import { EvalFlags } from 'quickjs-emscripten-core';
import type { EngineInstance } from '../engine.ts';
import { BootError, type Budget, type HostCalls, type RunResult, type Suspended } from '../run-result.ts';
import type { BootSource, Polyfill } from './boot-source.ts';
import { TEXT_SLOT_BYTES } from './engine.ts';
import { BUFFER_BYTES, GuestRun } from './guest-run.ts';
import { heldBytes, resetToImage, restoreImage, type ScriptImage, takeImage } from './image.ts';
import { MAX_STACK_BYTES } from './layout.ts';

/** The host's own guest code keeps neither its source text nor its line tables in the image. */
const TRUSTED_SCRIPT = EvalFlags.JS_EVAL_TYPE_GLOBAL | EvalFlags.JS_EVAL_FLAG_STRIP;
const TRUSTED_MODULE = EvalFlags.JS_EVAL_TYPE_MODULE | EvalFlags.JS_EVAL_FLAG_STRIP;

const HOST_FUNCTION = 1;

const PROMISE_PENDING = 0;
const PROMISE_REJECTED = 2;

/** An instance whose memory grew this much beyond its image is replaced, so that the memory comes back. */
const KEEP_GROWTH_BYTES = 4 * 1024 * 1024;

/** Left out of images whose code does not name them: few plugins delegate, and each image would be larger by it. */
const SELDOM_USED = new Set(['neira:host/principals']);

export class Instance implements EngineInstance {
  readonly #run: GuestRun;
  readonly #memoryMb: number;
  #image: ScriptImage | undefined;
  readonly #touched = new Set<number>();

  private constructor(memoryMb: number, polyfills: readonly Polyfill[]) {
    this.#memoryMb = memoryMb;
    this.#run = new GuestRun(memoryMb, polyfills);
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

  static restore(image: ScriptImage, polyfills: readonly Polyfill[]): Instance {
    const instance = new Instance(image.memoryMb, polyfills);
    restoreImage(instance.#run.guest, image);
    instance.#run.pointers = image.pointers;
    instance.#image = image;
    return instance;
  }

  get image(): ScriptImage {
    return this.#image!;
  }

  /** Guest memory now; it can only grow, so an instance that a turn blew up is replaced, not reset. */
  get memoryBytes(): number {
    return this.#run.guest.memory.buffer.byteLength;
  }

  /** Memory that it really takes: most of what a guest may use it never touches. */
  get heldBytes(): number {
    return heldBytes(this.#run.guest, this.#image!, this.#touched);
  }

  get isReusable(): boolean {
    return this.memoryBytes <= this.image.memoryBytes + KEEP_GROWTH_BYTES;
  }

  /** Fuel used by the last run, over all its slices. */
  get fuelUsed(): number {
    return this.#run.fuelUsed;
  }

  /** Whether the plugin exports a function `handle`. */
  get hasHandler(): boolean {
    return this.#run.pointers.handle !== 0;
  }

  /** Runs `handle(event)` to its end or until it waits. Never throws; call {@link reset} before the next run. */
  run(eventJson: string, host: HostCalls, budget: Budget): RunResult | Suspended {
    return this.#run.call(this.#run.pointers.handle, eventJson, host, budget);
  }

  /**
   * Hands the answer of `wait` (`V<json>`, `U`, `E<refusal>`) to a suspended run and goes on with it. `budget`
   * has the fuel of the whole run; an answer that nobody waits for changes nothing. Never throws.
   */
  resume(wait: number, answer: string, host: HostCalls, budget: Budget): RunResult | Suspended {
    return this.#run.resume(wait, answer, host, budget);
  }

  /** Back to the image, also from a suspended run: answers how many pages were copied. */
  reset(): number {
    return resetToImage(this.#run.guest, this.#image!, this.#touched);
  }

  // --- boot

  #boot(source: BootSource, host: HostCalls, budget: Budget): void {
    const { fn } = this.#run.guest;
    this.#run.arm(host, budget);
    try {
      fn.initialize();
      const rt = fn.QTS_NewRuntime();
      fn.QTS_RuntimeSetMaxStackSize(rt, MAX_STACK_BYTES);
      fn.QTS_RuntimeEnableInterruptHandler(rt);
      const ctx = fn.QTS_NewContext(rt, 0);
      const buffer = fn.malloc(BUFFER_BYTES);
      const argv = fn.malloc(16);
      const none = { event: 0, eventText: 0, run: 0, deliver: 0, idle: 0, describe: 0, handle: 0 };
      this.#run.pointers = { rt, ctx, buffer, argv, ...none };
      const global = fn.QTS_GetGlobalObject(ctx);
      const hostFunction = fn.QTS_NewFunction(
        ctx,
        this.#run.guest.allocateText('host').pointer,
        1,
        0,
        HOST_FUNCTION,
      );
      fn.QTS_SetProp(ctx, global, this.#run.newText('host'), hostFunction);
      this.#evaluate(source.prelude, 'neira:prelude', TRUSTED_SCRIPT);
      for (const { name, code } of source.modules)
        if (!SELDOM_USED.has(name) || source.code.includes(name)) this.#evaluate(code, name, TRUSTED_MODULE);
      const internals = this.#property(global, '__neira');
      const seal = this.#property(internals, 'seal');
      const install = this.#property(internals, 'install');
      const run = this.#property(internals, 'run');
      const event = this.#run.newText(' '.repeat(TEXT_SLOT_BYTES));
      const eventText = this.#run.guest.stringOf(event);
      this.#run.guest.makeTextSlot(eventText);
      this.#run.pointers = {
        ...this.#run.pointers,
        event,
        eventText,
        run,
        deliver: this.#property(internals, 'deliver'),
        idle: this.#property(internals, 'idle'),
        describe: this.#property(internals, 'describeThrown'),
      };
      this.#evaluate('delete globalThis.__neira; delete globalThis.host;', 'neira:seal', TRUSTED_SCRIPT);
      this.#touchPolyfills(source, install);
      const namespace = this.#evaluate(source.code, source.name, EvalFlags.JS_EVAL_TYPE_MODULE);
      const handle = this.#property(namespace, 'handle');
      if (this.#typeOf(handle) === 'function') this.#run.pointers = { ...this.#run.pointers, handle };
      const prepare = this.#property(namespace, 'prepare');
      this.#finishJobs('load');
      if (this.#typeOf(prepare) === 'function') this.#prepare(prepare, host, budget);
      this.#run.arm(host, budget);
      fn.QTS_Call(ctx, seal, fn.QTS_GetUndefined(), 0, argv);
    } catch (error) {
      if (error instanceof BootError) throw error;
      throw new BootError('load', this.#run.endedBy(error));
    } finally {
      this.#run.disarm();
    }
    this.#image = takeImage(this.#run.guest, this.#run.pointers, this.#memoryMb);
  }

  #prepare(prepare: number, host: HostCalls, budget: Budget): void {
    const result = this.#run.call(prepare, '', host, budget);
    if (result.kind === 'value') return;
    throw new BootError('prepare', result.kind === 'suspended' ? { kind: 'pending' } : result);
  }

  /** Loads what the bundle names into the image, so that no turn pays for it. */
  #touchPolyfills({ polyfills, code }: BootSource, install: number): void {
    const { fn } = this.#run.guest;
    const { ctx, argv } = this.#run.pointers;
    for (const { name, globals, methods, code: polyfill } of polyfills) {
      if (![...globals, ...methods].some((each) => new RegExp(`\\b${each}\\b`).test(code))) continue;
      for (const global of globals)
        this.#evaluate(`delete globalThis.${global}`, 'neira:polyfill', TRUSTED_SCRIPT);
      const loaded = this.#evaluate(polyfill, `neira:polyfill/${name}`, TRUSTED_SCRIPT);
      this.#run.guest.bytes.writeUInt32LE(loaded, argv);
      this.#throwIfException(fn.QTS_Call(ctx, install, fn.QTS_GetUndefined(), 1, argv));
    }
  }

  /** Evaluates code and answers the value, for a module its namespace. Top-level await must end by itself. */
  #evaluate(code: string, name: string, flags: number): number {
    const { fn } = this.#run.guest;
    const { ctx } = this.#run.pointers;
    const source = this.#run.guest.allocateText(code);
    const file = this.#run.guest.allocateText(name);
    let value = fn.QTS_Eval(ctx, source.pointer, source.length, file.pointer, 0, flags);
    this.#throwIfException(value);
    if (flags & EvalFlags.JS_EVAL_TYPE_MODULE && fn.QTS_PromiseState(ctx, value) !== -1) {
      this.#finishJobs('load');
      const state = fn.QTS_PromiseState(ctx, value);
      if (state === PROMISE_PENDING) throw new BootError('load', { kind: 'pending' });
      value = fn.QTS_PromiseResult(ctx, value);
      if (state === PROMISE_REJECTED) throw new BootError('load', this.#run.uncaught(value));
    }
    return value;
  }

  #throwIfException(value: number): void {
    const { fn } = this.#run.guest;
    const error = fn.QTS_ResolveException(this.#run.pointers.ctx, value);
    if (error !== 0) throw new BootError('load', this.#run.uncaught(error));
  }

  #finishJobs(during: 'load' | 'prepare'): void {
    const failed = this.#run.runJobs(() => false);
    if (failed !== undefined) throw new BootError(during, failed);
    // A job that is interrupted rejects its promise, which perhaps nobody looks at.
    if (this.#run.interrupted) throw new BootError(during, { kind: 'interrupted', stack: '' });
  }

  #property(object: number, name: string): number {
    const { fn } = this.#run.guest;
    const value = fn.QTS_GetProp(this.#run.pointers.ctx, object, this.#run.newText(name));
    this.#throwIfException(value);
    return value;
  }

  #typeOf(value: number): string {
    return this.#run.guest.readText(this.#run.guest.fn.QTS_Typeof(this.#run.pointers.ctx, value), 100) ?? '';
  }
}
