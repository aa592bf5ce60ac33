import type { FastifyReply, FastifyRequest } from 'fastify';
import { CLOUD_EVENT_TYPE, fromCloudEvent } from '../../bus/cloud-events.ts';
import type { Envelope } from '../../bus/envelope.ts';
import type { DeadLetterChoice, DeadLetterFilter, EventBody, EventsQuery, ReplayBody } from '../bus-api.ts';
import { invalid } from '../problem.ts';
import { accepts, HEARTBEAT_MS, sendEvents, sendLines } from '../streams.ts';
import { addRoute, idempotencyKeyOf, idOf, queryOf, type RouteContext } from './route.ts';

const LETTERS = '/api/neira/dead-letters';

/** What is on the bus: events published and recorded, topics, dead letters. */
export function eventRoutes(context: RouteContext): void {
  const { api } = context;
  addRoute(context, 'GET /api/neira/events', 'read', (request, reply) => {
    const query = queryOf<EventsQuery>(request);
    if (!accepts(request, 'text/event-stream')) return api.readEvents(request.caller, query);
    const { subject, since } = query;
    if (query.until !== undefined)
      throw invalid('The query', [{ path: 'until', message: 'has no meaning for a live tail' }]);
    const after = lastEventIdOf(request) ?? query.after;
    const wanted = {
      ...(subject !== undefined && { subject }),
      ...(after !== undefined ? { after } : since !== undefined && { since }),
    };
    return sendEvents(context, request, reply, (signal) =>
      api.tailEvents(request.caller, wanted, HEARTBEAT_MS, signal),
    );
  });
  addRoute(
    context,
    'POST /api/neira/events',
    'write',
    (request) =>
      api.publishEvent(request.caller, withKey(request.body as EventBody, request), traceOf(request)),
    { preValidation: readCloudEvent },
  );
  addRoute(context, 'POST /api/neira/events/replay', 'admin', (request) =>
    api.replayEvents(request.caller, request.body as ReplayBody, traceOf(request)),
  );
  addRoute(context, 'GET /api/neira/events/topics', 'read', ({ caller }) => ({
    topics: api.listTopics(caller),
  }));
  deadLetterRoutes(context);
}

function deadLetterRoutes(context: RouteContext): void {
  const { api } = context;
  addRoute(context, `GET ${LETTERS}`, 'read', (request, reply) => {
    const { after, limit, ...filter } = queryOf<DeadLetterFilter & { after: number; limit: number }>(request);
    if (!accepts(request, 'application/x-ndjson'))
      return api.listDeadLetters(request.caller, filter, after, limit);
    return sendLines(context, request, reply, api.exportDeadLetters(request.caller, filter, after));
  });
  addRoute(context, `POST ${LETTERS}/retry`, 'admin', async (request) => ({
    retried: await api.retryDeadLetters(request.caller, request.body as DeadLetterChoice),
  }));
  addRoute(context, `POST ${LETTERS}/drop`, 'admin', async (request) => ({
    dropped: await api.dropDeadLetters(request.caller, request.body as DeadLetterChoice),
  }));
  addRoute(context, `GET ${LETTERS}/:id`, 'read', (request) =>
    api.getDeadLetter(request.caller, Number(idOf(request))),
  );
  addRoute(context, `POST ${LETTERS}/:id/retry`, 'admin', async (request) => ({
    retried: await api.retryDeadLetters(request.caller, { ids: [Number(idOf(request))] }),
  }));
  addRoute(context, `DELETE ${LETTERS}/:id`, 'admin', async (request, reply) => {
    await api.dropDeadLetters(request.caller, { ids: [Number(idOf(request))] });
    return reply.code(204).send();
  });
}

function traceOf({ traceparent }: FastifyRequest) {
  return traceparent === '' ? {} : { traceparent };
}

/** Makes of a CloudEvent the body that its call would have as JSON; from there on both are judged alike. */
function readCloudEvent(request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
  const type = request.headers['content-type']?.split(';', 1)[0];
  try {
    if (type?.trim().toLowerCase() === CLOUD_EVENT_TYPE)
      request.body = eventBodyOf(fromCloudEvent(request.body, Date.now()));
    done();
  } catch (error) {
    done(error as Error);
  }
}

/** Its sender's `source` and `id` make a CloudEvent one and the same, however often it comes. */
function eventBodyOf({ id, source, event_name, version, headers, payload }: Envelope): EventBody {
  // The trace is that of the call.
  const { traceparent: _parent, tracestate: _state, ...own } = headers;
  return { event_name, version, payload, headers: { idempotency_key: `${source} ${id}`, ...own } };
}

/** @throws NEIRA_INVALID */
function lastEventIdOf({ headers }: FastifyRequest): number | undefined {
  const id = headers['last-event-id'];
  if (id === undefined || id === '') return undefined;
  if (typeof id === 'string' && /^\d{1,15}$/.test(id)) return Number(id);
  throw invalid('The header', [
    { path: 'Last-Event-ID', message: 'must be the `id` of an event of this host' },
  ]);
}

/** The key of the header and that of the body are one. @throws NEIRA_INVALID when they are two */
function withKey(body: EventBody, request: FastifyRequest): EventBody {
  const key = idempotencyKeyOf(request);
  if (key === undefined) return body;
  const inBody = body.headers?.['idempotency_key'];
  if (inBody !== undefined && inBody !== key)
    throw invalid('The header', [
      { path: 'Idempotency-Key', message: 'must be the same as `headers.idempotency_key` of the body' },
    ]);
  return { ...body, headers: { ...body.headers, idempotency_key: key } };
}
