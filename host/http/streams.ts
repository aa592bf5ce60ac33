/** Answers that are not sent in one piece: lines of an export, and live events. */
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { TailPage } from './bus-api.ts';
import type { HttpLog } from './problem.ts';

export const NDJSON = 'application/x-ndjson; charset=utf-8';
export const EVENT_STREAM = 'text/event-stream; charset=utf-8';
/** How long a live stream is silent at most. */
export const HEARTBEAT_MS = 15_000;
/** When a browser comes back after the stream ended. */
const RECONNECT_MS = 1000;
const CHUNK_BYTES = 64 * 1024;
/** A reader that takes nothing for this long is gone; what it reads from is released. */
const STALLED_MS = 60_000;

interface StreamContext {
  readonly log: HttpLog;
  /** Aborted when the server closes. */
  readonly closing: AbortSignal;
}

export function accepts(request: FastifyRequest, mediaType: string): boolean {
  return (request.headers.accept ?? '').includes(mediaType);
}

/** Pulled only as fast as they are read. What fails before the first line is a problem document like any other. */
export function sendLines(
  { log }: Pick<StreamContext, 'log'>,
  request: FastifyRequest,
  reply: FastifyReply,
  lines: Iterable<string>,
): FastifyReply {
  const chunks = inChunks(lines);
  const first = chunks.next();
  const stream = Readable.from(first.done ? [] : withFirst(first.value, chunks), {
    objectMode: false,
    highWaterMark: CHUNK_BYTES,
  });
  // Later only the cut stream tells.
  stream.on('error', (err) => log.error({ err, request: request.id }, 'an export broke off'));
  endWhenStalled(reply);
  return reply.header('content-type', NDJSON).send(stream);
}

/**
 * Sends live events as Server-Sent Events until the client leaves or the server closes. The next page is asked for
 * when the one before it was taken, so a slow client is waited for and nothing gathers here.
 * @throws what the first page says
 */
export async function sendEvents(
  { log, closing }: StreamContext,
  request: FastifyRequest,
  reply: FastifyReply,
  pagesUntil: (signal: AbortSignal) => AsyncGenerator<TailPage, undefined>,
): Promise<FastifyReply> {
  const left = new AbortController();
  reply.raw.once('close', () => left.abort());
  const pages = pagesUntil(AbortSignal.any([left.signal, closing]));
  const first = await pages.next();
  const stream = Readable.from(eventTexts(first, pages), { objectMode: false, highWaterMark: CHUNK_BYTES });
  stream.on('error', (err) => {
    if (!left.signal.aborted) log.error({ err, request: request.id }, 'a tail of events broke off');
  });
  endWhenStalled(reply);
  // What is measured is how long the client waited for its stream, not how long it listened.
  request.answeredAfterMs = reply.elapsedTime;
  return reply.header('content-type', EVENT_STREAM).header('x-accel-buffering', 'no').send(stream);
}

async function* eventTexts(
  first: IteratorResult<TailPage, undefined>,
  pages: AsyncGenerator<TailPage, undefined>,
): AsyncGenerator<string> {
  try {
    yield `retry: ${RECONNECT_MS}\n`;
    for (let next = first; !next.done; next = await pages.next()) yield textOf(next.value);
  } finally {
    await pages.return(undefined);
  }
}

/** Without events it keeps the connection open, and moves the place from which the client would go on. */
function textOf({ events, seenTo }: TailPage): string {
  if (events.length === 0) return `: still here\nid: ${seenTo}\n\n`;
  return events
    .map(({ seq, name, envelope }) => `id: ${seq}\nevent: ${oneLine(name)}\ndata: ${oneLine(envelope)}\n\n`)
    .join('');
}

/** Between the tokens of a JSON text a plugin may have put line breaks, which would begin another field. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ');
}

/** Lines gathered to chunks, so that a million of them are not a million writes. */
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
