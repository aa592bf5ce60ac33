/**
 * What the bus promises, in few words: it follows every commit and says what must come of it. It knows nothing of
 * how the store or the router work; where they do otherwise, the history fails at that commit.
 */
import type { BusNews, DeadLetterRecord, EventDraft, MailboxEntry } from '../../host/store/bus-records.ts';
import type { Ack, AdminOp, Effect, TurnRecord, WriteRecord } from '../../host/store/records.ts';
import { opened } from './events.ts';
import { DYNAMIC, type ModelPlugin, PLUGINS, RETRIES } from './plugins.ts';

const HOUR_MS = 60 * 60 * 1000;
const DROP_BEHIND = 128;
const POSTPONED_MS = 1000;

export interface Waiting {
  readonly id: number;
  readonly eventId: string;
  readonly key: string | null;
  readonly atMs: number;
  attempts: number;
  triesFrom: number;
  kills: number;
}

export interface PluginState {
  readonly plugin: ModelPlugin;
  hears: boolean;
  listens: boolean;
  waiting: Waiting[];
  /** Events that it handled, in the order of the commits. */
  readonly seen: string[];
  counted: number;
  dead: { readonly eventId: string; readonly attempts: number }[];
}

export interface Letter {
  readonly plugin: string;
  readonly eventId: string;
  readonly attempts: number;
}

interface Delayed {
  dueMs: number;
  readonly plugin: string | null;
  readonly event: EventDraft;
}

