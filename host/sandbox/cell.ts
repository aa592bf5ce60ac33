/**
 * A cell: a thread that holds instances and runs turns, one at a time, for many plugins.
 *
 * A turn that waits for an answer is *suspended*: its instance is set aside as it is, and other turns, also
 * of the same plugin, run in other instances until main sends the answer.
 *
 * What makes it a cell of Neira – the host functions and the store's reader – is handed in by its
 * composition root (host/cell-main.ts); this file knows only sandboxes.
 */
import type { MessagePort } from 'node:worker_threads';
import type { ErrorShape } from '../errors.ts';
import { bootBudget, bootFailure, turnBudget } from './boot-limits.ts';
import { collectGarbage } from './collect-garbage.ts';
import type { Engine, EngineInstance } from './engine.ts';
import { Instances } from './instances.ts';
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
import { replayTurn } from './replay.ts';
import type { Budget, RunResult, Suspended } from './run-result.ts';
import type { BatchSession, BootSession, ReplaySession, TurnSession } from './sessions.ts';
import { refused, type Settled, settle } from './settled.ts';

export interface CellParts {
  readonly parent: MessagePort;
  readonly records: MessagePort;
  readonly engine: Engine;
  readonly slot: Int32Array;
  openTurn(program: Program, delivery: Delivery): TurnSession;
  openBatch(): BatchSession;
  openReplay(program: Program, recording: string): ReplaySession;
  openBoot(spec: BootSpec): BootSession;
}

/** Finished turns leave for the writer at least this often, never a whole batch in lockstep (design §7). */
const FLUSH_EVERY = 8;
const KEPT_REPLAYED = 4;
/** Below 0, and of no errand: nobody is blamed when the cell ends in it. */
const UPKEEP = -0x7fff_ffff;
const MB = 1024 * 1024;
/** What the suspended turns of a cell may hold together; one that would need more fails instead of waiting. */
const MAX_SUSPENDED_BYTES = 256 * MB;
/**
 * Guest memory that is dropped goes when V8 next collects, and V8 sees little reason to: the objects that hold
 * it are small, and the spare allocates nothing between boots. So a cell that dropped this much asks for it.
 */
const COLLECT_AFTER_BYTES = 128 * MB;

/** A turn that has begun. */
interface Turn {
  readonly program: Program;
  readonly delivery: Delivery;
  readonly session: TurnSession;
  /** Undefined until it runs, and once it was given back. */
  instance: EngineInstance | undefined;
  /** Running time of the slices so far; waiting does not count. */
  ranMs: number;
  fuel: number;
  answered: number;
  /** While it is suspended. */
  heldBytes: number;
}

type Ran = RunResult | Suspended;
type Slice = (instance: EngineInstance, budget: Budget) => Ran | Promise<Ran>;

function handling({ delivery, session }: Turn): Slice {
  return (instance, budget) => instance.run(delivery.envelope, session, budget);
}

export class Cell {
  readonly #parts: CellParts;
  readonly #programs = new Map<number, Program>();
  readonly #instances: Instances;
  /** What recorded turns ran on lately, by generation. */
  readonly #replayed = new Map<number, Program>();
  /** By attempt. */
  readonly #suspended = new Map<number, Turn>();
  #suspendedBytes = 0;
  readonly #inbox: ToCell[] = [];
  #working = false;
  #finished: string[] = [];
  #transcripts: string[] = [];

  constructor(parts: CellParts) {
    this.#parts = parts;
    this.#instances = new Instances(parts.engine);
  }

