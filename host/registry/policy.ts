/** What an installed plugin may do, from manifest, grants and the gate's stage; and by which limits. */
import type { GateView } from '../../gates/decide.ts';
import { compilePluginSchema, validate, withDefaults } from '../schema.ts';
import type { PluginPolicy, TurnLimits } from '../turn-context.ts';
import type { Manifest } from './manifest.ts';
import { type Permissions, permissionNames } from './permissions.ts';

const KB = 1024;

export function policyOf(
  manifest: Manifest,
  version: string,
  gate: GateView,
  granted: Permissions,
  settings: unknown,
): PluginPolicy {
  return {
    plugin: manifest.id,
    version,
    gate,
    asked: permissionNames(manifest.permissions),
    granted: permissionNames(granted),
    publishes: manifest.publishes,
    limits: limitsOf(manifest),
    settings: JSON.stringify(settings),
  };
}

export function limitsOf({ limits }: Manifest): TurnLimits {
  return {
    turnMs: limits.turnMs,
    cpuMs: limits.cpuMs,
    memoryMb: limits.memoryMb,
    hostCalls: limits.hostCalls,
    publishes: limits.publishes,
    outputBytes: limits.outputKb * KB,
    logBytes: limits.logKb * KB,
    storageMb: limits.storageMb,
  };
}

/**
 * The settings with the manifest's defaults filled in.
 * @throws NEIRA_INVALID when they do not fit the manifest's schema.
 */
export function checkedSettings(manifest: Manifest, settings: unknown): unknown {
  if (!manifest.settings) {
    validate(compilePluginSchema(NO_SETTINGS), settings, 'The settings');
    return {};
  }
  const filled = withDefaults(manifest.settings, settings);
  validate(compilePluginSchema(manifest.settings), filled, 'The settings');
  return filled;
}

const NO_SETTINGS = { type: 'object', additionalProperties: false };
