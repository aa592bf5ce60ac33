/** A run on the move, and what all parts of the interpreter ask of it. */
import { evaluate, fill } from '../language/expressions.ts';
import type { Block, Expression, Node, Program, Template } from '../program.ts';
import {
  type Frame,
  ROOT,
  type Run,
  type Scope,
  type StepChange,
  type StepRow,
  type Thread,
} from './state.ts';
import { failed, type World } from './world.ts';

export interface Machine {
  readonly run: Run;
  readonly program: Program;
  readonly world: World;
  /** What happened in this turn. */
  readonly rows: StepRow[];
  /** Steps that this turn may still begin. */
  left: number;
  /** The step before which it stood, and does not stand again. */
  passes?: string;
  /** A step before which it pauses. */
  readonly stopBefore?: string;
}

/** What `bag` may hold, as JSON: the run has to fit a value of the store, whatever its letters. */
const MAX_BAG_CHARS = 64 * 1024;

export function top(thread: Thread): Frame {
  return thread.frames.at(-1)!;
}

export function nodeOf({ program }: Machine, { node }: Frame): Node {
  return program.nodes[node]!;
}

export function threadOf({ run }: Machine, id: number): Thread | undefined {
  return run.threads.find((each) => each.id === id);
}

/** Where a wait is: the step that stands still for it. */
export function frameOfWait(
  { run }: Machine,
  wait: number,
): { readonly thread: Thread; readonly depth: number } | undefined {
  for (const thread of run.threads) {
    const depth = thread.frames.findIndex((frame) => frame.wait?.id === wait);
    if (depth >= 0) return { thread, depth };
  }
  return undefined;
}

/** The steps that a frame goes through. */
export function blockOf({ program }: Machine, frame: Frame): Block {
  const { block = '' } = frame;
  if (frame.node === ROOT) {
    if (block === '') return program.steps;
    return program.nodes[Number(block.slice('undo:'.length))]!.compensate ?? [];
  }
  const node = program.nodes[frame.node]!;
  if (block === 'fallback') return node.fallback?.steps ?? [];
  switch (node.kind) {
    case 'if':
      return block === 'else' ? node.otherwise : node.branches[placeIn(block)]!.steps;
    case 'switch':
      return block === 'else' ? node.otherwise : node.cases[placeIn(block)]!.steps;
    case 'parallel':
      return node.branches[placeIn(block)]!.steps;
    case 'each':
    case 'while':
    case 'group':
      return node.steps;
    default:
      return [];
  }
}

function placeIn(block: string): number {
  return Number(block.slice(1));
}

/** Turns of the loops around a step of this frame, from the outside in. */
export function turnsOf(thread: Thread, depth = thread.frames.length): readonly number[] {
  const inside = thread.frames.slice(0, depth).flatMap(({ turn }) => (turn === undefined ? [] : [turn]));
  return inside.length === 0 ? thread.turns : [...thread.turns, ...inside];
}

/** By what a step is known within its run: its path, and the turns of the loops around it (SCN-07). */
export function stepKey(path: string, turns: readonly number[]): string {
  return turns.length === 0 ? path : `${path}[${turns.join('.')}]`;
}

export function keyOf(m: Machine, thread: Thread, depth = thread.frames.length - 1): string {
  return stepKey(nodeOf(m, thread.frames[depth]!).path, turnsOf(thread, depth));
}

// --- expressions

/** What expressions see at the end of this thread. */
export function scopeOf(m: Machine, thread: Thread, extra: Record<string, unknown> = {}) {
  const { run, world } = m;
  const scope: Record<string, unknown> = {
    ctx: run.ctx,
    bag: run.bag,
    event: run.event ?? null,
    run: { id: run.id, scenario: run.scenario, started_at: run.startedAtMs ?? run.createdAtMs },
    now: world.nowMs,
    ...thread.vars,
  };
  for (const frame of thread.frames) {
    if (frame.error) scope['error'] = frame.error;
    if (frame.vars) Object.assign(scope, frame.vars);
    if (frame.turn === undefined) continue;
    scope['turn'] = turnAt(frame.turn);
    const node = nodeOf(m, frame);
    if (node.kind === 'each' && frame.items) scope[node.as] = frame.items[frame.turn];
  }
  const { turn } = scope as { readonly turn?: ReturnType<typeof turnAt> };
  // A whole number of CEL, so that it may be a place in a list.
  if (turn) scope['turn'] = { ...turn, index: BigInt(turn.index) };
  return Object.assign(scope, extra);
}

