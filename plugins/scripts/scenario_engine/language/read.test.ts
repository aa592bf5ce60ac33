// SCN-08, SCN-09, SCN-14, SCN-17…19, BUS-30, CAP-04…06, CAP-12…14, CAP-18, CAP-20: what an author writes, and what is said of it.
import { describe, expect, test } from 'vitest';
import type { Node } from '../program.ts';
import { readScenario } from './read.ts';

const read = (text: string, more: Record<string, string> = {}) =>
  readScenario({ files: { 'scenario.yaml': text, ...more }, entry: 'scenario.yaml' });

function program(text: string, more: Record<string, string> = {}) {
  const result = read(text, more);
  if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 1));
  return result.program;
}

const steps = (text: string) => program(`id: t\nsteps:\n${text}`);
const node = (text: string): Node => {
  const made = steps(text);
  return made.nodes[made.steps[0]!]!;
};

test('a whole scenario is read with all that it says', () => {
  const made = program(`
id: booking
version: 1.0.0
title: {en: Booking, ru: Запись}
mode: queued
max: 3
max_concurrent_per_scenario: 2
timeout: 10m
input: {type: object, required: [slot]}
triggers:
  - system.boot.completed@1
  - {event: chat.said@1, filter: 'event.payload.text == "book"', key: $.payload.chat, debounce: 30s, ctx: {chat: '\${event.payload.chat}'}}
schedule: 0 9 * * MON-FRI
quota: {daily: {runs: 50}, per: user}
retain: {succeeded: 1d}
expected_outputs: {slot: isodate}
effects: [slot.hold@2, ui.notify]
steps:
  - name: hold
    call: slot.hold@2
    with: {slot: '\${ctx.slot}', note: 'for \${ctx.name}, please'}
    save: slot
    timeout: 10s
    retries: {max: 3, backoff: 1s}
    locks: [desk]
    pool: io
    effect: idempotent
    compensate: {publish: ui.notify, with: {text: undone}}
`);
  expect(made).toMatchObject({
    id: 'booking',
    mode: 'queued',
    max: 3,
    maxConcurrent: 2,
    timeoutMs: 600_000,
    retain: { succeededMs: 86_400_000, failedMs: 30 * 86_400_000 },
    expectedOutputs: [{ field: 'slot', type: 'isodate' }],
    quota: { daily: { runs: 50 }, per: 'user' },
    triggers: [
      { event: 'system.boot.completed', version: 1, ctx: {} },
      {
        event: 'chat.said',
        debounceMs: 30_000,
        key: '$.payload.chat',
        ctx: { chat: { $: 'event.payload.chat' } },
      },
    ],
    schedules: [{ cron: '0 9 * * MON-FRI' }],
    sends: ['slot.hold@2', 'ui.notify@1'],
    permissions: { bus: { publish: ['slot.hold', 'ui.notify'], subscribe: [] } },
  });
  expect(made.nodes[0]).toMatchObject({
    kind: 'call',
    name: 'hold',
    path: 'hold',
    line: 19,
    command: 'slot.hold',
    version: 2,
    with: { slot: { $: 'ctx.slot' }, note: { $$: ['for ', { $: 'ctx.name' }, ', please'] } },
    save: 'slot',
    timeoutMs: 10_000,
    retry: { max: 3, baseMs: 1000, factor: 2, jitter: 0.5 },
    locks: ['desk'],
    pool: 'io',
    effect: 'idempotent',
    compensate: [1],
  });
  expect(made.nodes[1]).toMatchObject({ kind: 'publish', path: 'hold/undo/publish_1', event: 'ui.notify' });
  expect(made.digest).toMatch(/^[0-9a-f]{64}$/);
});

