/**
 * Which delivery goes into which cell when: order within a key, fairness between plugins, bounded waiting.
 *
 * A key's deliveries leave together, as a batch, or one after the other was acknowledged. A cell holds a
 * bounded number of deliveries; the places are given to plugins in turn, and a plugin whose turns are long
 * gets one place at a time, so that its neighbours never wait behind a queue of it.
 */
import { NeiraError } from '../errors.ts';
import type { TurnDelivery } from '../turn-context.ts';
import { CellWindows } from './cell-windows.ts';
import { QueueWaiters } from './turn-queue-waiters.ts';
import {
  cellOf,
  deliveryOf,
  type IncomingEvent,
  insertInOrder,
  isFromMailbox,
  type Lane,
  type Line,
  mayFollow,
  newLane,
  newTask,
  orderKey,
  type Serving,
  type Task,
  type TurnResult,
} from './turn-task.ts';

/** Deliveries of one key in one hop (design §4). */
const MAX_BATCH = 32;
/** Deliveries that may wait for one plugin; beyond this the host says that it is busy. */
const MAX_WAITING = 4096;
/** A plugin whose deliveries take longer than this is fed one at a time. */
const SLOW_MS = 10;
const AVERAGE_WEIGHT = 0.2;
/** What one plugin has inside a cell may take this long by its own limit: so long do its neighbours wait at most. */
const MAX_INSIDE_CPU_MS = 2000;
/** Turns of one plugin that stand still at a time; its further deliveries wait outside. */
const MAX_SUSPENDED = 256;
const SWEEP_PERIOD_MS = 25;

export class TurnQueue {
  /** Cells that all share. */
  readonly #shared: number;
  readonly #cells = new CellWindows();
  readonly #send: (cell: number, deliveries: readonly TurnDelivery[]) => void;
  readonly #lanes = new Map<string, Lane>();
  readonly #byTurn = new Map<string, Task>();
  readonly #byAttempt = new Map<number, Task>();
  readonly #tasks = new Set<Task>();
  /** Lines whose first delivery waits for its time. */
  readonly #held = new Set<Line>();
  readonly #waiters = new QueueWaiters(this.#tasks);
  #attempts = 0;
  #sequence = 0;
  #pumping = false;
  #rotation = 0;
  readonly #sweeper: NodeJS.Timeout;