/** What expressions see of the turn of a loop. */
export function turnAt(index: number) {
  return { index, first: index === 0 };
}

export function filled(m: Machine, thread: Thread, template: Template): unknown {
  let scope: ReturnType<typeof scopeOf> | undefined;
  return fill(template, () => {
    scope ??= scopeOf(m, thread);
    return scope;
  });
}

export function isTrue(
  m: Machine,
  thread: Thread,
  expression: Expression,
  extra?: Record<string, unknown>,
): boolean {
  const value = evaluate(expression, scopeOf(m, thread, extra));
  if (typeof value === 'boolean') return value;
  throw failed('SCENARIO_EXPRESSION', `\`${expression}\` is ${kindOf(value)}, and has to be true or false`);
}

export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** A moment or a span that an expression came to. */
export function numberOf(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw failed('SCENARIO_EXPRESSION', `${what} is ${kindOf(value)}, and has to be a number of milliseconds`);
}

// --- what it keeps

export function keep({ run }: Machine, values: Readonly<Record<string, unknown>>): void {
  Object.assign(run.bag, values);
  const chars = JSON.stringify(run.bag).length;
  if (chars <= MAX_BAG_CHARS) return;
  for (const name of Object.keys(values)) delete run.bag[name];
  throw failed(
    'SCENARIO_BAG_TOO_LARGE',
    `the bag would hold ${chars} characters, ${MAX_BAG_CHARS} are allowed; keep large data where it is and its id in the bag`,
    { names: Object.keys(values) },
  );
}

/** @throws {StepFailure} SCENARIO_QUOTA */
export function spend({ run, world }: Machine, costs: Readonly<Record<string, number>>): void {
  for (const [name, n] of Object.entries(costs)) run.costs[name] = (run.costs[name] ?? 0) + n;
  world.spend(costs);
}

export function nextNumber({ run }: Machine): number {
  return run.nextNumber++;
}

/** @param more beside what the frame tells by itself */
export function row(
  m: Machine,
  thread: Thread,
  what: StepChange,
  more: Partial<StepRow> = {},
  depth = thread.frames.length - 1,
): void {
  const frame = thread.frames[depth]!;
  const { name } = nodeOf(m, frame);
  const { nowMs } = m.world;
  m.rows.push({
    step: keyOf(m, thread, depth),
    name,
    what,
    attempt: frame.attempt,
    atMs: nowMs,
    ...(what !== 'started' && what !== 'skipped' && { latencyMs: nowMs - frame.startedAtMs }),
    ...more,
  });
}

// --- branches

/** Begins a branch of the step at this depth of `thread`. */
export function spawn(
  m: Machine,
  thread: Thread,
  depth: number,
  branch: { readonly name: string; readonly block: string; readonly turn?: number; readonly vars?: Scope },
): void {
  const { node, attempt, wants } = thread.frames[depth]!;
  const { name, block, turn, vars } = branch;
  const turns = turnsOf(thread, depth);
  m.run.threads.push({
    id: nextNumber(m),
    of: { thread: thread.id, depth },
    branch: name,
    turns: turn === undefined ? turns : [...turns, turn],
    vars: { ...varsOf(m, thread, depth), ...vars },
    frames: [{ node, attempt, startedAtMs: m.world.nowMs, block, at: 0, ...(wants && { wants }) }],
  });
}

export function branchesOf({ run }: Machine, thread: Thread, depth: number): Thread[] {
  return run.threads.filter(({ of }) => of?.thread === thread.id && of.depth === depth);
}

/** Loop variables that a step of this depth sees, for those who come to it later. */
export function varsOf(m: Machine, thread: Thread, depth: number): Scope {
  const vars: Record<string, unknown> = { ...thread.vars };
  for (const frame of thread.frames.slice(0, depth)) {
    if (frame.vars) Object.assign(vars, frame.vars);
    if (frame.turn === undefined) continue;
    vars['turn'] = turnAt(frame.turn);
    const node = nodeOf(m, frame);
    if (node.kind === 'each' && frame.items) vars[node.as] = frame.items[frame.turn];
  }
  return vars;
}
