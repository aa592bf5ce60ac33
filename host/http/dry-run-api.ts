import type { Caller } from './api.ts';

/** The part of the {@link HostApi} that shows what would be, and keeps nothing (design §1.2, SCN-15). */

/** What to answer instead of asking. */
export interface DryStub {
  /** As transcripts name it: `math.double@1`, `GET https://api.example.org/now`; a `*` at its end stands for the rest. */
  readonly request: string;
  readonly answer?: unknown;
  /** Refused with this code instead. */
  readonly refuse?: { readonly code: string; readonly message?: string };
}

/** One of `event`, `dead_letter` and `turn`. */
export interface DryRunBody {
  readonly event?: {
    readonly event_name: string;
    readonly version?: number;
    readonly payload: unknown;
    readonly headers?: Readonly<Record<string, string>>;
  };
  readonly dead_letter?: number;
  /** The event of a turn that ran, brought to its plugin once more. */
  readonly turn?: string;
  /** Only to this one of its subscribers. */
  readonly plugin?: string;
  /** Also what comes of it: the events that it would publish, to their subscribers, and so on. */
  readonly follow?: boolean;
  readonly stubs?: readonly DryStub[];
}

export interface DryTurn {
  readonly plugin: string;
  readonly event_id: string;
  readonly event_name: string;
  /** Place in the list of the turn that would publish the event; null for the first. */
  readonly caused_by: number | null;
  /** When it would run; delays are jumped. */
  readonly at: string;
  readonly outcome: 'ok' | 'failed' | 'not-run';
  readonly error?: { readonly code: string; readonly message: string; readonly stack?: string };
  /** Why it would not run now. */
  readonly reason?: string;
  readonly actions?: unknown;
  readonly result?: unknown;
  /** What it would keep, publish and send. */
  readonly planned: readonly unknown[];
  readonly logs: readonly string[];
}

export interface DryRun {
  readonly turns: readonly DryTurn[];
  /** False where it goes on beyond what is looked at. */
  readonly complete: boolean;
}

export interface DryRunApi {
  dryRun(caller: Caller, body: DryRunBody): Promise<DryRun>;
}
