/**
 * `neira:host/bus`: the message bus. Twin of abi/wit/v1/bus.wit and sandbox/quickjs/guest/bus.ts.
 */
import { sealEnvelope } from '../bus/envelope.ts';
import { NeiraError } from '../errors.ts';
import type { WaitArguments } from '../open-waits.ts';
import type { TurnContext } from '../turn-context.ts';
import { type HostFunction, jsonText, optionalCount } from './arguments.ts';

export const MAX_EVENT_BYTES = 256 * 1024;
const MAX_IDEMPOTENCY_KEY = 200;

/** What main is handed for a `bus.request`; `what` is `<command>@<version>`. */
export interface BusRequest extends WaitArguments {
  readonly command: string;
  readonly version: number;
  /** JSON. */
  readonly payload: string;
  /** Answers later than this are of no use; absent: as long as the turn may wait. */
  readonly timeoutMs?: number;
  readonly idempotencyKey?: string;
}

export const busFunctions: Readonly<Record<string, HostFunction>> = {
  /**
   * Stages an event and answers the id that it will have.
   * @throws NEIRA_UNKNOWN_EVENT unless the manifest names it under `publishes`.
   */
  publish(turn, [event, payload, version]) {
    const { name, version: major } = declared(turn, event, version);
    const { origin } = turn;
    const id = turn.random.id();
    const envelope = sealEnvelope({
      id,
      eventName: name,
      version: major,
      atMs: turn.nowMs,
      source: `plugin:${turn.policy.plugin}`,
      correlationId: origin.correlationId,
      causationId: origin.eventId,
      tenant: origin.tenant,
      headers: {},
      payloadJson: jsonText(payload, 'payload', MAX_EVENT_BYTES),
    });
    turn.publish({ op: 'publish', id, event: name, envelope });
    return JSON.stringify(id);
  },

  /**
   * Sends a command and waits for its reply.
   * @throws NEIRA_UNKNOWN_EVENT unless the manifest names it under `publishes`.
   * @throws NEIRA_WAITS_EXCEEDED with too many open requests.
   */
  request(turn, [command, payload, version, timeout, key]) {
    const { name, version: major } = declared(turn, command, version);
    const timeoutMs = optionalCount(timeout);
    if (key !== undefined && key.length > MAX_IDEMPOTENCY_KEY) {
      const reason = `it is longer than ${MAX_IDEMPOTENCY_KEY}`;
      throw new NeiraError('NEIRA_VALUE_INVALID', { what: 'idempotency key', reason });
    }
    const request: BusRequest = {
      what: `${name}@${major}`,
      command: name,
      version: major,
      payload: jsonText(payload, 'payload', MAX_EVENT_BYTES),
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(key !== undefined && key !== '' && { idempotencyKey: key }),
    };
    return turn.wait('bus.request', request);
  },
};

/** What the manifest names under `publishes` and an administrator granted. */
function declared(turn: TurnContext, event: string | undefined, version: string | undefined) {
  const name = event ?? '';
  const major = optionalCount(version) ?? 1;
  if (!turn.policy.publishes.includes(`${name}@${major}`)) {
    throw turn.refusal('NEIRA_UNKNOWN_EVENT', { event: `${name}@${major}` });
  }
  turn.require(`bus.publish:${name}`);
  return { name, version: major };
}
