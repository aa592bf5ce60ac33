/**
 * A cell: a thread that holds instances and runs turns, one at a time, for many plugins.
 *
 * What makes it a cell of Neira – the host functions and the store's reader – is handed in by its
 * composition root (host/cell-main.ts); this file knows only sandboxes.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { MessagePort } from 'node:worker_threads';
import { type ErrorShape, toShape } from '../errors.ts';
import { failureOf, type GuestFailure } from './failure.ts';
import {
  type BootReply,
  type BootSpec,
  type Delivery,
  type FromCell,
  type Program,
  SLOT_ATTEMPT,
  SLOT_STARTED_MS,
  slotNow,
  type ToCell,
} from './messages.ts';
import type { GuestCode } from './quickjs/guest-code.ts';
import { Instance } from './quickjs/instance.ts';
import { FUEL_PER_MS, MAX_MEMORY_MB, STACK_AND_DATA_MB } from './quickjs/layout.ts';
import { BootError, type Budget, type HostCalls, type RunResult } from './quickjs/run-result.ts';

export type Settled =
  /** JSON array of the reply's actions. */
  | { readonly status: 'ok'; readonly actions: string }
  | { readonly status: 'failed'; readonly error: GuestFailure };

/** One turn as the host functions hold it; made anew for each. */
export interface TurnSession extends HostCalls {
  /** Ends the turn and answers its record, as text for the writer. */
  finish(settled: Settled, fuel: number, runMs: number): string;
}

/** Turns that run one after the other and commit together. */
export interface BatchSession {
  openTurn(program: Program, delivery: Delivery): TurnSession;
  /** Whether it may take another turn. */
  readonly hasRoom: boolean;
  /** The record of the batch, from those of its turns. */
  finish(records: readonly string[]): string;
}

/** Top-level code and `prepare()`: fixed time, seed of the code, reads only. */
export interface BootSession extends HostCalls {
  finish(): unknown;
}

export interface CellParts {
  readonly parent: MessagePort;
  readonly records: MessagePort;
  readonly guestCode: GuestCode;
  readonly slot: Int32Array;
  openTurn(program: Program, delivery: Delivery): TurnSession;
  openBatch(): BatchSession;
  openBoot(spec: BootSpec): BootSession;
}

/** Finished turns leave for the writer at least this often, never a whole batch in lockstep (design §7). */
const FLUSH_EVERY = 8;
/** An instance whose memory grew this much beyond its image is replaced, so that the memory comes back. */
const KEEP_GROWTH_BYTES = 4 * 1024 * 1024;
/** Instances that stay alive in a cell; the least recently used make room. Images are kept by main. */
const MAX_INSTANCES = 128;
/** Boots may compute more than a turn: they build what turns then start from. */
const BOOT_CPU_MS = 2000;
const BOOT_WALL_MS = 5000;
/** Between the soft limit, which leaves a stack trace, and the hard one. */
const HARD_FUEL_MARGIN = 1.25;
const MB = 1024 * 1024;
/**
 * Guest memory that is dropped goes when V8 next collects, and V8 sees little reason to: the objects that hold
 * it are small, and the spare allocates nothing between boots. So a cell that dropped this much asks for it.
 */
const COLLECT_AFTER_BYTES = 128 * MB;

export class Cell {
  readonly #parts: CellParts;
  readonly #programs = new Map<number, Program>();
  /** In order of last use. */
  readonly #instances = new Map<number, Instance>();
  #finished: string[] = [];
  #droppedBytes = 0;

  constructor(parts: CellParts) {
    this.#parts = parts;
  }

  receive(message: ToCell): void {
    switch (message.type) {
      case 'program':
        this.#programs.set(message.program.generation, message.program);
        break;
      case 'policy':
        this.#setPolicy(message.generation, message.policy);
        break;
      case 'unload':
        this.#programs.delete(message.generation);
        this.#drop(message.generation);
        break;
      case 'deliveries':
        for (const batch of batchesOf(JSON.parse(message.batch) as Delivery[])) {
          if (batch.length === 1) this.#deliver(batch[0]!);
          else this.#deliverBatch(batch);
        }
        this.#flush();
        break;
      case 'boot':
        this.#boot(message.id, message.spec);
        break;
      case 'stop':
        this.#parts.parent.close();
        this.#parts.records.close();
        break;
    }
    // After the answers are out: it takes some milliseconds.
    if (this.#droppedBytes > COLLECT_AFTER_BYTES) {
      this.#droppedBytes = 0;
      collectGarbage();
    }
  }

