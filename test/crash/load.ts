/**
 * What the crash tests do to a host and what they find afterwards: a plugin that uses every effect there is,
 * many clients at a time, and a look at each place where an effect should be, exactly once or not at all.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import { buildScriptComponent } from '../../host/sandbox/guest-build/script.ts';
import { databasePath } from '../../host/store/database.ts';
import { createKvReader } from '../../host/store/reader.ts';
import { verifyJournal } from '../../host/store/verify-journal.ts';
import { eventFiles, type SpawnedHost, spawnHost, type TestHost } from '../kit/boot-host.ts';

export const GATES = ['runtime_scripting', 'ui_tools_registry', 'annotations_pencil'] as const;
const KEYS = 5;
const SESSIONS = 3;
const CLIENTS = 12;

/** Every kind of effect in one turn, and a key that all turns fight over. */
const COUNTER = `
import { publish } from 'neira:host/bus';
import { send } from 'neira:host/io';
import { append, get, saveMessage, set } from 'neira:host/storage';

export async function handle(event) {
  const { n, key } = event.payload.params;
  const { chat_id: chatId, session_id: sessionId } = event.payload.context;
  const seen = (get('counter/' + key)?.value ?? 0) + 1;
  set('counter/' + key, seen);
  set('total', (get('total')?.value ?? 0) + 1);
  append('log/' + key, n);
  saveMessage({ chatId, sessionId, role: 'user', text: 'пометка' + n, data: { n } });
  publish('crash.event.counted', { n });
  send('console', key, { n });
  console.log('n=' + n);
  return { actions: [{ n, seen }] };
}
`;

const MANIFEST = {
  id: 'crash.counter',
  permissions: { storage: ['read', 'write'], io: { ports: ['console'] } },
  subscribes: [{ event: 'crash.event.count@1', key: '$.payload.params.key' }],
  publishes: ['crash.event.counted@1'],
  ui: { buttons: [{ id: 'count', title: 'Count', event: 'crash.event.count', params_schema: {} }] },
};

/** One event of the load; the odd ones are strokes of the pencil, every third carries no idempotency key. */
export interface Sent {
  readonly n: number;
  readonly tool: 'count' | 'pencil';
  readonly idempotencyKey: string | undefined;
  /** The reply, when one came. */
  acknowledged?: { readonly event_id: string; readonly mode: string };
}

export type CounterKind = 'script' | 'wasm';

/** A home with open gates and both plugins enabled, its host stopped in order. */
export async function prepareHome(home: string, kind: CounterKind = 'script'): Promise<void> {
  const host = await spawnHost({
    home,
    gates: kind === 'script' ? GATES : [...GATES, 'runtime_wasm_plugins'],
  });
  await installPlugins(host, kind);
  await host.close();
}

export async function installPlugins(host: TestHost, kind: CounterKind = 'script'): Promise<void> {
  const counter =
    kind === 'script'
      ? { entry: 'main.ts', files: { 'main.ts': COUNTER }, more: {} }
      : await counterComponent();
  const manifest = { version: '1.0.0', kind, ...MANIFEST, entry: counter.entry, ...counter.more };
  const files = { ...counter.files, ...eventFiles('crash.event.counted@1') };
  const added = await host.call(
    'POST',
    '/api/neira/plugins',
    { manifest, files },
    { query: '?enable=1&grant=all' },
  );
  expect(added.status, JSON.stringify(added.body)).toBe(201);
  const registered = await host.call(
    'POST',
    '/api/neira/plugins',
    { catalog: 'ui.pencil' },
    { query: '?enable=1&grant=all' },
  );
  expect(registered.status).toBe(201);
}

