/**
 * Dead letters in the hands of administrators: looked at, exported, tried again, dropped (BUS-16, BUS-27).
 * What is done to them is journaled; a change of many goes in pages, each a commit of its own.
 */
import { decide, type Operation } from '../../gates/decide.ts';
import type { Mode } from '../../gates/gates.ts';
import { type ErrorCode, NeiraError } from '../errors.ts';
import type { Caller } from '../http/api.ts';
import type { DeadLetterChoice, DeadLetterFilter, DeadLetterView } from '../http/bus-api.ts';
import { requireAck } from '../registry/gate-service.ts';
import type { DeadLetter, DeadLetterRecord } from '../store/bus-records.ts';
import type { DeadLetterPage, DeadLetterQuery } from '../store/mailbox-reads.ts';
import type { Ack } from '../store/records.ts';
import { invalid, subjectTest } from './event-filter.ts';

export interface DeadLetterParts {
  readonly store: {
    deadLetter(id: number): DeadLetter | undefined;
    deadLetters(query: DeadLetterQuery): DeadLetterPage;
    lastDeadLetterId(): number;
    submit(record: DeadLetterRecord): Promise<Ack>;
  };
  mode(): Mode;
}

type Op = DeadLetterRecord['op'];

const PAGE = 100;
const DONE: Readonly<Record<Op, string>> = { retry: 'dead-letter.retried', drop: 'dead-letter.dropped' };

export class DeadLetters {
  readonly #parts: DeadLetterParts;

  constructor(parts: DeadLetterParts) {
    this.#parts = parts;
  }

  /** @throws NEIRA_NOT_FOUND */
  get(id: number): DeadLetterView {
    const letter = this.#parts.store.deadLetter(id);
    if (!letter) throw new NeiraError('NEIRA_NOT_FOUND', { what: 'dead letter', id: String(id) });
    return viewOf(letter);
  }

  list(filter: DeadLetterFilter, after: number, limit: number) {
    const page = this.#page(filter, { after, limit });
    return { dead_letters: page.letters.map(viewOf), next: page.more ? page.seenTo : null };
  }

  *lines(filter: DeadLetterFilter, after: number): Generator<string> {
    const upTo = this.#parts.store.lastDeadLetterId();
    for (const letters of this.#pages(filter, after, upTo))
      for (const letter of letters) yield JSON.stringify(viewOf(letter));
  }

  /**
   * Does it to all that are chosen now; what becomes a dead letter meanwhile is not among them.
   * @returns how many they were.
   * @throws NEIRA_NOT_FOUND when one that was named is not there; then nothing is done.
   */
  async change(caller: Caller, op: Op, choice: DeadLetterChoice): Promise<number> {
    this.#require(caller, op);
    const { ids, all, ...filter } = choice;
    const isFiltered = filter.plugin !== undefined || filter.subject !== undefined;
    if (Number(ids !== undefined) + Number(all !== undefined) + Number(isFiltered) !== 1)
      throw invalid(
        'ids',
        'or a filter (`plugin`, `subject`) or `all` must be given, and one of them',
        'The body',
      );
    if (ids) return this.#submit(caller, op, [...new Set(ids)], { ids });
    let done = 0;
    const upTo = this.#parts.store.lastDeadLetterId();
    for (const letters of this.#pages(filter, 0, upTo)) {
      if (letters.length === 0) continue;
      this.#require(caller, op);
      done += await this.#submit(
        caller,
        op,
        letters.map(({ id }) => id),
        all ? { all } : filter,
      );
    }
    return done;
  }

  #require(caller: Caller, op: Op): void {
    const operation: Operation = `dead-letter.${op}`;
    const decision = decide({ about: 'change', operation, mode: this.#parts.mode(), caller: caller.scope });
    if (decision.verdict === 'run') return;
    throw new NeiraError((decision.code ?? 'NEIRA_INTERNAL') as ErrorCode, { ...decision.details });
  }

  async #submit(caller: Caller, op: Op, ids: readonly number[], asked: DeadLetterChoice): Promise<number> {
    const entry = {
      actor: caller.actor,
      action: DONE[op],
      target: asked.plugin ?? asked.subject ?? (ids.length === 1 ? String(ids[0]) : 'dead letters'),
      before: { ids },
      ...(!asked.ids && { note: `chosen by ${JSON.stringify(asked)}` }),
    };
    requireAck(await this.#parts.store.submit({ kind: 'dead-letters', op, ids, journal: [entry] }));
    return ids.length;
  }

  *#pages(filter: DeadLetterFilter, after: number, upTo: number): Generator<readonly DeadLetter[]> {
    for (let place = after, more = true; more; ) {
      const page = this.#page(filter, { after: place, upTo, limit: PAGE });
      yield page.letters;
      place = page.seenTo;
      more = page.more;
    }
  }

  #page({ plugin, subject }: DeadLetterFilter, range: Omit<DeadLetterQuery, 'plugin' | 'matches'>) {
    const matches = subjectTest(subject);
    return this.#parts.store.deadLetters({
      ...(plugin !== undefined && { plugin }),
      ...(matches && { matches }),
      ...range,
    });
  }
}

function viewOf(letter: DeadLetter): DeadLetterView {
  const { code, message, details, stack } = letter.error;
  return {
    id: letter.id,
    plugin: letter.plugin,
    event_id: letter.eventId,
    event_name: letter.subject,
    version: letter.version,
    key: letter.key,
    subscriptions: letter.subscriptions,
    attempts: letter.attempts,
    error: { code, message, details, ...(stack !== undefined && { stack }) },
    published_at: new Date(letter.publishedAtMs).toISOString(),
    at: new Date(letter.atMs).toISOString(),
    envelope: JSON.parse(letter.envelope) as unknown,
  };
}
