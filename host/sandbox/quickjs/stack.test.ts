import { expect, test } from 'vitest';
import { boot, bootFailure } from './test-instance.ts';

/** Where the author finds the fault: the place of the error, and the frames of the author's files. */

const THROWING = {
  'main.ts': `import { check } from './lib/check.ts';

interface Payload { how: string }

export function handle({ how }: Payload): unknown {
  return run(how);
}

function run(how: string): unknown {
  if (how === 'here') throw new RangeError('thrown here');
  if (how === 'there') return check();
  if (how === 'async') return later();
  return undefined;
}

async function later(): Promise<void> {
  await null;
  await Promise.resolve();
  check();
}
`,
  'lib/check.ts': `
type Nothing = undefined;
export function check(): Nothing {
  const nothing = undefined as unknown as { field: { deep: 1 } };
  return nothing.field.deep as unknown as Nothing;
}
`,
};

test('a throw in the entry file names its line', async () => {
  const failure = (await boot(THROWING)).failure({ how: 'here' });
  expect(failure).toMatchObject({
    code: 'NEIRA_PLUGIN_FAILED',
    details: { name: 'RangeError', reason: 'thrown here', file: 'main.ts', line: 10 },
  });
  const frames = failure.stack!.split('\n');
  expect(frames).toHaveLength(2);
  expect(frames[0]).toMatch(/^ {4}at run \(main\.ts:10:\d+\)$/);
  expect(frames[1]).toMatch(/^ {4}at handle \(main\.ts:6:\d+\)$/);
});

