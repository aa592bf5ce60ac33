/** What the queue of turns holds: deliveries with their plugin, and the lines in which they wait. */
import type { Question } from '../../gates/decide.ts';
import type { Mode } from '../../gates/gates.ts';
import type { EventCaller, Settlement } from '../store/bus-records.ts';
import type { Effect, TurnOutcome, TurnRecord } from '../store/records.ts';
import type { PluginPolicy, TurnDelivery } from '../turn-context.ts';

/** A plugin as turns need it. */
export interface Serving {
  readonly id: string;
  readonly state: Extract<Question, { about: 'delivery' }>['plugin'];
  readonly generation: number;
  readonly policy: PluginPolicy;
  /** Cells that its turns may be spread over. */
  readonly concurrency: number;
  /** The cell that it has to itself: a component's. */
  readonly cell?: number;
  /** Whether it was granted anything that changes or sends something. */
  readonly writes: boolean;
}

export interface IncomingEvent {
  readonly eventId: string;
  readonly subject: string;
  readonly envelope: string;
  /** Of the span that it comes from; one from a mailbox has it in its envelope. */
  readonly traceparent?: string;
  /** Deliveries of one key run in order; undefined promises no order. */
  readonly key: string | undefined;
  readonly caller: EventCaller;
  readonly mode: Mode;
  readonly dryRun: boolean;
  /** Of a dry run. */
  readonly dry?: DryChain;
  /** After this moment nothing of it is kept. */
  readonly deadlineAtMs?: number;
  readonly idempotency?: { readonly key: string; readonly digest: string };
  /** Not before this moment; those of the same key wait behind it. */
  readonly notBeforeMs?: number;
  /** Set for a delivery that lies in a mailbox until its turn commits. */
  readonly mailbox?: MailboxPlace;
}

/** A dry run and all that would come of it: later turns of it see what earlier ones would have kept. */
export interface DryChain {
  /** The moment at which the turn plays; delays are jumped. */
  readonly nowMs?: number | undefined;
  /** What turns of this plugin staged so far; undefined outside of a chain. */
  prior(plugin: string): readonly Effect[] | undefined;
  /** A turn of it came to its end. */
  ran(plugin: string, record: TurnRecord): void;
  /** What to answer instead of asking: `V<json>`, `U`, `E<refusal>`; undefined to ask dry. */
  answer(plugin: string, op: string, args: string): string | undefined;
}

export interface MailboxPlace {
  readonly id: number;
  /** Attempts before the first that this process makes. */
  readonly attempts: number;
  readonly triesLeftFrom: number;
  readonly subscriptions: string;
  /** JSON of who waits for the answer, when somebody does. */
  readonly chain?: string;
  /** What serves now; undefined when the plugin may not run. */
  serving(): Serving | undefined;
  /** Told at each attempt that failed and will be made again. */
  failing(): void;
}

export type TurnResult =
  | {
      readonly kind: 'committed';
      readonly outcome: TurnOutcome;
      /** What became of the delivery, for one from a mailbox: done or dead. */
      readonly settlement?: Settlement;
    }
  /** The client's idempotency key was used before: the stored reply, JSON. */
  | { readonly kind: 'replayed'; readonly reply: string }
  /** The delivery had been settled or dropped otherwise; nothing was done. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'dry'; readonly record: TurnRecord };

export interface Task {
  /** Rises in the order of arrival. */
  readonly sequence: number;
  serving: Serving;
  readonly event: IncomingEvent;
  readonly lane: Lane;
  readonly line: Line;
  delivery: TurnDelivery;
  cell: number;
  conflicts: number;
  /** Attempts that failed in this process. */
  failures: number;
  readonly arrivedAtMs: number;
  sentAtMs: number;
  /** Time in cells before {@link sentAtMs}. */
  insideMs: number;
  /** Stands still inside its cell: it keeps its key, not its place. */
  suspended: boolean;
  /** When it first found a mailbox full that it publishes to. */
  blockedSinceMs?: number;
  /** Runs only while nothing else of its plugin is in flight. */
  alone: boolean;
  /** Aborted when it settles or goes back to its mailbox; made when it first waits for something. */
  over?: AbortController;
  resolve(result: TurnResult): void;
  reject(error: unknown): void;
}

