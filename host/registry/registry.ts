/**
 * The plugins of this host: what is registered, what serves, and with which image.
 *
 * The store is the truth; this is the part of it that lives in memory, together with the programs that
 * the cells run. Who may change it, and in which steps, is in plugin-admin.ts and reload.ts.
 */
import type { Decision } from '../../gates/decide.ts';
import type { Mode } from '../../gates/gates.ts';
import { describe, NeiraError, toShape } from '../errors.ts';
import type { EventCaller } from '../store/bus-records.ts';
import type { AdminOp, JournalDraft } from '../store/records.ts';
import { decideDelivery, type Serving } from '../turn.ts';
import type { PluginPolicy } from '../turn-context.ts';
import { type Booted, bootVersion } from './candidate.ts';
import { Dependencies } from './dependencies.ts';
import { requireAck } from './gate-service.ts';
import { hostEvents } from './host-event.ts';
import { IndexFile } from './index-file.ts';
import {
  folderError,
  indexEntry,
  type LivePlugin,
  movedEvents,
  type PluginError,
  parseRow,
  type Tool,
  whyInactive,
  writes,
} from './live-plugin.ts';
import { Locks } from './locks.ts';
import { ENGINE_GATES, type Manifest } from './manifest.ts';
import type { RegistryParts } from './parts.ts';
import { mayPublishAny, policyOf, schemasFor, schemasForPrincipals } from './policy.ts';
import { engineBlob, type Foundation, recipeOf } from './recipes.ts';
import { Replayer } from './replayer.ts';

/** A plugin that takes long to boot does not keep the host from listening. */
const START_PATIENCE_MS = 1500;
/** What has to hold over all plugins is checked and committed under this name; no plugin has it. */
const ALL_PLUGINS = '*';

export class Registry {
  readonly parts: RegistryParts;
  readonly replayer: Replayer;
  readonly #live = new Map<string, LivePlugin>();
  readonly #index: IndexFile;
  readonly #dependencies: Dependencies;
  readonly #locks = new Locks();
  #generations = 0;
  #closed = false;

  constructor(parts: RegistryParts) {
    this.parts = parts;
    this.replayer = new Replayer(this);
    this.#index = new IndexFile(parts.home);
    this.#dependencies = new Dependencies(parts.reader, (id) => this.#rebuildWhenStale(id));
    for (const row of parts.store.plugins()) {
      try {
        const version = parts.store.versions(row.id).find(({ digest }) => digest === row.digest);
        if (!version)
          throw new NeiraError('NEIRA_STORE_FAILED', { reason: `version ${row.digest} is missing` });
        const plugin = parseRow(row, version);
        parts.events.join(row.id, plugin.manifest.events);
        this.#live.set(row.id, plugin);
      } catch (err) {
        parts.log.error({ plugin: row.id, err }, 'a registered plugin cannot be read and is left out');
      }
    }
  }

