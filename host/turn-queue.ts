/**
 * Which delivery goes into which cell when: order within a key, fairness between plugins, bounded waiting.
 *
 * A key's next delivery leaves only after the one before it was acknowledged. A cell holds a bounded
 * number of deliveries; the places are given to plugins in turn, and a plugin whose turns are long gets
 * one place at a time, so that its neighbours never wait behind a queue of it.
 */
import type { Question } from '../gates/decide.ts';
import type { Mode, Scope } from '../gates/gates.ts';
import { NeiraError } from './errors.ts';
import type { TurnOutcome, TurnRecord } from './store/records.ts';
import type { PluginPolicy, TurnDelivery } from './turn-context.ts';

/** A plugin as turns need it. */
export interface Serving {
  readonly id: string;
  readonly state: Extract<Question, { about: 'delivery' }>['plugin'];
  readonly generation: number;
  readonly policy: PluginPolicy;
  /** Cells that its turns may be spread over. */
  readonly concurrency: number;
  /** Whether it was granted anything that changes or sends something. */
  readonly writes: boolean;
}

export interface IncomingEvent {
  readonly eventId: string;
  readonly subject: string;
  readonly correlationId: string;
  readonly tenant: string;
  readonly envelope: string;
  /** Deliveries of one key run in order; undefined promises no order. */
  readonly key: string | undefined;
  readonly caller: Scope | 'host';
  readonly mode: Mode;
  readonly dryRun: boolean;
  readonly deadlineAtMs: number;
  readonly idempotency?: { readonly key: string; readonly digest: string };
}

export type TurnResult =
  | { readonly kind: 'committed'; readonly outcome: TurnOutcome }
  /** The client's idempotency key was used before: the stored reply, JSON. */
  | { readonly kind: 'replayed'; readonly reply: string }
  | { readonly kind: 'dry'; readonly record: TurnRecord };

export interface Task {
  readonly serving: Serving;
  readonly event: IncomingEvent;
  readonly lane: Lane;
  delivery: TurnDelivery;
  cell: number;
  conflicts: number;
  readonly arrivedAtMs: number;
  sentAtMs: number;
  /** Time in cells before {@link sentAtMs}. */
  insideMs: number;
  /** Stands still inside its cell: it keeps its key, not its place. */
  suspended: boolean;
  /** Runs only while nothing else of its plugin is in flight. */
  alone: boolean;
  resolve(result: TurnResult): void;
  reject(error: unknown): void;
}

/** One plugin's deliveries. */
interface Lane {
  readonly plugin: string;
  /** Deliveries whose key is free, in order of arrival. */
  readonly ready: Task[];
  /** Deliveries that wait for the one before them with the same key. */
  readonly keys: Map<string, Task[]>;
  waiting: number;
  inFlight: number;
  suspended: number;
  /** Moving average of how long a delivery stays in flight. */
  averageMs: number;
}

/** Deliveries inside one cell at a time. */
const CELL_WINDOW = 32;
/** Deliveries that may wait for one plugin; beyond this the host says that it is busy. */
const MAX_WAITING = 4096;
/** A plugin whose deliveries take longer than this is fed one at a time. */
const SLOW_MS = 10;
const AVERAGE_WEIGHT = 0.2;
/** What one plugin has inside a cell may take this long by its own limit: so long do its neighbours wait at most. */
const MAX_INSIDE_CPU_MS = 2000;
/** Turns of one plugin that stand still at a time; its further deliveries wait outside. */
const MAX_SUSPENDED = 256;
const SWEEP_PERIOD_MS = 50;

export class TurnQueue {
  readonly #cells: readonly { inFlight: number }[];
  readonly #send: (cell: number, deliveries: readonly TurnDelivery[]) => void;
  readonly #lanes = new Map<string, Lane>();
  readonly #byTurn = new Map<string, Task>();
  readonly #byAttempt = new Map<number, Task>();
  readonly #tasks = new Set<Task>();
  #waiters: { readonly generation: number | undefined; readonly done: () => void }[] = [];
  #attempts = 0;
  #pumping = false;
  #rotation = 0;
  readonly #sweeper: NodeJS.Timeout;

  constructor(cells: number, send: (cell: number, deliveries: readonly TurnDelivery[]) => void) {
    this.#cells = Array.from({ length: cells }, () => ({ inFlight: 0 }));
    this.#send = send;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_PERIOD_MS);
    this.#sweeper.unref();
  }

  get size(): number {
    return this.#tasks.size;
  }

  byTurn(turnId: string): Task | undefined {
    return this.#byTurn.get(turnId);
  }