describe('each kind of step', () => {
  test.each<[string, object]>([
    ['- set: {total: "${bag.total + 1}"}', { kind: 'set', values: { total: { $: 'bag.total + 1' } } }],
    ['- {set: {var: slot, value: "${bag.x}"}}', { kind: 'set', values: { slot: { $: 'bag.x' } } }],
    [
      '- {if: "${ctx.a > 1}", then: [{log: x}], elif: [{if: ctx.b, then: []}], else: [{log: y}]}',
      { kind: 'if', branches: [{ when: 'ctx.a > 1' }, { when: 'ctx.b', steps: [] }] },
    ],
    [
      '- {switch: bag.k, cases: [{equals: a, steps: []}, {equals: [b, 1], steps: []}], default: [{log: z}]}',
      { kind: 'switch', on: 'bag.k', cases: [{ equals: ['a'] }, { equals: ['b', 1] }] },
    ],
    [
      '- loop: {for: "${ctx.days}", as: day, max: 9, at_a_time: 3, steps: [{log: "${day}"}]}',
      { kind: 'each', items: 'ctx.days', as: 'day', max: 9, atATime: 3 },
    ],
    [
      '- loop: {for: [1, 2], steps: [{log: "${item}"}]}',
      { kind: 'each', items: '[1,2]', as: 'item', atATime: 1 },
    ],
    ['- loop: {while: "bag.n < 3", max: 5, steps: []}', { kind: 'while', while: 'bag.n < 3', max: 5 }],
    [
      '- parallel: {branches: {a: [], b: []}, wait: any, on_failure: settle}',
      { kind: 'parallel', wait: 1, onFailure: 'settle' },
    ],
    ['- {steps: [{log: x}], locks: [mic]}', { kind: 'group', locks: ['mic'] }],
    ['- wait: 5m', { kind: 'wait', for: { kind: 'time', ms: 300_000 } }],
    ['- wait: {until: "${bag.at}"}', { kind: 'wait', for: { kind: 'time', until: { $: 'bag.at' } } }],
    [
      '- wait: {event: chat.said@1, filter: "event.payload.a == 1", correlate: {payload.chat: "${ctx.chat}"}, accept: "event.payload.b == bag.b", timeout: 1h}',
      {
        kind: 'wait',
        patienceMs: 3_600_000,
        for: {
          kind: 'event',
          event: 'chat.said',
          version: 1,
          correlate: [{ path: 'payload.chat', equals: { $: 'ctx.chat' } }],
          accept: 'event.payload.b == bag.b',
        },
      },
    ],
    ['- wait: {signal: go}', { kind: 'wait', for: { kind: 'signal', signal: 'go' } }],
    [
      '- wait: {answer: {question: "Book ${ctx.slot}?", choices: [yes, no]}}',
      {
        kind: 'wait',
        for: { kind: 'answer', question: { $$: ['Book ', { $: 'ctx.slot' }, '?'] }, choices: ['yes', 'no'] },
      },
    ],
    [
      '- {scenario: other, with: {a: 1}, detached: true}',
      { kind: 'run', scenario: 'other', with: { a: 1 }, detached: true },
    ],
    ['- {observe: {event: seen, props: {n: 1}}}', { kind: 'observe', event: 'seen', props: { n: 1 } }],
    ['- {log: {level: warn, message: "a ${ctx.b}"}}', { kind: 'log', level: 'warn' }],
    ['- abort: no slot', { kind: 'abort', code: 'SCENARIO_ABORTED', message: 'no slot' }],
    ['- {abort: {code: NO_SLOT, message: none}}', { kind: 'abort', code: 'NO_SLOT' }],
    ['- return: "${bag.total}"', { kind: 'return', value: { $: 'bag.total' } }],
    [
      '- {call: a.b, on_error: {strategy: backoff, max: 5, timeout: 30s}}',
      { retry: { max: 5, giveUpAfterMs: 30_000, factor: 2 } },
    ],
    [
      '- {call: a.b, on_error: [{strategy: circuit_breaker, threshold: 2, reset: 1m}, {strategy: fallback, value: none}]}',
      { breaker: { threshold: 2, resetMs: 60_000 }, fallback: { value: 'none' } },
    ],
    [
      '- {call: a.b, on_error: {strategy: fallback, steps: [{set: {why: "${error.code}"}}]}}',
      { fallback: { steps: [1] } },
    ],
    [
      '- {call: a.b, if: "${ctx.on}", retries: 2, dry_run: {returns: {t: 7}}}',
      { when: 'ctx.on', retry: { max: 2 }, dryRun: { t: 7 } },
    ],
    [
      '- {log: "price: $${x} and ${\'{\' + ctx.a}"}',
      { kind: 'log', message: { $$: ['price: ${x} and ', { $: "'{' + ctx.a" }] } },
    ],
  ])('%s', (text, expected) => {
    expect(node(`  ${text}`)).toMatchObject(expected);
  });
});

