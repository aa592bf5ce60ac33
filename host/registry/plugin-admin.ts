/**
 * What administrators, and saved files, do to plugins: each operation decided, serialised per plugin,
 * committed with its journal entry.
 */
import { existsSync, mkdirSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { decide, type Operation } from '../../gates/decide.ts';
import type { Mode, Scope } from '../../gates/gates.ts';
import { type ErrorCode, NeiraError } from '../errors.ts';
import type { AdminOp, PluginRow } from '../store/records.ts';
import { buildVersion, folderDigest, type Version } from './candidate.ts';
import { checkedGrants } from './grants.ts';
import type { LivePlugin } from './live-plugin.ts';
import { ENGINE_GATES, type Manifest, parseManifest } from './manifest.ts';
import { NO_PERMISSIONS } from './permissions.ts';
import { checkedSettings } from './policy.ts';
import type { Registry } from './registry.ts';
import { recordFailure, summaryOf, swapTo } from './reload.ts';
import type { PluginSignature, SignaturePolicy } from './signature.ts';
import { manifestOf, type SourceTree, sourceFromFolder } from './source.ts';
import { PluginWatcher } from './watch.ts';

/** Who changes something. `host` is the host's own act: a saved file, a quarantine. */
export interface Actor {
  readonly actor: string;
  readonly scope: Scope | 'host';
}

export interface AdminSettings {
  readonly home: string;
  readonly versionsKept: number;
  readonly signatures: SignaturePolicy;
  mode(): Mode;
}

export type PluginSource =
  /** Files that were sent; they get a folder inside the home. */
  | { readonly from: 'tree'; readonly tree: SourceTree; readonly signature?: PluginSignature }
  /** A folder of the operator's, watched where it lies. */
  | { readonly from: 'folder'; readonly folder: string; readonly origin: 'path' | 'catalog' };

const WATCHER: Actor = { actor: 'watch', scope: 'host' };
const HOST: Actor = { actor: 'host', scope: 'host' };
/** A save that does not build is looked at again after this: it may have been half of one. */
const SECOND_LOOK_MS = 200;

export class PluginAdmin {
  readonly #registry: Registry;
  readonly #settings: AdminSettings;
  readonly #watcher: PluginWatcher;
  readonly #locks = new Map<string, Promise<unknown>>();

  constructor(registry: Registry, settings: AdminSettings) {
    this.#registry = registry;
    this.#settings = settings;
    this.#watcher = new PluginWatcher((plugin) => void this.#saved(plugin));
  }

  /** Watches what is registered, and takes over what was saved while the host was down. */
  async start(): Promise<void> {
    rmSync(this.#stagingFolder, { recursive: true, force: true });
    for (const { row } of this.#registry.list()) {
      if (!existsSync(row.path)) continue;
      await this.#watcher.watch(row.id, row.path);
      await this.#saved(row.id);
    }
  }

  async close(): Promise<void> {
    await this.#watcher.close();
    await Promise.allSettled(this.#locks.values());
  }

  /** Registers a plugin, or updates it. @throws the first stage's error; nothing was changed then. */
  async register(
    by: Actor,
    source: PluginSource,
    options: { readonly enable: boolean; readonly grantAll: boolean },
  ): Promise<{ readonly created: boolean; readonly plugin: LivePlugin }> {
    if (source.from === 'folder')
      return this.#registerFolder(by, requireFolder(source.folder), source.origin, options);
    const manifest = parseManifest(manifestOf(source.tree).text, { files: source.tree.files.keys() });
    return this.#exclusive(manifest.id, async () => {
      this.#decide(by, 'register', manifest);
      using folder = new UploadFolder(this.#uploadFolder(manifest), this.#stage(manifest.id, source.tree));
      const version = await buildVersion(folder.staging, this.#settings.signatures, source.signature);
      const place = { path: folder.path, origin: 'upload', beforeCommit: () => folder.swapIn() } as const;
      const taken = await this.#take(by, version, place, options);
      folder.keep();
      return taken;
    });
  }

  async enable(by: Actor, id: string): Promise<LivePlugin> {
    return this.#change(by, id, 'enable', async (plugin) => {
      if (plugin.row.state === 'enabled') return;
      await this.#setState(by, plugin, 'enabled', 'plugin.enabled', null);
      await this.#registry.activate(id);
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
      const version = this.#storedVersion(plugin, wanted);
      await swapTo(this.#registry, version, {
        ...this.#carriedOver(by, plugin),
        action: 'plugin.rolled-back',
        state: revived(plugin),
      });
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
    });
  }

  /** Settings are part of what an image is built from, so the plugin boots anew with them. */
  async configure(by: Actor, id: string, settings: unknown): Promise<LivePlugin> {
    return this.#change(by, id, 'settings', async (plugin) => {
      const checked = checkedSettings(plugin.manifest, settings);
      const row = touched(plugin.row, { settings: JSON.stringify(checked) });
      const entry = {
        actor: by.actor,
        action: 'plugin.configured',
        target: id,
        before: plugin.settings,
        after: checked,
      };
      await this.#registry.commit([{ op: 'plugin.put', row }], [entry]);
      const live = { ...this.#registry.get(id), row, settings: checked };
      this.#registry.put(live);
      if (live.serving) await this.#registry.bootStored(live);
    });
  }

  async remove(by: Actor, id: string, dropData: boolean): Promise<void> {
    await this.#exclusive(id, async () => {
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
      await this.#watcher.unwatch(id);
      gates.adopt([], dropped);
      this.#registry.drop(id);
      if (plugin.row.origin === 'upload') rmSync(plugin.row.path, { recursive: true, force: true });
    });
  }

  /** The host's own act, also in safe mode: a plugin that keeps ending cells is stopped. */
  async quarantine(id: string, reason: string): Promise<void> {
    await this.#exclusive(id, async () => {
      const plugin = this.#registry.find(id);
      if (!plugin || plugin.row.state === 'quarantined') return;
      await this.#setState(HOST, plugin, 'quarantined', 'plugin.quarantined', reason);
      this.#registry.retire(id);
    });
  }

  // --- folders

  async #registerFolder(
    by: Actor,
    folder: string,
    origin: 'path' | 'catalog',
    options: { readonly enable: boolean; readonly grantAll: boolean },
  ) {
    const tree = await sourceFromFolder(folder);
    const { id } = parseManifest(manifestOf(tree).text, { files: tree.files.keys() });
    return this.#exclusive(id, async () => {
      const version = await this.#buildDecided(by, 'register', folder, id);
      return this.#take(by, version, { path: folder, origin }, options);
    });
  }

  async #buildDecided(by: Actor, operation: Operation, folder: string, id: string): Promise<Version> {
    const tree = await sourceFromFolder(folder);
    const manifest = parseManifest(manifestOf(tree).text, { files: tree.files.keys() });
    this.#decide(by, operation, manifest);
    const version = await buildVersion(folder, this.#settings.signatures);
    if (version.manifest.id === id) return version;
    throw new NeiraError('NEIRA_CONFLICT', {
      what: 'The folder of plugin',
      id,
      by: `plugin \`${version.manifest.id}\``,
    });
  }

  async #take(
    by: Actor,
    version: Version,
    place: { readonly path: string; readonly origin: PluginRow['origin']; beforeCommit?(): void },
    options: { readonly enable: boolean; readonly grantAll: boolean },
  ) {
    const { manifest } = version;
    const before = this.#registry.find(manifest.id);
    if (options.enable) this.#decide(by, 'enable', manifest);
    const changed = before !== undefined && before.row.sourceDigest !== version.digest;
    const state = options.enable
      ? 'enabled'
      : before === undefined
        ? 'registered'
        : changed
          ? revived(before)
          : before.row.state;
    await this.#watcher.unwatch(manifest.id);
    const plugin = await swapTo(this.#registry, version, {
      actor: by.actor,
      action: before ? 'plugin.updated' : 'plugin.registered',
      state,
      grants: options.grantAll ? manifest.permissions : (before?.grants ?? NO_PERMISSIONS),
      settings: before?.settings ?? {},
      sourceDigest: version.digest,
      versionsKept: this.#settings.versionsKept,
      ...place,
    }).finally(async () => {
      const folder = this.#registry.find(manifest.id)?.row.path;
      if (folder && existsSync(folder)) await this.#watcher.watch(manifest.id, folder);
    });
    return { created: before === undefined, plugin };
  }

  async #reloadFolder(by: Actor, plugin: LivePlugin): Promise<void> {
    const { id, path: folder } = plugin.row;
    try {
      const version = await this.#buildDecided(by, 'reload', requireFolder(folder), id);
      await swapTo(this.#registry, version, {
        ...this.#carriedOver(by, plugin),
        action: 'plugin.reloaded',
        state: version.digest === plugin.row.sourceDigest ? plugin.row.state : revived(plugin),
        sourceDigest: version.digest,
      });
    } catch (error) {
      await recordFailure(this.#registry, id, by.actor, error);
      throw error;
    }
  }

  #carriedOver(by: Actor, { row, grants, settings }: LivePlugin) {
    const { path: folder, origin, sourceDigest } = row;
    return {
      actor: by.actor,
      grants,
      settings,
      path: folder,
      origin,
      sourceDigest,
      versionsKept: this.#settings.versionsKept,
    };
  }

  /** A folder came to rest: reload it when its content is another than the one last loaded. */
  async #saved(id: string): Promise<void> {
    await this.#exclusive(id, async () => {
      const plugin = this.#registry.find(id);
      if (!plugin) return;
      try {
        if (!(await this.#differs(plugin))) return;
        await this.#reloadSaved(plugin);
      } catch (error) {
        this.#registry.parts.log.warn(
          { plugin: id, code: (error as NeiraError).code },
          'a save was not taken over',
        );
      }
    });
  }

  async #differs({ row }: LivePlugin): Promise<boolean> {
    try {
      return (await folderDigest(row.path)) !== row.sourceDigest;
    } catch {
      // Unreadable for now: building it will say why.
      return existsSync(row.path);
    }
  }

  /** What fails is looked at once more when it has rested; then it is the author's to mend. */
  async #reloadSaved(plugin: LivePlugin): Promise<void> {
    const { id } = plugin.row;
    const decision = this.#decisionOf(WATCHER, 'reload', plugin.manifest);
    if (decision.verdict !== 'run') return;
    try {
      const version = await buildVersion(plugin.row.path, this.#settings.signatures);
      if (version.manifest.id !== id) throw idChanged(id, version.manifest.id);
      await swapTo(this.#registry, version, {
        ...this.#carriedOver(WATCHER, plugin),
        action: 'plugin.reloaded',
        state: revived(plugin),
        sourceDigest: version.digest,
      });
    } catch {
      const failed = await folderDigest(plugin.row.path).catch(() => '');
      await new Promise((resolve) => setTimeout(resolve, SECOND_LOOK_MS));
      const rested = await folderDigest(plugin.row.path).catch(() => '');
      if (rested === plugin.row.sourceDigest) return;
      if (rested !== failed) return this.#reloadSaved(plugin);
      await this.#reloadFolder(WATCHER, plugin);
    }
  }

  #storedVersion(plugin: LivePlugin, wanted: string | undefined): Version {
    const { store } = this.#registry.parts;
    const newestFirst = [...store.versions(plugin.row.id)].sort((a, b) => b.createdAtMs - a.createdAtMs);
    const current = newestFirst.findIndex(({ digest }) => digest === plugin.row.digest);
    const found = wanted
      ? newestFirst.find(({ version, digest }) => digest === wanted || version === wanted)
      : newestFirst[current + 1];
    const text = (digest: string) => Buffer.from(store.blob(digest) ?? []).toString();
    if (!found)
      throw new NeiraError('NEIRA_NOT_FOUND', { what: 'version', id: wanted ?? 'before the current one' });
    const files = Object.entries(JSON.parse(found.files) as Record<string, string>);
    return {
      manifest: JSON.parse(found.manifest) as Manifest,
      digest: found.digest,
      files: new Map(files.map(([name, digest]) => [name, Buffer.from(store.blob(digest) ?? [])])),
      code: text(found.bundle),
      sourceMap: text(found.sourceMap),
      signedBy: found.signedBy,
      createdAtMs: found.createdAtMs,
    };
  }

  get #stagingFolder(): string {
    return path.join(this.#settings.home, 'plugins', '.staging');
  }

  /** Inside `plugins/scripts` or `plugins/wasm` of the home; the id cannot name anything else. */
  #uploadFolder({ id, kind }: Manifest): string {
    return path.join(this.#settings.home, 'plugins', kind === 'script' ? 'scripts' : 'wasm', id);
  }

  #stage(id: string, tree: SourceTree): string {
    const folder = path.join(this.#stagingFolder, `${id}-${process.hrtime.bigint()}`);
    for (const [name, bytes] of tree.files) {
      const file = path.join(folder, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, bytes);
    }
    return realpathSync(folder);
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
    return this.#exclusive(id, async () => {
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
    this.#registry.put({ ...plugin, row });
  }

  /** One change of a plugin at a time, in the order in which they came. */
  #exclusive<T>(id: string, change: () => Promise<T>): Promise<T> {
    const before = this.#locks.get(id) ?? Promise.resolve();
    const result = before.then(change, change);
    const settled = result.catch(() => {});
    this.#locks.set(id, settled);
    void settled.then(() => {
      if (this.#locks.get(id) === settled) this.#locks.delete(id);
    });
    return result;
  }
}

