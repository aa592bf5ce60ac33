/**
 * What one turn must not let out: secrets that it was shown in the clear, and what it said is personal.
 *
 * A secret may be used and not kept: whatever the turn stages, asks or answers with a secret in it is refused.
 * What is personal may be kept and not told: it is data, whose place is marked with it (JSON pointers beside a
 * value, the header `pii` of an envelope), and whoever reads it there is bound in the same way. Both are masked in
 * the lines that the turn logs and in the error it ends with.
 *
 * This is how a mistake is kept from doing harm. A plugin that was granted to see a secret can change it beyond
 * recognition: grant that to plugins that you would give the secret itself.
 */

import {
  type KnownText,
  Masker,
  NOTHING_KNOWN,
  PERSONAL,
  personalTexts,
  secretText,
} from '../base/masker.ts';
import { NeiraError } from '../errors.ts';
import type { OpenWait } from './open-waits.ts';
import { revealedBy } from './secret-reveal.ts';

/** Shorter texts say nothing about anybody, and would be found everywhere. */
const MIN_PERSONAL_CHARS = 3;
/** Personal texts of one turn that are told apart; beyond it all that it tells is taken for personal. */
const MAX_PERSONAL = 1000;
const MAX_PERSONAL_CHARS = 256 * 1024;
/** Places that are named one by one in what the turn stages; beyond it the whole is marked. */
const MAX_POINTERS = 24;
const MAX_POINTER_CHARS = 900;
/** What lies deeper is marked as a whole. */
const MAX_DEPTH = 64;
/** The key of a stored value, beside the pointers into it. */
const KEY_MARK = '#key';

export class Confidential {
  /** Clear texts, by name. */
  readonly #secrets = new Map<string, string>();
  readonly #personal = new Set<string>();
  #personalChars = 0;
  #allPersonal = false;
  #shown: Masker = NOTHING_KNOWN;
  #marked: Masker | undefined = NOTHING_KNOWN;
  #all: Masker | undefined = NOTHING_KNOWN;

  /** The turn is shown a secret. */
  reveal(name: string, text: string): void {
    this.#secrets.set(name, text);
    this.#shown = new Masker(secretTexts(this.#secrets));
    this.#all = undefined;
  }

  /** An answer that the turn waited for binds it; it is answered as the guest is given it. */
  answered({ op, args }: OpenWait, answer: string): string {
    const shown = revealedBy(op, args, answer);
    if (shown) this.reveal(shown.name, shown.text);
    if (answer[0] !== 'M') return answer;
    const end = answer.indexOf('\n');
    const value = answer.slice(end + 1);
    this.markAt(value, answer.slice(1, end));
    return `V${value}`;
  }

  // --- personal data

  /** Every text inside `value` is personal, and so is every number. */
  mark(value: unknown): void {
    for (const text of textsIn(value)) this.#add(text);
  }

  /** Takes over the marks of a JSON text that the turn is given. Marks that cannot be read mark all of it. */
  markAt(json: string, marks: string, key = ''): void {
    const value = JSON.parse(json) as unknown;
    for (const pointer of pointersOf(marks)) {
      if (pointer === KEY_MARK) this.#add(key);
      else {
        const found = resolve(value, pointer);
        this.mark(found);
        if (isObject(found)) for (const name of Object.keys(found)) this.#add(name);
      }
    }
  }

  /** A stored entry that the turn reads: what is marked in it binds the turn. */
  given<Entry extends { readonly key: string; readonly value: string; readonly pii?: string | null }>(
    entry: Entry,
  ): Entry {
    if (entry.pii) this.markAt(entry.value, entry.pii, entry.key);
    return entry;
  }

  get hasPersonal(): boolean {
    return this.#allPersonal || this.#personal.size > 0;
  }

