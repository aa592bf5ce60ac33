/**
 * What administrators, and saved files, do to plugins: each operation decided, serialised per plugin,
 * committed with its journal entry.
 */
import { existsSync, realpathSync, rmSync, statSync } from 'node:fs';
import { decide, type Operation } from '../../gates/decide.ts';
import type { Mode, Scope } from '../../gates/gates.ts';
import { NO_PERMISSIONS } from '../base/permissions.ts';
import { type ErrorCode, NeiraError } from '../errors.ts';
import type { AdminOp, PluginRow } from '../store/records.ts';
import { type BuildSettings, buildVersion, type Version } from './candidate.ts';
import { checkedGrants } from './grants.ts';
import { linkedComponents, refusedLink } from './links.ts';
import { givenSettings, type LivePlugin } from './live-plugin.ts';
import { ENGINE_GATES, type Manifest, parseManifest } from './manifest.ts';
import { checkedSettings } from './policy.ts';
import type { Registry } from './registry.ts';
import { lastRehearsal, modeOp, type RehearseMode, rehearseModeOf, reportOp } from './rehearsal.ts';
import { recordFailure, summaryOf, swapTo } from './reload.ts';
import { digestOfFolder, FolderSaves, requireSameId, revived } from './saves.ts';
import type { PluginSignature } from './signature.ts';
import { manifestOf, type SourceTree, sourceFromFolder } from './source.ts';
import { storedVersion } from './stored-version.ts';
import { Uploads } from './uploads.ts';

/** Who changes something. `host` is the host's own act: a saved file, a quarantine. */
export interface Actor {
  readonly actor: string;
  readonly scope: Scope | 'host';
}

export interface AdminSettings extends BuildSettings {
  readonly home: string;
  readonly versionsKept: number;
  mode(): Mode;
}

export type PluginSource =
  /** Files that were sent; they get a folder inside the home. */
  | { readonly from: 'tree'; readonly tree: SourceTree; readonly signature?: PluginSignature }
  /** A folder of the operator's, watched where it lies. */
  | { readonly from: 'folder'; readonly folder: string; readonly origin: 'path' | 'catalog' };

interface RegisterOptions {
  readonly enable: boolean;
  /** Grants all that the manifest asks for. */
  readonly grantAll: boolean;
}

const HOST: Actor = { actor: 'host', scope: 'host' };

export class PluginAdmin {
  readonly #registry: Registry;
  readonly #settings: AdminSettings;
  readonly #saves: FolderSaves;
  readonly #uploads: Uploads;

  constructor(registry: Registry, settings: AdminSettings) {
    this.#registry = registry;
    this.#settings = { ...settings, links: (manifest) => linkedComponents(registry, manifest) };
    this.#saves = new FolderSaves(registry, this.#settings);
    this.#uploads = new Uploads(settings.home);
    this.#uploads.tidy();
  }

  /** Watches what is registered, and takes over what was saved while the host was down. */
  async start(): Promise<void> {
    await this.#saves.start();
  }

  /** No save is taken over any more; what has begun is finished. */
  async close(): Promise<void> {
    await this.#saves.close();
    await this.#registry.close();
  }

