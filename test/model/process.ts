/**
 * One life of a host, as host/host.ts joins it: real writer logic, real turns and mailboxes, with cells and
 * threads that the history moves one step at a time. When it dies it is dropped, with all that was on its way.
 */
import type { DatabaseSync } from 'node:sqlite';
import { createLogger } from '../../host/log.ts';
import type { BusNews } from '../../host/store/bus-records.ts';
import { createMailboxReads } from '../../host/store/mailbox-reads.ts';
import type { AckBatch } from '../../host/store/messages.ts';
import type { Ack, PluginRow, WriteRecord } from '../../host/store/records.ts';
import { decideDelivery, type IncomingEvent, type Serving, Turns } from '../../host/turn.ts';
import type { PluginPolicy } from '../../host/turn-context.ts';
import { Mailboxes } from '../../host/turns/mailboxes.ts';
import { ModelCell, readerOf } from './cell.ts';
import { require_ } from './oracle.ts';
import { PLUGINS, registration, servingOf } from './plugins.ts';
import type { VirtualTime } from './virtual-time.ts';
import { ModelWriter } from './writer.ts';

export interface ProcessParts {
  readonly db: DatabaseSync;
  readonly home: string;
  readonly time: VirtualTime;
  /** Whole numbers from 0 up to, not including, `below`. */
  readonly random: (below: number) => number;
  mode(): 'normal' | 'safe';
  committed(records: readonly WriteRecord[], acks: readonly Ack[], news: BusNews): void;
}

export const CELLS = 2;
const log = createLogger({ level: 'silent' });
type State = PluginRow['state'];

export class ModelProcess {
  readonly #parts: ProcessParts;
  readonly #writer: ModelWriter;
  readonly #cells: ModelCell[] = [];
  readonly #serving = new Map<string, Serving>();
  readonly #policies = new Map<number, PluginPolicy>();
  readonly #states = new Map<string, State>();
  /** Plugins of which a change is on its way. */
  readonly #changing = new Set<string>();
  readonly #toMain: (string | (() => void))[] = [];
  readonly #fromCells: (() => void)[] = [];
  readonly #answers = new Map<number, (ack: Ack) => void>();
  readonly turns: Turns;
  readonly mailboxes: Mailboxes;
  #numbers = 0;
  #storeCells = 0;
  #generations = 0;

