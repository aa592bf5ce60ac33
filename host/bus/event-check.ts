/** Whether a JSON value is a whole event: an envelope, of an event that is registered, with its payload. */
import envelopeSchema from '../../abi/events/envelope.schema.json' with { type: 'json' };
import { compileSchema, type Problem } from '../schema.ts';
import type { Envelope } from './envelope.ts';
import { fqdnOf } from './event-names.ts';
import { type EventDefinition, publishProblems } from './event-registry.ts';

export interface CheckedEvent {
  /** `ui.notify@1`; null when the envelope does not say. */
  readonly event: string | null;
  readonly problems: readonly Problem[];
  readonly definition?: EventDefinition;
}

export type FindEvent = (name: string, version: number) => EventDefinition | undefined;

export function envelopeProblems(value: unknown): Problem[] {
  return compileSchema(envelopeSchema).problems(value);
}

/** Read as who publishes it would be: closed. Every path is one into the envelope. */
export function checkEvent(value: unknown, find: FindEvent): CheckedEvent {
  const problems = envelopeProblems(value);
  const { event_name: name, version, payload, headers } = (value ?? {}) as Partial<Envelope>;
  if (typeof name !== 'string' || typeof version !== 'number') return { event: null, problems };
  const event = fqdnOf(name, version);
  const definition = find(name, version);
  if (!definition) {
    const unknown = { path: 'event_name', message: `names no event of the registry: ${event}` };
    return { event, problems: [...problems, unknown] };
  }
  // Headers of another shape are a problem of the envelope already.
  const given = typeof headers === 'object' && headers !== null ? headers : {};
  return { event, definition, problems: [...problems, ...publishProblems(definition, payload, given)] };
}