  byAttempt(attempt: number): Task | undefined {
    return this.#byAttempt.get(attempt);
  }

  add(serving: Serving, event: IncomingEvent): Promise<TurnResult> {
    const lane = this.#laneOf(serving.id);
    if (lane.waiting >= MAX_WAITING) {
      const what = `plugin \`${serving.id}\``;
      return Promise.reject(new NeiraError('NEIRA_BUSY', { what, waiting: lane.waiting }));
    }
    return new Promise((resolve, reject) => {
      const delivery = deliveryOf(serving, event);
      const task: Task = {
        serving,
        event,
        lane,
        delivery,
        cell: -1,
        conflicts: 0,
        arrivedAtMs: Date.now(),
        sentAtMs: 0,
        insideMs: 0,
        suspended: false,
        alone: false,
        resolve,
        reject,
      };
      this.#tasks.add(task);
      lane.waiting++;
      const key = orderKey(task);
      const behind = key === undefined ? undefined : lane.keys.get(key);
      if (behind) behind.push(task);
      else {
        if (key !== undefined) lane.keys.set(key, []);
        lane.ready.push(task);
      }
      this.#pump();
    });
  }

  /** Puts a delivery that did nothing back to the head of its lane. */
  rerun(task: Task, alone: boolean): void {
    this.#leaveCell(task);
    task.alone ||= alone;
    task.lane.waiting++;
    task.lane.ready.unshift(task);
    this.#pump();
  }

  /** The turn waits for an answer: others may run in its place. */
  suspend(task: Task): void {
    if (task.cell < 0 || task.suspended) return;
    task.suspended = true;
    task.insideMs += performance.now() - task.sentAtMs;
    task.lane.suspended++;
    this.#freePlace(task);
    this.#pump();
  }

  /** The answer is there: it goes on in its cell at once, whoever took its place. */
  resume(task: Task): void {
    if (!task.suspended) return;
    task.suspended = false;
    task.sentAtMs = performance.now();
    task.lane.suspended--;
    task.lane.inFlight++;
    this.#cells[task.cell]!.inFlight++;
  }

  resolve(task: Task, result: TurnResult): void {
    this.#finish(task);
    task.resolve(result);
  }

  reject(task: Task, error: unknown): void {
    this.#finish(task);
    task.reject(error);
  }

  /** Gives up everything of a plugin that is not inside a cell. */
  rejectWaiting(plugin: string, error: () => NeiraError): void {
    for (const task of this.#tasks) {
      if (task.lane.plugin === plugin && task.cell < 0) this.#giveUp(task, error());
    }
  }

