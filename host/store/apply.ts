import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { describe, isNeiraError, type NeiraError } from '../errors.ts';
import { AdminWriter } from './admin.ts';
import { BoundedTable } from './bounded.ts';
import type { BusNews, DeadLetterRecord, EventDraft, EventRouter, PublishRecord } from './bus-records.ts';
import { RecordWriter } from './chat-records.ts';
import { JournalWriter } from './journal.ts';
import { type KvChange, KvWriter } from './kv.ts';
import { MailboxWriter, type PublishOrigin } from './mailboxes.ts';
import type { LineWriter } from './projection.ts';
import type {
  Ack,
  AdminRecord,
  Effect,
  EventRecord,
  JournalDraft,
  PortSend,
  TurnFailure,
  TurnOutcome,
  TurnRecord,
  WriteRecord,
} from './records.ts';
import { StatisticsWriter } from './statistics.ts';
import { SubscriptionWriter } from './subscriptions.ts';

const IDEMPOTENCY_MS = 24 * 60 * 60 * 1000;
/** Newest rows kept per plugin. */
export const KEPT_LOGS = 2000;
export const KEPT_FAILURES = 500;
/** Reads of a failed turn are kept for debugging up to this size. */
const MAX_KEPT_READS = 64 * 1024;

/** Refusals of the writer that are the plugin's fault: they turn the outcome into a failure. */
const PLUGIN_FAULTS = new Set([
  'NEIRA_STORAGE_FULL',
  'NEIRA_VALUE_INVALID',
  'NEIRA_ADD_REFUSED',
  'NEIRA_STORE_FAILED',
  'NEIRA_TOO_MANY',
]);

interface Mark {
  readonly lines: number;
  readonly words: number;
  readonly mailboxes: ReturnType<MailboxWriter['mark']>;
}

/** What one record does, inside the transaction and the savepoint `record` that group.ts holds. */
export class Applier {
  readonly #kv: KvWriter;
  readonly #records: RecordWriter;
  readonly #journal: JournalWriter;
  readonly #admin: AdminWriter;
  readonly #statistics: StatisticsWriter;
  readonly #mailboxes: MailboxWriter;
  readonly #subscriptions: SubscriptionWriter;
  readonly #logs: BoundedTable;
  readonly #failures: BoundedTable;
  readonly #turn: StatementSync;
  readonly #insertTurn: StatementSync;
  readonly #eventText: StatementSync;
  readonly #idempotency: StatementSync;
  readonly #insertIdempotency: StatementSync;
  readonly #insertSend: StatementSync;
  readonly #deleteSend: StatementSync;
  readonly #insertLog: StatementSync;
  readonly #insertFailure: StatementSync;
  readonly #undo: StatementSync;
  readonly #lines: LineWriter;
  /** Whether the turn that was applied last took effect. */
  #lastTurnStands = false;

