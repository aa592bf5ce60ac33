/**
 * The order of texts in a language, without a call to the host for each comparison. A text that is new is compared
 * by the host; once many are known, one call ranks them all, and from then on comparing is comparing numbers. So
 * sorting asks about once for each text and a few times for all, whichever way it sorts.
 */
import { MAX_RANKED, MAX_RANKED_CHARS } from '../../../../intl-options.ts';
import { ask, type Making } from './intl-ask.ts';

/** A comparison by the host costs about as much as ranking so many texts. */
const TEXTS_PER_CALL = 6;
const NEW_PART = 1 / 8;
const MAX_KEPT_CHARS = 256;
const UNRANKED = -1;

export class Order {
  readonly #making: Making;
  readonly #ranks = new Map<string, number>();
  #chars = 0;
  #unranked = 0;
  /** Comparisons by the host since it last ranked. */
  #calls = 0;

  constructor(making: Making) {
    this.#making = making;
  }

  compare(a: string, b: string): number {
    const left = this.#ranks.get(a);
    const right = this.#ranks.get(b);
    if (left! >= 0 && right! >= 0) return left! < right! ? -1 : left! > right! ? 1 : 0;
    if (a === b) return 0;
    if (left !== undefined && right !== undefined && this.#isWorthRanking()) {
      this.#rank();
      return this.compare(a, b);
    }
    if (left === undefined) this.#note(a);
    if (right === undefined) this.#note(b);
    this.#calls++;
    return ask(this.#making, 'compare', [a, b]) as number;
  }

  #isWorthRanking(): boolean {
    const { size } = this.#ranks;
    return this.#unranked >= (size - this.#unranked) * NEW_PART || this.#calls * TEXTS_PER_CALL >= size;
  }

  #note(text: string): void {
    if (text.length > MAX_KEPT_CHARS) return;
    if (this.#ranks.size >= MAX_RANKED || this.#chars + text.length > MAX_RANKED_CHARS) this.#forget();
    this.#ranks.set(text, UNRANKED);
    this.#chars += text.length;
    this.#unranked++;
  }

  #forget(): void {
    this.#ranks.clear();
    this.#chars = 0;
    this.#unranked = 0;
  }

  #rank(): void {
    const texts = [...this.#ranks.keys()];
    const ranks = ask(this.#making, 'rank', texts) as number[];
    for (let i = 0; i < texts.length; i++) this.#ranks.set(texts[i]!, ranks[i]!);
    this.#unranked = 0;
    this.#calls = 0;
  }
}