/** The same source as a component; the interpreter in it takes more instructions. */
async function counterComponent() {
  const folder = mkdtempSync(path.join(tmpdir(), 'neira-counter-'));
  writeFileSync(path.join(folder, 'main.ts'), COUNTER);
  const wasm = await buildScriptComponent(folder, MANIFEST.id, 'main.ts');
  rmSync(folder, { recursive: true });
  return {
    entry: 'plugin.wasm',
    files: { 'plugin.wasm': { base64: Buffer.from(wasm).toString('base64') } },
    more: { limits: { cpu_ms: 1000, turn_ms: 4000 } },
  };
}

/** Numbers of events are unique over all rounds on one home. */
export class Load {
  readonly sent: Sent[] = [];
  /** Names of tokens whose creation, a journaled change, was acknowledged. */
  readonly tokens: string[] = [];
  /** What the hosts of this home wrote to their logs, one text each. */
  readonly logs: string[] = [];
  #next = 0;
  #changes = 0;

  /** Sends until `until` resolves or the host is gone. */
  async run(host: TestHost, until: Promise<unknown>): Promise<void> {
    let over = false;
    void until.then(() => {
      over = true;
    });
    const client = async () => {
      while (!over) if (!(await this.#one(host, this.#newEvent()))) return;
    };
    const administrator = async () => {
      while (!over) {
        const name = `token-${++this.#changes}`;
        const made = await reach(() => host.call('POST', '/api/neira/tokens', { name, scopes: ['read'] }));
        if (made?.status !== 201) return;
        this.tokens.push(name);
      }
    };
    await Promise.all([administrator(), ...Array.from({ length: CLIENTS }, client)]);
  }

  get acknowledged(): number {
    return this.sent.filter((event) => event.acknowledged).length;
  }

  /** Sends again, under the same key, what was not acknowledged, and twice some of what was. */
  async resend(host: TestHost): Promise<void> {
    for (const event of this.sent) {
      if (event.idempotencyKey === undefined) continue;
      const before = event.acknowledged;
      if (before && event.n % 10 !== 0) continue;
      expect(await this.#one(host, event), `resending ${event.n}`).toBe(true);
      if (before) expect(event.acknowledged).toEqual(before);
    }
  }

  #newEvent(): Sent {
    const n = ++this.#next;
    const event: Sent = {
      n,
      tool: n % 2 === 0 ? 'count' : 'pencil',
      idempotencyKey: n % 3 === 0 ? undefined : `key-${n}`,
    };
    this.sent.push(event);
    return event;
  }

  /** False when the host is gone. */
  async #one(host: TestHost, event: Sent): Promise<boolean> {
    const { n, tool, idempotencyKey } = event;
    const params = tool === 'count' ? { n, key: keyOf(n) } : { color: 'red', size: 2, points: [[n, 0]] };
    const body = { tool_id: tool, event: EVENTS[tool], params, context: placeOf(n) };
    const headers = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
    const answer = await reach(() => host.call('POST', '/api/neira/ui/events', body, { headers }));
    if (answer === undefined || answer.body?.code === 'NEIRA_STOPPING') return false;
    expect(answer, `event ${n}`).toMatchObject({ status: 200, body: { mode: 'executed', ran: true } });
    const { event_id, mode } = answer.body;
    event.acknowledged = { event_id, mode };
    return true;
  }
}

const EVENTS = { count: 'crash.event.count', pencil: 'ui.pencil.draw' } as const;
const keyOf = (n: number) => `k${n % KEYS}`;
const placeOf = (n: number) => ({ chat_id: `чат-${n % 2}`, session_id: `s${n % SESSIONS}` });

/** Undefined when the connection broke: nobody knows then what became of the call. */
async function reach<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch {
    return undefined;
  }
}

/**
 * Looks at every place where an effect of an event shows, on a host that was started again.
 * Answers how many events took effect.
 */
