/**
 * Which values are filed under patterns that match a subject.
 *
 * A tree of tokens, not a list of patterns: looking up a subject costs its tokens and what matches, however
 * many patterns there are. A publisher tends to repeat its subjects, so the last answers are kept until a
 * pattern comes or goes.
 */
import { parsePattern } from './subject.ts';

const MAX_REMEMBERED_SUBJECTS = 1024;
const MAX_REMEMBERED_VALUES = 65_536;

class Node<T> {
  readonly literals = new Map<string, Node<T>>();
  star: Node<T> | undefined;
  /** Values of patterns that end here. */
  readonly here = new Set<T>();
  /** Values of patterns that end here with `>`. */
  readonly rest = new Set<T>();

  get isEmpty(): boolean {
    return (
      this.literals.size === 0 && this.star === undefined && this.here.size === 0 && this.rest.size === 0
    );
  }

  child(token: string): Node<T> | undefined {
    return token === '*' ? this.star : this.literals.get(token);
  }

  adopt(token: string): Node<T> {
    const child = new Node<T>();
    if (token === '*') this.star = child;
    else this.literals.set(token, child);
    return child;
  }

  drop(token: string): void {
    if (token === '*') this.star = undefined;
    else this.literals.delete(token);
  }
}

export class SubjectTrie<T> {
  readonly #root = new Node<T>();
  readonly #remembered = new Map<string, readonly T[]>();
  #rememberedValues = 0;
  readonly #order: ((a: T, b: T) => number) | undefined;

  /** With `order`, what matches comes sorted by it. */
  constructor(order?: (a: T, b: T) => number) {
    this.#order = order;
  }

  /**
   * Filing a value twice under one pattern is filing it once.
   * @throws NEIRA_VALUE_INVALID unless `pattern` is one.
   */
  add(pattern: string, value: T): void {
    const { path, isOpen } = steps(pattern);
    let node = this.#root;
    for (const token of path) node = node.child(token) ?? node.adopt(token);
    (isOpen ? node.rest : node.here).add(value);
    this.#forget();
  }

  /** False when `value` was not filed under `pattern`. Leaves no empty branch behind. */
  remove(pattern: string, value: T): boolean {
    const { path, isOpen } = steps(pattern);
    const trail = [this.#root];
    for (const token of path) {
      const next = trail.at(-1)!.child(token);
      if (next === undefined) return false;
      trail.push(next);
    }
    const last = trail.at(-1)!;
    if (!(isOpen ? last.rest : last.here).delete(value)) return false;
    for (let depth = path.length; depth > 0 && trail[depth]!.isEmpty; depth--) {
      trail[depth - 1]!.drop(path[depth - 1]!);
    }
    this.#forget();
    return true;
  }

  /**
   * A value is there once for each of its patterns that match. The list stays as it is when patterns change.
   */
  match(subject: string): readonly T[] {
    const known = this.#remembered.get(subject);
    if (known !== undefined) return known;
    const found: T[] = [];
    collect(this.#root, subject.split('.'), 0, found);
    if (this.#order !== undefined) found.sort(this.#order);
    this.#remember(subject, found);
    return found;
  }

  #remember(subject: string, found: readonly T[]): void {
    this.#rememberedValues += found.length;
    const isFull =
      this.#remembered.size >= MAX_REMEMBERED_SUBJECTS || this.#rememberedValues > MAX_REMEMBERED_VALUES;
    if (isFull) this.#forget();
    else this.#remembered.set(subject, found);
  }

  #forget(): void {
    this.#remembered.clear();
    this.#rememberedValues = 0;
  }

  /** Number of nodes below the root. */
  get size(): number {
    return descendants(this.#root);
  }
}

function steps(pattern: string): { readonly path: readonly string[]; readonly isOpen: boolean } {
  const tokens = parsePattern(pattern);
  const isOpen = tokens.at(-1) === '>';
  return { path: isOpen ? tokens.slice(0, -1) : tokens, isOpen };
}

function collect<T>(node: Node<T>, tokens: readonly string[], depth: number, found: T[]): void {
  if (depth === tokens.length) {
    for (const value of node.here) found.push(value);
    return;
  }
  for (const value of node.rest) found.push(value);
  const literal = node.literals.get(tokens[depth]!);
  if (literal !== undefined) collect(literal, tokens, depth + 1, found);
  if (node.star !== undefined) collect(node.star, tokens, depth + 1, found);
}

function descendants<T>(node: Node<T>): number {
  const children = [...node.literals.values(), ...(node.star === undefined ? [] : [node.star])];
  return children.reduce((sum, child) => sum + 1 + descendants(child), 0);
}
