import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { NeiraError } from '../errors.ts';
import type { NewsDesk } from './bus-news.ts';
import type { EventDraft } from './bus-records.ts';

/** Delayed events that one plugin may have waiting. */
export const MAX_DELAYED = 100_000;
/** And their size together, as they are stored. */
const MAX_DELAYED_CHARS = 256 * 1024 * 1024;
const DUE_ROWS = 500;

export interface DelayedEvent {
  readonly id: string;
  /** Who published it. */
  readonly plugin: string | null;
  readonly turnId: string | null;
  readonly event: EventDraft;
}

/** Events whose moment has not come. */
export class DelayedEvents {
  readonly #news: NewsDesk;
  readonly #insert: StatementSync;
  readonly #load: StatementSync;
  readonly #delete: StatementSync;
  readonly #due: StatementSync;
  readonly #nextDue: StatementSync;
  readonly #postpone: StatementSync;

  constructor(db: DatabaseSync, news: NewsDesk) {
    this.#news = news;
    this.#insert = db.prepare(
      'insert into delayed(id, due_ms, plugin, turn_id, draft) values(?, ?, ?, ?, ?)',
    );
    this.#load = db.prepare('select events, chars from delayed_load where plugin = ?');
    this.#delete = db.prepare(
      `delete from delayed where id = ? and plugin is ? and (?3 is null or json_extract(draft, '$.as') = ?3)`,
    );
    this.#due = db.prepare(
      `select id, plugin, turn_id as turnId, draft from delayed where due_ms <= ? order by due_ms, id limit ${DUE_ROWS}`,
    );
    this.#nextDue = db.prepare('select min(due_ms) as due from delayed');
    this.#postpone = db.prepare('update delayed set due_ms = ? where id = ?');
  }

  /** @throws NEIRA_TOO_MANY */
  add(event: EventDraft, atMs: number, plugin: string | null, turnId: string | null): void {
    const draft = JSON.stringify(event);
    if (plugin !== null) this.#requireRoom(plugin, draft.length);
    this.#insert.run(event.id, atMs, plugin, turnId, draft);
    this.#news.delayedMoved();
  }

  #requireRoom(plugin: string, more: number): void {
    const { events = 0, chars = 0 } = (this.#load.get(plugin) ?? {}) as { events?: number; chars?: number };
    if (events >= MAX_DELAYED)
      throw new NeiraError('NEIRA_TOO_MANY', { plugin, what: 'delayed events', max: MAX_DELAYED });
    if (chars + more > MAX_DELAYED_CHARS)
      throw new NeiraError('NEIRA_TOO_MANY', {
        plugin,
        what: 'characters of delayed events',
        max: MAX_DELAYED_CHARS,
      });
  }

  /**
   * Takes back an event of this plugin, as one of its principals only that one's own; an event that was
   * published already is not there any more.
   */
  cancel(id: string, plugin: string | null, principal?: string): void {
    if (this.#delete.run(id, plugin, principal ?? null).changes > 0) this.#news.delayedMoved();
  }

  postpone(id: string, untilMs: number): void {
    this.#postpone.run(untilMs, id);
    this.#news.delayedMoved();
  }

  /** A bounded number of those whose moment has come, the oldest first. */
  due(nowMs: number): readonly DelayedEvent[] {
    return this.#due.all(nowMs).map((row) => {
      const { id, plugin, turnId, draft } = row as unknown as Omit<DelayedEvent, 'event'> & { draft: string };
      // What made it wait is behind it.
      const { atMs: _due, dedupe: _seen, ...event } = JSON.parse(draft) as EventDraft;
      return { id, plugin, turnId, event };
    });
  }

  nextDueMs(): number | undefined {
    return (this.#nextDue.get()!['due'] as number | null) ?? undefined;
  }
}
