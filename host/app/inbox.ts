/**
 * Events that come in from other hubs. Another hub is no part of this host: what it sends is read and checked as if
 * a client had sent it, against the event registry of here, and it acts with no more than the right to write.
 */
import { isHostEvent, parseEnvelope } from '../bus/envelope.ts';
import { type EventRegistry, schemaMark, validatePublish } from '../bus/event-registry.ts';
import type { CarriedEvent } from '../bus/transport/transport.ts';
import { isNeiraError, NeiraError } from '../errors.ts';
import { MAX_EVENT_BYTES } from '../functions/bus.ts';
import type { Logger } from '../log.ts';
import { requireAck } from '../registry/gate-service.ts';
import { compileSchema } from '../schema.ts';
import type { EventDraft, PublishRecord } from '../store/bus-records.ts';
import type { Ack } from '../store/records.ts';

export interface InboxParts {
  readonly events: EventRegistry;
  submit(record: PublishRecord): Promise<Ack>;
  readonly log: Logger;
}

/** An envelope holds a payload, and headers within their own bounds. */
const MAX_ENVELOPE_BYTES = MAX_EVENT_BYTES + 32 * 1024;

const name = { type: 'string', minLength: 1, maxLength: 512 };
const ENVELOPE = compileSchema({
  type: 'object',
  additionalProperties: false,
  required: ['id', 'event_name', 'version', 'ts', 'source', 'correlation_id', 'tenant', 'headers', 'payload'],
  properties: {
    id: { type: 'string', pattern: '^[0-9A-Za-z_-]{1,64}$' },
    event_name: name,
    version: { type: 'integer', minimum: 1, maximum: 9999 },
    ts: name,
    source: name,
    correlation_id: name,
    causation_id: { anyOf: [name, { type: 'null' }] },
    tenant: name,
    headers: { type: 'object', maxProperties: 24, additionalProperties: { type: 'string', maxLength: 1024 } },
    payload: true,
  },
});

export class Inbox {
  readonly #parts: InboxParts;

  constructor(parts: InboxParts) {
    this.#parts = parts;
  }

  /** See {@link Hub.receive}. @throws NEIRA_MAILBOX_FULL and what the store says: nothing was taken then. */
  async receive(batch: readonly CarriedEvent[]): Promise<void> {
    const events = batch.map((event) => this.#draftOf(event)).filter((draft) => draft !== undefined);
    if (events.length > 0) requireAck(await this.#parts.submit({ kind: 'publish', events, remote: true }));
  }

  #draftOf(event: CarriedEvent): EventDraft | undefined {
    try {
      return this.#checked(event);
    } catch (error) {
      if (!isNeiraError(error)) throw error;
      // To send it again would be the same again.
      this.#parts.log.warn({ err: error, event: event.id }, 'an event of another hub was refused');
      return undefined;
    }
  }

  /** @throws NEIRA_EVENT_INVALID, NEIRA_EVENT_RESERVED, NEIRA_EVENT_UNREGISTERED, NEIRA_VALUE_TOO_LARGE */
  #checked({ id, subject, mode, envelope }: CarriedEvent): EventDraft {
    const bytes = Buffer.byteLength(envelope);
    if (bytes > MAX_ENVELOPE_BYTES)
      throw new NeiraError('NEIRA_VALUE_TOO_LARGE', {
        what: 'envelope',
        bytes,
        maxBytes: MAX_ENVELOPE_BYTES,
      });
    const { event_name, version, headers, payload, ...sealed } = readEnvelope(subject, envelope);
    if (event_name !== subject || sealed.id !== id)
      throw invalid(subject, 'its envelope names another event than its message');
    if (isHostEvent(subject)) {
      const namespace = subject.split('.', 1)[0]!;
      throw new NeiraError('NEIRA_EVENT_RESERVED', { event: subject, namespace });
    }
    const definition = this.#parts.events.find(subject, version);
    if (!definition) throw new NeiraError('NEIRA_EVENT_UNREGISTERED', { event: `${subject}@${version}` });
    validatePublish(definition, payload, headers);
    const isCommand = definition.kind === 'command';
    return {
      id,
      subject,
      version,
      envelope,
      mode: mode === 'broadcast' ? 'broadcast' : isCommand ? 'command' : 'event',
      caller: 'write',
      schema: schemaMark(definition),
      dedupe: `hub:${id}`,
    };
  }
}

function readEnvelope(subject: string, text: string) {
  try {
    const envelope = parseEnvelope(text);
    const [problem] = ENVELOPE.problems(envelope);
    if (problem) throw invalid(subject, `${problem.path} ${problem.message}`);
    return envelope;
  } catch (error) {
    throw isNeiraError(error) ? error : invalid(subject, 'its envelope is not JSON');
  }
}

function invalid(event: string, reason: string): NeiraError {
  return new NeiraError('NEIRA_EVENT_INVALID', {
    event,
    reason,
    errors: [{ path: 'envelope', message: reason }],
  });
}
