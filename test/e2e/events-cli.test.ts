import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { bootHost, SCRIPT_GATES, spawnHost, type TestHost } from '../kit/boot-host.ts';
import { COUNT, files, IDLE, place, seen, shop } from './event-kit.ts';

// BUS-27: the `events` commands against real hosts.

const NEIRA = path.resolve(import.meta.dirname, '../../host/cli/neira.ts');

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const environment = (host: TestHost) => {
  const { PATH = '', HOME = '' } = process.env;
  return { PATH, HOME, LANG: 'C', NEIRA_HOME: host.home, NEIRA_PORT: new URL(host.url).port };
};

function neira(host: TestHost, args: readonly string[], input = ''): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [NEIRA, 'events', ...args],
      { env: environment(host) },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
      },
    );
    child.stdin!.end(input);
  });
}

async function done(host: TestHost, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await neira(host, args);
  expect([args, code, stderr]).toEqual([args, 0, stderr]);
  return stdout;
}

/** A command that goes on until it is told to end. */
function follow(host: TestHost, ...args: string[]) {
  const child: ChildProcess = spawn(process.execPath, [NEIRA, 'events', ...args], { env: environment(host) });
  let stdout = '';
  let stderr = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return {
    lines: () => stdout.split('\n').slice(0, -1),
    stderr: () => stderr,
    async end(signal: NodeJS.Signals) {
      child.kill(signal);
      return once(child, 'exit');
    },
  };
}

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return String(port);
}

test('a tail goes on over the death and return of its host, shows each event once, and ends well with Ctrl-C', async () => {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-cli-tail-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const env = { NEIRA_PORT: await freePort() };
  let host = await spawnHost({ home, env, gates: SCRIPT_GATES });
  expect((await host.script(shop({ subscribes: [] }), files(IDLE))).status).toBe(201);
  await place(host, 1);
  const tail = follow(host, 'tail', '--subject', 'order.>', '--after', '0', '--json');
  await expect.poll(tail.lines, { timeout: 10_000 }).toHaveLength(1);
  for (let n = 2; n <= 10; n++) await place(host, n);
  await host.kill();
  host = await spawnHost({ home, env });
  onTestFinished(() => host.close());
  // Published before it is back, most likely.
  for (let n = 11; n <= 20; n++) await place(host, n);
  await expect.poll(tail.lines, { timeout: 15_000 }).toHaveLength(20);
  expect(tail.lines().map((line) => JSON.parse(line).payload.n)).toEqual(
    Array.from({ length: 20 }, (_, n) => n + 1),
  );
  expect(tail.stderr()).toContain('The connection was lost');
  expect(await tail.end('SIGINT')).toEqual([0, null]);
}, 60_000);

test('publish, tail, subscribe and topics, as people and as pipes see them', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  expect((await host.script(shop({ publishes: ['order.placed@1'] }), files(COUNT))).status).toBe(201);
  const tail = follow(host, 'tail', '--since', '1h', '--subject', 'order.*');
  const id = (await done(host, 'publish', 'order.placed', '{"n": 1}', '--key', 'first')).trim();
  const piped = await neira(host, ['publish', 'order.placed@1', '-', '--json'], '{"n": 2}');
  expect([piped.code, Object.keys(JSON.parse(piped.stdout))]).toEqual([0, ['event_id']]);
  const again = await neira(host, ['publish', 'order.placed', '{"n": 1}', '--key', 'first']);
  expect([again.stdout.trim(), again.stderr]).toEqual([id, expect.stringContaining('nothing was done')]);
  await expect.poll(tail.lines, { timeout: 10_000 }).toHaveLength(2);
  expect(tail.lines()[0]).toMatch(new RegExp(`^\\S+Z order\\.placed@1 ${id} client:admin \\{"n":1\\}$`));
  expect(tail.lines().join('')).not.toContain('\u001b');
  expect(await tail.end('SIGTERM')).toEqual([0, null]);

  expect(await done(host, 'subscribe', 'order.placed@1', '--after', '0', '--count', '2')).toBe(
    '{"n":1}\n{"n":2}\n',
  );
  const topics = await done(host, 'topics');
  expect(topics).toMatch(/^order\.placed@1\tevent\tstable\tshop\tshop\tshop\t0\t/m);

  for (const [args, code, said] of [
    [['publish', 'order.placed', '{"n": "x"}'], 1, 'NEIRA_EVENT_INVALID'],
    [['publish', 'order.lost', '{}'], 1, 'NEIRA_EVENT_UNREGISTERED'],
    [['publish', 'system.boot.completed', '{}'], 1, 'NEIRA_EVENT_RESERVED'],
    [['publish', 'order.placed', '{"n": 1}', '--header', 'replay_of=x'], 1, 'headers.replay_of'],
    [['subscribe', 'order..x'], 1, 'NEIRA_INVALID'],
    [['publish', 'order.placed', 'n=1'], 2, 'not JSON'],
  ] as const) {
    const ran = await neira(host, args);
    expect([args, ran.code, ran.stderr]).toEqual([args, code, expect.stringContaining(said)]);
  }
}, 60_000);