  constructor(db: DatabaseSync, lines: LineWriter, router: EventRouter) {
    this.#lines = lines;
    this.#mailboxes = new MailboxWriter(db, router);
    this.#subscriptions = new SubscriptionWriter(db, this.#mailboxes.policies);
    this.#statistics = new StatisticsWriter(db);
    this.#kv = new KvWriter(db);
    this.#records = new RecordWriter(db, lines);
    this.#journal = new JournalWriter(db, lines);
    this.#admin = new AdminWriter(db);
    this.#logs = new BoundedTable(db, 'log', KEPT_LOGS);
    this.#failures = new BoundedTable(db, 'failure', KEPT_FAILURES);
    this.#turn = db.prepare('select outcome from turn where turn_id = ?');
    this.#insertTurn = db.prepare(
      `insert into turn(turn_id, plugin, digest, gate, event_id, status, outcome, started_at_ms, run_ms, fuel)
       values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#eventText = db.prepare(
      'select envelope from event where seq = (select event_seq from delivery where id = ?)',
    );
    this.#idempotency = db.prepare(
      'select digest, reply from idempotency where key = ? and expires_at_ms > ?',
    );
    this.#insertIdempotency = db.prepare(
      'insert or replace into idempotency(key, digest, reply, expires_at_ms) values(?, ?, ?, ?)',
    );
    this.#insertSend = db.prepare(
      'insert into send(id, turn_id, plugin, port, target, payload, at_ms) values(?, ?, ?, ?, ?, ?, ?)',
    );
    this.#deleteSend = db.prepare('delete from send where id = ?');
    this.#insertLog = db.prepare(
      'insert into log(plugin, turn_id, level, message, at_ms) values(?, ?, ?, ?, ?)',
    );
    this.#insertFailure = db.prepare(
      `insert into failure(plugin, turn_id, digest, event_id, at_ms, error, envelope, reads)
       values(?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    // The savepoint of group.ts; a turn has only read until its effects begin.
    this.#undo = db.prepare('rollback to record');
  }

  apply(record: WriteRecord, nowMs: number): Ack {
    switch (record.kind) {
      case 'turn':
        return this.#applyInBatch(record, nowMs);
      case 'event':
        return this.#applyEvent(record, nowMs);
      case 'admin':
        return this.#applyAdmin(record, nowMs);
      case 'sent':
        for (const id of record.ids) this.#deleteSend.run(id);
        return { ok: true };
      case 'publish':
        return this.#applyPublish(record, nowMs);
      case 'request':
        return { ok: true, ...this.#mailboxes.request(record, nowMs) };
      case 'request-end':
        this.#mailboxes.endRequest(record.id, record.answer);
        return { ok: true };
      case 'tick':
        this.#mailboxes.sweepRequests(nowMs);
        this.#mailboxes.publishDue(nowMs);
        this.#mailboxes.expire(nowMs);
        return { ok: true };
      case 'dead-letters':
        return this.#applyDeadLetters(record, nowMs);
      default:
        throw new TypeError(`no such record: ${(record as { kind: string }).kind}`);
    }
  }

  // --- turns

  /** Whatever comes of a turn, those that follow it in its batch find it in `#lastTurnStands`. */
  #applyInBatch(turn: TurnRecord, nowMs: number): Ack {
    const stands = this.#lastTurnStands;
    this.#lastTurnStands = false;
    if (turn.follows && !stands) return { ok: false, turnId: turn.turnId, cut: true };
    const ack = this.#applyTurn(turn, nowMs);
    this.#lastTurnStands = ack.ok && ack.outcome?.status === 'ok';
    return ack;
  }

  #applyTurn(turn: TurnRecord, nowMs: number): Ack {
    const { turnId, plugin } = turn;
    if (turn.delivery === undefined) {
      const first = this.#turn.get(turnId);
      if (first) return { ok: true, turnId, outcome: JSON.parse(first['outcome'] as string), repeated: true };
    } else if (this.#mailboxes.find(turn.delivery) === undefined) return { ok: false, turnId, gone: true };
    const used = turn.idempotency && this.#lookUpKey(turn.idempotency, nowMs);
    if (used) return { ...used, turnId };
    if (turn.deadlineAtMs !== undefined && nowMs > turn.deadlineAtMs) {
      const deadlineMs = turn.deadlineAtMs - turn.startedAtMs;
      return { ok: false, turnId, error: { code: 'NEIRA_DEADLINE', details: { plugin, deadlineMs } } };
    }
    // Also of a turn that failed or staged nothing: it may have done so because of what is no longer true.
    if (!this.#kv.holds(plugin, turn.reads)) return { ok: false, turnId, conflict: true };
    const { outcome, settlement } = this.#applyOutcome(turn, nowMs);
    const ran = [turn.startedAtMs, turn.runMs, turn.fuel] as const;
    if (outcome.status === 'failed')
      return { ok: true, turnId, outcome, ran, ...(settlement && { settlement }) };
    if (turn.idempotency) {
      const { key, digest, reply = uiReply(turn.eventId, outcome.actions) } = turn.idempotency;
      this.#insertIdempotency.run(key, digest, reply, nowMs + IDEMPOTENCY_MS);
    }
    const sends: PortSend[] = [];
    for (const effect of turn.effects) {
      if (effect.op === 'send')
        sends.push({ id: effect.id, port: effect.port, target: effect.target, payload: effect.payload });
    }
    return {
      ok: true,
      turnId,
      outcome,
      ran,
      ...(settlement && { settlement }),
      ...(sends.length > 0 && { sends }),
    };
  }

  /**
   * All effects of the turn and the end of its delivery, or none and the failure that the turn ends with.
   * The delivery goes first: what it frees in the mailbox, the turn may use.
   */
  #applyOutcome(turn: TurnRecord, nowMs: number) {
    const delivery = turn.delivery && this.#mailboxes.find(turn.delivery);
    const mark = this.mark();
    let { outcome } = turn;
    let settlement =
      outcome.status === 'ok' && delivery ? this.#mailboxes.done(delivery, outcome.result) : undefined;
    if (outcome.status === 'ok') {
      // Whoever hears of the event and of what comes of it hears of them in this order.
      if (turn.delivery === undefined) this.#recordEvent(turn, 'executed', nowMs);
      outcome = this.#applyEffects(turn, mark, nowMs);
    }
    if (outcome.status === 'failed' && delivery) {
      this.#keepFailure(turn, outcome.error, nowMs);
      settlement = this.#mailboxes.failed(delivery, turn.delivery!, outcome.error, nowMs);
    }
    if (turn.asked !== undefined) this.#mailboxes.closeRequests(turn.asked, settlement?.state === 'retry');
    this.#recordTurn(turn, outcome, nowMs);
    return { outcome, settlement };
  }

  /** All effects of the turn, or none and the failure that the turn ends with. */
  #applyEffects(turn: TurnRecord, mark: Mark, nowMs: number): TurnOutcome {
    if (turn.effects.length === 0) return turn.outcome;
    try {
      const change = this.#kv.change(turn.plugin);
      for (const effect of turn.effects) this.#applyEffect(effect, turn, change, nowMs);
      change.finish(turn.storageMb);
      return turn.outcome;
    } catch (error) {
      if (!isNeiraError(error) || !PLUGIN_FAULTS.has(error.code)) throw error;
      this.#undo.run();
      this.rewind(mark);
      const { code, details } = error as NeiraError;
      return { status: 'failed', error: { code, details, message: describe(code, details) } };
    }
  }

