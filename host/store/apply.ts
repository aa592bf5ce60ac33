import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { describe, isNeiraError, type NeiraError } from '../errors.ts';
import { AdminWriter } from './admin.ts';
import { BoundedTable } from './bounded.ts';
import { RecordWriter } from './chat-records.ts';
import { JournalWriter } from './journal.ts';
import { KvWriter } from './kv.ts';
import type { LineWriter } from './projection.ts';
import type {
  Ack,
  AdminRecord,
  EventRecord,
  JournalDraft,
  PortSend,
  Published,
  TurnOutcome,
  TurnRecord,
  WriteRecord,
} from './records.ts';
import { StatisticsWriter } from './statistics.ts';

const IDEMPOTENCY_MS = 24 * 60 * 60 * 1000;
/** Newest rows kept per plugin. */
export const KEPT_LOGS = 2000;
export const KEPT_FAILURES = 500;
/** Reads of a failed turn are kept for debugging up to this size. */
const MAX_KEPT_READS = 64 * 1024;

/** Refusals of the writer that are the plugin's fault: they turn the outcome into a failure. */
const PLUGIN_FAULTS = new Set(['NEIRA_STORAGE_FULL', 'NEIRA_VALUE_INVALID', 'NEIRA_STORE_FAILED']);

interface Mark {
  readonly lines: number;
  readonly words: number;
}

/** What one record does, inside the transaction and the savepoint `record` that group.ts holds. */
export class Applier {
  readonly #kv: KvWriter;
  readonly #records: RecordWriter;
  readonly #journal: JournalWriter;
  readonly #admin: AdminWriter;
  readonly #statistics: StatisticsWriter;
  readonly #logs: BoundedTable;
  readonly #failures: BoundedTable;
  readonly #turn: StatementSync;
  readonly #insertTurn: StatementSync;
  readonly #insertEvent: StatementSync;
  readonly #idempotency: StatementSync;
  readonly #insertIdempotency: StatementSync;
  readonly #insertSend: StatementSync;
  readonly #deleteSend: StatementSync;
  readonly #insertLog: StatementSync;
  readonly #insertFailure: StatementSync;
  readonly #undo: StatementSync;
  readonly #lines: LineWriter;

