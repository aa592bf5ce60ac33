/** What the model throws at the engine: scenarios that share locks, pools and places, and what happens to their runs. */
import fc from 'fast-check';

const work = (more = '') => `{call: tool.do, with: {n: 1}${more}}`;

/** By id. Each has something that another has as well. */
export const SCENARIOS: Readonly<Record<string, string>> = {
  many: `
id: many
mode: parallel
max: 3
steps: [${work(', locks: [x]')}, {wait: 1s}, ${work(', pool: io')}]`,
  line: `
id: line
mode: queued
max: 4
steps: [${work(', pool: cpu')}, ${work(', locks: [y]')}]`,
  alone: `
id: alone
mode: single
steps: [{locks: [x, y], steps: [${work()}, {wait: 500ms}]}]`,
  anew: `
id: anew
mode: restart
steps: [${work(', locks: [y, x], compensate: {call: tool.undo}')}, {wait: {signal: go}, timeout: 20s}]`,
  few: `
id: few
mode: parallel
max: 100
max_concurrent_per_scenario: 2
steps: [${work(', pool: cpu, retries: {max: 2, backoff: {base: 100ms}}')}, {wait: 2s}, ${work()}]`,
  side: `
id: side
mode: parallel
max: 5
steps:
  - parallel: {branches: {a: [${work(', locks: [x]')}], b: [${work(', locks: [z], pool: io')}, {wait: 300ms}]}}
  - loop: {for: '\${[1, 2, 3]}', as: n, at_a_time: 2, steps: [${work(', locks: [z]')}]}`,
  lent: `
id: lent
mode: parallel
max: 6
steps:
  - locks: [x, y]
    release_locks: true
    steps:
      - ${work()}
      - {wait: 1s}
      - ${work()}
      - parallel: {branches: {a: [{wait: 200ms}, ${work()}], b: [{wait: {signal: go}, timeout: 9s, on_error: {strategy: fallback, value: null}}, ${work()}]}}`,
  paid: `
id: paid
mode: parallel
max: 10
quota: {daily: {runs: 4}, per: user}
steps: [${work()}]`,
};

export type Op =
  | {
      readonly op: 'start';
      readonly scenario: string;
      readonly priority: string;
      readonly user: string;
      readonly force: boolean;
    }
  /** So many turns; which deliveries come is chance. */
  | { readonly op: 'turns'; readonly count: number }
  /** The process dies before the next turn commits. */
  | { readonly op: 'die' }
  | { readonly op: 'answer'; readonly count: number; readonly fails: boolean }
  | { readonly op: 'time'; readonly ms: number }
  | { readonly op: 'steer'; readonly how: 'cancel' | 'pause' | 'resume' | 'signal'; readonly which: number };

export interface History {
  readonly seed: number;
  readonly settings: {
    readonly max_concurrent_per_node: number;
    readonly pools: { readonly cpu: number; readonly io: number };
    readonly steps_per_turn: number;
  };
  readonly ops: readonly Op[];
}

const start: fc.Arbitrary<Op> = fc.record({
  op: fc.constant('start' as const),
  scenario: fc.constantFrom(...Object.keys(SCENARIOS)),
  priority: fc.constantFrom('LOW', 'NORM', 'NORM', 'HIGH'),
  user: fc.constantFrom('client:ann', 'client:bob'),
  force: fc.constantFrom(false, false, false, false, true),
});

const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 4, arbitrary: start },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 12 }) }),
  },
  { weight: 1, arbitrary: fc.constant<Op>({ op: 'die' }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('answer' as const),
      count: fc.integer({ min: 1, max: 4 }),
      fails: fc.constantFrom(false, false, false, true),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('time' as const), ms: fc.constantFrom(50, 400, 1000, 5000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('steer' as const),
      how: fc.constantFrom('cancel' as const, 'pause' as const, 'resume' as const, 'signal' as const),
      which: fc.nat(),
    }),
  },
);

export const history: fc.Arbitrary<History> = fc.record({
  seed: fc.nat(),
  settings: fc.record({
    max_concurrent_per_node: fc.constantFrom(0, 0, 1, 2, 4),
    pools: fc.record({ cpu: fc.constantFrom(1, 2), io: fc.constantFrom(1, 3) }),
    steps_per_turn: fc.constantFrom(1, 2, 100),
  }),
  ops: fc.array(op, { minLength: 5, maxLength: 80, size: 'max' }),
});
