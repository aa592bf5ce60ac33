import type { Scope } from '../../gates/gates.ts';
import type { JournalDraft, PortSend, TurnFailure } from './records.ts';

/**
 * What the bus asks of the store, and what it is told. An event and its place in every mailbox are one
 * commit; so are the effects of a turn and the end of the delivery that caused it.
 */

/** Whose doing an event is, carried along everything that it causes (safe mode asks, X-26). */
export type EventCaller = Scope | 'host';

/** `event`: to every subscriber, one of each queue group. `broadcast`: to each of a group. `command`: to one. */
export type EventMode = 'event' | 'command' | 'broadcast';

/** An event that is to be recorded and put into the mailboxes of its subscribers. */
export interface EventDraft {
  readonly id: string;
  readonly subject: string;
  readonly version: number;
  /** The whole sealed envelope as JSON. */
  readonly envelope: string;
  readonly mode: EventMode;
  readonly caller: EventCaller;
  /** Digest of the schema that the payload was found to fit. */
  readonly schema?: string;
  /** Scoped idempotency key: another event with it within the window is dropped. */
  readonly dedupe?: string;
  /** Not before this moment; until then it can be taken back. */
  readonly atMs?: number;
  /** The principal that published it. */
  readonly as?: string;
  /** Of a command whose result comes back as an event. */
  readonly ask?: AskDraft;
}

/** What is to come of a command that was asked. */
export interface AskDraft {
  /** From the commit on. */
  readonly timeoutMs: number;
  /** Of the answer's delivery. */
  readonly key?: string;
  /** JSON, for whoever asked. */
  readonly context?: string;
  readonly correlationId: string;
  readonly tenant: string;
}

/** Who would get these events now; answered with `targets`, and nothing is kept. */
export interface RouteRecord {
  readonly kind: 'route';
  readonly events: readonly EventDraft[];
}

/** Events from outside a turn. All of them are accepted, or none. */
export interface PublishRecord {
  readonly kind: 'publish';
  readonly events: readonly EventDraft[];
  readonly dedupeWindowMs?: number;
  /** They come from another hub, and do not leave for others again. */
  readonly remote?: true;
  readonly journal?: readonly JournalDraft[];
}

/** Other hubs have what waited for them, up to this place of the outbox. */
export interface OutboxRecord {
  readonly kind: 'outbox';
  readonly upToSeq: number;
}

/** What makes two requests the same: who asks, what, and the how manieth time. */
export interface RequestIdentity {
  /** Delivery that asks, or a name that no delivery has. */
  readonly caller: string;
  readonly digest: string;
  /** From 1. */
  readonly occurrence: number;
  /** Whoever asks under this name asks for one thing only. */
  readonly once?: true;
}

/** Who waits for whom: a plugin and the key that it holds. */
export interface ChainLink {
  readonly plugin: string;
  readonly key: string | null;
}

/** A command whose answer somebody waits for. Answered with `request`, and with `answer` when it is known. */
export interface RequestRecord {
  readonly kind: 'request';
  readonly identity: RequestIdentity;
  /** After this moment nothing of the command is kept. */
  readonly deadlineMs: number;
  readonly chain: readonly ChainLink[];
  readonly event: EventDraft;
  /** Only who would get it is wanted; nothing is kept. */
  readonly dry?: true;
}

/** The time for a request is over, or nobody waits for it any more. */
export interface RequestEndRecord {
  readonly kind: 'request-end';
  readonly id: number;
  /** `E<refusal>`, for whoever asks again. */
  readonly answer: string;
  /** The caller whose requests nobody will ask for again. */
  readonly closes?: string;
}

export interface RequestAnswer {
  readonly id: number;
  readonly answer: string;
}

/** Time has passed: delayed events and sends whose moment came leave, what waited too long is a dead letter. */
export interface TickRecord {
  readonly kind: 'tick';
}

/** An administrator decides about dead letters. */
export interface DeadLetterRecord {
  readonly kind: 'dead-letters';
  readonly op: 'retry' | 'drop';
  /** All of them must be there, or nothing is done. */
  readonly ids: readonly number[];
  readonly journal: readonly JournalDraft[];
}

/** Of a dynamic subscription; `<plugin>/<name>` is its id. */
export interface SubscriptionDraft {
  readonly name: string;
  readonly pattern: string;
  readonly version: number | null;
  readonly filter?: string;
  readonly key?: string;
  readonly group?: string;
  /** The principal that hears, by its own grants. */
  readonly as?: string;
}

