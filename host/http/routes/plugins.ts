import multipart from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { NeiraError } from '../../errors.ts';
import type { Registration, RehearsalView } from '../api.ts';
import { badRequest, invalid } from '../problem.ts';
import { addRoute, idOf, isTrue, queryOf, type RouteContext } from './route.ts';

/** Room for the boundaries and headers of a form beside its one file. */
const FORM_OVERHEAD_BYTES = 16 * 1024;

export function pluginRoutes(context: RouteContext): void {
  const { app, api } = context;
  const one = '/api/neira/plugins/:id' as const;

  addRoute(context, 'GET /api/neira/plugins', 'read', ({ caller }) => ({ plugins: api.listPlugins(caller) }));
  addRoute(context, 'GET /api/neira/catalog', 'read', async ({ caller }) => ({
    plugins: await api.listCatalog(caller),
  }));
  // Forms are read on this call alone, so its parser lives in a scope of its own.
  app.register(async (scope) => registerRoute({ ...context, app: scope }));

  addRoute(context, `GET ${one}`, 'read', (request) => api.getPlugin(request.caller, idOf(request)));
  addRoute(context, `DELETE ${one}`, 'admin', async (request, reply) => {
    const { data } = queryOf<{ data?: 'keep' | 'drop' }>(request);
    await api.removePlugin(request.caller, idOf(request), data === 'drop');
    return reply.code(204).send();
  });
  addRoute(context, `POST ${one}/enable`, 'admin', (request) =>
    api.enablePlugin(request.caller, idOf(request)),
  );
  addRoute(context, `POST ${one}/disable`, 'admin', (request) =>
    api.disablePlugin(request.caller, idOf(request)),
  );
  addRoute(context, `GET ${one}/rehearsal`, 'read', (request) =>
    api.getRehearsal(request.caller, idOf(request)),
  );
  addRoute(context, `PUT ${one}/rehearsal`, 'admin', (request) => {
    const { mode } = request.body as { mode: RehearsalView['mode'] };
    return api.setRehearsal(request.caller, idOf(request), mode);
  });
  addRoute(context, `POST ${one}/rehearsal/accept`, 'admin', (request) =>
    api.acceptRehearsal(request.caller, idOf(request)),
  );
  addRoute(context, `POST ${one}/reload`, 'admin', (request) =>
    api.reloadPlugin(request.caller, idOf(request)),
  );
  addRoute(context, `POST ${one}/rollback`, 'admin', (request) => {
    const body = request.body as { version?: string } | null | undefined;
    return api.rollbackPlugin(request.caller, idOf(request), body?.version);
  });
  addRoute(context, `PUT ${one}/grants`, 'admin', (request) => {
    const { permissions } = request.body as { permissions: unknown };
    return api.grantPlugin(request.caller, idOf(request), permissions);
  });
  addRoute(context, `GET ${one}/settings`, 'read', (request) =>
    api.getSettings(request.caller, idOf(request)),
  );
  addRoute(context, `PUT ${one}/settings`, 'admin', (request) => {
    const { settings } = request.body as { settings: unknown };
    return api.putSettings(request.caller, idOf(request), settings);
  });
  addRoute(context, `GET ${one}/logs`, 'read', (request) => {
    const { limit } = queryOf<{ limit: number }>(request);
    return { lines: api.pluginLogs(request.caller, idOf(request), limit) };
  });
}

async function registerRoute(context: RouteContext): Promise<void> {
  const { app, api, uploadLimitBytes } = context;
  await app.register(multipart, {
    limits: {
      files: 1,
      fields: 8,
      parts: 9,
      fieldSize: 4096,
      fieldNameSize: 100,
      headerPairs: 50,
      fileSize: uploadLimitBytes,
    },
  });
  addRoute(
    context,
    'POST /api/neira/plugins',
    'admin',
    async (request, reply) => {
      const { enable, grant } = queryOf<{ enable?: string; grant?: 'all' }>(request);
      const what = request.isMultipart()
        ? await readZip(request, uploadLimitBytes)
        : registrationOf(request.body);
      const options = { enable: isTrue(enable), grantAll: grant === 'all' };
      const { created, plugin } = await api.registerPlugin(request.caller, what, options);
      if (created) reply.code(201).header('location', `/api/neira/plugins/${encodeURIComponent(plugin.id)}`);
      return plugin;
    },
    { bodyLimit: uploadLimitBytes },
  );
}

interface RegistrationBody {
  readonly manifest?: unknown;
  readonly files?: unknown;
  readonly signature?: unknown;
  readonly path?: string;
  readonly catalog?: string;
}

/** The schema knows the members; that they exclude each other is said here, with a better sentence than `oneOf`. */
function registrationOf(body: unknown): Registration {
  const { manifest, files, signature, path, catalog } = (body ?? {}) as RegistrationBody;
  const ways = [manifest, path, catalog].filter((way) => way !== undefined).length;
  if (ways !== 1) throw refuse('$', 'must have exactly one of manifest, path and catalog');
  if (manifest !== undefined) {
    if (files === undefined) throw refuse('files', 'is missing');
    return { from: 'inline', manifest, files, ...(signature !== undefined && { signature }) };
  }
  if (files !== undefined) throw refuse('files', 'belongs to an inline manifest');
  if (signature !== undefined) throw refuse('signature', 'belongs to an inline manifest');
  return path !== undefined ? { from: 'path', path } : { from: 'catalog', id: catalog! };
}

async function readZip(request: FastifyRequest, limitBytes: number): Promise<Registration> {
  const tooLarge = new NeiraError('NEIRA_BODY_TOO_LARGE', { maxBytes: limitBytes });
  if (Number(request.headers['content-length'] ?? 0) > limitBytes + FORM_OVERHEAD_BYTES) throw tooLarge;
  try {
    let bytes: Buffer | undefined;
    for await (const part of request.parts()) {
      if (part.type === 'file') bytes = await part.toBuffer();
    }
    if (bytes === undefined) throw badRequest('the form carries no file');
    return { from: 'zip', bytes };
  } catch (error) {
    const { code, statusCode } = error as { code?: string; statusCode?: number };
    if (code === 'FST_REQ_FILE_TOO_LARGE') throw tooLarge;
    if (code?.startsWith('FST_') || statusCode === 413)
      throw badRequest('the form must carry one file and little else');
    if (code?.startsWith('NEIRA_')) throw error;
    throw badRequest('the form is malformed');
  }
}

function refuse(path: string, message: string): NeiraError {
  return invalid('The body', [{ path, message }]);
}
