/**
 * One instance of a component, which runs one turn at a time. Twin of quickjs/instance.ts.
 *
 * Life: `boot()` instantiates it, calls `prepare` when it exports that, and takes the image; `restore()` makes another
 * from an image, in this thread or any other; `run()` performs one turn, which `resume()` continues when it waits;
 * `reset()` puts back what the turn changed. Where more than memory changed it is replaced instead.
 */
import { createHash } from 'node:crypto';
import { compileFunction } from 'node:vm';
import { NeiraError } from '../../errors.ts';
import type { EngineInstance } from '../engine.ts';
import {
  BootError,
  type Budget,
  type Failure,
  type HostCalls,
  type RunResult,
  type Suspended,
} from '../run-result.ts';
import type { BuiltComponent } from './built-component.ts';
import type { ComponentImage, ComponentProgram } from './component-image.ts';
import { ComponentRun } from './component-run.ts';
import { CoreInstances } from './core-instances.ts';
import { inertWasi } from './inert-wasi.ts';
import { WholeEncoder } from './whole-encoder.ts';

/** What the glue makes of a component. */
interface Exported {
  /** A promise where it waits. */
  handle(inputJson: string): string | Promise<string>;
  prepare?(): void | Promise<void>;
}

type Glue = (
  getCoreModule: (name: string) => WebAssembly.Module,
  imports: Record<string, unknown>,
  instantiateCore: CoreInstances['make'],
) => Exported;

/** Start functions, before there is any turn: about 100 ms. */
const INSTANTIATION: Budget = {
  softFuel: 10_000_000,
  hardFuel: 10_000_000,
  wallDeadlineMs: Number.POSITIVE_INFINITY,
  maxOutputBytes: 0,
};

export class ComponentInstance implements EngineInstance {
  readonly #run = new ComponentRun();
  readonly #cores = new CoreInstances(this.#run.fuel);
  readonly #exported: Exported;
  readonly #waits: boolean;
  #image: ComponentImage | undefined;
  #failed = false;

  /** @throws BootError when a start function fails */
  private constructor(program: ComponentProgram, seed: string) {
    this.#waits = program.waits;
    this.#run.arm(seeded(seed), INSTANTIATION);
    try {
      this.#exported = this.#instantiate(program);
    } catch (error) {
      throw new BootError('load', this.#run.endedBy(error));
    }
    this.#run.disarm();
  }

  /** Boots what registration built and takes its image. @throws BootError */
  static async boot(built: BuiltComponent, host: HostCalls, budget: Budget): Promise<ComponentInstance> {
    const seed = createHash('sha256').update(JSON.stringify(built)).digest('hex');
    const program = programOf(built);
    const instance = new ComponentInstance(program, seed);
    if (built.facts.prepares) await instance.#prepare(host, budget);
    instance.#image = {
      kind: 'wasm',
      program,
      seed,
      cores: instance.#cores.take(),
      prepared: built.facts.prepares,
      resettable: built.facts.resettable && !instance.#run.leftTraces,
      memoryBytes: instance.#cores.memoryBytes,
    };
    return instance;
  }

  static restore(image: ComponentImage): ComponentInstance {
    const instance = new ComponentInstance(image.program, image.seed);
    if (image.prepared) instance.#cores.lay(image.cores);
    else instance.#cores.clearCards();
    instance.#image = image;
    return instance;
  }

  #instantiate(program: ComponentProgram): Exported {
    const imports = { ...this.#run.hostFunctions(program.waits), ...inertWasi(this.#run) };
    return glueOf(program)((name) => program.modules[name]!, imports, this.#cores.make);
  }

  get image(): ComponentImage {
    return this.#image!;
  }

  get memoryBytes(): number {
    return this.#cores.memoryBytes;
  }

  get heldBytes(): number {
    return this.#cores.memoryBytes;
  }

  get fuelUsed(): number {
    return this.#run.fuelUsed;
  }

  get hasHandler(): boolean {
    return true;
  }

  get isReusable(): boolean {
    const { resettable, memoryBytes } = this.image;
    return resettable && !this.#failed && !this.#run.leftTraces && this.memoryBytes === memoryBytes;
  }

  run(eventJson: string, host: HostCalls, budget: Budget): RunResult | Promise<RunResult | Suspended> {
    this.#run.arm(host, budget);
    const { handle } = this.#exported;
    return this.#waits
      ? this.#later(this.#run.slice(() => handle(eventJson) as Promise<string>))
      : this.#noting(this.#run.whole(() => handle(eventJson) as string));
  }

  resume(wait: number, answer: string, host: HostCalls, budget: Budget): Promise<RunResult | Suspended> {
    return this.#later(this.#run.resume(wait, answer, host, budget));
  }

  reset(): void {
    this.#cores.putBack(this.image.cores);
  }

  async #later(ran: Promise<RunResult | Suspended>): Promise<RunResult | Suspended> {
    const result = await ran;
    return this.#noting(result);
  }

  /** A trap leaves the glue in the middle of a call. */
  #noting<Ran extends RunResult | Suspended>(result: Ran): Ran | Failure {
    if (result.kind !== 'value') this.#failed = true;
    // A guest that is refused memory gives up by a trap like any other.
    return result.kind === 'fault' && this.#cores.isFull ? OUT_OF_MEMORY : result;
  }

  /** Nothing of it may wait, but where `handle` may, its glue makes a promise of `prepare` too. */
  async #prepare(host: HostCalls, budget: Budget): Promise<void> {
    this.#run.arm(host, budget);
    const prepare = this.#exported.prepare!;
    const result = this.#waits
      ? await this.#run.slice(async () => {
          await prepare();
          return 'null';
        })
      : this.#run.whole(() => {
          prepare();
          return 'null';
        });
    if (result.kind !== 'value')
      throw new BootError('prepare', result.kind === 'suspended' ? { kind: 'pending' } : result);
    // A handle is of one instance, and its number would be in the memory of all.
    if (this.#run.leftTraces) throw new BootError('prepare', KEPT_HANDLE);
  }
}

const OUT_OF_MEMORY: Failure = { kind: 'fault', message: 'out of memory' };

const KEPT_HANDLE: Failure = {
  kind: 'fault',
  message: 'prepare() used standard output or a clock to wait for; log with `log` of neira:host/io',
};

function programOf({ glue, modules, facts }: BuiltComponent): ComponentProgram {
  const compiled = Object.entries(modules).map(([name, base64]) => [
    name,
    new WebAssembly.Module(Buffer.from(base64, 'base64')),
  ]);
  return { glue, modules: Object.fromEntries(compiled), waits: facts.waits !== false };
}

const compiled = new WeakMap<ComponentProgram, Glue>();

/** Compiled once for all instances of an image, and collected with it. */
function glueOf(program: ComponentProgram): Glue {
  const known = compiled.get(program);
  if (known) return known;
  const exports: { instantiate?: Glue } = {};
  compileFunction(program.glue, ['exports', 'TextEncoder'])(exports, WholeEncoder);
  compiled.set(program, exports.instantiate!);
  return exports.instantiate!;
}

/** What start functions see of time and chance: the same in every instance. */
function seeded(seed: string): HostCalls {
  let drawn = 0;
  return {
    call() {
      const reason =
        'host functions answer in `handle` and `prepare`, not while the component is instantiated';
      throw new NeiraError('NEIRA_PERMISSION_DENIED', { what: 'a host function', reason });
    },
    randomBytes: (count) => {
      const bytes = createHash('shake256', { outputLength: Math.max(count, 1) });
      return bytes.update(`${seed}:${drawn++}`).digest().subarray(0, count);
    },
    nowMs: () => 0,
  };
}