  /** One after the other: a component answers by a promise, and nothing may begin before it is settled. */
  receive(message: ToCell): void {
    this.#inbox.push(message);
    if (!this.#working) void this.#work();
  }

  async #work(): Promise<void> {
    this.#working = true;
    for (let message = this.#inbox.shift(); message; message = this.#inbox.shift())
      await this.#perform(message);
    this.#working = false;
    if (this.#instances.isShort) setImmediate(() => this.#makeReady());
  }

  /** One at a time, behind all that has come by then, and under the eye of the watchdog like an errand. */
  #makeReady(): void {
    if (this.#working || !this.#instances.isShort) return;
    const { slot } = this.#parts;
    Atomics.store(slot, SLOT_STARTED_MS, slotNow());
    Atomics.store(slot, SLOT_ATTEMPT, UPKEEP);
    try {
      this.#instances.makeReady();
    } catch {
      // The turn that needs the instance makes it then, and what is wrong with it is told as that turn's failure.
    }
    Atomics.store(slot, SLOT_ATTEMPT, 0);
    if (this.#instances.isShort) setImmediate(() => this.#makeReady());
  }

  async #perform(message: ToCell): Promise<void> {
    switch (message.type) {
      case 'program':
        this.#programs.set(message.program.generation, message.program);
        break;
      case 'policy':
        this.#setPolicy(message.generation, message.policy);
        break;
      case 'unload':
        this.#programs.delete(message.generation);
        this.#instances.forget(message.generation);
        break;
      case 'deliveries':
        for (const batch of batchesOf(JSON.parse(message.batch) as Delivery[])) {
          if (batch.length === 1) await this.#deliver(batch[0]!);
          else await this.#deliverBatch(batch);
        }
        this.#flush();
        break;
      case 'answer':
        await this.#resume(message.attempt, message.wait, message.answer, message.atMs);
        this.#flush();
        break;
      case 'abort':
        this.#abort(message.attempt, message.error);
        this.#flush();
        break;
      case 'boot':
        await this.#boot(message.id, message.spec);
        break;
      case 'replay':
        await this.#replay(message.id, message.program, message.recordings);
        break;
    }
    // After the answers are out: it takes some milliseconds.
    if (this.#instances.worthCollecting(COLLECT_AFTER_BYTES)) collectGarbage();
  }

  #setPolicy(generation: number, policy: unknown): void {
    const program = this.#programs.get(generation);
    if (program) this.#programs.set(generation, { ...program, policy });
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const turn = this.#begin(delivery, this.#parts);
    const settled = await this.#slice(turn, handling(turn));
    if (settled) this.#conclude(turn, settled);
  }

  /**
   * One after the other, until one fails: what would have run on what it staged goes back. The first may stand
   * still and then goes on by itself; another that would is to begin anew as the first.
   */
  async #deliverBatch(batch: readonly Delivery[]): Promise<void> {
    const session = this.#parts.openBatch();
    const records: string[] = [];
    let begun = 0;
    for (const delivery of batch) {
      const turn = this.#begin(delivery, session);
      const settled = await this.#slice(turn, handling(turn));
      if (turn.session.cut) break;
      begun++;
      if (!settled) break;
      const { record, transcript } = turn.session.finish(settled, turn.fuel, turn.ranMs, 'batched');
      records.push(record);
      this.#transcripts.push(transcript);
      if (settled.status !== 'ok' || !session.hasRoom) break;
    }
    if (records.length > 0) this.#finish(session.finish(records));
    const rest = batch.slice(begun);
    if (rest.length > 0) this.#tell({ type: 'cut', attempts: rest.map(({ attempt }) => attempt) });
  }

  #begin(delivery: Delivery, { openTurn }: Pick<BatchSession, 'openTurn'>): Turn {
    const program = this.#programs.get(delivery.generation);
    if (!program) throw new Error(`generation ${delivery.generation} was never loaded into this cell`);
    return {
      program,
      delivery,
      session: openTurn(program, delivery),
      instance: undefined,
      ranMs: 0,
      fuel: 0,
      answered: 0,
      heldBytes: 0,
    };
  }

