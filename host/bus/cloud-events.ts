/**
 * Envelopes as CloudEvents 1.0 in their JSON format, and back (contract; the table is in abi/events/README.md).
 *
 * What goes out and comes back is the same envelope. A header whose name may be that of an extension
 * attribute is one, as `traceparent`; the others travel together in the attribute `headers`, as JSON text.
 */
import { NeiraError } from '../errors.ts';
import { isRecord, type Problem, summary } from '../schema.ts';
import { DEFAULT_TENANT, type Envelope } from './envelope.ts';
import { envelopeProblems } from './event-check.ts';
import { fqdnOf } from './event-names.ts';

export const CLOUD_EVENT_TYPE = 'application/cloudevents+json';

export interface CloudEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  /** `nlp.intent.detected@1` */
  readonly type: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  /** `$id` of the schema, where the sender knows it. */
  readonly dataschema?: string;
  readonly subject?: string;
  readonly correlationid: string;
  /** Not there for what comes from outside. */
  readonly causationid?: string;
  readonly tenant: string;
  /** JSON text of the headers that are no attributes of their own. */
  readonly headers?: string;
  readonly data: unknown;
  readonly [extension: string]: unknown;
}

/** Where the attribute `subject`, which an envelope has not, is kept. */
const SUBJECT_HEADER = 'ce_subject';
const EXTENSION = /^[a-z0-9]{1,20}$/;
const ATTRIBUTES = new Set([
  'specversion',
  'id',
  'source',
  'type',
  'time',
  'datacontenttype',
  'dataschema',
  'subject',
  'data',
  'data_base64',
  'correlationid',
  'causationid',
  'tenant',
  'headers',
]);
const JSON_TYPE = /^[\w.+-]+\/(?:[\w.+-]+\+)?json\s*(?:;.*)?$/i;

export function toCloudEvent(envelope: Envelope, dataschema?: string): CloudEvent {
  const { [SUBJECT_HEADER]: subject, ...headers } = envelope.headers;
  const isOwn = ([name]: readonly [string, string]) => EXTENSION.test(name) && !ATTRIBUTES.has(name);
  const others = Object.entries(headers).filter((each) => !isOwn(each));
  return {
    specversion: '1.0',
    id: envelope.id,
    source: envelope.source,
    type: fqdnOf(envelope.event_name, envelope.version),
    time: envelope.ts,
    datacontenttype: 'application/json',
    ...(dataschema !== undefined && { dataschema }),
    ...(subject !== undefined && { subject }),
    correlationid: envelope.correlation_id,
    ...(envelope.causation_id !== null && { causationid: envelope.causation_id }),
    tenant: envelope.tenant,
    ...(others.length > 0 && { headers: JSON.stringify(Object.fromEntries(others)) }),
    ...Object.fromEntries(Object.entries(headers).filter(isOwn)),
    data: envelope.payload,
  };
}

/**
 * The envelope in a CloudEvent of anybody. What may be left out is filled in: `time` is `nowMs`, the correlation
 * is the event's own id, the tenant the default. Whether the event is registered is another question.
 * @throws NEIRA_EVENT_INVALID with the failing attributes.
 */
export function fromCloudEvent(value: unknown, nowMs: number): Envelope {
  const event = isRecord(value) ? value : {};
  const { id, source, type, time, subject, correlationid, causationid, tenant, data } = event;
  const [, name, version] = /^(.*?)(?:@([1-9]\d{0,3}))?$/s.exec(String(type ?? '')) ?? [];
  const problems: Problem[] = [...unreadable(event)];
  const headers = {
    ...headersOf(event, problems),
    ...(subject !== undefined && { [SUBJECT_HEADER]: subject }),
  };
  const envelope = {
    id,
    event_name: name,
    version: Number(version ?? 1),
    ts: time ?? new Date(nowMs).toISOString(),
    source,
    correlation_id: correlationid ?? id,
    causation_id: causationid ?? null,
    tenant: tenant ?? DEFAULT_TENANT,
    headers,
    payload: data ?? null,
  };
  const named = new Set(problems.map(({ path }) => path));
  for (const { path, message } of envelopeProblems(envelope)) {
    const at = attributeOf(path);
    if (!named.has(at)) problems.push({ path: at, message });
  }
  if (problems.length > 0) {
    const event = String(type ?? 'without a type').slice(0, 200);
    throw new NeiraError('NEIRA_EVENT_INVALID', { event, reason: summary(problems), errors: problems });
  }
  return envelope as Envelope;
}

function unreadable(event: Readonly<Record<string, unknown>>): Problem[] {
  const { specversion, datacontenttype, data_base64 } = event;
  const problems: Problem[] = [];
  if (specversion !== '1.0') problems.push({ path: 'specversion', message: 'must be "1.0"' });
  if (data_base64 !== undefined)
    problems.push({ path: 'data_base64', message: 'is binary: a payload is JSON' });
  if (datacontenttype !== undefined && !JSON_TYPE.test(String(datacontenttype)))
    problems.push({ path: 'datacontenttype', message: 'must be a type of JSON' });
  return problems;
}

/** The attribute `headers`, and every extension that has no place in an envelope. */
function headersOf(event: Readonly<Record<string, unknown>>, problems: Problem[]): Record<string, unknown> {
  let together: unknown = {};
  try {
    if (event['headers'] !== undefined) together = JSON.parse(String(event['headers']));
  } catch {
    together = undefined;
  }
  if (!isRecord(together)) {
    problems.push({ path: 'headers', message: 'must be the JSON text of an object' });
    together = {};
  }
  const own = Object.entries(event)
    .filter(([name, each]) => !ATTRIBUTES.has(name) && each !== null)
    .map(
      ([name, each]) => [name, ['boolean', 'number'].includes(typeof each) ? String(each) : each] as const,
    );
  return { ...(together as object), ...Object.fromEntries(own) };
}

const ATTRIBUTE_OF: Readonly<Record<string, string>> = {
  event_name: 'type',
  ts: 'time',
  correlation_id: 'correlationid',
  causation_id: 'causationid',
  payload: 'data',
};

function attributeOf(path: string): string {
  return ATTRIBUTE_OF[path] ?? path.replace(/^headers\./, '');
}
