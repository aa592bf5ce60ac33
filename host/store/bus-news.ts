import type { BusNews, MailboxEntry, RequestAnswer } from './bus-records.ts';
import type { PortSend } from './records.ts';

type Tally = 'published' | 'shed' | 'expired';
const TALLIES: readonly Tally[] = ['published', 'shed', 'expired'];

export interface NewsMark {
  readonly entries: number;
  readonly answers: number;
  readonly sends: number;
  readonly tallies: readonly number[];
}

/** What a group does on the bus, gathered for main until it committed; what is rolled back is cut off again. */
export class NewsDesk {
  #entries: MailboxEntry[] = [];
  #answers: RequestAnswer[] = [];
  #sends: PortSend[] = [];
  /** Names, one for each time. */
  readonly #names: Readonly<Record<Tally, string[]>> = { published: [], shed: [], expired: [] };
  #lastSeq: number | undefined;
  #dueChanged = true;

  delivery(entry: MailboxEntry): void {
    this.#entries.push(entry);
  }

  answer(id: number, answer: string): void {
    this.#answers.push({ id, answer });
  }

  /** A delayed send is to leave now. */
  send(send: PortSend): void {
    this.#sends.push(send);
  }

  count(tally: Tally, name: string): void {
    this.#names[tally].push(name);
  }

  recorded(seq: number): void {
    this.#lastSeq = seq;
  }

  /** Delayed events or sends came, went or were postponed. */
  delayedMoved(): void {
    this.#dueChanged = true;
  }

  mark(): NewsMark {
    return {
      entries: this.#entries.length,
      answers: this.#answers.length,
      sends: this.#sends.length,
      tallies: TALLIES.map((tally) => this.#names[tally].length),
    };
  }

  rewind({ entries, answers, sends, tallies }: NewsMark): void {
    this.#entries.length = entries;
    this.#answers.length = answers;
    this.#sends.length = sends;
    TALLIES.forEach((tally, index) => {
      this.#names[tally].length = tallies[index]!;
    });
    this.#dueChanged = true;
  }

  /** @param nextDueMs asked only when it may have changed */
  take(nextDueMs: () => number | undefined): BusNews {
    const dueMs = this.#dueChanged ? nextDueMs() : undefined;
    const news: BusNews = {
      deliveries: this.#entries,
      ...(dueMs !== undefined && { dueMs }),
      ...(this.#lastSeq !== undefined && { lastSeq: this.#lastSeq }),
      ...(this.#answers.length > 0 && { answers: this.#answers }),
      ...(this.#sends.length > 0 && { sends: this.#sends }),
      ...this.#countsOf('published'),
      ...this.#countsOf('shed'),
      ...this.#countsOf('expired'),
    };
    this.forget();
    this.#dueChanged = false;
    return news;
  }

  /** The group did not commit. */
  forget(): void {
    this.#entries = [];
    this.#answers = [];
    this.#sends = [];
    this.#lastSeq = undefined;
    this.#dueChanged = true;
    for (const tally of TALLIES) this.#names[tally].length = 0;
  }

  #countsOf(tally: Tally): { readonly [Name in Tally]?: Readonly<Record<string, number>> } {
    const names = this.#names[tally];
    if (names.length === 0) return {};
    const counts = new Map<string, number>();
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
    return { [tally]: Object.fromEntries(counts) };
  }
}
