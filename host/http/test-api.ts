import type { Mode, Scope, Stage } from '../../gates/gates.ts';
import { NeiraError } from '../errors.ts';
import type { GateDetail, HostApi, JournalEntryView, PluginDetail, TokenView, UiEventReply } from './api.ts';
import type { BusApi, DeadLetterView } from './bus-api.ts';
import type { HttpLog } from './problem.ts';
import { createServer, type HttpServer, type HttpSettings } from './server.ts';
import { testSecrets } from './test-secrets.ts';
import { testStatus } from './test-status.ts';
import { testTurns } from './test-turns-api.ts';

export { testStatus } from './test-status.ts';

/** A host without a host: what the tests of HTTP and of the command line talk to. For tests only. */

export const TOKENS = { read: 'token-of-read', write: 'token-of-write', admin: 'token-of-admin' } as const;
const AT = '2026-01-02T03:04:05.678Z';

export interface TestApi extends HostApi {
  /** Every call that changed something or ran something, in order: `[method, ...arguments]` without the caller. */
  readonly calls: unknown[][];
  /** Replaces one method for one test. */
  override(methods: Partial<HostApi>): void;
}

export function testPlugin(id: string, changes: Partial<PluginDetail> = {}): PluginDetail {
  return {
    id,
    version: '0.1.0',
    kind: 'script',
    state: 'registered',
    gate: 'runtime_scripting',
    gate_stage: 'locked',
    active: false,
    reason: 'the gate `runtime_scripting` is locked',
    title: { en: id, ru: id },
    manifest: { id, version: '0.1.0', permissions: { storage: ['write'] } },
    grants: {},
    pending_consent: { storage: ['write'] },
    settings: {},
    path: `/plugins/${id}`,
    origin: 'upload',
    signed_by: null,
    versions: [{ version: '0.1.0', digest: 'abc', at: AT, current: true }],
    limits: { turn_ms: 200 },
    counters: { turns: 0 },
    recent_errors: [],
    ...changes,
  };
}

const testPrincipal = (plugin: string) => ({
  id: 'scenario:morning',
  title: `Morning of ${plugin}`,
  permissions: { bus: { publish: ['ui.notify'] } },
  grants: { storage: ['read'] },
  pending_consent: ['bus.publish:ui.notify'],
  registered_at: AT,
  updated_at: AT,
});

export function testGate(changes: Partial<GateDetail> = {}): GateDetail {
  return {
    id: 'annotations_pencil',
    aliases: [],
    title: { en: 'Pencil', ru: 'Карандаш' },
    stage: 'locked',
    since: AT,
    requires: [{ gate: 'ui_tools_registry', stage: 'experimental', met: true }],
    opens: { en: 'drawing on a chat', ru: 'рисование в чате' },
    signals: [{ stage: 'stable', name: 'turns', value: 3, target: '≥ 1000', met: false }],
    phrases: { en: ['open the pencil'], ru: ['открой карандаш'] },
    declared_by: null,
    ...changes,
  };
}

export function testDeadLetter(changes: Partial<DeadLetterView> = {}): DeadLetterView {
  return {
    id: 7,
    plugin: 'shop',
    event_id: 'e1',
    event_name: 'order.placed',
    version: 1,
    key: 'a',
    subscriptions: ['order.placed@1'],
    attempts: 3,
    error: { code: 'NEIRA_PLUGIN_FAILED', message: 'It threw.', details: {}, stack: 'at main.ts:1' },
    published_at: AT,
    at: AT,
    envelope: { id: 'e1' },
    ...changes,
  };
}

function testBus(): BusApi {
  return {
    publishEvent: async () => ({ event_id: 'e1' }),
    readEvents: async () => ({
      events: [{ id: 'e1', event_name: 'ui.pencil.draw' }],
      places: [{ seq: 1, disposition: 'executed' }],
      next: null,
    }),
    async *tailEvents() {
      yield { events: [], seenTo: 3 };
      yield {
        events: [{ seq: 4, name: 'order.placed', envelope: '{"id":"e4",\n"payload":{"n":1}}' }],
        seenTo: 4,
      };
      return undefined;
    },
    replayEvents: async () => ({ replayed: 2, skipped: 1, refused: [], refused_count: 0, next: null }),
    listTopics: () => [
      {
        fqdn: 'order.placed@1',
        kind: 'event',
        status: 'stable',
        summary: 'An order.',
        owner: 'shop',
        publishers: ['shop'],
        subscribers: [
          { plugin: 'shop', subscription: 'order.>', pattern: 'order.>', version: null, dynamic: false },
        ],
        subscriber_count: 1,
        waiting: 4,
      },
    ],
    listDeadLetters: async () => ({ dead_letters: [testDeadLetter()], next: null }),
    getDeadLetter(_caller, id) {
      if (id === 7) return testDeadLetter();
      throw new NeiraError('NEIRA_NOT_FOUND', { what: 'dead letter', id: String(id) });
    },
    exportDeadLetters: () => [JSON.stringify(testDeadLetter())],
    retryDeadLetters: async (_caller, { ids = [7] }) => ids.length,
    dropDeadLetters: async (_caller, { ids = [7] }) => ids.length,
  };
}

