import type { FastifyInstance } from 'fastify';
import { childOf, formatTraceparent, newTrace, parseTraceparent } from '../base/trace-context.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Of the span that this call is; '' before the first hook. */
    traceparent: string;
    /** Span of the client, when it sent a trace to go on with. */
    parentSpanId: string | undefined;
    /** Set by a call whose answer has no end of its own. */
    answeredAfterMs: number | undefined;
  }
}

/** Told of every call that was answered, refused ones included. Must be quick and must not throw. */
export interface HttpObserver {
  requestEnded(request: EndedRequest): void;
}

export interface EndedRequest {
  readonly method: string;
  /** The pattern of the route; `none` for an address that does not exist. */
  readonly route: string;
  readonly status: number;
  readonly tookMs: number;
  readonly traceparent: string;
  readonly parentSpanId: string | undefined;
}

/** Gives each call its place in a trace: the client's when it sent a valid one, else a new one (OBS-05). */
export function traceRequests(app: FastifyInstance, observer: HttpObserver | undefined): void {
  app.decorateRequest('traceparent', '');
  app.decorateRequest('parentSpanId', undefined);
  app.decorateRequest('answeredAfterMs', undefined);
  app.addHook('onRequest', (request, _reply, done) => {
    const given = request.headers['traceparent'];
    const parent = typeof given === 'string' ? parseTraceparent(given) : undefined;
    request.traceparent = parent === undefined ? newTrace() : childOf(formatTraceparent(parent));
    request.parentSpanId = parent?.spanId;
    done();
  });
  if (observer === undefined) return;
  app.addHook('onResponse', (request, reply, done) => {
    observer.requestEnded({
      method: request.method,
      route: request.routeOptions.url ?? 'none',
      status: reply.statusCode,
      tookMs: request.answeredAfterMs ?? reply.elapsedTime,
      traceparent: request.traceparent,
      parentSpanId: request.parentSpanId,
    });
    done();
  });
}
