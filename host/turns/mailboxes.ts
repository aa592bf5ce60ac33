/**
 * From the mailboxes to the turns: what waits in the store is handed over a little at a time, so that a
 * backlog costs rows and no memory, and none of it is forgotten: a delivery leaves its mailbox only with the
 * commit of its turn.
 */
import { isNeiraError, type NeiraError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { BusNews, MailboxEntry } from '../store/bus-records.ts';
import type { IncomingEvent, Serving, TurnResult, Turns } from '../turn.ts';

export interface MailboxStore {
  mailbox(plugin: string, afterId: number, limit: number): readonly MailboxEntry[];
  mailboxOfKey(
    plugin: string,
    key: string,
    afterId: number,
    upToId: number,
    limit: number,
  ): readonly MailboxEntry[];
  mailboxPlugins(): readonly string[];
}

export interface MailboxParts {
  readonly store: MailboxStore;
  readonly turns: Turns;
  /** What serves a plugin now; undefined when it may not run (state, gates, boot). */
  serving(plugin: string): Serving | undefined;
  /** Whether this delivery may run now (gates/decide.ts); the mode may allow some and not others. */
  mayRun(serving: Serving, entry: MailboxEntry): boolean;
  mode(): 'normal' | 'safe';
  /** Why nothing can be made of this delivery any more. */
  problem(entry: MailboxEntry): NeiraError | undefined;
  /** A turn of the plugin committed. */
  committed(plugin: string): void;
  /** Publishes what is due and gives up what is too old. */
  tick(): Promise<void>;
  readonly log: Logger;
}

/** Deliveries of one plugin in hand that were not tried yet, and all of them. */
const MAX_FRESH = 256;
const MAX_IN_HAND = 2048;
const MAX_BYTES_IN_HAND = 8 * 1024 * 1024;
/** Of one key; the others stay in the store, so that a long line of one key keeps no other waiting. */
const MAX_OF_KEY = 64;
const PAGE = 128;
/** Free places from which on more is read: reading for each alone would cost more than its turn. */
const REFILL = 32;
const BUSY_AGAIN_MS = 100;
/** Timers of Node go no further; and a clock that was set anew is noticed. */
const MAX_TIMER_MS = 60_000;

interface KeyInHand {
  count: number;
  /** Of the key, all up to here are settled or in hand. */
  lastId: number;
  /** More of it lie in the store below `scanned`. */
  more: boolean;
}

interface Box {
  readonly plugin: string;
  /** Every delivery up to here is settled, in hand, or counted by its key as `more`. */
  scanned: number;
  /** The store may hold deliveries above `scanned`. */
  behind: boolean;
  readonly inHand: Map<number, { readonly bytes: number; failed: boolean }>;
  readonly keys: Map<string, KeyInHand>;
  fresh: number;
  bytes: number;
  /** Some may not run for now: all is looked at again when the plugin or the mode changes. */
  waiting: boolean;
}

export class Mailboxes {
  readonly #parts: MailboxParts;
  readonly #boxes = new Map<string, Box>();
  #stopped = false;
  #dueAtMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: MailboxParts) {
    this.#parts = parts;
  }

  /** Takes up what an earlier process left. */
  start(): void {
    for (const plugin of this.#parts.store.mailboxPlugins()) this.wake(plugin);
    this.#armTimer();
  }

  /** Hands nothing over any more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Deliveries that are in memory, of all plugins. */
  get inHand(): number {
    return [...this.#boxes.values()].reduce((sum, box) => sum + box.inHand.size, 0);
  }

  /** What a commit put into mailboxes. */
  arrived({ deliveries, dueMs }: BusNews): void {
    for (const entry of deliveries) {
      const box = this.#boxOf(entry.plugin);
      if (entry.id <= box.scanned) continue;
      if (box.behind || box.waiting || !this.#hasRoom(box)) box.behind = true;
      else this.#take(box, entry);
    }
    if (dueMs !== undefined) {
      this.#dueAtMs = dueMs;
      this.#armTimer();
    }
  }

  /** The plugin began to serve, or what it may do changed: its mailbox is looked at from the beginning. */
  wake(plugin: string): void {
    const box = this.#boxOf(plugin);
    box.waiting = false;
    box.scanned = 0;
    box.behind = true;
    for (const [key, hand] of box.keys) {
      if (hand.count === 0) box.keys.delete(key);
      else {
        hand.more = false;
        // What was given back lies before what was newest in hand.
        hand.lastId = 0;
      }
    }
    this.#fill(box);
  }

  wakeAll(): void {
    for (const plugin of this.#boxes.keys()) this.wake(plugin);
  }

  #boxOf(plugin: string): Box {
    let box = this.#boxes.get(plugin);
    if (!box) {
      box = {
        plugin,
        scanned: 0,
        behind: true,
        inHand: new Map(),
        keys: new Map(),
        fresh: 0,
        bytes: 0,
        waiting: false,
      };
      this.#boxes.set(plugin, box);
    }
    return box;
  }

  #hasRoom({ fresh, inHand, bytes }: Box): boolean {
    return fresh < MAX_FRESH && inHand.size < MAX_IN_HAND && bytes < MAX_BYTES_IN_HAND;
  }

  #fill(box: Box): void {
    if (MAX_FRESH - box.fresh < REFILL) return;
    while (!this.#stopped && box.behind && !box.waiting && this.#hasRoom(box)) {
      const limit = Math.min(Math.max(MAX_FRESH - box.fresh, REFILL), PAGE);
      const page = this.#parts.store.mailbox(box.plugin, box.scanned, limit);
      for (const entry of page) {
        if (box.waiting || !this.#hasRoom(box)) return;
        this.#take(box, entry);
      }
      if (page.length < limit) box.behind = false;
    }
  }

  /** Goes on to this delivery: takes it in hand, unless its key has enough there or it may not run now. */
  #take(box: Box, entry: MailboxEntry): void {
    box.scanned = entry.id;
    if (box.inHand.has(entry.id)) return;
    const hand = entry.key === null ? undefined : box.keys.get(entry.key);
    if (hand && (hand.more || hand.count >= MAX_OF_KEY)) hand.more = true;
    else if (this.#mayRun(box, entry)) this.#handOver(box, entry);
  }

  #mayRun(box: Box, entry: MailboxEntry): boolean {
    const serving = this.#parts.serving(box.plugin);
    if (!serving) {
      // Nothing of it runs: there is no point in looking further.
      box.waiting = true;
      return false;
    }
    if (this.#parts.mayRun(serving, entry)) return true;
    if (entry.key === null) return false;
    // Others of its key wait behind it.
    const hand = box.keys.get(entry.key);
    if (hand) hand.more = true;
    else box.keys.set(entry.key, { count: 0, lastId: entry.id, more: true });
    return false;
  }

  #handOver(box: Box, entry: MailboxEntry): void {
    const serving = this.#parts.serving(box.plugin)!;
    const { id, key, attempts, triesLeftFrom, subscriptions, envelope, chain, deadlineMs } = entry;
    box.inHand.set(id, { bytes: envelope.length, failed: false });
    box.fresh++;
    box.bytes += envelope.length;
    if (key !== null) {
      const hand = box.keys.get(key);
      if (hand) {
        hand.count++;
        hand.lastId = id;
      } else box.keys.set(key, { count: 1, lastId: id, more: false });
    }
    const event: IncomingEvent = {
      eventId: entry.eventId,
      subject: entry.subject,
      envelope,
      key: key ?? undefined,
      caller: entry.caller,
      mode: this.#parts.mode(),
      dryRun: false,
      notBeforeMs: entry.dueMs,
      ...(deadlineMs !== null && { deadlineAtMs: deadlineMs }),
      mailbox: {
        id,
        attempts,
        triesLeftFrom,
        subscriptions,
        ...(chain !== null && { chain }),
        serving: () => this.#servingNow(entry),
        failing: () => this.#failing(box, id),
      },
    };
    const problem = this.#parts.problem(entry);
    const { turns } = this.#parts;
    (problem ? turns.refuse(serving, event, problem) : turns.deliver(serving, event)).then(
      (result) => this.#settled(box, entry, result),
      (error: unknown) => this.#givenBack(box, entry, error),
    );
  }

  /** Asked again when its turn comes: meanwhile the plugin or the mode may have changed. */
  #servingNow(entry: MailboxEntry): Serving | undefined {
    const serving = this.#stopped ? undefined : this.#parts.serving(entry.plugin);
    return serving && this.#parts.mayRun(serving, entry) ? serving : undefined;
  }

  /** One that is tried again takes no place from those that were not tried yet. */
  #failing(box: Box, id: number): void {
    const held = box.inHand.get(id);
    if (!held || held.failed) return;
    held.failed = true;
    box.fresh--;
    this.#fill(box);
  }

  #settled(box: Box, entry: MailboxEntry, result: TurnResult): void {
    this.#letGo(box, entry);
    if (result.kind === 'committed' && result.outcome.status === 'ok') this.#parts.committed(box.plugin);
    this.#refill(box, entry.key);
    this.#fill(box);
  }

  /** It did not run, and waits in the store as before. */
  #givenBack(box: Box, entry: MailboxEntry, error: unknown): void {
    this.#letGo(box, entry);
    const code = isNeiraError(error) ? error.code : undefined;
    // Who asked has given up by now, and the delivery with it.
    if (code === 'NEIRA_DEADLINE') {
      this.#refill(box, entry.key);
      this.#fill(box);
      return;
    }
    box.waiting = true;
    box.behind = true;
    // The change that makes it serve wakes the box; but it may have come before this one was given back.
    if (code === 'NEIRA_PLUGIN_INACTIVE' || code === 'NEIRA_QUARANTINED' || code === 'NEIRA_STOPPING') {
      if (this.#parts.serving(box.plugin) && code !== 'NEIRA_STOPPING') this.#wakeSoon(box);
      return;
    }
    if (code !== 'NEIRA_BUSY')
      this.#parts.log.error({ err: error as NeiraError, plugin: box.plugin }, 'a delivery was given back');
    this.#wakeSoon(box);
  }

  #wakeSoon(box: Box): void {
    setTimeout(() => this.wake(box.plugin), BUSY_AGAIN_MS).unref();
  }

  #letGo(box: Box, { id, key }: MailboxEntry): void {
    const held = box.inHand.get(id);
    if (!held) return;
    box.inHand.delete(id);
    box.bytes -= held.bytes;
    if (!held.failed) box.fresh--;
    const hand = key === null ? undefined : box.keys.get(key);
    if (!hand) return;
    hand.count--;
    if (hand.count === 0 && !hand.more) box.keys.delete(key!);
  }

  /** More of a key, when little of it is left in hand. */
  #refill(box: Box, key: string | null): void {
    const hand = key === null ? undefined : box.keys.get(key);
    if (!hand?.more || box.waiting || this.#stopped || hand.count > MAX_OF_KEY / 2) return;
    const wanted = MAX_OF_KEY - hand.count;
    const page = this.#parts.store.mailboxOfKey(box.plugin, key!, hand.lastId, box.scanned, wanted);
    hand.more = page.length === wanted;
    for (const entry of page) {
      if (box.inHand.has(entry.id)) hand.lastId = entry.id;
      else if (this.#mayRun(box, entry)) this.#handOver(box, entry);
      else {
        hand.more = true;
        return;
      }
    }
    if (hand.count === 0 && !hand.more) box.keys.delete(key!);
  }

  // --- time

  #armTimer(): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    const inMs = Math.min(Math.max(this.#dueAtMs - Date.now(), 0), MAX_TIMER_MS);
    this.#timer = setTimeout(() => this.#tick(), inMs);
    this.#timer.unref();
  }

  #tick(): void {
    this.#dueAtMs = Number.POSITIVE_INFINITY;
    this.#parts
      .tick()
      .catch((err: unknown) => this.#parts.log.error({ err }, 'what is due could not leave'))
      .finally(() => this.#armTimer());
  }
}
