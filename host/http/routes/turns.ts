import type { DryRunBody } from '../dry-run-api.ts';
import type { TurnsQuery, TurnsReplayBody } from '../turns-api.ts';
import { addRoute, idOf, queryOf, type RouteContext } from './route.ts';

const TURNS = '/api/neira/turns';

/** Turns that ran: what is kept of them, and what they do when they are run again. */
export function turnRoutes(context: RouteContext): void {
  const { api } = context;
  addRoute(context, `GET ${TURNS}`, 'read', (request) =>
    api.listTurns(request.caller, queryOf<TurnsQuery>(request)),
  );
  addRoute(context, 'POST /api/neira/dry-run', 'write', (request) =>
    api.dryRun(request.caller, request.body as DryRunBody),
  );
  addRoute(context, `POST ${TURNS}/replay`, 'admin', (request) =>
    api.replayTurns(request.caller, request.body as TurnsReplayBody),
  );
  addRoute(context, `GET ${TURNS}/:id`, 'read', (request) => api.getTurn(request.caller, idOf(request)));
  addRoute(context, `GET ${TURNS}/:id/fixture`, 'admin', (request) =>
    api.turnFixture(request.caller, idOf(request)),
  );
  addRoute(context, `POST ${TURNS}/:id/replay`, 'admin', (request) => {
    const { version } = (request.body ?? {}) as { version?: string };
    return api.replayTurn(request.caller, idOf(request), version);
  });
}