export async function verify(host: TestHost, load: Load): Promise<number> {
  const { home } = host;
  const state = stateOf(home);
  const lines = [...linesIn(home, 'annotations'), ...linesIn(home, 'messages')];
  const exported = await ndjson(host, '/api/neira/export');
  expect(ids(exported), 'export and files hold the same').toEqual(ids(lines));
  const events = await recordedEvents(host);
  const applied: Sent[] = [];
  for (const event of load.sent) {
    const found = placesOf(event, state, lines, events);
    const expected = Object.values(found).some((count) => count > 0) || event.acknowledged ? 1 : 0;
    expect(found, `${event.tool} ${event.n}, acknowledged: ${event.acknowledged !== undefined}`).toEqual(
      Object.fromEntries(Object.keys(found).map((place) => [place, expected])),
    );
    if (expected === 1) applied.push(event);
    const recorded = events.byNumber.get(event.n)?.[0];
    if (event.acknowledged) expect(recorded?.['id']).toBe(event.acknowledged.event_id);
  }
  verifyCounters(state, applied);
  expect(lines).toHaveLength(applied.length);
  expect(verifyJournal(home)).toMatchObject({ ok: true, pendingLines: 0 });
  await verifyTokens(host, load);
  await verifySearch(host, applied);
  return applied.length;
}

interface Events {
  /** Envelopes that came in, by the number in them. */
  readonly byNumber: ReadonlyMap<number, readonly Record<string, unknown>[]>;
  /** Causes of published events. */
  readonly published: readonly unknown[];
}

type State = ReadonlyMap<string, unknown>;

function placesOf({ n, tool }: Sent, state: State, lines: readonly Line[], events: Events) {
  const own = events.byNumber.get(n) ?? [];
  const common = {
    event: own.length,
    published: events.published.filter((cause) => cause === own[0]?.['id']).length,
  };
  if (tool === 'pencil') {
    const isOwn = ({ type, data }: Line) => type === 'annotation' && data.points?.[0]?.[0] === n;
    return { ...common, annotation: lines.filter(isOwn).length };
  }
  const log = [...state].filter(([key, value]) => key.startsWith(`log/${keyOf(n)}/`) && value === n);
  const isOwn = ({ type, data }: Line) => type === 'message' && data.n === n;
  return { ...common, log: log.length, message: lines.filter(isOwn).length };
}

/** Counters say how many turns there were, and logs are numbered from 1 without a gap. */
function verifyCounters(state: State, applied: readonly Sent[]): void {
  const counts = applied.filter(({ tool }) => tool === 'count');
  expect(state.get('total') ?? 0).toBe(counts.length);
  for (let k = 0; k < KEYS; k++) {
    const key = `k${k}`;
    const count = counts.filter(({ n }) => keyOf(n) === key).length;
    expect(state.get(`counter/${key}`) ?? 0, key).toBe(count);
    const numbers = [...state.keys()]
      .filter((name) => name.startsWith(`log/${key}/`))
      .map((name) => Number(name.slice(-16)));
    expect(numbers, key).toEqual(Array.from({ length: count }, (_, index) => index + 1));
  }
}

async function verifyTokens(host: TestHost, { tokens }: Load): Promise<void> {
  const { body } = await host.call('GET', '/api/neira/tokens');
  const known = (body.tokens as { name: string }[]).map(({ name }) => name);
  for (const name of tokens) expect(known.filter((each) => each === name)).toHaveLength(1);
}

async function verifySearch(host: TestHost, applied: readonly Sent[]): Promise<void> {
  const some = applied.filter(({ tool }) => tool === 'count').filter((_, index) => index % 25 === 0);
  for (const { n } of some) {
    const { body } = await host.call(
      'GET',
      `/api/neira/search?type=message&q=${encodeURIComponent(`пометка${n}`)}`,
    );
    expect(body.results.filter((found: Line) => found.data.n === n)).toHaveLength(1);
  }
}

interface Line {
  readonly id: string;
  readonly type: string;
  readonly data: { readonly n?: number; readonly points?: readonly (readonly number[])[] };
}

const ids = (lines: readonly Line[]) => lines.map(({ id }) => id).sort();

