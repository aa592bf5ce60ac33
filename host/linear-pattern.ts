/**
 * Regular expressions of plugins, matched in linear time.
 *
 * A `pattern` in a plugin's schema is hostile: in the engine of JavaScript `(a+)+$` stops the host.
 * Here a pattern becomes a non-deterministic automaton that is stepped once per character, so that
 * matching costs characters × states and never more. The dialect is that of JSON Schema's `pattern`
 * with the `u` flag, less what no automaton can do: look-around, back references, `\b`.
 */

export const MAX_PATTERN_CHARS = 256;
export const MAX_PATTERN_STATES = 500;
/** A longer text matches no pattern: it bounds what one text may cost. */
export const MAX_MATCHED_CHARS = 16_384;

export interface LinearPattern {
  readonly source: string;
  readonly states: number;
  test(text: string): boolean;
}

type Matches = (char: string) => boolean;
type Node =
  | { readonly type: 'char'; readonly matches: Matches }
  | { readonly type: 'start' | 'end' | 'empty' }
  | { readonly type: 'sequence' | 'choice'; readonly nodes: readonly Node[] }
  | { readonly type: 'repeat'; readonly node: Node; readonly min: number; readonly max: number };

interface State {
  /** Consumes one character; without it the state only forks. */
  matches?: Matches;
  assert?: 'start' | 'end';
  next: number[];
}

/** @throws Error with a readable message when the pattern is not one of the dialect, or too large. */
export function compileLinear(source: string): LinearPattern {
  if (source.length > MAX_PATTERN_CHARS) throw new Error(`is longer than ${MAX_PATTERN_CHARS} characters`);
  const states: State[] = [];
  const accept = addState(states, { next: [] });
  const start = build(new PatternParser(source).parse(), accept, states);
  return { source, states: states.length, test: (text) => run(states, start, accept, text) };
}

function addState(states: State[], state: State): number {
  if (states.length >= MAX_PATTERN_STATES) throw new Error('repeats too much');
  return states.push(state) - 1;
}

/** Adds the states of `node` before `next` and answers where they begin. */
function build(node: Node, next: number, states: State[]): number {
  switch (node.type) {
    case 'empty':
      return next;
    case 'char':
      return addState(states, { matches: node.matches, next: [next] });
    case 'start':
    case 'end':
      return addState(states, { assert: node.type, next: [next] });
    case 'sequence':
      return node.nodes.reduceRight((after, each) => build(each, after, states), next);
    case 'choice':
      return addState(states, { next: node.nodes.map((each) => build(each, next, states)) });
    case 'repeat': {
      let tail = next;
      if (node.max === Number.POSITIVE_INFINITY) {
        tail = addState(states, { next: [next] });
        states[tail]!.next.push(build(node.node, tail, states));
      } else {
        for (let i = node.min; i < node.max; i++) {
          tail = addState(states, { next: [next, build(node.node, tail, states)] });
        }
      }
      for (let i = 0; i < node.min; i++) tail = build(node.node, tail, states);
      return tail;
    }
  }
}

function run(states: readonly State[], start: number, accept: number, text: string): boolean {
  if (text.length > MAX_MATCHED_CHARS) return false;
  const seenAt = new Int32Array(states.length).fill(-1);
  let current: number[] = [];
  let step = 0;
  const follow = (first: number, into: number[], atStart: boolean, atEnd: boolean): boolean => {
    const pending = [first];
    let accepted = false;
    for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
      if (seenAt[index] === step) continue;
      seenAt[index] = step;
      const state = states[index]!;
      if (index === accept) accepted = true;
      else if (state.matches !== undefined) into.push(index);
      else if (state.assert === undefined || (state.assert === 'start' ? atStart : atEnd)) {
        pending.push(...state.next);
      }
    }
    return accepted;
  };
  let offset = 0;
  if (follow(start, current, true, text.length === 0)) return true;
  for (const char of text) {
    offset += char.length;
    step++;
    const atEnd = offset === text.length;
    const following: number[] = [];
    for (const index of current) {
      const state = states[index]!;
      if (state.matches!(char) && follow(state.next[0]!, following, false, atEnd)) return true;
    }
    // A match may begin at any character.
    if (follow(start, following, false, atEnd)) return true;
    current = following;
  }
  return false;
}

const CLASS_ESCAPES = /^[dDwWsS]$/;
const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  t: '\t',
  n: '\n',
  r: '\r',
  f: '\f',
  v: '\v',
  0: '\0',
};
const SYNTAX = /^[\^$\\.*+?()[\]{}|/-]$/;

