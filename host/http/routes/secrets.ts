import { invalid } from '../problem.ts';
import { addRoute, type RouteContext, type Values } from './route.ts';

/** The body of a secret goes to the host and nowhere else: no refusal shows any part of it. */
export function secretRoutes(context: RouteContext): void {
  const { api } = context;
  const one = '/api/neira/secrets/:name' as const;
  addRoute(context, 'GET /api/neira/secrets', 'admin', ({ caller }) => ({
    secrets: api.listSecrets(caller),
  }));
  addRoute(context, `PUT ${one}`, 'admin', async (request, reply) => {
    const { value, ...others } = request.body as { value: string };
    // The contract leaves the body open, because a field that is not known would be named.
    if (Object.keys(others).length > 0)
      throw invalid('The body', [{ path: '$', message: 'must have `value` and nothing else' }]);
    const { created, secret } = await api.setSecret(request.caller, nameOf(request.params), value);
    reply.code(created ? 201 : 200);
    return secret;
  });
  addRoute(context, `DELETE ${one}`, 'admin', async (request, reply) => {
    await api.removeSecret(request.caller, nameOf(request.params));
    return reply.code(204).send();
  });
  addRoute(context, 'POST /api/neira/secrets/rotate-key', 'admin', ({ caller }) =>
    api.rotateSecretKey(caller),
  );
}

function nameOf(params: unknown): string {
  return (params as Values)['name']!;
}
