import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Scope } from '../../gates/gates.ts';
import { NeiraError } from '../errors.ts';
import type { Caller, HostApi } from './api.ts';
import type { OriginGuard } from './origin.ts';
import type { RateLimit } from './rate.ts';

/** What a route needs of a token. `open` is for /healthz alone. */
export type Access = Scope | 'open';

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
  }
  interface FastifyRequest {
    /** Who calls; set before a route runs, on every route but an open one. */
    caller: Caller;
  }
}

const RANK: Readonly<Record<Scope, number>> = { read: 1, write: 2, admin: 3 };
const BEARER = /^Bearer +([\x21-\x7e]{1,512})$/i;
const ALLOWED_METHODS = 'GET, POST, PUT, DELETE';
const ALLOWED_HEADERS = 'authorization, content-type, idempotency-key, last-event-id, traceparent';
const EXPOSED_HEADERS = 'location, retry-after';
const PREFLIGHT_SECONDS = '600';

export interface DoorSettings {
  readonly api: HostApi;
  readonly guard: OriginGuard;
  readonly rate: RateLimit;
  readonly isStopping: () => boolean;
}

/**
 * The door that every call passes, before its body is read: Host, Origin, rate, token, scope.
 *
 * An address that does not exist asks for a token like any other, so that a stranger learns nothing of the routes.
 * The calls of a token are counted apart from those of strangers of the same address.
 */
export function createDoor({ api, guard, rate, isStopping }: DoorSettings) {
  return function door(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
    try {
      if (isStopping()) throw new NeiraError('NEIRA_STOPPING');
      guard.requireHost(request.headers.host);
      const { origin } = request.headers;
      if (origin !== undefined) {
        guard.requireOrigin(origin);
        reply
          .header('access-control-allow-origin', origin)
          .header('access-control-expose-headers', EXPOSED_HEADERS)
          .header('vary', 'Origin');
        if (request.method === 'OPTIONS') {
          answerPreflight(reply);
          return;
        }
      }
      admit(request);
    } catch (error) {
      done(error as Error);
      return;
    }
    done();
  };

  function admit(request: FastifyRequest): void {
    const { access = 'read' } = request.routeOptions.config;
    const header = access === 'open' ? undefined : request.headers.authorization;
    const token = header === undefined ? undefined : BEARER.exec(header)?.[1];
    const caller = token === undefined ? undefined : api.authenticate(token);
    const waitSeconds = rate.take(caller === undefined ? `ip:${request.ip}` : caller.tokenId);
    if (waitSeconds > 0) throw new NeiraError('NEIRA_RATE_LIMITED', { retryAfterSeconds: waitSeconds });
    if (access === 'open') return;
    if (caller === undefined) throw new NeiraError('NEIRA_UNAUTHENTICATED');
    if (RANK[caller.scope] < RANK[access]) throw new NeiraError('NEIRA_FORBIDDEN', { scope: access });
    request.caller = caller;
  }
}

function answerPreflight(reply: FastifyReply): void {
  reply
    .code(204)
    .header('access-control-allow-methods', ALLOWED_METHODS)
    .header('access-control-allow-headers', ALLOWED_HEADERS)
    .header('access-control-max-age', PREFLIGHT_SECONDS)
    .send();
}
