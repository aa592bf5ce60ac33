/**
 * The event registry: every event that may be published, and whether a payload is one (BUS-13, BUS-34).
 *
 * The host's own come from the generated `abi/events/_dist/registry.json`; those of a plugin join when it is
 * registered and leave with it. A name belongs to one owner in all its versions.
 */
import { readFileSync } from 'node:fs';
import { isNeiraError, NeiraError } from '../errors.ts';
import { compilePluginSchema, compileSchema, type Problem, summary, type Validator } from '../schema.ts';
import { parseEnvelope } from './envelope.ts';
import { type EventKind, fqdnOf, HOST_OWNER } from './event-names.ts';
import { type Reading, readSchema, type Schema } from './event-schema.ts';

export { type EventKind, HOST_OWNER } from './event-names.ts';

/** Plain JSON data, so that it may be handed to a cell as it is. */
export interface EventDefinition {
  readonly name: string;
  /** The major version, the one in `name@1`. */
  readonly version: number;
  readonly kind: EventKind;
  readonly status: 'draft' | 'stable' | 'deprecated';
  readonly summary: string;
  readonly requiredHeaders: readonly string[];
  readonly semantics: {
    readonly delivery: string;
    /** Where in the envelope the key lies, as `headers.idempotency_key`; null where there is none. */
    readonly idempotencyKey: string | null;
  };
  readonly producers: readonly string[];
  readonly consumers: readonly string[];
  /** Major, minor and patch. */
  readonly xVersion: string;
  /** Of the payload; JSON Schema, draft 2020-12. */
  readonly schema: Schema;
  /** SHA-256 of the schema, in hex. */
  readonly digest: string;
  /** `host`, or the id of the plugin. */
  readonly owner: string;
  /** A whole envelope, or null. */
  readonly example: unknown;
}

const GENERATED = new URL('../../abi/events/_dist/registry.json', import.meta.url);

export class EventRegistry {
  readonly #byFqdn = new Map<string, EventDefinition>();
  readonly #owners = new Map<string, string>();

  /** The events of the host, as `npm run gen` wrote them. */
  static load(): EventRegistry {
    return new EventRegistry(generatedEvents().filter(({ owner }) => owner === HOST_OWNER));
  }

  constructor(definitions: readonly EventDefinition[]) {
    for (const each of definitions) this.#add(each);
  }

  find(name: string, version: number): EventDefinition | undefined {
    return this.#byFqdn.get(fqdnOf(name, version));
  }

  /** By name, then by version. */
  list(): readonly EventDefinition[] {
    return [...this.#byFqdn.values()].sort(byName);
  }

  /** @throws NEIRA_CONFLICT naming the holder, when another owner has one of the names. */
  requireFree(plugin: string, definitions: readonly EventDefinition[]): void {
    for (const { name, version } of definitions) {
      // A plugin may be called `host`; it is not the host for that.
      const holder = plugin === HOST_OWNER ? HOST_OWNER : this.#owners.get(name);
      if (holder === undefined || (holder === plugin && plugin !== HOST_OWNER)) continue;
      throw new NeiraError('NEIRA_CONFLICT', {
        what: 'The event',
        id: fqdnOf(name, version),
        by: holder === HOST_OWNER ? 'the host' : `plugin \`${holder}\``,
      });
    }
  }

  /** Takes the events of a plugin over, in the place of those that it had. @throws NEIRA_CONFLICT */
  join(plugin: string, definitions: readonly EventDefinition[]): void {
    this.requireFree(plugin, definitions);
    this.leave(plugin);
    for (const each of definitions) this.#add({ ...each, owner: plugin });
  }

  leave(plugin: string): void {
    if (plugin === HOST_OWNER) return;
    for (const [fqdn, { name, owner }] of this.#byFqdn) {
      if (owner !== plugin) continue;
      this.#byFqdn.delete(fqdn);
      this.#owners.delete(name);
    }
  }

  #add(definition: EventDefinition): void {
    this.#byFqdn.set(fqdnOf(definition.name, definition.version), definition);
    this.#owners.set(definition.name, definition.owner);
  }
}

