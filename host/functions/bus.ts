/**
 * `neira:host/bus`: the message bus. Twin of abi/wit/v1/bus.wit and sandbox/quickjs/guest/bus.ts.
 */
import { sealEnvelope } from '../bus/envelope.ts';
import { validatePublish } from '../bus/event-registry.ts';
import { compileFilter } from '../bus/filter.ts';
import { parseSingularPath } from '../bus/key.ts';
import { covers, parseSubscriptionEvent } from '../bus/subject.ts';
import { isNeiraError, NeiraError } from '../errors.ts';
import type { EventDraft, SubscriptionDraft } from '../store/bus-records.ts';
import { childOf } from '../trace-context.ts';
import type { TurnContext, TurnOrigin } from '../turn-context.ts';
import { type HostFunction, isPresent, parsedJson, parseObject } from './arguments.ts';

export const MAX_EVENT_BYTES = 256 * 1024;
const MAX_OPTIONS_BYTES = 16 * 1024;
const MAX_HEADERS = 16;
const HEADER_NAME = /^[a-z][a-z0-9_-]{0,63}$/;
const MAX_HEADER_CHARS = 512;
/** Set by the host, not by a plugin. */
export const OWN_HEADERS = new Set(['idempotency_key', 'traceparent', 'tracestate', 'replay_of']);
const MAX_AHEAD_MS = 10 * 366 * 24 * 60 * 60 * 1000;
const NAME = /^[\p{L}\p{N}_.:/-]{1,128}$/u;
const GROUP = /^[a-z0-9][a-z0-9_.-]{0,63}$/;

export const busFunctions: Readonly<Record<string, HostFunction>> = {
  /**
   * Stages an event and answers the id that it will have.
   * @throws NEIRA_UNKNOWN_EVENT unless the manifest names it under `publishes` and it is registered.
   * @throws NEIRA_EVENT_INVALID with the failing paths; nothing is staged.
   */
  publish(turn, [event, payload, options]) {
    const { version, headers, atMs, key, broadcast } = publishOptions(turn, options);
    const name = event ?? '';
    const fqdn = `${name}@${version}`;
    const definition = turn.policy.events[fqdn];
    if (!turn.policy.publishes.includes(fqdn)) throw turn.refusal('NEIRA_UNKNOWN_EVENT', { event: fqdn });
    turn.require(`bus.publish:${name}`);
    if (!definition) throw turn.refusal('NEIRA_EVENT_UNREGISTERED', { event: fqdn });
    const { text, value } = parsedJson(payload, 'payload', MAX_EVENT_BYTES);
    validatePublish(definition, value, headers);
    const { origin, policy } = turn;
    const id = turn.random.id();
    const envelope = sealEnvelope({
      id,
      eventName: name,
      version,
      atMs: atMs ?? origin.startedAtMs,
      source: `plugin:${policy.plugin}`,
      correlationId: origin.correlationId,
      causationId: origin.eventId,
      tenant: origin.tenant,
      headers: traced(origin, headers),
      payloadJson: text,
    });
    const draft: EventDraft = {
      id,
      subject: name,
      version,
      envelope,
      mode: broadcast ? 'broadcast' : definition.kind === 'command' ? 'command' : 'event',
      caller: origin.caller,
      ...(key !== undefined && { dedupe: `plugin:${policy.plugin}:${fqdn}:${key}` }),
      ...(atMs !== undefined && { atMs }),
    };
    turn.publish({ op: 'publish', event: draft });
    return JSON.stringify(id);
  },

  /** Stages that a delayed event of this plugin is taken back; where there is none, nothing happens. */
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
    turn.arrange({ op: 'unsubscribe', name: nameOf(name) });
    return undefined;
  },

  delivery({ origin }) {
    return `{"attempt":${origin.attempts + 1},"subscriptions":${origin.subscriptions}}`;
  },
};

interface PublishOptions {
  readonly version: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly atMs?: number;
  readonly key?: string;
  readonly broadcast: boolean;
}

const NO_OPTIONS: PublishOptions = { version: 1, headers: {}, broadcast: false };

function publishOptions(turn: TurnContext, given: string | undefined): PublishOptions {
  if (!isPresent(given)) return NO_OPTIONS;
  const {
    version = 1,
    at,
    idempotencyKey,
    headers = {},
    broadcast = false,
    ...others
  } = parseObject(given, 'options', MAX_OPTIONS_BYTES);
  refuseOthers('options', others);
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1)
    throw invalid('options.version', 'it must be a whole number from 1');
  if (typeof broadcast !== 'boolean') throw invalid('options.broadcast', 'it must be true or false');
  const checked = headersOf(headers);
  return {
    version,
    broadcast,
    headers: idempotencyKey === undefined ? checked : { ...checked, ...keyHeader(idempotencyKey) },
    ...(idempotencyKey !== undefined && { key: idempotencyKey as string }),
    ...(at !== undefined && { atMs: timeOf(at, turn.origin.startedAtMs) }),
  };
}

/** The turn's own span is what the event comes from (W3C Trace Context). */
function traced(
  { traceparent, turnId }: TurnOrigin,
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return traceparent === undefined ? headers : { ...headers, traceparent: childOf(traceparent, turnId) };
}

function keyHeader(key: unknown): { readonly idempotency_key: string } {
  if (typeof key === 'string' && key !== '' && key.length <= MAX_HEADER_CHARS)
    return { idempotency_key: key };
  throw invalid('options.idempotencyKey', `it must be a text of 1 to ${MAX_HEADER_CHARS} characters`);
}

function headersOf(given: unknown): Readonly<Record<string, string>> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw invalid('options.headers', 'it must be an object of texts');
  const entries = Object.entries(given);
  if (entries.length > MAX_HEADERS) throw invalid('options.headers', `it has more than ${MAX_HEADERS}`);
  for (const [name, value] of entries) {
    const what = `options.headers.${name.slice(0, 64)}`;
    if (!HEADER_NAME.test(name)) throw invalid(what, 'its name must match [a-z][a-z0-9_-]{0,63}');
    if (OWN_HEADERS.has(name)) throw invalid(what, 'only the host sets it');
    if (typeof value !== 'string' || value.length > MAX_HEADER_CHARS)
      throw invalid(what, `it must be a text of at most ${MAX_HEADER_CHARS} characters`);
  }
  return Object.fromEntries(entries) as Record<string, string>;
}

/** RFC 3339 with its offset: what a local time means depends on where it is read. */
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

function timeOf(at: unknown, nowMs: number): number {
  const atMs = typeof at === 'string' && RFC_3339.test(at) ? Date.parse(at) : Number.NaN;
  if (Number.isNaN(atMs))
    throw invalid('options.at', 'it must be a time like 2026-11-24T07:00:00+02:00, or a Date');
  if (atMs - nowMs > MAX_AHEAD_MS) throw invalid('options.at', 'it is more than ten years ahead');
  return atMs;
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
    name: nameOf(name),
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
  const { asked } = turn.policy;
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

function nameOf(name: unknown): string {
  if (typeof name === 'string' && NAME.test(name)) return name;
  throw invalid('name', 'it must be 1 to 128 letters, digits, `_`, `.`, `:`, `/` or `-`');
}

function refuseOthers(what: string, others: Record<string, unknown>): void {
  const [other] = Object.keys(others);
  if (other !== undefined) throw invalid(`${what}.${other.slice(0, 64)}`, 'it is not a known field');
}

function invalid(what: string, reason: string): NeiraError {
  return new NeiraError('NEIRA_VALUE_INVALID', { what, reason });
}
