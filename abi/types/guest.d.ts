// Generated from abi/wit/v1 by `npm run gen`. Do not edit.

/**
 * The calling plugin's private key-value space, and the shared record of chats.
 *
 * The plugin comes from the turn, never from an argument: a plugin cannot name another's data.
 * Writes are staged; they become visible to others when the turn commits, or not at all.
 */
declare module 'neira:host/storage' {
  import type { Annotation, ChatRecord, Entry, Json, ListOptions, Message, RecordOptions } from 'neira:host/types';

  /**
   * The value under `key`: committed state plus what this turn staged.
   * Needs `storage: [read]`.
   */
  export function get<T = Json>(key: string): Entry<T> | undefined;

  /**
   * Stages `value` under `key`, replacing what was there. With `ifVersion` the key must be at that
   * version now (0: must not exist), else NEIRA_VERSION_MISMATCH and nothing is staged.
   * Needs `storage: [write]`. Refuses with NEIRA_VALUE_TOO_LARGE, NEIRA_VALUE_INVALID.
   */
  export function set(key: string, value: Json, ifVersion?: number): void;

  /** Stages the removal of `key`; removing what is not there is no error. Needs `storage: [write]`. */
  function delete_(key: string): void;
  export { delete_ as delete };

  /**
   * Stages the addition of `n`, a finite number, to the number under `key`; a key that is not there counts as 0.
   * Blind: additions of two turns do not conflict, however many are in flight. A value that is not a number,
   * or a sum beyond 2^53 - 1 either way, is NEIRA_ADD_REFUSED: at the call where the turn knows the value
   * already, else when it reads it or commits. Needs `storage: [write]`.
   */
  export function add(key: string, n: number): void;

  /**
   * A page of the entries whose key starts with `prefix`, ordered by the bytes of the key. It holds at most 1 MB
   * of keys and values, so it may be shorter than `limit`; an empty one is the end. The next page is the one
   * `after` its last key. The turn depends on the part of the range that it saw, and on nothing beyond.
   * Needs `storage: [read]`.
   */
  export function list<T = Json>(prefix: string, options?: ListOptions): Entry<T>[];

  /**
   * Stages `value` as the next entry of the log `key`: it gets the key `<key>/<n>`, with n of 16 digits
   * counted from 1 when the turn commits. Blind: appends of two turns do not conflict.
   * Needs `storage: [write]`.
   */
  export function append(key: string, value: Json): void;

  /**
   * Stages an annotation and answers its id. It ends as one line of
   * `context/<chat-id>/<session-id>.annotations.ndjson`. Needs `storage: [write]`.
   */
  export function saveAnnotation(annotation: Annotation): string;

  /**
   * Stages a message of a chat and answers its id. It ends as one line of
   * `context/<chat-id>/<session-id>.messages.ndjson`. Needs `storage: [write]`.
   */
  export function saveMessage(message: Message): string;

  /**
   * A page of the annotations and messages that any plugin saved, of every chat, in the order in which they were
   * committed; what this turn saved itself is not among them. It holds at most 1 MB of their lines and texts, so it may
   * be shorter than `limit`; an empty one is the end. The next page is the one `after` its last number. What was saved
   * never changes: records that are committed meanwhile do not make the turn run again, the event `record.saved`
   * tells of them. Needs `records: [read]`.
   */
  export function records<T = Json>(options?: RecordOptions): ChatRecord<T>[];

  /** The plugin's settings as an administrator set them, defaults of the manifest filled in. */
  export function settings<T = Json>(): T;
}

/** The outside world, only through ports granted to the plugin. */
declare module 'neira:host/io' {
  import type { HttpRequest, HttpResponse, Json, Level, SendOptions } from 'neira:host/types';

  /**
   * Writes a line to the plugin's log, within `limits.log_kb` a turn; what is over is dropped and
   * counted. Needs no permission and is kept even when the turn fails.
   */
  export function log(level: Level, message: string): void;

