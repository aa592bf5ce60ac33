/** What an installed plugin may do, from manifest, grants and the gate's stage; and by which limits. */
import type { GateView } from '../../gates/decide.ts';
import { type Permissions, permissionNames } from '../base/permissions.ts';
import type { EventRegistry } from '../bus/event-registry.ts';
import { replyOf } from '../context/turn-reply.ts';
import { compilePluginSchema, validate, withDefaults } from '../schema.ts';
import type { PluginPolicy, TurnLimits } from '../turn-context.ts';
import type { Manifest } from './manifest.ts';

const KB = 1024;

export function policyOf(
  manifest: Manifest,
  version: string,
  gate: GateView,
  granted: Permissions,
  settings: unknown,
  events: PluginPolicy['events'] = {},
  principalEvents: PluginPolicy['events'] = {},
): PluginPolicy {
  return {
    plugin: manifest.id,
    version,
    gate,
    asked: permissionNames(manifest.permissions),
    granted: permissionNames(granted),
    publishes: manifest.publishes,
    ...(manifest.permissions.principals && {
      principals: { max: manifest.limits.principals ?? 0, events: principalEvents },
    }),
    events,
    retry: manifest.retry,
    limits: limitsOf(manifest),
    settings: JSON.stringify(settings),
  };
}

export function limitsOf({ limits }: Manifest): TurnLimits {
  return {
    turnMs: limits.turnMs,
    waitMs: limits.waitMs,
    cpuMs: limits.cpuMs,
    memoryMb: limits.memoryMb,
    hostCalls: limits.hostCalls,
    publishes: limits.publishes,
    outputBytes: limits.outputKb * KB,
    logBytes: limits.logKb * KB,
    storageMb: limits.storageMb,
    requests: limits.requests,
    requestsPerMinute: limits.requestsPerMinute,
    responseBytes: limits.responseKb * KB,
  };
}

/**
 * The settings with the manifest's defaults filled in.
 * @throws NEIRA_INVALID when they do not fit the manifest's schema.
 */
export function checkedSettings(manifest: Manifest, given: unknown): unknown {
  const filled = filledSettings(manifest, given);
  validate(compilePluginSchema(manifest.settings ?? NO_SETTINGS), filled, 'The settings');
  return filled;
}

/** What an administrator gave, with the manifest's defaults: they may change with each version. */
export function filledSettings(manifest: Manifest, given: unknown): unknown {
  return manifest.settings ? (withDefaults(manifest.settings, given) ?? {}) : given;
}

const NO_SETTINGS = { type: 'object', additionalProperties: false };

/** What a plugin may publish: what its manifest names, and replies to the commands that it handles. */
function eventsOf({ publishes, subscribes }: Pick<Manifest, 'publishes' | 'subscribes'>) {
  const replies = subscribes.flatMap(({ event }) => (/[*>]/.test(event) ? [] : [replyOf(event)]));
  return [...publishes, ...replies];
}

/** Whether the plugin, or possibly one of its principals, may publish one of these events. */
export function mayPublishAny(manifest: Manifest, events: ReadonlySet<string>): boolean {
  return (
    manifest.permissions.principals !== undefined || eventsOf(manifest).some((event) => events.has(event))
  );
}

/**
 * Schemas of what a plugin publishes, and of the replies to commands that it handles; its own among them also
 * before they joined.
 */
export function schemasFor(
  { publishes, subscribes, events: own }: Pick<Manifest, 'publishes' | 'subscribes' | 'events'>,
  events: Pick<EventRegistry, 'find'>,
): PluginPolicy['events'] {
  const found = eventsOf({ publishes, subscribes }).flatMap((fqdn) => {
    const [name = '', version] = fqdn.split('@');
    const definition =
      own.find((each) => `${each.name}@${each.version}` === fqdn) ?? events.find(name, Number(version));
    return definition ? [[fqdn, definition] as const] : [];
  });
  return Object.fromEntries(found);
}

/** Schemas of what its principals were granted to publish, in every version; its own also before they joined. */
export function schemasForPrincipals(
  { id, permissions, events: own }: Pick<Manifest, 'id' | 'permissions' | 'events'>,
  events: Pick<EventRegistry, 'list'>,
  store: { principals(plugin: string): readonly { readonly grants: string }[] },
): PluginPolicy['events'] {
  if (!permissions.principals) return {};
  const granted = store.principals(id).map(({ grants }) => JSON.parse(grants) as Permissions);
  const names = new Set(granted.flatMap(({ bus }) => bus.publish));
  const known = [...events.list(), ...own].filter(({ name }) => names.has(name));
  return Object.fromEntries(known.map((each) => [`${each.name}@${each.version}`, each]));
}
