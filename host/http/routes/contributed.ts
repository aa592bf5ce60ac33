/** Calls that the host does not have itself: perhaps a plugin contributes them. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { NeiraError } from '../../errors.ts';
import type { HostApi } from '../api.ts';
import { idempotencyKeyOf, sendJson } from './route.ts';

const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** Past the door like every call. @throws NEIRA_NOT_FOUND */
export async function contributedCall(
  api: Pick<HostApi, 'contributedCall'>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { method, url, caller, query, body, traceparent } = request;
  const [path = ''] = url.split('?', 1);
  const idempotencyKey = idempotencyKeyOf(request);
  const answer = await api.contributedCall(caller, {
    method,
    path,
    query: query as Record<string, unknown>,
    body,
    ...(traceparent !== undefined && { traceparent }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
  });
  if (!answer)
    throw new NeiraError('NEIRA_NOT_FOUND', { what: 'call', id: `${method} ${path.slice(0, 200)}` });
  const { status, json, problem } = answer;
  if (json !== undefined) return sendJson(reply.code(status), json);
  if (!problem) return reply.code(status).send();
  const document = { type: `urn:neira:error:${problem.code}`, title: problem.code, status, ...problem };
  return reply.code(status).header('content-type', PROBLEM_TYPE).send(JSON.stringify(document));
}
