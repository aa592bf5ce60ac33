import type { Mode, Scope, Stage } from '../../gates/gates.ts';
import type { CommandView } from '../base/command-line.ts';
import type { ErrorShape } from '../errors.ts';
import type { DeliveryOutcome } from '../metrics.ts';
import type { BusApi } from './bus-api.ts';
import type { DryRunApi } from './dry-run-api.ts';
import type { SecretApi } from './secret-api.ts';
import type { TurnsApi } from './turns-api.ts';

/**
 * What the HTTP layer needs of the host, and all it needs: routes translate requests into these calls
 * and their answers into bodies (contract, "HTTP"). `host.ts` implements it over store, registry, turn.
 * Every method throws NeiraError; decisions (scope, mode, gate) are made behind it by `gates/decide.ts`,
 * so that the same answer is given whoever calls.
 */

export interface Caller {
  /** Name of the token, for the journal. */
  readonly actor: string;
  readonly tokenId: string;
  /** The highest scope of the token. */
  readonly scope: Scope;
}

export interface PluginSummary {
  readonly id: string;
  readonly version: string;
  readonly kind: 'script' | 'wasm';
  readonly state: 'registered' | 'enabled' | 'disabled' | 'quarantined';
  readonly gate: string;
  readonly gate_stage: Stage;
  readonly active: boolean;
  readonly reason?: string;
  readonly last_error?: ErrorView;
}

export interface ErrorView extends ErrorShape {
  readonly message: string;
  readonly at: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly stack?: string;
}

export interface PluginDetail extends PluginSummary {
  readonly title: string | Readonly<Record<string, string>>;
  readonly manifest: unknown;
  readonly grants: unknown;
  readonly pending_consent: unknown;
  readonly settings: unknown;
  readonly path: string;
  readonly origin: string;
  readonly signed_by: string | null;
  readonly versions: readonly {
    readonly version: string;
    readonly digest: string;
    readonly at: string;
    readonly current: boolean;
  }[];
  readonly limits: Readonly<Record<string, number>>;
  readonly counters: Readonly<Record<string, number>>;
  readonly recent_errors: readonly ErrorView[];
}

/** On whose behalf a plugin acts, as it registered it and as it was granted. */
export interface PrincipalView {
  readonly id: string;
  readonly title: string;
  readonly digest?: string;
  /** What it asks for. */
  readonly permissions: unknown;
  readonly grants: unknown;
  readonly pending_consent: readonly string[];
  readonly registered_at: string;
  readonly updated_at: string;
}

export type Registration =
  | {
      readonly from: 'inline';
      readonly manifest: unknown;
      readonly files: unknown;
      readonly signature?: unknown;
    }
  | { readonly from: 'path'; readonly path: string }
  | { readonly from: 'zip'; readonly bytes: Buffer }
  | { readonly from: 'catalog'; readonly id: string };

export interface RegisterOptions {
  readonly enable: boolean;
  /** Grants all that the manifest asks for; a convenience of development. */
  readonly grantAll: boolean;
}

export interface UiEventBody {
  readonly tool_id: string;
  readonly event: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly context: Readonly<Record<string, unknown>>;
}

export interface UiEventOptions {
  readonly dryRun: boolean;
  readonly idempotencyKey?: string;
  /** What the client prefers to read; plugins find it in the envelope's headers. */
  readonly acceptLanguage?: string;
  /** Of the span that the call is; what it causes belongs to the same trace. */
  readonly traceparent?: string;
}

export interface UiEventReply {
  readonly event_id: string;
  readonly mode: 'executed' | 'dry-run';
  readonly ran: boolean;
  readonly actions: readonly unknown[];
  readonly planned?: readonly unknown[];
  readonly reason?: string;
}

export interface RehearsalView {
  readonly mode: 'off' | 'report' | 'block';
  /** The last one, of `rehearsal.ts`. */
  readonly last: unknown;
}

export interface ToolDescriptor {
  readonly plugin: string;
  readonly id: string;
  readonly title: unknown;
  readonly icon?: string;
  readonly event: string;
  readonly params_schema: unknown;
}

export interface GateSignal {
  readonly stage: Stage;
  readonly name: string;
  readonly value: number | string | null;
  readonly target: string;
  /** null: a statement that a person judges. */
  readonly met: boolean | null;
}

export interface GateDetail {
  readonly id: string;
  readonly aliases: readonly string[];
  readonly title: Readonly<Record<string, string>>;
  readonly stage: Stage;
  readonly since: string;
  readonly requires: readonly { readonly gate: string; readonly stage: Stage; readonly met: boolean }[];
  readonly opens: Readonly<Record<string, string>>;
  readonly signals: readonly GateSignal[];
  readonly phrases: Readonly<Record<string, readonly string[]>>;
  readonly declared_by: string | null;
}

export interface JournalEntryView {
  readonly seq: number;
  readonly 'neira:meta': string;
  readonly ts: string;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly note?: string;
  readonly hash: string;
}

export interface SearchQuery {
  readonly type?: 'annotation' | 'message';
  readonly q?: string;
  readonly chat?: string;
  readonly session?: string;
  /** `time` without it. */
  readonly order?: 'time' | 'score';
  readonly after?: number;
  readonly limit?: number;
}

export interface FoundRecords {
  readonly results: readonly unknown[];
  readonly next: number | null;
  /** The plugin that answered; null: the host's own search. */
  readonly answered_by: string | null;
  /** What the plugin said of each of the results. */
  readonly hits?: readonly { readonly score?: number; readonly highlight: readonly string[] }[];
}

export interface TokenView {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
}

export interface HealthView {
  readonly status: 'ok' | 'stopping' | 'degraded';
  readonly mode: Mode;
  readonly version: string;
}

