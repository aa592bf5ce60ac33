/** Events of the histories: they carry what each handler that gets them shall do. */
import type { EventCaller, EventDraft } from '../../host/store/bus-records.ts';

export type Subject = 'shop.order' | 'shop.note' | 'job.run' | 'news.flash';

/** What a handler does with an event; attempts count over restarts. */
export interface Behaviour {
  /** The first attempts that throw, end their cell, or stage what the writer refuses. */
  readonly throws?: number;
  readonly kills?: number;
  readonly spoils?: number;
  /** Reads a number that all turns of the plugin fight over, and writes it one higher. */
  readonly counts?: true;
  readonly publishes?: readonly Publication[];
  readonly listens?: boolean;
  /** Takes back the delayed event that an earlier event of this plugin announced, if it is still there. */
  readonly cancels?: true;
}

export interface Publication {
  readonly subject: Subject;
  readonly key: string | null;
  readonly does: Readonly<Record<string, Behaviour>>;
  readonly afterMs?: number;
}

export interface Payload {
  readonly key?: string;
  readonly does: Readonly<Record<string, Behaviour>>;
}

export interface Sealed {
  readonly id: string;
  readonly payload: Payload;
}

export function sealed(
  id: string,
  { subject, key, does, afterMs }: Publication,
  nowMs: number,
  caller: EventCaller,
): EventDraft {
  return {
    id,
    subject,
    version: 1,
    envelope: JSON.stringify({ id, payload: { ...(key !== null && { key }), does } satisfies Payload }),
    mode: 'event',
    caller,
    ...(afterMs !== undefined && { atMs: nowMs + afterMs }),
  };
}

export function opened(envelope: string): Sealed {
  return JSON.parse(envelope) as Sealed;
}