  #giveUp(task: Task, error: NeiraError): void {
    const place = task.lane.ready.indexOf(task);
    if (place >= 0) task.lane.ready.splice(place, 1);
    this.reject(task, error);
  }

  drained(): Promise<void> {
    return this.#wait(undefined);
  }

  idle(generation: number): Promise<void> {
    return this.#wait(generation);
  }

  #wait(generation: number | undefined): Promise<void> {
    return new Promise((done) => {
      this.#waiters.push({ generation, done });
      this.#tellWaiters();
    });
  }

  #tellWaiters(): void {
    if (this.#waiters.length === 0) return;
    const busy = new Set([...this.#tasks].map((task) => task.serving.generation));
    const over = (generation: number | undefined) =>
      generation === undefined ? busy.size === 0 : !busy.has(generation);
    const [done, waiting] = partition(this.#waiters, ({ generation }) => over(generation));
    this.#waiters = waiting;
    for (const waiter of done) waiter.done();
  }

  #finish(task: Task): void {
    const { lane } = task;
    if (task.cell >= 0) {
      const tookMs = task.insideMs + (task.suspended ? 0 : performance.now() - task.sentAtMs);
      lane.averageMs += (tookMs / Math.max(lane.inFlight, 1) - lane.averageMs) * AVERAGE_WEIGHT;
      this.#leaveCell(task);
    } else lane.waiting--;
    this.#tasks.delete(task);
    this.#freeKey(task);
    this.#tellWaiters();
    this.#pump();
  }

  #leaveCell(task: Task): void {
    if (task.cell < 0) return;
    if (task.suspended) task.lane.suspended--;
    else this.#freePlace(task);
    task.suspended = false;
    task.insideMs = 0;
    task.cell = -1;
    this.#byTurn.delete(task.delivery.turnId);
    this.#byAttempt.delete(task.delivery.attempt);
  }

  #freePlace(task: Task): void {
    this.#cells[task.cell]!.inFlight--;
    task.lane.inFlight--;
  }

  #freeKey(task: Task): void {
    const key = orderKey(task);
    if (key === undefined) return;
    const { lane } = task;
    const behind = lane.keys.get(key);
    // A delivery that gave up while it waited leaves its place to those behind it.
    const place = behind?.indexOf(task) ?? -1;
    if (place >= 0) behind!.splice(place, 1);
    else {
      const next = behind?.shift();
      if (next) lane.ready.push(next);
      else lane.keys.delete(key);
    }
  }

  #laneOf(plugin: string): Lane {
    let lane = this.#lanes.get(plugin);
    if (!lane) {
      lane = { plugin, ready: [], keys: new Map(), waiting: 0, inFlight: 0, suspended: 0, averageMs: 0 };
      this.#lanes.set(plugin, lane);
    }
    return lane;
  }

  /** Fills the cells once a tick, so that what arrives together leaves in one message. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    const groups = this.#cells.map((): TurnDelivery[] => []);
    let lanes = [...this.#lanes.values()].filter((lane) => lane.ready.length > 0);
    // Another plugin begins each time; one delivery each per round.
    const first = this.#rotation++ % Math.max(lanes.length, 1);
    lanes = [...lanes.slice(first), ...lanes.slice(0, first)];
    while (lanes.length > 0) lanes = lanes.filter((lane) => this.#takeOne(lane, groups));
    groups.forEach((deliveries, cell) => {
      if (deliveries.length > 0) this.#send(cell, deliveries);
    });
  }

  /** Moves the lane's next delivery into a cell; false when it has none that may go now. */
  #takeOne(lane: Lane, groups: TurnDelivery[][]): boolean {
    const task = lane.ready[0];
    if (!task) return false;
    if (task.alone ? lane.inFlight > 0 : this.#aloneIsRunning(lane)) return false;
    if (lane.suspended + lane.inFlight >= MAX_SUSPENDED) return false;
    if (lane.averageMs > SLOW_MS && lane.inFlight > 0) return false;
    if (lane.inFlight * task.serving.policy.limits.cpuMs >= MAX_INSIDE_CPU_MS) return false;
    const cell = this.#cellOf(task);
    if (this.#cells[cell]!.inFlight >= CELL_WINDOW) return false;
    lane.ready.shift();
    lane.waiting--;
    lane.inFlight++;
    this.#cells[cell]!.inFlight++;
    task.cell = cell;
    task.sentAtMs = performance.now();
    task.delivery = { ...task.delivery, attempt: ++this.#attempts };
    this.#byTurn.set(task.delivery.turnId, task);
    this.#byAttempt.set(task.delivery.attempt, task);
    groups[cell]!.push(task.delivery);
    return true;
  }

  #aloneIsRunning(lane: Lane): boolean {
    if (lane.inFlight !== 1) return false;
    for (const task of this.#tasks)
      if (task.alone && task.lane === lane && task.cell >= 0 && !task.suspended) return true;
    return false;
  }

  /** Deliveries of a key always go to the same cell; a plugin is spread over as many cells as it may use. */
  #cellOf({ serving, delivery, event }: Task): number {
    const spread = Math.min(serving.concurrency, this.#cells.length);
    const home = hash(serving.id);
    return (home + (spread > 1 ? hash(event.key ?? delivery.turnId) % spread : 0)) % this.#cells.length;
  }

  /** What waited past its deadline gives up; what is in a cell is settled by the writer or the watchdog. */
  #sweep(): void {
    const now = Date.now();
    for (const task of this.#tasks) {
      if (task.cell >= 0 || now < task.event.deadlineAtMs) continue;
      const deadlineMs = task.event.deadlineAtMs - task.arrivedAtMs;
      this.#giveUp(task, new NeiraError('NEIRA_DEADLINE', { deadlineMs }));
    }
  }
}

function deliveryOf(serving: Serving, event: IncomingEvent): TurnDelivery {
  const { eventId, subject, correlationId, tenant, envelope, caller, mode, dryRun, deadlineAtMs } = event;
  return {
    attempt: 0,
    generation: serving.generation,
    turnId: `${eventId}:${serving.id}`,
    eventId,
    subject,
    correlationId,
    tenant,
    envelope,
    caller,
    mode,
    dryRun,
    deadlineAtMs,
    ...(event.idempotency && { idempotency: event.idempotency }),
  };
}

/** A dry run takes no place in the order: nothing comes of it. */
function orderKey({ event }: Task): string | undefined {
  return event.dryRun ? undefined : event.key;
}

function hash(text: string): number {
  let value = 2_166_136_261;
  for (let index = 0; index < text.length; index++)
    value = Math.imul(value ^ text.charCodeAt(index), 16_777_619);
  return value >>> 0;
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}
