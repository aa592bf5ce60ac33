import { randomUUIDv7 } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { EventDraft, EventRouter } from './bus-records.ts';
import type { BusWriter } from './bus-writer.ts';
import type { RecordEffect } from './chat-records.ts';
import type { TurnRecord } from './records.ts';

const SUBJECT = 'record.saved';
/** Sessions that one event names. */
const MAX_PLACES = 100;

export interface SavedRecord {
  readonly number: number;
  readonly record: RecordEffect;
}

/**
 * The event `record.saved`: a turn saved annotations or messages. It commits with them, one for each turn, and only
 * where somebody subscribed to it. It says where something is new and nothing of what it says.
 */
export class SavedNews {
  readonly #router: EventRouter;
  readonly #bus: BusWriter;
  readonly #cause: StatementSync;

  constructor(db: DatabaseSync, router: EventRouter, bus: BusWriter) {
    this.#router = router;
    this.#bus = bus;
    this.#cause = db.prepare('select envelope from event where seq = ?');
  }

  /**
   * The plugin that saved is not told: it knows, and one that answers what it hears would never come to an end. A
   * full mailbox sheds the event, as it does every one of the host's own; what it tells of is there all the same.
   * @param eventSeq of the event that the turn was about, where that is recorded already
   */
  tell(turn: TurnRecord, eventSeq: number | undefined, saved: readonly SavedRecord[], nowMs: number): void {
    if (saved.length === 0 || !this.#router.hears(SUBJECT)) return;
    const event = this.#eventOf(turn, eventSeq, saved, nowMs);
    const targets = this.#router.route(event).filter(({ plugin }) => plugin !== turn.plugin);
    if (targets.length === 0) return;
    const origin = { turnId: turn.turnId, plugin: null, disposition: 'published', whenFull: 'shed' } as const;
    this.#bus.mailboxes.bring(event, origin, nowMs, targets);
  }

  #eventOf(
    turn: TurnRecord,
    eventSeq: number | undefined,
    saved: readonly SavedRecord[],
    nowMs: number,
  ): EventDraft {
    const id = randomUUIDv7();
    const envelope = this.#router.seal({
      id,
      eventName: SUBJECT,
      version: 1,
      atMs: nowMs,
      source: 'host',
      ...this.#lineage(turn, eventSeq, id),
      causationId: turn.eventId,
      headers: {},
      payloadJson: JSON.stringify({
        plugin: turn.plugin,
        first: saved[0]!.number,
        last: saved.at(-1)!.number,
        count: saved.length,
        places: placesOf(saved),
      }),
    });
    return { id, subject: SUBJECT, version: 1, envelope, mode: 'event', caller: 'host' };
  }

  /** What is told of the event that the turn was about; it may have been swept from the log. */
  #lineage({ envelope }: TurnRecord, eventSeq: number | undefined, id: string) {
    const known = eventSeq === undefined ? undefined : this.#cause.get(eventSeq);
    const cause = envelope ?? (known?.['envelope'] as string | undefined);
    if (cause === undefined) return { correlationId: id, tenant: 'default' };
    const { correlation_id: correlationId, tenant } = JSON.parse(cause) as {
      correlation_id: string;
      tenant: string;
    };
    return { correlationId, tenant };
  }
}

/** Each session once, in the order in which they were saved into. */
function placesOf(saved: readonly SavedRecord[]) {
  const places = new Map<string, object>();
  for (const { record } of saved) {
    const { type, chatId: chat_id, sessionId: session_id } = record;
    const place = { type, chat_id, session_id };
    if (places.size < MAX_PLACES) places.set(JSON.stringify(place), place);
  }
  return [...places.values()];
}
