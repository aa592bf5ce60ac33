import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { AdminWriter } from './admin.ts';
import type { BusNews, DeadLetterRecord, EventRouter, PublishRecord } from './bus-records.ts';
import { BusWriter, FROM_HOST, FROM_OUTSIDE } from './bus-writer.ts';
import { Censor } from './censor.ts';
import { RecordWriter } from './chat-records.ts';
import { HttpBook } from './http-requests.ts';
import { IdempotencyKeys } from './idempotency.ts';
import { JournalWriter } from './journal.ts';
import type { LineWriter } from './projection.ts';
import { RecipeWriter } from './recipes.ts';
import type { Ack, AdminRecord, EventRecord, JournalDraft, WriteRecord } from './records.ts';
import { SavedNews } from './saved-news.ts';
import { StatisticsWriter } from './statistics.ts';
import { type GroupMark, TurnWriter } from './turn-writer.ts';

/** What one record does, inside the transaction and the savepoint `record` that group.ts holds. */
export class Applier {
  readonly #lines: LineWriter;
  /** Told by main what must not be told by anybody. */
  readonly censor = new Censor();
  readonly #records: RecordWriter;
  readonly #journal: JournalWriter;
  readonly #admin: AdminWriter;
  readonly #statistics: StatisticsWriter;
  readonly #keys: IdempotencyKeys;
  readonly #bus: BusWriter;
  readonly #http: HttpBook;
  readonly #turns: TurnWriter;
  readonly #recipes: RecipeWriter;
  readonly #deleteSend: StatementSync;

