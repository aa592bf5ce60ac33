/**
 * What the crash tests of the bus do to a host and what they find afterwards: plugins that fail, loop, publish and
 * are reloaded, clients that remember what they were told, and a look at every mailbox, log and dead letter.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'vitest';
import { databasePath } from '../../host/store/database.ts';
import { type Answer, SCRIPT_GATES, type SpawnedHost, spawnHost, type TestHost } from '../kit/boot-host.ts';

export const KEYS = 6;
const MADE = 'crash.made';
const FOLLOWED = 'crash.followed';
const DRAINED_MS = 60_000;
const DELAY_MS = 40;

export const schema = (name: string) =>
  JSON.stringify({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `urn:neira:event:${name}:1.0.0`,
    'x-version': '1.0.0',
    type: 'object',
    required: ['n', 'key'],
    properties: { n: { type: 'integer' }, key: { type: 'string' } },
    additionalProperties: false,
  });

export const EVENT_FILES = {
  'events/crash/made/v1/schema.json': schema(MADE),
  'events/crash/followed/v1/schema.json': schema(FOLLOWED),
};

const keyed = (event: string) => [{ event: `${event}@1`, key: '$.payload.key' }];
const base = { version: '1.0.0', kind: 'script', entry: 'main.ts' };
const retry = { max: 2, base_ms: 10, max_ms: 40 };
/** However busy the machine is, only what the plugins do themselves makes them fail. */
const limits = { turn_ms: 10_000 };
const storage = { storage: ['read', 'write'] };

/** Events that no attempt of `flaky` handles. */
export const isHopeless = (n: number) => n % 17 === 0;

const PLUGINS: readonly (readonly [manifest: Record<string, unknown>, source: string])[] = [
  [
    {
      id: 'crash.teller',
      permissions: storage,
      subscribes: keyed(MADE),
      publishes: [`${FOLLOWED}@1`],
      retry,
    },
    `import { publish } from 'neira:host/bus';
import { append, get, set } from 'neira:host/storage';
export function handle(event) {
  const { n, key } = event.payload;
  append('seen/' + key, n);
  set('count', (get('count')?.value ?? 0) + 1);
  publish('${FOLLOWED}', { n, key });
}`,
  ],
  [
    { id: 'crash.flaky', permissions: storage, subscribes: keyed(MADE), retry },
    `import { delivery } from 'neira:host/bus';
import { append } from 'neira:host/storage';
export function handle(event) {
  const { n, key } = event.payload;
  append('seen/' + key, n);
  if (n % 17 === 0 || (n % 5 === 0 && delivery().attempt < 3)) throw new Error('not this time');
}`,
  ],
  [
    {
      id: 'crash.looper',
      permissions: storage,
      subscribes: keyed(MADE),
      limits: { ...limits, cpu_ms: 10 },
      retry,
    },
    `import { delivery } from 'neira:host/bus';
import { append } from 'neira:host/storage';
export function handle(event) {
  const { n, key } = event.payload;
  append('seen/' + key, n);
  while (n % 23 === 0 && delivery().attempt < 2);
}`,
  ],
  [
    { id: 'crash.follower', permissions: storage, subscribes: keyed(FOLLOWED), retry },
    `import { append } from 'neira:host/storage';
export function handle(event) { append('seen/' + event.payload.key, event.payload.n); }`,
  ],
];

const savedSource = (version: number) => `import { append } from 'neira:host/storage';
const version = ${version};
export function handle(event) { append('seen/' + event.payload.key, event.payload.n); }
`;

export interface BusHome {
  readonly home: string;
  /** Folder of the plugin that is saved again and again. */
  readonly saved: string;
}

/** A home with all plugins enabled, its host stopped in order. */
export async function prepareBusHome(): Promise<BusHome> {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-bus-'));
  const saved = path.join(home, 'saved');
  mkdirSync(saved);
  save(saved, 0);
  const manifest = {
    ...base,
    limits,
    id: 'crash.saved',
    permissions: storage,
    subscribes: keyed(MADE),
    retry,
  };
  writeFileSync(path.join(saved, 'manifest.yaml'), JSON.stringify(manifest));
  await using host = await spawnHost({ home, gates: SCRIPT_GATES });
  for (const [index, [own, source]] of PLUGINS.entries()) {
    const files = { 'main.ts': source, ...(index === 0 && EVENT_FILES) };
    const registered = await host.script({ ...base, limits, ...own }, files);
    expect(registered.status, JSON.stringify(registered.body)).toBe(201);
  }
  const query = '?enable=1&grant=all';
  const registered = await host.call('POST', '/api/neira/plugins', { path: saved }, { query });
  expect(registered.status, JSON.stringify(registered.body)).toBe(201);
  return { home, saved };
}

export function save(folder: string, version: number): void {
  writeFileSync(path.join(folder, 'main.ts'), savedSource(version));
}

export const HEARERS = ['crash.teller', 'crash.flaky', 'crash.looper', 'crash.saved'] as const;

/** Clients that publish one event after the other, each with a key of its own, and remember the answers. */
export class Publishers {
  readonly acknowledged = new Set<number>();
  /** No answer came: it may be kept or not. Those with an idempotency key are sent again. */
  readonly unanswered = new Set<number>();
  /** Refused because somebody is slow. */
  refusals = 0;
  readonly #event: string;
  #next = 0;

  constructor(event: string = MADE) {
    this.#event = event;
  }

