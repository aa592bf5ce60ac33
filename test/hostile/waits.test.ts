import { expect, test } from 'vitest';
import { NeiraError } from '../../host/errors.ts';
import { action, deliver, failure, plugin, request, requests } from '../kit/waiting-spine.ts';

/** Plugins that try to bend how answers reach them, or to harm those that wait beside them. */

test.each([
  ['Promise.prototype.then', 'Promise.prototype.then = function () { throw new Error("patched"); };'],
  ['Promise itself', 'globalThis.Promise = class { constructor() { throw new Error("patched"); } };'],
  [
    'Object.prototype',
    "Object.defineProperty(Object.prototype, 'resolve', { get() { throw new Error('patched'); }, configurable: true }); Object.prototype.reject = Object.prototype.stack = () => { throw new Error('patched'); };",
  ],
  [
    'Array.prototype',
    "Array.prototype[Symbol.iterator] = () => { throw new Error('patched'); }; Array.prototype.push = Array.prototype.join = () => { throw new Error('patched'); };",
  ],
  [
    'the functions that texts go through',
    "JSON.parse = () => 'forged'; JSON.stringify = () => '\"forged\"'; String.prototype.slice = () => 'Vforged'; Reflect.apply = () => 'V1';",
  ],
  [
    "the engine's words about errors",
    "Error.prepareStackTrace = () => { throw new Error('patched'); }; Error.prototype.name = 'patched';",
  ],
])('a plugin that patched %s still gets its own answers and no others', async (_what, patch) => {
  const a = await plugin(
    'a',
    `${patch} const got = await ask(1); const code = await ask(2).catch?.call ? await (async () => { try { await ask(3); } catch (e) { return e.code; } })() : 0; return { actions: [{ got, code }] };`,
  );
  const b = await plugin('b', 'return { actions: [{ got: await ask(1) }] };');
  const result = deliver(a);
  const other = deliver(b);
  const open = await requests(2);
  for (const each of open) each.answer(each.call.serving.id);
  (await request()).answer(1);
  (await request()).refuse(new NeiraError('NEIRA_COMMAND_UNHANDLED', { command: 'c' }));
  expect(await action(result)).toEqual({ got: 'a', code: 'NEIRA_COMMAND_UNHANDLED' });
  expect(await action(other)).toEqual({ got: 'b' });
});

test('a plugin that spins after the answer is ended, and its neighbour that waits goes on', async () => {
  const a = await plugin('a', 'await ask(1); for (;;);');
  const b = await plugin('b', 'return { actions: [{ got: await ask(1) }] };');
  const spinning = deliver(a);
  const waiting = deliver(b);
  const open = await requests(2);
  for (const each of open) each.answer(1);
  expect(await failure(spinning)).toMatchObject({ code: 'NEIRA_CPU_EXCEEDED' });
  expect(await action(waiting)).toEqual({ got: 1 });
});