export function createTestApi(): TestApi {
  const calls: unknown[][] = [];
  const plugins = new Map<string, PluginDetail>();
  const tokens = new Map<string, TokenView>();
  const entry: JournalEntryView = {
    seq: 1,
    'neira:meta': 'm1',
    ts: AT,
    actor: 'admin',
    action: 'gate.set',
    target: 'annotations_pencil',
    hash: 'h1',
  };
  let gate = testGate();
  let mode: { mode: Mode; since: string } = { mode: 'normal', since: AT };

  function plugin(id: string): PluginDetail {
    const found = plugins.get(id);
    if (found === undefined) throw new NeiraError('NEIRA_NOT_FOUND', { what: 'plugin', id });
    return found;
  }
  function change(id: string, changes: Partial<PluginDetail>): PluginDetail {
    const changed = { ...plugin(id), ...changes };
    plugins.set(id, changed);
    return changed;
  }

  const api: HostApi = {
    health: () => ({ status: 'ok', mode: mode.mode, version: '0.1.0' }),
    status: async () => testStatus(),
    metrics: async () => ({
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
      text: '# HELP neira_cell_kills_total Cells.\n# TYPE neira_cell_kills_total counter\n',
    }),
    authenticate(token) {
      const [scope] = Object.entries(TOKENS).find(([, known]) => known === token) ?? [];
      return scope === undefined
        ? undefined
        : { actor: scope, tokenId: `id-of-${scope}`, scope: scope as Scope };
    },
    listPlugins: () => [...plugins.values()],
    getPlugin: (_caller, id) => plugin(id),
    async registerPlugin(_caller, what, options) {
      const id =
        what.from === 'inline'
          ? String((what.manifest as { id?: unknown }).id)
          : what.from === 'catalog'
            ? what.id
            : what.from;
      const created = !plugins.has(id);
      const state = options.enable ? 'enabled' : 'registered';
      plugins.set(id, testPlugin(id, { state }));
      return { created, plugin: plugin(id) };
    },
    enablePlugin: async (_caller, id) => change(id, { state: 'enabled', active: true }),
    disablePlugin: async (_caller, id) => change(id, { state: 'disabled', active: false }),
    reloadPlugin: async (_caller, id) => change(id, {}),
    rollbackPlugin: async (_caller, id, version = '0.0.9') => change(id, { version }),
    grantPlugin: async (_caller, id, permissions) => change(id, { grants: permissions, pending_consent: {} }),
    getSettings: (_caller, id) => ({ settings: plugin(id).settings, schema: { type: 'object' } }),
    putSettings: async (_caller, id, settings) => ({
      settings: change(id, { settings }).settings,
      schema: { type: 'object' },
    }),
    async removePlugin(_caller, id) {
      plugin(id);
      plugins.delete(id);
    },
    pluginLogs: (_caller, id) => [
      { ts: AT, level: 'info', message: `from ${plugin(id).id}\u001b[31m!`, turn: 't1' },
    ],
    listPrincipals: (_caller, id) => [testPrincipal(plugin(id).id)],
    grantPrincipal: async (_caller, id) => testPrincipal(plugin(id).id),
    removePrincipal: async (_caller, id) => void plugin(id),
    listCatalog: async () => [
      { id: 'ui.pencil', version: '0.1.0', kind: 'script', title: { en: 'Pencil' }, registered: false },
    ],
    listTools: () => [
      { plugin: 'ui.pencil', id: 'pencil', title: 'Карандаш', event: 'ui.pencil.draw', params_schema: {} },
    ],
    async uiEvent(_caller, _body, options): Promise<UiEventReply> {
      return options.dryRun
        ? { event_id: 'e1', mode: 'dry-run', ran: true, actions: [], planned: [{ set: 'x' }] }
        : { event_id: 'e1', mode: 'executed', ran: true, actions: [{ type: 'note' }] };
    },
    listGates: () => [gate],
    async setGate(_caller, id, stage: Stage) {
      if (id !== gate.id) throw new NeiraError('NEIRA_NOT_FOUND', { what: 'gate', id });
      if (mode.mode === 'safe' && stage !== 'locked')
        throw new NeiraError('NEIRA_SAFE_MODE', { operation: 'opening a gate' });
      gate = { ...gate, stage };
      return gate;
    },
    matchPhrase(_caller, text) {
      if (Object.values(gate.phrases).flat().includes(text)) return gate;
      throw new NeiraError('NEIRA_NOT_FOUND', {
        what: 'gate for the phrase',
        id: text,
        suggestions: ['открой карандаш'],
      });
    },
    getMode: () => mode,
    async setMode(_caller, to) {
      mode = { mode: to, since: AT };
      return mode;
    },
    readJournal: (_caller, after) => (after >= entry.seq ? [] : [entry]),
    ...testBus(),
    contributedCall: async () => undefined,
    listCommands: () => [],
    contributedPaths: () => ({}),
    search: async () => ({ results: [{ type: 'annotation', id: 'a1' }], next: null, answered_by: null }),
    exportLines: () => ['{"n":1}', '{"n":2}\n'],
    listTokens: () => [...tokens.values()],
    async createToken(_caller, draft) {
      const token: TokenView = {
        id: `t${tokens.size + 1}`,
        name: draft.name,
        scopes: draft.scopes,
        created_at: AT,
        expires_at: draft.expiresAt ?? null,
        revoked_at: null,
      };
      tokens.set(token.id, token);
      return { ...token, token: 'the-secret-of-the-new-token' };
    },
    ...testSecrets(),
    async revokeToken(_caller, id) {
      const token = tokens.get(id);
      if (token === undefined) throw new NeiraError('NEIRA_NOT_FOUND', { what: 'token', id });
      tokens.set(id, { ...token, revoked_at: AT });
    },
    ...testTurns(),
    getRehearsal: () => ({ mode: 'report', last: null }),
    setRehearsal: async (_caller, _id, mode) => ({ mode, last: null }),
    acceptRehearsal: async (_caller, id) => change(id, {}),
    backup: async () => ({ path: '/home/backups/1.db', bytes: 4096 }),
  };

  const recorded = { ...api } as Record<string, (...given: unknown[]) => unknown>;
  let overrides: Record<string, (...given: unknown[]) => unknown> = {};
  for (const name of Object.keys(api)) {
    const own = recorded[name]!;
    recorded[name] = (...given) => {
      if (name !== 'authenticate' && name !== 'health') calls.push([name, ...given.slice(1)]);
      return (overrides[name] ?? own)(...given);
    };
  }
  return {
    ...(recorded as unknown as HostApi),
    calls,
    override(methods) {
      overrides = methods as typeof overrides;
    },
  };
}

