/**
 * HTTP calls of plugins: each becomes a command that its plugin handles, and the reply becomes the answer. Whoever calls
 * is who the command comes from; what it may do is decided as for every command.
 */
import { createHash } from 'node:crypto';
import type { CommandView } from '../base/command-line.ts';
import { isHostEvent } from '../bus/envelope.ts';
import type { EventRegistry } from '../bus/event-registry.ts';
import { NeiraError } from '../errors.ts';
import type { CallAnswer, Caller, ContributedRequest } from '../http/api.ts';
import { type CallFinder, createCallFinder } from '../http/contributed.ts';
import { type ContributedRoute, routeName } from '../registry/contributed.ts';
import type { ContributedCommand } from '../registry/contributed-commands.ts';
import type { LivePlugin } from '../registry/live-plugin.ts';
import type { EventDraft, RequestIdentity } from '../store/bus-records.ts';
import { contributedPaths } from './contributed-docs.ts';
import { sealEvent } from './event-gateway.ts';

export interface ContributedParts {
  readonly events: Pick<EventRegistry, 'find'>;
  plugins(): readonly LivePlugin[];
  whyInactive(plugin: LivePlugin): string | undefined;
  ask(event: EventDraft, timeoutMs: number, identity?: RequestIdentity): Promise<string | undefined>;
}

interface Call extends ContributedRoute {
  readonly plugin: string;
}

const TIMEOUT_MS = 30_000;
const RANK = { read: 1, write: 2, admin: 3 } as const;

export class ContributedCalls {
  readonly #parts: ContributedParts;
  /** Of the calls that there were when it was made. */
  #found: { readonly key: string; readonly finder: CallFinder<Call> } | undefined;

  constructor(parts: ContributedParts) {
    this.#parts = parts;
  }