/** Every line of the chat files, parsed: a torn one fails the test. */
function linesIn(home: string, kind: 'annotations' | 'messages'): Line[] {
  const lines: Line[] = [];
  for (let chat = 0; chat < 2; chat++) {
    for (let session = 0; session < SESSIONS; session++) {
      const file = path.join(home, 'context', `чат-${chat}`, `s${session}.${kind}.ndjson`);
      if (!existsSync(file)) continue;
      const text = readFileSync(file, 'utf8');
      expect(text, file).toMatch(/\n$/);
      lines.push(
        ...text
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as Line),
      );
    }
  }
  return lines;
}

function stateOf(home: string): State {
  using reader = createKvReader(databasePath(home));
  const entries = [...reader.scan('crash.counter', { prefix: '' })];
  return new Map<string, unknown>(entries.map(({ key, value }) => [key, JSON.parse(value)]));
}

async function recordedEvents(host: TestHost): Promise<Events> {
  const byNumber = new Map<number, Record<string, unknown>[]>();
  for (const subject of Object.values(EVENTS)) {
    for (const event of await eventsOf(host, subject)) {
      const { params } = event['payload'] as { params: { n?: number; points?: number[][] } };
      const n = params.n ?? params.points![0]![0]!;
      byNumber.set(n, [...(byNumber.get(n) ?? []), event]);
    }
  }
  const published = await Promise.all(
    ['crash.event.counted', 'annotation.saved'].map((subject) => eventsOf(host, subject)),
  );
  return { byNumber, published: published.flat().map((event) => event['causation_id']) };
}

async function eventsOf(host: TestHost, subject: string): Promise<Record<string, unknown>[]> {
  const { body } = await host.call('GET', `/api/neira/events?subject=${subject}&limit=1000`);
  // The look at the events must see all of them, or it proves nothing.
  expect(body.events.length, subject).toBeLessThan(1000);
  return body.events;
}

async function ndjson(host: TestHost, where: string): Promise<Line[]> {
  const { body } = await host.call('GET', where);
  return (body as string)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

const LOOK_MS = 5;

/** A host under load that ends by itself or by `signal`; answers how, once it is gone. */
export async function loadUntilGone(
  host: SpawnedHost,
  load: Load,
  end?: {
    readonly signal: NodeJS.Signals;
    readonly after: { readonly ms?: number; readonly answers?: number };
  },
): Promise<number | string> {
  const { ms = 0, answers = 0 } = end?.after ?? {};
  const begun = performance.now();
  const timer = setInterval(() => {
    if (!end || load.acknowledged < answers || performance.now() - begun < ms) return;
    clearInterval(timer);
    host.process.kill(end.signal);
  }, LOOK_MS);
  await load.run(host, host.exited);
  const how = await host.exited;
  clearInterval(timer);
  load.logs.push(host.log());
  return how;
}

export interface ConsoleLine {
  readonly send: string;
  readonly target: string;
  readonly payload: { readonly n: number };
  readonly doubtful?: true;
}

/** What left through the port `console`, from a host's log. A last line may be torn by the kill. */
export function consoleLines(log: string): ConsoleLine[] {
  return log
    .split('\n')
    .filter((line) => line.includes('"port":"console"') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as ConsoleLine);
}

/** Sends are at least once: each event that took effect left a line in some log, a second one says that it may be. */
export async function verifySends(host: SpawnedHost, load: Load): Promise<void> {
  const applied = new Set((await eventsOf(host, EVENTS.count)).map((event) => event['id'] as string));
  const earlier = load.logs.flatMap(consoleLines);
  const all = () => [...earlier, ...consoleLines(host.log())];
  await expect
    .poll(() => applied.difference(new Set(all().map(({ send }) => send.split(':')[0]!))).size)
    .toBe(0);
  const seen = new Set<string>();
  for (const { send, doubtful } of all()) {
    expect(applied, 'nothing left of a turn that did not commit').toContain(send.split(':')[0]);
    if (seen.has(send)) expect(doubtful, send).toBe(true);
    seen.add(send);
  }
}
