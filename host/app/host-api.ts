/**
 * The host as the HTTP layer sees it: each call answered from registry, gates, store and turns.
 */
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { decide, type Operation } from '../../gates/decide.ts';
import type { Mode } from '../../gates/gates.ts';
import { type ErrorCode, isNeiraError, NeiraError } from '../errors.ts';
import type { Caller, HostApi, Registration, ToolDescriptor } from '../http/api.ts';
import type { Metrics } from '../metrics.ts';
import { type GateService, requireAck } from '../registry/gate-service.ts';
import { type Manifest, parseManifest } from '../registry/manifest.ts';
import type { PluginAdmin, PluginSource } from '../registry/plugin-admin.ts';
import type { PrincipalAdmin } from '../registry/principal-admin.ts';
import type { Registry } from '../registry/registry.ts';
import { lastRehearsal, rehearseModeOf } from '../registry/rehearsal.ts';
import type { PluginSignature } from '../registry/signature.ts';
import {
  type InlineSource,
  manifestOf,
  sourceFromFolder,
  sourceFromInline,
  sourceFromZip,
} from '../registry/source.ts';
import type { Store } from '../store/store.ts';
import type { Secrets } from '../turns/secrets.ts';
import type { ContributedCalls } from './contributed-calls.ts';
import { DeadLetters } from './dead-letters.ts';
import { DryRuns } from './dry-runs.ts';
import type { EventGateway } from './event-gateway.ts';
import type { EventRecords } from './event-records.ts';
import { EventReplay } from './event-replay.ts';
import type { HostMode } from './mode.ts';
import type { Search } from './search.ts';
import { secretAdmin } from './secret-admin.ts';
import { statusView } from './status.ts';
import type { Tokens } from './tokens.ts';
import { topicsView } from './topics.ts';
import { fixtureOf } from './turn-fixtures.ts';
import { TurnHistory } from './turn-history.ts';
import { TurnReplays } from './turn-replays.ts';
import type { UiEvents } from './ui-events.ts';
import { detailView, gateView, journalView, principalView, summaryView } from './views.ts';

export interface HostApiParts {
  readonly version: string;
  readonly store: Store;
  readonly registry: Registry;
  readonly gates: GateService;
  readonly plugins: PluginAdmin;
  readonly principals: PrincipalAdmin;
  readonly tokens: Tokens;
  readonly secrets: Secrets;
  readonly ui: UiEvents;
  readonly gateway: EventGateway;
  readonly eventRecords: EventRecords;
  readonly search: Search;
  readonly contributed: ContributedCalls;
  readonly mode: HostMode;
  readonly metrics: Metrics;
  readonly homeSecret: Uint8Array;
  /** Deliveries that have not settled. */
  waiting(): number;
  /** Folder of the bundled plugins. */
  readonly catalogFolder: string;
  stopping(): boolean;
}

const TOOLS_GATE = 'ui_tools_registry';

