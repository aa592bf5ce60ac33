import { expect, test } from 'vitest';
import {
  action,
  asked,
  deliver,
  failure,
  plugin,
  request,
  serve,
  sleeping,
  sleeps,
  turns,
} from '../../test/kit/waiting-spine.ts';

/** `setTimeout` and its kin within a turn: what authors see, on a real cell. */

const PAUSE = 'const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));';

test('a turn that waits for a timer goes on when it is due, and its clock says so', async () => {
  const a = await plugin(
    'a',
    `${PAUSE} const before = Date.now(); await pause(50); return { actions: [{ passed: Date.now() - before }] };`,
  );
  const beganMs = Date.now();
  const { passed } = (await action(deliver(a))) as { passed: number };
  expect(passed).toBeGreaterThanOrEqual(50);
  expect(Date.now() - beganMs).toBeGreaterThanOrEqual(49);
});

test('timers fire by when they are due, and those of one moment in the order in which they were set', async () => {
  const a = await plugin(
    'a',
    `${PAUSE} const order = []; const add = (name) => order.push(name);
     setTimeout(add, 40, 'fourth'); setTimeout(add, 20, 'second'); setTimeout(add, 20, 'third'); setTimeout(add, 0, 'first');
     setTimeout(() => Promise.resolve().then(() => add('micro')), 20); setTimeout(add, 20, 'after micro');
     add('now'); await pause(60); return { actions: [{ order }] };`,
  );
  expect(await action(deliver(a))).toEqual({
    order: ['now', 'first', 'second', 'third', 'micro', 'after micro', 'fourth'],
  });
});

test('a delay of nothing waits for nothing: what is pending runs, and then the timer', async () => {
  const a = await plugin(
    'a',
    `${PAUSE} for (let i = 0; i < 100; i++) await pause(0); return { actions: [{}] };`,
  );
  await action(deliver(a));
  expect(sleeps).toBe(0);
});

test('however many timers there are, one wait is open for them', async () => {
  const a = await plugin(
    'a',
    `${PAUSE} await Promise.all(Array.from({ length: 100 }, (_, n) => pause(30 + (n % 3) * 20))); return { actions: [{}] };`,
  );
  await action(deliver(a));
  // One for each moment at most: what is due by then needs none.
  expect(sleeps).toBeGreaterThan(0);
  expect(sleeps).toBeLessThanOrEqual(3);
});

test('a timer that was cleared keeps no turn: pending with nothing left to wait for is a failure at once', async () => {
  const a = await plugin(
    'a',
    'const id = setTimeout(() => {}, 9000); await ask(1); clearTimeout(id); await new Promise(() => {});',
  );
  const failed = failure(deliver(a));
  (await request()).answer(1);
  expect(await failed).toMatchObject({ code: 'NEIRA_NEVER_SETTLED' });
});

test('a request raced against a timeout many times leaves nothing open', async () => {
  const a = await plugin(
    'a',
    `let won = 0;
     for (let i = 0; i < 30; i++) {
       let id;
       const late = new Promise((_, reject) => { id = setTimeout(() => reject(new Error('late')), 9000 - i * 100); });
       won += await Promise.race([ask(i), late]);
       clearTimeout(id);
     }
     return { actions: [{ won }] };`,
  );
  const result = deliver(a);
  for (let i = 0; i < 30; i++) (await request()).answer(1);
  expect(await action(result)).toEqual({ won: 30 });
});

test('the timeout wins where the answer does not come, also with every request slot taken', async () => {
  const a = await plugin(
    'a',
    `${PAUSE} const open = Array.from({ length: 16 }, (_, n) => ask(n));
     return { actions: [{ won: await Promise.race([...open, pause(30).then(() => 'timeout')]) }] };`,
  );
  expect(await action(deliver(a))).toEqual({ won: 'timeout' });
  expect(asked).toHaveLength(16);
  for (const { call } of asked) expect(call.signal.aborted).toBe(true);
});

test('an interval fires until it is cleared, and what is left when the turn has answered never does', async () => {
  const a = await plugin(
    'a',
    `let n = 0; let done; const three = new Promise((resolve) => { done = resolve; });
     const id = setInterval((by) => { n += by; if (n === 3) { clearInterval(id); done(); } }, 5, 1);
     await three; setTimeout(() => { n = 99; }, 1); setInterval(() => {}, 1);
     return { actions: [{ n }] };`,
  );
  expect(await action(deliver(a))).toEqual({ n: 3 });
  await expect.poll(() => sleeping).toBe(0);
  expect(turns.pending).toBe(0);
});

test('what a timer throws ends the turn, at the author’s line', async () => {
  const source = `export async function handle() {
    setTimeout(() => {
      throw new TypeError('in a timer');
    }, 5);
    await new Promise(() => {});
  }`;
  expect(await failure(deliver(await serve('a', source)))).toMatchObject({
    code: 'NEIRA_PLUGIN_FAILED',
    details: { name: 'TypeError', reason: 'in a timer', line: 3 },
  });
});

