import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { describe, isNeiraError, type NeiraError } from '../errors.ts';
import { BoundedTable } from './bounded.ts';
import type { EventDraft, Settlement } from './bus-records.ts';
import type { BusWriter } from './bus-writer.ts';
import type { Censor } from './censor.ts';
import type { RecordEffect, RecordWriter } from './chat-records.ts';
import type { AttemptEnd, HttpBook } from './http-requests.ts';
import type { IdempotencyKeys } from './idempotency.ts';
import type { JournalWriter } from './journal.ts';
import { type KvChange, KvWriter } from './kv.ts';
import type { PublishOrigin } from './mailboxes.ts';
import { PrincipalWriter } from './principals.ts';
import type { Ack, Effect, JournalDraft, PortSend, TurnFailure, TurnOutcome, TurnRecord } from './records.ts';
import type { SavedNews, SavedRecord } from './saved-news.ts';
import type { StatisticsWriter } from './statistics.ts';

/** Newest rows kept per plugin. */
export const KEPT_LOGS = 2000;
export const KEPT_FAILURES = 500;
/** Reads of a failed turn are kept for debugging up to this size. */
const MAX_KEPT_READS = 64 * 1024;
/** Transcripts of failures lie in the database, so larger ones are not kept. */
const MAX_KEPT_TRANSCRIPT = 256 * 1024;

/** Refusals of the writer that are the plugin's fault: they turn the outcome into a failure. */
const PLUGIN_FAULTS = new Set([
  'NEIRA_STORAGE_FULL',
  'NEIRA_VALUE_INVALID',
  'NEIRA_ADD_REFUSED',
  'NEIRA_STORE_FAILED',
  'NEIRA_TOO_MANY',
]);

/** Where a group is, for what it holds in memory. */
export interface GroupMark {
  readonly lines: number;
  readonly words: number;
  readonly bus: ReturnType<BusWriter['mark']>;
}

export interface TurnWriterParts {
  readonly bus: BusWriter;
  readonly http: HttpBook;
  readonly records: RecordWriter;
  readonly savedNews: SavedNews;
  readonly statistics: StatisticsWriter;
  readonly keys: IdempotencyKeys;
  readonly journal: JournalWriter;
  /** What the group holds in memory goes back with the rows. */
  readonly group: { mark(): GroupMark; rewind(mark: GroupMark): void };
  readonly censor: Censor;
}

/** What a turn leaves: its effects, the end of its delivery, and what is known of it; all of it or none. */
export class TurnWriter {
  readonly #bus: BusWriter;
  readonly #http: HttpBook;
  readonly #records: RecordWriter;
  readonly #savedNews: SavedNews;
  readonly #statistics: StatisticsWriter;
  readonly #keys: IdempotencyKeys;
  readonly #group: TurnWriterParts['group'];
  readonly #censor: Censor;
  readonly #kv: KvWriter;
  readonly #principals: PrincipalWriter;
  readonly #journal: JournalWriter;
  readonly #logs: BoundedTable;
  readonly #failures: BoundedTable;
  readonly #turn: StatementSync;
  readonly #insertTurn: StatementSync;
  readonly #eventText: StatementSync;
  readonly #insertLog: StatementSync;
  readonly #insertFailure: StatementSync;
  readonly #undo: StatementSync;
  /** Principals changed, and with them what the plugin hears. */
  #hearingIsStale = false;
  /** Whether the turn that was applied last took effect. */
  #lastTurnStands = false;

  constructor(db: DatabaseSync, parts: TurnWriterParts) {
    this.#bus = parts.bus;
    this.#http = parts.http;
    this.#records = parts.records;
    this.#savedNews = parts.savedNews;
    this.#statistics = parts.statistics;
    this.#keys = parts.keys;
    this.#group = parts.group;
    this.#censor = parts.censor;
    this.#kv = new KvWriter(db);
    this.#principals = new PrincipalWriter(db);
    this.#journal = parts.journal;
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
    this.#insertLog = db.prepare(
      'insert into log(plugin, turn_id, level, message, at_ms, principal) values(?, ?, ?, ?, ?, ?)',
    );
    this.#insertFailure = db.prepare(
      `insert into failure(plugin, turn_id, digest, event_id, at_ms, error, envelope, reads, transcript, recipe)
       values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    // The savepoint of group.ts; a turn has only read until its effects begin.
    this.#undo = db.prepare('rollback to record');
  }

  /** Whatever comes of a turn, those that follow it in its batch find it in `#lastTurnStands`. */
  apply(turn: TurnRecord, nowMs: number): Ack {
    const stands = this.#lastTurnStands;
    this.#lastTurnStands = false;
    if (turn.follows && !stands) return { ok: false, turnId: turn.turnId, cut: true };
    const ack = this.#applyTurn(turn, nowMs);
    this.#lastTurnStands = ack.ok && ack.outcome?.status === 'ok';
    return ack;
  }

