/**
 * Recorded events, published again (BUS-05, BUS-22): each as a new event with a new id that names the first one
 * in `headers.replay_of` and as its cause. Read and committed in pages, so that a million of them are never in
 * memory, and a full mailbox slows a replay down as it slows any publisher.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Envelope, isHostEvent, parseEnvelope } from '../bus/envelope.ts';
import type { EventRegistry } from '../bus/event-registry.ts';
import { describe, isNeiraError, NeiraError } from '../errors.ts';
import type { Caller } from '../http/api.ts';
import type { PublishOptions, ReplayBody, Replayed } from '../http/bus-api.ts';
import { requireAck } from '../registry/gate-service.ts';
import type { EventDraft, PublishRecord } from '../store/bus-records.ts';
import type { StoredEvent } from '../store/event-reads.ts';
import type { Ack, AdminRecord } from '../store/records.ts';
import { filterOf, momentOf } from './event-filter.ts';
import { sealEvent } from './event-gateway.ts';
import type { EventLog } from './event-records.ts';

export interface ReplayParts {
  readonly events: EventRegistry;
  readonly log: EventLog;
  submit(record: PublishRecord | AdminRecord): Promise<Ack>;
  /** @throws NEIRA_FORBIDDEN, NEIRA_SAFE_MODE; asked before every page. */
  requireAllowed(caller: Caller): void;
}

/** Of one call; who wants more goes on with `next`. */
export const MAX_REPLAYED = 10_000;
const PAGE = 100;
const MAX_REFUSED_SHOWN = 100;
const FULL_REST_MS = 50;
/** A mailbox that stays full so long ends the call. */
const FULL_PATIENCE_MS = 5_000;

interface Count {
  replayed: number;
  skipped: number;
  refusedCount: number;
  readonly refused: Replayed['refused'][number][];
}

/** An event of the page, and its place. */
interface Sealed {
  readonly seq: number;
  readonly draft: EventDraft;
}

export class EventReplay {
  readonly #parts: ReplayParts;

  constructor(parts: ReplayParts) {
    this.#parts = parts;
  }

  /** @throws NEIRA_INVALID; NEIRA_MAILBOX_FULL when nothing could be replayed at all. */
  async run(caller: Caller, body: ReplayBody, { traceparent }: PublishOptions): Promise<Replayed> {
    const { log, requireAllowed } = this.#parts;
    requireAllowed(caller);
    const filter = filterOf(body.subject);
    const limit = Math.min(body.limit ?? MAX_REPLAYED, MAX_REPLAYED);
    const since = log.eventSeqBefore(momentOf(body.since, 'since'));
    // What is recorded from now on is none of it, its own events least of all.
    const upTo =
      body.until === undefined ? log.lastEventSeq() : log.eventSeqBefore(momentOf(body.until, 'until'));
    const count: Count = { replayed: 0, skipped: 0, refusedCount: 0, refused: [] };
    let place = Math.max(since, body.after ?? 0);
    await this.#journal(caller, body, place, upTo);
    for (let left = limit; place < upTo && left > 0; ) {
      requireAllowed(caller);
      const page = log.eventPage({ ...filter, after: place, upTo, limit: Math.min(PAGE, left) });
      const sealed = page.events.flatMap((event) => this.#seal(caller, event, traceparent, count));
      const stuckAt = await this.#publish(sealed, count);
      if (stuckAt !== undefined) return answer(count, stuckAt - 1);
      place = page.more ? page.seenTo : upTo;
      left -= page.events.length;
    }
    return answer(count, place < upTo ? place : null);
  }

  /** First, so that no event comes again of which the journal does not know why. */
  async #journal({ actor }: Caller, body: ReplayBody, after: number, upTo: number): Promise<void> {
    const { subject = '>', since, until } = body;
    const entry = {
      actor,
      action: 'event.replayed',
      target: subject,
      after: { since, ...(until !== undefined && { until }), after, up_to: upTo },
    };
    requireAck(await this.#parts.submit({ kind: 'admin', ops: [], journal: [entry] }));
  }

  #seal(
    { actor, scope }: Caller,
    event: StoredEvent,
    traceparent: string | undefined,
    count: Count,
  ): readonly Sealed[] {
    const envelope = parseEnvelope(event.envelope);
    const { id, event_name: name, version, headers, payload } = envelope;
    if (!isReplayable(event, envelope)) {
      count.skipped++;
      return [];
    }
    try {
      const definition = this.#parts.events.find(name, version);
      if (!definition) throw new NeiraError('NEIRA_EVENT_UNREGISTERED', { event: `${name}@${version}` });
      const { traceparent: _of, tracestate: _then, ...rest } = headers;
      const draft = sealEvent({
        definition,
        payload,
        headers: rest,
        ownHeaders: { ...(traceparent !== undefined && { traceparent }), replay_of: id },
        source: `client:${actor}`,
        caller: scope,
        correlationId: envelope.correlation_id,
        causationId: id,
      });
      return [{ seq: event.seq, draft }];
    } catch (error) {
      if (!isNeiraError(error)) throw error;
      const { code, details } = error;
      if (count.refusedCount++ < MAX_REFUSED_SHOWN)
        count.refused.push({ event_id: id, event_name: name, code, message: describe(code, details) });
      return [];
    }
  }

  /**
   * In order, in as few commits as the mailboxes take.
   * @returns the place of the first event for which there was no room.
   */
  async #publish(sealed: readonly Sealed[], count: Count): Promise<number | undefined> {
    let at = 0;
    let size = sealed.length;
    for (let patienceEndsMs = patience(); at < sealed.length; ) {
      const events = sealed.slice(at, at + size).map(({ draft }) => draft);
      const ack = await this.#parts.submit({ kind: 'publish', events });
      if (ack.ok) {
        at += events.length;
        count.replayed += events.length;
        patienceEndsMs = patience();
        continue;
      }
      const isFull = 'error' in ack && ack.error?.code === 'NEIRA_MAILBOX_FULL';
      if (!isFull) requireAck(ack);
      // All of a commit is taken or none: a mailbox smaller than the page takes its events in smaller commits.
      if (events.length > 1) size = Math.ceil(events.length / 2);
      else if (performance.now() < patienceEndsMs) await pause(FULL_REST_MS);
      else if (count.replayed === 0) requireAck(ack);
      else return sealed[at]!.seq;
    }
    return undefined;
  }
}

function patience(): number {
  return performance.now() + FULL_PATIENCE_MS;
}

/** What came over the bus, once: not the events of the host, not replays, not what a tool was sent. */
function isReplayable({ disposition }: StoredEvent, { event_name, headers }: Envelope): boolean {
  return disposition === 'published' && !isHostEvent(event_name) && headers['replay_of'] === undefined;
}

function answer({ replayed, skipped, refused, refusedCount }: Count, next: number | null): Replayed {
  return { replayed, skipped, refused, refused_count: refusedCount, next };
}
