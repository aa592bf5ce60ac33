/** What a plugin may do, as its turns are given it. */
import type { GateView } from '../../gates/decide.ts';
import type { EventDefinition } from '../bus/event-registry.ts';
import type { RetryPolicy } from '../bus/retry.ts';
import type { TurnLimits } from './turn-limits.ts';

/** What an installed plugin may do, as flat permission names (`storage.read`, `io.send:console`, …). */
export interface PluginPolicy {
  readonly plugin: string;
  /** Content digest of the version. */
  readonly version: string;
  readonly gate: GateView;
  readonly asked: readonly string[];
  readonly granted: readonly string[];
  /** `name@version` of the events that the manifest names under `publishes`. */
  readonly publishes: readonly string[];
  /** Set where the plugin asks to delegate. */
  readonly principals?: PrincipalPolicy;
  /** Those of them that the event registry has, by the same names. */
  readonly events: Readonly<Record<string, EventDefinition>>;
  readonly limits: TurnLimits;
  readonly retry: RetryPolicy;
  /** JSON of the settings, defaults filled in. */
  readonly settings: string;
  /** Digest of everything that the turns of this program run on; transcripts name it. */
  readonly recipe?: string;
}

export interface PrincipalPolicy {
  /** Principals that the plugin may have registered. */
  readonly max: number;
  /** `name@version` of what any of them was granted to publish and the event registry has. */
  readonly events: Readonly<Record<string, EventDefinition>>;
}
