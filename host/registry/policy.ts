/** What an installed plugin may do, from manifest, grants and the gate's stage; and by which limits. */
import type { GateView } from '../../gates/decide.ts';
import type { EventRegistry } from '../bus/event-registry.ts';
import { compilePluginSchema, validate, withDefaults } from '../schema.ts';
import type { PluginPolicy, TurnLimits } from '../turn-context.ts';
import { replyOf } from '../turn-reply.ts';
import type { Manifest } from './manifest.ts';
import { type Permissions, permissionNames } from './permissions.ts';

const KB = 1024;

export function policyOf(
  manifest: Manifest,
  version: string,
  gate: GateView,
  granted: Permissions,
  settings: unknown,
  events: PluginPolicy['events'] = {},
): PluginPolicy {
  return {
    plugin: manifest.id,
    version,
    gate,
    asked: permissionNames(manifest.permissions),
    granted: permissionNames(granted),
    publishes: manifest.publishes,
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
export function eventsOf({ publishes, subscribes }: Pick<Manifest, 'publishes' | 'subscribes'>) {
  const replies = subscribes.flatMap(({ event }) => (/[*>]/.test(event) ? [] : [replyOf(event)]));
  return [...publishes, ...replies];
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
