/**
 * Events on their way in from outside the sandbox: from clients over HTTP, and from the host itself. They are
 * checked against the event registry, sealed, and committed with their places in the mailboxes.
 */
import { randomUUIDv7 } from 'node:crypto';
import { DEFAULT_TENANT, HOST_NAMESPACES, sealEnvelope } from '../bus/envelope.ts';
import { type EventDefinition, type EventRegistry, validatePublish } from '../bus/event-registry.ts';
import { NeiraError } from '../errors.ts';
import type { Caller, EventBody, PublishedEvent } from '../http/api.ts';
import { requireAck } from '../registry/gate-service.ts';
import type { EventCaller, EventDraft, PublishRecord } from '../store/bus-records.ts';
import type { Ack } from '../store/records.ts';

export interface GatewayParts {
  readonly events: EventRegistry;
  submit(record: PublishRecord): Promise<Ack>;
}

interface Sealing {
  readonly source: string;
  readonly caller: EventCaller;
  /** Keys of one client do not meet those of another. */
  readonly scope: string;
}

export class EventGateway {
  readonly #parts: GatewayParts;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
  }

  /**
   * Publishes for a client; the answer comes when the event is durable.
   * @throws NEIRA_EVENT_UNREGISTERED, NEIRA_EVENT_RESERVED, NEIRA_EVENT_INVALID, NEIRA_MAILBOX_FULL, …
   */
  async publish(caller: Caller, body: EventBody): Promise<PublishedEvent> {
    const { event_name: name } = body;
    const namespace = name.split('.', 1)[0]!;
    if ((HOST_NAMESPACES as readonly string[]).includes(namespace))
      throw new NeiraError('NEIRA_EVENT_RESERVED', { event: name, namespace });
    const definition = this.#find(name, body.version ?? 1);
    return this.#publish(definition, body, {
      source: `client:${caller.actor}`,
      caller: caller.scope,
      scope: `token:${caller.tokenId}`,
    });
  }

  /** Publishes one of the host's own events; they are lost on nobody, and no mailbox stops them. */
  async announce(name: string, payload: unknown): Promise<void> {
    const definition = this.#find(name, 1);
    const body = { event_name: name, payload };
    await this.#publish(definition, body, { source: 'host', caller: 'host', scope: 'host' });
  }

  #find(name: string, version: number): EventDefinition {
    const definition = this.#parts.events.find(name, version);
    if (definition) return definition;
    throw new NeiraError('NEIRA_EVENT_UNREGISTERED', { event: `${name}@${version}` });
  }

  async #publish(definition: EventDefinition, body: EventBody, sealing: Sealing): Promise<PublishedEvent> {
    const draft = seal(definition, body, sealing);
    const { duplicateOf } = requireAck(await this.#parts.submit({ kind: 'publish', events: [draft] }));
    return duplicateOf === undefined ? { event_id: draft.id } : { event_id: duplicateOf, duplicate: true };
  }
}

function seal(definition: EventDefinition, body: EventBody, { source, caller, scope }: Sealing): EventDraft {
  const { payload, headers = {}, at, broadcast = false } = body;
  validatePublish(definition, payload, headers);
  const { name, version, kind } = definition;
  // Rises with time, so that what is stored by it is stored in order.
  const id = randomUUIDv7();
  const nowMs = Date.now();
  const atMs = at === undefined ? undefined : Date.parse(at);
  const envelope = sealEnvelope({
    id,
    eventName: name,
    version,
    atMs: atMs ?? nowMs,
    source,
    correlationId: id,
    causationId: null,
    tenant: DEFAULT_TENANT,
    headers,
    payloadJson: JSON.stringify(payload),
  });
  const key = headers['idempotency_key'];
  return {
    id,
    subject: name,
    version,
    envelope,
    mode: broadcast ? 'broadcast' : kind === 'command' ? 'command' : 'event',
    caller,
    ...(key !== undefined && { dedupe: `${scope}:${name}@${version}:${key}` }),
    ...(atMs !== undefined && { atMs }),
  };
}