  #drop(generation: number): void {
    this.#droppedBytes += this.#instances.get(generation)?.memoryBytes ?? 0;
    this.#instances.delete(generation);
  }

  #setPolicy(generation: number, policy: unknown): void {
    const program = this.#programs.get(generation);
    if (program) this.#programs.set(generation, { ...program, policy });
  }

  #deliver(delivery: Delivery): void {
    const { record } = this.#turn(delivery, this.#parts);
    if (delivery.dryRun) this.#tell({ type: 'dry', attempt: delivery.attempt, record });
    else this.#finish(record);
  }

  /** One after the other, until one fails: what would have run on what it staged goes back. */
  #deliverBatch(batch: readonly Delivery[]): void {
    const session = this.#parts.openBatch();
    const records: string[] = [];
    for (const delivery of batch) {
      const { record, ok } = this.#turn(delivery, session);
      records.push(record);
      if (!ok || !session.hasRoom) break;
    }
    this.#finish(session.finish(records));
    const rest = batch.slice(records.length);
    if (rest.length > 0) this.#tell({ type: 'cut', attempts: rest.map(({ attempt }) => attempt) });
  }

  #finish(record: string): void {
    this.#finished.push(record);
    if (this.#finished.length >= FLUSH_EVERY) this.#flush();
  }

  #turn(
    delivery: Delivery,
    { openTurn }: Pick<BatchSession, 'openTurn'>,
  ): { readonly record: string; readonly ok: boolean } {
    const program = this.#programs.get(delivery.generation);
    if (!program) throw new Error(`generation ${delivery.generation} was never loaded into this cell`);
    const { slot } = this.#parts;
    Atomics.store(slot, SLOT_STARTED_MS, slotNow());
    Atomics.store(slot, SLOT_ATTEMPT, delivery.attempt);
    const started = performance.now();
    const session = openTurn(program, delivery);
    const { settled, fuel } = this.#run(program, delivery, session, started);
    const record = session.finish(settled, fuel, performance.now() - started);
    Atomics.store(slot, SLOT_ATTEMPT, 0);
    return { record, ok: settled.status === 'ok' };
  }

  /** Whatever goes wrong with one turn is that turn's failure: an error that got out would end the cell. */
  #run(
    program: Program,
    delivery: Delivery,
    session: TurnSession,
    started: number,
  ): { readonly settled: Settled; readonly fuel: number } {
    try {
      const instance = this.#instanceOf(program);
      const { cpuMs, turnMs, outputBytes } = program.limits;
      const result = instance.run(delivery.envelope, session, {
        softFuel: cpuMs * FUEL_PER_MS,
        hardFuel: cpuMs * FUEL_PER_MS * HARD_FUEL_MARGIN,
        wallDeadlineMs: started + turnMs,
        maxOutputBytes: outputBytes,
      });
      const fuel = instance.fuelUsed;
      this.#recycle(program, instance);
      return { settled: settle(result, program), fuel };
    } catch (error) {
      this.#drop(program.generation);
      return {
        settled: { status: 'failed', error: failureOf({ kind: 'refused', error }, program) },
        fuel: 0,
      };
    }
  }

  /** The live instance of a program, restored from its image when there is none. */
  #instanceOf(program: Program): Instance {
    const { generation } = program;
    const instance =
      this.#instances.get(generation) ?? Instance.restore(program.image, this.#parts.guestCode.polyfills);
    this.#instances.delete(generation);
    this.#instances.set(generation, instance);
    if (this.#instances.size > MAX_INSTANCES) this.#drop(this.#instances.keys().next().value!);
    return instance;
  }

  #recycle(program: Program, instance: Instance): void {
    if (instance.memoryBytes > program.image.memoryBytes + KEEP_GROWTH_BYTES) this.#drop(program.generation);
    else instance.reset();
  }

  #boot(id: number, spec: BootSpec): void {
    const { slot, guestCode } = this.#parts;
    const started = performance.now();
    const session = this.#parts.openBoot(spec);
    Atomics.store(slot, SLOT_STARTED_MS, slotNow());
    Atomics.store(slot, SLOT_ATTEMPT, -id);
    try {
      const instance = Instance.boot(
        { ...guestCode, code: spec.code, name: `plugin:${spec.plugin}` },
        Math.min(spec.limits.memoryMb + STACK_AND_DATA_MB, MAX_MEMORY_MB),
        session,
        bootBudget(started),
      );
      const reply: BootReply = {
        image: instance.image,
        hasHandler: instance.hasHandler,
        observed: session.finish(),
        bootMs: performance.now() - started,
      };
      // What it touched; the cells that serve restore their own from the image.
      this.#droppedBytes += instance.image.pages.byteLength;
      this.#tell({ type: 'booted', id, reply });
    } catch (error) {
      session.finish();
      this.#droppedBytes += spec.limits.memoryMb * MB;
      this.#tell({ type: 'boot-failed', id, error: bootFailure(error, spec) });
    } finally {
      Atomics.store(slot, SLOT_ATTEMPT, 0);
    }
  }

  #flush(): void {
    if (this.#finished.length === 0) return;
    this.#parts.records.postMessage(`[${this.#finished.join()}]`);
    this.#finished = [];
  }

  #tell(message: FromCell): void {
    this.#parts.parent.postMessage(message);
  }
}

