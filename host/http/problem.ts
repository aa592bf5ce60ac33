import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { traceIdOf } from '../base/trace-context.ts';
import {
  type ErrorDetails,
  type ErrorShape,
  isNeiraError,
  NeiraError,
  type Problem,
  toProblem,
} from '../errors.ts';
import { compileSchema, summary } from '../schema.ts';
import type { JsonSchema } from './openapi.ts';

/** What the HTTP layer writes to; pino's shape. */
export interface HttpLog {
  error(details: object, message: string): void;
  warn(details: object, message: string): void;
  info(details: object, message: string): void;
}

const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/**
 * Answers with the problem document of whatever was thrown.
 *
 * What a caller may know is in the catalogue. A mistake of the host is logged under the id of the request and
 * answered with that id alone: no message, stack or path of the host leaves it.
 *
 * @param mask takes secrets out of what the error says.
 */
export function sendProblem(
  log: HttpLog,
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  mask: (details: ErrorDetails) => ErrorDetails,
): void {
  const error = asNeiraError(thrown, reply);
  const problem = publicProblem({ code: error.code, details: mask(error.details) }, request.id);
  const trace = request.traceparent ? { trace_id: traceIdOf(request.traceparent) } : {};
  if (problem['request_id'] !== undefined) {
    log.error(
      {
        err: thrown,
        code: error.code,
        request: request.id,
        ...trace,
        method: request.method,
        route: request.routeOptions.url,
      },
      'a call failed by the fault of the host',
    );
  }
  setErrorHeaders(error, request, reply);
  reply
    .code(problem.status)
    .header('content-type', PROBLEM_TYPE)
    .send(JSON.stringify({ ...problem, ...trace }));
}

/** The document of an error as it may leave the host. */
export function publicProblem(error: ErrorShape, requestId: string): Problem {
  const { stack: _, ...details } = error.details;
  if (error.code === 'NEIRA_INTERNAL' || error.code === 'NEIRA_STORE_FAILED') {
    const reason = `see its log, request ${requestId}`;
    return { ...toProblem(new NeiraError(error.code, { reason })), request_id: requestId };
  }
  return toProblem({ code: error.code, details });
}

/** Fastify's own refusals, and anything else, as an entry of the catalogue. */
function asNeiraError(thrown: unknown, reply: FastifyReply): NeiraError {
  if (isNeiraError(thrown)) return thrown;
  const error = thrown as Partial<FastifyError> | null;
  switch (error?.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new NeiraError('NEIRA_BODY_TOO_LARGE', { maxBytes: reply.request.routeOptions.bodyLimit });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return badRequest('this call does not take the content type of the body');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return badRequest('the body is not as long as Content-Length says');
    case 'FST_ERR_BAD_URL':
      return badRequest('the address is not properly percent-encoded');
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return badRequest('a part of the address is too long');
  }
  if (typeof error?.statusCode === 'number' && error.statusCode >= 400 && error.statusCode < 500) {
    return badRequest(
      error.statusCode === 400 && error instanceof SyntaxError ? 'the body is not JSON' : 'it is malformed',
    );
  }
  return new NeiraError('NEIRA_INTERNAL', {}, { cause: thrown });
}

export function badRequest(reason: string): NeiraError {
  return new NeiraError('NEIRA_BAD_REQUEST', { reason });
}

const PLACES: Readonly<Record<string, string>> = {
  body: 'The body',
  querystring: 'The query',
  params: 'The address',
};

/**
 * What fastify calls for each part of a request that has a schema: NEIRA_INVALID with every failing path.
 * A schema is compiled when a request first needs it: compiling all of them would be a third of a boot.
 */
export function compileValidator({ schema, httpPart }: { schema: JsonSchema; httpPart?: string }) {
  const what = PLACES[httpPart ?? ''] ?? 'The request';
  return (value: unknown): boolean | { error: NeiraError } => {
    const errors = compileSchema(schema).problems(value);
    return errors.length === 0 || { error: invalid(what, errors) };
  };
}

export function invalid(what: string, errors: readonly { path: string; message: string }[]): NeiraError {
  return new NeiraError('NEIRA_INVALID', { what, reason: summary(errors), errors });
}

function setErrorHeaders(error: NeiraError, request: FastifyRequest, reply: FastifyReply): void {
  switch (error.code) {
    case 'NEIRA_UNAUTHENTICATED':
      reply.header(
        'www-authenticate',
        request.headers.authorization !== undefined
          ? 'Bearer realm="neira", error="invalid_token"'
          : 'Bearer realm="neira"',
      );
      return;
    case 'NEIRA_FORBIDDEN':
      reply.header(
        'www-authenticate',
        `Bearer realm="neira", error="insufficient_scope", scope="${error.details['scope']}"`,
      );
      return;
    case 'NEIRA_RATE_LIMITED':
      reply.header('retry-after', String(error.details['retryAfterSeconds'] ?? 1));
      return;
    case 'NEIRA_BUSY':
    case 'NEIRA_MAILBOX_FULL':
    case 'NEIRA_TOO_MANY_TAILS':
      reply.header('retry-after', '1');
      return;
    case 'NEIRA_STOPPING':
      reply.header('retry-after', '5').header('connection', 'close');
      return;
  }
}
