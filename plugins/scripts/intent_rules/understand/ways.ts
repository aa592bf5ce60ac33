/** A way of a sentence through the rules: what each part of it was taken for, and how good that is. */
import type { Hit } from './lists.ts';

/** Tokens `from` until before `to`. */
export type Part = { readonly from: number; readonly to: number } & (
  | { readonly kind: 'word' | 'skipped' }
  | {
      readonly kind: 'value';
      readonly slot: string;
      readonly list: string;
      readonly hit: Hit;
      readonly isName: boolean;
    }
  /** Any words, for a wildcard. */
  | { readonly kind: 'rest'; readonly slot: string }
  /** Words that stand where a list has none of them. */
  | { readonly kind: 'unknown'; readonly slot: string; readonly list: string }
);

export interface Way {
  /** Lengths are in UTF-16 units of what was said. Of the longest name. */
  readonly named: number;
  readonly wildcards: number;
  /** Of what rules and lists say themselves. */
  readonly literal: number;
  /** Of what wildcards took. */
  readonly loose: number;
  readonly unknown: number;
  /** Values in another form than they were written. */
  readonly inflected: number;
  readonly part: Part | undefined;
  readonly before: Way | undefined;
}

/**
 * Negative where `a` is better: the name that somebody gave wins, the longest first; then fewer wildcards, so that one
 * never beats a rule that says the words itself; then more words of rules, values as they were written, and less taken by
 * wildcards. The order of parts in between decides nothing.
 */
export function better(a: Way, b: Way): number {
  return (
    a.unknown - b.unknown ||
    b.named - a.named ||
    a.wildcards - b.wildcards ||
    b.literal - a.literal ||
    a.inflected - b.inflected ||
    a.loose - b.loose
  );
}

export function partsOf(way: Way): readonly Part[] {
  const parts: Part[] = [];
  for (let each: Way | undefined = way; each?.part; each = each.before) parts.push(each.part);
  return parts.reverse();
}
