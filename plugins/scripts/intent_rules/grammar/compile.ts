/**
 * Templates → automaton. Parts of words (`ламп[а|у]`) are put together here, so that what is left are whole words; then
 * all templates of a file become one deterministic automaton, and a sentence is followed once, not rule by rule.
 */
import { classOf, tokensOf } from '../understand/tokens.ts';
import { type Automaton, type Label, listLabel, minimal, type State } from './automaton.ts';
import type { Template } from './template.ts';

/** More than this is no file of sentences, but a mistake in one: `[a][b][c]…` doubles with each group. */
const MAX_STATES = 20_000;
const MAX_NODES = 100_000;
/** Words that parts of words are put together to. */
const MAX_WORDS = 50_000;

export class TooManySentences extends Error {
  constructor() {
    super(
      `its sentences come to more than ${MAX_STATES} places in the automaton, or to more than ${MAX_WORDS} words`,
    );
  }
}

export interface Written {
  readonly template: Template;
  /** What the automaton says where it ends. */
  readonly number: number;
}

/** @throws {TooManySentences}; rules that a template names are in `rules`. */
export function compile(written: readonly Written[], rules: ReadonlyMap<string, Template>): Automaton {
  const graph = new Graph(rules);
  for (const { template, number } of written) graph.ends.set(graph.emit(template, graph.begin()), number);
  return minimal(determined(graph));
}

type Edge =
  /** Between two words. */
  | { readonly kind: 'gap'; readonly to: number }
  /** A word, or a part of one. */
  | { readonly kind: 'piece'; readonly piece: string; readonly to: number }
  | { readonly kind: 'list'; readonly label: Label; readonly to: number };

/** Where templates branch, with pieces of words on the edges: each template is a path of its own from the start. */
class Graph {
  readonly rules: ReadonlyMap<string, Template>;
  readonly ends = new Map<number, number>();
  readonly #free: number[][] = [[]];
  readonly #edges: Edge[][] = [[]];
  readonly #reached = new Map<number, readonly number[]>();

  constructor(rules: ReadonlyMap<string, Template>) {
    this.rules = rules;
  }

  begin(): number {
    const start = this.#node();
    this.#free[0]!.push(start);
    return start;
  }

  /** The node where it ends. */
  emit(template: Template, from: number): number {
    switch (template.kind) {
      case 'text':
        return this.#text(template.text, from);
      case 'list':
        return this.#edge(from, { kind: 'list', label: listLabel(template.list, template.slot) });
      case 'rule':
        return this.emit(this.rules.get(template.rule)!, from);
      case 'all':
        return template.parts.reduce((node, part) => this.emit(part, node), from);
      case 'one': {
        const end = this.#node();
        for (const part of template.parts) this.#free[this.emit(part, from)]!.push(end);
        return end;
      }
      case 'order': {
        const end = this.#node();
        this.#orders(template.parts, from, end);
        return end;
      }
    }
  }

  #orders(parts: readonly Template[], from: number, end: number): void {
    if (parts.length === 0) this.#free[from]!.push(end);
    for (const part of parts) {
      const after = this.emit(part, this.#edge(from, { kind: 'gap' }));
      const rest = parts.filter((each) => each !== part);
      this.#orders(rest, this.#edge(after, { kind: 'gap' }), end);
    }
  }

  #text(text: string, from: number): number {
    let node = from;
    for (const piece of piecesOf(text))
      node = this.#edge(node, piece === GAP ? { kind: 'gap' } : { kind: 'piece', piece });
    return node;
  }

  #node(): number {
    if (this.#free.length >= MAX_NODES) throw new TooManySentences();
    this.#edges.push([]);
    return this.#free.push([]) - 1;
  }

  #edge(from: number, edge: Record<string, unknown>): number {
    const to = this.#node();
    this.#edges[from]!.push({ ...edge, to } as Edge);
    return to;
  }

  edgesOf(node: number): readonly Edge[] {
    return this.#edges[node]!;
  }

  /** It and what can be reached from it for nothing. */
  reached(node: number): readonly number[] {
    const known = this.#reached.get(node);
    if (known) return known;
    const found = new Set([node]);
    for (const each of found) for (const next of this.#free[each]!) found.add(next);
    const all = [...found];
    this.#reached.set(node, all);
    return all;
  }
}

/** Cut as what people say is cut; at its ends a word may go on in the part of the template beside it. */
function piecesOf(text: string): readonly string[] {
  const pieces: string[] = [];
  let end = 0;
  for (const token of tokensOf(text)) {
    if (token.start > end || pieces.length > 0) pieces.push(GAP);
    pieces.push(token.text);
    end = token.end;
  }
  if (end < text.length) pieces.push(GAP);
  return pieces;
}

const GAP = ' ';

/** Whether the two stand in one token where nothing is between them. An apostrophe begins a new one. */
function joins(last: string, first: string): boolean {
  const kind = classOf(last);
  return kind !== undefined && kind !== 'sign' && kind === classOf(first) && first !== "'";
}