describe('fragments', () => {
  const COMMON = `
fragments:
  ask_name:
    params: [who]
    steps:
      - {call: chat.ask@1, with: {text: 'Name of \${who}?'}, save: name}
      - include: '#thank'
        with: {who: '\${who}'}
  thank:
    params: [who]
    steps: [{log: 'thanks \${who}'}]
`;
  test('of another file are steps of a group, with variables of their own', () => {
    const made = program(
      `id: t\nsteps:\n  - {name: ask, include: lib/common.yaml#ask_name, with: {who: '\${ctx.who}'}}\n`,
      { 'lib/common.yaml': COMMON },
    );
    expect(made.nodes[0]).toMatchObject({
      kind: 'group',
      path: 'ask',
      vars: { who: { $: 'ctx.who' } },
      steps: [1, 2],
    });
    expect(made.nodes[1]).toMatchObject({ path: 'ask/call_1', file: 'lib/common.yaml', line: 6 });
    expect(made.nodes[2]).toMatchObject({ kind: 'group', path: 'ask/include_2' });
    expect(made.sends).toEqual(['chat.ask@1']);
  });

  test('that include each other without end are refused with the whole way', () => {
    const loop = `fragments:\n  a: {steps: [{include: '#b'}]}\n  b: {steps: [{include: '#a'}]}\n`;
    const result = read(`id: t\nsteps: [{include: x.yaml#a}]\n`, { 'x.yaml': loop });
    expect(result).toMatchObject({
      ok: false,
      problems: [{ file: 'x.yaml', line: 3, message: 'it includes itself: x.yaml#a → x.yaml#b → x.yaml#a' }],
    });
  });
});

test('the digest is of what it says, not of how it is written', () => {
  const a = program(`id: t\nsteps:\n  - {log: hello}\n`).digest;
  expect(program(`# a comment\nid: t\n\nsteps:\n  - log: hello # another\n`).digest).toBe(a);
  expect(program(`id: t\nsteps:\n  - {log: hallo}\n`).digest).not.toBe(a);
});