  /** Starts what may run. A plugin that does not boot keeps its error and holds nobody up. */
  async start(): Promise<void> {
    await this.#saveIndex();
    await this.#keepEngine();
    let patience: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      patience = setTimeout(resolve, START_PATIENCE_MS);
    });
    const started = Promise.all(this.list().map(({ row }) => this.activate(row.id)));
    await Promise.race([started, enough]);
    clearTimeout(patience);
  }

  /** Recorded turns may need this engine when the host has another. */
  async #keepEngine(): Promise<void> {
    const { store, pool, transcripts } = this.parts;
    const digest = engineBlob(pool.engineDigest);
    if (!transcripts || store.blob(digest)) return;
    await this.commit([{ op: 'blob.put', digest, bytes: pool.packEngine().toString('base64') }], []);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#dependencies.stop();
    await this.#locks.idle();
  }

  /** One change of a plugin at a time, in the order in which they came. Not to be nested. */
  exclusive<Result>(id: string, change: () => Promise<Result>): Promise<Result> {
    return this.#locks.run(id, change);
  }

  /** Within a change: what has to hold over all plugins – tool ids, gates – is checked and committed as one. */
  amongAll<Result>(commit: () => Promise<Result>): Promise<Result> {
    return this.#locks.run(ALL_PLUGINS, commit);
  }

  // --- questions

  list(): readonly LivePlugin[] {
    return [...this.#live.values()].sort((a, b) => a.row.id.localeCompare(b.row.id));
  }

  find(id: string): LivePlugin | undefined {
    return this.#live.get(id);
  }

  /** @throws NEIRA_NOT_FOUND */
  get(id: string): LivePlugin {
    const plugin = this.#live.get(id);
    if (!plugin) throw new NeiraError('NEIRA_NOT_FOUND', { what: 'plugin', id });
    return plugin;
  }

  /** The tool with this id, and its plugin. Tool ids are unique in a host. */
  findTool(toolId: string): { readonly plugin: LivePlugin; readonly tool: Tool } | undefined {
    for (const plugin of this.#live.values()) {
      const tool = plugin.tools.get(toolId);
      if (tool) return { plugin, tool };
    }
    return undefined;
  }

  whyInactive(plugin: LivePlugin): string | undefined {
    const { gates } = this.parts;
    return whyInactive(
      plugin,
      gates.view(ENGINE_GATES[plugin.manifest.kind]),
      gates.view(plugin.manifest.gate),
    );
  }

  /** What serves a plugin, when it may run. */
  servingOf(id: string): Serving | undefined {
    const plugin = this.#live.get(id);
    return plugin?.serving && this.whyInactive(plugin) === undefined ? plugin.serving : undefined;
  }

  /** Plugins that could run now. */
  running = () => [...this.#live.keys()].filter((id) => this.servingOf(id) !== undefined);

  /** Whether a delivery from the mailbox may run now; a dry run would not consume it (design §4). */
  mayRun(serving: Serving, who: { readonly caller: EventCaller; readonly mode: Mode }): boolean {
    return this.decideDelivery(serving, { ...who, dryRun: false }).verdict === 'run';
  }

  /** What is to become of a delivery over the bus. */
  decideDelivery(
    serving: Serving,
    event: { readonly caller: EventCaller; readonly mode: Mode; readonly dryRun: boolean },
  ): Decision {
    const { manifest } = this.get(serving.id);
    const { gates } = this.parts;
    const inTheWay = [gates.view(ENGINE_GATES[manifest.kind]), gates.view(manifest.gate)];
    return decideDelivery(serving, inTheWay, event, 'bus');
  }

  // --- changes

  /** Commits a change with its journal entries, then writes the index. @throws what the writer said */
  async commit(ops: readonly AdminOp[], journal: readonly JournalDraft[]): Promise<readonly string[]> {
    const events = hostEvents(journal);
    return requireAck(await this.parts.store.submit({ kind: 'admin', ops, journal, events })).meta ?? [];
  }

  /** Takes over what was committed. */
  put(plugin: LivePlugin): void {
    const { id } = plugin.row;
    const before = this.#live.get(id)?.manifest.events ?? [];
    this.#live.set(id, plugin);
    this.#eventsMoved(id, before, plugin.manifest.events);
    void this.#saveIndex();
    this.parts.changed(id);
  }

  drop(id: string): void {
    const plugin = this.#live.get(id);
    this.#unload(plugin?.serving);
    this.#live.delete(id);
    this.#eventsMoved(id, plugin?.manifest.events ?? [], []);
    void this.#saveIndex();
    this.parts.changed(id);
  }

  /** Who publishes an event that came, went or changed gets its schema with the policy. */
  #eventsMoved(id: string, before: Manifest['events'], after: Manifest['events']): void {
    const { events } = this.parts;
    if (after.length === 0) events.leave(id);
    else events.join(id, after);
    const names = movedEvents(before, after);
    if (names.size === 0) return;
    for (const { row, manifest } of this.#live.values())
      if (mayPublishAny(manifest, names)) this.refreshPolicy(row.id);
  }

  /** Whether both gates in front of a plugin are open, so that its code may boot. */
  mayBoot(plugin: Pick<LivePlugin, 'manifest'>): boolean {
    const { gates } = this.parts;
    return gates.isOpen(ENGINE_GATES[plugin.manifest.kind]) && gates.isOpen(plugin.manifest.gate);
  }

  policy(plugin: Pick<LivePlugin, 'manifest' | 'grants' | 'settings'>, digest: string) {
    const { manifest, grants, settings } = plugin;
    const { gates, events, store } = this.parts;
    const ofPrincipals = schemasForPrincipals(manifest, events, store);
    const schemas = [schemasFor(manifest, events), ofPrincipals] as const;
    return policyOf(manifest, digest, gates.view(manifest.gate), grants, settings, ...schemas);
  }

  /** The policy that transcripts name by the digest of its recipe, which is on its way into the store. */
  #recorded(plugin: LivePlugin, foundation: Foundation): PluginPolicy {
    const policy = this.policy(plugin, plugin.version.digest);
    if (!this.parts.transcripts) return policy;
    const recipe = recipeOf(plugin.version, foundation, policy);
    const { log, store } = this.parts;
    const named = { ...policy, recipe: recipe.digest };
    if (store.recipe(recipe.digest) !== undefined) return named;
    const failed = (err: unknown) => log.error({ plugin: plugin.row.id, err }, 'a recipe could not be kept');
    // Before any turn that names it: the store takes what comes in order.
    store.submit(recipe).then(requireAck).catch(failed);
    return named;
  }

  /** Puts a booted version in front: turns that have begun finish on the old one. */
  install(plugin: LivePlugin, booted: Booted, sourceMap: string): void {
    const foundation: Foundation = {
      engine: this.parts.pool.engineDigest,
      image: booted.reply.imageDigest,
      boot: booted.seen,
    };
    const policy = this.#recorded(plugin, foundation);
    const generation = ++this.#generations;
    const { id } = plugin.row;
    const cell = this.parts.pool.install({
      generation,
      plugin: id,
      limits: policy.limits,
      image: booted.reply.image,
      sourceMap,
      policy,
    });
    const serving: Serving = {
      id,
      state: { id, state: 'enabled' },
      generation,
      policy,
      concurrency: plugin.manifest.limits.concurrency,
      ...(cell !== undefined && { cell }),
      writes: writes(plugin),
    };
    const old = this.#live.get(id)?.serving;
    const { error: _mended, ...healthy } = plugin;
    this.put({
      ...healthy,
      ...folderError(plugin.row),
      serving,
      dependencies: booted.dependencies,
      foundation,
    });
    this.#unload(old);
    // What was read while it booted may have changed since.
    this.noteCommit(id);
    for (const { level, message } of booted.logs) this.parts.log.info({ plugin: id, level }, message);
  }

  /** Stops serving; the plugin stays registered. */
  retire(id: string): void {
    const plugin = this.#live.get(id);
    if (!plugin?.serving) return;
    const { serving, dependencies: _gone, foundation: _none, ...rest } = plugin;
    this.#live.set(id, rest);
    this.#unload(serving);
    this.parts.changed(id);
  }

  /** Keeps what went wrong where everybody sees it: API and log. */
  noteError(id: string, error: unknown, folder?: string): PluginError {
    const { code, details: given } = toShape(error);
    const details = this.parts.mask(given);
    const message = describe(code, details);
    const noted = { code, details, message, atMs: Date.now(), ...(folder !== undefined && { folder }) };
    const plugin = this.#live.get(id);
    if (plugin) this.#live.set(id, { ...plugin, error: noted });
    this.parts.log.warn({ plugin: id, code, ...details }, message);
    return noted;
  }

  // --- who serves

  async activate(id: string): Promise<void> {
    await this.exclusive(id, () => this.serve(id));
  }

  /**
   * Boots an enabled plugin from the store when its gates are open and it does not serve yet. The caller
   * holds the plugin.
   */
  async serve(id: string): Promise<void> {
    const plugin = this.#live.get(id);
    if (this.#closed || plugin?.row.state !== 'enabled' || plugin.serving || !this.mayBoot(plugin)) return;
    try {
      const { booted, sourceMap } = await this.build(plugin);
      this.install(plugin, booted, sourceMap);
    } catch (error) {
      this.noteError(id, error);
    }
  }

  /** Builds an image of the stored version, with this plugin's settings. @throws what the boot said */
  async build(plugin: LivePlugin): Promise<{ readonly booted: Booted; readonly sourceMap: string }> {
    const { bundle, sourceMap: map, digest } = plugin.version;
    const version = { code: this.text(bundle), sourceMap: this.text(map) };
    const booted = await bootVersion(this.parts.pool, version, this.policy(plugin, digest));
    return { booted, sourceMap: version.sourceMap };
  }

  /** A gate moved: what it opened begins to serve, and every policy that names it follows. */
  async gateMoved(gate: string): Promise<void> {
    const behind = this.list().filter(
      ({ manifest }) =>
        this.parts.gates.view(manifest.gate).id === gate || ENGINE_GATES[manifest.kind] === gate,
    );
    for (const { row } of behind) this.refreshPolicy(row.id);
    if (!this.parts.gates.isOpen(gate)) return;
    for (const { row } of behind) this.noteCommit(row.id);
    await Promise.all(behind.map(({ row }) => this.activate(row.id)));
  }

  /** Sends changed grants or stages to the cells; turns that have begun keep what they had. */
  refreshPolicy(id: string): void {
    const plugin = this.#live.get(id);
    if (!plugin?.serving) return;
    const policy = this.#recorded(plugin, plugin.foundation!);
    this.#live.set(id, { ...plugin, serving: { ...plugin.serving, policy, writes: writes(plugin) } });
    this.parts.pool.setPolicy(plugin.serving.generation, policy);
    this.parts.changed(id);
  }

  /** A turn of the plugin committed: what `prepare()` read may have changed with it. */
  noteCommit(id: string): void {
    const reads = this.#live.get(id)?.dependencies;
    if (reads && !this.#closed) this.#dependencies.note(id, reads);
  }

  #rebuildWhenStale(id: string): Promise<void> {
    return this.exclusive(id, async () => {
      const plugin = this.#live.get(id);
      if (this.#closed || !plugin?.serving || !plugin.dependencies || !this.mayBoot(plugin)) return;
      try {
        if (this.#dependencies.hold(id, plugin.dependencies)) return;
        const { booted, sourceMap } = await this.build(plugin);
        this.install(this.get(id), booted, sourceMap);
      } catch (error) {
        this.noteError(id, error);
      }
    });
  }

  #unload(serving: Serving | undefined): void {
    if (!serving) return;
    const { turns, pool } = this.parts;
    void turns.idle(serving.generation).then(() => pool.unload(serving.generation));
  }

  /** A blob of the store. @throws NEIRA_STORE_FAILED */
  text(digest: string): string {
    const bytes = this.parts.store.blob(digest);
    if (!bytes) throw new NeiraError('NEIRA_STORE_FAILED', { reason: `blob ${digest} is missing` });
    return Buffer.from(bytes).toString();
  }

  /** A projection that cannot be written is a nuisance; what is true is committed already. */
  async #saveIndex(): Promise<void> {
    const { log } = this.parts;
    try {
      const note = this.#index.save(this.list().map(indexEntry), Date.now());
      if (note === undefined) return;
      log.warn(note);
      const entry = { actor: 'host', action: 'index.rewritten', target: 'plugins/index.json', note };
      await this.commit([], [entry]);
    } catch (err) {
      log.error({ err }, 'plugins/index.json could not be written');
    }
  }
}
