// SCN-03, SCN-07…09, SCN-13, SCN-18…21, CAP-03…06, CAP-13, CAP-18: what a definition does, in virtual time.
import { describe, expect, test } from 'vitest';
import { fails, play } from './test-play.ts';
import { call, cel, set, type Written } from './test-program.ts';

describe('steps', () => {
  test('go one after the other, keep what they came to in the bag, and end the run', () => {
    const { run, changes, calls } = play(
      [
        set('first', { n: cel('1 + 1') }),
        call('ask', 'weather.now', { with: { city: cel('ctx.city'), n: cel('bag.n') }, save: 'weather' }),
        { kind: 'return', name: 'end', value: { $$: ['It is ', cel('bag.weather.t'), '°'] } },
      ],
      { 'weather.now': { returns: { t: 7 } } },
      { ctx: { city: 'Riga' } },
    );
    expect(run).toMatchObject({ phase: 'ended', outcome: 'succeeded', returned: 'It is 7°' });
    expect(run.bag).toEqual({ n: 2, weather: { t: 7 } });
    expect(calls).toEqual(['ask weather.now@1']);
    expect(changes).toEqual(['first ok', 'ask started', 'ask ok', 'end ok']);
  });

  test('are skipped when their condition is not true', () => {
    const { changes } = play(
      [{ ...set('one', { a: 1 }), when: 'ctx.on' }, set('two', { b: 2 })],
      {},
      { ctx: { on: false } },
    );
    expect(changes).toEqual(['one skipped', 'two ok']);
  });

  test('fail with the code of an expression that cannot be worked out', () => {
    const { run } = play([set('one', { a: cel('ctx.nothing.there') })]);
    expect(run).toMatchObject({ outcome: 'failed', error: { code: 'SCENARIO_EXPRESSION' } });
  });

  test('a bag that grows too large fails the step and keeps what was there', () => {
    const { run } = play([set('small', { a: 1 }), set('large', { b: 'x'.repeat(200_000) })]);
    expect(run).toMatchObject({
      outcome: 'failed',
      error: { code: 'SCENARIO_BAG_TOO_LARGE' },
      bag: { a: 1 },
    });
  });

  test('go on in the next turn when one has done enough, to the same end', () => {
    const steps = Array.from({ length: 25 }, (_, at) => set(`s${at}`, { n: at }));
    const whole = play(steps);
    const cut = play(steps, {}, { stepsPerTurn: 1 });
    expect(cut.changes).toEqual(whole.changes);
    expect(cut.run.bag).toEqual({ n: 24 });
  });
});

describe('ways', () => {
  const steps: Written[] = [
    {
      kind: 'if',
      name: 'way',
      branches: [
        { when: 'ctx.n > 10', steps: [set('big', { is: 'big' })] },
        { when: 'ctx.n > 5', steps: [set('middle', { is: 'middle' })] },
      ],
      otherwise: [set('small', { is: 'small' })],
    },
    {
      kind: 'switch',
      name: 'kind',
      on: 'bag.is',
      cases: [
        { equals: ['big', 'middle'], steps: [set('yes', { large: true })] },
        { equals: ['other'], steps: [] },
      ],
      otherwise: [set('no', { large: false })],
    },
  ];
  test.for([
    [20, { is: 'big', large: true }],
    [7, { is: 'middle', large: true }],
    [1, { is: 'small', large: false }],
  ] as const)('of %i', ([n, bag]) => {
    expect(play(steps, {}, { ctx: { n } }).run.bag).toEqual(bag);
  });
});