export type LogLine = { readonly details: object; readonly message: string };

export interface TestServer extends HttpServer, AsyncDisposable {
  readonly url: string;
  readonly api: TestApi;
  readonly logged: LogLine[];
}

export const SETTINGS: HttpSettings = {
  host: '127.0.0.1',
  port: 0,
  origins: ['https://console.example.org'],
  bodyLimitBytes: 64 * 1024,
  uploadLimitBytes: 256 * 1024,
  ratePerMinute: 0,
  maxConnections: 100,
};

/** A server that really listens, over a {@link TestApi}. */
export async function startTestServer(changes: Partial<HttpSettings> = {}): Promise<TestServer> {
  const api = createTestApi();
  const logged: LogLine[] = [];
  const note = (details: object, message: string) => void logged.push({ details, message });
  const log: HttpLog = { error: note, warn: note, info: note };
  const server = await createServer({ api, log, settings: { ...SETTINGS, ...changes } });
  const url = await server.listen();
  return { ...server, url, api, logged, [Symbol.asyncDispose]: () => server.close() };
}

export function bearer(scope: keyof typeof TOKENS): { authorization: string } {
  return { authorization: `Bearer ${TOKENS[scope]}` };
}

/** A good UI event. */
export const EVENT = { tool_id: 'pencil', event: 'ui.pencil.draw', params: {}, context: {} };

/** Sends a body to a test server as the administrator; the answer is JSON. */
export async function post(
  server: TestServer,
  path: string,
  body: RequestInit['body'],
  headers: Record<string, string> = {},
  method = 'POST',
) {
  const response = await fetch(server.url + path, {
    method,
    body: body ?? null,
    headers: { 'content-type': 'application/json', ...bearer('admin'), ...headers },
  });
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    // biome-ignore lint/suspicious/noExplicitAny: the tests judge its shape
    problem: (await response.json()) as Record<string, any>,
  };
}

export interface Sent {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests judge its shape
  readonly body: any;
}

export async function sendTo(
  { url }: Pick<TestServer, 'url'>,
  call: string,
  body?: unknown,
  headers: Record<string, string> = bearer('admin'),
): Promise<Sent> {
  const [method, path] = call.split(' ') as [string, string];
  const response = await fetch(url + path, {
    method,
    headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = /^application\/(problem\+)?json;/.test(response.headers.get('content-type') ?? '');
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson && text !== '' ? JSON.parse(text) : undefined,
  };
}
