/** What each kind of step does when it begins, and when a block of it has come to its end. */

import { evaluate } from '../language/expressions.ts';
import type {
  CallStep,
  Doing,
  EachStep,
  IfStep,
  Node,
  ParallelStep,
  PublishStep,
  RunStep,
  SwitchStep,
  WaitStep,
  WhileStep,
} from '../program.ts';
import {
  filled,
  isTrue,
  keep,
  keyOf,
  kindOf,
  type Machine,
  nextNumber,
  nodeOf,
  numberOf,
  row,
  scopeOf,
  spawn,
  spend,
  turnAt,
} from './machine.ts';
import type { Frame, Scope, Thread, Wait } from './state.ts';
import { failed } from './world.ts';

/**
 * `done`: it has ended with this value. `entered`: its block is gone through. `waits`: something has to happen first.
 * `returned`: the whole run has ended.
 */
export type Begun =
  | { readonly kind: 'done'; readonly value?: unknown; readonly set?: Readonly<Record<string, unknown>> }
  | { readonly kind: 'entered' }
  | { readonly kind: 'waits' }
  | { readonly kind: 'returned'; readonly value: unknown };

interface Step<Kind extends Doing['kind'] = Doing['kind']> {
  readonly m: Machine;
  readonly thread: Thread;
  readonly frame: Frame;
  readonly node: Extract<Node, { kind: Kind }>;
}

const DONE: Begun = { kind: 'done' };
const ENTERED: Begun = { kind: 'entered' };
const WAITS: Begun = { kind: 'waits' };

/** @throws {StepFailure} */
export function begin(m: Machine, thread: Thread, frame: Frame, node: Node): Begun {
  const step = { m, thread, frame, node } as never;
  return BEGINNINGS[node.kind](step);
}

/** A block of a step has been gone through. @throws {StepFailure} */
export function afterBlock(m: Machine, thread: Thread, frame: Frame, node: Node): Begun {
  if (frame.block === 'fallback') return { kind: 'done', value: frame.value };
  const step = { m, thread, frame, node } as never;
  if (node.kind === 'each') return afterTurn(step);
  if (node.kind === 'while') return beginWhile(step);
  return { kind: 'done', value: frame.value };
}

const BEGINNINGS: { readonly [Kind in Doing['kind']]: (step: Step<Kind>) => Begun } = {
  call: beginCall,
  publish: beginPublish,
  set({ m, thread, node }) {
    const values = Object.fromEntries(
      Object.entries(node.values).map(([name, template]) => [name, filled(m, thread, template)]),
    );
    keep(m, values);
    return { kind: 'done', set: values };
  },
  if: beginIf,
  switch: beginSwitch,
  each: beginEach,
  while: beginWhile,
  parallel: beginParallel,
  group({ m, thread, frame, node }) {
    if (node.vars) frame.vars = filled(m, thread, node.vars) as Scope;
    return enter(frame, 'body');
  },
  wait: beginWait,
  run: beginRun,
  abort({ m, thread, node }) {
    throw failed(node.code, textOf(filled(m, thread, node.message)));
  },
  return({ m, thread, node }) {
    return { kind: 'returned', value: filled(m, thread, node.value) };
  },
  observe({ m, thread, node }) {
    m.world.observe(keyOf(m, thread), node.event, filled(m, thread, node.props));
    return DONE;
  },
  log({ m, thread, node }) {
    m.world.log(keyOf(m, thread), node.level, textOf(filled(m, thread, node.message)));
    return DONE;
  },
};

