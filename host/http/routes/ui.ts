import type { FastifyRequest } from 'fastify';
import type { UiEventBody, UiEventOptions } from '../api.ts';
import { addRoute, idempotencyKeyOf, isTrue, queryOf, type RouteContext } from './route.ts';

export function uiRoutes(context: RouteContext): void {
  const { api } = context;
  addRoute(context, 'GET /api/neira/ui/tools', 'read', ({ caller }) => ({ tools: api.listTools(caller) }));
  // The hot path: one validated object goes in, one reply comes out.
  addRoute(context, 'POST /api/neira/ui/events', 'write', (request) => {
    const body = request.body as UiEventBody;
    return api.uiEvent(
      request.caller,
      body.context === undefined ? { ...body, context: {} } : body,
      optionsOf(request),
    );
  });
}

const MAX_LANGUAGE_CHARS = 200;

function optionsOf(request: FastifyRequest): UiEventOptions {
  const { traceparent } = request;
  const dryRun = isTrue(queryOf<{ dry_run?: string }>(request).dry_run);
  const idempotencyKey = idempotencyKeyOf(request);
  const accepted = request.headers['accept-language'];
  // `*` is what clients send that do not care.
  const language = accepted === '*' ? undefined : accepted;
  return {
    dryRun,
    traceparent,
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(language !== undefined && { acceptLanguage: language.slice(0, MAX_LANGUAGE_CHARS) }),
  };
}
