import type { ErrorShape } from '../errors.ts';
import type { AdminOp } from './admin-records.ts';
import type {
  DeadLetterRecord,
  DeliveryRef,
  EventCaller,
  EventDraft,
  OutboxRecord,
  PublishRecord,
  RequestEndRecord,
  RequestRecord,
  RouteRecord,
  RouteTarget,
  Settlement,
  SubscriptionDraft,
  TickRecord,
} from './bus-records.ts';
import type { HttpAnswerRecord, HttpIntentRecord } from './http-records.ts';

export type {
  AdminOp,
  GateRow,
  PluginRow,
  SecretRow,
  TokenRow,
  VersionRow,
} from './admin-records.ts';

/**
 * What the writer thread is asked to do, and what it answers. Every change of the store is one of
 * these records; a group of them commits together under one fsync. They cross threads as JSON text.
 */

/** A key as a turn saw it; version 0 means that it did not exist. */
export interface KeyRead {
  readonly key: string;
  readonly version: number;
}

/** A range as a turn saw it: how many entries, and the highest version among them (0 when empty). */
export interface RangeRead {
  readonly prefix: string;
  /** Only keys above this one, and up to and including `until`, were seen; in reverse below and down to. */
  readonly after?: string;
  readonly until?: string;
  readonly reverse?: boolean;
  readonly count: number;
  readonly highest: number;
}

export interface Reads {
  readonly keys: readonly KeyRead[];
  readonly ranges: readonly RangeRead[];
  /** Principals that it acted as. */
  readonly principals?: readonly PrincipalRead[];
}

/** A principal as a turn found it; version 0 means that it was not registered. */
export interface PrincipalRead {
  readonly id: string;
  readonly version: number;
}

/** What a turn staged, in the order in which it staged it. Values are JSON texts. */
export type Effect = StagedOp & {
  /** The principal as which it was staged. */
  readonly as?: string;
};

type StagedOp =
  /** `pii`: marks of what is personal in it (confidential.ts). */
  | { readonly op: 'set'; readonly key: string; readonly value: string; readonly pii?: string }
  | { readonly op: 'delete'; readonly key: string }
  | { readonly op: 'add'; readonly key: string; readonly amount: number }
  | { readonly op: 'append'; readonly key: string; readonly value: string; readonly pii?: string }
  | {
      readonly op: 'record';
      readonly type: 'annotation' | 'message';
      readonly id: string;
      readonly chatId: string;
      readonly sessionId: string;
      /** The whole NDJSON line without its newline. */
      readonly line: string;
      /** What full-text search looks at. */
      readonly text: string;
      readonly pii?: string;
    }
  | { readonly op: 'publish'; readonly event: EventDraft }
  /** Takes back a delayed event of this plugin. */
  | { readonly op: 'cancel'; readonly id: string }
  | { readonly op: 'subscribe'; readonly subscription: SubscriptionDraft }
  | { readonly op: 'unsubscribe'; readonly name: string }
  /** `max`: principals that the plugin may have. */
  | { readonly op: 'principal.register'; readonly principal: PrincipalDraft; readonly max: number }
  | { readonly op: 'principal.remove'; readonly id: string }
  | {
      readonly op: 'send';
      readonly id: string;
      readonly port: string;
      readonly target: string;
      readonly payload: string;
      /** Not before this moment; until then it can be taken back. */
      readonly atMs?: number;
    }
  /** Takes back a send of this plugin that has not left. */
  | { readonly op: 'cancel-send'; readonly id: string };

/** A principal as its plugin registers it. */
export interface PrincipalDraft {
  /** Unique within the plugin. */
  readonly id: string;
  readonly title: string;
  /** JSON of the `Permissions` that it asks for. */
  readonly asked: string;
  /** Of its definition, for whoever decides about grants. */
  readonly digest?: string;
}

export interface TurnFailure extends ErrorShape {
  readonly message: string;
  /** Stack in the author's source, where there is one. */
  readonly stack?: string;
}

export type TurnOutcome =
  | {
      readonly status: 'ok';
      /** JSON text of the reply's actions, an array. */
      readonly actions: string;
      /** JSON text of its result, the answer to a command. */
      readonly result?: string;
      /** Marks of what is personal in the result (confidential.ts). */
      readonly pii?: string;
    }
  | { readonly status: 'failed'; readonly error: TurnFailure };

/**
 * The answer to whoever asked a turn: `V<json>`, `U` without a result, or `M<marks>` and the JSON on a line of its
 * own when something in it is personal.
 */
export function answerText({ result, pii }: { readonly result?: string; readonly pii?: string }): string {
  if (result === undefined) return 'U';
  return pii === undefined ? `V${result}` : `M${pii}\n${result}`;
}

