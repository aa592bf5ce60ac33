/** What the registry is made of; the composition root connects them. */
import type { EventRegistry } from '../bus/event-registry.ts';
import type { Logger } from '../log.ts';
import type { CellPool } from '../sandbox/pool.ts';
import type { PrincipalRow } from '../store/principals.ts';
import type { KvReader } from '../store/reader.ts';
import type { Ack, AdminRecord, PluginRow, RecipeRecord, VersionRow } from '../store/records.ts';
import type { Turns } from '../turn.ts';
import type { PluginPolicy } from '../turn-context.ts';
import type { GateService } from './gate-service.ts';
import type { KeptTurnStore } from './kept-turns.ts';

export interface RegistryStore extends KeptTurnStore {
  plugins(): readonly PluginRow[];
  versions(plugin: string): readonly VersionRow[];
  principals(plugin: string): readonly PrincipalRow[];
  blob(digest: string): Uint8Array | undefined;
  /** A setting of the host. */
  settings(name: string): string | undefined;
  /** JSON of what transcripts name by this digest. */
  recipe(digest: string): string | undefined;
  submit(record: AdminRecord | RecipeRecord): Promise<Ack>;
}

export interface RegistryParts {
  readonly home: string;
  readonly store: RegistryStore;
  readonly reader: KvReader;
  readonly pool: CellPool;
  readonly turns: Turns;
  readonly gates: GateService;
  /** Events of the host; those of plugins join and leave with them. */
  readonly events: EventRegistry;
  /** Whether turns are recorded. */
  readonly transcripts: boolean;
  /** Takes secrets out of what is told. */
  mask<Value>(value: Value): Value;
  /** The clear text of a secret, for the plugin of a turn that is run again; undefined when it may not see it now. */
  reveal(policy: PluginPolicy, name: string): string | undefined;
  /** What a plugin may do or what serves it changed. */
  changed(plugin: string): void;
  readonly log: Logger;
}