test('dead letters from the command line, until none is left; then a replay', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  const failing = `export function handle() { throw new Error('closed today'); }`;
  const manifest = shop({ retry: { max: 0 } });
  expect((await host.script(manifest, files(failing))).status).toBe(201);
  const since = new Date().toISOString();
  for (let n = 1; n <= 3; n++) await done(host, 'publish', 'order.placed', `{"n": ${n}}`);
  const list = async () =>
    JSON.parse(await done(host, 'dlq', 'list', '--json')).dead_letters as { id: number }[];
  await expect.poll(async () => (await list()).length, { timeout: 10_000 }).toBe(3);
  const [first, second] = await list();
  expect(await done(host, 'dlq', 'list')).toContain('closed today');
  expect(await done(host, 'dlq', 'show', String(first!.id))).toMatch(/closed today[\s\S]*main\.ts/);
  const exported = await done(host, 'dlq', 'export', '--plugin', 'shop');
  expect(
    exported
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual(await list());
  expect(await done(host, 'dlq', 'drop', String(first!.id))).toBe('1 are deleted.\n');
  expect((await neira(host, ['dlq', 'drop', String(first!.id)])).code).toBe(1);
  expect((await host.script({ ...manifest, version: '1.0.1' }, files(COUNT))).status).toBe(200);
  expect(JSON.parse(await done(host, 'dlq', 'retry', String(second!.id), '--json'))).toEqual({ retried: 1 });
  await done(host, 'dlq', 'retry', '--all');
  await expect.poll(() => seen(host)).toEqual([2, 3]);
  const empty = await neira(host, ['dlq', 'list']);
  expect([empty.code, empty.stdout, empty.stderr]).toEqual([0, '', 'There is no dead letter.\n']);

  const replayed = JSON.parse(await done(host, 'replay', '--since', since, '--subject', 'order.>', '--json'));
  expect(replayed).toEqual({ replayed: 3, skipped: 0, refused: [], refused_count: 0 });
  await expect.poll(async () => (await seen(host)).slice(2).toSorted()).toEqual([1, 2, 3]);
  expect(await done(host, 'replay', '--since', since, '--subject', 'order.>')).toMatch(
    /^3 events are published again; 3 were skipped/,
  );
}, 120_000);

// BUS-12: the table is in abi/events/README.md.
test('a CloudEvent is published once however often it comes, and a tail that prints them can be sent on', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  expect((await host.script(shop(), files(COUNT))).status).toBe(201);
  const headers = { 'content-type': 'application/cloudevents+json; charset=utf-8' };
  const send = (event: object) => host.call('POST', '/api/neira/events', event, { headers });
  const order = {
    specversion: '1.0',
    id: 'A-1',
    source: 'https://shop.example/till',
    type: 'order.placed@1',
    region: 'north',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    data: { n: 1 },
  };
  const first = await send(order);
  expect(first).toMatchObject({ status: 200, body: { event_id: expect.any(String) } });
  expect((await send(order)).body).toEqual({ ...first.body, duplicate: true });
  expect((await send({ ...order, source: 'elsewhere', data: { n: 2 } })).body).not.toHaveProperty(
    'duplicate',
  );
  await expect.poll(() => seen(host)).toEqual([1, 2]);

  const tail = follow(host, 'tail', '--after', '0', '--subject', 'order.*', '--cloudevents');
  await expect.poll(tail.lines, { timeout: 10_000 }).toHaveLength(2);
  expect(await tail.end('SIGTERM')).toEqual([0, null]);
  const [told] = tail.lines().map((line) => JSON.parse(line));
  expect(told).toMatchObject({
    id: first.body.event_id,
    type: 'order.placed@1',
    region: 'north',
    data: { n: 1 },
  });
  expect((await send({ ...told, id: 'B-1', headers: undefined })).status).toBe(200);
  await expect.poll(() => seen(host)).toEqual([1, 2, 1]);

  for (const [bad, code, path] of [
    [{ ...order, type: undefined }, 'NEIRA_EVENT_INVALID', 'type'],
    [{ ...order, specversion: '0.3' }, 'NEIRA_EVENT_INVALID', 'specversion'],
    [{ ...order, id: 'A-2', data: { n: 'x' } }, 'NEIRA_EVENT_INVALID', 'payload.n'],
    [{ ...order, replay_of: 'x' }, 'NEIRA_INVALID', 'headers.replay_of'],
    [{ ...order, region: 'x'.repeat(600) }, 'NEIRA_INVALID', 'headers.region'],
  ] as const) {
    const { status, body } = await send(bad);
    expect([status, body.code, body.errors?.[0]?.path], JSON.stringify(body)).toEqual([422, code, path]);
  }
  expect(await seen(host)).toEqual([1, 2, 1]);
});
