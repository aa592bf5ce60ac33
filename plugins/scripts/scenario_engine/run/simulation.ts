/**
 * A run in memory, in time of its own: for tests of scenarios, and to see whether a run comes out the same again. Other
 * plugins, people and events are told beforehand; what nobody told of does not happen.
 */
import { evaluate } from '../language/expressions.ts';
import type { Program, WaitFor } from '../program.ts';
import { moveOn } from './interpret.ts';
import { newRun, type Run, type RunEvent, type StepError, type StepRow } from './state.ts';
import { type Command, failed, type World } from './world.ts';

/** What comes of a command, by the first stub that fits it. */
export interface Answer {
  readonly returns?: unknown;
  readonly fails?: StepError;
  readonly afterMs?: number;
}

export interface Happening {
  readonly atMs: number;
  readonly what:
    | { readonly kind: 'event'; readonly event: Record<string, unknown> }
    | { readonly kind: 'signal'; readonly signal: string; readonly payload?: unknown }
    | { readonly kind: 'cancel'; readonly reason: string };
}

export interface Script {
  readonly nowMs: number;
  /** @throws {StepFailure} where nothing is known of it */
  answer(command: Command): Answer;
  /** What a person says to a question. Undefined: nothing, ever. */
  reply(question: unknown): { readonly value: unknown; readonly afterMs: number } | undefined;
  readonly happenings: readonly Happening[];
  /** 0 to 1, the same for the same script. */
  random(): number;
  /** Steps of one turn; ordinary without it. */
  readonly stepsPerTurn?: number;
}

/** A message that left. */
export interface Sent {
  readonly atMs: number;
  readonly step: string;
  readonly what: 'call' | 'publish' | 'question' | 'log' | 'observe';
  readonly name: string;
  readonly payload: unknown;
}

export interface Simulated {
  readonly run: Run;
  readonly rows: readonly StepRow[];
  readonly sent: readonly Sent[];
  /** Virtual milliseconds that passed. */
  readonly tookMs: number;
  /** Nothing would ever come any more, and it had not ended. */
  readonly stuck: boolean;
}

const MAX_EVENTS = 20_000;

interface Due {
  readonly atMs: number;
  readonly id: string;
  readonly event: RunEvent;
}

export function simulate(
  program: Program,
  given: Pick<Run, 'ctx'> & Partial<Run>,
  script: Script,
): Simulated {
  const run = newRun({
    id: 'simulated',
    scenario: program.id,
    digest: program.digest,
    priority: program.priority,
    by: 'test',
    createdAtMs: script.nowMs,
    ...given,
  });
  const world = new SimulatedWorld(script);
  const rows: StepRow[] = [];
  const move = (event: RunEvent) => {
    const { stepsPerTurn } = script;
    rows.push(...moveOn(run, program, event, world, stepsPerTurn === undefined ? {} : { stepsPerTurn }));
  };
  move({ kind: 'begin' });
  for (let count = 0; run.phase !== 'ended' && count < MAX_EVENTS; count += 1) {
    const event = world.next();
    if (!event) break;
    move(event);
  }
  const stuck = run.phase !== 'ended';
  return { run, rows, sent: world.sent, tookMs: world.nowMs - script.nowMs, stuck };
}

class SimulatedWorld implements World {
  nowMs: number;
  readonly sent: Sent[] = [];
  readonly #script: Script;
  readonly #due: Due[] = [];
  readonly #listening = new Map<
    string,
    {
      readonly what: Extract<WaitFor, { kind: 'event' }>;
      readonly equals: readonly unknown[];
      readonly wait: number;
    }
  >();
  readonly #failures = new Map<string, { readonly count: number; readonly openedAtMs?: number }>();
  #count = 0;

  constructor(script: Script) {
    this.#script = script;
    this.nowMs = script.nowMs;
    for (const { atMs, what } of script.happenings) {
      // Events find their listeners when they happen, not before.
      const event = what.kind === 'event' ? ({ kind: 'heard', wait: -1, event: what.event } as const) : what;
      this.#later(atMs, event);
    }
  }

  /** The next thing that happens; time goes on to it. */
  next(): RunEvent | undefined {
    for (;;) {
      const due = this.#due.shift();
      if (!due) return undefined;
      this.nowMs = Math.max(this.nowMs, due.atMs);
      const { event } = due;
      if (event.kind !== 'heard' || event.wait !== -1) return event;
      const hearers = this.#hearersOf(event.event as Record<string, unknown>);
      for (const wait of hearers.slice(1).reverse()) this.#later(this.nowMs, { ...event, wait }, true);
      if (hearers.length > 0) return { ...event, wait: hearers[0]! };
    }
  }

  random(): number {
    return this.#script.random();
  }

