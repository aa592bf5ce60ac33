/**
 * Scenarios beside durable workflows of others: ten steps that do nothing but are kept, and how soon something is done
 * about an event. Every commit of each is synced to disk.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { atLeast, atMost, median, ms, quantile, type Row, type Section, times } from './kit.ts';
import { type PostgresServer, startPostgres } from './postgres.ts';
import { type RestateServer, startRestate } from './restate.ts';
import { publishedCount, required, STEPS, startScenarioHost } from './scenario-host.ts';

const IN_FLIGHT = 32;
const ROUNDS = 3;
const WARM_UP_MS = 2500;
const MEASURED_MS = 4000;
const ACTIONS = 150;

interface Peers {
  readonly postgres: PostgresServer | undefined;
  readonly restate: RestateServer | undefined;
}

export async function run(): Promise<Section> {
  await using stack = new AsyncDisposableStack();
  const postgres = await startPostgres();
  if (postgres) stack.use(postgres);
  const restate = await startRestate();
  if (restate) stack.use(restate);
  const peers = { postgres, restate };
  const rows = [...(await throughput(peers)), ...(await firstActions(peers))];
  const missing = [
    ...(postgres ? [] : ['DBOS is skipped: there is no PostgreSQL here, and this user cannot install it']),
    ...(restate ? [] : ['Restate is skipped: its npm package has no server for this machine']),
  ];
  return {
    name: `scenario (durability power; DBOS on PostgreSQL ${postgres?.version ?? '–'}, synchronous_commit on)`,
    rows,
    notes: [
      `${STEPS} steps that set a value, ${IN_FLIGHT} runs in flight, ${ROUNDS} rounds in turns; a plugin begins the next run when one has ended, DBOS's client runs in its own process, Restate is called over HTTP`,
      `an action is an HTTP call to the bench, which a step makes; ${ACTIONS} each, one in flight`,
      ...missing,
    ],
  };
}

// --- steps a second

async function throughput({ postgres, restate }: Peers): Promise<Row[]> {
  const found = { ours: [] as number[], each: [] as number[], dbos: [] as number[], restate: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    found.ours.push(await ourSteps());
    if (postgres) found.dbos.push(await dbosSteps(postgres, round));
    if (restate) found.restate.push(await restateSteps(restate));
  }
  found.each.push(await ourSteps({ steps_per_turn: 1 }));
  const perSecond = (what: string, values: readonly number[]): Row[] =>
    values.length === 0 ? [] : [{ what, figure: `${median(values).toFixed(0)}/s` }];
  const ratios = (peer: readonly number[]) => median(found.ours.map((value, round) => value / peer[round]!));
  return [
    ...perSecond('journaled steps', found.ours),
    ...perSecond('journaled steps, each a turn of its own', found.each),
    ...perSecond('DBOS: steps', found.dbos),
    ...perSecond('Restate: steps', found.restate),
    ...(postgres ? [atLeast('steps a second : DBOS', ratios(found.dbos), 5, times)] : []),
    ...(restate ? [{ what: 'steps a second : Restate', figure: times(ratios(found.restate)) }] : []),
  ];
}

async function ourSteps(settings?: object): Promise<number> {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-bench-'));
  const host = await startScenarioHost(home, 'power', { inFlight: IN_FLIGHT, ...(settings && { settings }) });
  try {
    required((await host.event('driver')).status === 200, 'the driver did not begin');
    await sleep(WARM_UP_MS);
    const before = await publishedCount(host, 'scenario.completed');
    const started = performance.now();
    await sleep(MEASURED_MS);
    const runs = (await publishedCount(host, 'scenario.completed')) - before;
    return (runs * STEPS * 1000) / (performance.now() - started);
  } finally {
    await host.kill();
    rmSync(home, { recursive: true, force: true });
  }
}

async function dbosSteps(postgres: PostgresServer, round: number): Promise<number> {
  const told = await dbos<{ stepsPerS: number }>(
    'steps',
    postgres.url(`steps${round}`),
    '500',
    String(IN_FLIGHT),
  );
  return told.stepsPerS;
}

async function restateSteps(restate: RestateServer): Promise<number> {
  const inFlight = async (count: number) => {
    let left = count;
    const client = async () => {
      while (left-- > 0) await restate.call('steps', STEPS);
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, client));
  };
  await inFlight(100);
  const started = performance.now();
  await inFlight(600);
  return (600 * STEPS * 1000) / (performance.now() - started);
}

/** Runs a process of DBOS to its end and answers what it printed. */
export function dbos<T>(...args: readonly string[]): Promise<T> {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'dbos-worker.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.once('close', (code, signal) => {
      if (code !== 0 && signal !== 'SIGKILL') return reject(new Error(`DBOS ended with ${code}`));
      resolve((out.trim() === '' ? undefined : JSON.parse(out.trim().split('\n').at(-1)!)) as T);
    });
  });
}

