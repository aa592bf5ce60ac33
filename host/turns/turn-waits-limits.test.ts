import { expect, test } from 'vitest';
import {
  action,
  asked,
  deliver,
  failure,
  HEAD,
  plugin,
  pool,
  request,
  requests,
  serve,
  stood,
  store,
  stored,
  suspended,
  turns,
} from '../../test/kit/waiting-spine.ts';
import type { TurnFailure } from '../store/records.ts';

/** By what turns that wait are bounded, and what they mean for their neighbours. */

// --- limits

test('waiting longer than wait_ms ends the turn, says for what, and keeps nothing', async () => {
  const a = await plugin('a', "set('k', 1); await ask(1);", { waitMs: 60 });
  const result = deliver(a);
  const open = await request();
  expect(await failure(result)).toMatchObject({
    code: 'NEIRA_WAIT_TIMEOUT',
    details: { plugin: 'a', waitMs: 60, what: 'bus.request math.ask@1' },
  });
  expect(open.call.signal.aborted).toBe(true);
  expect(stored('a', 'k')).toBeUndefined();
  expect(turns.pending).toBe(0);
});

test('wait_ms is the sum of all waits', async () => {
  const a = await plugin('a', 'for (;;) await ask(1);', { waitMs: 100 });
  let over = false;
  const failed = failure(deliver(a)).finally(() => {
    over = true;
  });
  while (!over) {
    const open = asked.shift();
    await new Promise((resolve) => setTimeout(resolve, 20));
    open?.answer(1);
  }
  expect(await failed).toMatchObject({ code: 'NEIRA_WAIT_TIMEOUT' });
});

test('waiting is not running: turn_ms may be shorter than a wait', async () => {
  const a = await plugin('a', 'return { actions: [{ got: await ask(1) }] };', { turnMs: 300 });
  const result = deliver(a);
  const open = await request();
  await new Promise((resolve) => setTimeout(resolve, 600));
  open.answer(1);
  expect(await action(result)).toEqual({ got: 1 });
});

