import type { Scope } from '../../../gates/gates.ts';
import { addRoute, idOf, type RouteContext } from './route.ts';

interface Draft {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly expires_at?: string;
}

export function tokenRoutes(context: RouteContext): void {
  const { api } = context;
  addRoute(context, 'GET /api/neira/tokens', 'admin', ({ caller }) => ({ tokens: api.listTokens(caller) }));
  addRoute(context, 'POST /api/neira/tokens', 'admin', async (request, reply) => {
    const { name, scopes, expires_at } = request.body as Draft;
    const draft = { name, scopes, ...(expires_at !== undefined && { expiresAt: expires_at }) };
    const token = await api.createToken(request.caller, draft);
    reply.code(201);
    return token;
  });
  addRoute(context, 'DELETE /api/neira/tokens/:id', 'admin', async (request, reply) => {
    await api.revokeToken(request.caller, idOf(request));
    return reply.code(204).send();
  });
  addRoute(context, 'POST /api/neira/backup', 'admin', async (request, reply) => {
    const backup = await api.backup(request.caller);
    reply.code(201);
    return backup;
  });
}
