/**
 * The envelope: what every message in Neira is, a superset of CloudEvents 1.0 (contract; BUS-12).
 *
 * It is sealed once, as JSON text, and travels unchanged: to the sandbox, to the store, to the reader.
 */

export interface EnvelopeDraft {
  readonly id: string;
  readonly eventName: string;
  readonly version: number;
  readonly atMs: number;
  readonly source: string;
  readonly correlationId: string;
  /** Id of the event that caused this one; null for what comes from outside. */
  readonly causationId: string | null;
  readonly tenant: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The payload as JSON text, which the caller has checked. */
  readonly payloadJson: string;
}

export interface Envelope {
  readonly id: string;
  readonly event_name: string;
  readonly version: number;
  readonly ts: string;
  readonly source: string;
  readonly correlation_id: string;
  readonly causation_id: string | null;
  readonly tenant: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: unknown;
}

export const DEFAULT_TENANT = 'default';

/** Command `ns.verb` or event `ns.noun.past`, in lower case (BUS-14, BUS-15, X-23). */
export const EVENT_NAME = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/;

/** Only the host publishes these (contract, HTTP). */
export const HOST_NAMESPACES = ['system', 'plugin', 'gate', 'timer', 'record', 'command'] as const;

export function isHostEvent(name: string): boolean {
  return (HOST_NAMESPACES as readonly string[]).includes(name.split('.', 1)[0]!);
}

export function sealEnvelope(draft: EnvelopeDraft): string {
  const text = JSON.stringify;
  return (
    `{"id":${text(draft.id)},"event_name":${text(draft.eventName)},"version":${draft.version},` +
    `"ts":"${new Date(draft.atMs).toISOString()}","source":${text(draft.source)},` +
    `"correlation_id":${text(draft.correlationId)},"causation_id":${text(draft.causationId)},` +
    `"tenant":${text(draft.tenant)},"headers":${text(draft.headers)},"payload":${draft.payloadJson}}`
  );
}

export function parseEnvelope(sealed: string): Envelope {
  return JSON.parse(sealed) as Envelope;
}
