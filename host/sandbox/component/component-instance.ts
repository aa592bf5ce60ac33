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
import { BootError, type Budget, type HostCalls, type RunResult, type Suspended } from '../run-result.ts';
import type { BuiltComponent } from './built-component.ts';
import type { ComponentImage } from './component-image.ts';
import { ComponentRun } from './component-run.ts';
import { CoreInstances } from './core-instances.ts';
import { inertWasi } from './inert-wasi.ts';

/** What the glue makes of a component. */
interface Exported {
  handle(inputJson: string): Promise<string>;
  prepare?(): Promise<void>;
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
  #image: ComponentImage | undefined;
  #failed = false;

  /** @throws BootError when a start function fails */
  private constructor(glue: string, modules: ComponentImage['modules'], seed: string) {
    const imports = { ...this.#run.hostFunctions(), ...inertWasi(this.#run) };
    this.#run.arm(seeded(seed), INSTANTIATION);
    try {
      this.#exported = glueOf(glue, modules)((name) => modules[name]!, imports, this.#cores.make);
    } catch (error) {
      throw new BootError('load', this.#run.endedBy(error));
    }
    this.#run.disarm();
  }

  /** Boots what registration built and takes its image. @throws BootError */
  static async boot(built: BuiltComponent, host: HostCalls, budget: Budget): Promise<ComponentInstance> {
    const modules = Object.fromEntries(
      Object.entries(built.modules).map(([name, base64]) => [
        name,
        new WebAssembly.Module(Buffer.from(base64, 'base64')),
      ]),
    );
    const seed = createHash('sha256').update(JSON.stringify(built)).digest('hex');
    const instance = new ComponentInstance(built.glue, modules, seed);
    if (built.prepares) await instance.#prepare(host, budget);
    instance.#image = {
      kind: 'wasm',
      glue: built.glue,
      modules,
      seed,
      cores: instance.#cores.take(),
      prepared: built.prepares,
      resettable: built.resettable && !instance.#run.leftTraces,
      memoryBytes: instance.#cores.memoryBytes,
    };
    return instance;
  }

  static restore(image: ComponentImage): ComponentInstance {
    const instance = new ComponentInstance(image.glue, image.modules, image.seed);
    if (image.prepared) instance.#cores.lay(image.cores);
    else instance.#cores.clearCards();
    instance.#image = image;
    return instance;
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

  run(eventJson: string, host: HostCalls, budget: Budget): Promise<RunResult | Suspended> {
    this.#run.arm(host, budget);
    return this.#noting(this.#run.slice(() => this.#exported.handle(eventJson)));
  }

  resume(wait: number, answer: string, host: HostCalls, budget: Budget): Promise<RunResult | Suspended> {
    return this.#noting(this.#run.resume(wait, answer, host, budget));
  }

  reset(): void {
    this.#cores.putBack(this.image.cores);
  }

  /** A trap leaves the glue in the middle of a call. */
  async #noting(ran: Promise<RunResult | Suspended>): Promise<RunResult | Suspended> {
    const result = await ran;
    if (result.kind !== 'value') this.#failed = true;
    return result;
  }

  async #prepare(host: HostCalls, budget: Budget): Promise<void> {
    this.#run.arm(host, budget);
    const prepared = async () => {
      await this.#exported.prepare!();
      return 'null';
    };
    const result = await this.#run.slice(prepared);
    if (result.kind === 'value') return;
    throw new BootError('prepare', result.kind === 'suspended' ? { kind: 'pending' } : result);
  }
}

const compiled = new WeakMap<ComponentImage['modules'], Glue>();

/** Compiled once for all instances of an image, and collected with it. */
function glueOf(glue: string, modules: ComponentImage['modules']): Glue {
  const known = compiled.get(modules);
  if (known) return known;
  const exports: { instantiate?: Glue } = {};
  compileFunction(glue, ['exports'])(exports);
  compiled.set(modules, exports.instantiate!);
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