/** The essence of a host. What is counted is counted since `started_at`. */
export interface StatusView extends HealthView {
  readonly started_at: string;
  readonly uptime_seconds: number;
  readonly plugins: {
    /** All of them, whatever their state. */
    readonly registered: number;
    readonly active: number;
    readonly enabled: number;
    readonly disabled: number;
    readonly quarantined: readonly string[];
  };
  readonly gates: number;
  readonly open_gates: readonly string[];
  readonly events: { readonly published: number };
  readonly deliveries: Readonly<Record<DeliveryOutcome | 'waiting', number>>;
  readonly turns: { readonly count: number; readonly p50_ms: number | null; readonly p95_ms: number | null };
  readonly commits: { readonly count: number; readonly median_records: number | null };
  readonly cell_kills: number;
  readonly memory: { readonly resident_bytes: number; readonly heap_bytes: number };
}

/** A call that the host itself does not have. */
export interface ContributedRequest {
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  readonly traceparent?: string;
  readonly idempotencyKey?: string;
}

/** What a plugin answered to it: `json`, a `problem`, or nothing. */
export interface CallAnswer {
  readonly status: number;
  readonly json?: string;
  readonly problem?: { readonly code: string; readonly detail: string; readonly [more: string]: unknown };
}

export interface HostApi extends BusApi, TurnsApi, DryRunApi, SecretApi {
  health(): HealthView;
  status(caller: Caller): Promise<StatusView>;
  /** Prometheus text. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  /** Constant-time lookup of a bearer token; undefined when it is unknown, expired or revoked. */
  authenticate(token: string): Caller | undefined;

  listPlugins(caller: Caller): readonly PluginSummary[];
  getPlugin(caller: Caller, id: string): PluginDetail;
  registerPlugin(
    caller: Caller,
    what: Registration,
    options: RegisterOptions,
  ): Promise<{ created: boolean; plugin: PluginDetail }>;
  enablePlugin(caller: Caller, id: string): Promise<PluginDetail>;
  disablePlugin(caller: Caller, id: string): Promise<PluginDetail>;
  reloadPlugin(caller: Caller, id: string): Promise<PluginDetail>;
  rollbackPlugin(caller: Caller, id: string, version?: string): Promise<PluginDetail>;
  grantPlugin(caller: Caller, id: string, permissions: unknown): Promise<PluginDetail>;
  getSettings(caller: Caller, id: string): { readonly settings: unknown; readonly schema: unknown };
  putSettings(
    caller: Caller,
    id: string,
    settings: unknown,
  ): Promise<{ readonly settings: unknown; readonly schema: unknown }>;
  getRehearsal(caller: Caller, id: string): RehearsalView;
  setRehearsal(caller: Caller, id: string, mode: RehearsalView['mode']): Promise<RehearsalView>;
  acceptRehearsal(caller: Caller, id: string): Promise<PluginDetail>;
  removePlugin(caller: Caller, id: string, dropData: boolean): Promise<void>;
  pluginLogs(
    caller: Caller,
    id: string,
    limit: number,
  ): readonly {
    readonly ts: string;
    readonly level: string;
    readonly message: string;
    readonly turn: string;
    readonly principal?: string;
  }[];
  listPrincipals(caller: Caller, plugin: string): readonly PrincipalView[];
  /** `all`: what it asks for; a convenience of development. */
  grantPrincipal(caller: Caller, plugin: string, id: string, permissions: unknown): Promise<PrincipalView>;
  removePrincipal(caller: Caller, plugin: string, id: string): Promise<void>;
  listCatalog(caller: Caller): Promise<
    readonly {
      readonly id: string;
      readonly version: string;
      readonly kind: string;
      readonly title: unknown;
      readonly registered: boolean;
    }[]
  >;

  listTools(caller: Caller): readonly ToolDescriptor[];
  /** `body` is already of the right outer shape; ids and params are checked behind this call. */
  uiEvent(caller: Caller, body: UiEventBody, options: UiEventOptions): Promise<UiEventReply>;

  listGates(caller: Caller): readonly GateDetail[];
  setGate(caller: Caller, id: string, stage: Stage, force: boolean): Promise<GateDetail>;
  /** Which gate a phrase opens, ru or en; NEIRA_NOT_FOUND with suggestions otherwise. Changes nothing. */
  matchPhrase(caller: Caller, text: string): GateDetail;
  getMode(caller: Caller): { readonly mode: Mode; readonly since: string; readonly reason?: string };
  setMode(caller: Caller, mode: Mode): Promise<{ readonly mode: Mode; readonly since: string }>;

  readJournal(caller: Caller, after: number, limit: number): readonly JournalEntryView[];
  search(caller: Caller, query: SearchQuery): Promise<FoundRecords>;
  /** A call that a plugin contributes; undefined where none does. */
  contributedCall(caller: Caller, request: ContributedRequest): Promise<CallAnswer | undefined>;
  /** Command lines that plugins contribute. */
  listCommands(caller: Caller): readonly CommandView[];
  /** Path items of OpenAPI for the calls that plugins contribute. */
  contributedPaths(caller: Caller): Readonly<Record<string, object>>;
  exportLines(caller: Caller, query: SearchQuery): Iterable<string>;

  listTokens(caller: Caller): readonly TokenView[];
  createToken(
    caller: Caller,
    draft: { name: string; scopes: readonly Scope[]; expiresAt?: string },
  ): Promise<TokenView & { readonly token: string }>;
  revokeToken(caller: Caller, id: string): Promise<void>;
  backup(caller: Caller): Promise<{ readonly path: string; readonly bytes: number }>;
}
