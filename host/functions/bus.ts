/**
 * `neira:host/bus`: the message bus. Twin of abi/wit/v1/bus.wit and sandbox/quickjs/guest/bus.ts.
 */

import { childOf } from '../base/trace-context.ts';
import { sealEnvelope } from '../bus/envelope.ts';
import { type EventDefinition, schemaMark, validatePublish } from '../bus/event-registry.ts';
import { compileFilter } from '../bus/filter.ts';
import { parseSingularPath } from '../bus/key.ts';
import { covers, parseSubscriptionEvent } from '../bus/subject.ts';
import type { WaitArguments } from '../context/open-waits.ts';
import { isNeiraError } from '../errors.ts';
import type { EventDraft, SubscriptionDraft } from '../store/bus-records.ts';
import type { TurnContext, TurnOrigin } from '../turn-context.ts';
import { type HostFunction, isPresent, parsedJson, parseObject } from './arguments.ts';
import {
  askOptions,
  invalid,
  MAX_OPTIONS_BYTES,
  nameOf,
  publishOptions,
  refuseOthers,
  requestOptions,
} from './bus-options.ts';

export const MAX_EVENT_BYTES = 256 * 1024;
const GROUP = /^[a-z0-9][a-z0-9_.-]{0,63}$/;

/** What main is handed for a `bus.request`; `what` is `<command>@<version>`. */
export interface BusRequest extends WaitArguments {
  readonly command: string;
  readonly version: number;
  /** JSON. */
  readonly payload: string;
  /** Header that marks what is personal in it. */
  readonly pii?: string;
  readonly timeoutMs?: number;
  /** The principal that asks. */
  readonly as?: string;
}

export const busFunctions: Readonly<Record<string, HostFunction>> = {
  /**
   * Stages an event and answers the id that it will have.
   * @throws NEIRA_UNKNOWN_EVENT unless the manifest names it under `publishes` and it is registered.
   * @throws NEIRA_EVENT_INVALID with the failing paths; nothing is staged.
   */
  publish(turn, [event, payload, options]) {
    const { version, headers, atMs, key, broadcast } = publishOptions(options, turn.nowMs);
    const name = event ?? '';
    const definition = declared(turn, name, version);
    const draft = draftOf(turn, definition, payload, headers, atMs);
    const { source } = turn.principals;
    const staged: EventDraft = {
      ...draft,
      mode: broadcast ? 'broadcast' : draft.mode,
      ...(key !== undefined && { dedupe: `${source}:${name}@${version}:${key}` }),
      ...(atMs !== undefined && { atMs }),
    };
    turn.publish({ op: 'publish', event: staged });
    return JSON.stringify(draft.id);
  },

  /**
   * Stages a command whose result comes as `command.answered`, and answers its id.
   * @throws as publish does
   */
  ask(turn, [command, payload, options]) {
    const { version, headers, timeoutMs, key, context } = askOptions(options);
    const definition = requireCommand(declared(turn, command ?? '', version));
    const draft = draftOf(turn, definition, payload, headers, undefined);
    const { correlationId, tenant } = turn.origin;
    const ask = {
      timeoutMs,
      correlationId,
      tenant,
      ...(key !== undefined && { key }),
      ...(context && { context }),
    };
    turn.publish({ op: 'publish', event: { ...draft, ask } });
    return JSON.stringify(draft.id);
  },

  /** Stages that a delayed event or an open command of this plugin is taken back; where there is none, nothing happens. */
  cancel(turn, [id]) {
    if (!isPresent(id)) throw invalid('id', 'it is empty');
    turn.arrange({ op: 'cancel', id });
    return undefined;
  },

  /** @throws NEIRA_PERMISSION_DENIED unless its event lies within `permissions.bus.subscribe`. */
  subscribe(turn, [given]) {
    turn.arrange({ op: 'subscribe', subscription: subscriptionOf(turn, given) });
    return undefined;
  },

  unsubscribe(turn, [name]) {
    turn.arrange({ op: 'unsubscribe', name: turn.principals.keyOf(nameOf(name)) });
    return undefined;
  },

  /**
   * Sends a command and waits for its result.
   * @throws as publish does, and NEIRA_WAITS_EXCEEDED with too many open requests.
   */
  request(turn, [command, payload, options]) {
    const { version, timeoutMs } = requestOptions(options);
    const name = command ?? '';
    const definition = requireCommand(declared(turn, name, version));
    const { text, value } = parsedJson(payload, 'payload', MAX_EVENT_BYTES);
    validatePublish(definition, value, {});
    const request: BusRequest = {
      what: `${name}@${version}`,
      command: name,
      version,
      payload: text,
      ...turn.confidential.markOf(text),
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...turn.principals.mark,
    };
    return turn.wait('bus.request', request);
  },

  delivery({ origin }) {
    return `{"attempt":${origin.attempts + 1},"subscriptions":${origin.subscriptions}}`;
  },
};