test('what is no function is refused where it is set', async () => {
  const a = await plugin(
    'a',
    "let name; try { setTimeout('code()', 1); } catch (error) { name = error.name; } clearTimeout(); clearTimeout(77); return { actions: [{ name }] };",
  );
  expect(await action(deliver(a))).toEqual({ name: 'TypeError' });
});

// --- limits

test('a timer beyond wait_ms ends the turn, which says for what it waited', async () => {
  const a = await plugin('a', `${PAUSE} await pause(60_000);`, { waitMs: 40 });
  expect(await failure(deliver(a))).toMatchObject({
    code: 'NEIRA_WAIT_TIMEOUT',
    details: { waitMs: 40, what: 'timer.sleep 60000 ms' },
  });
  expect(sleeping).toBe(0);
});

test('an interval that is never cleared ends with wait_ms or with the host calls', async () => {
  const a = await plugin('a', 'setInterval(() => {}, 1); await new Promise(() => {});', {
    waitMs: 5000,
    hostCalls: 20,
  });
  expect(await failure(deliver(a))).toMatchObject({ code: 'NEIRA_HOST_CALLS_EXCEEDED' });
});

test('timers without a delay, one after the other for ever, end with cpu_ms', async () => {
  const a = await plugin(
    'a',
    'const again = () => setTimeout(again); again(); await new Promise(() => {});',
    {
      cpuMs: 20,
    },
  );
  expect(await failure(deliver(a))).toMatchObject({ code: 'NEIRA_CPU_EXCEEDED' });
});

test('the deadline of its event ends a turn that sleeps, and nothing is kept', async () => {
  const a = await plugin('a', `${PAUSE} await pause(5000);`);
  const delivered = deliver(a, null, { deadlineAtMs: Date.now() + 100 });
  await expect(delivered).rejects.toMatchObject({ code: 'NEIRA_DEADLINE' });
  expect(sleeping).toBe(0);
});

// --- dry runs

test('a dry run does not sleep: it jumps to when the timer is due', async () => {
  const a = await plugin(
    'a',
    `${PAUSE} const before = Date.now(); await pause(4000); await pause(5000); return { actions: [{ passed: Date.now() - before }] };`,
  );
  // A real sleep would end at the deadline.
  const result = await deliver(a, null, { dryRun: true, deadlineAtMs: Date.now() + 8000 });
  if (result.kind !== 'dry' || result.record.outcome.status !== 'ok') throw new Error(JSON.stringify(result));
  const [{ passed }] = JSON.parse(result.record.outcome.actions) as [{ passed: number }];
  expect(passed).toBeGreaterThanOrEqual(9000);
});

test('what a turn may not wait for, a dry run does not jump over', async () => {
  const a = await plugin('a', `${PAUSE} await pause(6000); await pause(6000);`);
  const result = await deliver(a, null, { dryRun: true });
  if (result.kind !== 'dry') throw new Error(JSON.stringify(result));
  expect(result.record.outcome).toMatchObject({
    status: 'failed',
    error: { code: 'NEIRA_WAIT_TIMEOUT', details: { what: 'timer.sleep 6000 ms' } },
  });
});

// --- images

test.each([
  ['top-level code', 'setTimeout(() => {}, 1); export function handle() {}'],
  [
    'prepare()',
    'export async function prepare() { await new Promise((resolve) => setTimeout(resolve, 1)); } export function handle() {}',
  ],
])('%s may not wait, and is told so', async (_where, source) => {
  await expect(serve('a', source)).rejects.toMatchObject({
    code: 'NEIRA_BOOT_FAILED',
    details: {
      cause: 'NEIRA_PERMISSION_DENIED',
      reason: expect.stringContaining('top-level code and prepare()'),
    },
  });
});

test('a plugin that patched what timers are made of harms nobody but itself', async () => {
  const a = await plugin(
    'a',
    `Date.now = () => 0; Reflect.apply = () => { throw new Error('patched'); }; Number.prototype.valueOf = () => 5;
     Object.prototype.next = { fn() {} }; Object.prototype.wait = '1'; Promise.prototype.then = Promise.prototype.then;
     await new Promise((resolve) => setTimeout(resolve, 20)); return { actions: [{ done: true }] };`,
  );
  expect(await action(deliver(a))).toEqual({ done: true });
});

test('turns of one key that wait for timers run one after the other and all of them commit', async () => {
  const a = await plugin(
    'a',
    `${PAUSE} const n = get('n')?.value ?? 0; await pause(5); set('n', n + 1); return { actions: [{ n }] };`,
  );
  const results = Array.from({ length: 6 }, () => deliver(a, null, { key: 'k' }));
  const seen = await Promise.all(results.map(action));
  expect(seen).toEqual([0, 1, 2, 3, 4, 5].map((n) => ({ n })));
});