  /**
   * The clear text of the secret `name`, for what has to be computed with it: a signature, a login. Where a
   * secret is only to be sent, name it as `{secret: "<name>"}` instead, and never hold it. The turn may use the
   * text and not keep it: staging it, sending it, asking with it or answering with it, also encoded, is refused
   * with NEIRA_SECRET_LEAK, and it is masked in what the turn logs and throws.
   * Needs `secrets: [{name: <name>, reveal: true}]`. Refuses with NEIRA_SECRET_MISSING.
   * Waits: scripts get a promise, in a component the call returns with the answer.
   */
  export function secret(name: string): Promise<string>;

  /**
   * Says that every text inside `value` (from 3 characters on) is personal: a name, a number, an address. It is
   * masked in all that this turn logs or throws and in what is kept of its failure. Where the turn stores or
   * publishes it, the value or the envelope is marked, and whoever reads it there is bound in the same way.
   * Needs no permission.
   */
  export function markPersonal(value: Json): void;

  /**
   * Stages `payload` for `target` on the port `port` (`console`: the host's own terminal and log).
   * It leaves after the turn committed, or at `options.at`, at least once, in order per target.
   * Answers the id that it will have. Needs `io: {ports: [<port>]}`, when it is staged.
   */
  export function send(port: string, target: string, payload: Json, options?: SendOptions): string;

  /**
   * Stages that a send with `options.at` is taken back, or one of this turn. One that has left already, or that
   * another plugin staged, is left as it is.
   */
  export function cancel(id: string): void;

  /**
   * Makes an HTTP request and waits for its answer. It leaves at once, whatever becomes of this turn; once that is
   * settled, what is still under way is given up. Needs a rule of `io: {http: [{host, methods, …}]}` that it falls under.
   * The request is kept before it leaves, and its answer before the plugin sees it: a turn that runs again gets the
   * answer that it got before to the same request (method, address, headers and body; so put nothing in that depends on
   * the time of the turn). Methods that are not safe carry an `Idempotency-Key`, unless one is given in `headers`.
   * When `handle` threw, answers that were network errors or had status 408, 429 or 5xx are forgotten, and asked for anew.
   * NEIRA_OUTCOME_UNKNOWN: it may have been carried out, and nobody knows; it is not sent again by the host unless the
   * host was granted as `idempotent`.
   * Else refuses with NEIRA_PERMISSION_DENIED, NEIRA_ADDRESS_REFUSED, NEIRA_HTTP_FAILED, NEIRA_HTTP_TIMEOUT,
   * NEIRA_REDIRECT_REFUSED, NEIRA_RESPONSE_TOO_LARGE (`limits.response_kb`), NEIRA_RESPONSE_INVALID,
   * NEIRA_REQUESTS_EXCEEDED and NEIRA_REQUEST_RATE (`limits.requests`, `limits.requests_per_minute`),
   * NEIRA_SECRET_DENIED, NEIRA_SECRET_MISSING, and in a dry run NEIRA_DRY_RUN_REQUEST.
   * Waits: scripts get a promise, in a component the call returns with the answer.
   */
  export function request(request: HttpRequest): Promise<HttpResponse>;
}

/** The message bus. */
declare module 'neira:host/bus' {
  import type { AskOptions, DeliveryInfo, Json, PublishOptions, RequestOptions, Subscription } from 'neira:host/types';

  /**
   * Stages an event `namespace.noun.past` for the bus and answers the id that it will have. It goes to its
   * subscribers when the turn commits, or at `options.at`. The event and its version must be named under
   * `publishes` in the manifest and be registered, else NEIRA_UNKNOWN_EVENT; the payload must fit its
   * schema, else NEIRA_EVENT_INVALID. A command goes to one plugin that handles it.
   */
  export function publish(event: string, payload: Json, options?: PublishOptions): string;

  /**
   * Sends a command `namespace.verb` to the plugin that handles it and waits for its result. The request leaves
   * at once, whatever becomes of this turn; what this turn staged is not visible to the one that answers.
   * Other turns run meanwhile: what is read after the answer is the state of then. At most 16 answers are
   * waited for at a time, together no longer than `limits.wait_ms`. A turn that is tried again gets the answer
   * that it got before.
   * The command and its version must be named under `publishes` in the manifest, else NEIRA_UNKNOWN_EVENT.
   * Refuses with NEIRA_COMMAND_UNHANDLED, NEIRA_REQUEST_CYCLE, NEIRA_DEADLINE, and with what the other turn
   * failed with.
   * Waits: scripts get a promise, in a component the call returns with the answer.
   */
  export function request<T = Json>(command: string, payload: Json, options?: RequestOptions): Promise<T>;