  constructor(db: DatabaseSync, lines: LineWriter) {
    this.#lines = lines;
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
    this.#insertEvent = db.prepare(
      'insert into event(event_id, subject, disposition, at_ms, turn_id, envelope) values(?, ?, ?, ?, ?, ?)',
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
        return this.#applyTurn(record, nowMs);
      case 'event':
        return this.#applyEvent(record, nowMs);
      case 'admin':
        return this.#applyAdmin(record, nowMs);
      case 'sent':
        for (const id of record.ids) this.#deleteSend.run(id);
        return { ok: true };
      default:
        throw new TypeError(`no such record: ${(record as { kind: string }).kind}`);
    }
  }

  // --- turns

  #applyTurn(turn: TurnRecord, nowMs: number): Ack {
    const { turnId, plugin } = turn;
    const first = this.#turn.get(turnId);
    if (first) return { ok: true, turnId, outcome: JSON.parse(first['outcome'] as string), repeated: true };
    const used = turn.idempotency && this.#lookUpKey(turn.idempotency, nowMs);
    if (used) return { ...used, turnId };
    if (turn.deadlineAtMs !== undefined && nowMs > turn.deadlineAtMs) {
      const deadlineMs = turn.deadlineAtMs - turn.startedAtMs;
      return { ok: false, turnId, error: { code: 'NEIRA_DEADLINE', details: { plugin, deadlineMs } } };
    }
    // Also of a turn that failed or staged nothing: it may have done so because of what is no longer true.
    if (!this.#kv.holds(plugin, turn.reads)) return { ok: false, turnId, conflict: true };
    const outcome = turn.outcome.status === 'ok' ? this.#applyEffects(turn, nowMs) : turn.outcome;
    this.#recordTurn(turn, outcome, nowMs);
    const ran = [turn.startedAtMs, turn.runMs, turn.fuel] as const;
    if (outcome.status === 'failed') return { ok: true, turnId, outcome, ran };
    if (turn.idempotency) {
      const { key, digest, reply = uiReply(turn.eventId, outcome.actions) } = turn.idempotency;
      this.#insertIdempotency.run(key, digest, reply, nowMs + IDEMPOTENCY_MS);
    }
    const sends: PortSend[] = [];
    const published: Published[] = [];
    for (const effect of turn.effects) {
      if (effect.op === 'send')
        sends.push({ id: effect.id, port: effect.port, target: effect.target, payload: effect.payload });
      else if (effect.op === 'publish')
        published.push({ id: effect.id, event: effect.event, envelope: effect.envelope });
    }
    return {
      ok: true,
      turnId,
      outcome,
      ran,
      ...(sends.length > 0 && { sends }),
      ...(published.length > 0 && { published }),
    };
  }

  /** All effects of the turn, or none and the failure that the turn ends with. */
  #applyEffects(turn: TurnRecord, nowMs: number): TurnOutcome {
    if (turn.effects.length === 0) return turn.outcome;
    const mark = this.mark();
    try {
      const change = this.#kv.change(turn.plugin);
      for (const effect of turn.effects) {
        switch (effect.op) {
          case 'set':
            change.set(effect.key, effect.value);
            break;
          case 'delete':
            change.delete(effect.key);
            break;
          case 'append':
            change.append(effect.key, effect.value);
            break;
          case 'record':
            change.hold(this.#records.save(turn.plugin, effect, nowMs));
            break;
          case 'publish':
            this.#insertEvent.run(effect.id, effect.event, 'published', nowMs, turn.turnId, effect.envelope);
            break;
          case 'send':
            this.#insertSend.run(
              effect.id,
              turn.turnId,
              turn.plugin,
              effect.port,
              effect.target,
              effect.payload,
              nowMs,
            );
            break;
          default:
            throw new TypeError(`no such effect: ${(effect as { op: string }).op}`);
        }
      }
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

  #recordTurn(turn: TurnRecord, outcome: TurnOutcome, nowMs: number): void {
    const { turnId, plugin, version, gate, eventId, envelope } = turn;
    const failed = outcome.status === 'failed';
    this.#insertEvent.run(eventId, turn.subject, failed ? 'failed' : 'executed', nowMs, turnId, envelope);
    const fuel = Math.round(turn.fuel);
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
    for (const { level, message, atMs } of turn.logs)
      this.#insertLog.run(plugin, turnId, level, message, atMs);
    if (turn.logs.length > 0) this.#logs.added(plugin, turn.logs.length);
    if (failed) {
      const reads = JSON.stringify(turn.reads);
      const kept = reads.length > MAX_KEPT_READS ? null : reads;
      const error = JSON.stringify(outcome.error);
      this.#insertFailure.run(plugin, turnId, version, eventId, nowMs, error, envelope, kept);
      this.#failures.added(plugin);
    }
    this.#statistics.turn(plugin, gate, nowMs, failed, fuel, turn.runMs);
  }

  // --- events and administration

  #applyEvent(record: EventRecord, nowMs: number): Ack {
    const used = record.idempotency && this.#lookUpKey(record.idempotency, nowMs);
    if (used) return used;
    this.#insertEvent.run(record.eventId, record.subject, record.disposition, nowMs, null, record.envelope);
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
    for (const { eventId, subject, envelope } of record.events ?? []) {
      this.#insertEvent.run(eventId, subject, 'published', nowMs, null, envelope);
    }
    return { ok: true, ...this.#journalAll(record.journal, nowMs) };
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
    return { lines: this.#lines.mark(), words: this.#records.mark() };
  }

  /** Forgets what was staged since `mark`: its rows are rolled back. */
  rewind(mark: Mark): void {
    this.#lines.rewind(mark.lines);
    this.#records.rewind(mark.words);
  }

  /** Writes what the records of the group add up to, as the last part of its transaction. */
  finish(): void {
    this.#records.index();
    this.#statistics.write();
  }

  /** The group did not commit. */
  forget(): void {
    this.rewind({ lines: 0, words: 0 });
    this.#statistics.forget();
  }

  /** Housekeeping at boot. */
  sweep(): void {
    this.#admin.sweepBlobs();
  }
}

function uiReply(eventId: string, actions: string): string {
  return `{"event_id":${JSON.stringify(eventId)},"mode":"executed","ran":true,"actions":${actions}}`;
}
