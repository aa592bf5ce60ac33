import { describe, expect, test } from 'vitest';
import { type Decision, decide, type Operation, type PluginState, type Question } from './decide.ts';
import type { Mode, Scope, Stage } from './gates.ts';

const stages: Stage[] = ['locked', 'experimental', 'stable'];
const modes: Mode[] = ['normal', 'safe'];
const callers: (Scope | 'host')[] = ['read', 'write', 'admin', 'host'];
const yesNo = [true, false];
const SAFER = 'gate.lock mode.safe mode.normal token.revoke backup'.split(' ');
const OTHERS = [
  ...'register enable disable reload rollback grants settings remove gate.open gate.force token.create'.split(
    ' ',
  ),
  ...'dead-letter.retry dead-letter.drop event.replay'.split(' '),
];

type About<Name extends Question['about']> = Extract<Question, { about: Name }>;

function* deliveries(): Generator<About<'delivery'>> {
  const states: (PluginState | undefined)[] = ['registered', 'enabled', 'disabled', 'quarantined', undefined];
  for (const source of ['ui', 'bus', 'host'] as const)
    for (const first of stages)
      for (const second of stages)
        for (const state of states)
          for (const writes of yesNo)
            for (const mode of modes)
              for (const caller of callers)
                for (const dryRun of yesNo)
                  yield {
                    about: 'delivery',
                    source,
                    gates: [
                      { id: 'first', stage: first },
                      { id: 'second', stage: second },
                    ],
                    ...(state === undefined ? {} : { plugin: { id: 'demo', state } }),
                    writes,
                    mode,
                    caller,
                    dryRun,
                  };
}

function* calls(): Generator<About<'call'>> {
  for (const permission of [
    'storage.read',
    'records.read',
    'storage.write',
    'bus.publish:a.b',
    'io.send:console',
  ])
    for (const asked of yesNo)
      for (const granted of yesNo)
        for (const stage of stages)
          for (const mode of modes)
            for (const caller of callers)
              yield {
                about: 'call',
                plugin: 'demo',
                permission,
                asked,
                granted,
                gate: { id: 'g', stage },
                mode,
                caller,
              };
}

function* changes(): Generator<About<'change'>> {
  for (const operation of [...SAFER, ...OTHERS] as Operation[])
    for (const stage of [...stages, undefined])
      for (const missing of [[], [{ gate: 'runtime_scripting', stage: 'stable' as const }]])
        for (const mode of modes)
          for (const caller of callers)
            yield {
              about: 'change',
              operation,
              ...(stage === undefined ? {} : { gate: { id: 'g', stage } }),
              missing,
              mode,
              caller,
            };
}

const answer = ({ verdict, code }: Decision) => (code === undefined ? verdict : `${verdict} ${code}`);

/** The rules as the contract tells them, row by row; the first that fits counts. */
function expectedDelivery(q: About<'delivery'>): string {
  const ui = q.source === 'ui';
  const rows: [boolean, string][] = [
    [q.caller === 'read', 'refuse NEIRA_FORBIDDEN'],
    [q.gates.some((g) => g.stage === 'locked'), ui ? 'record NEIRA_GATE_LOCKED' : 'wait NEIRA_GATE_LOCKED'],
    [!q.plugin, 'refuse NEIRA_NOT_FOUND'],
    [q.plugin?.state === 'quarantined', ui ? 'refuse NEIRA_QUARANTINED' : 'wait NEIRA_QUARANTINED'],
    [q.plugin?.state !== 'enabled', ui ? 'refuse NEIRA_PLUGIN_INACTIVE' : 'wait NEIRA_PLUGIN_INACTIVE'],
    [
      q.mode === 'safe' && q.writes && (q.caller === 'write' || q.caller === 'host'),
      'dry-run NEIRA_SAFE_MODE',
    ],
    [q.dryRun, 'dry-run'],
    [true, 'run'],
  ];
  return rows.find(([fits]) => fits)![1];
}

function expectedCall(q: About<'call'>): [string, string | undefined] {
  if (!q.asked) return ['refuse', 'asked'];
  if (!q.granted) return ['refuse', 'granted'];
  if (q.gate.stage === 'locked') return ['refuse', 'gate'];
  if (q.mode === 'safe' && !q.permission.endsWith('.read') && q.caller !== 'admin')
    return ['dry-run', 'mode'];
  return ['run', undefined];
}

function expectedChange(q: About<'change'>): string {
  if (q.caller === 'read' || q.caller === 'write') return 'refuse NEIRA_FORBIDDEN';
  if (SAFER.includes(q.operation)) return 'run';
  if (q.mode === 'safe') return 'refuse NEIRA_SAFE_MODE';
  if (
    ['register', 'enable', 'reload', 'rollback'].includes(q.operation) &&
    (q.gate?.stage ?? 'locked') === 'locked'
  )
    return 'refuse NEIRA_GATE_LOCKED';
  if (q.operation === 'gate.open' && q.missing!.length > 0) return 'refuse NEIRA_GATE_REQUIRES';
  return 'run';
}

describe('every combination', () => {
  test('of deliveries', () => {
    // HOST-24, HOST-41, X-26
    for (const question of deliveries()) {
      const decision = decide(question);
      if (answer(decision) !== expectedDelivery(question))
        expect([question, answer(decision)]).toEqual([question, expectedDelivery(question)]);
      explained(decision);
      const locked = question.gates.find((each) => each.stage === 'locked');
      if (locked !== undefined) {
        expect(['record', 'wait', 'refuse']).toContain(decision.verdict);
        if (decision.code === 'NEIRA_GATE_LOCKED') expect(decision.details).toEqual({ gate: locked.id });
      }
      if (question.dryRun) expect(decision.verdict).not.toBe('run');
    }
  });

  test('of host calls', () => {
    for (const question of calls()) {
      const decision = decide(question);
      const [verdict, missing] = expectedCall(question);
      if (decision.verdict !== verdict || decision.details?.['missing'] !== missing)
        expect([question, decision]).toEqual([verdict, missing]);
      explained(decision);
      if (decision.verdict === 'run')
        expect([question.asked, question.granted, question.gate.stage === 'locked']).toEqual([
          true,
          true,
          false,
        ]);
    }
  });

  test('of changes', () => {
    // HOST-23, HOST-39, HOST-40, X-25, X-26
    for (const question of changes()) {
      const decision = decide(question);
      if (answer(decision) !== expectedChange(question))
        expect([question, answer(decision)]).toEqual([question, expectedChange(question)]);
      explained(decision);
      if (decision.verdict === 'run') expect(['admin', 'host']).toContain(question.caller);
    }
  });

  test('of reads', () => {
    for (const caller of ['read', 'write', 'admin'] as const)
      expect(decide({ about: 'read', caller })).toEqual({ verdict: 'run' });
  });
});

test('a lower scope never gets more than a higher one', () => {
  const rank = { refuse: 0, wait: 1, record: 1, 'dry-run': 2, run: 3 };
  const order = ['read', 'write', 'admin'] as const;
  for (const question of [...deliveries(), ...calls(), ...changes()]) {
    const verdicts = order.map((caller) => rank[decide({ ...question, caller } as Question).verdict]);
    expect([...verdicts].sort()).toEqual(verdicts);
  }
});

function explained(decision: Decision): void {
  if (decision.verdict === 'run') return;
  expect(decision.reason).toBeTruthy();
  if (decision.verdict === 'dry-run' && decision.code === undefined) return;
  expect(decision.code).toMatch(/^NEIRA_/);
  expect(decision.remedy).toBeTruthy();
  expect(decision.details).toBeTypeOf('object');
}