  /** What is personal, for whoever keeps more of the turn than it says itself; undefined for nothing. */
  get personal(): readonly string[] | 'all' | undefined {
    if (this.#allPersonal) return 'all';
    return this.#personal.size > 0 ? [...this.#personal] : undefined;
  }

  /** JSON of the pointers to what is personal in a value that is staged under `key`; undefined without any. */
  marksOf(json: string, key?: string): string | undefined {
    const pointers = this.#pointersIn(json, '');
    if (key !== undefined && this.#isPersonal(key)) pointers.push(KEY_MARK);
    return pointers.length === 0 ? undefined : JSON.stringify(pointers);
  }

  /** The same as a part of what is staged. */
  marks(json: string, key?: string): { readonly pii?: string } {
    const pii = this.marksOf(json, key);
    return pii === undefined ? {} : { pii };
  }

  /** The headers of an envelope with the header `pii`, when there is something to mark. */
  marked(headers: Readonly<Record<string, string>>, payload: string): Readonly<Record<string, string>> {
    const pointers = this.#pointersIn(payload, '/payload');
    if (this.#isPersonal(JSON.stringify(headers))) pointers.push('/headers');
    return pointers.length === 0 ? headers : { ...headers, pii: JSON.stringify(pointers) };
  }

  /** The header alone, for an envelope that main will seal. */
  markOf(payload: string): { readonly pii?: string } {
    return this.marked({}, payload) as { readonly pii?: string };
  }

  // --- what leaves

  /** @throws NEIRA_SECRET_LEAK when a secret that the turn was shown is somewhere in `value`. */
  requireNone(plugin: string, what: string, value: unknown): void {
    if (this.#shown.isEmpty) return;
    for (const text of textsIn(value, true)) {
      const label = this.#shown.find(text);
      if (label !== undefined) throw new NeiraError('NEIRA_SECRET_LEAK', { plugin, secret: label, what });
    }
  }

  /** JSON of what was told to the turn, without the secrets that it was shown: it may have asked with one. */
  withoutSecrets(json: string): string {
    if (this.#shown.find(json) === undefined) return json;
    return JSON.stringify(this.#shown.maskValue(JSON.parse(json)));
  }

  /** A JSON value as it may be told: a line that the turn logged, what it sends to the console. */
  mask<Value>(value: Value): Value {
    if (this.#allPersonal) return (typeof value === 'string' ? PERSONAL : null) as Value;
    this.#all ??= new Masker([...secretTexts(this.#secrets), ...personalTexts(this.#personal)]);
    return this.#all.maskValue(value);
  }

  /** The error that the turn ends with, as it may be told. */
  maskError<Failure extends { readonly code: string; readonly message: string; readonly details: object }>(
    error: Failure,
    plugin: string,
  ): Failure {
    if (!this.#allPersonal) return { ...this.mask(error), code: error.code };
    return {
      code: error.code,
      message: PERSONAL,
      details: { plugin, reason: PERSONAL },
    } as unknown as Failure;
  }

  #add(text: string): void {
    if (text.length < MIN_PERSONAL_CHARS || this.#personal.has(text)) return;
    this.#personalChars += text.length;
    if (this.#personal.size >= MAX_PERSONAL || this.#personalChars > MAX_PERSONAL_CHARS)
      this.#allPersonal = true;
    else this.#personal.add(text);
    this.#marked = undefined;
    this.#all = undefined;
  }

  #isPersonal(text: string): boolean {
    if (this.#allPersonal) return true;
    if (this.#personal.size === 0) return false;
    this.#marked ??= new Masker(personalTexts(this.#personal));
    return this.#marked.find(text) !== undefined;
  }

  #pointersIn(json: string, base: string): string[] {
    if (!this.#isPersonal(json)) return [];
    const pointers = this.#allPersonal ? [] : [...this.#walk(JSON.parse(json), base)];
    const length = pointers.reduce((sum, pointer) => sum + pointer.length + 3, 0);
    // That it is found in the whole and in no part: it lies across parts, or all is personal.
    const named = pointers.length > 0 && pointers.length <= MAX_POINTERS && length <= MAX_POINTER_CHARS;
    return named ? pointers : [base];
  }

  *#walk(value: unknown, at: string, depth = 0): Generator<string> {
    if (depth > MAX_DEPTH) {
      yield at;
      return;
    }
    if (!isObject(value)) {
      const text = textOf(value);
      if (text !== undefined && this.#isPersonal(text)) yield at;
      return;
    }
    for (const [name, each] of Object.entries(value)) {
      // A name has no pointer of its own.
      if (this.#isPersonal(name)) yield at;
      yield* this.#walk(each, `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, depth + 1);
    }
  }
}

function secretTexts(secrets: ReadonlyMap<string, string>): KnownText[] {
  return [...secrets].map(([name, text]) => secretText(name, text));
}

/** The texts of a value, numbers as they are written; of its names only where those are asked for. */
function* textsIn(value: unknown, names = false): Generator<string> {
  const open: unknown[] = [value];
  while (open.length > 0) {
    const part = open.pop();
    const text = textOf(part);
    if (text !== undefined) yield text;
    if (!isObject(part)) continue;
    for (const [name, each] of Object.entries(part)) {
      if (names) yield name;
      open.push(each);
    }
  }
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function pointersOf(marks: string): readonly string[] {
  try {
    const pointers: unknown = JSON.parse(marks);
    if (Array.isArray(pointers) && pointers.every((each) => typeof each === 'string')) return pointers;
  } catch {
    // Another hub wrote it, and what it means is not known.
  }
  return [''];
}

/** RFC 6901. A pointer that leads nowhere names nothing. */
function resolve(value: unknown, pointer: string): unknown {
  let found = value;
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    found =
      isObject(found) && Object.hasOwn(found, name) ? (found as Record<string, unknown>)[name] : undefined;
  }
  return found;
}
