/**
 * The order of texts in a language, without a call to the host for each comparison. What `sort` is about to compare
 * is ranked by one call, and comparing is comparing numbers then. Where code sorts in a way of its own, a text that is
 * new is compared by the host, and once many are known they are ranked: about a call for each text.
 */
import { MAX_RANKED, MAX_RANKED_CHARS } from '../../../../base/intl-options.ts';
import { ask, type Making } from './intl-ask.ts';

/** A comparison by the host costs about as much as ranking so many texts. */
const TEXTS_PER_CALL = 6;
const NEW_PART = 1 / 8;
const MAX_KEPT_CHARS = 256;
const UNRANKED = -1;

const FEW_TEXTS = 8;
const MAX_FIELDS = 32;

/** The list that is sorted now: its texts are what will be compared. */
let sorting: { readonly list: ArrayLike<unknown>; foreseen: boolean } | undefined;

/** The texts of the list, or those of the field that `text` comes from; undefined where it is neither. */
function textsToCompare(list: ArrayLike<unknown>, text: string): string[] | undefined {
  const first = list[0];
  if (typeof first === 'string') return textsWith(list, (each) => each, text);
  if (typeof first !== 'object' || first === null) return undefined;
  const fields = Object.entries(Object.getOwnPropertyDescriptors(first));
  for (const [name, { value }] of fields.slice(0, MAX_FIELDS)) {
    if (typeof value !== 'string') continue;
    const found = textsWith(
      list,
      (each) => (each as Record<string, unknown> | null | undefined)?.[name],
      text,
    );
    if (found) return found;
  }
  return undefined;
}

function textsWith(
  list: ArrayLike<unknown>,
  textOf: (each: unknown) => unknown,
  wanted: string,
): string[] | undefined {
  const texts: string[] = [];
  let found = false;
  for (let i = 0; i < list.length; i++) {
    const text = textOf(list[i]);
    if (typeof text !== 'string') continue;
    texts.push(text);
    found ||= text === wanted;
  }
  return found ? texts : undefined;
}

/** Sorting goes on as it is; that it goes on is known while it does. */
export function watchSorting(): void {
  const { sort, toSorted } = Array.prototype as { sort: Sort; toSorted: Sort };
  const watched = (own: Sort) =>
    function (this: unknown[], compare?: unknown): unknown {
      if (typeof compare !== 'function') return own.call(this, compare);
      const outer = sorting;
      sorting = { list: this, foreseen: false };
      try {
        return own.call(this, compare);
      } finally {
        sorting = outer;
      }
    };
  for (const [name, own] of [['sort', sort] as const, ['toSorted', toSorted] as const]) {
    const value = Object.defineProperty(watched(own), 'name', { value: name, configurable: true });
    Object.defineProperty(Array.prototype, name, {
      value,
      writable: true,
      configurable: true,
      enumerable: false,
    });
  }
}

type Sort = (this: unknown[], compare?: unknown) => unknown;

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
    if ((left === undefined || right === undefined) && this.#foresee(a, b)) return this.compare(a, b);
    if (left === undefined) this.#note(a);
    if (right === undefined) this.#note(b);
    this.#calls++;
    return ask(this.#making, 'compare', [a, b]) as number;
  }

  /** Ranks what is being sorted, once a sort and where it is plain which texts that compares. */
  #foresee(a: string, b: string): boolean {
    if (sorting === undefined || sorting.foreseen) return false;
    sorting.foreseen = true;
    const texts = textsToCompare(sorting.list, a);
    if (!texts || texts.length < FEW_TEXTS || texts.length + this.#ranks.size > MAX_RANKED) return false;
    for (let i = 0; i < texts.length; i++) if (!this.#ranks.has(texts[i]!)) this.#note(texts[i]!);
    if (!this.#ranks.has(a) || !this.#ranks.has(b)) return false;
    this.#rank();
    return true;
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