test('a throw in an imported file names that file', async () => {
  const failure = (await boot(THROWING)).failure({ how: 'there' });
  expect(failure).toMatchObject({ details: { name: 'TypeError', file: 'lib/check.ts', line: 5 } });
  expect(failure.stack).toMatch(
    /at check \(lib\/check\.ts:5:\d+\)\n.*at run \(main\.ts:11:\d+\)\n.*at handle \(main\.ts:6/,
  );
});

test('a throw after an await names its line', async () => {
  const failure = (await boot(THROWING)).failure({ how: 'async' });
  expect(failure).toMatchObject({ details: { file: 'lib/check.ts', line: 5 } });
  expect(failure.stack).toMatch(/at later \(main\.ts:19:\d+\)/);
});

const LOOPS = `
export function handle(how) {
  if (how === 'sync') return sync();
  if (how === 'bare') return bare();
  if (how === 'waiting') return waiting();
  return async();
}
function sync() {
  let n = 0;
  for (;;) {
    n = Math.max(n, 1);
  }
}
function bare() {
  for (;;);
}
async function async() {
  await null;
  for (;;) {
    Math.max(1, 2);
  }
}
async function waiting() {
  for (;;) {
    await null;
  }
}`;

// The engine polls between calls, and there it knows the function and not the line.
test.each([
  ['in plain code', 'sync', 'sync', [8, 9, 10, 11]],
  ['in a loop without a call', 'bare', 'bare', [14, 15]],
  ['after an await', 'async', 'async', [17, 18, 19, 20]],
])('a loop that was interrupted %s names its place', async (_where, how, name, lines) => {
  const failure = (await boot(LOOPS)).failure(how, { softFuel: 2e6, hardFuel: 2.5e6 });
  expect(failure).toMatchObject({ code: 'NEIRA_CPU_EXCEEDED', details: { file: 'main.ts' } });
  expect(lines).toContain(failure.details['line']);
  expect(failure.stack).toContain(`at ${name} (main.ts:`);
});

test('a loop of awaits is ended too', async () => {
  const failure = (await boot(LOOPS)).failure('waiting', { softFuel: 2e6, hardFuel: 2.5e6 });
  expect(failure).toMatchObject({ code: 'NEIRA_CPU_EXCEEDED' });
});

test('a refusal of the host names the line of the call', async () => {
  const source = `
import { set } from 'neira:host/storage';
export function handle() {
  set('k',
    undefined);
}`;
  expect((await boot(source)).failure()).toMatchObject({
    code: 'NEIRA_PLUGIN_FAILED',
    details: { name: 'TypeError', file: 'main.ts', line: 4 },
  });
});

test('an overflow of the stack names the recursion', async () => {
  const failure = (
    await boot('const dive = () => dive() + 1;\nexport const handle = () => dive();')
  ).failure();
  expect(failure).toMatchObject({ code: 'NEIRA_STACK_EXCEEDED', details: { file: 'main.ts', line: 1 } });
  expect(failure.stack!.split('\n').length).toBeLessThanOrEqual(20);
});

test.each([
  ['top-level code', "const a = 1;\nthrow new Error('no');\nexport const handle = () => 1;", 'load', 2],
  ['top-level await', "await null;\n\nthrow new Error('no');\nexport const handle = () => 1;", 'load', 3],
  [
    'prepare()',
    "export const handle = () => 1;\nexport function prepare() {\n  throw new Error('no');\n}",
    'prepare',
    3,
  ],
  [
    'async prepare()',
    "export const handle = () => 1;\nexport async function prepare() {\n  await null;\n  throw new Error('no');\n}",
    'prepare',
    4,
  ],
  [
    'a loop at the top',
    // An interrupt at the jump back to the loop's head names what stands before the loop: both on one line.
    '\nlet n = Math.min(0, 1); for (;;) n = Math.max(n, 1);\nexport const handle = () => 1;',
    'load',
    2,
  ],
])('a boot that fails in %s names its line', async (_where, source, during, line) => {
  expect(await bootFailure(source)).toMatchObject({ during, details: { file: 'main.ts', line } });
});

test.each([
  [
    'a promise at the top that nothing settles',
    'await new Promise(() => {});\nexport const handle = () => 1;',
    'load',
  ],
  [
    'a prepare() that nothing settles',
    'export const handle = () => 1;\nexport const prepare = () => new Promise(() => {});',
    'prepare',
  ],
])('%s is named for what it is', async (_what, source, during) => {
  expect(await bootFailure(source)).toMatchObject({ during, code: 'NEIRA_NEVER_SETTLED' });
});

test('whatever is thrown has a description', async () => {
  const plugin = await boot(`
    const things = {
      text: () => 'only a text', nothing: () => undefined, null: () => null, object: () => ({ a: 1 }), symbol: () => Symbol('s'), big: () => 10n,
      getter: () => ({ get message() { throw 1; }, get name() { throw 2; } }), proxy: () => new Proxy({}, { get() { throw 3; } }),
      endless: () => ({ get message() { for (;;); } }), fn: () => () => 1, cause: () => new Error('outer', { cause: new Error('inner') }),
    };
    export const handle = (what) => { throw things[what](); };`);
  for (const what of [
    'text',
    'nothing',
    'null',
    'object',
    'symbol',
    'big',
    'getter',
    'proxy',
    'endless',
    'fn',
    'cause',
  ]) {
    const failure = plugin.failure(what, { softFuel: 5e6, hardFuel: 6e6 });
    expect(failure.code, what).toMatch(/^NEIRA_(PLUGIN_FAILED|CPU_EXCEEDED)$/);
    expect(failure.message.length, what).toBeGreaterThan(20);
  }
  expect(plugin.failure('text').details['reason']).toBe('only a text');
});

test('a plugin cannot pass its own error off as one of the host', async () => {
  const plugin = await boot(`
    export function handle(how) {
      const forged = { name: 'NeiraError', code: 'NEIRA_GATE_LOCKED', message: 'forged', details: {} };
      throw how === 'error' ? Object.assign(new Error('forged'), forged) : forged;
    }`);
  for (const how of ['error', 'object']) expect(plugin.failure(how).code).toBe('NEIRA_PLUGIN_FAILED');
});
