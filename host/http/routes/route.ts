import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { HostApi } from '../api.ts';
import type { Access } from '../auth.ts';
import {
  type Contract,
  documentedPath,
  type IntegerParameter,
  integerParameters,
  routeSchema,
} from '../openapi.ts';
import { type HttpLog, invalid } from '../problem.ts';

/** What every file of routes is handed. */
export interface RouteContext {
  readonly app: FastifyInstance;
  readonly api: HostApi;
  readonly contract: Contract;
  readonly log: HttpLog;
  readonly uploadLimitBytes: number;
  /** Aborted when the server closes, for answers that would not end by themselves. */
  readonly closing: AbortSignal;
}

export type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown;

/** The parameters of a path and of a query, after validation. */
export type Values = Readonly<Record<string, string>>;

const JSON_TYPE = 'application/json; charset=utf-8';

/**
 * Adds one call. Its schemas are those of the contract; a call that the contract does not have is a mistake of
 * ours and stops the boot. What the handler returns is the body; undefined means that it answered itself.
 */
export function addRoute(
  { app, contract }: RouteContext,
  call: `${'GET' | 'POST' | 'PUT' | 'DELETE'} /${string}`,
  access: Access,
  handler: Handler,
  options: Partial<RouteOptions> = {},
): void {
  const [method, url] = call.split(' ') as [string, string];
  const operation = contract.operations.get(`${method} ${documentedPath(url)}`);
  if (operation === undefined) throw new Error(`abi/http/openapi.yaml does not describe ${call}`);
  const integers = integerParameters(operation);
  app.route({
    method,
    url,
    handler: (request, reply) => handler(request, reply),
    schema: routeSchema(operation),
    config: { access },
    serializerCompiler: () => JSON.stringify,
    ...(integers.length > 0 && { preValidation: readIntegers(integers) }),
    ...options,
  });
}

/** `{id}` of the path. */
export function idOf(request: FastifyRequest): string {
  return (request.params as Values)['id']!;
}

export function queryOf<T>(request: FastifyRequest): T {
  return request.query as T;
}

export function isTrue(flag: string | undefined): boolean {
  return flag === '1' || flag === 'true';
}

const PRINTABLE = /^[\x20-\x7e]{1,200}$/;

/** @throws NEIRA_INVALID */
export function idempotencyKeyOf({ headers }: FastifyRequest): string | undefined {
  const key = headers['idempotency-key'];
  if (key === undefined || (typeof key === 'string' && PRINTABLE.test(key))) return key;
  const message = 'must be 1 to 200 printable ASCII characters';
  throw invalid('The header', [{ path: 'Idempotency-Key', message }]);
}

/** A finished JSON text, sent as it is. */
export function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.header('content-type', JSON_TYPE).send(text);
}

/** Makes numbers of the query parameters that look like such, and fills in defaults; the schema judges the rest. */
function readIntegers(parameters: readonly IntegerParameter[]) {
  return (request: FastifyRequest, _reply: FastifyReply, done: () => void): void => {
    const query = request.query as Record<string, unknown>;
    for (const { name, byDefault } of parameters) {
      const value = query[name];
      if (value === undefined && byDefault !== undefined) query[name] = byDefault;
      else if (typeof value === 'string' && /^-?\d{1,15}$/.test(value)) query[name] = Number(value);
    }
    done();
  };
}