export function createHostApi(parts: HostApiParts): HostApi {
  const { store, registry, gates, plugins, tokens, ui, mode } = parts;
  const detail = (id: string) => detailView(registry, gates, store, registry.get(id));
  const rehearsal = (id: string) => {
    registry.get(id);
    return { mode: rehearseModeOf(registry, id), last: lastRehearsal(registry, id) ?? null };
  };
  const gateActor = (caller: Caller) => ({ actor: caller.actor, scope: caller.scope, mode: mode.current });

  function requireChange(caller: Caller, operation: Operation): void {
    const decision = decide({ about: 'change', operation, mode: mode.current, caller: caller.scope });
    if (decision.verdict === 'run') return;
    throw new NeiraError((decision.code ?? 'NEIRA_INTERNAL') as ErrorCode, { ...decision.details });
  }

  const deadLetters = new DeadLetters({ store, mode: () => mode.current });
  const replay = new EventReplay({
    events: registry.parts.events,
    log: store,
    submit: (record) => store.submit(record),
    requireAllowed: (caller) => requireChange(caller, 'event.replay'),
  });

  const history = new TurnHistory(store);
  const replays = new TurnReplays(registry, history);
  const dryRuns = new DryRuns({
    events: registry.parts.events,
    registry,
    history,
    store,
    turns: () => registry.parts.turns,
    mode: () => mode.current,
  });

  return {
    health: () => ({
      status: parts.stopping() ? 'stopping' : 'ok',
      mode: mode.current,
      version: parts.version,
    }),
    status: () => statusView(parts),
    metrics: async () => ({ contentType: parts.metrics.contentType, text: await parts.metrics.text() }),
    authenticate: (token) => tokens.authenticate(token),

    listPlugins: () => registry.list().map((plugin) => summaryView(registry, gates, plugin)),
    getPlugin: (_caller, id) => detail(id),
    async registerPlugin(caller, what, options) {
      requireChange(caller, 'settings');
      const { created, plugin } = await plugins.register(
        caller,
        await sourceOf(what, parts.catalogFolder),
        options,
      );
      return { created, plugin: detail(plugin.row.id) };
    },
    async enablePlugin(caller, id) {
      await plugins.enable(caller, id);
      return detail(id);
    },
    async disablePlugin(caller, id) {
      await plugins.disable(caller, id);
      return detail(id);
    },
    async reloadPlugin(caller, id) {
      await plugins.reload(caller, id);
      return detail(id);
    },
    async rollbackPlugin(caller, id, version) {
      await plugins.rollback(caller, id, version);
      return detail(id);
    },
    async grantPlugin(caller, id, permissions) {
      await plugins.grant(caller, id, permissions);
      return detail(id);
    },
    getSettings(_caller, id) {
      const { settings, manifest } = registry.get(id);
      return { settings, schema: manifest.settings };
    },
    async putSettings(caller, id, settings) {
      const plugin = await plugins.configure(caller, id, settings);
      return { settings: plugin.settings, schema: plugin.manifest.settings };
    },
    getRehearsal: (_caller, id) => rehearsal(id),
    async setRehearsal(caller, id, wanted) {
      await plugins.setRehearse(caller, id, wanted);
      return rehearsal(id);
    },
    async acceptRehearsal(caller, id) {
      await plugins.accept(caller, id);
      return detail(id);
    },
    removePlugin: (caller, id, dropData) => plugins.remove(caller, id, dropData),
    pluginLogs(_caller, id, limit) {
      registry.get(id);
      return store.logs(id, limit).map(({ atMs, level, message, turnId, principal }) => ({
        ts: new Date(atMs).toISOString(),
        level,
        message,
        turn: turnId,
        ...(principal !== null && { principal }),
      }));
    },
    listPrincipals: (_caller, id) => parts.principals.list(id).map(principalView),
    grantPrincipal: async (caller, id, principal, permissions) =>
      principalView(await parts.principals.grant(caller, id, principal, permissions)),
    removePrincipal: (caller, id, principal) => parts.principals.remove(caller, id, principal),
    listCatalog: async () => {
      const bundled = await catalogOf(parts.catalogFolder);
      return bundled.map(({ manifest: { id, version, kind, title } }) => ({
        id,
        version,
        kind,
        title,
        registered: registry.find(id) !== undefined,
      }));
    },

    listTools() {
      if (!gates.isOpen(TOOLS_GATE)) return [];
      return registry
        .list()
        .filter((plugin) => registry.whyInactive(plugin) === undefined)
        .flatMap(({ row, tools }) =>
          [...tools.values()].map(
            ({ button }): ToolDescriptor => ({
              plugin: row.id,
              id: button.id,
              title: button.title,
              ...(button.icon !== null && { icon: button.icon }),
              event: button.event,
              params_schema: button.paramsSchema,
            }),
          ),
        );
    },
    uiEvent: (caller, body, options) => ui.handle(caller, body, options),

    listGates: () => gates.list().map((state) => gateView(gates, store, state)),
    async setGate(caller, id, stage, force) {
      const state = await gates.set(gateActor(caller), id, stage, force);
      await registry.gateMoved(state.declaration.id);
      return gateView(gates, store, state);
    },
    matchPhrase(_caller, text) {
      const found = gates.matchPhrase(text);
      if (found.match === 'exact') return gateView(gates, store, gates.get(found.gate.id));
      throw new NeiraError('NEIRA_NOT_FOUND', {
        what: 'gate for the phrase',
        id: text.slice(0, 200),
        suggestions: found.suggestions,
      });
    },
    getMode: () => mode.view(),
    async setMode(caller, wanted: Mode) {
      requireChange(caller, wanted === 'safe' ? 'mode.safe' : 'mode.normal');
      await mode.set(caller.actor, wanted);
      return mode.view();
    },

    readJournal: (_caller, after, limit) => store.journal(after, limit).map(journalView),
    publishEvent: (caller, body, options) => parts.gateway.publish(caller, body, options),
    readEvents: (_caller, query) => parts.eventRecords.read(query),
    tailEvents: (_caller, query, idleMs, signal) => parts.eventRecords.tail(query, idleMs, signal),
    replayEvents: (caller, body, options) => replay.run(caller, body, options),
    listTopics: () =>
      topicsView({
        events: registry.parts.events,
        plugins: registry.list(),
        dynamic: store.subscriptions(),
        principals: (plugin) => parts.principals.list(plugin),
        waiting: store.waitingByEvent(),
      }),
    listDeadLetters: async (_caller, filter, after, limit) => deadLetters.list(filter, after, limit),
    getDeadLetter: (_caller, id) => deadLetters.get(id),
    exportDeadLetters: (_caller, filter, after) => deadLetters.lines(filter, after),
    retryDeadLetters: (caller, choice) => deadLetters.change(caller, 'retry', choice),
    dropDeadLetters: (caller, choice) => deadLetters.change(caller, 'drop', choice),
    listTurns: (_caller, query) => ({ turns: history.list(query) }),
    getTurn: (_caller, id) => history.detail(id),
    turnFixture: (_caller, id) => fixtureOf(history, (digest) => store.recipe(digest), parts.homeSecret, id),
    replayTurn: (_caller, id, version) => replays.one(id, version),
    replayTurns: (_caller, body) => replays.many(body),
    dryRun: (caller, body) => dryRuns.run(caller, body),
    search: (_caller, query) => parts.search.find(query),
    contributedCall: (caller, request) => parts.contributed.call(caller, request),
    listCommands: () => parts.contributed.commands(),
    contributedPaths: () => parts.contributed.paths(),
    *exportLines(_caller, query) {
      for (const line of store.exportLines(query)) yield parts.secrets.maskJson(line);
    },

    ...secretAdmin({ secrets: parts.secrets, registry, requireChange }),

    listTokens: () => tokens.list(),
    async createToken(caller, draft) {
      requireChange(caller, 'token.create');
      return tokens.create(caller.actor, draft);
    },
    async revokeToken(caller, id) {
      requireChange(caller, 'token.revoke');
      await tokens.revoke(caller.actor, id);
    },
    async backup(caller) {
      requireChange(caller, 'backup');
      const file = path.join(
        store.home,
        'backups',
        `neira-${new Date().toISOString().replaceAll(':', '-')}.db`,
      );
      mkdirSync(path.dirname(file), { recursive: true });
      await store.backup(file);
      const entry = { actor: caller.actor, action: 'backup.made', target: path.basename(file) };
      requireAck(await store.submit({ kind: 'admin', ops: [], journal: [entry] }));
      return { path: file, bytes: statSync(file).size };
    },
  };
}