/** From words that may come next at a node to where they lead. A target is a set of nodes, kept under one number. */
class Words {
  readonly #graph: Graph;
  readonly #steps = new Map<string, ReadonlyMap<Label, ReadonlySet<string>>>();
  #made = 0;

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  /**
   * A place is `<node>` where a word may begin, or `<node>!<class>` where one of that class has just ended: what would
   * go on with it does not begin another one.
   */
  stepsOf(place: string): ReadonlyMap<Label, ReadonlySet<string>> {
    const known = this.#steps.get(place);
    if (known) return known;
    const steps = new Map<Label, Set<string>>();
    const add = (label: Label, to: string) => {
      const targets = steps.get(label);
      if (targets) targets.add(to);
      else steps.set(label, new Set([to]));
    };
    for (const edge of this.#edgesAt(place)) {
      if (edge.kind === 'list') add(edge.label, String(edge.to));
      if (edge.kind === 'piece') this.#follow(edge.to, edge.piece, add);
    }
    this.#steps.set(place, steps);
    return steps;
  }

  endsOf(place: string): readonly number[] {
    const ends = this.#graph.ends;
    return this.#nodesAt(place).flatMap((node) => (ends.has(node) ? [ends.get(node)!] : []));
  }

  /** Whatever stands at the place itself or behind gaps. */
  #edgesAt(place: string): readonly Edge[] {
    const ended = place.split('!')[1];
    const at = new Set(this.#graph.reached(Number.parseInt(place, 10)));
    const edges: Edge[] = [];
    for (const node of at)
      for (const edge of this.#graph.edgesOf(node)) {
        if (edge.kind === 'gap') continue;
        if (edge.kind === 'piece' && ended !== undefined && joins(ended, edge.piece[0]!)) continue;
        edges.push(edge);
      }
    for (const node of this.#behindGaps(at))
      for (const edge of this.#graph.edgesOf(node)) if (edge.kind !== 'gap') edges.push(edge);
    return edges;
  }

  #nodesAt(place: string): readonly number[] {
    const at = new Set(this.#graph.reached(Number.parseInt(place, 10)));
    return [...new Set([...at, ...this.#behindGaps(at)])];
  }

  #behindGaps(at: ReadonlySet<number>): ReadonlySet<number> {
    const behind = new Set<number>();
    const enter = (node: number) => {
      for (const edge of this.#graph.edgesOf(node))
        if (edge.kind === 'gap') for (const next of this.#graph.reached(edge.to)) behind.add(next);
    };
    for (const node of at) enter(node);
    for (const node of behind) enter(node);
    return behind;
  }

  /** The word goes on where another piece joins it, and ends where anything else may come. */
  #follow(node: number, word: string, add: (label: Label, to: string) => void): void {
    if (++this.#made > MAX_WORDS) throw new TooManySentences();
    const last = word.at(-1)!;
    let isWhole = false;
    for (const each of this.#graph.reached(node)) {
      if (this.#graph.ends.has(each)) isWhole = true;
      for (const edge of this.#graph.edgesOf(each)) {
        if (edge.kind === 'piece' && joins(last, edge.piece[0]!))
          this.#follow(edge.to, word + edge.piece, add);
        else isWhole = true;
      }
    }
    if (isWhole) add(word, `${node}!${last}`);
  }
}

/** Sets of places become states (the subset construction). */
function determined(graph: Graph): Automaton {
  const words = new Words(graph);
  const labels: Label[] = [];
  const labelAt = new Map<Label, number>();
  const sets: (readonly string[])[] = [['0']];
  const stateOf = new Map<string, number>([['0', 0]]);
  const states: State[] = [];
  const numberOf = (label: Label) => {
    const known = labelAt.get(label);
    if (known !== undefined) return known;
    labelAt.set(label, labels.length);
    return labels.push(label) - 1;
  };
  for (let at = 0; at < sets.length; at += 1) {
    if (at >= MAX_STATES) throw new TooManySentences();
    const next = new Map<Label, Set<string>>();
    const ends = new Set<number>();
    for (const place of sets[at]!) {
      for (const end of words.endsOf(place)) ends.add(end);
      for (const [label, targets] of words.stepsOf(place)) {
        const known = next.get(label);
        if (known) for (const each of targets) known.add(each);
        else next.set(label, new Set(targets));
      }
    }
    const edges: number[] = [];
    for (const [label, targets] of next) {
      const set = [...targets].sort();
      const key = set.join();
      let state = stateOf.get(key);
      if (state === undefined) {
        state = sets.push(set) - 1;
        stateOf.set(key, state);
      }
      edges.push(numberOf(label), state);
    }
    states.push({ edges, ...(ends.size > 0 && { ends: [...ends].sort((a, b) => a - b) }) });
  }
  return { labels, states };
}