  constructor(parts: ProcessParts) {
    this.#parts = parts;
    const { db, home, random } = parts;
    this.#writer = new ModelWriter(db, home, {
      committed: parts.committed,
      answer: (message) => this.#toMain.push(message),
      upTo: (most) => 1 + random(most),
    });
    const reads = createMailboxReads(db);
    for (let cell = 0; cell < CELLS; cell++) this.#cells.push(this.#startCell());
    this.turns = new Turns({
      cells: CELLS,
      send: (cell, deliveries) => this.#send(cell, deliveries),
      settled: (cell, attempt) => void this.#cells[cell]!.inside.delete(attempt),
      submit: (record) => this.submit(record),
      fence: (cell) => new Promise((done) => this.#writer.post({ op: 'retire', cell, done })),
      waits: {
        request: () => Promise.reject(new Error('no handler of the model asks')),
        answer: () => {},
        abort: () => {},
      },
      perform: () => {},
      quarantine: (plugin) => this.change(plugin, 'quarantined'),
    });
    this.mailboxes = new Mailboxes({
      store: reads,
      turns: this.turns,
      serving: (plugin) => this.#serving.get(plugin),
      mayRun: (serving, { caller }) =>
        decideDelivery(serving, [], { caller, mode: parts.mode(), dryRun: false }, 'bus').verdict === 'run',
      mode: parts.mode,
      problem: () => undefined,
      committed: () => {},
      tick: async () => void (await this.submit({ kind: 'tick' })),
      log,
    });
    const rows = db.prepare('select id, state from plugin').all();
    for (const { id, state } of rows) this.#take(id as string, state as State);
    this.mailboxes.arrived(this.#writer.booted);
    this.mailboxes.start();
  }

  // --- the store, as main sees it

  submit(record: WriteRecord): Promise<Ack> {
    return new Promise((resolve) => {
      const number = ++this.#numbers;
      this.#answers.set(number, resolve);
      this.#writer.post(`[[${number},${JSON.stringify(record)}]]`);
    });
  }

  #hear(message: string | (() => void)): void {
    if (typeof message !== 'string') {
      message();
      return;
    }
    const { submitted, turns, news } = JSON.parse(message) as AckBatch;
    for (const [number, ack] of submitted) {
      this.#answers.get(number)?.(ack);
      this.#answers.delete(number);
    }
    for (const ack of turns) this.turns.acknowledge(ack);
    this.mailboxes.arrived(news);
  }

  // --- the registry

  stateOf(plugin: string): State | undefined {
    return this.#states.get(plugin);
  }

  /** Commits another state or version of a plugin and takes it over; ignored while another change is on its way. */
  change(plugin: string, state: State): void {
    if (this.#changing.has(plugin)) return;
    this.#changing.add(plugin);
    const known = PLUGINS.find(({ id }) => id === plugin)!;
    const ops = registration(known, state, this.#parts.random(1_000_000));
    void this.submit({ kind: 'admin', ops, journal: [] }).then((ack) => {
      this.#changing.delete(plugin);
      if (ack.ok) this.#take(plugin, state);
    });
  }

  get isChanging(): boolean {
    return this.#changing.size > 0;
  }

  #take(plugin: string, state: State): void {
    const old = this.#serving.get(plugin);
    this.#states.set(plugin, state);
    if (state === 'enabled') {
      const serving = servingOf(plugin, ++this.#generations);
      this.#policies.set(serving.generation, serving.policy);
      this.#serving.set(plugin, serving);
    } else this.#serving.delete(plugin);
    if (old) void this.turns.idle(old.generation).then(() => this.#policies.delete(old.generation));
    this.mailboxes.wake(plugin);
    this.#writer.post({ op: 'listening', plugins: [...this.#serving.keys()] });
  }

  /** An event that a client waits for; undefined when the plugin does not run. */
  ui(plugin: string, event: Pick<IncomingEvent, 'eventId' | 'subject' | 'envelope' | 'key' | 'caller'>) {
    const serving = this.#serving.get(plugin);
    if (!serving) return undefined;
    const deadlineAtMs = this.#parts.time.nowMs + 10_000;
    return this.turns.deliver(serving, { ...event, mode: this.#parts.mode(), dryRun: false, deadlineAtMs });
  }

  // --- cells

  #startCell(): ModelCell {
    const storeCell = ++this.#storeCells;
    const cell: ModelCell = new ModelCell(storeCell, {
      reader: readerOf(this.#parts.db),
      policy: (generation) => {
        const policy = this.#policies.get(generation);
        if (!policy) throw new Error(`generation ${generation} was unloaded before its turns were over`);
        return policy;
      },
      post: this.#writer.connect(storeCell),
      cut: (attempts) =>
        this.#fromCells.push(() => {
          for (const attempt of attempts) cell.inside.delete(attempt);
          this.turns.onCut(attempts);
        }),
      nowMs: () => this.#parts.time.nowMs,
      chance: (oneIn) => this.#parts.random(oneIn) === 0,
    });
    return cell;
  }

  #send(index: number, deliveries: Parameters<ModelCell['take']>[0]): void {
    for (const { generation, mailbox, caller } of deliveries) {
      require_(this.#policies.has(generation), 'what is sent to a cell is loaded', generation);
      const may = !mailbox || this.#parts.mode() === 'normal' || caller === 'admin';
      require_(may, 'in safe mode nothing is begun that may not run', { mailbox, caller });
    }
    this.#cells[index]!.take(deliveries);
  }

  #stepCell(index: number, dies: boolean): void {
    const cell = this.#cells[index]!;
    const end = cell.step(dies);
    if (end) this.#end(index, cell, end.blamed);
  }

  #end(index: number, cell: ModelCell, blamed: number): void {
    cell.hasEnded = true;
    this.#fromCells.push(() => {
      this.#cells[index] = this.#startCell();
      this.turns.onLost({
        storeCell: cell.storeCell,
        blamed,
        attempts: [...cell.inside],
        reason: 'it ended',
      });
    });
  }

  // --- steps

  /** What could happen next. Of each kind of message the first comes first. */
  #choices(): (() => void)[] {
    const choices: (() => void)[] = [];
    if (this.#writer.hasWork) choices.push(() => this.#writer.step());
    if (this.#toMain.length > 0) choices.push(() => this.#hear(this.#toMain.shift()!));
    if (this.#fromCells.length > 0) choices.push(() => this.#fromCells.shift()!());
    if (this.#parts.time.hasImmediates) choices.push(() => this.#parts.time.runImmediate());
    this.#cells.forEach((cell, index) => {
      if (cell.isBusy) choices.push(() => this.#stepCell(index, false));
    });
    return choices;
  }

  /** Moves one message one step; false when there is none, and only time goes on. */
  async step(): Promise<boolean> {
    const choices = this.#choices();
    if (choices.length === 0) return false;
    choices[this.#parts.random(choices.length)]!();
    await this.#parts.time.settle();
    return true;
  }

  /** Ends a cell, in the middle of what it runs if it runs anything. */
  async killCell(index: number): Promise<void> {
    const cell = this.#cells[index]!;
    if (cell.isBusy) this.#stepCell(index, true);
    else if (!cell.hasEnded) this.#end(index, cell, 0);
    await this.#parts.time.settle();
  }

  /** Only the writer goes on, as far as it can: what it commits, nobody will hear of. */
  commitUnheard(): void {
    for (let steps = this.#parts.random(4); steps > 0 && this.#writer.hasWork; steps--) this.#writer.step();
  }

  /** Whatever memory holds of the bus; all 0 when everything is settled. */
  get left() {
    return {
      inHand: this.mailboxes.inHand,
      pending: this.turns.pending,
      insideCells: this.#cells.reduce((sum, { inside }) => sum + inside.size, 0),
      // Policies of versions that serve no more.
      unloaded: this.#policies.size - this.#serving.size,
    };
  }
}
