/** A real cell over the real engine of components, in this thread, with sessions that only wait. */
import { once } from 'node:events';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { componentOf, type ModuleText } from '../../test/kit/component.ts';
import { Cell } from './cell.ts';
import { buildComponent } from './component/build/build-component.ts';
import { LIMITS } from './component/build/test-components.ts';
import { componentEngine } from './component/component-engine.ts';
import { ComponentInstance } from './component/component-instance.ts';
import type { Program } from './messages.ts';
import type { TurnSession } from './sessions.ts';

const WAIT = 7;
const GENERATION = 1;
const NULL = { more: '(data (i32.const 64) "null")', answer: '(call $ok (i32.const 64) (i32.const 4))' };
const SLEEP = '(call $sleep (i32.const 5) (i32.const 1024))';
/** Whether the event is longer than `""`. */
const IS_LONG = '(i32.gt_u (local.get $n) (i32.const 2))';
/** Sleeps once, or twice when the event is long. */
const SLEEPING: ModuleText = {
  imports: '(import "neira:host/timer@1.0.0" "sleep" (func $sleep (param i32 i32)))',
  handle: `${SLEEP} (if ${IS_LONG} (then ${SLEEP})) ${NULL.answer}`,
  more: NULL.more,
};
/** Traps when the event is long. */
const PLAIN: ModuleText = { handle: `(if ${IS_LONG} (then unreachable)) ${NULL.answer}`, more: NULL.more };

const session: TurnSession = {
  call: (op) => (op === 'timer.sleep' ? `P${WAIT}` : 'U'),
  randomBytes: (count) => new Uint8Array(count),
  nowMs: () => 0,
  suspend: () => void happened.push('waits'),
  answered: (_wait, answer) => answer,
  cut: false,
  finish({ status }) {
    happened.push(status);
    return { record: JSON.stringify(status), transcript: '' };
  },
};
const budget = {
  softFuel: 1e6,
  hardFuel: 1e6,
  wallDeadlineMs: Number.POSITIVE_INFINITY,
  maxOutputBytes: 1000,
};

/** In order: turns that began, instances that were made, turns that stood still, how turns ended. */
let happened: string[];
/** How many of the next instances cannot be made. */
let failing: number;
let cell: Cell;
let ports: MessagePort[];

beforeEach(() => {
  happened = [];
  failing = 0;
  const [parent, records] = [new MessageChannel(), new MessageChannel()];
  ports = [parent.port1, records.port1];
  const never = (): never => {
    throw new Error('no turn of this test needs it');
  };
  cell = new Cell({
    parent: parent.port1,
    records: records.port1,
    slot: new Int32Array(2),
    engine: {
      ...componentEngine,
      restore(image) {
        if (failing-- > 0) throw new Error('there is no room for it');
        happened.push('made');
        return componentEngine.restore(image as never);
      },
    },
    openTurn() {
      happened.push('begins');
      return session;
    },
    openBatch: never,
    openReplay: never,
    openBoot: never,
  });
});
afterEach(() => {
  for (const port of ports) port.close();
});

async function load(module: ModuleText): Promise<void> {
  const built = await buildComponent(await componentOf(module), LIMITS);
  const { image } = await ComponentInstance.boot(built, session, budget);
  const limits = { turnMs: 1000, cpuMs: 100, memoryMb: 16, outputBytes: 1000 };
  const program: Program = { generation: GENERATION, plugin: 'p', limits, image, sourceMap: '', policy: {} };
  cell.receive({ type: 'program', program });
}

const deliver = (attempt: number, envelope = '""') =>
  cell.receive({
    type: 'deliveries',
    batch: JSON.stringify([{ attempt, generation: GENERATION, envelope, dryRun: false }]),
  });
const answer = (attempt: number) =>
  cell.receive({ type: 'answer', attempt, wait: WAIT, answer: 'U', atMs: 0 });

/** All that happens until there is nothing left to do, and forgets it. */
async function idle(): Promise<string[]> {
  for (let quiet = 0, seen = happened.length; quiet < 5; quiet++) {
    const { port1, port2 } = new MessageChannel();
    port1.postMessage('');
    await once(port2, 'message');
    await new Promise(setImmediate);
    if (happened.length !== seen) quiet = 0;
    seen = happened.length;
    port2.close();
  }
  return happened.splice(0);
}

test('while a turn waits, the instance of the next one is made, so no later turn waits for its own', async () => {
  await load(SLEEPING);
  deliver(1);
  expect(await idle()).toEqual(['begins', 'made', 'waits', 'made']);
  for (const turn of [1, 2, 3]) {
    answer(turn);
    expect(await idle()).toEqual(['ok']);
    deliver(turn + 1);
    expect(await idle()).toEqual(['begins', 'waits', 'made']);
  }
});

test('turns that have come go before what is made ahead', async () => {
  await load(SLEEPING);
  deliver(1);
  deliver(2);
  expect(await idle()).toEqual(['begins', 'made', 'waits', 'begins', 'made', 'waits', 'made']);
});

test('an instance that can be used again is, and no second is made', async () => {
  await load(PLAIN);
  deliver(1);
  expect(await idle()).toEqual(['begins', 'made', 'ok']);
  deliver(2);
  expect(await idle()).toEqual(['begins', 'ok']);
});

test('after a trap the next turn finds another instance', async () => {
  await load(PLAIN);
  deliver(1, '"trap"');
  expect(await idle()).toEqual(['begins', 'made', 'failed', 'made']);
  deliver(2);
  expect(await idle()).toEqual(['begins', 'ok']);
});

test('for a program that serves no more none is made, whatever its last turns do', async () => {
  await load(SLEEPING);
  deliver(1, '"twice"');
  await idle();
  cell.receive({ type: 'unload', generation: GENERATION });
  answer(1);
  expect(await idle()).toEqual(['waits']);
  answer(1);
  expect(await idle()).toEqual(['ok']);
});

test('one that cannot be made ahead is made by the turn that needs it', async () => {
  await load(SLEEPING);
  deliver(1);
  await idle();
  failing = 1;
  deliver(2);
  expect(await idle()).toEqual(['begins', 'waits']);
  deliver(3);
  expect(await idle()).toEqual(['begins', 'made', 'waits', 'made']);
});
