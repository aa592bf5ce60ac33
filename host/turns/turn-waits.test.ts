import { expect, test } from 'vitest';
import {
  action,
  asked,
  deliver,
  failure,
  HEAD,
  plugin,
  request,
  requests,
  serve,
  stored,
  turns,
} from '../../test/kit/waiting-spine.ts';
import { NeiraError } from '../errors.ts';
import type { TurnRecord } from '../store/records.ts';

/** What a turn sees that awaits answers; whoever answers its requests is the test. */

// --- answers

test('a turn awaits the answer of a request, and main sees command, payload and options', async () => {
  const a = await plugin(
    'a',
    'const found = await ask({ q: 1 }, { version: 2, timeoutMs: 50 }); return { actions: [{ found }] };',
  );
  const result = deliver(a);
  const { call, answer, refuse: _, ...rest } = await request();
  expect(rest).toMatchObject({
    what: 'math.ask@2',
    command: 'math.ask',
    version: 2,
    payload: '{"q":1}',
    timeoutMs: 50,
  });
  expect(call).toMatchObject({ wait: 1, op: 'bus.request', turn: { turnId: expect.stringMatching(/:a$/) } });
  answer({ sum: 3 });
  expect(await action(result)).toEqual({ found: { sum: 3 } });
  expect(call.signal.aborted).toBe(true);
  expect(turns.pending).toBe(0);
});

test('requests that are open at once are answered in any order', async () => {
  const a = await plugin(
    'a',
    'const order = []; const one = (n) => ask(n).then((v) => { order.push(n); return v; }); return { actions: [{ all: await Promise.all([one(1), one(2), one(3)]), order }] };',
  );
  const result = deliver(a);
  const [first, second, third] = await requests(3);
  third!.answer('c');
  first!.answer('a');
  second!.answer('b');
  expect(await action(result)).toEqual({ all: ['a', 'b', 'c'], order: [3, 1, 2] });
});

test('the first of a race settles the turn, and what is open then is aborted', async () => {
  const a = await plugin('a', 'return { actions: [{ won: await Promise.race([ask(1), ask(2)]) }] };');
  const result = deliver(a);
  const [first, second] = await requests(2);
  second!.answer('quick');
  expect(await action(result)).toEqual({ won: 'quick' });
  await expect.poll(() => first!.call.signal.aborted).toBe(true);
  first!.answer('late');
});

test('a turn may wait many times in a row, with answers of any size', async () => {
  const a = await plugin(
    'a',
    'let sum = 0; for (let n = 0; n < 100; n++) sum += (await ask(n)).length; return { actions: [{ sum }] };',
    { memoryMb: 16, cpuMs: 5000 },
  );
  const result = deliver(a);
  for (let n = 0; n < 100; n++) (await request()).answer('x'.repeat(n % 2 ? 200_000 : 10));
  expect(await action(result)).toEqual({ sum: 50 * 200_010 });
}, 60_000);

test('an answer of nothing is undefined, and one that looks like a promise is a value', async () => {
  const a = await plugin('a', 'return { actions: [{ a: (await ask(1)) === undefined, b: await ask(2) }] };');
  const result = deliver(a);
  (await request()).answer(undefined);
  (await request()).answer(JSON.parse('{"then":1}'));
  expect(await action(result)).toEqual({ a: true, b: JSON.parse('{"then":1}') });
});

// --- refusals

test('a refusal rejects with its code and details, and the turn may go on', async () => {
  const a = await plugin(
    'a',
    "try { await ask(1); } catch (e) { set('k', e.code); return { actions: [{ code: e.code, details: e.details, message: e.message, native: e instanceof Error }] }; }",
  );
  const result = deliver(a);
  (await request()).refuse(new NeiraError('NEIRA_COMMAND_UNHANDLED', { command: 'math.ask@1' }));
  expect(await action(result)).toEqual({
    code: 'NEIRA_COMMAND_UNHANDLED',
    details: { command: 'math.ask@1' },
    message: 'No plugin handles the command `math.ask@1`.',
    native: true,
  });
  expect(stored('a', 'k')).toBe('NEIRA_COMMAND_UNHANDLED');
});

test('a refusal that is let through fails the turn with its own code, at the line of the call; nothing is kept', async () => {
  const source = `${HEAD}
export async function handle() {
  set('k', 1);
  await helper();
}
async function helper() {
  await null;
  await ask(1);
}`;
  const a = await serve('a', source);
  const result = deliver(a);
  (await request()).refuse(new NeiraError('NEIRA_COMMAND_UNHANDLED', { command: 'math.ask@1' }));
  const error = await failure(result);
  expect(error).toMatchObject({
    code: 'NEIRA_COMMAND_UNHANDLED',
    details: { plugin: 'a', file: 'main.ts', line: 4 },
  });
  expect(error.stack).toContain(`main.ts:${source.split('\n').indexOf('  await ask(1);') + 1}`);
  expect(stored('a', 'k')).toBeUndefined();
});