/** Deliveries by the batch that they are part of; one without is a batch of its own. */
function batchesOf(deliveries: readonly Delivery[]): readonly (readonly Delivery[])[] {
  const batches: Delivery[][] = [];
  for (const delivery of deliveries) {
    const last = batches.at(-1);
    if (delivery.batch !== undefined && last?.[0]?.attempt === delivery.batch) last.push(delivery);
    else batches.push([delivery]);
  }
  return batches;
}

/** What `handle` answered, as the actions of a reply; anything else is the plugin's failure. */
function settle(result: RunResult, program: Program): Settled {
  if (result.kind !== 'value') return { status: 'failed', error: failureOf(result, program) };
  const reply = result.json === undefined ? {} : (JSON.parse(result.json) as unknown);
  const reason = whyNotReply(reply);
  if (reason === undefined) {
    return { status: 'ok', actions: JSON.stringify((reply as { actions?: unknown } | null)?.actions ?? []) };
  }
  const error = { code: 'NEIRA_REPLY_INVALID', details: { plugin: program.plugin, reason } };
  return { status: 'failed', error: failureOf({ kind: 'refused', error }, program) };
}

function whyNotReply(reply: unknown): string | undefined {
  if (reply === null) return undefined;
  if (typeof reply !== 'object' || Array.isArray(reply)) return 'it is not an object';
  const { actions } = reply as { actions?: unknown };
  if (actions === undefined) return undefined;
  if (!Array.isArray(actions)) return '`actions` is not an array';
  const odd = actions.findIndex(
    (action) => typeof action !== 'object' || action === null || Array.isArray(action),
  );
  return odd < 0 ? undefined : `\`actions[${odd}]\` is not an object`;
}

let collector: (() => void) | undefined;

function collectGarbage(): void {
  if (!collector) {
    setFlagsFromString('--expose-gc');
    collector = runInNewContext('gc') as () => void;
  }
  collector();
}

function bootBudget(startedMs: number): Budget {
  return {
    softFuel: BOOT_CPU_MS * FUEL_PER_MS,
    hardFuel: BOOT_CPU_MS * FUEL_PER_MS * HARD_FUEL_MARGIN,
    wallDeadlineMs: startedMs + BOOT_WALL_MS,
    maxOutputBytes: MB,
  };
}

function bootFailure(error: unknown, spec: BootSpec): ErrorShape {
  if (!(error instanceof BootError)) return toShape(error);
  const limits = { ...spec.limits, cpuMs: BOOT_CPU_MS, turnMs: BOOT_WALL_MS };
  const failure = failureOf(error.result, { ...spec, limits });
  const { file, line, column } = failure.details;
  return {
    code: 'NEIRA_BOOT_FAILED',
    details: {
      plugin: spec.plugin,
      during: error.during,
      reason: failure.message,
      cause: failure.code,
      ...(file !== undefined && { file, line, column }),
      ...(failure.stack !== undefined && { stack: failure.stack }),
    },
  };
}