  /** The group did not commit: nothing of it stands. */
  forget(): void {
    this.#lastTurnStands = false;
  }

  #applyTurn(turn: TurnRecord, nowMs: number): Ack {
    const { turnId, plugin } = turn;
    if (turn.delivery === undefined) {
      const first = this.#turn.get(turnId);
      if (first) return { ok: true, turnId, outcome: JSON.parse(first['outcome'] as string), repeated: true };
    } else if (this.#bus.find(turn.delivery) === undefined) return { ok: false, turnId, gone: true };
    const used = turn.idempotency && this.#keys.lookUp(turn.idempotency, nowMs);
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
      this.#keys.remember({ key, digest, reply }, nowMs);
    }
    const sends = sendsNow(turn.effects, nowMs);
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
    const delivery = turn.delivery && this.#bus.find(turn.delivery);
    const mark = this.#group.mark();
    let { outcome } = turn;
    let settlement = outcome.status === 'ok' && delivery ? this.#bus.done(delivery, outcome) : undefined;
    if (outcome.status === 'ok') {
      // Whoever hears of the event and of what comes of it hears of them in this order.
      if (turn.delivery === undefined) this.#recordEvent(turn, 'executed', nowMs);
      outcome = this.#applyEffects(turn, delivery?.eventSeq, mark, nowMs);
    }
    if (outcome.status === 'failed' && delivery) {
      this.#keepFailure(turn, outcome.error, nowMs);
      settlement = this.#bus.failed(delivery, turn.delivery!, outcome.error, nowMs);
    }
    if (turn.asked !== undefined) this.#endAttempt(turn.asked, attemptEnd(turn, settlement));
    this.#recordTurn(turn, outcome, nowMs);
    return { outcome, settlement };
  }

  #endAttempt(caller: string, end: AttemptEnd): void {
    this.#bus.closeRequests(caller, end);
    this.#http.attemptEnded(caller, end);
  }

  /** All effects of the turn, or none and the failure that the turn ends with. */
  #applyEffects(turn: TurnRecord, eventSeq: number | undefined, mark: GroupMark, nowMs: number): TurnOutcome {
    if (turn.effects.length === 0) return turn.outcome;
    this.#hearingIsStale = false;
    try {
      const change = this.#kv.change(turn.plugin);
      const saved: SavedRecord[] = [];
      for (const effect of turn.effects) {
        if (effect.op === 'record') saved.push(this.#save(turn.plugin, effect, change, nowMs));
        else this.#applyEffect(effect, turn, change, nowMs);
      }
      this.#refreshHearing(turn.plugin);
      this.#savedNews.tell(turn, eventSeq, saved, nowMs);
      change.finish(turn.storageMb);
      return turn.outcome;
    } catch (error) {
      if (!isNeiraError(error) || !PLUGIN_FAULTS.has(error.code)) throw error;
      this.#undo.run();
      this.#group.rewind(mark);
      const { code, details } = error as NeiraError;
      const failure = { code, details, message: describe(code, details) };
      return { status: 'failed', error: this.#censor.failure(failure, turn) };
    }
  }

  #save(plugin: string, record: RecordEffect, change: KvChange, nowMs: number): SavedRecord {
    const { number, bytes } = this.#records.save(plugin, record, nowMs);
    change.hold(bytes);
    return { number, record };
  }

  #applyEffect(
    effect: Exclude<Effect, RecordEffect>,
    turn: TurnRecord,
    change: KvChange,
    nowMs: number,
  ): void {
    const { plugin, turnId } = turn;
    switch (effect.op) {
      case 'set':
        change.set(effect.key, effect.value, effect.pii);
        return;
      case 'delete':
        change.delete(effect.key);
        return;
      case 'add':
        change.add(effect.key, effect.amount);
        return;
      case 'append':
        change.append(effect.key, effect.value, effect.pii);
        return;
      case 'publish':
        this.#refreshHearing(plugin);
        this.#bus.publish(
          effect.event,
          { turnId, plugin, disposition: 'published', whenFull: 'refuse' },
          nowMs,
        );
        return;
      case 'cancel':
        this.#bus.cancel(effect.id, plugin, effect.as);
        return;
      case 'subscribe':
        this.#bus.subscriptions.put(plugin, effect.subscription);
        return;
      case 'unsubscribe':
        this.#bus.subscriptions.delete(plugin, effect.name);
        return;
      case 'principal.register':
        this.#principalChanged(this.#principals.register(plugin, effect.principal, effect.max, nowMs), nowMs);
        return;
      case 'principal.remove':
        this.#principalChanged(this.#principals.remove(plugin, effect.id, change), nowMs);
        return;
      case 'send':
        if (isDelayed(effect, nowMs)) this.#bus.sends.add(effect, effect.atMs!, plugin, turnId);
        else this.#bus.sends.leave({ ...effect, plugin, turnId }, nowMs);
        return;
      case 'cancel-send':
        if (isOwn(effect, turn.effects)) this.#bus.sends.cancel(effect.id, plugin, turnId, effect.as);
        return;
      default:
        throw new TypeError(`no such effect: ${(effect as { op: string }).op}`);
    }
  }

  /** What it subscribed to is in force as far as its grants still go. */
  #principalChanged(journal: JournalDraft | undefined, nowMs: number): void {
    if (!journal) return;
    this.#journal.append(journal, nowMs);
    this.#hearingIsStale = true;
  }

  /** Before anything is published, and once for all that the turn changed. */
  #refreshHearing(plugin: string): void {
    if (!this.#hearingIsStale) return;
    this.#hearingIsStale = false;
    this.#bus.policies.refresh(plugin);
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
    for (const { level, message, atMs, as = null } of turn.logs)
      this.#insertLog.run(plugin, turnId, level, message, atMs, as);
    if (turn.logs.length > 0) this.#logs.added(plugin, turn.logs.length);
    this.#statistics.turn(plugin, gate, nowMs, failed, fuel, turn.runMs);
  }

  /** An event that was handled as it came in; others who subscribed to it get it now. */
  #recordEvent(turn: TurnRecord, disposition: string, nowMs: number): void {
    const { turnId, plugin, eventId: id, subject, envelope = '', caller } = turn;
    const event: EventDraft = { id, subject, version: 1, envelope, mode: 'event', caller };
    const origin: PublishOrigin = { turnId, plugin, disposition, except: plugin, whenFull: 'shed' };
    if (disposition === 'executed') this.#bus.mailboxes.bring(event, origin, nowMs);
    else this.#bus.log.record(event, origin, nowMs);
  }

  #keepFailure(turn: TurnRecord, failure: TurnFailure, nowMs: number): void {
    const { turnId, plugin, version, eventId, delivery } = turn;
    const reads = JSON.stringify(turn.reads);
    const kept = reads.length > MAX_KEPT_READS ? null : this.#censor.beside(reads, turn);
    const event = turn.envelope ?? (this.#eventText.get(delivery!.id)!['envelope'] as string);
    const envelope = this.#censor.beside(event, turn);
    const error = JSON.stringify(failure);
    const { transcript = null, recipe } = turn;
    const whole = transcript !== null && transcript.length <= MAX_KEPT_TRANSCRIPT ? transcript : null;
    this.#insertFailure.run(
      plugin,
      turnId,
      version,
      eventId,
      nowMs,
      error,
      envelope,
      kept,
      whole,
      whole && (recipe ?? null),
    );
    this.#failures.added(plugin);
  }
}

