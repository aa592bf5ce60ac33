import { renderDocs } from '../docs.ts';
import { addRoute, type RouteContext, sendJson } from './route.ts';

export function metaRoutes(context: RouteContext): void {
  const { api, contract } = context;
  addRoute(context, 'GET /healthz', 'open', () => api.health());

  addRoute(context, 'GET /metrics', 'read', async (_request, reply) => {
    const { contentType, text } = await api.metrics();
    return reply.header('content-type', contentType).send(text);
  });
  addRoute(context, 'GET /api/neira/status', 'read', ({ caller }) => api.status(caller));

  addRoute(context, 'GET /api/neira/commands', 'read', ({ caller }) => ({
    commands: api.listCommands(caller),
  }));

  addRoute(context, 'GET /openapi.json', 'read', ({ caller }, reply) => {
    const document = contract.document as { readonly paths: object };
    const paths = { ...document.paths, ...api.contributedPaths(caller) };
    return sendJson(reply, JSON.stringify({ ...document, paths }));
  });

  let page: ReturnType<typeof renderDocs> | undefined;
  addRoute(context, 'GET /docs', 'read', (_request, reply) => {
    page ??= renderDocs(contract);
    return reply
      .header('content-type', 'text/html; charset=utf-8')
      .header('content-security-policy', page.policy)
      .header('referrer-policy', 'no-referrer')
      .send(page.html);
  });
}