  /** An answer for a turn that is over by now changes nothing. */
  async #resume(attempt: number, wait: number, answer: string, atMs: number): Promise<void> {
    const turn = this.#unsuspend(attempt);
    if (!turn) return;
    turn.answered++;
    const given = turn.session.answered(wait, answer, atMs);
    const settled = await this.#slice(turn, (instance, budget) =>
      instance.resume(wait, given, turn.session, budget),
    );
    if (settled) this.#conclude(turn, settled);
  }

  #abort(attempt: number, error: ErrorShape): void {
    const turn = this.#unsuspend(attempt);
    if (!turn) return;
    this.#giveBack(turn);
    this.#conclude(turn, refused(error, turn.program));
  }

  /** Runs a turn on, to its end or until it waits, named in shared memory for the watchdog. */
  async #slice(turn: Turn, go: Slice): Promise<Settled | undefined> {
    const { slot } = this.#parts;
    const { attempt } = turn.delivery;
    Atomics.store(slot, SLOT_STARTED_MS, slotNow());
    Atomics.store(slot, SLOT_ATTEMPT, attempt);
    const settled = await this.#run(turn, go);
    if (!settled) this.#tell({ type: 'suspended', attempt, answered: turn.answered });
    Atomics.store(slot, SLOT_ATTEMPT, 0);
    return settled;
  }

  /**
   * Undefined when the turn is suspended. Whatever goes wrong with one turn is that turn's failure: an error
   * that got out would end the cell.
   */
  async #run(turn: Turn, go: Slice): Promise<Settled | undefined> {
    const { program } = turn;
    const started = performance.now();
    try {
      turn.instance ??= this.#instances.take(program);
      const ran = go(turn.instance, turnBudget(program, started + program.limits.turnMs - turn.ranMs));
      const result = ran instanceof Promise ? await ran : ran;
      turn.fuel = turn.instance.fuelUsed;
      if (result.kind === 'suspended') return this.#suspend(turn);
      this.#giveBack(turn);
      return settle(result, program);
    } catch (error) {
      if (turn.instance) this.#instances.drop(turn.instance);
      turn.instance = undefined;
      return refused(error, program);
    } finally {
      turn.ranMs += performance.now() - started;
    }
  }

  /** Sets the turn aside; the failure of it where the cell holds too much already. */
  #suspend(turn: Turn): Settled | undefined {
    const { program, delivery, session } = turn;
    session.suspend();
    turn.heldBytes = turn.instance!.heldBytes;
    if (this.#suspendedBytes + turn.heldBytes > MAX_SUSPENDED_BYTES) {
      this.#giveBack(turn);
      const details = { waiting: this.#suspended.size, maxBytes: MAX_SUSPENDED_BYTES };
      return refused({ code: 'NEIRA_WAITING_FULL', details }, program);
    }
    this.#suspendedBytes += turn.heldBytes;
    this.#suspended.set(delivery.attempt, turn);
    if (this.#programs.has(program.generation)) this.#instances.noteUsedUp(program, turn.instance!);
    return undefined;
  }

  #unsuspend(attempt: number): Turn | undefined {
    const turn = this.#suspended.get(attempt);
    if (!turn) return undefined;
    this.#suspended.delete(attempt);
    this.#suspendedBytes -= turn.heldBytes;
    return turn;
  }

  /** An old version may end its last turns after it was unloaded. */
  #giveBack(turn: Turn): void {
    const { program, instance } = turn;
    if (!instance) return;
    turn.instance = undefined;
    if (!this.#programs.has(program.generation)) {
      this.#instances.drop(instance);
      return;
    }
    this.#instances.noteUsedUp(program, instance);
    this.#instances.giveBack(program, instance);
  }

  #conclude({ delivery, session, fuel, ranMs }: Turn, settled: Settled): void {
    const { record, transcript } = session.finish(settled, fuel, ranMs);
    if (delivery.dryRun) {
      this.#tell({ type: 'dry', attempt: delivery.attempt, record });
      return;
    }
    this.#transcripts.push(transcript);
    this.#finish(record);
  }

  #finish(record: string): void {
    this.#finished.push(record);
    if (this.#finished.length >= FLUSH_EVERY) this.#flush();
  }

  async #boot(id: number, spec: BootSpec): Promise<void> {
    const { slot, engine } = this.#parts;
    const started = performance.now();
    const session = this.#parts.openBoot(spec);
    Atomics.store(slot, SLOT_STARTED_MS, slotNow());
    Atomics.store(slot, SLOT_ATTEMPT, -id);
    try {
      const instance = await engine.boot(spec, session, bootBudget(started));
      const reply: BootReply = {
        image: instance.image,
        hasHandler: instance.hasHandler,
        observed: session.finish(),
        imageDigest: engine.digest(instance.image),
        bootMs: performance.now() - started,
      };
      // What it touched; the cells that serve restore their own from the image.
      this.#instances.noteDropped(instance.heldBytes);
      this.#tell({ type: 'booted', id, reply });
    } catch (error) {
      session.finish();
      this.#instances.noteDropped(spec.limits.memoryMb * MB);
      this.#tell({ type: 'boot-failed', id, error: bootFailure(error, spec) });
    } finally {
      Atomics.store(slot, SLOT_ATTEMPT, 0);
    }
  }

  /** Runs recorded turns again, one after the other; only main hears of what comes of them. */
  async #replay(id: number, given: Program, recordings: readonly string[]): Promise<void> {
    const { slot } = this.#parts;
    const program = this.#replayedOn(given);
    const reports: string[] = [];
    for (const recording of recordings) {
      Atomics.store(slot, SLOT_STARTED_MS, slotNow());
      Atomics.store(slot, SLOT_ATTEMPT, -id);
      reports.push(await replayTurn(program, this.#parts.openReplay(program, recording), this.#instances));
    }
    Atomics.store(slot, SLOT_ATTEMPT, 0);
    this.#tell({ type: 'replayed', id, reports });
  }

  /** Schemas that were compiled for a policy belong to the object, so the one that came first is used on. */
  #replayedOn(given: Program): Program {
    const { generation } = given;
    const program = this.#replayed.get(generation) ?? given;
    this.#replayed.delete(generation);
    this.#replayed.set(generation, program);
    const [oldest] = this.#replayed.keys();
    if (this.#replayed.size > KEPT_REPLAYED) {
      this.#replayed.delete(oldest!);
      this.#instances.forget(oldest!);
    }
    return program;
  }

  #flush(): void {
    if (this.#finished.length === 0) return;
    // Transcripts go beside the records, which the writer parses and they are not.
    this.#parts.records.postMessage([`[${this.#finished.join()}]`, ...this.#transcripts]);
    this.#finished = [];
    this.#transcripts = [];
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