function attemptEnd({ threw }: TurnRecord, settlement: Settlement | undefined): AttemptEnd {
  if (settlement?.state !== 'retry') return 'settled';
  return threw ? 'threw' : 'lost';
}

function uiReply(eventId: string, actions: string): string {
  return `{"event_id":${JSON.stringify(eventId)},"mode":"executed","ran":true,"actions":${actions}}`;
}

type Send = Extract<Effect, { op: 'send' }>;

function isDelayed({ atMs }: Send, nowMs: number): boolean {
  return atMs !== undefined && atMs > nowMs;
}

/** A principal takes back what it sent itself, also within one turn. */
function isOwn({ id, as }: Extract<Effect, { op: 'cancel-send' }>, effects: readonly Effect[]): boolean {
  return as === undefined || !effects.some((each) => each.op === 'send' && each.id === id && each.as !== as);
}

/** What leaves with the commit: neither what is delayed nor what the turn itself took back. */
function sendsNow(effects: readonly Effect[], nowMs: number): readonly PortSend[] {
  const sends = new Map<string, PortSend>();
  for (const effect of effects) {
    if (effect.op === 'cancel-send' && isOwn(effect, effects)) sends.delete(effect.id);
    else if (effect.op === 'send' && !isDelayed(effect, nowMs)) {
      const { id, port, target, payload } = effect;
      sends.set(id, { id, port, target, payload });
    }
  }
  return [...sends.values()];
}