/** The folder of an upload: swapped in just before the commit, and back when the commit fails. */
class UploadFolder implements Disposable {
  readonly path: string;
  readonly staging: string;
  readonly #aside: string;
  #swapped = false;

  constructor(folder: string, staging: string) {
    this.path = folder;
    this.staging = staging;
    this.#aside = `${staging}.old`;
  }

  swapIn(): void {
    mkdirSync(path.dirname(this.path), { recursive: true });
    if (existsSync(this.path)) renameSync(this.path, this.#aside);
    renameSync(this.staging, this.path);
    this.#swapped = true;
  }

  keep(): void {
    this.#swapped = false;
  }

  [Symbol.dispose](): void {
    if (this.#swapped) {
      rmSync(this.path, { recursive: true, force: true });
      if (existsSync(this.#aside)) renameSync(this.#aside, this.path);
    }
    rmSync(this.staging, { recursive: true, force: true });
    rmSync(this.#aside, { recursive: true, force: true });
  }
}

function touched(row: PluginRow, change: Partial<PluginRow>): PluginRow {
  return { ...row, ...change, updatedAtMs: Date.now() };
}

/** A quarantined plugin that was mended runs again. */
function revived({ row }: LivePlugin): PluginRow['state'] {
  return row.state === 'quarantined' ? 'enabled' : row.state;
}

function idChanged(id: string, found: string): NeiraError {
  return new NeiraError('NEIRA_CONFLICT', { what: 'The folder of plugin', id, by: `plugin \`${found}\`` });
}

function requireFolder(folder: string): string {
  if (existsSync(folder) && statSync(folder).isDirectory()) return realpathSync(folder);
  throw new NeiraError('NEIRA_NOT_FOUND', { what: 'folder', id: folder });
}