async function sourceOf(what: Registration, catalogFolder: string): Promise<PluginSource> {
  switch (what.from) {
    case 'path':
      return { from: 'folder', folder: what.path, origin: 'path' };
    case 'catalog': {
      const bundled = (await catalogOf(catalogFolder)).find(({ manifest }) => manifest.id === what.id);
      if (!bundled) throw new NeiraError('NEIRA_NOT_FOUND', { what: 'bundled plugin', id: what.id });
      return { from: 'folder', folder: bundled.folder, origin: 'catalog' };
    }
    case 'zip':
      return { from: 'tree', tree: await sourceFromZip(what.bytes) };
    case 'inline': {
      const tree = sourceFromInline({ manifest: what.manifest, files: what.files } as InlineSource);
      return {
        from: 'tree',
        tree,
        ...(what.signature !== undefined && { signature: what.signature as PluginSignature }),
      };
    }
  }
}

interface Bundled {
  readonly folder: string;
  readonly manifest: Manifest;
}

/** The plugins that come with the host. */
async function catalogOf(catalogFolder: string): Promise<Bundled[]> {
  const folders = ['scripts', 'wasm']
    .map((kind) => path.join(catalogFolder, kind))
    .filter((kind) => existsSync(kind))
    .flatMap((kind) => readdirSync(kind, { withFileTypes: true }).map((entry) => ({ kind, entry })))
    .filter(({ entry }) => entry.isDirectory())
    .map(({ kind, entry }) => path.join(kind, entry.name));
  return (await Promise.all(folders.map(bundledIn))).filter((each) => each !== undefined);
}

/** Undefined for what is none yet: its manifest does not parse, or names a component that was not built. */
async function bundledIn(folder: string): Promise<Bundled | undefined> {
  try {
    const tree = await sourceFromFolder(folder);
    return { folder, manifest: parseManifest(manifestOf(tree).text, { files: tree.files.keys() }) };
  } catch (error) {
    if (isNeiraError(error)) return undefined;
    throw error;
  }
}