  /** Registers a plugin, or updates it. @throws the first stage's error; nothing was changed then. */
  async register(
    by: Actor,
    source: PluginSource,
    options: RegisterOptions,
  ): Promise<{ readonly created: boolean; readonly plugin: LivePlugin }> {
    if (source.from === 'folder')
      return this.#registerFolder(by, requireFolder(source.folder), source.origin, options);
    const manifest = parseManifest(manifestOf(source.tree).text, { files: source.tree.files.keys() });
    return this.#registry.exclusive(manifest.id, async () => {
      this.#decide(by, 'register', manifest);
      using folder = this.#uploads.stage(manifest, source.tree, source.signature);
      const version = await buildVersion(folder.staging, this.#settings);
      const place = { path: folder.path, origin: 'upload', beforeCommit: () => folder.swapIn() } as const;
      const taken = await this.#take(by, version, place, options);
      folder.keep();
      return taken;
    });
  }

  async enable(by: Actor, id: string): Promise<LivePlugin> {
    return this.#change(by, id, 'enable', async (plugin) => {
      if (plugin.row.state !== 'enabled') await this.#setState(by, plugin, 'enabled', 'plugin.enabled', null);
      await this.#registry.serve(id);
    });
  }

  async disable(by: Actor, id: string): Promise<LivePlugin> {
    return this.#change(by, id, 'disable', async (plugin) => {
      if (plugin.row.state === 'disabled') return;
      await this.#setState(by, plugin, 'disabled', 'plugin.disabled', null);
      this.#registry.retire(id);
    });
  }

  /** Loads the folder's content anew, also when it did not change. @throws what was wrong with it */
  async reload(by: Actor, id: string): Promise<LivePlugin> {
    return this.#change(by, id, 'reload', (plugin) => this.#reloadFolder(by, plugin));
  }

  /** Back to the previous version, or to a named one (version or digest). @throws NEIRA_NOT_FOUND */
  async rollback(by: Actor, id: string, wanted?: string): Promise<LivePlugin> {
    return this.#change(by, id, 'rollback', async (plugin) => {
      const version = storedVersion(this.#registry.parts.store, plugin, wanted);
      // What lies in the folder now is what was rolled back from: it is not taken over again.
      const sourceDigest = (await digestOfFolder(plugin.row.path)) || plugin.row.sourceDigest;
      await swapTo(this.#registry, version, {
        ...this.#carriedOver(by, plugin),
        sourceDigest,
        action: 'plugin.rolled-back',
        state: revived(plugin.row),
      });
    });
  }

  /** Whether and how new versions are rehearsed. */
  async setRehearse(by: Actor, id: string, mode: RehearseMode): Promise<void> {
    await this.#change(by, id, 'settings', async () => {
      const before = { mode: rehearseModeOf(this.#registry, id) };
      const entry = { actor: by.actor, action: 'plugin.rehearsal-set', target: id, before, after: { mode } };
      await this.#registry.commit([modeOp(id, mode)], [entry]);
    });
  }

  /** Takes the version over that was held back, as it was rehearsed. @throws NEIRA_NOT_FOUND */
  async accept(by: Actor, id: string): Promise<LivePlugin> {
    return this.#change(by, id, 'reload', async (plugin) => {
      const report = lastRehearsal(this.#registry, id);
      if (!report?.held) throw new NeiraError('NEIRA_NOT_FOUND', { what: 'version held back of', id });
      await swapTo(this.#registry, storedVersion(this.#registry.parts.store, plugin, report.to), {
        ...this.#carriedOver(by, plugin),
        sourceDigest: (await digestOfFolder(plugin.row.path)) || plugin.row.sourceDigest,
        action: 'plugin.reloaded',
        state: revived(plugin.row),
        accepted: true,
      });
      const settled = { ...report, held: false };
      const entry = { actor: by.actor, action: 'plugin.accepted', target: id, after: { version: report.to } };
      await this.#registry.commit([reportOp(id, settled)], [entry]);
    });
  }

  async grant(by: Actor, id: string, permissions: unknown): Promise<LivePlugin> {
    return this.#change(by, id, 'grants', async (plugin) => {
      const grants = checkedGrants(permissions, plugin.manifest.permissions);
      const row = touched(plugin.row, { grants: JSON.stringify(grants) });
      const entry = {
        actor: by.actor,
        action: 'plugin.granted',
        target: id,
        before: plugin.grants,
        after: grants,
      };
      await this.#registry.commit([{ op: 'plugin.put', row }], [entry]);
      this.#registry.put({ ...this.#registry.get(id), row, grants });
      this.#registry.refreshPolicy(id);
      // What it is linked to is code of its own by now: without the permission none of it runs.
      const { serving } = this.#registry.get(id);
      if (serving && refusedLink(serving.policy) !== undefined) this.#registry.retire(id);
      // Its prepare() may have waited for it.
      await this.#registry.serve(id);
    });
  }

  /** Settings are part of what an image is built from, so the plugin boots anew with them. */
  async configure(by: Actor, id: string, settings: unknown): Promise<LivePlugin> {
    return this.#change(by, id, 'settings', async (plugin) => {
      const filled = checkedSettings(plugin.manifest, settings);
      const built = plugin.serving && (await this.#registry.build({ ...plugin, settings: filled }));
      const row = touched(plugin.row, { settings: JSON.stringify(settings) });
      const entry = {
        actor: by.actor,
        action: 'plugin.configured',
        target: id,
        before: plugin.settings,
        after: filled,
      };
      await this.#registry.commit([{ op: 'plugin.put', row }], [entry]);
      const live = { ...this.#registry.get(id), row, settings: filled };
      if (built) this.#registry.install(live, built.booted, built.sourceMap);
      else this.#registry.put(live);
      await this.#registry.serve(id);
    });
  }

  async remove(by: Actor, id: string, dropData: boolean): Promise<void> {
    await this.#registry.exclusive(id, async () => {
      const plugin = this.#registry.get(id);
      this.#decide(by, 'remove', plugin.manifest);
      const { gates } = this.#registry.parts;
      const dropped = gates.dropped(id, []);
      const ops: AdminOp[] = [
        { op: 'plugin.delete', id, dropData },
        ...dropped.map((gate): AdminOp => ({ op: 'gate.delete', id: gate })),
      ];
      const note = dropData ? 'with its data' : 'its data is kept';
      await this.#registry.commit(ops, [
        { actor: by.actor, action: 'plugin.removed', target: id, before: summaryOf(plugin), note },
      ]);
      gates.adopt([], dropped);
      this.#registry.drop(id);
      await this.#saves.unwatch(id);
      this.#forgetUpload(plugin.row);
    });
  }

  /** A gate or the mode moved: saves that it held back are looked at again. */
  releaseSaves(): void {
    this.#saves.release();
  }

  /** The host's own act, also in safe mode: a plugin that keeps ending cells is stopped. */
  async quarantine(id: string, reason: string): Promise<void> {
    await this.#registry.exclusive(id, async () => {
      const plugin = this.#registry.find(id);
      if (!plugin || plugin.row.state === 'quarantined') return;
      await this.#setState(HOST, plugin, 'quarantined', 'plugin.quarantined', reason);
      this.#registry.retire(id);
    });
  }

  // --- folders

  async #registerFolder(by: Actor, folder: string, origin: 'path' | 'catalog', options: RegisterOptions) {
    const tree = await sourceFromFolder(folder);
    const { id } = parseManifest(manifestOf(tree).text, { files: tree.files.keys() });
    return this.#registry.exclusive(id, async () => {
      const version = await this.#buildDecided(by, 'register', folder, id);
      return this.#take(by, version, { path: folder, origin }, options);
    });
  }

  async #buildDecided(by: Actor, operation: Operation, folder: string, id: string): Promise<Version> {
    const tree = await sourceFromFolder(folder);
    const manifest = parseManifest(manifestOf(tree).text, { files: tree.files.keys() });
    this.#decide(by, operation, manifest);
    const version = await buildVersion(folder, this.#settings);
    requireSameId(version.manifest, id);
    return version;
  }

  async #take(
    by: Actor,
    version: Version,
    place: { readonly path: string; readonly origin: PluginRow['origin']; beforeCommit?(): void },
    options: RegisterOptions,
  ) {
    const { manifest } = version;
    const before = this.#registry.find(manifest.id);
    if (options.enable) this.#decide(by, 'enable', manifest);
    const isMended = before !== undefined && before.row.sourceDigest !== version.digest;
    const kept = before === undefined ? 'registered' : isMended ? revived(before.row) : before.row.state;
    try {
      const plugin = await swapTo(this.#registry, version, {
        actor: by.actor,
        action: before ? 'plugin.updated' : 'plugin.registered',
        state: options.enable ? 'enabled' : kept,
        grants: options.grantAll ? manifest.permissions : (before?.grants ?? NO_PERMISSIONS),
        settings: before ? givenSettings(before.row) : {},
        sourceDigest: version.digest,
        versionsKept: this.#settings.versionsKept,
        ...place,
      });
      if (before && before.row.path !== place.path) this.#forgetUpload(before.row);
      return { created: before === undefined, plugin };
    } finally {
      await this.#saves.watch(manifest.id);
      // What was saved while this went on.
      this.#saves.look(manifest.id);
    }
  }

  async #reloadFolder(by: Actor, plugin: LivePlugin): Promise<void> {
    const { id, path: folder } = plugin.row;
    const digest = await digestOfFolder(folder);
    try {
      const version = await this.#buildDecided(by, 'reload', requireFolder(folder), id);
      await swapTo(this.#registry, version, {
        ...this.#carriedOver(by, plugin),
        action: 'plugin.reloaded',
        state: version.digest === plugin.row.sourceDigest ? plugin.row.state : revived(plugin.row),
        sourceDigest: version.digest,
      });
    } catch (error) {
      await recordFailure(this.#registry, id, by.actor, error, digest);
      throw error;
    }
  }

  #carriedOver(by: Actor, { row, grants }: LivePlugin) {
    const { path: folder, origin, sourceDigest } = row;
    return {
      actor: by.actor,
      grants,
      settings: givenSettings(row),
      path: folder,
      origin,
      sourceDigest,
      versionsKept: this.#settings.versionsKept,
    };
  }

  /** An upload's folder goes with it; a folder of the operator's is not the host's to remove. */
  #forgetUpload({ origin, path: folder }: PluginRow): void {
    if (origin !== 'upload') return;
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch (err) {
      this.#registry.parts.log.warn({ folder, err }, 'the folder of a removed plugin is left behind');
    }
  }

  // --- one change

  #decisionOf(by: Actor, operation: Operation, manifest: Manifest) {
    const gate = this.#registry.parts.gates.view(ENGINE_GATES[manifest.kind]);
    return decide({ about: 'change', operation, gate, mode: this.#settings.mode(), caller: by.scope });
  }

  #decide(by: Actor, operation: Operation, manifest: Manifest): void {
    const decision = this.#decisionOf(by, operation, manifest);
    if (decision.verdict === 'run') return;
    throw new NeiraError((decision.code ?? 'NEIRA_INTERNAL') as ErrorCode, { ...decision.details });
  }

  async #change(
    by: Actor,
    id: string,
    operation: Operation,
    change: (plugin: LivePlugin) => Promise<void>,
  ): Promise<LivePlugin> {
    return this.#registry.exclusive(id, async () => {
      const plugin = this.#registry.get(id);
      this.#decide(by, operation, plugin.manifest);
      await change(plugin);
      return this.#registry.get(id);
    });
  }

  async #setState(
    by: Actor,
    plugin: LivePlugin,
    state: PluginRow['state'],
    action: string,
    reason: string | null,
  ): Promise<void> {
    const row = touched(plugin.row, { state, reason });
    const after = { state, ...(reason !== null && { reason }) };
    const entry = { actor: by.actor, action, target: row.id, before: { state: plugin.row.state }, after };
    await this.#registry.commit([{ op: 'plugin.put', row }], [entry]);
    this.#registry.put({ ...this.#registry.get(row.id), row });
  }
}

function touched(row: PluginRow, change: Partial<PluginRow>): PluginRow {
  return { ...row, ...change, updatedAtMs: Date.now() };
}

function requireFolder(folder: string): string {
  if (existsSync(folder) && statSync(folder).isDirectory()) return realpathSync(folder);
  throw new NeiraError('NEIRA_NOT_FOUND', { what: 'folder', id: folder });
}
