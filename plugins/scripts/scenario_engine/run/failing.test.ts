// SCN-03, SCN-07…09, SCN-13, SCN-18…21, CAP-03…06, CAP-13, CAP-18: what a definition does, in virtual time.
import { describe, expect, test } from 'vitest';
import { moveOn } from './interpret.ts';
import { newRun } from './state.ts';
import { fails, NOW_MS, play } from './test-play.ts';
import { call, cel, programOf, set, type Written } from './test-program.ts';

describe('failure', () => {
  const retry = { max: 3, baseMs: 1000, factor: 2, maxMs: 60_000, jitter: 0 };

  test('a step is tried again, further and further apart', () => {
    const { run, tookMs, changes } = play([call('ask', 'a.b', { retry, save: 'x' })], {
      'a.b': (_, time) => (time < 3 ? fails('BUSY') : { returns: time }),
    });
    expect(run).toMatchObject({ outcome: 'succeeded', bag: { x: 3 } });
    expect(tookMs).toBe(3000);
    expect(changes).toEqual([
      'ask started',
      'ask retrying',
      'ask started',
      'ask retrying',
      'ask started',
      'ask ok',
    ]);
  });

  test('retries end, by number, by time, by code, and what must not be done twice is not', () => {
    const busy = { 'a.b': fails('BUSY') };
    expect(play([call('ask', 'a.b', { retry })], busy).calls).toHaveLength(4);
    const late = { ...retry, max: 99, giveUpAfterMs: 4000 };
    expect(play([call('ask', 'a.b', { retry: late })], busy).tookMs).toBe(3000);
    const coded = { ...retry, codes: ['OTHER'] };
    expect(play([call('ask', 'a.b', { retry: coded })], busy).calls).toHaveLength(1);
    const unknown = { 'a.b': fails('NEIRA_OUTCOME_UNKNOWN') };
    expect(play([call('ask', 'a.b', { retry })], unknown).calls).toHaveLength(1);
    expect(play([call('ask', 'a.b', { retry, effect: 'idempotent' })], unknown).calls).toHaveLength(4);
  });

  test('a step falls back to a value, or to other steps that see the error', () => {
    const { run } = play(
      [
        call('one', 'a.b', { save: 'one', fallback: { value: 'none' } }),
        call('two', 'a.b', { fallback: { steps: [set('why', { code: cel('error.code') })] } }),
      ],
      { 'a.b': fails('NO') },
    );
    expect(run).toMatchObject({ outcome: 'succeeded', bag: { one: 'none', code: 'NO' } });
  });

  test('a breaker opens after so many failures and lets nothing through until it has rested', () => {
    const breaker = { threshold: 2, resetMs: 10_000 };
    const step = (name: string): Written => ({
      kind: 'while',
      name,
      while: 'bag.n < 4',
      max: 9,
      steps: [
        set('count', { n: cel('bag.n + 1') }),
        call('ask', 'a.b', { breaker, fallback: { steps: [set('why', { code: cel('error.code') })] } }),
      ],
    });
    const { calls, run } = play([set('begin', { n: 0 }), step('loop')], { 'a.b': fails('NO') });
    expect(calls).toHaveLength(2);
    expect(run.bag['code']).toBe('SCENARIO_CIRCUIT_OPEN');
  });

  test('a step has its time, all attempts together, and a group the time of all in it', () => {
    const slow = { 'a.b': { returns: 1, afterMs: 10_000 } };
    const one = play([call('ask', 'a.b', { timeoutMs: 500, retry })], slow);
    expect(one.run.error).toMatchObject({ code: 'NEIRA_DEADLINE' });
    expect(one.tookMs).toBe(500);
    const group: Written = { kind: 'group', name: 'all', timeoutMs: 700, steps: [call('ask', 'a.b')] };
    const all = play([group], slow);
    expect(all.run.error).toMatchObject({ code: 'SCENARIO_STEP_TIMEOUT' });
    expect(all.changes).toEqual(['all/ask started', 'all/ask cancelled', 'all failed']);
    expect(all.tookMs).toBe(700);
  });

  test('a run has its time', () => {
    const { run, tookMs } = play(
      [call('ask', 'a.b', { compensate: [call('undo', 'a.undo')] })],
      { 'a.b': { returns: 1, afterMs: 10_000 }, 'a.undo': { returns: 1, afterMs: 3000 } },
      { program: { timeoutMs: 2000 } },
    );
    expect(run).toMatchObject({ outcome: 'failed', error: { code: 'SCENARIO_TIMEOUT' } });
    expect(tookMs).toBe(5000);
  });

  test('what is expected of the result is looked at when it ends', () => {
    const program = { expectedOutputs: [{ field: 'slot.at', type: 'isodate' }] };
    expect(play([set('a', { slot: { at: 'soon' } })], {}, { program }).run.error).toMatchObject({
      code: 'SCENARIO_OUTPUT',
    });
    expect(play([set('a', { slot: { at: '2026-11-25T10:00:00Z' } })], {}, { program }).run.outcome).toBe(
      'succeeded',
    );
  });
});