// --- from an event to what is done about it

const clock = () => performance.timeOrigin + performance.now();

/** Notes how long after `?at=` a call came in. */
async function openActions() {
  const latencies: number[] = [];
  let wake = () => {};
  const server = createServer((request, response) => {
    latencies.push(clock() - Number(new URL(request.url!, 'http://x').searchParams.get('at')));
    response.end('ok');
    wake();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}/`,
    /** What was noted since the last time. */
    take: () => latencies.splice(0),
    /** Until so many calls came. */
    async until(count: number) {
      while (latencies.length < count)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function firstActions({ postgres, restate }: Peers): Promise<Row[]> {
  await using actions = await openActions();
  const home = mkdtempSync(path.join(tmpdir(), 'neira-bench-'));
  const host = await startScenarioHost(home, 'power', { action: actions.url });
  const begun: number[] = [];
  const heard: number[] = [];
  try {
    for (let n = 0; n < ACTIONS + 20; n++) {
      const ctx = { action: actions.url, at: clock() };
      required((await host.call('POST', '/api/scenario/run', { id: 'acts', ctx })).status === 200, 'run');
      await actions.until(1);
      begun.push(...actions.take());
    }
    for (let n = 0; n < ACTIONS + 20; n++) {
      const key = `k${n}`;
      required(
        (await host.call('POST', '/api/scenario/run', { id: 'hears', ctx: { key } })).status === 200,
        n,
      );
      await sleep(15);
      const payload = { key, action: actions.url, at: clock() };
      await host.call('POST', '/api/neira/events', { event_name: 'bench.made', payload });
      await actions.until(1);
      heard.push(...actions.take());
    }
  } finally {
    await host.kill();
    rmSync(home, { recursive: true, force: true });
  }
  const ours = { begun: begun.slice(20), heard: heard.slice(20) };
  const shown = (what: string, values: readonly number[]): Row => ({
    what,
    figure: `${ms(median(values))} (p99 ${ms(quantile(values, 0.99))})`,
  });
  const rows = [
    shown('a start → its first action, p50', ours.begun),
    shown('an event → the action of a run that waited for it, p50', ours.heard),
  ];
  if (postgres) {
    await dbos('hearing', postgres.url('hearing'), actions.url, String(ACTIONS + 20));
    const theirs = actions.take().slice(20);
    rows.push(shown('DBOS: a message → the step of a workflow that waited for it, p50', theirs));
    rows.push(atMost('event → action : DBOS', median(ours.heard) / median(theirs), 1, times));
  }
  if (restate) {
    for (let n = 0; n < ACTIONS + 20; n++) await restate.call('act', `${actions.url}?at=${clock()}`);
    const theirs = actions.take().slice(20);
    rows.push(shown('Restate: a call → its first step, p50', theirs));
    rows.push(atMost('start → first action : Restate', median(ours.begun) / median(theirs), 1, times));
  }
  return rows;
}