test('computing counts over all slices of a turn', async () => {
  const burn = 'for (let i = 0; i < 250000; i++) Math.max(i, 1);';
  const a = await plugin('a', `for (let n = 0; n < 40; n++) { await ask(n); ${burn} }`, { cpuMs: 100 });
  const result = deliver(a);
  let over = false;
  void result.then(() => {
    over = true;
  });
  let slices = 0;
  while (!over) {
    const open = asked.shift();
    if (open) slices++;
    open?.answer(1);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(await failure(result)).toMatchObject({ code: 'NEIRA_CPU_EXCEEDED', details: { cpuMs: 100 } });
  expect(slices).toBeGreaterThan(1);
});

test('a turn that fills its memory after the wait fails alone', async () => {
  const [a, b] = [
    await plugin(
      'a',
      "await ask(1); const kept = []; for (;;) kept.push('x'.repeat(100000) + kept.length);",
      { cpuMs: 5000 },
    ),
    await plugin('b', 'return { actions: [{ b: 1 }] };'),
  ];
  const result = deliver(a);
  (await request()).answer(1);
  expect(await failure(result)).toMatchObject({ code: 'NEIRA_MEMORY_EXCEEDED' });
  expect(await action(deliver(b))).toEqual({ b: 1 });
});

test('a turn may have sixteen requests open; one more is refused, and again possible after an answer', async () => {
  const a = await plugin(
    'a',
    "const open = []; for (let n = 0; n < 16; n++) open.push(ask(n)); const code = await ask('more').catch((e) => e.code); await open[0]; open.push(ask('again')); return { actions: [{ code, count: (await Promise.all(open)).length }] };",
  );
  const result = deliver(a);
  const first = await requests(16);
  for (const open of first) open.answer(1);
  (await request()).answer(1);
  expect(await action(result)).toEqual({ code: 'NEIRA_WAITS_EXCEEDED', count: 17 });
});

test('thousands of requests end the turn by its host calls', async () => {
  const a = await plugin('a', 'for (let n = 0; n < 5000; n++) ask(n).catch(() => {}); await ask(1);');
  expect(await failure(deliver(a))).toMatchObject({ code: 'NEIRA_HOST_CALLS_EXCEEDED' });
  await expect.poll(() => asked.every(({ call }) => call.signal.aborted)).toBe(true);
  expect(asked.length).toBe(16);
});

test('at its deadline a turn that waits is given up, and nothing is kept', async () => {
  const a = await plugin('a', "set('k', 1); await ask(1);");
  const result = deliver(a, null, { deadlineAtMs: Date.now() + 150, key: 'k' });
  const open = await request();
  await expect(result).rejects.toMatchObject({ code: 'NEIRA_DEADLINE' });
  expect(open.call.signal.aborted).toBe(true);
  expect(store.turn(open.call.turn.turnId)).toBeUndefined();
  const next = deliver(a, null, { key: 'k' });
  (await request()).answer(1);
  await action(next);
});

// --- neighbours

test('turns of one plugin that wait at the same time do not see each other', async () => {
  const a = await serve(
    'a',
    `${HEAD} let mine = 0; const seen = []; export async function handle({ payload }) { seen.push(payload); mine = payload; globalThis.left = payload; const got = await ask(payload); return { actions: [{ got, mine, seen, left: globalThis.left }] }; }`,
  );
  const results = [1, 2, 3].map((n) => deliver(a, n));
  const open = await requests(3);
  for (const each of open.toReversed()) each.answer(Number(each.payload) * 10);
  expect(await Promise.all(results.map(action))).toEqual(
    [1, 2, 3].map((n) => ({ got: n * 10, mine: n, seen: [n], left: n })),
  );
  const again = deliver(a, 4);
  (await request()).answer(0);
  expect(await action(again)).toEqual({ got: 0, mine: 4, seen: [4], left: 4 });
});

test('the next delivery of the key waits for a turn that waits; other keys and plugins do not', async () => {
  const a = await plugin(
    'a',
    "if (event.payload === 'wait') await ask(1); set('last', event.payload); return { actions: [{ did: event.payload }] };",
  );
  const b = await plugin('b', 'return { actions: [{ b: 1 }] };');
  const first = deliver(a, 'wait', { key: 'k' });
  const second = deliver(a, 'second', { key: 'k' });
  const open = await request();
  await stood(1);
  expect(await action(deliver(a, 'other', { key: 'l' }))).toEqual({ did: 'other' });
  expect(await action(deliver(b))).toEqual({ b: 1 });
  expect(stored('a', 'last')).toBe('other');
  open.answer(1);
  expect(await action(first)).toEqual({ did: 'wait' });
  expect(await action(second)).toEqual({ did: 'second' });
});

test('more turns wait in a cell than it takes at a time', async () => {
  const a = await plugin('a', 'return { actions: [{ n: await ask(event.payload) }] };');
  const numbers = Array.from({ length: 100 }, (_, n) => n);
  const results = numbers.map((n) => deliver(a, n));
  const open = await requests(100);
  for (const each of open) each.answer(Number(each.payload));
  expect(await Promise.all(results.map(action))).toEqual(numbers.map((n) => ({ n })));
});

test('turns that would hold more than a cell may set aside fail by name; the others go on', async () => {
  const a = await plugin(
    'a',
    "const kept = []; for (let n = 0; n < 200; n++) kept.push('x'.repeat(100000) + n); return { actions: [{ kept: (await ask(1)) + kept.length }] };",
    { cpuMs: 5000 },
  );
  const failures: TurnFailure[] = [];
  const results = Array.from({ length: 16 }, () => deliver(a));
  for (const result of results)
    void failure(result)
      .then((error) => failures.push(error))
      .catch(() => {});
  await expect.poll(() => suspended + failures.length, { timeout: 20_000 }).toBe(16);
  expect(failures.length).toBeGreaterThan(0);
  expect(suspended).toBeGreaterThan(1);
  for (const error of failures)
    expect(error).toMatchObject({ code: 'NEIRA_WAITING_FULL', details: { plugin: 'a' } });
  for (const each of asked.splice(0)) each.answer(0);
  await Promise.all(results);
  const next = deliver(a);
  (await request()).answer(0);
  expect(await action(next)).toEqual({ kept: 200 });
}, 60_000);

test.each(['exit', 'hang'])(
  'when another turn ends the cell (%s), turns that wait in it run again without blame',
  async (fault) => {
    const a = await plugin('a', 'return { actions: [{ got: await ask(1) }] };');
    const b = await plugin('b', `console.log('fault: ${fault}');`, { turnMs: 50 });
    const result = deliver(a);
    const first = await request();
    await stood(1);
    expect(await failure(deliver(b))).toMatchObject({ code: 'NEIRA_CELL_LOST', details: { plugin: 'b' } });
    const second = await request();
    expect(first.call.signal.aborted).toBe(true);
    expect(second.call.attempt).not.toBe(first.call.attempt);
    first.answer('old');
    second.answer('new');
    expect(await action(result)).toEqual({ got: 'new' });
  },
);

test('a turn that ends its cell after a wait is blamed itself', async () => {
  const a = await plugin('a', "await ask(1); console.log('fault: exit');");
  const result = deliver(a);
  (await request()).answer(1);
  expect(await failure(result)).toMatchObject({ code: 'NEIRA_CELL_LOST', details: { plugin: 'a' } });
});

test('a turn that waits finishes on its version when another serves already', async () => {
  const old = await plugin('a', 'return { actions: [{ version: 1, got: await ask(1) }] };');
  const result = deliver(old);
  const open = await request();
  const next = await plugin('a', 'return { actions: [{ version: 2 }] };');
  expect(await action(deliver(next))).toEqual({ version: 2 });
  let idle = false;
  const unloaded = turns.idle(old.generation).then(() => {
    idle = true;
    pool.unload(old.generation);
  });
  expect(idle).toBe(false);
  open.answer(1);
  expect(await action(result)).toEqual({ version: 1, got: 1 });
  await unloaded;
  expect(await action(deliver(next))).toEqual({ version: 2 });
});
