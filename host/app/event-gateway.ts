/**
 * Events on their way in from outside the sandbox: from clients over HTTP, and from the host itself. They are
 * checked against the event registry, sealed, and committed with their places in the mailboxes.
 */
import { randomUUIDv7 } from 'node:crypto';
import { DEFAULT_TENANT, isHostEvent, sealEnvelope } from '../bus/envelope.ts';
import {
  type EventDefinition,
  type EventRegistry,
  schemaMark,
  validatePublish,
} from '../bus/event-registry.ts';
import { type ErrorCode, isNeiraError, NeiraError } from '../errors.ts';
import { MAX_EVENT_BYTES } from '../functions/bus.ts';
import { OWN_HEADERS } from '../functions/bus-options.ts';
import type { Caller } from '../http/api.ts';
import type { EventBody, PublishedEvent, PublishOptions } from '../http/bus-api.ts';
import type { PublishRefusal } from '../metrics.ts';
import { requireAck } from '../registry/gate-service.ts';
import type { EventCaller, EventDraft, PublishRecord } from '../store/bus-records.ts';
import type { Ack } from '../store/records.ts';

export interface GatewayParts {
  readonly events: EventRegistry;
  submit(record: PublishRecord): Promise<Ack>;
  /** Counts a publish that was refused. */
  refused(reason: PublishRefusal): void;
  /** Something deprecated is in use: told once for each event. */
  warn(details: object, message: string): void;
}

/** Checked values of an event; what it does not say is that of a new one. */
export interface EventSource {
  readonly definition: EventDefinition;
  readonly payload: unknown;
  /** Without those of the host. */
  readonly headers: Readonly<Record<string, string>>;
  /** Set by the host. */
  readonly ownHeaders?: Readonly<Record<string, string>>;
  readonly source: string;
  readonly caller: EventCaller;
  readonly correlationId?: string;
  readonly causationId?: string;
  readonly atMs?: number;
  readonly broadcast?: boolean;
  /** Scoped idempotency key. */
  readonly dedupe?: string;
}

const MAX_AHEAD_MS = 10 * 366 * 24 * 60 * 60 * 1000;

/** What a refusal is counted as. */
const REFUSALS: Readonly<Partial<Record<ErrorCode, PublishRefusal>>> = {
  NEIRA_EVENT_UNREGISTERED: 'unknown',
  NEIRA_EVENT_RESERVED: 'forbidden',
  NEIRA_EVENT_INVALID: 'invalid',
  NEIRA_INVALID: 'invalid',
  NEIRA_VALUE_TOO_LARGE: 'too-large',
  NEIRA_MAILBOX_FULL: 'busy',
};

export class EventGateway {
  readonly #parts: GatewayParts;
  readonly #warned = new Set<string>();

  constructor(parts: GatewayParts) {
    this.#parts = parts;
  }