  ask(command: Command): string {
    const { name, version, payload, step, wait, timeoutMs } = command;
    const answer = this.#script.answer(command);
    this.#tell(step, 'call', `${name}@${version}`, payload);
    const { returns, fails, afterMs = 0 } = answer;
    if (timeoutMs !== undefined && afterMs > timeoutMs) {
      const error = { code: 'NEIRA_DEADLINE', message: `it was not done within ${timeoutMs} ms` };
      return this.#later(this.nowMs + timeoutMs, { kind: 'answer', wait: wait!, error });
    }
    const atMs = this.nowMs + afterMs;
    if (fails) return this.#later(atMs, { kind: 'answer', wait: wait!, error: fails });
    if (name !== 'scenario.run') return this.#later(atMs, { kind: 'answer', wait: wait!, result: returns });
    const id = this.#later(this.nowMs, { kind: 'answer', wait: wait!, result: { run_id: `child-${wait}` } });
    this.#later(atMs, { kind: 'child', wait: wait!, outcome: 'succeeded', returned: returns });
    return id;
  }

  takeBack(ask: string): void {
    this.#drop(ask);
  }

  publish({ name, version, payload, step, atMs = this.nowMs }: Command & { readonly atMs?: number }): void {
    this.sent.push({ atMs, step, what: 'publish', name: `${name}@${version}`, payload });
  }

  wakeAt(atMs: number, before: { readonly id: string } | undefined): string {
    if (before) this.#drop(before.id);
    return this.#later(atMs, { kind: 'time' });
  }

  sleepOn(id: string): void {
    this.#drop(id);
  }

  goOn(): void {
    this.#later(this.nowMs, { kind: 'continue' });
  }

  take(): boolean {
    return true;
  }

  give(): void {}

  isOpen(key: string, resetMs: number): boolean {
    const openedAtMs = this.#failures.get(key)?.openedAtMs;
    return openedAtMs !== undefined && this.nowMs - openedAtMs < resetMs;
  }

  tell(key: string, ended: 'good' | 'bad', threshold: number): void {
    if (ended === 'good') {
      this.#failures.delete(key);
      return;
    }
    const count = (this.#failures.get(key)?.count ?? 0) + 1;
    this.#failures.set(key, { count, ...(count >= threshold && { openedAtMs: this.nowMs }) });
  }

  listen(what: Extract<WaitFor, { kind: 'event' }>, equals: readonly unknown[], wait: number): string {
    this.#listening.set(`place-${wait}`, { what, equals, wait });
    return `place-${wait}`;
  }

  deafen(place: string): void {
    this.#listening.delete(place);
  }

  question(wait: number, text: unknown, choices: unknown, to: unknown): string {
    this.#tell(`question-${wait}`, 'question', 'question', {
      text,
      ...(choices !== undefined && { choices }),
      ...(to !== undefined && { to }),
    });
    const reply = this.#script.reply(text);
    if (reply) this.#later(this.nowMs + reply.afterMs, { kind: 'reply', wait, value: reply.value });
    return `question-${wait}`;
  }

  unquestion(): void {}
  cancelChild(): void {}
  tellParent(): void {}
  spend(): void {}

  observe(step: string, name: string, props: unknown): void {
    this.#tell(step, 'observe', name, props);
  }

  log(step: string, level: string, message: string): void {
    this.#tell(step, 'log', level, message);
  }

  #tell(step: string, what: Sent['what'], name: string, payload: unknown): void {
    this.sent.push({ atMs: this.nowMs, step, what, name, payload });
  }

  #hearersOf(event: Record<string, unknown>): readonly number[] {
    const hears = ({
      what,
      equals,
    }: {
      what: Extract<WaitFor, { kind: 'event' }>;
      equals: readonly unknown[];
    }) =>
      what.event === event['event_name'] &&
      (what.version === undefined || what.version === event['version']) &&
      (what.filter === undefined || evaluate(what.filter, { event }) === true) &&
      what.correlate.every(({ path }, place) => same(valueAt(event, path), equals[place]));
    return [...this.#listening.values()].filter(hears).map(({ wait }) => wait);
  }

  /** In the order of time, and of what was said first. */
  #later(atMs: number, event: RunEvent, first = false): string {
    this.#count += 1;
    const id = `later-${this.#count}`;
    const place = this.#due.findIndex((due) => due.atMs > atMs || (first && due.atMs === atMs));
    this.#due.splice(place < 0 ? this.#due.length : place, 0, { atMs, id, event });
    return id;
  }

  #drop(id: string): void {
    const place = this.#due.findIndex((due) => due.id === id);
    if (place >= 0) this.#due.splice(place, 1);
  }
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** `payload.chat.id` of an envelope. */
export function valueAt(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((at, name) => (at as Record<string, unknown> | null)?.[name], value);
}

export function notStubbed(command: Command): never {
  throw failed('SCENARIO_NOT_STUBBED', `no stub says what ${command.name} answers`);
}
