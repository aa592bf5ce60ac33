/**
 * The process killed at every point of a request over HTTP. Whatever the moment: what is not safe to repeat is never
 * received twice, an answer that was kept is the one that the plugin is told, and where nobody knows it is told that.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { databasePath } from '../../host/store/database.ts';
import { seededRandom } from '../../host/store/test-store.ts';
import { SCRIPT_GATES, type SpawnedHost, spawnHost, type TestHost } from '../kit/boot-host.ts';
import { type HttpPeer, openPeer } from '../kit/http-peer.ts';
import { drained } from './bus-kit.ts';

const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);
const KILLS = Math.ceil(Number(process.env['NEIRA_KILLS'] ?? 40) / 10);
const TEST_MS = 5 * 60_000;
const env = {
  NEIRA_CELLS: '2',
  NEIRA_DURABILITY: 'power',
  NODE_COMPILE_CACHE: path.join(tmpdir(), 'neira-compiled'),
};

const SOURCE = `import { request } from 'neira:host/io';
import { append } from 'neira:host/storage';
export async function handle(event) {
  const { n, call } = event.payload;
  const told = await request(call).then(({ body }) => body, ({ code }) => code);
  append('told', { n, told });
}`;

/** A home whose plugin makes the request that an event holds and remembers what it was told. */
async function prepare(peer: HttpPeer, rule = {}): Promise<string> {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-http-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  await using host = await spawnHost({ home, gates: SCRIPT_GATES });
  await host.events('job.made@1');
  const http = [{ host: peer.host, methods: ['GET', 'POST'], schemes: ['http'], private: true, ...rule }];
  const registered = await host.script(
    {
      id: 'worker',
      permissions: { storage: ['write'], io: { http } },
      subscribes: [{ event: 'job.made@1' }],
      limits: { turn_ms: 10_000, requests_per_minute: 60_000 },
      retry: { max: 0 },
    },
    SOURCE,
  );
  expect(registered.status, JSON.stringify(registered.body)).toBe(201);
  return home;
}

const publish = (host: TestHost, payload: unknown) =>
  host.call('POST', '/api/neira/events', { event_name: 'job.made', payload });

/** What the plugin was told, by the number of the event. */
function told(home: string): Map<number, string> {
  const db = new DatabaseSync(databasePath(home), { readOnly: true });
  try {
    const rows = db.prepare(`select value from kv where plugin = 'worker' and k like 'told/%'`).all();
    const all = rows.map(({ value }) => JSON.parse(value as string) as { n: number; told: string });
    expect(new Set(all.map(({ n }) => n)).size, 'each turn took effect once').toBe(all.length);
    expect(db.prepare('select count(*) as count from http_request').get(), 'nothing is kept').toEqual({
      count: 0,
    });
    return new Map(all.map((each) => [each.n, each.told]));
  } finally {
    db.close();
  }
}

/** Answers that are kept for turns that are not done. */
function kept(home: string): string[] {
  const db = new DatabaseSync(databasePath(home), { readOnly: true });
  try {
    const rows = db.prepare(`select answer from http_request where answer like 'V%'`).all();
    return rows.map(({ answer }) => (JSON.parse((answer as string).slice(1)) as { body: string }).body);
  } finally {
    db.close();
  }
}

async function nextLife(home: string): Promise<Map<number, string>> {
  const host = await spawnHost({ home, env });
  await drained(host);
  await host.close();
  expect(host.log()).not.toMatch(/"level":"(?:error|fatal)"/);
  return told(home);
}

/** One event, whose request the host does not outlive. */
async function killedDuring(peer: HttpPeer, home: string, fault: string | undefined, method: string) {
  const doomed = await spawnHost({ home, env: { ...env, ...(fault && { NEIRA_FAULT: fault }) } });
  if (fault === undefined) peer.answer(() => void doomed.process.kill('SIGKILL'));
  await publish(doomed, {
    n: 1,
    call: { method, url: `${peer.url}/`, ...(method === 'POST' && { body: 'x' }) },
  });
  expect(await doomed.exited, doomed.log()).toBe('SIGKILL');
  peer.answer(serial(peer));
  return nextLife(home);
}