  constructor(cells: number, send: (cell: number, deliveries: readonly TurnDelivery[]) => void) {
    this.#shared = cells;
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
      const line = this.#lineOf(lane, orderKey(event));
      const task = newTask(++this.#sequence, serving, event, line, { resolve, reject });
      this.#tasks.add(task);
      this.#wait(task);
      if (event.notBeforeMs !== undefined && event.notBeforeMs > task.arrivedAtMs) this.#hold(task);
      this.#offer(task.line);
    });
  }

  /** Puts a delivery that did nothing back into its place. */
  rerun(task: Task, alone: boolean): void {
    this.#leaveCell(task);
    task.alone ||= alone;
    this.#wait(task);
    this.#offer(task.line, 'first');
  }

  /** Keeps a delivery that failed for another attempt at `dueMs`. */
  retry(task: Task, dueMs: number): void {
    task.failures++;
    task.event.mailbox?.failing();
    this.hold(task, dueMs);
  }

  /** At the head of its line it holds up the others; behind another its time comes with its turn. */
  #hold({ line, event, sequence }: Task): void {
    if (line.running > 0 || line.waiting[0]?.sequence !== sequence) return;
    line.heldUntilMs = event.notBeforeMs ?? 0;
    this.#held.add(line);
  }

  /** Keeps a delivery until `dueMs`; those of the same key wait behind it. */
  hold(task: Task, dueMs: number): void {
    this.#leaveCell(task);
    task.delivery = deliveryOf(task.serving, task.event, task.failures);
    this.#wait(task);
    task.line.heldUntilMs = dueMs;
    this.#held.add(task.line);
    this.#waiters.tell();
    this.#pump();
  }

  /** The same for one that found no room: nothing was tried, and the plugin's other deliveries wait with it. */
  park(task: Task, dueMs: number): void {
    this.#leaveCell(task);
    this.#wait(task);
    task.lane.pausedUntilMs = Math.max(task.lane.pausedUntilMs, dueMs);
    this.#offer(task.line, 'first');
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
    this.#cells.take(task.cell);
  }

  resolve(task: Task, result: TurnResult): void {
    this.#finish(task);
    task.resolve(result);
  }

  reject(task: Task, error: unknown): void {
    this.#finish(task);
    task.reject(error);
  }

  /** Gives an attempt up; a delivery of a mailbox goes back there, and those that wait behind it too. */
  giveUp(task: Task, error: unknown): void {
    this.reject(task, error);
    if (isFromMailbox(task)) this.#giveBack(task.lane, error);
  }

  /** Gives up what is not inside a cell: everything of a plugin, or all that came from mailboxes. */
  rejectWaiting(which: (task: Task) => boolean, error: () => unknown): void {
    for (const task of [...this.#tasks]) if (task.cell < 0 && which(task)) this.reject(task, error());
  }

  drained(): Promise<void> {
    return this.#waiters.wait(undefined);
  }

  idle(generation: number): Promise<void> {
    return this.#waiters.wait(generation);
  }

  // --- lines

  #laneOf(plugin: string): Lane {
    let lane = this.#lanes.get(plugin);
    if (!lane) {
      lane = newLane(plugin);
      this.#lanes.set(plugin, lane);
    }
    return lane;
  }

  #lineOf(lane: Lane, key: string | undefined): Line {
    const known = key === undefined ? undefined : lane.lines.get(key);
    if (known) return known;
    const line: Line = { lane, key, waiting: [], running: 0, offered: false, heldUntilMs: 0 };
    if (key !== undefined) lane.lines.set(key, line);
    return line;
  }

  #wait(task: Task): void {
    insertInOrder(task.line.waiting, task);
    task.lane.waiting++;
  }

  /** A line whose first delivery may go stands among those that are ready, once. */
  #offer(line: Line, place: 'last' | 'first' = 'last'): void {
    if (line.running > 0 || line.waiting.length === 0 || this.#held.has(line)) return;
    if (!line.offered) {
      line.offered = true;
      if (place === 'first') line.lane.ready.unshift(line);
      else line.lane.ready.push(line);
    }
    this.#pump();
  }

  #finish(task: Task): void {
    const { lane, line } = task;
    if (task.cell >= 0) {
      const tookMs = task.insideMs + (task.suspended ? 0 : performance.now() - task.sentAtMs);
      lane.averageMs += (tookMs / Math.max(lane.inFlight, 1) - lane.averageMs) * AVERAGE_WEIGHT;
      this.#leaveCell(task);
    } else {
      const place = line.waiting.indexOf(task);
      if (place >= 0) {
        line.waiting.splice(place, 1);
        lane.waiting--;
        // Whoever held the line up is gone from it.
        if (place === 0 && this.#held.delete(line)) line.heldUntilMs = 0;
      }
    }
    if (this.#tasks.delete(task)) task.over?.abort();
    if (line.waiting.length > 0) this.#offer(line);
    else if (line.running === 0 && line.key !== undefined) lane.lines.delete(line.key);
    this.#waiters.tell();
    this.#pump();
  }

  #leaveCell(task: Task): void {
    if (task.cell < 0) return;
    if (task.suspended) task.lane.suspended--;
    else this.#freePlace(task);
    task.suspended = false;
    task.insideMs = 0;
    task.line.running--;
    task.cell = -1;
    this.#byTurn.delete(task.delivery.turnId);
    this.#byAttempt.delete(task.delivery.attempt);
  }

  #freePlace(task: Task): void {
    this.#cells.free(task.cell);
    task.lane.inFlight--;
  }

  // --- cells

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
    let lanes = [...this.#lanes.values()].filter((lane) => lane.ready.length > 0);
    // Another plugin begins each time; one line each per round.
    const first = this.#rotation++ % Math.max(lanes.length, 1);
    lanes = [...lanes.slice(first), ...lanes.slice(0, first)];
    while (lanes.length > 0) lanes = lanes.filter((lane) => this.#takeOne(lane));
    for (const [cell, deliveries] of this.#cells.leave()) this.#send(cell, deliveries);
  }

  /** Moves the lane's next delivery, and those that may follow it, into a cell; false when none may go now. */
  #takeOne(lane: Lane): boolean {
    const line = this.#nextLine(lane);
    const task = line?.waiting[0];
    if (!line || !task) return false;
    if (task.alone ? lane.inFlight > 0 : this.#aloneIsRunning(lane)) return false;
    if (lane.suspended + lane.inFlight >= MAX_SUSPENDED) return false;
    if (lane.averageMs > SLOW_MS && lane.inFlight > 0) return false;
    if (!this.#mayEnter(lane, task)) return false;
    const served = this.#isServed(task);
    const cell = cellOf(task, this.#shared);
    if (served && this.#cells.isFull(cell)) return false;
    lane.ready.splice(lane.ready.indexOf(line), 1);
    line.offered = false;
    if (served) this.#enterAll(task, cell);
    else this.#giveBack(lane);
    return lane.ready.length > 0;
  }

  /** With those of its key that may go along. */
  #enterAll(head: Task, cell: number): void {
    const { line } = head;
    this.#enter(head, cell, undefined);
    for (let count = 1; count < MAX_BATCH && this.#follows(head, line.waiting[0], cell); count++) {
      const next = line.waiting[0]!;
      if (!this.#isServed(next)) {
        this.#giveBack(head.lane);
        return;
      }
      this.#enter(next, cell, head.delivery.attempt);
    }
  }

  /** While a full mailbox pauses the plugin, only what somebody waits for goes on. */
  #nextLine(lane: Lane): Line | undefined {
    // What waited in it was given up meanwhile.
    while (lane.ready[0]?.waiting.length === 0) lane.ready.shift()!.offered = false;
    if (lane.pausedUntilMs === 0) return lane.ready[0];
    return lane.ready.find(({ waiting }) => waiting[0] && !isFromMailbox(waiting[0]));
  }

  #follows(head: Task, next: Task | undefined, cell: number): boolean {
    const { lane } = head;
    return (
      next !== undefined &&
      mayFollow(head, next) &&
      lane.averageMs <= SLOW_MS &&
      this.#mayEnter(lane, next) &&
      !this.#cells.isFull(cell)
    );
  }

  #mayEnter(lane: Lane, { serving }: Task): boolean {
    return lane.inFlight * serving.policy.limits.cpuMs < MAX_INSIDE_CPU_MS;
  }

  /** Whether anything serves it; what comes from a mailbox is served by what serves now. */
  #isServed(task: Task): boolean {
    if (!isFromMailbox(task)) return true;
    const current = task.event.mailbox.serving();
    if (current) task.serving = current;
    return current !== undefined;
  }

  #enter(task: Task, cell: number, batch: number | undefined): void {
    const { lane, line } = task;
    line.waiting.shift();
    line.running++;
    lane.waiting--;
    lane.inFlight++;
    this.#cells.take(cell);
    task.cell = cell;
    task.sentAtMs = performance.now();
    const attempt = ++this.#attempts;
    const { generation } = task.serving;
    const { batch: _before, ...delivery } = task.delivery;
    task.delivery = { ...delivery, attempt, generation, ...(batch !== undefined && { batch }) };
    this.#byTurn.set(task.delivery.turnId, task);
    this.#byAttempt.set(attempt, task);
    this.#cells.load(cell, task.delivery);
  }

  /** To the mailbox, all of them at once: what came later must not overtake what came first. */
  #giveBack(lane: Lane, error: unknown = inactive(lane)): void {
    const which = (task: Task) => task.lane === lane && isFromMailbox(task);
    this.rejectWaiting(which, () => error);
  }

  #aloneIsRunning(lane: Lane): boolean {
    if (lane.inFlight !== 1) return false;
    for (const task of this.#byAttempt.values())
      if (task.alone && task.lane === lane && !task.suspended) return true;
    return false;
  }

  #sweep(): void {
    const now = Date.now();
    for (const line of this.#held) {
      if (now < line.heldUntilMs) continue;
      this.#held.delete(line);
      line.heldUntilMs = 0;
      this.#offer(line);
    }
    for (const lane of this.#lanes.values()) {
      if (lane.pausedUntilMs === 0 || now < lane.pausedUntilMs) continue;
      lane.pausedUntilMs = 0;
      this.#pump();
    }
    // What waited past its deadline gives up; what is in a cell is settled by the writer or the watchdog.
    for (const task of this.#tasks) {
      const { deadlineAtMs } = task.event;
      if (task.cell >= 0 || deadlineAtMs === undefined || now < deadlineAtMs) continue;
      this.reject(task, new NeiraError('NEIRA_DEADLINE', { deadlineMs: deadlineAtMs - task.arrivedAtMs }));
    }
  }
}

function inactive({ plugin }: Lane): NeiraError {
  const remedy = `\`neira plugin show ${plugin}\` tells what it lacks.`;
  return new NeiraError('NEIRA_PLUGIN_INACTIVE', { plugin, reason: 'it does not run now', remedy });
}