function enter(frame: Frame, block: string): Begun {
  frame.block = block;
  frame.at = 0;
  return ENTERED;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

// --- what goes out

function beginCall({ m, thread, frame, node }: Step<'call'>): Begun {
  const payload = filled(m, thread, node.with);
  const name = `${node.command}@${node.version}`;
  spend(m, { calls: 1 });
  waitFor(m, thread, frame, node, { sent: { name, payload } }, (id) => ({
    kind: 'answer',
    id,
    ask: m.world.ask(commandOf(m, thread, frame, node, payload, id)),
  }));
  return WAITS;
}

function commandOf(m: Machine, thread: Thread, frame: Frame, node: CallStep, payload: unknown, wait: number) {
  const { deadlineMs } = frame;
  return {
    name: node.command,
    version: node.version,
    payload,
    step: keyOf(m, thread),
    attempt: frame.attempt,
    wait,
    ...(deadlineMs !== undefined && { timeoutMs: Math.max(deadlineMs - m.world.nowMs, 1) }),
    ...(node.effect === 'pure' && { isPure: true as const }),
    ...(m.run.dry && node.dryRun !== undefined && { dryRun: filled(m, thread, node.dryRun) }),
  };
}

function beginPublish({ m, thread, frame, node }: Step<'publish'>): Begun {
  const { event, version, afterMs } = node as PublishStep;
  const payload = filled(m, thread, node.with);
  const inMs = afterMs === undefined ? 0 : numberOf(filled(m, thread, afterMs), 'after');
  const step = keyOf(m, thread);
  m.world.publish({
    name: event,
    version,
    payload,
    step,
    attempt: frame.attempt,
    ...(inMs > 0 && { atMs: m.world.nowMs + inMs }),
  });
  row(m, thread, 'started', { sent: { name: `${event}@${version}`, payload } });
  return DONE;
}

/** A sub-scenario: its start is a command like any other, and then its end is waited for. */
function beginRun({ m, thread, frame, node }: Step<'run'>): Begun {
  const { scenario } = node as RunStep;
  const payload = { id: scenario, ctx: filled(m, thread, node.with) };
  waitFor(m, thread, frame, node, { sent: { name: 'scenario.run@1', payload } }, (id) => ({
    kind: 'answer',
    id,
    ask: m.world.ask({
      name: 'scenario.run',
      version: 1,
      payload,
      step: keyOf(m, thread),
      attempt: frame.attempt,
      wait: id,
    }),
  }));
  return WAITS;
}

/** The step stands still for what `make` arranges. */
function waitFor(
  m: Machine,
  thread: Thread,
  frame: Frame,
  node: Node,
  told: Parameters<typeof row>[3],
  make: (id: number) => Wait,
): void {
  const id = nextNumber(m);
  frame.wait = make(id);
  const { patienceMs } = node as Partial<WaitStep>;
  if (patienceMs !== undefined && frame.wait.dueMs === undefined)
    frame.wait = { ...frame.wait, dueMs: m.world.nowMs + patienceMs };
  row(m, thread, 'started', { ...told, wait: id });
}

// --- waits

function beginWait({ m, thread, frame, node }: Step<'wait'>): Begun {
  const { for: what } = node;
  const { world } = m;
  switch (what.kind) {
    case 'time': {
      const dueMs = dueOf(m, thread, what);
      if (dueMs <= world.nowMs) return DONE;
      waitFor(m, thread, frame, node, { waits: `until ${new Date(dueMs).toISOString()}` }, (id) => ({
        kind: 'time',
        id,
        dueMs,
      }));
      return WAITS;
    }
    case 'event': {
      const equals = what.correlate.map((each) => filled(m, thread, each.equals));
      waitFor(m, thread, frame, node, { waits: `event ${what.event}` }, (id) => ({
        kind: 'event',
        id,
        place: world.listen(what, equals, id),
      }));
      return WAITS;
    }
    case 'signal': {
      const signal = textOf(filled(m, thread, what.signal));
      waitFor(m, thread, frame, node, { waits: `signal ${signal}` }, (id) => ({
        kind: 'signal',
        id,
        signal,
      }));
      return WAITS;
    }
    case 'answer': {
      const question = filled(m, thread, what.question);
      const choices = what.choices === undefined ? undefined : filled(m, thread, what.choices);
      const to = what.to === undefined ? undefined : filled(m, thread, what.to);
      waitFor(m, thread, frame, node, { waits: `answer to ${JSON.stringify(question)}` }, (id) => ({
        kind: 'person',
        id,
        question: world.question(id, question, choices, to),
      }));
      return WAITS;
    }
  }
}

function dueOf(
  m: Machine,
  thread: Thread,
  { ms, until }: { readonly ms?: unknown; readonly until?: unknown },
): number {
  if (ms !== undefined) return m.world.nowMs + Math.max(numberOf(filled(m, thread, ms), 'the time'), 0);
  const value = filled(m, thread, until);
  const dueMs = typeof value === 'string' ? Date.parse(value) : numberOf(value, 'until');
  if (Number.isFinite(dueMs)) return dueMs;
  throw failed(
    'SCENARIO_EXPRESSION',
    `until is ${JSON.stringify(value)}, and has to be a date and time (RFC 3339)`,
  );
}

// --- ways

function beginIf({ m, thread, frame, node }: Step<'if'>): Begun {
  const { branches, otherwise } = node as IfStep;
  const place = branches.findIndex(({ when }) => isTrue(m, thread, when));
  if (place >= 0) return enter(frame, `b${place}`);
  return otherwise.length > 0 ? enter(frame, 'else') : DONE;
}

function beginSwitch({ m, thread, frame, node }: Step<'switch'>): Begun {
  const { on, cases, otherwise } = node as SwitchStep;
  const value = JSON.stringify(evaluate(on, scopeOf(m, thread)));
  const place = cases.findIndex(({ equals }) =>
    equals.some((each) => JSON.stringify(filled(m, thread, each)) === value),
  );
  if (place >= 0) return enter(frame, `c${place}`);
  return otherwise.length > 0 ? enter(frame, 'else') : DONE;
}

// --- loops and branches

function beginEach({ m, thread, frame, node }: Step<'each'>): Begun {
  const { items: of, max, atATime } = node as EachStep;
  const items = listOf(evaluate(of, scopeOf(m, thread)), of);
  if (items.length > max)
    throw failed('SCENARIO_LOOP_LIMIT', `\`${of}\` has ${items.length} items, \`max\` allows ${max}`);
  frame.items = items;
  frame.values = [];
  if (items.length === 0) return { kind: 'done', value: [] };
  if (atATime > 1) return beginTogether(m, thread, frame, atATime);
  frame.turn = 0;
  return enter(frame, 'body');
}

function listOf(value: unknown, source: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (value !== null && typeof value === 'object')
    return Object.entries(value).map(([key, each]) => ({ key, value: each }));
  throw failed('SCENARIO_EXPRESSION', `\`${source}\` is ${kindOf(value)}, and has to be a list or an object`);
}

function afterTurn({ frame }: Step<'each'>): Begun {
  if (frame.wants) frame.values!.push(frame.value ?? null);
  delete frame.value;
  frame.turn! += 1;
  if (frame.turn! < frame.items!.length) return enter(frame, 'body');
  const { values } = frame;
  delete frame.turn;
  return { kind: 'done', value: values };
}

/** The items go side by side, `atATime` of them; where one ends, the next begins. */
function beginTogether(m: Machine, thread: Thread, frame: Frame, atATime: number): Begun {
  frame.ended = { good: 0, bad: 0 };
  const first = Math.min(atATime, frame.items!.length);
  const depth = thread.frames.length - 1;
  for (let place = 0; place < first; place += 1) spawnItem(m, thread, depth, place);
  frame.at = first;
  frame.wait = { kind: 'branches', id: nextNumber(m) };
  return WAITS;
}

/** Begins with the item at this place of a loop that works on several at a time. */
export function spawnItem(m: Machine, thread: Thread, depth: number, place: number): void {
  const frame = thread.frames[depth]!;
  const { as } = nodeOf(m, frame) as EachStep;
  spawn(m, thread, depth, {
    name: String(place),
    block: 'body',
    turn: place,
    vars: { turn: turnAt(place), [as]: frame.items![place] },
  });
}

function beginWhile({ m, thread, frame, node }: Step<'while'>): Begun {
  const { while: condition, max } = node as WhileStep;
  const turn = frame.turn === undefined ? 0 : frame.turn + 1;
  // Seen from outside of the loop the first time, from within its last turn later.
  if (!isTrue(m, thread, condition)) {
    delete frame.turn;
    return { kind: 'done', value: frame.value };
  }
  if (turn >= max)
    throw failed(
      'SCENARIO_LOOP_LIMIT',
      `\`${condition}\` is still true after ${max} turns, as many as \`max\` allows`,
    );
  frame.turn = turn;
  return enter(frame, 'body');
}

function beginParallel({ m, thread, frame, node }: Step<'parallel'>): Begun {
  const { branches } = node as ParallelStep;
  frame.ended = { good: 0, bad: 0 };
  frame.values = [];
  frame.wait = { kind: 'branches', id: nextNumber(m) };
  const depth = thread.frames.length - 1;
  for (const [place, { name }] of branches.entries()) spawn(m, thread, depth, { name, block: `b${place}` });
  return WAITS;
}
