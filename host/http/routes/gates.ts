import type { Mode, Stage } from '../../../gates/gates.ts';
import { addRoute, idOf, queryOf, type RouteContext } from './route.ts';

export function gateRoutes(context: RouteContext): void {
  const { api } = context;
  addRoute(context, 'GET /api/neira/gates', 'read', ({ caller }) => ({ gates: api.listGates(caller) }));
  addRoute(context, 'GET /api/neira/gates/match', 'read', (request) =>
    api.matchPhrase(request.caller, queryOf<{ phrase: string }>(request).phrase),
  );
  addRoute(context, 'PUT /api/neira/gates/:id', 'admin', (request) => {
    const { stage, force = false } = request.body as { stage: Stage; force?: boolean };
    return api.setGate(request.caller, idOf(request), stage, force);
  });
  addRoute(context, 'GET /api/neira/mode', 'read', ({ caller }) => api.getMode(caller));
  addRoute(context, 'PUT /api/neira/mode', 'admin', (request) =>
    api.setMode(request.caller, (request.body as { mode: Mode }).mode),
  );
}
