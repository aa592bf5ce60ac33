/**
 * `neira:host/bus`: the message bus. Twin of abi/wit/v1/bus.wit and sandbox/quickjs/guest/bus.ts.
 */
import { sealEnvelope } from '../bus/envelope.ts';
import { childOf } from '../trace-context.ts';
import { type HostFunction, jsonText, optionalCount } from './arguments.ts';

export const MAX_EVENT_BYTES = 256 * 1024;

export const busFunctions: Readonly<Record<string, HostFunction>> = {
  /**
   * Stages an event and answers the id that it will have.
   * @throws NEIRA_UNKNOWN_EVENT unless the manifest names it under `publishes`.
   */
  publish(turn, [event, payload, version]) {
    const name = event ?? '';
    const major = optionalCount(version) ?? 1;
    if (!turn.policy.publishes.includes(`${name}@${major}`)) {
      throw turn.refusal('NEIRA_UNKNOWN_EVENT', { event: `${name}@${major}` });
    }
    turn.require(`bus.publish:${name}`);
    const { origin } = turn;
    const id = turn.random.id();
    const envelope = sealEnvelope({
      id,
      eventName: name,
      version: major,
      atMs: origin.startedAtMs,
      source: `plugin:${turn.policy.plugin}`,
      correlationId: origin.correlationId,
      causationId: origin.eventId,
      tenant: origin.tenant,
      headers:
        origin.traceparent === undefined ? {} : { traceparent: childOf(origin.traceparent, origin.turnId) },
      payloadJson: jsonText(payload, 'payload', MAX_EVENT_BYTES),
    });
    turn.publish({ op: 'publish', id, event: name, envelope });
    return JSON.stringify(id);
  },
};
