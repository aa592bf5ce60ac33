import type { SearchQuery } from '../api.ts';
import { accepts, NDJSON, sendLines } from '../streams.ts';
import { addRoute, queryOf, type RouteContext } from './route.ts';

export function recordRoutes(context: RouteContext): void {
  const { api } = context;
  addRoute(context, 'GET /api/neira/journal', 'read', (request) => {
    const { after, limit } = queryOf<{ after: number; limit: number }>(request);
    return { entries: api.readJournal(request.caller, after, limit) };
  });
  addRoute(context, 'GET /api/neira/search', 'read', async (request, reply) => {
    const found = await api.search(request.caller, queryOf<SearchQuery>(request));
    if (!accepts(request, 'application/x-ndjson')) return found;
    return reply
      .header('content-type', NDJSON)
      .send(found.results.map((one) => `${JSON.stringify(one)}\n`).join(''));
  });
  addRoute(context, 'GET /api/neira/export', 'read', (request, reply) => {
    return sendLines(context, request, reply, api.exportLines(request.caller, queryOf<SearchQuery>(request)));
  });
}
