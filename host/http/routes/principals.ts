import type { FastifyRequest } from 'fastify';
import { invalid } from '../problem.ts';
import { addRoute, idOf, queryOf, type RouteContext, type Values } from './route.ts';

/** On whose behalf plugins act: who they are, and what they are granted. */
export function principalRoutes(context: RouteContext): void {
  const { api } = context;
  const all = '/api/neira/plugins/:id/principals' as const;

  addRoute(context, `GET ${all}`, 'read', (request) => ({
    principals: api.listPrincipals(request.caller, idOf(request)),
  }));
  addRoute(context, `PUT ${all}/:principal/grants`, 'admin', (request) =>
    api.grantPrincipal(request.caller, idOf(request), principalOf(request), grantsOf(request)),
  );
  addRoute(context, `DELETE ${all}/:principal`, 'admin', async (request, reply) => {
    await api.removePrincipal(request.caller, idOf(request), principalOf(request));
    return reply.code(204).send();
  });
}

function principalOf(request: FastifyRequest): string {
  return (request.params as Values)['principal']!;
}

/** @throws NEIRA_INVALID unless it is either the permissions or all that is asked for. */
function grantsOf(request: FastifyRequest): unknown {
  const { grant } = queryOf<{ grant?: 'all' }>(request);
  const { permissions } = (request.body ?? {}) as { permissions?: unknown };
  if ((grant === undefined) === (permissions === undefined))
    throw invalid('The call', [
      { path: 'permissions', message: 'must be given, or `?grant=all` in its place' },
    ]);
  return grant ?? permissions;
}
