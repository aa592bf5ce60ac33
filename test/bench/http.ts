/**
 * `POST /api/neira/ui/events` to the bundled pencil, durability `power`, beside fastify + ajv + one durable append:
 * both are up, and take the load in turns.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { SCRIPT_GATES, spawnHost } from '../kit/boot-host.ts';
import { atLeast, atMost, fsyncMs, median, ms, ratio, type Section, times } from './kit.ts';

const CONNECTIONS = 32;
const ROUNDS = 5;
const SECONDS = 3;
const SINGLE_ROUNDS = 5;
const SINGLE_SECONDS = 1.5;

const execute = promisify(execFile);

interface Load {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

async function load(url: string, token: string, connections: number, seconds: number): Promise<Load> {
  const script = path.join(import.meta.dirname, 'load.ts');
  const { stdout } = await execute(process.execPath, [
    script,
    url,
    token,
    String(connections),
    String(seconds),
  ]);
  return JSON.parse(stdout) as Load;
}

function spawnBaseline(home: string): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const script = path.join(import.meta.dirname, 'baseline-server.ts');
  const child = spawn(process.execPath, [script, home], { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the baseline ended with ${code}`)));
    child.stdout!.on('data', (chunk: Buffer) => {
      const found = /listening on (http:\/\/\S+)/.exec(chunk.toString());
      if (found) resolve({ url: found[1]!, child });
    });
  });
}

export async function run(): Promise<Section> {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-bench-'));
  const host = await spawnHost({
    gates: [...SCRIPT_GATES, 'annotations_pencil'],
    env: { NEIRA_DURABILITY: 'power', NEIRA_LOG: 'error' },
    settings: 'http: {rate_per_minute: 10000000}\n',
  });
  const baseline = await spawnBaseline(home);
  try {
    const installed = await host.call(
      'POST',
      '/api/neira/plugins',
      { catalog: 'ui.pencil' },
      {
        query: '?enable=1&grant=all',
      },
    );
    if (installed.status !== 201) throw new Error(JSON.stringify(installed.body));
    const toNeira = (connections: number, seconds: number) =>
      load(host.url, host.token, connections, seconds);
    const toBaseline = (connections: number, seconds: number) =>
      load(baseline.url, '-', connections, seconds);
    await toNeira(CONNECTIONS, 2);
    await toBaseline(CONNECTIONS, 2);
    const neira: Load[] = [];
    const peer: Load[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      neira.push(await toNeira(CONNECTIONS, SECONDS));
      peer.push(await toBaseline(CONNECTIONS, SECONDS));
    }
    const single: { neira: number; peer: number; fsync: number }[] = [];
    for (let round = 0; round < SINGLE_ROUNDS; round++) {
      const before = fsyncMs(home);
      const { p50Ms } = await toNeira(1, SINGLE_SECONDS);
      const { p50Ms: peerMs } = await toBaseline(1, SINGLE_SECONDS);
      single.push({ neira: p50Ms, peer: peerMs, fsync: (before + fsyncMs(home)) / 2 });
    }
    const perSecond = (loads: readonly Load[]) => loads.map(({ requests, seconds }) => requests / seconds);
    const show = (loads: readonly Load[]) =>
      `${Math.round(median(perSecond(loads)))} req/s, p50 ${ms(median(loads.map(({ p50Ms }) => p50Ms)))}, p99 ${ms(median(loads.map(({ p99Ms }) => p99Ms)))}`;
    return {
      name: `http (${CONNECTIONS} connections, durability power)`,
      rows: [
        { what: 'fastify + ajv + one durable append', figure: show(peer) },
        { what: 'pencil, full path', figure: show(neira) },
        atLeast('pencil : baseline', ratio(perSecond(neira), perSecond(peer)), 0.5, times),
        { what: 'one fdatasync, p50', figure: ms(median(single.map(({ fsync }) => fsync))) },
        { what: 'baseline at one connection, p50', figure: ms(median(single.map(({ peer }) => peer))) },
        { what: 'pencil at one connection, p50', figure: ms(median(single.map(({ neira }) => neira))) },
        atMost('pencil above one fdatasync', median(single.map(({ neira, fsync }) => neira - fsync)), 1, ms),
      ],
      notes: [
        `${ROUNDS} rounds of ${SECONDS} s each, taking turns; the load comes from a third process on the same cores`,
        'the pencil checks a token, validates, runs in the sandbox, commits event, turn, annotation and its search words, a published event, and writes the NDJSON line; the baseline commits one row',
      ],
    };
  } finally {
    baseline.child.removeAllListeners('exit');
    baseline.child.kill();
    await host.close();
    rmSync(home, { recursive: true, force: true });
  }
}
