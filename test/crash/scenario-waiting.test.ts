// SCN-07, SCN-30: runs that wait are rows. However many there are, none is lost with the process, and none goes on twice.
import { expect, test } from 'vitest';
import { SCRIPT_GATES, type SpawnedHost, spawnHost } from '../kit/boot-host.ts';
import { installScenarios, scenariosOf } from '../kit/scenario-host.ts';
import { templateHome } from '../kit/template-home.ts';

const RUNS = Number(process.env['NEIRA_WAITING_RUNS'] ?? 400);
const BATCH = 250;
const TEST_MS = 10 * 60_000;
const ENDED_MS = 4 * 60_000;

const WAITER = `
id: waiter
mode: parallel
max: 100000
steps:
  - if: ctx.by == "time"
    then: [{wait: {until: '\${ctx.at}'}}]
    else: [{wait: {event: chat.said@1, correlate: {payload.chat: '\${ctx.chat}'}}}]
  - {publish: wait.over@1, with: {n: '\${ctx.n}'}}
`;

/** Begins runs, many in a turn. */
const STARTER = `
import { publish } from 'neira:host/bus';
export function handle(event) {
  const { from, count, at } = event.payload.params;
  for (let n = from; n < from + count; n++)
    publish('scenario.run', { id: 'waiter', ctx: n % 2 === 0 ? { n, by: 'time', at } : { n, by: 'event', chat: 'c' + n % 10 } });
}`;

/** Counts each that went on. */
const COUNTER = `
import { add, get } from 'neira:host/storage';
export function handle({ payload, event_name }) {
  if (event_name === 'counter.read') return { actions: [{ result: { over: get('over')?.value ?? 0, twice: get('twice')?.value ?? 0 } }] };
  add('over', 1);
  if (add('seen/' + payload.n, 1) > 1) add('twice', 1);
}`;

const preparedHome = templateHome(async (home) => {
  const host = await spawnHost({ home, gates: SCRIPT_GATES });
  await host.events('wait.over@1');
  await installScenarios(host, { step_events: false });
  const starter = {
    id: 'starter',
    permissions: {},
    publishes: ['scenario.run@1'],
    limits: { publishes: 1000, turn_ms: 10_000 },
    ui: { buttons: [{ id: 'starter', title: 'Start', event: 'starter.go' }] },
  };
  const counter = {
    id: 'counter',
    permissions: { storage: ['read', 'write'] },
    subscribes: [{ event: 'wait.over@1' }],
    limits: { concurrency: 8, turn_ms: 10_000 },
    ui: { buttons: [{ id: 'counter', title: 'Count', event: 'counter.read' }] },
  };
  for (const [manifest, source] of [
    [starter, STARTER],
    [counter, COUNTER],
  ] as const) {
    const { status, body } = await host.script(manifest, source);
    expect(status, JSON.stringify(body)).toBe(201);
  }
  await scenariosOf(host).save(WAITER);
  await host.close();
});

async function begin(host: SpawnedHost, at: string): Promise<void> {
  for (let from = 0; from < RUNS; from += BATCH) {
    const { status, body } = await host.event('starter', { from, count: Math.min(BATCH, RUNS - from), at });
    expect(status, JSON.stringify(body)).toBe(200);
  }
}

async function countOf(host: SpawnedHost): Promise<{ over: number; twice: number }> {
  return (await host.event('counter')).body.actions[0].result;
}

/** Runs that stand still for something. */
async function waitingIn(host: SpawnedHost): Promise<number> {
  let count = 0;
  let after: string | undefined;
  do {
    const page = await scenariosOf(host).ask('runs', { limit: 100, ...(after !== undefined && { after }) });
    count += page.runs.filter(({ state }: { state: string }) => state === 'waiting').length;
    after = page.next;
  } while (after !== undefined);
  return count;
}

test(
  `${RUNS} runs that wait for time and for events survive a kill, and each goes on once`,
  async () => {
    const home = await preparedHome();
    let host = await spawnHost({ home });
    const beforeMs = Date.now();
    // Not before all of them wait, and have been killed.
    const at = new Date(beforeMs + 10_000 + RUNS * 10).toISOString();
    await begin(host, at);
    await expect.poll(() => waitingIn(host), { timeout: ENDED_MS, interval: 1000 }).toBe(RUNS);
    await host.kill();

    host = await spawnHost({ home });
    expect(await waitingIn(host)).toBe(RUNS);
    expect(await countOf(host)).toEqual({ over: 0, twice: 0 });
    for (let chat = 1; chat < 10; chat += 2)
      await scenariosOf(host).publish('chat.said', { chat: `c${chat}`, text: 'go on' });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await host.kill();

    host = await spawnHost({ home });
    await expect
      .poll(() => countOf(host), { timeout: ENDED_MS, interval: 500 })
      .toEqual({ over: RUNS, twice: 0 });
    await host.close();
    expect(host.log()).not.toMatch(/"level":"(?:error|fatal)"/);
  },
  TEST_MS,
);
