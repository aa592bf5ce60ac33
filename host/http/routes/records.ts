import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { EventBody, SearchQuery } from '../api.ts';
import { addRoute, queryOf, type RouteContext } from './route.ts';

const NDJSON = 'application/x-ndjson; charset=utf-8';
const CHUNK_BYTES = 64 * 1024;
/** A reader that takes nothing for this long is gone; what it reads from is released. */
const STALLED_MS = 60_000;

export function recordRoutes(context: RouteContext): void {
  const { api, log } = context;
  addRoute(context, 'GET /api/neira/journal', 'read', (request) => {
    const { after, limit } = queryOf<{ after: number; limit: number }>(request);
    return { entries: api.readJournal(request.caller, after, limit) };
  });
  addRoute(context, 'GET /api/neira/events', 'read', (request) => ({
    events: api.readEvents(
      request.caller,
      queryOf<{ subject?: string; since?: string; limit: number }>(request),
    ),
  }));
  addRoute(context, 'POST /api/neira/events', 'write', (request) =>
    api.publishEvent(request.caller, request.body as EventBody),
  );
  addRoute(context, 'GET /api/neira/search', 'read', (request, reply) => {
    const found = api.search(request.caller, queryOf<SearchQuery>(request));
    if (!(request.headers.accept ?? '').includes('application/x-ndjson')) return found;
    return reply
      .header('content-type', NDJSON)
      .send(found.results.map((one) => `${JSON.stringify(one)}\n`).join(''));
  });
  addRoute(context, 'GET /api/neira/export', 'read', (request, reply) => {
    const chunks = inChunks(api.exportLines(request.caller, queryOf<SearchQuery>(request)));
    // What fails before the first line is a problem document like any other; later only the cut stream tells.
    const first = chunks.next();
    const stream = Readable.from(first.done ? [] : withFirst(first.value, chunks), {
      objectMode: false,
      highWaterMark: CHUNK_BYTES,
    });
    stream.on('error', (err) => log.error({ err, request: request.id }, 'an export broke off'));
    endWhenStalled(reply);
    return reply.header('content-type', NDJSON).send(stream);
  });
}

/** Lines gathered to chunks, so that a million of them are not a million writes. Pulled only as fast as they are read. */
function* inChunks(lines: Iterable<string>): Generator<string, undefined> {
  let chunk = '';
  for (const line of lines) {
    chunk += line.endsWith('\n') ? line : `${line}\n`;
    if (chunk.length >= CHUNK_BYTES) {
      yield chunk;
      chunk = '';
    }
  }
  if (chunk !== '') yield chunk;
}

function* withFirst(first: string, rest: Generator<string>): Generator<string> {
  try {
    yield first;
    yield* rest;
  } finally {
    rest.return(undefined);
  }
}

function endWhenStalled(reply: FastifyReply): void {
  reply.raw.setTimeout(STALLED_MS, () => reply.raw.destroy());
}