/** One finished turn. All of it commits, or none. */
export interface TurnRecord {
  readonly kind: 'turn';
  /**
   * `<event id>:<plugin>`, and `#<n>` behind it for the n-th attempt of a delivery from a mailbox. Without a
   * delivery a second record with the same id changes nothing and gets the first answer.
   */
  readonly turnId: string;
  readonly plugin: string;
  /** Content digest of the version that ran. */
  readonly version: string;
  /** Digest of what it ran on; absent where that is not kept. */
  readonly recipe?: string;
  readonly gate: string;
  readonly eventId: string;
  /** The event as it came in, recorded with the outcome; one from a mailbox is recorded already. */
  readonly envelope?: string;
  readonly subject: string;
  readonly caller: EventCaller;
  /** Set when the turn asked other plugins or over HTTP: its delivery, under which the answers are kept. */
  readonly asked?: string;
  /** It failed because `handle` threw, and not at a limit or with its cell. */
  readonly threw?: true;
  /** It ran on what the turn before it staged: when that did not commit, neither does this. */
  readonly follows?: true;
  /** The delivery that this turn settles: its end and the effects of the turn are one commit. */
  readonly delivery?: DeliveryRef;
  readonly startedAtMs: number;
  /** After this moment (epoch ms) the writer refuses the commit with NEIRA_DEADLINE. */
  readonly deadlineAtMs?: number;
  readonly reads: Reads;
  readonly effects: readonly Effect[];
  readonly outcome: TurnOutcome;
  /** Fuel units that the turn used, and its running time. */
  readonly fuel: number;
  readonly runMs: number;
  readonly storageMb: number;
  /** The client's key, already scoped to its token, and the digest of the request body. */
  readonly idempotency?: {
    readonly key: string;
    readonly digest: string;
    /** JSON to answer a resend with; by default the reply of a UI event (`{event_id, mode, ran, actions}`). */
    readonly reply?: string;
  };
  readonly logs: readonly LogLine[];
  /** Set by the writer thread, which gets it beside the record: from it the turn can be run again. */
  transcript?: string;
  /** Of a turn that failed: texts that are personal, for what is kept of it beside its own words. */
  readonly personal?: readonly string[] | 'all';
}

/** Turns of one key that ran one after the other, each on what those before it had staged. */
export interface BatchRecord {
  readonly kind: 'batch';
  /** What all of them read; the turns themselves name nothing. */
  readonly reads: Reads;
  readonly turns: readonly TurnRecord[];
}
/** What a turn took inside its cell; short, since it rides on every ack. */
export type TurnRan = readonly [startedAtMs: number, runMs: number, fuel: number];

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly atMs: number;
  /** The principal that it was written as. */
  readonly as?: string;
}

/** An event that is recorded without running anything: dry-run while a gate is locked, host events. */
export interface EventRecord {
  readonly kind: 'event';
  readonly eventId: string;
  readonly subject: string;
  readonly envelope: string;
  /** `dry-run`, `published`. */
  readonly disposition: string;
  /** Whose dry run it was, for the statistics. */
  readonly plugin?: string;
  readonly gate?: string;
  readonly idempotency?: { readonly key: string; readonly digest: string; readonly reply: string };
  readonly journal?: readonly JournalDraft[];
}

/** A change that somebody made to the host; committed with its journal entries and what it announces. */
export interface AdminRecord {
  readonly kind: 'admin';
  readonly ops: readonly AdminOp[];
  readonly journal: readonly JournalDraft[];
  readonly events?: readonly EventDraft[];
}

export interface JournalDraft {
  /** Token name, `host`, or `boot`. */
  readonly actor: string;
  /** `plugin.registered`, `gate.opened`, … */
  readonly action: string;
  readonly target: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly note?: string;
}

/** What turns run on, under the digest that their transcripts name. */
export interface RecipeRecord {
  readonly kind: 'recipe';
  readonly digest: string;
  readonly plugin: string;
  /** Content digest of the version. */
  readonly version: string;
  /** Blobs of code that it needs. */
  readonly blobs: readonly string[];
  /** JSON of `Recipe` (registry/recipes.ts). */
  readonly body: string;
}

/** Port sends that were performed; until then they are in `store.pendingSends()`, also after a restart. */
export interface SentRecord {
  readonly kind: 'sent';
  readonly ids: readonly string[];
}

export type WriteRecord =
  | TurnRecord
  | EventRecord
  | AdminRecord
  | SentRecord
  | RecipeRecord
  | RouteRecord
  | PublishRecord
  | RequestRecord
  | RequestEndRecord
  | HttpIntentRecord
  | HttpAnswerRecord
  | TickRecord
  | OutboxRecord
  | DeadLetterRecord;

export interface PortSend {
  readonly id: string;
  readonly port: string;
  readonly target: string;
  readonly payload: string;
}

/** The writer's answer to one record. */
export type Ack =
  | {
      readonly ok: true;
      readonly turnId?: string;
      readonly outcome?: TurnOutcome;
      /** Of the turn that was recorded. */
      readonly ran?: TurnRan;
      /** `neira:meta` ids of the journal entries, in order. */
      readonly meta?: readonly string[];
      /** Port sends to perform now. */
      readonly sends?: readonly PortSend[];
      /** What became of the delivery that the turn settled. */
      readonly settlement?: Settlement;
      /** Number of a request, and its answer when that is known. */
      readonly request?: number;
      /** Who would get a dry one. */
      readonly target?: RouteTarget;
      /** Of each event that was to be routed. */
      readonly targets?: readonly (readonly RouteTarget[])[];
      readonly answer?: string;
      /** The request was not known before. */
      readonly fresh?: true;
      /** The event that the idempotency key of a publish had brought before; nothing was done. */
      readonly duplicateOf?: string;
      /** The turn was recorded before: `outcome` is the first one, and nothing is left to send. */
      readonly repeated?: true;
      /** A stored reply for the idempotency key; nothing was done. */
      readonly replay?: string;
    }
  | { readonly ok: false; readonly turnId?: string; readonly conflict: true }
  /** The delivery was settled, dropped or tried meanwhile; nothing was done. */
  | { readonly ok: false; readonly turnId?: string; readonly conflict?: false; readonly gone: true }
  /** It ran on what a turn before it in the batch had staged, and that did not commit. */
  | {
      readonly ok: false;
      readonly turnId?: string;
      readonly conflict?: false;
      readonly gone?: false;
      readonly cut: true;
    }
  | {
      readonly ok: false;
      readonly turnId?: string;
      readonly conflict?: false;
      readonly gone?: false;
      readonly cut?: false;
      readonly error: ErrorShape;
    };