describe('compensation', () => {
  const saga: Written[] = [
    call('hold', 'slot.hold', {
      save: 'slot',
      compensate: [call('release', 'slot.release', { with: cel('result.id') })],
    }),
    call('pay', 'pay.charge', { compensate: [call('refund', 'pay.refund', { with: cel('bag.slot.id') })] }),
    call('confirm', 'slot.confirm'),
  ];
  const good = {
    'slot.hold': { returns: { id: 's1' } },
    'slot.release': { returns: 0 },
    'pay.charge': { returns: { id: 'p1' } },
    'pay.refund': { returns: 0 },
  };

  test('undoes what was begun, the last first, with what it came to', () => {
    const { run, sent } = play(saga, { ...good, 'slot.confirm': fails('NO_SLOT') });
    expect(run).toMatchObject({ outcome: 'failed', error: { code: 'NO_SLOT' } });
    expect(sent.slice(3).map(({ name, payload }) => [name, payload])).toEqual([
      ['pay.refund@1', 's1'],
      ['slot.release@1', 's1'],
    ]);
  });

  test('is done for a step whose answer had not come, and cannot be cancelled itself', () => {
    const { run, calls } = play(
      saga,
      { ...good, 'pay.charge': { returns: 1, afterMs: 60_000 }, 'pay.refund': { returns: 0, afterMs: 5000 } },
      {
        happenings: [
          { atMs: NOW_MS + 1000, what: { kind: 'cancel', reason: 'a person' } },
          { atMs: NOW_MS + 2000, what: { kind: 'cancel', reason: 'again' } },
        ],
      },
    );
    expect(run).toMatchObject({ outcome: 'cancelled', error: { message: 'a person' } });
    expect(calls.slice(2)).toEqual(['pay/refund pay.refund@1', 'hold/release slot.release@1']);
  });

  test('one that fails is named, and those before it are done all the same', () => {
    const { run, calls } = play(saga, {
      ...good,
      'slot.confirm': fails('NO_SLOT'),
      'pay.refund': fails('BANK_CLOSED'),
    });
    expect(run.notUndone).toMatchObject([{ step: 'pay', error: { code: 'BANK_CLOSED' } }]);
    expect(calls.at(-1)).toBe('hold/release slot.release@1');
    expect(run.outcome).toBe('failed');
  });

  test('nothing is undone when all went well', () => {
    const { calls } = play(saga, { ...good, 'slot.confirm': { returns: 1 } });
    expect(calls).toHaveLength(3);
  });
});