test.each([
  ['a command that the manifest does not name', "request('math.other', 1)", 'NEIRA_UNKNOWN_EVENT'],
  ['a version that it does not name', "request('math.ask', 1, { version: 3 })", 'NEIRA_UNKNOWN_EVENT'],
  ['a command that was not granted', "request('math.secret', 1)", 'NEIRA_PERMISSION_DENIED'],
  ['a payload that is too large', "ask('x'.repeat(300000))", 'NEIRA_VALUE_TOO_LARGE'],
  ['a payload that is no JSON', 'ask(undefined)', 'TypeError'],
  ['a version that is no number', "ask(1, { version: '1' })", 'NEIRA_VALUE_INVALID'],
])('%s rejects at once and never reaches main', async (_what, expression, code) => {
  const a = await plugin(
    'a',
    `return { actions: [{ code: await ${expression}.then(() => 'answered', (e) => e.code ?? e.name) }] };`,
  );
  expect(await action(deliver(a))).toEqual({ code });
  expect(asked).toEqual([]);
});

test('what is thrown after a wait has its place in the source', async () => {
  const a = await serve('a', `${HEAD}\nexport async function handle() {\n  await ask(1);\n  null.x;\n}`);
  const result = deliver(a);
  (await request()).answer(1);
  expect(await failure(result)).toMatchObject({
    code: 'NEIRA_PLUGIN_FAILED',
    details: { name: 'TypeError', file: 'main.ts', line: 8 },
  });
});

test('what a `.then` throws that nobody awaits does not fail the turn', async () => {
  const a = await plugin(
    'a',
    "ask(1).then(() => { throw new Error('lost'); }); return { actions: [{ got: await ask(2) }] };",
  );
  const result = deliver(a);
  const [first, second] = await requests(2);
  first!.answer(1);
  second!.answer(2);
  expect(await action(result)).toEqual({ got: 2 });
});

test('a promise that nothing is left to settle fails at once, before and after a wait', async () => {
  const a = await plugin('a', 'if (event.payload) await ask(1); await new Promise(() => {});');
  expect(await failure(deliver(a, 0))).toMatchObject({ code: 'NEIRA_NEVER_SETTLED' });
  const result = deliver(a, 1);
  (await request()).answer(1);
  expect(await failure(result)).toMatchObject({ code: 'NEIRA_NEVER_SETTLED' });
});

test('top-level code and prepare() cannot wait', async () => {
  const head = "import { request } from 'neira:host/bus';\nexport const handle = () => 1;\n";
  for (const [body, during] of [
    ["await request('math.ask', 1);", 'load'],
    ["export const prepare = () => request('math.ask', 1);", 'prepare'],
  ] as const) {
    await expect(serve('a', head + body)).rejects.toMatchObject({
      code: 'NEIRA_BOOT_FAILED',
      details: { during, cause: 'NEIRA_PERMISSION_DENIED' },
    });
  }
});

// --- state and time

test('what was staged before the wait commits with what is staged after it', async () => {
  const a = await plugin(
    'a',
    "set('before', 1); publish('math.ask', 1); const own = get('before').value; await ask(1); set('after', get('before').value + own);",
  );
  const result = deliver(a);
  const open = await request();
  expect(stored('a', 'before')).toBeUndefined();
  open.answer(1);
  await action(result);
  expect([stored('a', 'before'), stored('a', 'after')]).toEqual([1, 2]);
});

test('after the wait a turn sees what was committed meanwhile', async () => {
  const a = await plugin(
    'a',
    "if (event.payload) return void set('k', event.payload); list('other', undefined, 1); await ask(1); return { actions: [{ k: get('k')?.value ?? null }] };",
  );
  const result = deliver(a);
  const open = await request();
  await action(deliver(a, 7));
  open.answer(1);
  expect(await action(result)).toEqual({ k: 7 });
});

test('a turn whose reads changed while it waited runs again, with requests of its own', async () => {
  const a = await plugin(
    'a',
    "const n = get('n')?.value ?? 0; if (event.payload) return void set('n', event.payload); await ask(n); set('n', n + 1); return { actions: [{ n: n + 1 }] };",
  );
  const result = deliver(a);
  const first = await request();
  await action(deliver(a, 10));
  first.answer(1);
  const second = await request();
  expect([first.payload, second.payload]).toEqual(['0', '10']);
  expect(second.call).toMatchObject({ wait: 1, turn: { turnId: first.call.turn.turnId } });
  expect(second.call.attempt).not.toBe(first.call.attempt);
  second.answer(1);
  expect(await action(result)).toEqual({ n: 11 });
});

test('time in a turn stands still until an answer comes, and then is the time of the answer', async () => {
  const a = await plugin(
    'a',
    'const start = Date.now(); const open = ask(1); const then = Date.now(); await open; return { actions: [{ start, then, after: Date.now(), again: Date.now() }] };',
  );
  const result = deliver(a);
  const open = await request();
  await new Promise((resolve) => setTimeout(resolve, 30));
  const answeredAtMs = Date.now();
  open.answer(1);
  const { start, then, after, again } = (await action(result)) as Record<string, number>;
  expect(then).toBe(start);
  expect(again).toBe(after);
  expect(after).toBeGreaterThanOrEqual(answeredAtMs);
});

test('a dry run waits as well, says so to main, and keeps nothing', async () => {
  const a = await plugin('a', "set('k', await ask(1));");
  const result = deliver(a, null, { dryRun: true });
  const open = await request();
  expect(open.call.turn.dryRun).toBe(true);
  open.answer(5);
  const { record } = (await result) as { record: TurnRecord };
  expect(record.effects).toEqual([{ op: 'set', key: 'k', value: '5' }]);
  expect(stored('a', 'k')).toBeUndefined();
});
