/**
 * What the scenario engine stands on, in memory: key-value rows, a mailbox that keeps the order of a key, timers, commands
 * of others. A turn is atomic and one follows the other, which is what the real host makes of turns side by side; which
 * delivery comes next is up to the model.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

interface EnvelopeLike {
  readonly id: string;
  readonly event_name: string;
  readonly version: number;
  readonly source: string;
  readonly tenant: string;
  readonly ts: string;
  readonly correlation_id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Readonly<Record<string, unknown>>;
}

export interface Delivery {
  readonly seq: number;
  readonly event: EnvelopeLike;
  readonly key: string | undefined;
  attempt: number;
}

/** A command of a run that nobody has answered. */
export interface Asked {
  readonly id: string;
  readonly name: string;
  readonly key: string;
  readonly context: unknown;
  readonly payload: unknown;
}

interface Timer {
  readonly atMs: number;
  readonly event: EnvelopeLike;
}

interface Turn {
  readonly writes: Map<string, string | undefined>;
  readonly published: Timer[];
  readonly asked: Asked[];
  readonly takenBack: string[];
}

interface PublishOptions {
  readonly at?: string;
  readonly key?: string;
  readonly context?: unknown;
}

const ENGINE = 'plugin:scenario.engine';
const MANIFEST = new URL('../../../plugins/scripts/scenario_engine/manifest.yaml', import.meta.url);
const { subscribes } = parse(readFileSync(MANIFEST, 'utf8')) as {
  subscribes: readonly { event: string; key?: string }[];
};
const KEYS = new Map(subscribes.map(({ event, key }) => [event.split('@')[0]!, key]));

export class EngineHost {
  nowMs = 0;
  readonly settings: object;
  readonly rows = new Map<string, string>();
  deliveries: Delivery[] = [];
  timers: Timer[] = [];
  asked: Asked[] = [];
  #turn: Turn | undefined;
  #attempt = 1;
  #made = 0;

  constructor(settings: object) {
    this.settings = settings;
  }

  /** Of those that may come next: the first of each key, and all that have none. */
  ready(): readonly Delivery[] {
    const seen = new Set<string>();
    return this.deliveries.filter(({ key }) => {
      if (key === undefined) return true;
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    });
  }

  send(name: string, payload: Readonly<Record<string, unknown>>, source: string): void {
    this.#deliver(this.#envelope(name, payload, source));
  }

  /** Answers a command; what was taken back meanwhile has gone. */
  answer({ id, key, context }: Asked, result: object): void {
    this.asked = this.asked.filter((each) => each.id !== id);
    this.#deliver(this.#envelope('command.answered', { ...result, context }, 'host'), key);
  }

  /** What is due by then is delivered, the earliest first. */
  passTo(nowMs: number): void {
    this.nowMs = nowMs;
    const due = this.timers.filter(({ atMs }) => atMs <= nowMs).sort((a, b) => a.atMs - b.atMs);
    this.timers = this.timers.filter(({ atMs }) => atMs > nowMs);
    for (const { event } of due) this.#deliver(event);
  }

  /**
   * Runs a turn of the engine for a delivery and commits it. Where it throws, or the process dies before the commit,
   * nothing of it is kept and it comes again.
   */
  turn<Reply>(delivery: Delivery, handle: (event: EnvelopeLike) => Reply, dies: boolean): Reply | undefined {
    const turn: Turn = { writes: new Map(), published: [], asked: [], takenBack: [] };
    this.#turn = turn;
    this.#attempt = delivery.attempt;
    let reply: Reply;
    try {
      reply = handle(structuredClone(delivery.event));
    } finally {
      this.#turn = undefined;
    }
    if (dies) {
      delivery.attempt += 1;
      return undefined;
    }
    this.deliveries.splice(this.deliveries.indexOf(delivery), 1);
    for (const [key, text] of turn.writes)
      if (text === undefined) this.rows.delete(key);
      else this.rows.set(key, text);
    const gone = new Set(turn.takenBack);
    this.timers = this.timers.filter(({ event }) => !gone.has(event.id));
    this.asked = [...this.asked, ...turn.asked].filter(({ id }) => !gone.has(id));
    for (const { atMs, event } of turn.published)
      if (gone.has(event.id)) continue;
      else if (atMs > this.nowMs) this.timers.push({ atMs, event });
      else this.#deliver(event);
    return reply;
  }

  read<Value>(key: string): Value | undefined {
    const text = this.#turn?.writes.has(key) ? this.#turn.writes.get(key) : this.rows.get(key);
    return text === undefined ? undefined : (JSON.parse(text) as Value);
  }

  keysBelow(prefix: string): readonly string[] {
    const found = new Set([...this.rows.keys()].filter((key) => key.startsWith(prefix)));
    for (const [key, text] of this.#turn?.writes ?? [])
      if (text === undefined) found.delete(key);
      else if (key.startsWith(prefix)) found.add(key);
    return [...found].sort();
  }

  #deliver(event: EnvelopeLike, given?: string): void {
    if (!KEYS.has(event.event_name) && given === undefined) return;
    const key = given ?? keyOf(event);
    this.deliveries.push({ seq: ++this.#made, event, key, attempt: 1 });
  }

  #envelope(name: string, payload: Readonly<Record<string, unknown>>, source: string): EnvelopeLike {
    const id = `e${++this.#made}`;
    const ts = new Date(this.nowMs).toISOString();
    return {
      id,
      event_name: name,
      version: 1,
      source,
      tenant: 'default',
      ts,
      correlation_id: id,
      headers: {},
      payload,
    };
  }

  // --- host functions, within a turn

  write(key: string, value: unknown): void {
    this.#turn!.writes.set(key, JSON.stringify(value ?? null));
  }

  remove(key: string): void {
    this.#turn!.writes.set(key, undefined);
  }

  delivery() {
    return { attempt: this.#attempt, subscriptions: [] };
  }

  publish(name: string, payload: Readonly<Record<string, unknown>>, { at }: PublishOptions = {}): string {
    const event = this.#envelope(name, structuredClone(payload), ENGINE);
    this.#turn!.published.push({ atMs: at === undefined ? 0 : Date.parse(at), event });
    return event.id;
  }

  ask(name: string, payload: unknown, { key = '', context }: PublishOptions): string {
    const id = `a${++this.#made}`;
    this.#turn!.asked.push({ id, name, key, context, payload });
    return id;
  }

  takeBack(id: string): void {
    this.#turn!.takenBack.push(id);
  }
}

function keyOf(event: EnvelopeLike): string | undefined {
  const path = KEYS.get(event.event_name);
  if (path === undefined) return undefined;
  const names = path.slice('$.'.length).split('.');
  let value: unknown = event;
  for (const name of names) value = (value as Record<string, unknown> | undefined)?.[name];
  return value === undefined ? undefined : `${path.startsWith('$.payload') ? '' : path}${String(value)}`;
}

let host: EngineHost | undefined;

/** The one whose turn it is: the engine's imports of `neira:host/*` lead here. */
export function current(): EngineHost {
  return host!;
}

export function enter(next: EngineHost): void {
  host = next;
}