describe('waits', () => {
  const wait = (what: unknown, more: Record<string, unknown> = {}): Written => ({
    kind: 'wait',
    name: 'wait',
    for: what,
    save: 'came',
    ...more,
  });
  const event = (payload: unknown) => ({ event_name: 'chat.said', version: 1, payload });

  test('for a time, and until a moment', () => {
    const { tookMs } = play([
      wait({ kind: 'time', ms: cel('1000 * 60') }),
      wait({ kind: 'time', until: '2026-11-25T08:05:00Z' }),
    ]);
    expect(tookMs).toBe(300_000);
  });

  test('for an event that fits what is known when it comes', () => {
    const what = {
      kind: 'event',
      event: 'chat.said',
      filter: 'event.payload.loud == true',
      correlate: [{ path: 'payload.chat', equals: cel('ctx.chat') }],
      accept: 'event.payload.text != bag.last',
    };
    const happenings = [
      { chat: 'c2', loud: true, text: 'other chat' },
      { chat: 'c1', loud: false, text: 'too quiet' },
      { chat: 'c1', loud: true, text: 'old' },
      { chat: 'c1', loud: true, text: 'new' },
    ].map((payload, at) => ({
      atMs: NOW_MS + at * 1000,
      what: { kind: 'event', event: event(payload) } as const,
    }));
    const { run } = play(
      [set('before', { last: 'old' }), wait(what)],
      {},
      { ctx: { chat: 'c1' }, happenings },
    );
    expect(run.bag['came']).toMatchObject({ payload: { text: 'new' } });
  });

  test('for a signal, and for a person', () => {
    const { run, sent } = play(
      [
        wait({ kind: 'signal', signal: 'go' }),
        { ...wait({ kind: 'answer', question: 'Book it?', choices: ['yes', 'no'] }), save: 'said' },
      ],
      {},
      {
        happenings: [{ atMs: NOW_MS + 5000, what: { kind: 'signal', signal: 'go', payload: { n: 1 } } }],
        reply: () => ({ value: 'yes', afterMs: 60_000 }),
      },
    );
    expect(run.bag).toEqual({ came: { n: 1 }, said: 'yes' });
    expect(sent.map(({ payload }) => payload)).toEqual([{ text: 'Book it?', choices: ['yes', 'no'] }]);
  });

  test('have an end, with what is done then', () => {
    const ends = wait({ kind: 'signal', signal: 'go' }, { patienceMs: 3000 });
    expect(play([ends]).run.error).toMatchObject({ code: 'SCENARIO_WAIT_TIMEOUT' });
    const calm = { ...ends, fallback: { value: 'nobody' } };
    expect(play([calm]).run).toMatchObject({ outcome: 'succeeded', bag: { came: 'nobody' } });
  });

  test('for a scenario of its own, by its end', () => {
    const step: Written = {
      kind: 'run',
      name: 'sub',
      scenario: 'other',
      with: { a: 1 },
      detached: false,
      save: 'sub',
    };
    const { run, sent } = play([step], { 'scenario.run': { returns: 42, afterMs: 1000 } });
    expect(sent[0]).toMatchObject({ name: 'scenario.run@1', payload: { id: 'other', ctx: { a: 1 } } });
    expect(run.bag).toEqual({ sub: 42 });
  });
});

describe('standing still', () => {
  const program = programOf([
    set('one', { n: 1 }),
    {
      kind: 'each',
      name: 'days',
      items: '[1, 2]',
      as: 'day',
      max: 9,
      atATime: 1,
      steps: [set('mark', { day: cel('day') })],
    },
    set('end', { done: true }),
  ]);
  const world = {
    nowMs: NOW_MS,
    random: () => 0.5,
    goOn: () => {},
  } as never;
  const begun = (breakpoints: string[]) => {
    const run = newRun({
      id: 'r',
      scenario: 'test',
      digest: '',
      priority: 'NORM',
      ctx: {},
      by: 'test',
      createdAtMs: NOW_MS,
      breakpoints,
    });
    moveOn(run, program, { kind: 'begin' }, world);
    return run;
  };

  test('at a breakpoint, by name, path or turn, and goes on from there (SCN-20)', () => {
    const run = begun(['days/mark[1]']);
    expect(run.paused).toMatchObject({ reason: 'breakpoint', step: 'days/mark[1]' });
    expect(run.bag).toEqual({ n: 1, day: 1 });
    moveOn(run, program, { kind: 'resume' }, world);
    expect(run).toMatchObject({ phase: 'ended', bag: { n: 1, day: 2, done: true } });
  });

  test('steps over one step at a time', () => {
    const run = begun(['one']);
    const seen: unknown[] = [];
    while (run.phase !== 'ended') {
      seen.push(run.paused?.step);
      moveOn(run, program, { kind: 'resume', over: true, breakpoints: [] }, world);
    }
    expect(seen).toEqual(['one', 'days', 'end']);
  });

  test('what comes meanwhile is kept until it goes on', () => {
    const waits = programOf([
      { kind: 'wait', name: 'w', for: { kind: 'signal', signal: 'go' }, save: 'came' },
    ]);
    const run = newRun({
      id: 'r',
      scenario: 't',
      digest: '',
      priority: 'NORM',
      ctx: {},
      by: 't',
      createdAtMs: NOW_MS,
    });
    moveOn(run, waits, { kind: 'begin' }, world);
    moveOn(run, waits, { kind: 'pause', reason: 'asked' }, world);
    moveOn(run, waits, { kind: 'signal', signal: 'go', payload: 7 }, world);
    expect(run.phase).toBe('forward');
    moveOn(run, waits, { kind: 'resume' }, world);
    expect(run).toMatchObject({ phase: 'ended', bag: { came: 7 } });
  });
});