  #applyEffect(effect: Effect, turn: TurnRecord, change: KvChange, nowMs: number): void {
    const { plugin, turnId } = turn;
    switch (effect.op) {
      case 'set':
        change.set(effect.key, effect.value);
        return;
      case 'delete':
        change.delete(effect.key);
        return;
      case 'add':
        change.add(effect.key, effect.amount);
        return;
      case 'append':
        change.append(effect.key, effect.value);
        return;
      case 'record':
        change.hold(this.#records.save(plugin, effect, nowMs));
        return;
      case 'publish':
        this.#mailboxes.publish(
          effect.event,
          { turnId, plugin, disposition: 'published', whenFull: 'refuse' },
          nowMs,
        );
        return;
      case 'cancel':
        this.#mailboxes.cancel(effect.id, plugin);
        return;
      case 'subscribe':
        this.#subscriptions.put(plugin, effect.subscription);
        return;
      case 'unsubscribe':
        this.#subscriptions.delete(plugin, effect.name);
        return;
      case 'send': {
        const { id, port, target, payload } = effect;
        this.#insertSend.run(id, turnId, plugin, port, target, payload, nowMs);
        return;
      }
      default:
        throw new TypeError(`no such effect: ${(effect as { op: string }).op}`);
    }
  }

  /**
   * What stays of a turn. One from a mailbox leaves a row only when it failed: its event is recorded already,
   * and that it ran once is known by the delivery that is gone.
   */
  #recordTurn(turn: TurnRecord, outcome: TurnOutcome, nowMs: number): void {
    const { turnId, plugin, version, gate, eventId } = turn;
    const failed = outcome.status === 'failed';
    const fuel = Math.round(turn.fuel);
    if (turn.delivery === undefined) {
      if (failed) this.#recordEvent(turn, 'failed', nowMs);
      this.#insertTurn.run(
        turnId,
        plugin,
        version,
        gate,
        eventId,
        outcome.status,
        JSON.stringify(outcome),
        turn.startedAtMs,
        turn.runMs,
        fuel,
      );
      if (failed) this.#keepFailure(turn, outcome.error, nowMs);
    }
    for (const { level, message, atMs } of turn.logs)
      this.#insertLog.run(plugin, turnId, level, message, atMs);
    if (turn.logs.length > 0) this.#logs.added(plugin, turn.logs.length);
    this.#statistics.turn(plugin, gate, nowMs, failed, fuel, turn.runMs);
  }

  /** An event that was handled as it came in; others who subscribed to it get it now. */
  #recordEvent(turn: TurnRecord, disposition: string, nowMs: number): void {
    const { turnId, plugin, eventId: id, subject, envelope = '', caller } = turn;
    const event: EventDraft = { id, subject, version: 1, envelope, mode: 'event', caller };
    const origin: PublishOrigin = { turnId, plugin, disposition, except: plugin, whenFull: 'shed' };
    const seq = this.#mailboxes.record(event, origin, nowMs);
    if (disposition === 'executed') this.#mailboxes.route(event, seq, origin, nowMs);
  }

  #keepFailure(turn: TurnRecord, failure: TurnFailure, nowMs: number): void {
    const { turnId, plugin, version, eventId, delivery } = turn;
    const reads = JSON.stringify(turn.reads);
    const kept = reads.length > MAX_KEPT_READS ? null : reads;
    const envelope = turn.envelope ?? (this.#eventText.get(delivery!.id)!['envelope'] as string);
    const error = JSON.stringify(failure);
    this.#insertFailure.run(plugin, turnId, version, eventId, nowMs, error, envelope, kept);
    this.#failures.added(plugin);
  }

  // --- events and administration

  #applyEvent(record: EventRecord, nowMs: number): Ack {
    const used = record.idempotency && this.#lookUpKey(record.idempotency, nowMs);
    if (used) return used;
    const { eventId: id, subject, envelope, disposition } = record;
    this.#mailboxes.record(
      { id, subject, version: 1, envelope, mode: 'event', caller: 'host' },
      { turnId: null, plugin: null, disposition, whenFull: 'shed' },
      nowMs,
    );
    if (record.idempotency) {
      const { key, digest, reply } = record.idempotency;
      this.#insertIdempotency.run(key, digest, reply, nowMs + IDEMPOTENCY_MS);
    }
    if (record.disposition === 'dry-run') {
      this.#statistics.dryRun(record.plugin ?? '', record.gate ?? '', nowMs);
    }
    return { ok: true, ...this.#journalAll(record.journal ?? [], nowMs) };
  }

  #applyAdmin(record: AdminRecord, nowMs: number): Ack {
    this.#admin.apply(record);
    for (const plugin of pluginsOf(record)) this.#mailboxes.policies.refresh(plugin);
    for (const event of record.events ?? []) this.#mailboxes.publish(event, FROM_HOST, nowMs);
    return { ok: true, ...this.#journalAll(record.journal, nowMs) };
  }

  #applyPublish({ events, dedupeWindowMs, journal }: PublishRecord, nowMs: number): Ack {
    const origin: PublishOrigin = {
      ...FROM_OUTSIDE,
      ...(dedupeWindowMs !== undefined && { dedupeWindowMs }),
    };
    let duplicateOf: string | undefined;
    for (const event of events) duplicateOf = this.#mailboxes.publish(event, origin, nowMs) ?? duplicateOf;
    const meta = this.#journalAll(journal ?? [], nowMs);
    return { ok: true, ...meta, ...(duplicateOf !== undefined && { duplicateOf }) };
  }

  #applyDeadLetters({ op, ids, journal }: DeadLetterRecord, nowMs: number): Ack {
    for (const id of ids) {
      if (op === 'retry') this.#mailboxes.retryDead(id, nowMs);
      else this.#mailboxes.dropDead(id);
    }
    return { ok: true, ...this.#journalAll(journal, nowMs) };
  }

  #journalAll(drafts: readonly JournalDraft[], nowMs: number): { meta?: readonly string[] } {
    return drafts.length === 0 ? {} : { meta: drafts.map((draft) => this.#journal.append(draft, nowMs)) };
  }

  #lookUpKey({ key, digest }: { key: string; digest: string }, nowMs: number): Ack | undefined {
    const used = this.#idempotency.get(key, nowMs);
    if (!used) return undefined;
    if (used['digest'] === digest) return { ok: true, replay: used['reply'] as string };
    return { ok: false, error: { code: 'NEIRA_IDEMPOTENCY_MISMATCH', details: {} } };
  }

  // --- what waits in memory for the end of the group

  /** Where the group is now, for {@link rewind}. */
  mark(): Mark {
    return {
      lines: this.#lines.mark(),
      words: this.#records.mark(),
      mailboxes: this.#mailboxes.mark(),
    };
  }

  /** Forgets what was staged since `mark`: its rows are rolled back. */
  rewind(mark: Mark): void {
    this.#lines.rewind(mark.lines);
    this.#records.rewind(mark.words);
    this.#mailboxes.rewind(mark.mailboxes);
  }

  /** Writes what the records of the group add up to, as the last part of its transaction. */
  finish(): void {
    this.#records.index();
    this.#statistics.write();
  }

  /** The group committed: what main has to know of the bus. */
  takeNews(): BusNews {
    return this.#mailboxes.take();
  }

  /** The group did not commit. */
  forget(): void {
    this.#lines.rewind(0);
    this.#records.rewind(0);
    this.#statistics.forget();
  }

  /** The rows are what they were before the group: what memory holds of them is read again. */
  reload(): void {
    this.#mailboxes.forget();
  }

  /** Plugins that could run now; of a queue group they get the work. */
  listen(plugins: readonly string[]): void {
    this.#mailboxes.policies.listen(plugins);
  }

  /** Housekeeping at boot. */
  boot(): void {
    this.#mailboxes.forget();
    this.#admin.sweepBlobs();
  }
}

const FROM_HOST: PublishOrigin = { turnId: null, plugin: null, disposition: 'published', whenFull: 'shed' };
const FROM_OUTSIDE: PublishOrigin = { ...FROM_HOST, whenFull: 'refuse' };

/** Plugins whose subscriptions or grants a record may have changed. */
function pluginsOf({ ops }: AdminRecord): ReadonlySet<string> {
  return new Set(
    ops.flatMap((op) => (op.op === 'plugin.put' ? [op.row.id] : op.op === 'plugin.delete' ? [op.id] : [])),
  );
}

function uiReply(eventId: string, actions: string): string {
  return `{"event_id":${JSON.stringify(eventId)},"mode":"executed","ran":true,"actions":${actions}}`;
}
