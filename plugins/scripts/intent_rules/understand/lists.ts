/** What `{list}` may stand for in a sentence: one of named values, a number of a range, or any words. */
import type { Linked } from '../grammar/link.ts';
import { numbersAt } from './numbers.ts';
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

/** What is the same for all rules about one sentence: each list is looked up once at each token. */
export class Sentence {
  readonly tokens: readonly Token[];
  readonly #language: string;
  readonly #forms: ReadonlyMap<string, readonly string[]>;
  readonly #hits = new Map<string, readonly Hit[]>();
  readonly #numbers: (readonly { value: number; end: number }[] | undefined)[] = [];
  /** By token: where what says nothing (`please`) ends. */
  readonly #skips: readonly (readonly number[])[];

  /** `forms`: base words of a form, of the lists whose values are inflected. */
  constructor(
    tokens: readonly Token[],
    language: string,
    forms: ReadonlyMap<string, readonly string[]>,
    skips: Values | undefined,
  ) {
    this.tokens = tokens;
    this.#language = language;
    this.#forms = forms;
    this.#skips = [];
    this.#skips = skips ? tokens.map((_, at) => this.#spoken(skips.words, at).map(({ end }) => end)) : [];
  }

  skipsAt(from: number): readonly number[] {
    return this.#skips[from] ?? [];
  }

  hitsAt(from: number, name: string, list: Values | Range): readonly Hit[] {
    const key = `${name} ${from}`;
    const known = this.#hits.get(key);
    if (known) return known;
    const hits = list.kind === 'values' ? this.#spoken(list.words, from) : this.#counted(list, from);
    this.#hits.set(key, hits);
    return hits;
  }

  #counted({ from: least, to: most, step, multiplier }: Range, from: number): readonly Hit[] {
    this.#numbers[from] ??= numbersAt(this.tokens, from, this.#language);
    return this.#numbers[from].flatMap(({ value, end }) => {
      const steps = (value - least) / step;
      const isIn = value >= least && value <= most && Math.abs(steps - Math.round(steps)) < 1e-9;
      return isIn ? [{ end, number: value * multiplier, isInflected: false }] : [];
    });
  }

  #spoken({ words, states, start }: Linked, from: number): readonly Hit[] {
    const hits: Hit[] = [];
    let at: readonly Reached[] = [{ state: start, isInflected: false }];
    /** Behind words in the middle of a value that say nothing. */
    const later = new Map<number, Reached[]>();
    for (let token = from; token < this.tokens.length && (at.length > 0 || later.size > 0); token += 1) {
      if (token > from && at.length > 0)
        for (const end of this.skipsAt(token)) later.set(end, [...(later.get(end) ?? []), ...at]);
      const next: Reached[] = [];
      for (const { state, isInflected } of [...at, ...(later.get(token) ?? [])]) {
        const edges = states[state]!.words;
        if (!edges) continue;
        const { text } = this.tokens[token]!;
        const exact = edges.get(words.get(text) ?? -1);
        if (exact !== undefined) next.push({ state: exact, isInflected });
        for (const base of this.#forms.get(text) ?? []) {
          const to = edges.get(words.get(base) ?? -1);
          if (to !== undefined && to !== exact) next.push({ state: to, isInflected: true });
        }
      }
      later.delete(token);
      for (const { state, isInflected } of next) {
        const { ends } = states[state]!;
        if (ends.length > 0) hits.push({ end: token + 1, values: ends, isInflected });
      }
      at = next;
    }
    return hits;
  }
}
