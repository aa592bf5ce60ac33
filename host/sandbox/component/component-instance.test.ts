import { expect, test } from 'vitest';
import { componentOf, type ModuleText } from '../../../test/kit/component.ts';
import type { HostCalls } from '../run-result.ts';
import { buildComponent } from './build/build-component.ts';
import { LIMITS } from './build/test-components.ts';
import { ComponentInstance } from './component-instance.ts';
import { ComponentRun } from './component-run.ts';

const SLEEP = '(import "neira:host/timer@1.0.0" "sleep" (func $sleep (param i32 i32)))';
const WAIT = 7;

const host: HostCalls = {
  call: (op) => (op === 'timer.sleep' ? `P${WAIT}` : 'U'),
  randomBytes: (count) => new Uint8Array(count),
  nowMs: () => 0,
};
const budget = (softFuel = 1_000_000) => ({
  softFuel,
  hardFuel: softFuel,
  wallDeadlineMs: Number.POSITIVE_INFINITY,
  maxOutputBytes: 1000,
});

async function instanceOf(module: ModuleText): Promise<ComponentInstance> {
  return ComponentInstance.boot(await buildComponent(await componentOf(module), LIMITS), host, budget());
}

test('a component that imports nothing which waits answers in one plain call', async () => {
  const instance = await instanceOf({});
  for (const event of ['{"n":1}', '{"n":2}']) {
    expect(instance.run(event, host, budget())).toEqual({ kind: 'value', json: event });
    instance.reset();
  }
});

test('one that imports what waits stands still in it, and answers when it has been answered', async () => {
  const handle = `(call $sleep (i32.const 5) (i32.const 1024)) (call $ok (local.get $p) (local.get $n))`;
  const instance = await instanceOf({ imports: SLEEP, handle });
  expect(await instance.run('{"n":1}', host, budget())).toEqual({ kind: 'suspended' });
  expect(await instance.resume(WAIT, 'U', host, budget())).toEqual({ kind: 'value', json: '{"n":1}' });
});

// HOST-12: limits mean the same on both ways through the engine.
test.each([
  ['fuel that runs out', '(loop $l (br $l)) (unreachable)', { kind: 'aborted', why: 'cpu' }],
  ['a trap', '(unreachable)', { kind: 'fault' }],
  ['an error', '(call $err (local.get $p) (local.get $n))', { kind: 'thrown' }],
  ['too long an answer', '(call $ok (i32.const 4096) (i32.const 1001))', { kind: 'output-too-large' }],
])(
  '%s ends both kinds alike, with the same fuel, and the instance is not used again',
  async (_, handle, expected) => {
    const plain = await instanceOf({ handle });
    const waiting = await instanceOf({ imports: SLEEP, handle });
    for (const instance of [plain, waiting]) {
      expect(await instance.run('"x"', host, budget())).toMatchObject(expected);
      expect(instance.isReusable).toBe(false);
    }
    expect(plain.fuelUsed).toBe(waiting.fuelUsed);
  },
);

test('what is left of its output is logged at the cost of the run', async () => {
  const run = new ComponentRun();
  const printing = () => {
    run.onEnd(() => run.log('info', 'the rest of a line'));
    run.fuel.value = 1n;
    return '{}';
  };
  run.arm(host, budget());
  expect(run.whole(printing)).toEqual({ kind: 'aborted', why: 'cpu' });
  run.arm(host, budget());
  expect(await run.slice(async () => printing())).toEqual({ kind: 'aborted', why: 'cpu' });
});