  /**
   * Stages a command, as `publish` does, whose result comes as an event of its own: `command.answered@1`, to this
   * plugin alone and without a subscription. Nothing stands still for it, however long it takes. Answers the id of
   * the command. What it came to comes exactly once, whatever becomes of plugins and host meanwhile: with `ok` and
   * the `result`, or with an `error` – what the other turn failed with for good, NEIRA_COMMAND_UNHANDLED where
   * nobody handles it, NEIRA_DEADLINE when the time is over; then nothing of the command is kept.
   * A principal asks by its own grants; the answer comes to its plugin.
   */
  export function ask(command: string, payload: Json, options?: AskOptions): string;

  /**
   * Stages that an event with `options.at` is taken back, or a command that was asked: one that was not begun is not
   * done, and no answer comes. One that was published already, or that another plugin published, is left as it is.
   */
  export function cancel(id: string): void;

  /**
   * Stages a durable subscription, in force from the commit on; one of the same name is replaced.
   * Its event must lie within the patterns of `permissions.bus.subscribe`, asked and granted.
   */
  export function subscribe(subscription: Subscription): void;

  /** Stages the end of a subscription of this plugin; what it brought already still comes. */
  export function unsubscribe(name: string): void;

  /** How this event came here. */
  export function delivery(): DeliveryInfo;
}

/**
 * On whose behalf the plugin acts. A plugin that acts for others – scenarios, capsules – registers a principal
 * for each of them and acts as it: what that principal may do is decided by its own grants, and those of the
 * plugin are of no use to it. Needs `principals: [delegate]`.
 *
 * A principal asks for permissions as a manifest does, and an administrator grants them. It works in a key space
 * of its own, which the plugin itself finds under `principal:<id>/`; names of its subscriptions begin in the same
 * way. What it publishes has the source `plugin:<plugin>/<id>`. It shares the limits of the plugin, its settings
 * and its log.
 */
declare module 'neira:host/principals' {
  import type { Principal } from 'neira:host/types';

  /**
   * Stages that there is this principal, with nothing granted. One of the same id is replaced: it keeps what it was
   * granted as far as it still asks for it. At most `limits.principals` at a time, else NEIRA_TOO_MANY.
   */
  export function register(principal: Principal): void;

  /**
   * Stages the end of a principal, of its keys, its subscriptions and what it published for later. One that is not
   * there is no error.
   */
  export function remove(id: string): void;

  /**
   * Names of what an administrator granted to a principal of what it asks for, as consent shows them:
   * `bus.publish:ui.notify`. One that is not registered is NEIRA_PRINCIPAL_UNKNOWN. When it changes, the host's
   * event `plugin.principal_granted@1` tells.
   */
  export function granted(id: string): string[];

  /**
   * The host functions, each called by this principal and decided by its grants. They may be kept, passed on and
   * interleaved: every call is the principal's, and nothing else is. One that is not registered is
   * NEIRA_PRINCIPAL_UNKNOWN at each call.
   *
   *     const me = as('scenario:morning');
   *     me.storage.set('step', 2);
   *     const answer = await me.bus.request('speech.text.say', { text });
   */
  function as_(principal: string): Acting;
  export { as_ as as };

  export interface Acting {
    readonly id: string;
    readonly storage: typeof import('neira:host/storage');
    readonly io: typeof import('neira:host/io');
    readonly bus: typeof import('neira:host/bus');
  }
}

/** Time within a turn. For what is to happen minutes or years later, publish or send with `at`. */
declare module 'neira:host/timer' {
  import type {  } from 'neira:host/types';

  /**
   * Waits so many milliseconds, at most 2147483647; other turns run meanwhile, and the turn's time goes on to
   * then. It counts against `limits.wait_ms`, and among the 16 answers that a turn may wait for at a time. A
   * dry run does not wait. `setTimeout` and `setInterval` of scripts stand on it: what they have left to do when
   * `handle` has answered is not done.
   * Waits: scripts get a promise, in a component the call returns with the answer.
   */
  export function sleep(ms: number): Promise<void>;
}