  /** Until `until` resolves or the host is gone. */
  async run(host: TestHost, until: Promise<unknown>, clients = KEYS): Promise<void> {
    let over = false;
    void until.then(() => {
      over = true;
    });
    const client = async (index: number) => {
      for (const n of [...this.unanswered].filter((each) => each % KEYS === index && isKeyed(each)))
        if (over || !(await this.#one(host, n))) return;
      while (!over) if (!(await this.#one(host, this.#numberOf(index)))) return;
    };
    await Promise.all(Array.from({ length: clients }, (_, index) => client(index % KEYS)));
  }

  /** The client's key is what is left of the number. */
  #numberOf(index: number): number {
    return ++this.#next * KEYS + index;
  }

  /** False when the host is gone. */
  async #one(host: TestHost, n: number): Promise<boolean> {
    this.unanswered.add(n);
    const headers = isKeyed(n) ? { idempotency_key: `n${n}` } : {};
    const at = isDelayed(n) && { at: new Date(Date.now() + DELAY_MS).toISOString() };
    const body = { event_name: this.#event, payload: { n, key: keyOf(n) }, headers, ...at };
    let answer: Answer;
    do {
      try {
        answer = await host.call('POST', '/api/neira/events', body);
      } catch {
        return false;
      }
      if (answer.body?.code === 'NEIRA_STOPPING') return false;
      if (answer.body?.code === 'NEIRA_MAILBOX_FULL') {
        this.refusals++;
        await new Promise((resolve) => setTimeout(resolve, 10 + Math.random() * 20));
      }
    } while (answer.body?.code === 'NEIRA_MAILBOX_FULL');
    expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200 });
    this.unanswered.delete(n);
    this.acknowledged.add(n);
    return true;
  }
}

const LOOK_MS = 2;

/** Kills the host some moments after so many answers, or when it has lived long enough; answers how it ended. */
export async function publishUntilKilled(
  host: SpawnedHost,
  publishers: Publishers,
  { answers, ms, lifeMs }: { readonly answers: number; readonly ms: number; readonly lifeMs: number },
): Promise<number | string> {
  const begunMs = performance.now();
  const timer = setInterval(() => {
    if (publishers.acknowledged.size < answers && performance.now() - begunMs < lifeMs) return;
    clearInterval(timer);
    setTimeout(() => host.process.kill('SIGKILL'), ms);
  }, LOOK_MS);
  await publishers.run(host, host.exited);
  const how = await host.exited;
  clearInterval(timer);
  return how;
}

const isKeyed = (n: number) => n % 2 === 0;
const isDelayed = (n: number) => n % 11 === 0;
export const keyOf = (n: number) => `k${n % KEYS}`;

/** Resolves when no mailbox holds anything and no delayed event is left. */
export async function drained({ home }: TestHost): Promise<void> {
  const db = new DatabaseSync(databasePath(home), { readOnly: true });
  const count = db.prepare(
    'select (select count(*) from delivery) + (select count(*) from delayed) as count',
  );
  try {
    await expect.poll(() => count.get()!['count'], { timeout: DRAINED_MS, interval: 20 }).toBe(0);
  } finally {
    db.close();
  }
}

/** Looks at every place where an effect should be; the host is stopped, its mailboxes were empty. */
export function verifyBus(home: string, { acknowledged, unanswered }: Publishers): void {
  const db = new DatabaseSync(databasePath(home), { readOnly: true });
  try {
    const made = numbersOf(db, MADE);
    expect(new Set(made).size, 'each event is recorded once').toBe(made.length);
    const recorded = new Set(made);
    for (const n of acknowledged) expect(recorded, 'what was acknowledged is recorded').toContain(n);
    for (const n of recorded)
      expect(acknowledged.has(n) || unanswered.has(n), `${n} was published`).toBe(true);
    for (const plugin of HEARERS) verifyHearer(db, plugin, made);
    const followed = numbersOf(db, FOLLOWED);
    // One commit each: what the teller wrote, what it published, and the end of its delivery.
    expect(followed.toSorted(byNumber)).toEqual(made.toSorted(byNumber));
    verifyHearer(db, 'crash.follower', followed);
    const count = db.prepare(`select value from kv where plugin = 'crash.teller' and k = 'count'`).get();
    expect(Number(count?.['value'] ?? 0)).toBe(made.length);
    expect(db.prepare('select count(*) as count from delivery').get()).toEqual({ count: 0 });
  } finally {
    db.close();
  }
}

const byNumber = (a: number, b: number) => a - b;

/** Numbers of the events of a name in the order in which they were committed. */
export function numbersOf(db: DatabaseSync, subject: string): number[] {
  const rows = db
    .prepare(`select envelope from event where subject = ? and disposition = 'published' order by seq`)
    .all(subject);
  return rows.map(({ envelope }) => JSON.parse(envelope as string).payload.n as number);
}

/** Each event is in the log of its key once and in the order of the commits, or it is a dead letter. */
function verifyHearer(db: DatabaseSync, plugin: string, published: readonly number[]): void {
  const dead = db.prepare('select envelope, error from dead_letter where plugin = ?').all(plugin);
  const given = dead.map(({ envelope }) => JSON.parse(envelope as string).payload.n as number);
  const hopeless = plugin === 'crash.flaky' ? published.filter(isHopeless) : [];
  expect(given.toSorted(byNumber), `${plugin}: ${dead[0]?.['error']}`).toEqual(hopeless.toSorted(byNumber));
  for (let index = 0; index < KEYS; index++) {
    const log = db
      .prepare('select value from kv where plugin = ? and k >= ? and k < ? order by k')
      .all(plugin, `seen/k${index}/`, `seen/k${index}0`)
      .map(({ value }) => Number(value));
    const expected = published.filter((n) => n % KEYS === index && !hopeless.includes(n));
    expect(log, `${plugin}, key k${index}`).toEqual(expected);
  }
}