export function newTask(
  sequence: number,
  serving: Serving,
  event: IncomingEvent,
  line: Line,
  settle: Pick<Task, 'resolve' | 'reject'>,
): Task {
  return {
    sequence,
    serving,
    event,
    lane: line.lane,
    line,
    delivery: deliveryOf(serving, event),
    cell: -1,
    conflicts: 0,
    failures: 0,
    arrivedAtMs: Date.now(),
    sentAtMs: 0,
    insideMs: 0,
    suspended: false,
    alone: false,
    ...settle,
  };
}

/** Deliveries of one key, in order; one without a key has a line to itself. */
export interface Line {
  readonly lane: Lane;
  readonly key: string | undefined;
  readonly waiting: Task[];
  running: number;
  /** Whether it stands among the lines that are ready. */
  offered: boolean;
  /** Its first delivery is not tried again before this. */
  heldUntilMs: number;
}

/** One plugin's deliveries. */
export interface Lane {
  readonly plugin: string;
  /** Lines whose first delivery may go. */
  readonly ready: Line[];
  readonly lines: Map<string, Line>;
  waiting: number;
  inFlight: number;
  suspended: number;
  /** Moving average of how long a delivery stays in flight. */
  averageMs: number;
  /** A mailbox that it publishes to was full: until then only what somebody waits for runs. */
  pausedUntilMs: number;
}

export function newLane(plugin: string): Lane {
  const counts = { waiting: 0, inFlight: 0, suspended: 0, averageMs: 0, pausedUntilMs: 0 };
  return { plugin, ready: [], lines: new Map(), ...counts };
}

export function isFromMailbox(
  task: Task,
): task is Task & { readonly event: { readonly mailbox: MailboxPlace } } {
  return task.event.mailbox !== undefined;
}

/** Whether `next` may go along with `head`, before that is acknowledged. */
export function mayFollow(head: Task, next: Task): boolean {
  return isFromMailbox(head) && isFromMailbox(next) && !head.alone && !next.alone && next.failures === 0;
}

/** A dry run takes no place in the order: nothing comes of it. */
export function orderKey({ dryRun, key }: IncomingEvent): string | undefined {
  return dryRun ? undefined : key;
}

/** Into its place by order of arrival; those that come back belong near the front. */
export function insertInOrder(tasks: Task[], task: Task): void {
  const last = tasks.at(-1);
  if (last === undefined || last.sequence < task.sequence) tasks.push(task);
  else
    tasks.splice(
      tasks.findIndex(({ sequence }) => sequence > task.sequence),
      0,
      task,
    );
}

export function deliveryOf(serving: Serving, event: IncomingEvent, failures = 0): TurnDelivery {
  const { eventId, subject, envelope, caller, mode, dryRun, dry, deadlineAtMs, mailbox } = event;
  const prior = dry?.prior(serving.id);
  const attempts = (mailbox?.attempts ?? 0) + failures;
  const deliveryId = `${eventId}:${serving.id}`;
  // An event may lie in a mailbox twice: put back by hand, or sent again by another hub.
  const place = mailbox ? `${deliveryId}:${mailbox.id}` : deliveryId;
  return {
    attempt: 0,
    generation: serving.generation,
    turnId: attempts === 0 ? place : `${place}#${attempts + 1}`,
    deliveryId,
    eventId,
    subject,
    envelope,
    caller,
    mode,
    dryRun,
    ...(deadlineAtMs !== undefined && { deadlineAtMs }),
    ...(event.idempotency && { idempotency: event.idempotency }),
    ...(prior && { prior }),
    ...(dry?.nowMs !== undefined && { startsAtMs: dry.nowMs }),
    ...(mailbox && {
      mailbox: {
        id: mailbox.id,
        attempts,
        triesLeftFrom: mailbox.triesLeftFrom,
        subscriptions: mailbox.subscriptions,
      },
    }),
  };
}

/** Deliveries of a key always go to the same cell; a script is spread over as many cells as it may use. */
export function cellOf({ serving, delivery, event }: Task, cells: number): number {
  if (serving.cell !== undefined) return serving.cell;
  const spread = Math.min(serving.concurrency, cells);
  const home = hash(serving.id);
  return (home + (spread > 1 ? hash(event.key ?? delivery.turnId) % spread : 0)) % cells;
}

function hash(text: string): number {
  let value = 2_166_136_261;
  for (let index = 0; index < text.length; index++)
    value = Math.imul(value ^ text.charCodeAt(index), 16_777_619);
  return value >>> 0;
}