describe('what is wrong is told with its place and what to do', () => {
  test.each<
    [string, string, { line: number; column?: number; message: RegExp | string; remedy?: RegExp | string }]
  >([
    ['no YAML', 'id: t\nsteps: [', { line: 2, message: /no YAML/ }],
    ['a missing key', 'id: t\n', { line: 1, message: '`steps` is missing' }],
    [
      'an unknown key',
      'id: t\nstepps: []\nsteps: []\n',
      { line: 2, message: 'unknown key `stepps`', remedy: 'did you mean `steps`?' },
    ],
    ['a bad id', 'id: T x\nsteps: []\n', { line: 1, message: /must be lower-case letters/ }],
    [
      'a bad mode',
      'id: t\nmode: fast\nsteps: []\n',
      { line: 2, message: /must be one of single, restart, queued, parallel/ },
    ],
    [
      'an `if` without `then`',
      'id: t\nsteps:\n  - {name: x, if: [{when: "true", steps: []}], else: []}\n',
      { line: 3, message: '`if` does not say what is done then', remedy: /`then: \[<steps>\]`/ },
    ],
    ['no kind', 'id: t\nsteps:\n  - {name: x}\n', { line: 3, message: 'a step has to say what it does' }],
    [
      'an unknown kind',
      'id: t\nsteps:\n  - {cal: a.b}\n',
      { line: 3, message: '`cal` is no kind of step', remedy: 'did you mean `call`?' },
    ],
    [
      'two kinds',
      'id: t\nsteps:\n  - {call: a.b, publish: c.d}\n',
      { line: 3, message: /names call and publish/ },
    ],
    [
      'an unknown key of a step',
      'id: t\nsteps:\n  - call: a.b\n    retires: 3\n',
      { line: 4, column: 14, message: 'unknown key `retires`', remedy: 'did you mean `retries`?' },
    ],
    [
      'a bad duration',
      'id: t\nsteps:\n  - {call: a.b, timeout: soon}\n',
      { line: 3, message: /must be a duration/ },
    ],
    ['a bad command', 'id: t\nsteps:\n  - {call: weather}\n', { line: 3, message: /must be a name such as/ }],
    ['a bad expression', 'id: t\nsteps:\n  - set: {a: "${1 +}"}\n', { line: 3, message: /`1 \+`/ }],
    [
      'an unknown name',
      'id: t\nsteps:\n  - set: {a: "${ctz.city}"}\n',
      { line: 3, message: '`ctz` is nothing that expressions know here', remedy: 'did you mean `ctx`?' },
    ],
    [
      'a loop variable outside of its loop',
      'id: t\nsteps:\n  - loop: {for: "${ctx.a}", as: day, steps: []}\n  - log: "${day}"\n',
      { line: 4, message: /`day` is nothing/ },
    ],
    [
      'an expression that is not closed',
      'id: t\nsteps:\n  - log: "a ${ctx.b"\n',
      { line: 3, message: /not closed/ },
    ],
    [
      'names that are not unique',
      'id: t\nsteps:\n  - {name: a, log: x}\n  - {name: a, log: y}\n',
      { line: 4, message: /called `a` as well/ },
    ],
    [
      'locks within locks',
      'id: t\nsteps:\n  - locks: [mic]\n    steps:\n      - {call: a.b, locks: [tts]}\n',
      { line: 5, message: /holds locks already/, remedy: /outer step/ },
    ],
    [
      'a send that effects do not name',
      'id: t\neffects: [a.b@1]\nsteps:\n  - {call: c.d}\n',
      { line: 4, message: '`effects` do not name `c.d@1`' },
    ],
    [
      'a send that permissions do not allow',
      'id: t\nsteps:\n  - {call: c.d, permissions: [a.b]}\n',
      { line: 3, message: /do not allow `c.d`/ },
    ],
    [
      'a fragment that is not there',
      'id: t\nsteps:\n  - {include: "#ask"}\n',
      { line: 3, message: /has no fragment `ask`/ },
    ],
    [
      'a file that is not there',
      'id: t\nsteps:\n  - {include: "x.yaml#ask"}\n',
      { line: 1, message: 'there is no file `x.yaml`' },
    ],
    [
      'a file outside',
      'id: t\nsteps:\n  - {include: "../x.yaml#ask"}\n',
      { line: 3, message: /lies outside/ },
    ],
    [
      'a compensation that asks a person',
      'id: t\nsteps:\n  - {call: a.b, compensate: {wait: {answer: {question: x}}}}\n',
      { line: 3, message: /may not wait for a person/ },
    ],
    [
      'a wait for two things',
      'id: t\nsteps:\n  - wait: {signal: a, time: 5s}\n',
      { line: 3, message: /a wait is for one of/ },
    ],
    [
      'too many branches wanted',
      'id: t\nsteps:\n  - parallel: {branches: {a: []}, wait: 2}\n',
      { line: 3, message: 'there are 1 branches' },
    ],
    [
      'a schedule of two kinds',
      'id: t\nschedule: {cron: "* * * * *", every: 5m}\nsteps: []\n',
      { line: 2, message: /one of `cron`, `at`, `every`/ },
    ],
    ['a cron of three fields', 'id: t\nschedule: "* * *"\nsteps: []\n', { line: 2, message: /cron/ }],
    [
      'a fallback of two kinds',
      'id: t\nsteps:\n  - {call: a.b, on_error: {strategy: fallback, value: 1, steps: []}}\n',
      { line: 3, message: /either a `value` or `steps`/ },
    ],
    [
      'too many nodes',
      `id: t\nsteps:\n${'  - {log: x}\n'.repeat(400)}${Array.from({ length: 9 }, (_, n) => `  - {name: g${n}, steps: [${'{log: x},'.repeat(300)}]}\n`).join('')}`,
      { line: 408, message: /steps are 2000 at most/ },
    ],
  ])('%s', (_, text, { line, column, message, remedy }) => {
    const result = read(text);
    if (result.ok) throw new Error('it was taken');
    const [problem] = result.problems;
    expect(problem, JSON.stringify(result.problems)).toMatchObject({ file: problem!.file, line });
    if (column !== undefined) expect(problem!.column).toBe(column);
    if (typeof message === 'string') expect(problem!.message).toBe(message);
    else expect(problem!.message).toMatch(message);
    if (typeof remedy === 'string') expect(problem!.remedy).toBe(remedy);
    else if (remedy) expect(problem!.remedy).toMatch(remedy);
  });
});