function requireCommand(definition: EventDefinition): EventDefinition {
  const { kind, name, version } = definition;
  if (kind !== 'command') throw invalid('command', `${name}@${version} is no command`);
  return definition;
}

/** An event as the turn publishes it, checked and sealed. */
function draftOf(
  turn: TurnContext,
  definition: EventDefinition,
  payload: string | undefined,
  headers: Readonly<Record<string, string>>,
  atMs: number | undefined,
): EventDraft {
  const { name, version, kind } = definition;
  const { text, value } = parsedJson(payload, 'payload', MAX_EVENT_BYTES);
  validatePublish(definition, value, headers);
  const { origin } = turn;
  const { source, mark } = turn.principals;
  const id = turn.random.id();
  const envelope = sealEnvelope({
    id,
    eventName: name,
    version,
    atMs: atMs ?? turn.nowMs,
    source,
    correlationId: origin.correlationId,
    causationId: origin.eventId,
    tenant: origin.tenant,
    headers: turn.confidential.marked(traced(origin, headers), text),
    payloadJson: text,
  });
  return {
    id,
    subject: name,
    version,
    envelope,
    mode: kind === 'command' ? 'command' : 'event',
    caller: origin.caller,
    schema: schemaMark(definition),
    ...mark,
  };
}

/**
 * What the manifest names under `publishes`, or the principal that acts asks for; what an administrator granted
 * and the registry knows.
 */
function declared(turn: TurnContext, name: string, version: number): EventDefinition {
  const fqdn = `${name}@${version}`;
  const { publishes, events, principals } = turn.policy;
  const { acting } = turn.principals;
  if (!acting && !publishes.includes(fqdn)) throw turn.refusal('NEIRA_UNKNOWN_EVENT', { event: fqdn });
  turn.require(`bus.publish:${name}`);
  const definition = (acting ? principals?.events : events)?.[fqdn];
  if (!definition) throw turn.refusal('NEIRA_EVENT_UNREGISTERED', { event: fqdn });
  return definition;
}

/** The turn's own span is what the event comes from (W3C Trace Context). */
function traced(
  { traceparent, turnId }: TurnOrigin,
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return traceparent === undefined ? headers : { ...headers, traceparent: childOf(traceparent, turnId) };
}

function subscriptionOf(turn: TurnContext, given: string | undefined): SubscriptionDraft {
  const { name, event, filter, key, group, ...others } = parseObject(
    given,
    'subscription',
    MAX_OPTIONS_BYTES,
  ) as Record<string, string | undefined>;
  refuseOthers('subscription', others);
  for (const [what, text] of Object.entries({ event, filter, key, group }))
    if (text !== undefined && typeof text !== 'string')
      throw invalid(`subscription.${what}`, 'it must be a text');
  if (event === undefined) throw invalid('subscription.event', 'it is missing');
  const { pattern, version } = parseSubscriptionEvent(event);
  requireSubscribe(turn, pattern);
  if (filter !== undefined) compileFilter(filter);
  if (key !== undefined) requirePath(key);
  if (group !== undefined && !GROUP.test(group))
    throw invalid('subscription.group', 'it must be 1 to 64 of a-z, 0-9, `_`, `.` or `-`');
  return {
    name: turn.principals.keyOf(nameOf(name)),
    ...turn.principals.mark,
    pattern,
    version,
    ...(filter !== undefined && { filter }),
    ...(key !== undefined && { key }),
    ...(group !== undefined && { group }),
  };
}

const SUBSCRIBE = 'bus.subscribe:';

/** The pattern that was granted may be wider than the one that is asked for. */
function requireSubscribe(turn: TurnContext, pattern: string): void {
  const { asked } = turn.principals.rights;
  const wider = asked.find(
    (each) => each.startsWith(SUBSCRIBE) && covers(each.slice(SUBSCRIBE.length), pattern),
  );
  turn.require(wider ?? `${SUBSCRIBE}${pattern}`);
}

function requirePath(path: string): void {
  try {
    parseSingularPath(path);
  } catch (error) {
    throw isNeiraError(error) ? error : invalid('subscription.key', (error as Error).message);
  }
}
