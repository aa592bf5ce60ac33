/** Everything that is known in one language: rules of all files linked, and the lists that they name. */
import type { Linked } from '../grammar/link.ts';
import type { List, Scalar, Values } from './lists.ts';

export interface Language {
  /** `en`, `ru`. */
  readonly name: string;
  /** Words → their numbers on edges, of rules and of lists. */
  readonly words: ReadonlyMap<string, number>;
  readonly rules: Linked;
  /** What labels of lists on edges mean. */
  readonly labels: ReadonlyMap<number, Labelled>;
  readonly lists: ReadonlyMap<string, List>;
  /** Words that say nothing: `please`. */
  readonly skips?: Values;
  /** Form → numbers of the words of lists that it is a form of. */
  readonly forms: ReadonlyMap<string, readonly number[]>;
  /** By the numbers on ends. */
  readonly sentences: readonly { readonly rule: Rule; readonly template: string }[];
}

export interface Labelled {
  readonly name: string;
  readonly list: List;
  readonly slot: string;
}

export interface Rule {
  readonly intent: string;
  readonly file: string;
  readonly line: number;
  /** Filled in without being said. */
  readonly slots?: Readonly<Record<string, Scalar>>;
  readonly requires?: Readonly<Record<string, Requirement>>;
  readonly excludes?: Readonly<Record<string, Scalar | readonly Scalar[]>>;
}

/** A value, one of several, or `{value?, slot?}`: without `value` any will do; `slot` fills one with it. */
export type Requirement =
  | Scalar
  | readonly Scalar[]
  | { readonly value?: Scalar | readonly Scalar[]; readonly slot?: boolean | string };
