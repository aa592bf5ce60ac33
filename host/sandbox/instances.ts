/** The instances of a cell that are not running, each ready for the next turn of its program. */
import type { Engine, EngineInstance } from './engine.ts';
import type { Program } from './messages.ts';

/** Instances that stay alive in a cell; the least recently used make room. Images are kept by main. */
const MAX_IDLE = 128;
/** More than one is needed only where turns wait and others run meanwhile. */
const MAX_IDLE_OF_PROGRAM = 4;

export class Instances {
  readonly #engine: Pick<Engine, 'restore'>;
  /** By generation, in order of last use. */
  readonly #idle = new Map<number, EngineInstance[]>();
  /** Programs that have used one up and may want the next, by generation. */
  readonly #short = new Map<number, Program>();
  #count = 0;
  #droppedBytes = 0;

  constructor(engine: Pick<Engine, 'restore'>) {
    this.#engine = engine;
  }

  /** An instance as its image left it. It belongs to the caller until it is given back or dropped. */
  take({ generation, image }: Program): EngineInstance {
    const idle = this.#idle.get(generation)?.pop();
    if (idle) this.#count--;
    return idle ?? this.#engine.restore(image);
  }

  giveBack({ generation }: Program, instance: EngineInstance): void {
    const idle = this.#idle.get(generation) ?? [];
    if (!instance.isReusable || idle.length >= MAX_IDLE_OF_PROGRAM) {
      this.drop(instance);
      return;
    }
    instance.reset();
    this.#keep(generation, instance);
  }

  /** Notes that this instance serves one turn only, so that the next is made before another turn needs it. */
  noteUsedUp(program: Program, { isReusable }: EngineInstance): void {
    if (!isReusable) this.#short.set(program.generation, program);
  }

  /** Whether {@link makeReady} has something to look at. */
  get isShort(): boolean {
    return this.#short.size > 0;
  }

  /** Makes one instance for a program that has none left: some milliseconds that no turn then waits for. */
  makeReady(): void {
    for (const [generation, { image }] of this.#short) {
      this.#short.delete(generation);
      if ((this.#idle.get(generation)?.length ?? 0) > 0) continue;
      this.#keep(generation, this.#engine.restore(image));
      return;
    }
  }

  drop(instance: EngineInstance): void {
    this.#droppedBytes += instance.memoryBytes;
  }

  /** Drops those of a program that serves no more. */
  forget(generation: number): void {
    const idle = this.#idle.get(generation) ?? [];
    this.#idle.delete(generation);
    this.#short.delete(generation);
    this.#count -= idle.length;
    for (const instance of idle) this.drop(instance);
  }

  /** Memory that a boot left behind. */
  noteDropped(bytes: number): void {
    this.#droppedBytes += bytes;
  }

  /** Whether so much was dropped since this last said yes that it is worth collecting. */
  worthCollecting(bytes: number): boolean {
    if (this.#droppedBytes <= bytes) return false;
    this.#droppedBytes = 0;
    return true;
  }

  #keep(generation: number, instance: EngineInstance): void {
    const idle = this.#idle.get(generation) ?? [];
    idle.push(instance);
    this.#count++;
    this.#idle.delete(generation);
    this.#idle.set(generation, idle);
    if (this.#count > MAX_IDLE) this.#dropOldest();
  }

  #dropOldest(): void {
    for (const [generation, idle] of this.#idle) {
      const oldest = idle.shift();
      if (idle.length === 0) this.#idle.delete(generation);
      if (!oldest) continue;
      this.#count--;
      this.drop(oldest);
      return;
    }
  }
}
