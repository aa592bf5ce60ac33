/** What `{list}` may stand for in a sentence: one of named values, a number of a range, or any words. */
import type { Linked } from '../grammar/link.ts';
import type { Language } from './language.ts';
import { numbersAt, type Spoken } from './numbers.ts';
import type { Token } from './tokens.ts';

export type List = Values | Range | Wildcard;

export interface Values {
  readonly kind: 'values';
  /** Ends are places in `values`. */
  readonly words: Linked;
  readonly values: readonly Value[];
  /** People gave these names: a sentence that names one wins over one that does not. */
  readonly areNames: boolean;
}

export interface Value {
  readonly out: Scalar;
  /** Known when it is said: `{domain: light}`; rules require it. */
  readonly context?: Readonly<Record<string, Scalar>>;
}

export type Scalar = string | number | boolean | null;

export interface Range {
  readonly kind: 'range';
  readonly from: number;
  readonly to: number;
  readonly step: number;
  readonly multiplier: number;
}

export interface Wildcard {
  readonly kind: 'wildcard';
}

export interface Hit {
  /** The token behind it. */
  readonly end: number;
  /** Places in `values`, or none: `number` is said. */
  readonly values?: readonly number[];
  readonly number?: number;
  /** In another form than it was written. */
  readonly isInflected: boolean;
}

interface Reached {
  readonly state: number;
  readonly isInflected: boolean;
}

const NO_HITS: readonly Hit[] = [];
const NO_FORMS: readonly number[] = [];
const UNKNOWN = -1;

/** What is the same for all rules about one sentence: each word and each list is looked up once at each token. */
export class Sentence {
  readonly tokens: readonly Token[];
  /** Of each token: as it was said, and as the words that it is a form of. */
  readonly words: readonly number[];
  readonly #forms: readonly (readonly number[])[];
  readonly #language: string;
  readonly #hits = new Map<List, (readonly Hit[] | undefined)[]>();
  readonly #numbers: (readonly Spoken[] | undefined)[] = [];
  /** By token: where what says nothing (`please`) ends. */
  readonly #skips: readonly (readonly number[])[];

  constructor(tokens: readonly Token[], { name, words, forms, skips }: Language) {
    this.tokens = tokens;
    this.#language = name;
    this.words = tokens.map(({ text }) => words.get(text) ?? UNKNOWN);
    this.#forms = tokens.map(({ text }) => forms.get(text) ?? NO_FORMS);
    this.#skips = [];
    if (skips) this.#skips = tokens.map((_, at) => this.#spoken(skips.words, at).map(({ end }) => end));
  }

  skipsAt(from: number): readonly number[] {
    return this.#skips[from] ?? NO_FORMS;
  }

  /** Most lists have no value that begins with a word: that is asked first, and often. */
  hitsAt(from: number, list: Values | Range): readonly Hit[] {
    const mayBe =
      list.kind === 'values' ? this.#begins(list.words, from) : this.#spokenNumbers(from).length > 0;
    if (!mayBe) return NO_HITS;
    const known = this.#hits.get(list) ?? [];
    if (known[from]) return known[from];
    const hits = list.kind === 'values' ? this.#spoken(list.words, from) : this.#counted(list, from);
    known[from] = hits;
    this.#hits.set(list, known);
    return hits;
  }

  #spokenNumbers(from: number): readonly Spoken[] {
    const known = this.#numbers[from];
    if (known) return known;
    const numbers = numbersAt(this.tokens, from, this.#language);
    this.#numbers[from] = numbers;
    return numbers;
  }

  #counted({ from: least, to: most, step, multiplier }: Range, from: number): readonly Hit[] {
    return this.#spokenNumbers(from).flatMap(({ value, end }) => {
      const steps = (value - least) / step;
      const isIn = value >= least && value <= most && Math.abs(steps - Math.round(steps)) < 1e-9;
      return isIn ? [{ end, number: value * multiplier, isInflected: false }] : [];
    });
  }

  #spoken(words: Linked, from: number): readonly Hit[] {
    if (!this.#begins(words, from)) return NO_HITS;
    let at = this.#next(words, [{ state: words.start, isInflected: false }], from);
    const hits: Hit[] = [];
    /** Behind words in the middle of a value that say nothing. */
    const later: Reached[][] = [];
    for (let token = from + 1; ; token += 1) {
      for (const { state, isInflected } of at) {
        const { ends } = words.states[state]!;
        if (ends.length > 0) hits.push({ end: token, values: ends, isInflected });
      }
      if (token >= this.tokens.length) return hits;
      for (const end of this.skipsAt(token)) later[end] = [...(later[end] ?? []), ...at];
      const waited = later[token];
      const before = waited ? [...at, ...waited] : at;
      if (before.length === 0 && later.length <= token) return hits;
      at = this.#next(words, before, token);
    }
  }

  #begins({ states, start }: Linked, token: number): boolean {
    const edges = states[start]!.words;
    if (!edges) return false;
    if (edges.has(this.words[token]!)) return true;
    const forms = this.#forms[token]!;
    return forms.length > 0 && forms.some((base) => edges.has(base));
  }

  #next({ states }: Linked, from: readonly Reached[], token: number): readonly Reached[] {
    const next: Reached[] = [];
    for (const { state, isInflected } of from) {
      const edges = states[state]!.words;
      if (!edges) continue;
      const exact = edges.get(this.words[token]!);
      if (exact !== undefined) next.push({ state: exact, isInflected });
      for (const base of this.#forms[token]!) {
        const to = edges.get(base);
        if (to !== undefined && to !== exact) next.push({ state: to, isInflected: true });
      }
    }
    return next;
  }
}
