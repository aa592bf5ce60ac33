/** The reply of a command: what `handle` gave as its result, as the event `<command>.result`. */

import { childOf } from '../base/trace-context.ts';
import { sealEnvelope } from '../bus/envelope.ts';
import { schemaMark, validatePublish } from '../bus/event-registry.ts';
import { isNeiraError, NeiraError } from '../errors.ts';
import type { Effect } from '../store/records.ts';
import type { PluginPolicy, TurnContext } from '../turn-context.ts';

/** `nlp.intent.detect@1` → `nlp.intent.detect.result@1` */
export function replyOf(fqdn: string): string {
  return fqdn.replace('@', '.result@');
}

/**
 * The event that goes out with the commit; undefined for what is no command with a registered reply.
 * @throws NEIRA_REPLY_INVALID when the result does not fit the schema of the reply.
 */
export function replyEffect(
  turn: TurnContext,
  command: { readonly subject: string; readonly version: number },
  result: string | undefined,
): Extract<Effect, { op: 'publish' }> | undefined {
  const { origin, policy } = turn;
  // The answer is the plugin's own, whomever it acted for last.
  turn.principals.actAs(undefined);
  const definition = policy.events[replyOf(`${command.subject}@${command.version}`)];
  if (definition?.kind !== 'reply') return undefined;
  const { name, version } = definition;
  requireValid(policy, () => validatePublish(definition, JSON.parse(result ?? 'null'), {}));
  const id = turn.random.id();
  const { traceparent } = origin;
  const headers = traceparent === undefined ? {} : { traceparent: childOf(traceparent, origin.turnId) };
  const payloadJson = result ?? 'null';
  const envelope = sealEnvelope({
    id,
    eventName: name,
    version,
    atMs: turn.nowMs,
    source: `plugin:${policy.plugin}`,
    correlationId: origin.correlationId,
    causationId: origin.eventId,
    tenant: origin.tenant,
    headers: turn.confidential.marked(headers, payloadJson),
    payloadJson,
  });
  const { caller } = origin;
  const schema = schemaMark(definition);
  const event = { id, subject: name, version, envelope, mode: 'event', caller, schema } as const;
  return { op: 'publish', event };
}

function requireValid({ plugin }: PluginPolicy, validate: () => void): void {
  try {
    validate();
  } catch (error) {
    if (!isNeiraError(error)) throw error;
    const { reason, errors } = error.details;
    throw new NeiraError('NEIRA_REPLY_INVALID', { plugin, reason: `its result: ${String(reason)}`, errors });
  }
}