/** Each answer tells how many there were. */
const serial = (peer: HttpPeer) => (_request: unknown, response: { end(text: string): unknown }) =>
  void response.end(`answer ${peer.received.length}`);

const UNKNOWN = 'NEIRA_OUTCOME_UNKNOWN';

test.each([
  ['kept, and nothing left', 'http.after-intent:1', { received: [0], told: [UNKNOWN] }],
  ['about to be written', 'http.sent:1', { received: [0, 1], told: [UNKNOWN] }],
  ['received, and not answered', undefined, { received: [1], told: [UNKNOWN] }],
  ['answered, and not kept', 'http.before-answer:1', { received: [1], told: [UNKNOWN] }],
  ['kept, and the turn not told', 'http.after-answer:1', { received: [1], told: ['answer 1'] }],
])(
  'a POST whose process is killed when it was %s is not sent again',
  async (_when, fault, expected) => {
    await using peer = await openPeer();
    peer.answer(serial(peer));
    const home = await prepare(peer);
    const found = await killedDuring(peer, home, fault, 'POST');
    expect(expected.received).toContain(peer.received.length);
    expect([...found.values()]).toEqual(expected.told);
  },
  TEST_MS,
);

test.each(['http.after-intent:1', 'http.sent:1', undefined, 'http.before-answer:1'])(
  'a GET whose process is killed at %s is sent again, and the plugin is told its answer',
  async (fault) => {
    await using peer = await openPeer();
    peer.answer(serial(peer));
    const home = await prepare(peer);
    const found = await killedDuring(peer, home, fault, 'GET');
    expect([...found.values()]).toEqual([`answer ${peer.received.length}`]);
  },
  TEST_MS,
);

test(
  'a POST to a host that is granted as idempotent is sent again under the same key',
  async () => {
    await using peer = await openPeer();
    const home = await prepare(peer, { idempotent: true });
    const found = await killedDuring(peer, home, undefined, 'POST');
    expect([...found.values()]).toEqual(['answer 2']);
    expect([...peer.unsafe().values()]).toEqual([2]);
  },
  TEST_MS,
);

test(
  `killed ${KILLS} times at any moment under load (CRASH_SEED=${SEED})`,
  async () => {
    const random = seededRandom(SEED);
    await using peer = await openPeer();
    peer.answer(async (_request, response) => {
      const mine = peer.received.length;
      await new Promise((resolve) => setTimeout(resolve, random(20)));
      if (random(10) === 0) response.destroy();
      else response.end(`answer ${mine}`);
    });
    const home = await prepare(peer);
    let n = 0;
    const acknowledged = new Set<number>();
    const mustBeTold = new Set<string>();
    for (let kill = 0; kill < KILLS; kill++) {
      const doomed = await spawnHost({ home, env });
      killAfter(doomed, peer.received.length + random(30), random(20));
      await Promise.all(Array.from({ length: 4 }, () => publishOn(doomed)));
      await doomed.exited;
      for (const answer of kept(home)) mustBeTold.add(answer);
    }
    const found = await nextLife(home);
    for (const [key, times] of peer.unsafe()) expect(times, key).toBe(1);
    for (const each of acknowledged) expect([...found.keys()]).toContain(each);
    const answers = new Set(found.values());
    for (const answer of mustBeTold) expect(answers, 'no kept answer is lost').toContain(answer);
    expect(acknowledged.size).toBeGreaterThan(KILLS);

    function killAfter(host: SpawnedHost, count: number, inMs: number): void {
      const timer = setInterval(() => {
        if (peer.received.length < count) return;
        clearInterval(timer);
        setTimeout(() => host.process.kill('SIGKILL'), inMs);
      }, 2);
    }

    async function publishOn(host: SpawnedHost): Promise<void> {
      for (;;) {
        const mine = ++n;
        const call = { method: 'POST', url: `${peer.url}/${mine}`, body: 'x' };
        try {
          if ((await publish(host, { n: mine, call })).status !== 200) return;
        } catch {
          return;
        }
        acknowledged.add(mine);
      }
    }
  },
  TEST_MS,
);
