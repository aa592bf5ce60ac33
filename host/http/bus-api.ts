import type { ErrorCode, ErrorDetails } from '../errors.ts';
import type { Caller } from './api.ts';

/**
 * The part of the {@link HostApi} that is about the bus: what was published, what failed, and what may be
 * published. Places are positions in the log of events: they rise, and a client goes on from the last it saw.
 */

/** `POST /api/neira/events`, after its schema was checked. */
export interface EventBody {
  readonly event_name: string;
  readonly version?: number;
  readonly payload: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** RFC 3339: not before this moment. */
  readonly at?: string;
  readonly broadcast?: boolean;
}

export interface PublishOptions {
  /** Of the span that the call is; what it causes belongs to the same trace. */
  readonly traceparent?: string;
}

export interface PublishedEvent {
  readonly event_id: string;
  /** Set when the idempotency key was used before: `event_id` is that of the first, and nothing was done. */
  readonly duplicate?: true;
  /** What the publisher should know, as that the event is deprecated. */
  readonly warning?: string;
}

export interface EventsQuery {
  /** A pattern of event names. */
  readonly subject?: string;
  /** Times, RFC 3339; `until` is not part of it. */
  readonly since?: string;
  readonly until?: string;
  /** A place. */
  readonly after?: number;
  readonly limit: number;
}

export interface RecordedEvents {
  /** Envelopes, the oldest first. */
  readonly events: readonly unknown[];
  /** Of each event its place, and what became of it. */
  readonly places: readonly { readonly seq: number; readonly disposition: string }[];
  /** The `after` to go on with; null when all was read. */
  readonly next: number | null;
}

export interface TailQuery {
  readonly subject?: string;
  readonly since?: string;
  /** The place of the last event that was seen. */
  readonly after?: number;
}

export interface TailPage {
  readonly events: readonly { readonly seq: number; readonly name: string; readonly envelope: string }[];
  /** Whoever goes on after this place misses nothing. */
  readonly seenTo: number;
}

export interface DeadLetterView {
  readonly id: number;
  readonly plugin: string;
  readonly event_id: string;
  readonly event_name: string;
  readonly version: number;
  readonly key: string | null;
  readonly subscriptions: readonly string[];
  readonly attempts: number;
  readonly error: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly details: ErrorDetails;
    readonly stack?: string;
  };
  readonly published_at: string;
  readonly at: string;
  readonly envelope: unknown;
}

export interface DeadLetterFilter {
  readonly plugin?: string;
  /** A pattern of event names. */
  readonly subject?: string;
}

/** Which dead letters a change is about: named ones, those of a filter, or all. */
export interface DeadLetterChoice extends DeadLetterFilter {
  readonly ids?: readonly number[];
  readonly all?: true;
}

export interface ReplayBody {
  readonly since: string;
  readonly until?: string;
  readonly subject?: string;
  readonly after?: number;
  readonly limit?: number;
}

export interface Replayed {
  readonly replayed: number;
  /** Never replayed: events of the host, replays, and what did not come over the bus. */
  readonly skipped: number;
  /** Those that are no valid events any more; the first of them, `refused_count` are all. */
  readonly refused: readonly {
    readonly event_id: string;
    readonly event_name: string;
    readonly code: ErrorCode;
    readonly message: string;
  }[];
  readonly refused_count: number;
  /** The `after` to go on with; null when all was read. */
  readonly next: number | null;
}

export interface TopicSubscriber {
  readonly plugin: string;
  readonly subscription: string;
  readonly pattern: string;
  readonly version: number | null;
  readonly filter?: string;
  readonly key?: string;
  readonly group?: string;
  /** The principal of the plugin that hears. */
  readonly principal?: string;
  /** Made while the plugin ran; the others are in its manifest. */
  readonly dynamic: boolean;
}

export interface Topic {
  readonly fqdn: string;
  readonly kind: string;
  readonly status: string;
  readonly summary: string;
  readonly owner: string;
  /** Plugins that may publish it. */
  readonly publishers: readonly string[];
  /** The first of them; `subscriber_count` are all. */
  readonly subscribers: readonly TopicSubscriber[];
  readonly subscriber_count: number;
  /** Deliveries of it in all mailboxes. */
  readonly waiting: number;
}

export interface BusApi {
  publishEvent(caller: Caller, body: EventBody, options: PublishOptions): Promise<PublishedEvent>;
  readEvents(caller: Caller, query: EventsQuery): Promise<RecordedEvents>;
  /**
   * What was recorded since the place or the time, then what is recorded from now on. The first page comes at
   * once, and an empty one after `idleMs` in which nothing came. Ends with the signal.
   * @throws NEIRA_TOO_MANY_TAILS, NEIRA_INVALID, with the first page
   */
  tailEvents(
    caller: Caller,
    query: TailQuery,
    idleMs: number,
    signal: AbortSignal,
  ): AsyncGenerator<TailPage, undefined>;
  replayEvents(caller: Caller, body: ReplayBody, options: PublishOptions): Promise<Replayed>;
  listTopics(caller: Caller): readonly Topic[];

  listDeadLetters(
    caller: Caller,
    filter: DeadLetterFilter,
    after: number,
    limit: number,
  ): Promise<{ readonly dead_letters: readonly DeadLetterView[]; readonly next: number | null }>;
  getDeadLetter(caller: Caller, id: number): DeadLetterView;
  /** All that the filter lets through, after the one with this number. */
  exportDeadLetters(caller: Caller, filter: DeadLetterFilter, after: number): Iterable<string>;
  retryDeadLetters(caller: Caller, choice: DeadLetterChoice): Promise<number>;
  dropDeadLetters(caller: Caller, choice: DeadLetterChoice): Promise<number>;
}