/**
 * Texts as a language and a country write them: dates and times in time zones, numbers, plurals, lists, order. It is
 * ECMA-402 of the host, without anything of its machine: the locale is `en-US` and the time zone UTC unless they
 * are named. Scripts have all of it as `Intl`, and as `toLocaleString` and `localeCompare` of what they format.
 */
declare module 'neira:host/intl' {
  import type { Json } from 'neira:host/types';

  /**
   * Calls `method` of a `service` – `DateTimeFormat`, `NumberFormat`, `PluralRules`, `Collator`, `ListFormat`,
   * `RelativeTimeFormat`, `DisplayNames`, `Segmenter` – made with `locales`, an array, and `options`, an object, and
   * answers what it answers. `input` is the array of its arguments: times in milliseconds since 1970; a number
   * that JSON has not is `{"number": "NaN"}` or `{"bigint": "1"}`. Beside the methods of the standard there is `rank` of
   * `Collator`: it takes texts and answers the place of each among them. `String` has `toLocaleUpperCase` and
   * `toLocaleLowerCase`, `Intl` has `getCanonicalLocales` and `supportedValuesOf`.
   * Needs no permission, may be called at any time and does not count among `limits.host_calls`: what it costs is
   * counted against `limits.cpu_ms`. Refuses with NEIRA_VALUE_TOO_LARGE and NEIRA_VALUE_INVALID, whose details
   * name the `error` of the standard, `RangeError` or `TypeError`.
   */
  export function call<T = Json>(service: string, method: string, locales: Json, options: Json, input: Json): T;
}