/** All events of the generated registry, those of the bundled plugins included. */
export function generatedEvents(): readonly EventDefinition[] {
  return (JSON.parse(readFileSync(GENERATED, 'utf8')) as { events: EventDefinition[] }).events;
}

export function byName(a: EventDefinition, b: EventDefinition): number {
  return a.name === b.name ? a.version - b.version : a.name < b.name ? -1 : 1;
}

/**
 * Whether `payload` and `headers` may be published: a field that the schema does not name is refused, unless
 * the schema says that there may be others.
 * @throws NEIRA_EVENT_INVALID with the failing paths, `payload.city` or `headers.idempotency_key`.
 */
export function validatePublish(
  definition: EventDefinition,
  payload: unknown,
  headers: Readonly<Record<string, string>>,
): void {
  refuseAny(definition, publishProblems(definition, payload, headers));
}

/** Whether `payload` may be delivered: unknown fields are no mistake. @throws NEIRA_EVENT_INVALID */
export function validateDelivery(definition: EventDefinition, payload: unknown): void {
  refuseAny(definition, payloadProblems(definition, payload, 'open'));
}

export function publishProblems(
  definition: EventDefinition,
  payload: unknown,
  headers: Readonly<Record<string, string>>,
): Problem[] {
  const missing = definition.requiredHeaders.filter(
    (header) => !Object.hasOwn(headers, header) || headers[header] === '',
  );
  return [
    ...missing.map((header) => ({ path: `headers.${header}`, message: 'is missing' })),
    ...payloadProblems(definition, payload, 'closed'),
  ];
}

function payloadProblems(definition: EventDefinition, payload: unknown, reading: Reading): Problem[] {
  return validatorOf(definition, reading)
    .problems(payload)
    .map(({ path, message }) => ({ path: inPayload(path), message }));
}

function inPayload(path: string): string {
  if (path === '$') return 'payload';
  return path.startsWith('[') ? `payload${path}` : `payload.${path}`;
}

function refuseAny({ name, version }: EventDefinition, errors: readonly Problem[]): void {
  if (errors.length === 0) return;
  throw new NeiraError('NEIRA_EVENT_INVALID', {
    event: fqdnOf(name, version),
    reason: summary(errors),
    errors,
  });
}

const MAX_VALIDATORS = 1024;
/** By reading and digest, the one that was used last at the end. */
const validators = new Map<string, Validator>();

function validatorOf({ owner, digest, schema }: EventDefinition, reading: Reading): Validator {
  const isTrusted = owner === HOST_OWNER;
  const key = `${isTrusted ? 'host' : 'plugin'} ${reading} ${digest}`;
  const known = validators.get(key);
  if (known) {
    // Only a cache that is about to forget has to know what was used.
    if (validators.size >= MAX_VALIDATORS) {
      validators.delete(key);
      validators.set(key, known);
    }
    return known;
  }
  const read = readSchema(schema, reading);
  const made = isTrusted ? compileSchema(read) : compilePluginSchema(read);
  validators.set(key, made);
  if (validators.size > MAX_VALIDATORS) validators.delete(validators.keys().next().value!);
  return made;
}

/** Tells one schema of an event from another, in few characters. */
export function schemaMark({ digest }: Pick<EventDefinition, 'digest'>): string {
  return digest.slice(0, 16);
}

/**
 * Why a recorded event cannot be handed over any more: the registry has another schema by now, and the payload
 * does not fit it even with fields that it does not name.
 */
export function deliveryProblem(
  registry: EventRegistry,
  event: {
    readonly subject: string;
    readonly version: number;
    readonly schema: string | null;
    readonly envelope: string;
  },
): NeiraError | undefined {
  const definition = event.schema === null ? undefined : registry.find(event.subject, event.version);
  if (!definition || schemaMark(definition) === event.schema) return undefined;
  try {
    validateDelivery(definition, parseEnvelope(event.envelope).payload);
    return undefined;
  } catch (error) {
    if (isNeiraError(error)) return error as NeiraError;
    throw error;
  }
}
