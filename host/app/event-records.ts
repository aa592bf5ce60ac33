/**
 * The log of events, for those who look back and those who look on: pages of it, and a tail that goes from
 * what was recorded over to what is being recorded without a gap (BUS-18, BUS-27).
 *
 * A tail holds a place and no events: news only says that there is more, and it is read from the store when
 * its reader is ready for it. So a slow reader costs nothing but its place.
 */
import { setImmediate as turnOfLoop } from 'node:timers/promises';
import { NeiraError } from '../errors.ts';
import type { EventsQuery, RecordedEvents, TailPage, TailQuery } from '../http/bus-api.ts';
import type { BusNews } from '../store/bus-records.ts';
import type { EventFilter, EventPage, EventPageQuery, StoredEvent } from '../store/event-reads.ts';
import { filterOf, momentOf } from './event-filter.ts';

export interface EventLog {
  lastEventSeq(): number;
  eventSeqBefore(sinceMs: number): number;
  eventPage(query: EventPageQuery): EventPage;
}

export const MAX_TAILS = 64;
const TAIL_EVENTS = 64;
/** How long a tail rests after news, so that a burst of commits is read in one go. */
const TAIL_REST_MS = 20;
const MAX_EVENTS = 1000;
/** Of one answer; what is beyond comes with the next. */
const MAX_ANSWER_CHARS = 4 * 1024 * 1024;

export class EventRecords {
  readonly #log: EventLog;
  readonly #waiting = new Set<() => void>();
  #tails = 0;

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** Told of every commit. */
  news({ lastSeq }: BusNews): void {
    if (lastSeq === undefined) return;
    for (const wake of this.#waiting) wake();
  }

  /** Live tails there are. */
  get tails(): number {
    return this.#tails;
  }

  /** From a place or time on; with neither the newest, the oldest of them first. @throws NEIRA_INVALID */
  async read({ subject, since, until, after, limit }: EventsQuery): Promise<RecordedEvents> {
    const filter = filterOf(subject);
    const upTo = until === undefined ? undefined : this.#log.eventSeqBefore(momentOf(until, 'until'));
    const isNewest = since === undefined && after === undefined;
    const wanted = Math.min(limit, MAX_EVENTS);
    const range = { ...(upTo !== undefined && { upTo }) };
    if (isNewest) {
      const { found } = await this.#collect({ ...filter, ...range, reverse: true }, wanted);
      return { ...viewOf(found.reverse()), next: null };
    }
    const { found, seenTo, more } = await this.#collect(
      { ...filter, ...range, after: this.#startOf(since, after) },
      wanted,
    );
    return { ...viewOf(found), next: more ? seenTo : null };
  }

  async #collect(query: Omit<EventPageQuery, 'limit'>, limit: number) {
    const found: StoredEvent[] = [];
    let chars = 0;
    for (let range = {}; ; ) {
      const page = this.#log.eventPage({ ...query, ...range, limit: limit - found.length });
      found.push(...page.events);
      chars += page.events.reduce((sum, { envelope }) => sum + envelope.length, 0);
      const { seenTo, more } = page;
      if (!more || found.length >= limit || chars >= MAX_ANSWER_CHARS) return { found, seenTo, more };
      range = query.reverse ? { upTo: seenTo } : { after: seenTo };
      // A filter that little passes may look at all of the log: others have their turn meanwhile.
      await turnOfLoop();
    }
  }

  #startOf(since: string | undefined, after = 0): number {
    return Math.max(after, since === undefined ? 0 : this.#log.eventSeqBefore(momentOf(since, 'since')));
  }

  /** See {@link BusApi.tailEvents}. */
  async *tail(
    { subject, since, after }: TailQuery,
    idleMs: number,
    signal: AbortSignal,
  ): AsyncGenerator<TailPage, undefined> {
    const filter = filterOf(subject);
    const last = this.#log.lastEventSeq();
    // A place beyond the end is one of a log that was replaced, as by a restore.
    const start =
      since === undefined && after === undefined ? last : Math.min(this.#startOf(since, after), last);
    if (signal.aborted) return;
    const release = this.#hold();
    // Also when it is left in the middle, which a generator does not notice.
    signal.addEventListener('abort', release, { once: true });
    try {
      yield* this.#follow(filter, start, idleMs, signal);
    } finally {
      release();
    }
  }

  /** @throws NEIRA_TOO_MANY_TAILS */
  #hold(): () => void {
    if (this.#tails >= MAX_TAILS) throw new NeiraError('NEIRA_TOO_MANY_TAILS', { max: MAX_TAILS });
    this.#tails++;
    let held = true;
    return () => {
      if (held) this.#tails--;
      held = false;
    };
  }

  async *#follow(filter: EventFilter, start: number, idleMs: number, signal: AbortSignal) {
    let place = start;
    let idleAtMs = 0;
    while (!signal.aborted) {
      // Read anew after every pause: what was told meanwhile was told to nobody.
      const page = this.#log.eventPage({ ...filter, after: place, limit: TAIL_EVENTS });
      const moved = page.seenTo > place;
      place = page.seenTo;
      if (page.events.length > 0 || page.more || performance.now() >= idleAtMs) {
        yield { events: page.events.map(tailedOf), seenTo: place } satisfies TailPage;
        idleAtMs = performance.now() + idleMs;
        await turnOfLoop();
      } else if (!moved) {
        if (await this.#anything(idleAtMs - performance.now(), signal)) await rest(signal);
      }
    }
  }

  /** Whether there was news within so long. */
  #anything(withinMs: number, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (told: boolean) => {
        this.#waiting.delete(wake);
        clearTimeout(timer);
        signal.removeEventListener('abort', cut);
        resolve(told);
      };
      const wake = () => end(true);
      const cut = () => end(false);
      const timer = setTimeout(cut, Math.max(withinMs, 0));
      signal.addEventListener('abort', cut, { once: true });
      this.#waiting.add(wake);
      if (signal.aborted) cut();
    });
  }
}

function rest(signal: AbortSignal): Promise<void> | undefined {
  return signal.aborted ? undefined : new Promise((resolve) => setTimeout(resolve, TAIL_REST_MS));
}

function viewOf(found: readonly StoredEvent[]): Pick<RecordedEvents, 'events' | 'places'> {
  return {
    events: found.map(({ envelope }) => JSON.parse(envelope) as unknown),
    places: found.map(({ seq, disposition }) => ({ seq, disposition })),
  };
}

function tailedOf({ seq, subject, envelope }: StoredEvent) {
  return { seq, name: subject, envelope };
}
