/**
 * Automata of many files → one that is followed from one start. Only where files begin alike are states made anew; the
 * rest is taken as it is.
 */
import type { Automaton } from './automaton.ts';

export interface Linked {
  /** `{list:slot}` by their number on edges. */
  readonly lists: ReadonlyMap<number, string>;
  readonly states: readonly LinkedState[];
  readonly start: number;
}

export interface LinkedState {
  /** Number of a word → state. */
  readonly words: ReadonlyMap<number, number> | undefined;
  /** `[list, state, list, state, …]` */
  readonly lists: readonly number[];
  /** Sentences that end here; `offsets[file] + number`. */
  readonly ends: readonly number[];
}

const NONE: readonly number[] = [];

/**
 * `offsets` are what is added to the ends of each automaton. Those that are linked with the same `words` know a word by the
 * same number: it is looked up once for all of them.
 */
export function link(
  automata: readonly Automaton[],
  offsets: readonly number[],
  words: Map<string, number> = new Map(),
): Linked {
  const lists = new Map<number, string>();
  const states: LinkedState[] = [];
  const starts: number[] = [];
  for (const [at, automaton] of automata.entries()) {
    starts.push(states.length);
    adopt(automaton, offsets[at]!, words, lists, states);
  }
  return { lists, states, start: merged(starts, lists, states) };
}

/** Its states as they are, behind those that are there. */
function adopt(
  { labels, states }: Automaton,
  offset: number,
  words: Map<string, number>,
  lists: Map<number, string>,
  into: LinkedState[],
): void {
  const base = into.length;
  const numbers = labels.map((label) => {
    const number = words.get(label) ?? words.size;
    words.set(label, number);
    if (label.startsWith('{')) lists.set(number, label);
    return number;
  });
  for (const { edges, ends } of states) {
    let byWord: Map<number, number> | undefined;
    const byList: number[] = [];
    for (let at = 0; at < edges.length; at += 2) {
      const number = numbers[edges[at]!]!;
      const to = base + edges[at + 1]!;
      if (lists.has(number)) byList.push(number, to);
      else {
        byWord ??= new Map();
        byWord.set(number, to);
      }
    }
    into.push({
      words: byWord,
      lists: byList.length === 0 ? NONE : byList,
      ends: ends?.map((end) => end + offset) ?? NONE,
    });
  }
}

/** The state that stands for all of `set` (the subset construction; a set of one is that one). */
function merged(set: readonly number[], lists: ReadonlyMap<number, string>, states: LinkedState[]): number {
  const stateOf = new Map<string, number>();
  const waiting: { readonly set: readonly number[]; readonly state: number }[] = [];
  const of = (members: readonly number[]): number => {
    if (members.length === 1) return members[0]!;
    const key = members.join();
    const known = stateOf.get(key);
    if (known !== undefined) return known;
    const state = states.push(undefined as never) - 1;
    stateOf.set(key, state);
    waiting.push({ set: members, state });
    return state;
  };
  const start = set.length === 0 ? states.push({ words: undefined, lists: NONE, ends: NONE }) - 1 : of(set);
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const targets = new Map<number, number[]>();
    const ends: number[] = [];
    for (const member of next.set) {
      const state = states[member]!;
      if (state.words) for (const [word, to] of state.words) put(targets, word, to);
      for (let at = 0; at < state.lists.length; at += 2) put(targets, state.lists[at]!, state.lists[at + 1]!);
      if (state.ends.length > 0) ends.push(...state.ends);
    }
    const byWord = new Map<number, number>();
    const byList: number[] = [];
    for (const [label, members] of targets) {
      const to = of(members.length === 1 ? members : [...new Set(members)].sort((a, b) => a - b));
      if (lists.has(label)) byList.push(label, to);
      else byWord.set(label, to);
    }
    states[next.state] = { words: byWord, lists: byList, ends };
  }
  return start;
}

function put(targets: Map<number, number[]>, label: number, to: number): void {
  const members = targets.get(label);
  if (members) members.push(to);
  else targets.set(label, [to]);
}