export class Oracle {
  readonly plugins = new Map<string, PluginState>();
  /** Events that were published, in order. */
  readonly published: string[] = [];
  readonly delayed = new Map<string, Delayed>();
  readonly handledDirectly = new Set<string>();
  readonly #known = new Map<string, string>();
  readonly #nowMs: () => number;
  /** What the writer says it put into mailboxes, as far as it is not explained. */
  #news: MailboxEntry[] = [];
  shed = 0;
  /** What an administrator saw among the dead letters, by number. */
  readonly letters = new Map<number, Letter>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    for (const plugin of PLUGINS)
      this.plugins.set(plugin.id, {
        plugin,
        hears: false,
        listens: false,
        waiting: [],
        seen: [],
        counted: 0,
        dead: [],
      });
  }

  committed(records: readonly WriteRecord[], acks: readonly Ack[], news: BusNews): void {
    this.#news = [...news.deliveries];
    this.shed = 0;
    for (const [index, record] of records.entries()) this.#record(record, acks[index]!);
    require_(this.#news.length === 0, 'a delivery that no commit explains', this.#news);
    const shed = Object.values(news.shed ?? {}).reduce((sum, count) => sum + count, 0);
    require_(shed === this.shed, 'as much was shed as is counted', { shed, expected: this.shed });
  }

  #record(record: WriteRecord, ack: Ack): void {
    if (record.kind === 'turn') this.#turn(record, ack);
    else if (!ack.ok) this.#refused(record.kind === 'publish' ? record.events : [], ack, record);
    else if (record.kind === 'publish') {
      for (const event of record.events) this.#publish(event, null, 'refuse', ack.duplicateOf);
    } else if (record.kind === 'admin') for (const op of record.ops) this.#admin(op);
    else if (record.kind === 'tick') this.#tick();
    else if (record.kind === 'dead-letters') this.#letters(record);
    else throw new Error(`no history has a record of the kind ${record.kind}`);
  }

  /** The writer kept nothing. A mailbox that was said to be full was full, and a full disk is nobody's fault. */
  #refused(events: readonly EventDraft[], ack: Ack & { readonly ok: false }, record: WriteRecord): void {
    const code = 'error' in ack ? ack.error.code : undefined;
    if (code === 'NEIRA_DISK_FULL' || code === 'NEIRA_DEADLINE') return;
    require_(code === 'NEIRA_MAILBOX_FULL', 'a refusal that nothing explains', { ack, record });
    const targets = events.flatMap((event) => this.#targets(event));
    const full = targets.some(
      (target) => this.#room(target) < targets.filter((each) => each === target).length,
    );
    require_(full, 'a mailbox is full when it says so', { ack, record });
  }

  // --- turns

  #turn(record: TurnRecord, ack: Ack): void {
    const state = this.#of(record.plugin);
    if (!ack.ok) {
      if (ack.conflict || ('cut' in ack && ack.cut)) return;
      if ('gone' in ack && ack.gone) {
        const { id, attempts } = record.delivery!;
        const there = state.waiting.some((each) => each.id === id && each.attempts === attempts);
        require_(!there, 'a delivery that waits is not gone', record);
      } else this.#refused(broughtBy(record), ack, record);
      return;
    }
    const failed = ack.outcome!.status === 'failed';
    const entry = record.delivery && state.waiting.find(({ id }) => id === record.delivery!.id);
    if (record.delivery) this.#settle(state, record, ack, failed, entry);
    else this.#direct(record, failed);
    if (failed) return;
    state.seen.push(record.eventId);
    this.#effects(record);
  }

  #settle(
    state: PluginState,
    { delivery, eventId }: TurnRecord,
    { settlement }: Ack & { readonly ok: true },
    failed: boolean,
    entry: Waiting | undefined,
  ): void {
    require_(entry?.eventId === eventId, 'a turn settles a delivery that waits', { delivery, eventId });
    const { id, key } = entry!;
    // The cell took those before it in its batch along: they run again, and before it.
    const before =
      key !== null && !delivery!.killed && state.waiting.find((each) => each.key === key && each.id < id);
    require_(!before, 'deliveries of a key are settled in order', { settled: entry, before });
    const leave = () => {
      state.waiting = state.waiting.filter((each) => each !== entry);
    };
    if (!failed) {
      require_(settlement?.state === 'done', 'a turn that stands ends its delivery', settlement);
      leave();
      return;
    }
    entry!.attempts++;
    if (delivery!.killed) entry!.kills++;
    const dead = entry!.attempts - entry!.triesFrom > RETRIES || (delivery!.killed && entry!.kills > 1);
    require_(settlement?.state === (dead ? 'dead' : 'retry'), 'a failed delivery comes again or is dead', {
      entry,
      settlement,
    });
    if (!dead) return;
    state.dead.push({ eventId, attempts: entry!.attempts });
    leave();
  }

  /** A client's event, handled as it came in; others who heard of it get it as well. */
  #direct(record: TurnRecord, failed: boolean): void {
    const { plugin, eventId } = record;
    require_(!this.handledDirectly.has(eventId), 'an event of a client is handled once', eventId);
    this.handledDirectly.add(eventId);
    this.published.push(eventId);
    if (!failed) this.#deliver(directEvent(record), 'shed', plugin);
  }

  #effects(record: TurnRecord): void {
    const state = this.#of(record.plugin);
    for (const effect of record.effects) {
      if (effect.op === 'publish') this.#publish(effect.event, record.plugin, 'refuse', undefined);
      else if (effect.op === 'subscribe') state.listens = true;
      else if (effect.op === 'unsubscribe') state.listens = false;
      else if (effect.op === 'set' && effect.key === 'count') state.counted++;
      else if (effect.op === 'cancel') this.#cancel(effect, record.plugin);
    }
  }

  #cancel({ id }: Extract<Effect, { op: 'cancel' }>, plugin: string): void {
    if (this.delayed.get(id)?.plugin === plugin) this.delayed.delete(id);
  }

  // --- events

  #publish(
    event: EventDraft,
    plugin: string | null,
    whenFull: 'refuse' | 'shed',
    duplicateOf: string | undefined,
  ): void {
    if (event.dedupe !== undefined) {
      const first = this.#known.get(event.dedupe);
      require_(first === duplicateOf, 'an idempotency key brings its event once', {
        event,
        first,
        duplicateOf,
      });
      if (first !== undefined) return;
      this.#known.set(event.dedupe, event.id);
    }
    if (event.atMs !== undefined && event.atMs > this.#nowMs()) {
      this.delayed.set(event.id, { dueMs: event.atMs, plugin, event });
      return;
    }
    this.published.push(event.id);
    this.#deliver(event, whenFull, undefined);
  }

  #deliver(event: EventDraft, whenFull: 'refuse' | 'shed', except: string | undefined): void {
    for (const { plugin } of this.#hearers(event))
      if (plugin.id !== except) this.#put(event, plugin, whenFull);
    const members = this.#members(event);
    if (members.length === 0) return;
    const chosen = members.find(({ plugin }) => plugin.id === this.#news[0]?.plugin);
    require_(chosen !== undefined, 'one of a group gets an event', { event, next: this.#news[0] });
    this.#put(event, chosen!.plugin, whenFull);
  }

  #put(
    event: EventDraft,
    { id: plugin, mailbox, subscribes }: ModelPlugin,
    whenFull: 'refuse' | 'shed',
  ): void {
    const state = this.#of(plugin);
    if (state.waiting.length >= mailbox.max) {
      require_(mailbox.overflow !== 'slow' || whenFull === 'shed', 'a full mailbox takes nothing', {
        plugin,
        event,
      });
      this.shed++;
      if (mailbox.overflow !== 'drop_oldest') return;
      state.waiting.splice(Math.min(DROP_BEHIND, state.waiting.length >> 1), 1);
    }
    // Plugins stand in the order in which they came to hear, which is not told here.
    const index = this.#news.findIndex((each) => each.plugin === plugin);
    const [entry] = this.#news.splice(Math.max(index, 0), 1);
    const isKeyed = subscribes.some((each) => each.key !== undefined && covers(each.event, event.subject));
    const key = isKeyed ? (opened(event.envelope).payload.key ?? null) : null;
    const right = entry?.plugin === plugin && entry.eventId === event.id && entry.key === key;
    require_(right, 'who hears of an event gets it, in order', { plugin, event, key, entry });
    this.#add(state, { id: entry!.id, eventId: event.id, key, attempts: 0, triesFrom: 0 });
  }

  #add(state: PluginState, entry: Omit<Waiting, 'atMs' | 'kills'>): void {
    state.waiting.push({ ...entry, atMs: this.#nowMs(), kills: 0 });
  }

  #hearers({ subject }: EventDraft): PluginState[] {
    return [...this.plugins.values()].filter(
      ({ plugin, hears, listens }) =>
        hears &&
        (plugin.subscribes.some(({ event, group }) => group === undefined && covers(event, subject)) ||
          (listens && covers(DYNAMIC.pattern, subject))),
    );
  }

  #members({ subject }: EventDraft): PluginState[] {
    return [...this.plugins.values()].filter(
      ({ plugin, hears }) =>
        hears && plugin.subscribes.some(({ event, group }) => group !== undefined && covers(event, subject)),
    );
  }

  #targets(event: EventDraft): PluginState[] {
    return [...this.#hearers(event), ...this.#members(event)];
  }

  #room({ plugin, waiting }: PluginState): number {
    return plugin.mailbox.overflow === 'slow'
      ? plugin.mailbox.max - waiting.length
      : Number.POSITIVE_INFINITY;
  }

  /** Whether a full mailbox makes a due event wait; of a group, that of the one who was chosen. */
  #isHeldUp(event: EventDraft): boolean {
    const isFull = (target: PluginState) => this.#room(target) <= 0;
    const isChosen =
      this.#members(event).length > 0 && this.#news.some(({ eventId }) => eventId === event.id);
    return this.#hearers(event).some(isFull) || (!isChosen && this.#members(event).some(isFull));
  }

  // --- time and administration

  #tick(): void {
    const nowMs = this.#nowMs();
    const due = [...this.delayed.values()]
      .filter(({ dueMs }) => dueMs <= nowMs)
      .sort((a, b) => a.dueMs - b.dueMs || (a.event.id < b.event.id ? -1 : 1));
    for (const entry of due) {
      const { atMs: _due, dedupe: _known, ...event } = entry.event;
      if (this.#isHeldUp(event)) entry.dueMs = nowMs + POSTPONED_MS;
      else {
        this.delayed.delete(event.id);
        this.#publish(event, entry.plugin, 'shed', undefined);
      }
    }
    for (const state of this.plugins.values()) {
      const maxAgeH = state.hears ? state.plugin.mailbox.maxAgeH : 168;
      const old = state.waiting.filter(({ atMs }) => atMs <= nowMs - maxAgeH * HOUR_MS);
      state.waiting = state.waiting.filter((entry) => !old.includes(entry));
      for (const { eventId, attempts } of old) state.dead.push({ eventId, attempts });
    }
  }

  #letters({ op, ids }: DeadLetterRecord): void {
    for (const id of ids) {
      const letter = this.letters.get(id)!;
      const state = this.#of(letter.plugin);
      const { eventId, attempts } = letter;
      const index = state.dead.findIndex((each) => each.eventId === eventId && each.attempts === attempts);
      require_(index >= 0, 'a dead letter is decided about once', letter);
      state.dead.splice(index, 1);
      if (op === 'drop') continue;
      const entry = this.#news.shift();
      const right = entry?.plugin === letter.plugin && entry.eventId === eventId;
      require_(right, 'a dead letter that is retried comes last', { letter, entry });
      this.#add(state, { id: entry!.id, eventId, key: entry!.key, attempts, triesFrom: attempts });
    }
  }

  #admin(op: AdminOp): void {
    if (op.op !== 'plugin.put') return;
    this.#of(op.row.id).hears = op.row.state === 'enabled' || op.row.state === 'quarantined';
  }

  #of(plugin: string): PluginState {
    return this.plugins.get(plugin)!;
  }
}

/** What a turn brings to mailboxes; the event of a client goes to those who subscribed to it, before all others. */
function broughtBy(record: TurnRecord): EventDraft[] {
  const published = record.effects.flatMap((effect) => (effect.op === 'publish' ? [effect.event] : []));
  return record.delivery ? published : [directEvent(record), ...published];
}

function directEvent({ eventId, subject, envelope, caller }: TurnRecord): EventDraft {
  return { id: eventId, subject, version: 1, envelope: envelope!, mode: 'event', caller };
}

/** `*` for one token, `>` for the rest. */
export function covers(pattern: string, subject: string): boolean {
  const [tokens, parts] = [pattern.split('@')[0]!.split('.'), subject.split('.')];
  if (tokens.at(-1) !== '>' && tokens.length !== parts.length) return false;
  return tokens.every((token, index) => token === '>' || token === '*' || token === parts[index]);
}

export function require_(holds: boolean, promise: string, found: unknown): void {
  if (!holds) throw new Error(`broken promise: ${promise}\n${JSON.stringify(found, null, 1)}`);
}