  /**
   * Answers undefined where no plugin has the call.
   * @throws NEIRA_FORBIDDEN, NEIRA_PERMISSION_DENIED, NEIRA_PLUGIN_INACTIVE, NEIRA_EVENT_INVALID, NEIRA_DEADLINE, …
   */
  async call(caller: Caller, request: ContributedRequest): Promise<CallAnswer | undefined> {
    const found = this.#finder().find(request.method, request.path);
    if (!found) return undefined;
    const { call, params } = found;
    if (RANK[caller.scope] < RANK[call.scope]) throw new NeiraError('NEIRA_FORBIDDEN', { scope: call.scope });
    this.#requireActive(call);
    const event = this.#eventOf(caller, call, params, request);
    const identity = identityOf(caller, request, event);
    return answerOf(await this.#parts.ask(event, TIMEOUT_MS, identity));
  }

  /** The command lines that plugins contribute, with what their calls take; also of those that do not work now, and why. */
  commands(): readonly CommandView[] {
    return this.#parts
      .plugins()
      .flatMap((plugin) => plugin.manifest.commands.map((command) => this.#viewOf(plugin, command)))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Those that were granted, as OpenAPI has them. */
  paths(): Readonly<Record<string, object>> {
    const { events } = this.#parts;
    return contributedPaths(this.#parts.plugins(), (name, version) => events.find(name, version));
  }

  #viewOf(plugin: LivePlugin, { route, ...command }: ContributedCommand): CommandView {
    const { row, manifest, grants } = plugin;
    const call = manifest.routes.find((each) => routeName(each) === route)!;
    const [name, version] = call.command.split('@') as [string, string];
    const { properties = {}, required = [] } = (this.#parts.events.find(name, Number(version))?.schema ??
      {}) as { properties?: CommandView['properties']; required?: readonly string[] };
    const inactive =
      this.#parts.whyInactive(plugin) ??
      (grants.routes?.includes(route) ? undefined : `\`http.route:${route}\` is not granted to it`);
    return {
      plugin: row.id,
      ...command,
      method: call.method,
      path: call.path,
      properties,
      required,
      ...(inactive !== undefined && { inactive }),
    };
  }

  /** Plugins come and go: the one that was made serves as long as they are the same. */
  #finder(): CallFinder<Call> {
    const calls = this.#parts
      .plugins()
      .flatMap(({ row, manifest }) => manifest.routes.map((route) => ({ ...route, plugin: row.id })));
    const key = JSON.stringify(calls);
    if (this.#found?.key !== key) this.#found = { key, finder: createCallFinder(calls) };
    return this.#found.finder;
  }

  /** Which key is missing is said by the one place that decides. */
  #requireActive({ plugin: id, method, path }: Call): void {
    const plugin = this.#parts.plugins().find(({ row }) => row.id === id)!;
    const reason = this.#parts.whyInactive(plugin);
    const remedy = `\`neira plugin show ${id}\` tells what it lacks; \`neira gate set\` opens a gate.`;
    if (reason !== undefined) throw new NeiraError('NEIRA_PLUGIN_INACTIVE', { plugin: id, reason, remedy });
    if (plugin.grants.routes?.includes(routeName({ method, path }))) return;
    const permission = `http.route:${routeName({ method, path })}`;
    throw new NeiraError('NEIRA_PERMISSION_DENIED', {
      plugin: id,
      permission,
      reason: 'it was not granted',
      remedy: `An administrator grants it with \`neira plugin grant ${id}\`.`,
    });
  }

  #eventOf(
    caller: Caller,
    { command }: Call,
    params: Readonly<Record<string, string>>,
    { method, query, body, traceparent, idempotencyKey }: ContributedRequest,
  ): EventDraft {
    const [name, version] = command.split('@') as [string, string];
    const definition = this.#parts.events.find(name, Number(version));
    if (!definition || isHostEvent(name))
      throw new NeiraError('NEIRA_EVENT_UNREGISTERED', { event: command });
    const properties = (definition.schema['properties'] ?? {}) as Readonly<Record<string, Property>>;
    const given = method === 'GET' || method === 'DELETE' ? coerced(query, properties) : (body ?? {});
    if (given === null || typeof given !== 'object' || Array.isArray(given)) {
      const errors = [{ path: '', message: 'must be an object' }];
      throw new NeiraError('NEIRA_INVALID', { what: 'The body', reason: 'it must be an object', errors });
    }
    return sealEvent({
      definition,
      payload: { ...given, ...coerced(params, properties) },
      headers: idempotencyKey === undefined ? {} : { idempotency_key: idempotencyKey },
      ...(traceparent !== undefined && { ownHeaders: { traceparent } }),
      source: `client:${caller.actor}`,
      // Whoever may make the call may have the plugin answer it; only an administrator's runs in safe mode too.
      caller: caller.scope === 'read' ? 'write' : caller.scope,
    });
  }
}

interface Property {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
}

/** Texts of a query, as the command's schema wants them. */
function coerced(
  texts: Readonly<Record<string, unknown>>,
  properties: Readonly<Record<string, Property>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, coerce(text, [properties[name]?.type ?? []].flat())]),
  );
}

function coerce(value: unknown, types: readonly string[]): unknown {
  if (types.includes('array')) return [value].flat();
  if (typeof value !== 'string' || types.includes('string')) return value;
  if ((types.includes('integer') || types.includes('number')) && /^-?\d{1,15}(?:\.\d{1,15})?$/.test(value))
    return Number(value);
  if (types.includes('boolean'))
    return value === 'true' || value === '1' ? true : value === 'false' || value === '0' ? false : value;
  return value;
}

/** The same key of the same caller gets the answer that it got before. */
function identityOf(
  { tokenId }: Caller,
  { idempotencyKey, method, path }: ContributedRequest,
  { envelope }: EventDraft,
): RequestIdentity | undefined {
  if (idempotencyKey === undefined) return undefined;
  const { payload } = JSON.parse(envelope) as { payload: unknown };
  const digest = createHash('sha256')
    .update(`${method} ${path}\n${JSON.stringify(payload)}`)
    .digest('hex');
  return { caller: `route:${tokenId}:${idempotencyKey}`, digest, occurrence: 1, once: true };
}

interface Refused {
  readonly code: string;
  readonly message: string;
  readonly status?: number;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** A reply `{ok: false, error}` is a problem document; whatever else it is, is the answer. */
function answerOf(json: string | undefined): CallAnswer {
  if (json === undefined) return { status: 204 };
  const result = JSON.parse(json) as { ok?: unknown; error?: Refused } | null;
  if (result?.ok !== false || typeof result.error?.code !== 'string') return { status: 200, json };
  const { code, message, status = 422, details } = result.error;
  const isStatus = Number.isInteger(status) && status >= 400 && status < 500;
  return { status: isStatus ? status : 422, problem: { code, detail: message, ...details } };
}
