/** A registered plugin as it lives in memory, and the pure questions about it. */
import type { GateView } from '../../gates/decide.ts';
import { isOpen } from '../../gates/gates.ts';
import { type Permissions, writesAnything } from '../base/permissions.ts';
import { keyOf } from '../bus/key.ts';
import type { ErrorShape } from '../errors.ts';
import { compilePluginSchema, type Validator } from '../schema.ts';
import type { PluginRow, Reads, VersionRow } from '../store/records.ts';
import type { Serving } from '../turn.ts';
import { type Button, DEFAULT_MAILBOX, DEFAULT_RETRY, type Manifest } from './manifest.ts';
import { filledSettings } from './policy.ts';
import type { Foundation } from './recipes.ts';

/** What went wrong last, and when. */
export interface PluginError extends ErrorShape {
  readonly message: string;
  readonly atMs: number;
  /** Digest of the folder that could not be taken over, '' for one that could not be read. */
  readonly folder?: string;
}

export interface LivePlugin {
  readonly row: PluginRow;
  readonly version: VersionRow;
  readonly manifest: Manifest;
  /** Granted by an administrator; what counts is what is also asked. */
  readonly grants: Permissions;
  /** As given by an administrator (`row.settings`), defaults filled in. */
  readonly settings: unknown;
  readonly tools: ReadonlyMap<string, Tool>;
  /** Set while an image of it is installed in the cells. */
  readonly serving?: Serving;
  /** What `prepare()` read to build that image. */
  readonly dependencies?: Reads;
  readonly foundation?: Foundation;
  readonly error?: PluginError;
}

export interface Tool {
  readonly button: Button;
  readonly params: Validator;
  readonly keyOf: (envelope: unknown) => string | undefined;
}

export function toolsOf(manifest: Manifest): ReadonlyMap<string, Tool> {
  return new Map(
    manifest.buttons.map((button) => {
      const subscription = manifest.subscribes.find(({ event }) => event === `${button.event}@1`) ?? {};
      const params = compilePluginSchema(button.paramsSchema, `params_schema of ${button.id}`);
      return [button.id, { button, params, keyOf: keyOf(subscription) }];
    }),
  );
}

export function parseRow(row: PluginRow, version: VersionRow): LivePlugin {
  const manifest = storedManifest(version.manifest);
  return {
    row,
    version,
    manifest,
    grants: JSON.parse(row.grants) as Permissions,
    settings: filledSettings(manifest, givenSettings(row)),
    tools: toolsOf(manifest),
    ...folderError(row),
  };
}

/** A version that an older host stored says nothing of what came later: it gets the defaults. */
export function storedManifest(text: string): Manifest {
  const stored = JSON.parse(text) as Partial<Manifest> &
    Omit<Manifest, 'events' | 'provides' | 'routes' | 'mailbox' | 'retry'>;
  return {
    ...stored,
    events: stored.events ?? [],
    provides: stored.provides ?? [],
    routes: stored.routes ?? [],
    mailbox: stored.mailbox ?? DEFAULT_MAILBOX,
    retry: { ...DEFAULT_RETRY, ...stored.retry },
  };
}

/** What is wrong with the folder stays wrong, whatever serves meanwhile. */
export function folderError({ lastError }: PluginRow): { readonly error?: PluginError } {
  return lastError === null ? {} : { error: JSON.parse(lastError) as PluginError };
}

/** Without the defaults, which belong to the version. */
export function givenSettings(row: PluginRow): unknown {
  return JSON.parse(row.settings) as unknown;
}

/** Why an enabled plugin does not run, in words; undefined when it does. */
export function whyInactive(plugin: LivePlugin, engine: GateView, own: GateView): string | undefined {
  const { state, reason } = plugin.row;
  if (state !== 'enabled') return reason ?? `it is ${state}`;
  for (const gate of [engine, own]) if (!isOpen(gate.stage)) return `the gate \`${gate.id}\` is locked`;
  if (!plugin.serving) return plugin.error?.message ?? 'it is starting';
  return undefined;
}

export function writes({ grants, manifest }: LivePlugin): boolean {
  return writesAnything(grants) && writesAnything(manifest.permissions);
}

/** What plugins/index.json shows of it. */
export function indexEntry({ row, version, manifest }: LivePlugin) {
  const { id, kind, state, origin, path, digest } = row;
  return { id, version: version.version, kind, state, gate: manifest.gate, origin, path, digest };
}

/** `name@version` of the events that came, went or changed. */
export function movedEvents(before: Manifest['events'], after: Manifest['events']): ReadonlySet<string> {
  const known = new Set(before.map(({ digest }) => digest));
  const moved = [...before, ...after].filter(
    ({ digest }) => !known.has(digest) || before.length !== after.length,
  );
  return new Set(moved.map(({ name, version }) => `${name}@${version}`));
}
