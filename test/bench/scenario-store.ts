/** Runs after a crash, beside workflows of DBOS, and what a store full of runs costs those who look into it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { databasePath } from '../../host/store/database.ts';
import { type SpawnedHost, spawnHost } from '../kit/boot-host.ts';
import { atMost, median, ms, quantile, type Row, type Section } from './kit.ts';
import { startPostgres } from './postgres.ts';
import { dbos } from './scenario.ts';
import { required, STEPS, startScenarioHost } from './scenario-host.ts';

const MID_RUN = 1000;
const STORED = 100_000;
const LOOKS = 300;
const ENDED_WITHIN_MS = 60_000;

export async function run(): Promise<Section> {
  await using postgres = await startPostgres();
  const rows = await recovery();
  if (postgres) {
    const url = postgres.url('recovery');
    await dbos('crash', url, String(MID_RUN));
    const { ms: took, ran } = await dbos<{ ms: number; ran: number }>('recover', url, String(MID_RUN));
    rows.push({ what: `DBOS: ${MID_RUN} workflows, from the start of the process`, figure: ms(took) });
    rows.push({ what: 'DBOS: steps that were done then', figure: String(ran) });
  }
  return {
    name: `scenario-store (durability power${postgres ? `; DBOS on PostgreSQL ${postgres.version}` : ''})`,
    rows: [...rows, ...(await looking())],
    notes: [
      `${MID_RUN} runs stand after five of ten steps when the process is killed, and all are due when it comes back; the time is from the start of the process until the last has ended, boot included`,
      `${STORED} runs that have ended lie in the store as the engine writes them: one real run, copied under other ids`,
      ...(postgres ? [] : ['DBOS is skipped: there is no PostgreSQL here, and this user cannot install it']),
    ],
  };
}

// --- after a crash

async function recovery(): Promise<Row[]> {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-bench-'));
  try {
    const first = await startScenarioHost(home, 'power');
    const dueMs = Date.now() + 8000;
    const ctx = { at: new Date(dueMs).toISOString() };
    let left = MID_RUN;
    const begin = async () => {
      while (left-- > 0)
        required((await first.call('POST', '/api/scenario/run', { id: 'half', ctx })).status === 200, 'run');
    };
    await Promise.all(Array.from({ length: 16 }, begin));
    required(Date.now() < dueMs, 'not all of them stood before they were due');
    await first.kill();
    await sleep(dueMs - Date.now() + 50);

    const started = performance.now();
    const host = await spawnHost({ home, env: { NEIRA_DURABILITY: 'power' } });
    const bootMs = performance.now() - started;
    while ((await endedIn(home)) < MID_RUN) {
      required(performance.now() - started < ENDED_WITHIN_MS, 'not all of them ended');
      await sleep(10);
    }
    const tookMs = performance.now() - started;
    await requireOnce(host);
    await host.kill();
    return [
      atMost(`${MID_RUN} runs after SIGKILL, each step once`, tookMs, 2000, ms),
      { what: 'of that until the host listens', figure: ms(bootMs) },
    ];
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** Runs that have ended: seen in the file, so that nobody is asked who is at work. */
async function endedIn(home: string): Promise<number> {
  using db = new DatabaseSync(databasePath(home), { readOnly: true });
  const sql = `select count(*) as n from kv where plugin = 'scenario.engine' and k between 'expiry/' and 'expiry0'`;
  return Number(db.prepare(sql).get()!['n']);
}

/** Each step of each run, as its trace has it. */
async function requireOnce(host: SpawnedHost): Promise<void> {
  let after: string | undefined;
  let seen = 0;
  do {
    const query = after === undefined ? '' : `&after=${after}`;
    const { body } = await host.call('GET', `/api/scenario/runs?scenario_id=half&limit=100${query}`);
    for (const { run_id, state } of body.runs) {
      const { steps } = (await host.call('GET', `/api/scenario/trace?run_id=${run_id}`)).body;
      const done = steps.filter(({ what }: { what: string }) => what === 'ok');
      const names = new Set(done.map(({ step }: { step: string }) => step));
      required(state === 'succeeded' && names.size === STEPS + 1 && done.length === STEPS + 1, steps);
      seen++;
    }
    after = body.next;
  } while (after !== undefined);
  required(seen === MID_RUN, `${seen} runs`);
}

// --- a store full of runs

async function looking(): Promise<Row[]> {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-bench-'));
  try {
    const first = await startScenarioHost(home, 'process');
    const { run_id: run } = (await first.call('POST', '/api/scenario/run', { id: 'steps' })).body;
    await first.close();
    const ids = copyRun(home, run);
    const host = await spawnHost({
      home,
      env: { NEIRA_DURABILITY: 'power' },
      settings: 'http: {rate_per_minute: 10000000}\n',
    });
    const any = () => ids[Math.floor(Math.random() * ids.length)]!;
    const looks: [what: string, where: () => string][] = [
      ['status of a run', () => `/api/scenario/status?run_id=${any()}`],
      ['20 runs, the newest first', () => '/api/scenario/runs'],
      [
        '20 runs of a scenario, from anywhere on',
        () => `/api/scenario/runs?scenario_id=steps&after=${any()}`,
      ],
    ];
    const rows: Row[] = [];
    for (const [what, where] of looks) {
      const found: number[] = [];
      for (let n = 0; n < LOOKS; n++) {
        const started = performance.now();
        required((await host.call('GET', where())).status === 200, what);
        found.push(performance.now() - started);
      }
      rows.push(atMost(`${STORED} stored runs: ${what}, p50`, median(found), 10, ms));
      rows.push({ what: `${STORED} stored runs: ${what}, p99`, figure: ms(quantile(found, 0.99)) });
    }
    await host.kill();
    return rows;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** Writes the rows of one run again under so many other ids, and answers these. */
function copyRun(home: string, run: string): readonly string[] {
  using db = new DatabaseSync(databasePath(home));
  const ids = Array.from({ length: STORED }, (_, n) => `${run.slice(0, 10)}${String(n).padStart(10, '0')}`);
  const rows = db
    .prepare(`select k, version, value from kv where plugin = 'scenario.engine' and instr(k, ?) > 0`)
    .all(run) as { k: string; version: number; value: string }[];
  const insert = db.prepare(`insert into kv(plugin, k, version, value) values('scenario.engine', ?, ?, ?)`);
  db.exec('begin');
  for (const id of ids)
    for (const { k, version, value } of rows)
      insert.run(k.replace(run, id), version, value.replaceAll(run, id));
  const bytes = rows.reduce((sum, { k, value }) => sum + k.length + value.length, 0) * STORED;
  db.prepare(`update usage set bytes = bytes + ? where plugin = 'scenario.engine'`).run(bytes);
  db.exec('commit');
  return ids;
}