  /**
   * Publishes for a client; the answer comes when the event is durable.
   * @throws NEIRA_EVENT_UNREGISTERED, NEIRA_EVENT_RESERVED, NEIRA_EVENT_INVALID, NEIRA_INVALID,
   * NEIRA_VALUE_TOO_LARGE, NEIRA_MAILBOX_FULL, …
   */
  async publish(caller: Caller, body: EventBody, { traceparent }: PublishOptions): Promise<PublishedEvent> {
    try {
      const definition = this.#find(body.event_name, body.version ?? 1);
      const { payload, headers = {}, broadcast = false } = body;
      requireClientHeaders(headers);
      const key = headers['idempotency_key'];
      const published = await this.#submit({
        definition,
        payload,
        headers,
        ...(traceparent !== undefined && { ownHeaders: { traceparent } }),
        source: `client:${caller.actor}`,
        caller: caller.scope,
        broadcast,
        ...(body.at !== undefined && { atMs: timeOf(body.at) }),
        // Keys of one client do not meet those of another.
        ...(key !== undefined && { dedupe: `token:${caller.tokenId}:${fqdnOf(definition)}:${key}` }),
      });
      return { ...published, ...this.#warningOf(definition, `client \`${caller.actor}\``) };
    } catch (error) {
      const reason = isNeiraError(error) ? REFUSALS[error.code] : undefined;
      if (reason !== undefined) this.#parts.refused(reason);
      throw error;
    }
  }

  /** Publishes one of the host's own events; they are lost on nobody, and no mailbox stops them. */
  async announce(name: string, payload: unknown): Promise<void> {
    const definition = this.#parts.events.find(name, 1);
    if (!definition) throw new NeiraError('NEIRA_EVENT_UNREGISTERED', { event: `${name}@1` });
    await this.#submit({ definition, payload, headers: {}, source: 'host', caller: 'host' });
  }

  /** A plugin says that it publishes this event. */
  noteUse(event: string, plugin: string): void {
    const [name = '', version] = event.split('@');
    const definition = this.#parts.events.find(name, Number(version));
    if (definition) this.#warningOf(definition, `plugin \`${plugin}\``);
  }

  #find(name: string, version: number): EventDefinition {
    const namespace = name.split('.', 1)[0]!;
    if (isHostEvent(name)) throw new NeiraError('NEIRA_EVENT_RESERVED', { event: name, namespace });
    const definition = this.#parts.events.find(name, version);
    if (definition) return definition;
    throw new NeiraError('NEIRA_EVENT_UNREGISTERED', { event: `${name}@${version}` });
  }

  async #submit(source: EventSource): Promise<PublishedEvent> {
    const draft = sealEvent(source);
    const { duplicateOf } = requireAck(await this.#parts.submit({ kind: 'publish', events: [draft] }));
    return duplicateOf === undefined ? { event_id: draft.id } : { event_id: duplicateOf, duplicate: true };
  }

  #warningOf(definition: EventDefinition, by: string): { readonly warning?: string } {
    if (definition.status !== 'deprecated') return {};
    const event = fqdnOf(definition);
    const warning = `The event \`${event}\` is deprecated; \`neira events topics\` lists its newer versions.`;
    if (!this.#warned.has(event)) {
      this.#warned.add(event);
      this.#parts.warn({ event, by }, `the event ${event} is deprecated and still published`);
    }
    return { warning };
  }
}

/**
 * The event as the store takes it.
 * @throws NEIRA_EVENT_INVALID with the failing paths; NEIRA_VALUE_TOO_LARGE
 */
export function sealEvent(from: EventSource): EventDraft {
  const { definition, payload, headers, atMs, caller, dedupe, broadcast = false } = from;
  const payloadJson = JSON.stringify(payload);
  const bytes = Buffer.byteLength(payloadJson);
  if (bytes > MAX_EVENT_BYTES)
    throw new NeiraError('NEIRA_VALUE_TOO_LARGE', { what: 'payload', bytes, maxBytes: MAX_EVENT_BYTES });
  validatePublish(definition, payload, headers);
  const { name, version, kind } = definition;
  // Rises with time, so that what is stored by it is stored in order.
  const id = randomUUIDv7();
  const envelope = sealEnvelope({
    id,
    eventName: name,
    version,
    atMs: atMs ?? Date.now(),
    source: from.source,
    correlationId: from.correlationId ?? id,
    causationId: from.causationId ?? null,
    tenant: DEFAULT_TENANT,
    headers: { ...headers, ...from.ownHeaders },
    payloadJson,
  });
  return {
    id,
    subject: name,
    version,
    envelope,
    mode: broadcast ? 'broadcast' : kind === 'command' ? 'command' : 'event',
    caller,
    schema: schemaMark(definition),
    ...(dedupe !== undefined && { dedupe }),
    ...(atMs !== undefined && { atMs }),
  };
}

/** @throws NEIRA_INVALID for headers that the host itself sets. */
function requireClientHeaders(headers: Readonly<Record<string, string>>): void {
  const errors = Object.keys(headers)
    // A client gives its own key in the body as well as in `Idempotency-Key`.
    .filter((name) => OWN_HEADERS.has(name) && name !== 'idempotency_key')
    .map((name) => ({ path: `headers.${name}`, message: 'is set by the host alone' }));
  if (errors.length === 0) return;
  const [{ path, message }] = errors as [(typeof errors)[number]];
  throw new NeiraError('NEIRA_INVALID', { what: 'The event', reason: `${path} ${message}`, errors });
}

/** @throws NEIRA_INVALID */
function timeOf(at: string): number {
  const atMs = Date.parse(at);
  if (atMs - Date.now() <= MAX_AHEAD_MS) return atMs;
  const message = 'must be a time (RFC 3339) within the next ten years';
  throw new NeiraError('NEIRA_INVALID', {
    what: 'The event',
    reason: `at ${message}`,
    errors: [{ path: 'at', message }],
  });
}

function fqdnOf({ name, version }: EventDefinition): string {
  return `${name}@${version}`;
}
