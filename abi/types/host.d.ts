// Generated from abi/wit/v1 by `npm run gen`. Do not edit.

/** A JSON text (RFC 8259). */
export type JsonText = string;

/** Why a host function refused: a code of the error catalogue and its details. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly details: JsonText;
}

/**
 * A stored value with the version that it had when it was read. Versions start at 1; what the turn itself
 * staged reads as version 0, because only the commit gives it one.
 */
export interface Entry {
  readonly key: string;
  readonly value: JsonText;
  readonly version: number;
}

/** A stroke or another mark that belongs to one session of one chat. */
export interface Annotation {
  /** Ids match `[\p{L}\p{N}_.-]{1,128}` and are not only dots. */
  readonly chatId: string;
  readonly sessionId: string;
  /** What the mark is, for example `stroke`. */
  readonly kind: string;
  readonly data: JsonText;
}

/** A message of a session, found by the same search and export as annotations. */
export interface Message {
  readonly chatId: string;
  readonly sessionId: string;
  readonly role: string;
  readonly text: string;
  readonly data?: JsonText;
}

/** How a command is sent. */
export interface RequestOptions {
  /** Major version of the command, 1 without it. */
  readonly version?: number;
  /** Longest time to wait for the reply. */
  readonly timeoutMs?: number;
  /** The same key with the same command and payload is handled once; the stored reply answers the others. */
  readonly idempotencyKey?: string;
}

export type Level = 'debug' | 'info' | 'warn' | 'error';

/**
 * The calling plugin's private key-value space, and the shared record of chats.
 *
 * The plugin comes from the turn, never from an argument: a plugin cannot name another's data.
 * Writes are staged; they become visible to others when the turn commits, or not at all.
 */
export interface StorageFunctions {
  /**
   * The value under `key`: committed state plus what this turn staged.
   * Needs `storage: [read]`.
   */
  get(key: string): Entry | undefined;

  /**
   * Stages `value` under `key`, replacing what was there. With `ifVersion` the key must be at that
   * version now (0: must not exist), else NEIRA_VERSION_MISMATCH and nothing is staged.
   * Needs `storage: [write]`. Refuses with NEIRA_VALUE_TOO_LARGE, NEIRA_VALUE_INVALID.
   */
  set(key: string, value: JsonText, ifVersion?: number): void;

  /** Stages the removal of `key`; removing what is not there is no error. Needs `storage: [write]`. */
  delete(key: string): void;

  /**
   * Up to `limit` entries (at most 1000, default 100) whose key starts with `prefix`, ordered by key,
   * beginning after the key `after`. A page holds at most 1 MB, so it may be shorter than `limit`; an empty
   * one is the end. Needs `storage: [read]`.
   */
  list(prefix: string, after?: string, limit?: number): Entry[];

  /**
   * Stages `value` as the next entry of the log `key`: it gets the key `<key>/<n>`, with n of 16 digits
   * counted from 1 when the turn commits. Blind: appends of two turns do not conflict.
   * Needs `storage: [write]`.
   */
  append(key: string, value: JsonText): void;

  /**
   * Stages an annotation and answers its id. It ends as one line of
   * `context/<chat-id>/<session-id>.annotations.ndjson`. Needs `storage: [write]`.
   */
  saveAnnotation(annotation: Annotation): string;

  /**
   * Stages a message of a chat and answers its id. It ends as one line of
   * `context/<chat-id>/<session-id>.messages.ndjson`. Needs `storage: [write]`.
   */
  saveMessage(message: Message): string;

  /** The plugin's settings as an administrator set them, defaults of the manifest filled in. */
  settings(): JsonText;
}

/** The outside world, only through ports granted to the plugin. */
export interface IoFunctions {
  /**
   * Writes a line to the plugin's log, within `limits.log_kb` a turn; what is over is dropped and
   * counted. Needs no permission and is kept even when the turn fails.
   */
  log(level: Level, message: string): void;

  /**
   * Stages `payload` for `target` on the port `port` (`console`: the host's own terminal and log).
   * It leaves after the turn committed, at least once, in order per target.
   * Needs `io: {ports: [<port>]}`.
   */
  send(port: string, target: string, payload: JsonText): void;
}

/** The message bus. */
export interface BusFunctions {
  /**
   * Stages an event `namespace.noun.past` for the bus and answers the id that it will have.
   * The event and its version must be named under `publishes` in the manifest, else
   * NEIRA_UNKNOWN_EVENT. Without a version it is version 1.
   */
  publish(event: string, payload: JsonText, version?: number): string;

  /**
   * Sends a command `namespace.verb` to the plugin that handles it and waits for its reply. The request leaves
   * at once, whatever becomes of this turn; what this turn staged is not visible to the one that answers.
   * Other turns run meanwhile: what is read after the answer is the state of then. At most 16 answers are
   * waited for at a time, together no longer than `limits.wait_ms`.
   * The command and its version must be named under `publishes` in the manifest, else NEIRA_UNKNOWN_EVENT.
   * Refuses with NEIRA_COMMAND_UNHANDLED, and with what the other turn failed with.
   */
  request(command: string, payload: JsonText, options?: RequestOptions): Promise<JsonText>;
}

/** Every host function by the name that calls carry. */
export interface HostOps {
  'storage.get': StorageFunctions['get'];
  'storage.set': StorageFunctions['set'];
  'storage.delete': StorageFunctions['delete'];
  'storage.list': StorageFunctions['list'];
  'storage.append': StorageFunctions['append'];
  'storage.save-annotation': StorageFunctions['saveAnnotation'];
  'storage.save-message': StorageFunctions['saveMessage'];
  'storage.settings': StorageFunctions['settings'];
  'io.log': IoFunctions['log'];
  'io.send': IoFunctions['send'];
  'bus.publish': BusFunctions['publish'];
  'bus.request': BusFunctions['request'];
}

export type HostOp = keyof HostOps;