describe('loops', () => {
  test('for each goes over a list, knows its turn, and yields what the turns came to', () => {
    const { run, calls, sent } = play(
      [
        {
          kind: 'each',
          name: 'days',
          items: 'ctx.days',
          as: 'day',
          max: 10,
          atATime: 1,
          save: 'all',
          steps: [call('charge', 'pay.charge', { with: { day: cel('day'), n: cel('turn.index') } })],
        },
      ],
      { 'pay.charge': ({ payload }) => ({ returns: (payload as { day: string }).day }) },
      { ctx: { days: ['mo', 'tu'] } },
    );
    expect(calls).toEqual(['days/charge[0] pay.charge@1', 'days/charge[1] pay.charge@1']);
    expect(sent.map(({ payload }) => payload)).toEqual([
      { day: 'mo', n: 0 },
      { day: 'tu', n: 1 },
    ]);
    expect(run.bag).toEqual({ all: ['mo', 'tu'] });
  });

  test('for each with several at a time keeps to that, and the values their order', () => {
    const { run, tookMs } = play(
      [
        {
          kind: 'each',
          name: 'all',
          items: '[5, 4, 3, 2, 1]',
          as: 'n',
          max: 10,
          atATime: 2,
          save: 'values',
          steps: [call('one', 'a.b', { with: cel('n') })],
        },
      ],
      {
        'a.b': ({ payload }) => {
          return { returns: payload, afterMs: Number(payload) * 100 };
        },
      },
    );
    expect(run.bag['values']).toEqual([5, 4, 3, 2, 1]);
    expect(tookMs).toBe(800);
  });

  test('while goes on as long as it is true', () => {
    const { run } = play([
      set('begin', { n: 0 }),
      {
        kind: 'while',
        name: 'up',
        while: 'bag.n < 3',
        max: 10,
        steps: [set('more', { n: cel('bag.n + 1') })],
      },
    ]);
    expect(run.bag).toEqual({ n: 3 });
  });

  test('have a limit, and so has the run', () => {
    const endless = (max: number): Written => ({
      kind: 'while',
      name: 'up',
      while: 'true',
      max,
      steps: [set('more', { n: 1 })],
    });
    expect(play([endless(5)]).run.error).toMatchObject({ code: 'SCENARIO_LOOP_LIMIT' });
    const { run } = play([endless(1e9)], {}, { program: { maxSteps: 50 } });
    expect(run.error).toMatchObject({ code: 'SCENARIO_STEP_LIMIT' });
  });
});

describe('branches', () => {
  const both = (more: Record<string, unknown> = {}): Written => ({
    kind: 'parallel',
    name: 'both',
    wait: 'all',
    onFailure: 'cancel',
    branches: [
      { name: 'a', steps: [call('one', 'a.one')] },
      { name: 'b', steps: [call('two', 'b.two', { compensate: [call('undo', 'b.undo')] })] },
    ],
    ...more,
  });

  test('run side by side and give their values by name', () => {
    const { run, tookMs } = play([both({ save: 'values' })], {
      'a.one': { returns: 1, afterMs: 300 },
      'b.two': { returns: 2, afterMs: 200 },
    });
    expect(run.bag).toEqual({ values: { a: 1, b: 2 } });
    expect(tookMs).toBe(300);
  });

  test('one that fails ends the others, and what they began is undone', () => {
    const { run, changes } = play([both()], {
      'a.one': { ...fails('NO'), afterMs: 100 },
      'b.two': { returns: 2, afterMs: 500 },
      'b.undo': { returns: 0 },
    });
    expect(run).toMatchObject({ outcome: 'failed', error: { code: 'NO' } });
    expect(changes).toEqual([
      'both/a/one started',
      'both/b/two started',
      'both/a/one failed',
      'both/b/two cancelled',
      'both failed',
      'both/b/two undoing',
      'both/b/two/undo started',
      'both/b/two/undo ok',
      'both/b/two undone',
    ]);
  });

  test('as many as are needed are enough', () => {
    const { run, changes } = play([both({ wait: 1, save: 'first' })], {
      'a.one': { returns: 1, afterMs: 500 },
      'b.two': { returns: 2, afterMs: 100 },
    });
    expect(run.bag).toEqual({ first: { a: null, b: 2 } });
    expect(changes).toContain('both/a/one cancelled');
  });

  test('with `settle` all come to their end before one that failed counts', () => {
    const { run, tookMs } = play([both({ onFailure: 'settle' })], {
      'a.one': { ...fails('NO'), afterMs: 100 },
      'b.two': { returns: 2, afterMs: 500 },
      'b.undo': { returns: 0 },
    });
    expect(run.error).toMatchObject({ code: 'NO' });
    expect(tookMs).toBe(500);
  });
});
