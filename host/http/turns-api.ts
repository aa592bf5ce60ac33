import type { ErrorCode } from '../errors.ts';
import type { Caller } from './api.ts';

/**
 * The part of the {@link HostApi} that looks back: turns that ran, what they were told and did, and what they do
 * when they are run again.
 */

export interface TurnsQuery {
  readonly plugin?: string;
  readonly outcome?: 'ok' | 'failed';
  /** A pattern of event names. */
  readonly subject?: string;
  readonly event_id?: string;
  /** Times, RFC 3339; `until` is not part of it. */
  readonly since?: string;
  readonly until?: string;
  readonly limit: number;
}

export interface TurnSummary {
  readonly id: string;
  readonly plugin: string;
  /** Digest of the version that ran. */
  readonly version: string;
  readonly event_id: string;
  readonly event_name: string;
  readonly at: string;
  readonly outcome: 'ok' | 'failed';
  readonly error?: { readonly code: ErrorCode; readonly message: string; readonly stack?: string };
  readonly run_ms?: number;
  readonly fuel?: number;
  /** How many effects it had. */
  readonly effects?: number;
  readonly replayable: boolean;
  /** Why it cannot be run again. */
  readonly reason?: string;
}

/** A turn as it was recorded; what is not kept is absent. */
export interface TurnDetail extends TurnSummary {
  readonly attempt: number;
  readonly envelope: unknown;
  readonly actions?: unknown;
  readonly result?: unknown;
  readonly planned?: readonly unknown[];
  readonly logs?: readonly { readonly ts: string; readonly level: string; readonly message: string }[];
  readonly reads?: {
    readonly keys: readonly unknown[];
    readonly ranges: readonly unknown[];
  };
  /** What it asked others, with the answers that came. */
  readonly requests?: readonly unknown[];
  /** The turns of its batch that ran before it, on whose staged work it ran. */
  readonly follows?: string;
  readonly ground?: { readonly engine: string; readonly image: string; readonly granted: readonly string[] };
}

export interface TurnReplay {
  readonly turn: string;
  /** Digest of the version that it was run on. */
  readonly version: string;
  readonly same: boolean;
  /** False where the version wants what the turn never had; then `reason` says what. */
  readonly comparable: boolean;
  readonly reason?: string;
  readonly differences: readonly {
    readonly what: string;
    readonly before?: unknown;
    readonly after?: unknown;
  }[];
  /** What is not as it was when the turn ran: engine, image. */
  readonly notes: readonly string[];
}

export interface TurnsReplayBody {
  readonly plugin: string;
  /** Digest or version number; without it each turn runs on its own. */
  readonly version?: string;
  readonly outcome?: 'ok' | 'failed';
  readonly subject?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit?: number;
}

export interface TurnsReplay {
  readonly replayed: number;
  readonly same: number;
  readonly different: number;
  readonly not_comparable: number;
  /** Those that are not the same, the newest first; at most 100. */
  readonly turns: readonly TurnReplay[];
}

export interface TurnFixture {
  readonly format: 'neira-turn@1';
  readonly plugin: string;
  readonly event_name: string;
  readonly recorded_at: string;
  /** Permissions that it had, and settings as JSON. */
  readonly granted: readonly string[];
  readonly settings: string;
  readonly transcript: unknown;
}

export interface TurnsApi {
  /** The newest first. */
  listTurns(caller: Caller, query: TurnsQuery): { readonly turns: readonly TurnSummary[] };
  getTurn(caller: Caller, id: string): TurnDetail;
  replayTurn(caller: Caller, id: string, version: string | undefined): Promise<TurnReplay>;
  turnFixture(caller: Caller, id: string): TurnFixture;
  replayTurns(caller: Caller, body: TurnsReplayBody): Promise<TurnsReplay>;
}
