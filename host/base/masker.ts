/**
 * Finds texts that must not leave – secrets, what is personal – however they are written, and puts a label in
 * their place.
 *
 * One walk over the text, whatever the number of texts: three letters are looked up in a table of one bit each,
 * and only where they could begin something known is it compared. What overlaps is taken away as a whole, so that
 * no end of one text is left where another began before it.
 *
 * A text below {@link MIN_BYTES} bytes is found where it stands by itself, between what is no letter, digit or
 * `_`: taken out of the middle of words, a password `cat` would make every text unreadable and thereby known.
 */
import { encodingsOf, writingsOf } from './text-encodings.ts';

export const MIN_BYTES = 6;

/** A text and what is shown instead of it. */
export interface KnownText {
  readonly text: string;
  readonly label: string;
  /** `all`: also as base64 or hex, as somebody would write it who wants it to get out. */
  readonly encodings: 'all' | 'written';
}

interface Pattern {
  readonly text: string;
  readonly label: string;
  /** Found only where it stands by itself. */
  readonly whole: boolean;
}

/** Letters that are compared before the rest is. */
const HEAD = 32;
const SEEN_BITS = 1 << 16;
/** Comparisons, at all and for each letter of a text; a text that needs more gets more masked than needed. */
const BUDGET = 4_000_000;
const BUDGET_PER_LETTER = 64;
const MAX_DEPTH = 128;
const WORD = /[\p{L}\p{N}_]/u;
/** Ends with something that stands for one letter which is no part of a word. */
const ESCAPED = /(?:\\[nrtbf]|\\u[0-9a-f]{4}|%[0-9a-f]{2})$/i;

interface Spot {
  readonly start: number;
  end: number;
  readonly label: string;
}

export class Masker {
  readonly #seen = new Uint8Array(SEEN_BITS);
  /** By their first three letters, the longest first. */
  readonly #patterns = new Map<string, Pattern[]>();
  /** Of one or two letters. */
  readonly #short: Pattern[] = [];
  readonly isEmpty: boolean;

  constructor(known: Iterable<KnownText>) {
    const labels = new Map<string, Pattern>();
    for (const { text, label, encodings } of known) {
      if (text === '') continue;
      const whole = Buffer.byteLength(text) < MIN_BYTES;
      const written = encodings === 'all' ? encodingsOf(text, whole) : writingsOf(text);
      for (const each of written) {
        const before = labels.get(each);
        // What one text only is where it stands alone, another is anywhere.
        if (!before || (before.whole && !whole)) labels.set(each, { text: each, label, whole });
      }
    }
    for (const pattern of labels.values()) this.#add(pattern);
    for (const patterns of this.#patterns.values()) patterns.sort((a, b) => b.text.length - a.text.length);
    this.isEmpty = labels.size === 0;
  }

  /** `text` with the label of each known text instead of it. */
  mask(text: string): string {
    const spots = this.#spotsIn(text);
    if (spots.length === 0) return text;
    let masked = '';
    let from = 0;
    for (const { start, end, label } of spots) {
      masked += text.slice(from, start) + label;
      from = end;
    }
    return masked + text.slice(from);
  }

  /** The label of the first known text in `text`. */
  find(text: string): string | undefined {
    return this.#spotsIn(text, true)[0]?.label;
  }

  /** A JSON value with everything masked in it: texts, names and what is known as a number. */
  maskValue<Value>(value: Value): Value {
    return this.isEmpty ? value : (this.#maskAny(value, 0) as Value);
  }

  #maskAny(value: unknown, depth: number): unknown {
    if (depth > MAX_DEPTH) return '[deep]';
    if (typeof value === 'string') return this.mask(value);
    if (typeof value === 'number') {
      const text = String(value);
      const masked = this.mask(text);
      return masked === text ? value : masked;
    }
    if (Array.isArray(value)) return value.map((each) => this.#maskAny(each, depth + 1));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [this.mask(name), this.#maskAny(each, depth + 1)]),
    );
  }

  #add(pattern: Pattern): void {
    const { text } = pattern;
    if (text.length < 3) {
      this.#short.push(pattern);
      return;
    }
    this.#seen[hashAt(text, 0)] = 1;
    const key = text.slice(0, 3);
    const same = this.#patterns.get(key);
    if (same) same.push(pattern);
    else this.#patterns.set(key, [pattern]);
  }

  /** From left to right, none touching another but at their ends. */
  #spotsIn(text: string, firstOnly = false): readonly Spot[] {
    if (this.isEmpty) return [];
    const spots: Spot[] = [];
    const search = { text, left: BUDGET + BUDGET_PER_LETTER * text.length };
    const last = text.length - 3;
    for (let at = 0; at <= last; at++) {
      if (this.#seen[hashAt(text, at)] === 0) continue;
      const patterns = this.#patterns.get(text.slice(at, at + 3));
      const pattern = patterns?.find((each) => standsAt(search, each, at));
      if (!pattern) continue;
      join(spots, at, at + pattern.text.length, pattern.label);
      if (firstOnly) return spots;
    }
    return this.#short.length === 0 ? spots : this.#withShort(text, spots);
  }

  #withShort(text: string, spots: readonly Spot[]): readonly Spot[] {
    const found = [...spots];
    for (const pattern of this.#short) {
      const length = pattern.text.length;
      for (let at = text.indexOf(pattern.text); at >= 0; at = text.indexOf(pattern.text, at + 1))
        if (isAlone(text, at, at + length)) found.push({ start: at, end: at + length, label: pattern.label });
    }
    found.sort((a, b) => a.start - b.start || b.end - a.end);
    const joined: Spot[] = [];
    for (const { start, end, label } of found) join(joined, start, end, label);
    return joined;
  }
}

/** What stands in the place of what is personal. */
export const PERSONAL = '[personal]';

export function personalTexts(texts: Iterable<string>): KnownText[] {
  return [...texts].map((text) => ({ text, label: PERSONAL, encodings: 'written' }));
}

export function secretText(name: string, text: string): KnownText {
  return { text, label: `[secret:${name}]`, encodings: 'all' };
}

/** Masks nothing: there is nothing to know. */
export const NOTHING_KNOWN = new Masker([]);

function hashAt(text: string, at: number): number {
  const [a, b, c] = [text.charCodeAt(at), text.charCodeAt(at + 1), text.charCodeAt(at + 2)];
  return (a * 961 + b * 31 + c) & (SEEN_BITS - 1);
}

/** Counts what it compares; when too much was, what begins alike is taken for the same. */
function standsAt(
  search: { readonly text: string; left: number },
  { text: pattern, whole }: Pattern,
  at: number,
): boolean {
  const { text } = search;
  const end = at + pattern.length;
  if (end > text.length) return false;
  search.left -= 3;
  if (pattern.length <= HEAD) {
    if (!text.startsWith(pattern, at)) return false;
  } else {
    if (!text.startsWith(pattern.slice(0, HEAD), at)) return false;
    search.left -= pattern.length;
    if (search.left > 0 && !text.startsWith(pattern, at)) return false;
  }
  return !whole || isAlone(text, at, end);
}

function isAlone(text: string, start: number, end: number): boolean {
  const before =
    start > 0 && WORD.test(text[start - 1]!) && !ESCAPED.test(text.slice(Math.max(0, start - 6), start));
  return !before && !(end < text.length && WORD.test(text[end]!));
}

function join(spots: Spot[], start: number, end: number, label: string): void {
  const before = spots.at(-1);
  if (before && start < before.end) before.end = Math.max(before.end, end);
  else spots.push({ start, end, label });
}
