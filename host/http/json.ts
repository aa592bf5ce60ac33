import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { CLOUD_EVENT_TYPE } from '../bus/cloud-events.ts';
import { badRequest } from './problem.ts';

/** Deeper bodies overflow the stack of whoever walks them recursively. */
export const MAX_DEPTH = 64;

/** `{` and `[` differ in this bit alone, and so do `}` and `]`. */
const CURLY_BIT = 0x20;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Reads bodies that are JSON, also those of CloudEvents: UTF-8, at most {@link MAX_DEPTH} deep, without `__proto__` or
 * `constructor.prototype` keys. An empty body is no body, as clients send it with a content type out of habit.
 */
export function acceptJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser<Buffer>(
    ['application/json', CLOUD_EVENT_TYPE],
    { parseAs: 'buffer' },
    (request, body, done) => {
      if (body.length === 0) return done(null, undefined);
      if (!isUtf8(body)) return done(badRequest('the body is not UTF-8'));
      if (isDeeperThan(body, MAX_DEPTH))
        return done(badRequest(`the body is nested more than ${MAX_DEPTH} deep`));
      parse(request, body.toString(), (error, value) => {
        if (error) done(badRequest('the body is not JSON'));
        else done(null, value);
      });
    },
  );
}

/** Counts brackets outside of strings; on what is not JSON it may err, which the parser then finds. */
export function isDeeperThan(body: Buffer, max: number): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at]!;
    if (inString) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if ((byte | CURLY_BIT) === OPEN) {
      if (++depth > max) return true;
    } else if ((byte | CURLY_BIT) === CLOSE) depth--;
  }
  return false;
}