/** Shapes shared by the three families of host functions. */
declare module 'neira:host/types' {
  /**
   * What host functions take: a value that survives `JSON.stringify`. Give your own shapes as `type`, not as
   * `interface`: TypeScript does not accept an interface here.
   */
  export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json | undefined };

  /**
   * A stored value with the version that it had when it was read. Versions start at 1; what the turn itself
   * staged reads as version 0, because only the commit gives it one.
   */
  export interface Entry<T = Json> {
    readonly key: string;
    readonly value: T;
    readonly version: number;
  }

  /** Which page of a listing is wanted. */
  export interface ListOptions {
    /** Begin behind this key: above it, in reverse below it. */
    readonly after?: string;
    /** How many entries at most: up to 1000, 100 without it. */
    readonly limit?: number;
    /** From the highest key down. */
    readonly reverse?: boolean;
  }

  /** A stroke or another mark that belongs to one session of one chat. */
  export interface Annotation {
    /** Ids match `[\p{L}\p{N}_.-]{1,128}` and are not only dots. */
    readonly chatId: string;
    readonly sessionId: string;
    /** What the mark is, for example `stroke`. */
    readonly kind: string;
    readonly data: Json;
  }

  /** A message of a session, found by the same search and export as annotations. */
  export interface Message {
    readonly chatId: string;
    readonly sessionId: string;
    readonly role: string;
    readonly text: string;
    readonly data?: Json;
  }

  /** Which page of what was saved is wanted. */
  export interface RecordOptions {
    /** Begin behind this number; with the first without it. */
    readonly after?: number;
    /** How many records at most: up to 1000, 100 without it. */
    readonly limit?: number;
    /** Without their `line`: a page holds more of them, and they are read faster. */
    readonly textOnly?: boolean;
  }

  /** An annotation or a message as it was saved. */
  export interface ChatRecord<T = Json> {
    /** Rises in the order in which records were committed, from 1, perhaps with gaps. */
    readonly number: number;
    /** `annotation` or `message`. */
    readonly type: string;
    readonly id: string;
    /** Who saved it. */
    readonly plugin: string;
    readonly chatId: string;
    readonly sessionId: string;
    /** What a search looks at: the text of a message, the kind and all texts of an annotation; up to 4096 characters. */
    readonly text: string;
    /** All of it, as it stands in its file; none with `textOnly`. */
    readonly line?: T;
  }

  export interface PublishOptions {
    /** Major version of the event; 1 without it. */
    readonly version?: number;
    /** RFC 3339, minutes to years ahead: the event is published then, and can be cancelled until then. */
    readonly at?: string;
    /** Another event of this plugin with the same name and key is dropped for a day. */
    readonly idempotencyKey?: string;
    /** An object of texts; they lie in the envelope's headers. */
    readonly headers?: Json;
    /** To every subscriber, also to each of a queue group. */
    readonly broadcast?: boolean;
  }

  /** When a message leaves. */
  export interface SendOptions {
    /** RFC 3339, minutes to years ahead: it leaves then, and can be taken back until then. */
    readonly at?: string;
  }

  /** How a command is sent. */
  export interface RequestOptions {
    /** Major version of the command, 1 without it. */
    readonly version?: number;
    /** Longest time to wait for the result; after it nothing of the command is kept. */
    readonly timeoutMs?: number;
  }

  /** How a command is sent whose result comes as an event. */
  export interface AskOptions {
    /** Major version of the command, 1 without it. */
    readonly version?: number;
    /** Longest time until the result, up to 30 days; 10 minutes without it. */
    readonly timeoutMs?: number;
    /** The answer is a delivery of this key: those of one key come in order, whatever path of theirs it was found by. */
    readonly key?: string;
    /** Comes back with the answer; up to 4 KB. */
    readonly context?: Json;
    /** An object of texts; they lie in the envelope's headers. */
    readonly headers?: Json;
    /** Lies in the header `idempotency_key`, so that whoever handles the command can tell that it came before. */
    readonly idempotencyKey?: string;
  }

  /** What a plugin wants to hear. Subjects are dotted: `*` stands for one part, `>` at the end for the rest. */
  export interface Subscription {
    readonly name: string;
    /** `nlp.intent.>`, `ui.notify@1`: without a version every one. */
    readonly event: string;
    /** CEL over `event`, the envelope: `event.payload.city == "Berlin"`. */
    readonly filter?: string;
    /** RFC 9535 singular path into the envelope: deliveries of one key come in order. */
    readonly key?: string;
    /** Of all subscriptions with the same group one gets the event. */
    readonly group?: string;
  }

  /** How an event came to this turn. */
  export interface DeliveryInfo {
    /** 1 for the first. */
    readonly attempt: number;
    /** Names of the subscriptions that it matched; those of the manifest are named like their event. */
    readonly subscriptions: string[];
  }

  /** On whose behalf a plugin acts, as it registers it. */
  export interface Principal {
    /** Unique within the plugin: `[a-z0-9][\w.:-]{0,127}`. */
    readonly id: string;
    /** For administrators, up to 200 characters. */
    readonly title: string;
    /** Of the shape of `permissions` in a manifest; nothing without it. */
    readonly permissions?: Json;
    /** Of its definition, so that an administrator can tell what was granted to which. */
    readonly digest?: string;
  }

  /** An object whose values are texts. */
  export type Texts = Readonly<Record<string, string>>;

  /**
   * An object of values, each a text, a number, true or false, a secret `{secret: name}`, or a list of these, which
   * are joined without anything between them: `['Bearer ', {secret: 'weather.api_key'}]`.
   */
  export type HttpValues = Readonly<Record<string, HttpValue | readonly HttpValue[]>>;

  /**
   * What to do with an answer that redirects. `follow`: at most five times, each as if it had been asked for: its
   * host, path and address have to be allowed too. `manual`: it is the answer. `error`: it is refused.
   */
  export type RedirectMode = 'follow' | 'manual' | 'error';

  /**
   * An HTTP request. Secrets are named, in `query`, `headers` and anywhere inside `json`; the host fills them in on the
   * way out, and masks them in what comes back.
   */
  export interface HttpRequest {
    /** `GET`, `HEAD`, `OPTIONS`, `POST`, `PUT`, `PATCH` or `DELETE`; `GET` without it. */
    readonly method?: string;
    /** `https://api.example.org/v1/now?city=Riga`, without user name, password and fragment. */
    readonly url: string;
    /** Put behind the query of `url`. */
    readonly query?: HttpValues;
    /** At most 64. Those that say how a message is carried (Host, Content-Length, Connection, …) are the host's. */
    readonly headers?: HttpValues;
    /**
     * The body as a text, as bytes in Base64, or as a JSON value; one of the three, at most 1 MB. Safe methods have none.
     * In the JSON an object of nothing but `secret` is taken for the name of one.
     */
    readonly body?: string;
    readonly bodyBase64?: string;
    readonly json?: Json;
    /** Longest time for all of it, redirects included; `limits.wait_ms` without it, and never more. */
    readonly timeoutMs?: number;
    readonly redirect?: RedirectMode;
  }

  /** The answer to an HTTP request, whatever its status. */
  export interface HttpResponse {
    readonly status: number;
    /** Where it came from, after redirects, without its query. */
    readonly url: string;
    /** By names in lower case. What came more than once is joined with `, `, cookies with a new line. */
    readonly headers: Texts;
    /** The body, decompressed: a text where it is UTF-8, else bytes in Base64. An empty one is the empty text. */
    readonly body?: string;
    readonly bodyBase64?: string;
  }

  export type Level = 'debug' | 'info' | 'warn' | 'error';

  /** A sealed message: what `handle` is called with. Name the payload's shape: `Envelope<{ city: string }>`. */
  export interface Envelope<Payload = Json> {
    readonly id: string;
    /** Command `namespace.verb` or event `namespace.noun.past`. */
    readonly event_name: string;
    readonly version: number;
    /** RFC 3339, UTC. */
    readonly ts: string;
    readonly source: string;
    readonly correlation_id: string;
    /** Id of the event that caused this one; null for what comes from outside. */
    readonly causation_id: string | null;
    readonly tenant: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly payload: Payload;
  }

  /** One thing for whoever sent the event to do or to know, for example `{ type: 'notify', text }`. */
  export interface Action {
    readonly type: string;
    readonly [name: string]: Json | undefined;
  }

  /** A part of an HTTP request; `{ secret }` is filled in by the host. */
  export type HttpValue = string | number | boolean | { readonly secret: string };

  /** What `handle` answers; nothing is an answer too. */
  export interface Reply {
    readonly actions?: readonly Action[];
    /** Of a command: what whoever asked is answered. */
    readonly result?: Json;
  }

  /** Thrown by every host function that refuses. Branch on `code`. */
  export class NeiraError extends Error {
    private constructor();
    readonly code: ErrorCode;
    readonly details: Readonly<Record<string, Json>>;
  }

  /** The codes of the error catalogue, abi/errors.md. */
  export type ErrorCode =
    | 'NEIRA_ADDRESS_REFUSED'
    | 'NEIRA_ADD_REFUSED'
    | 'NEIRA_ARCHIVE_REFUSED'
    | 'NEIRA_BAD_REQUEST'
    | 'NEIRA_BODY_TOO_LARGE'
    | 'NEIRA_BOOT_FAILED'
    | 'NEIRA_BUILD_FAILED'
    | 'NEIRA_BUNDLE_FAILED'
    | 'NEIRA_BUSY'
    | 'NEIRA_CELL_LOST'
    | 'NEIRA_COMMAND_UNHANDLED'
    | 'NEIRA_COMPONENT_CORE_MODULE'
    | 'NEIRA_COMPONENT_CORRUPT'
    | 'NEIRA_COMPONENT_IMPORTS'
    | 'NEIRA_COMPONENT_LIMITS'
    | 'NEIRA_COMPONENT_NAME'
    | 'NEIRA_COMPONENT_NOT_WASM'
    | 'NEIRA_COMPONENT_TOO_COMPLEX'
    | 'NEIRA_COMPONENT_TOO_LARGE'
    | 'NEIRA_COMPONENT_TOO_MANY_PARTS'
    | 'NEIRA_COMPONENT_TRUNCATED'
    | 'NEIRA_COMPONENT_UNSUPPORTED'
    | 'NEIRA_COMPONENT_WORLD'
    | 'NEIRA_CONFIG_INVALID'
    | 'NEIRA_CONFLICT'
    | 'NEIRA_CPU_EXCEEDED'
    | 'NEIRA_DEADLINE'
    | 'NEIRA_DELIVERY_EXPIRED'
    | 'NEIRA_DISK_FULL'
    | 'NEIRA_DRY_RUN_REQUEST'
    | 'NEIRA_EVENT_INVALID'
    | 'NEIRA_EVENT_RESERVED'
    | 'NEIRA_EVENT_SCHEMA_INVALID'
    | 'NEIRA_EVENT_UNREGISTERED'
    | 'NEIRA_FORBIDDEN'
    | 'NEIRA_GATE_LOCKED'
    | 'NEIRA_GATE_REQUIRES'
    | 'NEIRA_HOME_LOCKED'
    | 'NEIRA_HOME_NEWER'
    | 'NEIRA_HOST_CALLS_EXCEEDED'
    | 'NEIRA_HTTP_FAILED'
    | 'NEIRA_HTTP_TIMEOUT'
    | 'NEIRA_IDEMPOTENCY_MISMATCH'
    | 'NEIRA_IMPORT_REFUSED'
    | 'NEIRA_INTERNAL'
    | 'NEIRA_INVALID'
    | 'NEIRA_LINK_MISSING'
    | 'NEIRA_MAILBOX_FULL'
    | 'NEIRA_MANIFEST_INVALID'
    | 'NEIRA_MEMORY_EXCEEDED'
    | 'NEIRA_NEVER_SETTLED'
    | 'NEIRA_NOT_FOUND'
    | 'NEIRA_NOT_REPLAYABLE'
    | 'NEIRA_NO_HANDLER'
    | 'NEIRA_ORIGIN_REFUSED'
    | 'NEIRA_OUTBOX_FULL'
    | 'NEIRA_OUTCOME_UNKNOWN'
    | 'NEIRA_OUTPUT_TOO_LARGE'
    | 'NEIRA_PERMISSION_DENIED'
    | 'NEIRA_PLUGIN_FAILED'
    | 'NEIRA_PLUGIN_INACTIVE'
    | 'NEIRA_PRINCIPAL_UNKNOWN'
    | 'NEIRA_PUBLISHES_EXCEEDED'
    | 'NEIRA_QUARANTINED'
    | 'NEIRA_RATE_LIMITED'
    | 'NEIRA_REDIRECT_REFUSED'
    | 'NEIRA_REHEARSAL_DIFFERS'
    | 'NEIRA_REPLAY_FAILED'
    | 'NEIRA_REPLY_INVALID'
    | 'NEIRA_REQUESTS_EXCEEDED'
    | 'NEIRA_REQUEST_CYCLE'
    | 'NEIRA_REQUEST_RATE'
    | 'NEIRA_RESPONSE_INVALID'
    | 'NEIRA_RESPONSE_TOO_LARGE'
    | 'NEIRA_SAFE_MODE'
    | 'NEIRA_SECRETS_LOCKED'
    | 'NEIRA_SECRET_DENIED'
    | 'NEIRA_SECRET_LEAK'
    | 'NEIRA_SECRET_MISSING'
    | 'NEIRA_SIGNATURE_INVALID'
    | 'NEIRA_SOURCE_REFUSED'
    | 'NEIRA_STACK_EXCEEDED'
    | 'NEIRA_STOPPING'
    | 'NEIRA_STORAGE_FULL'
    | 'NEIRA_STORE_CONFLICT'
    | 'NEIRA_STORE_FAILED'
    | 'NEIRA_TOO_MANY'
    | 'NEIRA_TOO_MANY_TAILS'
    | 'NEIRA_TURN_TIMEOUT'
    | 'NEIRA_UNAUTHENTICATED'
    | 'NEIRA_UNKNOWN_EVENT'
    | 'NEIRA_UNREACHABLE'
    | 'NEIRA_VALUE_INVALID'
    | 'NEIRA_VALUE_TOO_LARGE'
    | 'NEIRA_VERSION_MISMATCH'
    | 'NEIRA_WAITING_FULL'
    | 'NEIRA_WAITS_EXCEEDED'
    | 'NEIRA_WAIT_TIMEOUT';
}
