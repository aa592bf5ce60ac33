/**
 * `io.request` through a whole host – permission, intent and answer durable, address checked – beside undici alone, and
 * beside undici between two synced writes, to the same server in a process of its own. What a turn costs besides is taken out: turns of many requests and of none.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Agent, Client, request } from 'undici';
import { SCRIPT_GATES, spawnHost, type TestHost } from '../kit/boot-host.ts';
import {
  atMost,
  type Contender,
  fsyncMs,
  interleave,
  median,
  ms,
  ratio,
  type Section,
  times,
  us,
} from './kit.ts';

const ROUNDS = 15;
const REQUESTS = 20;
/** They take long by themselves. */
const FAR_REQUESTS = 5;

const SOURCE = `import { request } from 'neira:host/io';
export async function handle(event) {
  const { method, url, count } = event.payload.params;
  for (let n = 0; n < count; n++) {
    const { status } = await request({ method, url: url + '/' + n, ...(method === 'POST' && { body: 'x' }) });
    if (status !== 200) throw new Error('status ' + status);
  }
}`;

function openServer(): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'io-server.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    child.stdout!.on('data', (chunk: Buffer) => {
      const found = /listening on (http:\/\/\S+)/.exec(chunk.toString());
      if (found) resolve({ url: found[1]!, child });
    });
  });
}

async function register(host: TestHost, url: string): Promise<void> {
  const rule = {
    host: url.replace('http://', ''),
    methods: ['GET', 'POST'],
    schemes: ['http'],
    private: true,
  };
  const answer = await host.script(
    {
      id: 'asker',
      permissions: { io: { http: [rule] } },
      limits: { turn_ms: 10_000, cpu_ms: 1000, requests: 1000, requests_per_minute: 60_000 },
      ui: { buttons: [{ id: 'asker', title: 'Asker', event: 'ui.asker.run' }] },
    },
    SOURCE,
  );
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
}

export async function run(): Promise<Section> {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-bench-'));
  const { url, child } = await openServer();
  const host = await spawnHost({
    gates: SCRIPT_GATES,
    env: { NEIRA_DURABILITY: 'power', NEIRA_LOG: 'error' },
    settings: 'http: {rate_per_minute: 10000000}\n',
  });
  const agent = new Agent({ pipelining: 1 });
  const file = openSync(path.join(home, 'kept'), 'a');
  const page = Buffer.alloc(4096, 1);
  try {
    await register(host, url);
    const far = `${url}/far`;
    const turn = async (method: string, count: number, to = url) => {
      const params = { method, url: to, count };
      const body = { tool_id: 'asker', event: 'ui.asker.run', params, context: {} };
      const answer = await host.call('POST', '/api/neira/ui/events', body);
      if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
    };
    const keep = () => {
      writeSync(file, page);
      fdatasyncSync(file);
    };
    const alone = async (method: 'GET' | 'POST', count: number, kept = () => {}, to = url) => {
      for (let n = 0; n < count; n++) {
        kept();
        // What is not safe goes over a connection of its own, here as there.
        const dispatcher = method === 'GET' ? agent : new Client(url);
        const answer = await request(`${to}/${n}`, {
          dispatcher,
          method,
          ...(method === 'POST' && { body: 'x' }),
        });
        await answer.body.text();
        kept();
        if (method === 'POST') await dispatcher.destroy();
      }
    };
    const contenders: Contender[] = [
      { name: 'undici GET', count: REQUESTS, run: (count) => alone('GET', count) },
      { name: 'host GET', count: REQUESTS, run: (count) => turn('GET', count) },
      { name: 'durable GET', count: REQUESTS, run: (count) => alone('GET', count, keep) },
      { name: 'undici POST', count: REQUESTS, run: (count) => alone('POST', count) },
      { name: 'host POST', count: REQUESTS, run: (count) => turn('POST', count) },
      { name: 'durable POST', count: REQUESTS, run: (count) => alone('POST', count, keep) },
      { name: 'undici far', count: FAR_REQUESTS, run: (count) => alone('GET', count, undefined, far) },
      { name: 'host far', count: FAR_REQUESTS, run: (count) => turn('GET', count, far) },
      { name: 'empty turn', count: 1, run: () => turn('GET', 0) },
    ];
    const fsync = fsyncMs(home);
    const found = await interleave(contenders, ROUNDS);
    const of = (name: string) => found.get(name)!;
    const empty = of('empty turn');
    const withoutTurn = (name: string) => of(name).map((each, round) => each - empty[round]! / REQUESTS);
    const rowsOf = (method: 'GET' | 'POST') => [
      { what: `undici alone, ${method}`, figure: us(median(of(`undici ${method}`))) },
      { what: `undici between two synced writes, ${method}`, figure: us(median(of(`durable ${method}`))) },
      { what: `io.request, ${method}`, figure: us(median(withoutTurn(`host ${method}`))) },
      {
        what: 'io.request : undici between two synced writes',
        figure: times(ratio(withoutTurn(`host ${method}`), of(`durable ${method}`))),
      },
      // Two synced writes take longer than a request that goes nowhere; the target is met where one goes anywhere.
      atMost(
        `io.request : undici, ${method}, a server that takes no time`,
        ratio(withoutTurn(`host ${method}`), of(`undici ${method}`)),
        1.3,
        times,
      ),
    ];
    return {
      name: 'io.request (one at a time, durability power)',
      rows: [
        { what: 'one fdatasync, p50', figure: ms(fsync) },
        ...rowsOf('GET'),
        ...rowsOf('POST'),
        { what: 'undici alone, GET, a server that takes 20 ms', figure: us(median(of('undici far'))) },
        atMost(
          'io.request : undici, a server that takes 20 ms',
          ratio(
            of('host far').map((each, round) => each - empty[round]! / FAR_REQUESTS),
            of('undici far'),
          ),
          1.3,
          times,
        ),
        { what: 'the turn around it, without requests', figure: us(median(empty)) },
      ],
      notes: [
        `${REQUESTS} requests in a row per round, ${ROUNDS} rounds, all sides interleaved; the server is a third process on the same cores`,
        'io.request makes two durable commits, one before the request leaves and one before the turn is told; undici makes none',
        'GET reuses a connection, POST makes one each, on both sides',
      ],
    };
  } finally {
    child.removeAllListeners('exit');
    child.kill();
    await agent.destroy();
    closeSync(file);
    await host.close();
    rmSync(home, { recursive: true, force: true });
  }
}