  constructor(db: DatabaseSync, home: string, lines: LineWriter, router: EventRouter) {
    this.#lines = lines;
    this.#records = new RecordWriter(db, lines);
    this.#journal = new JournalWriter(db, lines);
    this.#recipes = new RecipeWriter(db, home);
    this.#admin = new AdminWriter(db, this.#recipes);
    this.#statistics = new StatisticsWriter(db);
    this.#keys = new IdempotencyKeys(db);
    this.#bus = new BusWriter(db, router);
    this.#http = new HttpBook(db);
    this.#turns = new TurnWriter(db, {
      bus: this.#bus,
      http: this.#http,
      records: this.#records,
      savedNews: new SavedNews(db, router, this.#bus),
      statistics: this.#statistics,
      keys: this.#keys,
      journal: this.#journal,
      group: this,
      censor: this.censor,
    });
    this.#deleteSend = db.prepare('delete from send where id = ?');
  }

  apply(given: WriteRecord, nowMs: number): Ack {
    const record = this.censor.record(given);
    switch (record.kind) {
      case 'turn':
        return this.#turns.apply(record, nowMs);
      case 'event':
        return this.#applyEvent(record, nowMs);
      case 'admin':
        return this.#applyAdmin(record, nowMs);
      case 'sent':
        for (const id of record.ids) this.#deleteSend.run(id);
        return { ok: true };
      case 'route':
        return { ok: true, targets: record.events.map((event) => this.#bus.route(event)) };
      case 'recipe':
        this.#recipes.put(record, nowMs);
        return { ok: true };
      case 'publish':
        return this.#applyPublish(record, nowMs);
      case 'request':
        return { ok: true, ...this.#bus.request(record, nowMs) };
      case 'request-end':
        this.#bus.endRequest(record.id, record.answer);
        if (record.closes !== undefined) this.#bus.closeRequests(record.closes, 'settled');
        return { ok: true };
      case 'http-intent':
        return { ok: true, ...this.#http.begin(record, nowMs) };
      case 'http-answer':
        this.#http.end(record);
        return { ok: true };
      case 'tick':
        this.#bus.tick(nowMs);
        this.#http.purge(nowMs);
        return { ok: true };
      case 'outbox':
        this.#bus.outbox.left(record.upToSeq);
        return { ok: true };
      case 'dead-letters':
        return this.#applyDeadLetters(record, nowMs);
      default:
        throw new TypeError(`no such record: ${(record as { kind: string }).kind}`);
    }
  }

  // --- events and administration

  #applyEvent(record: EventRecord, nowMs: number): Ack {
    const used = record.idempotency && this.#keys.lookUp(record.idempotency, nowMs);
    if (used) return used;
    const { eventId: id, subject, envelope, disposition } = record;
    this.#bus.log.record(
      { id, subject, version: 1, envelope, mode: 'event', caller: 'host' },
      { turnId: null, disposition },
      nowMs,
    );
    if (record.idempotency) this.#keys.remember(record.idempotency, nowMs);
    if (record.disposition === 'dry-run') {
      this.#statistics.dryRun(record.plugin ?? '', record.gate ?? '', nowMs);
    }
    return { ok: true, ...this.#journalAll(record.journal ?? [], nowMs) };
  }

  #applyAdmin(record: AdminRecord, nowMs: number): Ack {
    this.#admin.apply(record);
    for (const plugin of pluginsOf(record)) this.#bus.policies.refresh(plugin);
    for (const event of record.events ?? []) this.#bus.publish(event, FROM_HOST, nowMs);
    return { ok: true, ...this.#journalAll(record.journal, nowMs) };
  }

  #applyPublish({ events, dedupeWindowMs, remote, journal }: PublishRecord, nowMs: number): Ack {
    const origin = {
      ...FROM_OUTSIDE,
      ...(dedupeWindowMs !== undefined && { dedupeWindowMs }),
      ...(remote && { remote }),
    };
    let duplicateOf: string | undefined;
    for (const event of events) duplicateOf = this.#bus.publish(event, origin, nowMs) ?? duplicateOf;
    const meta = this.#journalAll(journal ?? [], nowMs);
    return { ok: true, ...meta, ...(duplicateOf !== undefined && { duplicateOf }) };
  }

  #applyDeadLetters({ op, ids, journal }: DeadLetterRecord, nowMs: number): Ack {
    for (const id of ids) {
      if (op === 'retry') this.#bus.deadLetters.retry(id, nowMs);
      else this.#bus.deadLetters.drop(id);
    }
    return { ok: true, ...this.#journalAll(journal, nowMs) };
  }

  #journalAll(drafts: readonly JournalDraft[], nowMs: number): { meta?: readonly string[] } {
    return drafts.length === 0 ? {} : { meta: drafts.map((draft) => this.#journal.append(draft, nowMs)) };
  }

  // --- what waits in memory for the end of the group

  /** Where the group is now, for {@link rewind}. */
  mark(): GroupMark {
    return {
      lines: this.#lines.mark(),
      words: this.#records.mark(),
      bus: this.#bus.mark(),
    };
  }

  /** Forgets what was staged since `mark`: its rows are rolled back. */
  rewind(mark: GroupMark): void {
    this.#lines.rewind(mark.lines);
    this.#records.rewind(mark.words);
    this.#bus.rewind(mark.bus);
  }

  /** Writes what the records of the group add up to, as the last part of its transaction. */
  finish(): void {
    this.#records.index();
    this.#statistics.write();
  }

  /** The group committed: what main has to know of the bus. */
  takeNews(): BusNews {
    return this.#bus.take();
  }

  /** The group did not commit. */
  forget(): void {
    this.#lines.rewind(0);
    this.#records.rewind(0);
    this.#statistics.forget();
    this.#turns.forget();
  }

  /** The rows are what they were before the group: what memory holds of them is read again. */
  reload(): void {
    this.#bus.reload();
  }

  /** Plugins that could run now; of a queue group they get the work. */
  listen(plugins: readonly string[]): void {
    this.#bus.policies.listen(plugins);
  }

  /** Subject patterns of what leaves for other hubs. */
  carry(patterns: readonly string[]): void {
    this.#bus.outbox.carry(patterns);
  }

  /** Housekeeping at boot. */
  boot(): void {
    this.#bus.reload();
    this.#admin.sweepBlobs();
  }
}

/** Plugins whose subscriptions or grants a record may have changed. */
function pluginsOf({ ops }: AdminRecord): ReadonlySet<string> {
  return new Set(
    ops.flatMap((op) => {
      if (op.op === 'plugin.put') return [op.row.id];
      if (op.op === 'plugin.delete') return [op.id];
      return op.op === 'principal.grant' || op.op === 'principal.remove' ? [op.plugin] : [];
    }),
  );
}
