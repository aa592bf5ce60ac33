/**
 * What is known to be secret or personal never becomes a row of what is told: logs, failures, dead letters, the
 * journal. The writer thread is where all of them pass, those of cells and those of main, so it is masked here,
 * once. Data – values, events, lines of chats – is stored as it is.
 */
import { type KnownText, Masker, NOTHING_KNOWN, PERSONAL, personalTexts } from '../base/masker.ts';
import type { AdminOp, AdminRecord, JournalDraft, TurnFailure, TurnRecord, WriteRecord } from './records.ts';

export class Censor {
  #known: Masker = NOTHING_KNOWN;

  /** Replaces what is known. */
  learn(known: readonly KnownText[]): void {
    this.#known = new Masker(known);
  }

  /** The record as it may be kept. */
  record<Kept extends WriteRecord>(record: Kept): Kept {
    if (this.#known.isEmpty) return record;
    const kept: WriteRecord = record.kind === 'turn' ? this.#turn(record) : record;
    if (kept.kind === 'admin') return { ...this.#admin(kept), ...this.#journal(kept) } as Kept;
    return ('journal' in kept ? { ...kept, ...this.#journal(kept) } : kept) as Kept;
  }

  /** What a turn failed with, when the writer itself refused it. */
  failure(failure: TurnFailure, { personal }: Pick<TurnRecord, 'personal'>): TurnFailure {
    const { code } = failure;
    if (personal === 'all') return { code, details: {}, message: PERSONAL };
    return { ...this.#personal(personal).maskValue(this.#known.maskValue(failure)), code };
  }

  /** JSON that is kept beside a failure: the event, what the turn had read. */
  beside(json: string, { personal }: Pick<TurnRecord, 'personal'>): string {
    if (personal === 'all') return 'null';
    const masker = this.#personal(personal);
    if (masker.isEmpty && this.#known.isEmpty) return json;
    return JSON.stringify(masker.maskValue(this.#known.maskValue(JSON.parse(json))));
  }

  #personal(texts: readonly string[] | undefined): Masker {
    return texts === undefined ? NOTHING_KNOWN : new Masker(personalTexts(texts));
  }

  #turn(record: TurnRecord): TurnRecord {
    const { outcome } = record;
    return {
      ...record,
      logs: record.logs.map((line) => ({ ...line, message: this.#known.mask(line.message) })),
      ...(outcome.status === 'failed' && {
        outcome: {
          status: 'failed',
          error: { ...this.#known.maskValue(outcome.error), code: outcome.error.code },
        },
      }),
    };
  }

  #journal({ journal }: { readonly journal?: readonly JournalDraft[] }) {
    return journal === undefined
      ? {}
      : { journal: journal.map((draft) => ({ ...this.#known.maskValue(draft), action: draft.action })) };
  }

  #maskJson(json: string): string {
    return JSON.stringify(this.#known.maskValue(JSON.parse(json)));
  }

  /** Values that administrators gave are data; what the host says of a plugin is not. */
  #admin(record: AdminRecord): AdminRecord {
    const ops = record.ops.map((op): AdminOp => {
      if (op.op !== 'plugin.put') return op;
      const { reason, lastError } = op.row;
      const row = {
        ...op.row,
        reason: reason && this.#known.mask(reason),
        lastError: lastError && this.#maskJson(lastError),
      };
      return { op: 'plugin.put', row };
    });
    // What the host announces of a change says what the journal says.
    const events = record.events?.map((event) => ({ ...event, envelope: this.#maskJson(event.envelope) }));
    return { ...record, ops, ...(events && { events }) };
  }
}