/** How many times, and how far apart, is decided where the turn ran. */
export type AfterFailure = { readonly retryInMs: number } | 'dead';

/** The delivery that a turn settles. */
export interface DeliveryRef {
  readonly id: number;
  /** Attempts that were made before this one. */
  readonly attempts: number;
  readonly afterFailure: AfterFailure;
  /** The attempt ended its cell: a delivery that did so twice is a dead letter. */
  readonly killed?: true;
}

/** What became of a delivery with the commit of its turn. */
export interface Settlement {
  readonly state: 'done' | 'retry' | 'dead';
  /** When it comes again. */
  readonly dueMs?: number;
}

/** A delivery that waits in a mailbox. */
export interface MailboxEntry {
  /** Rises in the order in which events were committed. */
  readonly id: number;
  readonly plugin: string;
  /** Deliveries of one key go one at a time, in order. */
  readonly key: string | null;
  readonly attempts: number;
  /** Attempts after the last time that somebody asked for it anew. */
  readonly triesLeftFrom: number;
  /** Not before this moment. */
  readonly dueMs: number;
  readonly eventId: string;
  readonly subject: string;
  readonly caller: EventCaller;
  readonly envelope: string;
  /** Version of the event, and digest of the schema that it was published under. */
  readonly version: number;
  readonly schema: string | null;
  /** JSON array: names of the subscriptions that it matched. */
  readonly subscriptions: string;
  /** Set when somebody waits for the answer: JSON of {@link ChainLink}s, and when the waiting ends. */
  readonly chain: string | null;
  readonly deadlineMs: number | null;
}

export interface DeadLetter {
  readonly id: number;
  readonly plugin: string;
  readonly eventId: string;
  readonly subject: string;
  readonly version: number;
  readonly key: string | null;
  readonly subscriptions: readonly string[];
  readonly attempts: number;
  readonly error: TurnFailure;
  /** When the event was published, and when it was given up. */
  readonly publishedAtMs: number;
  readonly atMs: number;
  readonly envelope: string;
}

/** What the bus of this host did in one group, for main. */
export interface BusNews {
  /** New in mailboxes, in order. */
  readonly deliveries: readonly MailboxEntry[];
  /** When the next delayed event or send is due. */
  readonly dueMs?: number;
  /** Delayed port sends whose moment came, in the order in which they leave. */
  readonly sends?: readonly PortSend[];
  /** Up to which place the log of events may have grown. */
  readonly lastSeq?: number;
  /** Events that were published, by name. */
  readonly published?: Readonly<Record<string, number>>;
  /** To requests, whoever waits for them. */
  readonly answers?: readonly RequestAnswer[];
  /** Deliveries that a full mailbox did not take, by plugin. */
  readonly shed?: Readonly<Record<string, number>>;
  /** Plugins of which deliveries became dead letters other than by a turn's own failure. */
  readonly expired?: Readonly<Record<string, number>>;
}

/** A subscription as the router knows it; `listening`: its plugin could run now. */
export interface RoutedSubscription extends SubscriptionDraft {
  readonly id: string;
  readonly plugin: string;
  readonly listening: boolean;
}

/** Who gets an event; the bus layer answers (bus/router.ts), the composition root of the writer joins them. */
export interface EventRouter {
  put(subscription: RoutedSubscription): void;
  remove(id: string): void;
  removePlugin(plugin: string): void;
  route(event: {
    readonly subject: string;
    readonly version: number;
    readonly envelope: string;
    readonly mode: EventMode;
  }): readonly RouteTarget[];
  /** Whether anybody may get an event of this name, whatever its payload. */
  hears(subject: string): boolean;
  /** The envelope of one of the host's own events, JSON. */
  seal(draft: OwnEvent): string;
  /** Whether every subject that `inner` matches is matched by `outer`. */
  covers(outer: string, inner: string): boolean;
  parseEvent(text: string): { readonly pattern: string; readonly version: number | null };
}

/** An event that the writer itself has to tell. */
export interface OwnEvent {
  readonly id: string;
  readonly eventName: string;
  readonly version: number;
  readonly atMs: number;
  readonly source: string;
  readonly correlationId: string;
  readonly causationId: string | null;
  readonly tenant: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payloadJson: string;
}

export interface RouteTarget {
  readonly plugin: string;
  readonly key: string | undefined;
  readonly subscriptions: readonly string[];
}