/** One character against a class that JavaScript itself compiles: a single character cannot backtrack. */
function classOf(source: string): Matches {
  const expression = new RegExp(`^${source}$`, 'u');
  return (char) => expression.test(char);
}

class PatternParser {
  readonly #chars: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#chars = [...source];
  }

  parse(): Node {
    const node = this.#choice();
    if (this.#at < this.#chars.length) throw new Error('has a `)` without its `(`');
    return node;
  }

  #peek(): string | undefined {
    return this.#chars[this.#at];
  }

  #take(char: string): boolean {
    if (this.#peek() !== char) return false;
    this.#at++;
    return true;
  }

  #choice(): Node {
    if (++this.#depth > 32) throw new Error('is nested too deeply');
    const nodes = [this.#sequence()];
    while (this.#take('|')) nodes.push(this.#sequence());
    this.#depth--;
    return nodes.length === 1 ? nodes[0]! : { type: 'choice', nodes };
  }

  #sequence(): Node {
    const nodes: Node[] = [];
    for (let char = this.#peek(); char !== undefined && char !== '|' && char !== ')'; char = this.#peek()) {
      nodes.push(this.#repeated(this.#atom()));
    }
    return nodes.length === 0 ? { type: 'empty' } : { type: 'sequence', nodes };
  }

  #repeated(node: Node): Node {
    const bounds = this.#quantifier();
    if (bounds === undefined) return node;
    if (node.type === 'start' || node.type === 'end') throw new Error('repeats an anchor');
    this.#take('?'); // lazy or not, the same texts match
    return { type: 'repeat', node, min: bounds[0], max: bounds[1] };
  }

  #quantifier(): readonly [number, number] | undefined {
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY];
    if (this.#take('?')) return [0, 1];
    if (this.#peek() !== '{') return undefined;
    const match = /^\{(\d{1,4})(,(\d{0,4}))?\}/.exec(this.#chars.slice(this.#at, this.#at + 12).join(''));
    if (match === null) throw new Error('has a `{` that begins no repetition');
    this.#at += match[0].length;
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] ? Number(match[3]) : Number.POSITIVE_INFINITY;
    if (max < min) throw new Error('repeats at least more often than at most');
    return [min, max];
  }

  #atom(): Node {
    const char = this.#chars[this.#at++]!;
    switch (char) {
      case '^':
        return { type: 'start' };
      case '$':
        return { type: 'end' };
      case '.':
        return { type: 'char', matches: (each) => !/[\n\r\u2028\u2029]/.test(each) };
      case '(':
        return this.#group();
      case '[':
        return { type: 'char', matches: classOf(this.#bracket()) };
      case '\\':
        return { type: 'char', matches: classOf(this.#escape()) };
      case '*':
      case '+':
      case '?':
      case '{':
      case '}':
      case ']':
        throw new Error(`has a stray \`${char}\``);
      default:
        return { type: 'char', matches: (each) => each === char };
    }
  }

  #group(): Node {
    if (this.#take('?')) {
      const rest = this.#chars.slice(this.#at, this.#at + 64).join('');
      const opening = /^(?::|<[A-Za-z_]\w*>)/.exec(rest);
      if (opening === null) throw new Error('uses look-around, which is not matched in linear time');
      this.#at += opening[0].length;
    }
    const node = this.#choice();
    if (!this.#take(')')) throw new Error('has a `(` without its `)`');
    return node;
  }

  /** The source of a class, read up to its `]`; JavaScript checks the ranges. */
  #bracket(): string {
    let source = '[';
    for (;;) {
      const char = this.#chars[this.#at++];
      if (char === undefined) throw new Error('has a `[` without its `]`');
      if (char === ']') return `${source}]`;
      source += char === '\\' ? this.#escape() : char;
    }
  }

  /** The source of one escape, after its backslash. */
  #escape(): string {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw new Error('ends with a backslash');
    if (CLASS_ESCAPES.test(char) || SYNTAX.test(char) || SIMPLE_ESCAPES[char] !== undefined)
      return `\\${char}`;
    const rest = this.#chars.slice(this.#at, this.#at + 64).join('');
    const long = {
      p: /^\{[\w=]+\}/,
      P: /^\{[\w=]+\}/,
      u: /^(?:\{[0-9a-fA-F]{1,6}\}|[0-9a-fA-F]{4})/,
      x: /^[0-9a-fA-F]{2}/,
    };
    const body = long[char as keyof typeof long]?.exec(rest)?.[0];
    if (body === undefined)
      throw new Error(`uses \`\\${char}\`, which is not matched in linear time or not known`);
    this.#at += body.length;
    return `\\${char}${body}`;
  }
}
