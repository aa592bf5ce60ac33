/**
 * What a file of rules is compiled to: a deterministic automaton whose edges are words and lists. It is JSON, made when
 * the file is saved; `prepare()` only links such automata (link.ts).
 */

/** A word as tokens.ts folds it, or `{list:slot}`: no word begins with a brace. */
export type Label = string;

export interface Automaton {
  /** Edges say labels by their place here. */
  readonly labels: readonly Label[];
  /** State 0 is where a sentence begins. */
  readonly states: readonly State[];
}

export interface State {
  /** `[label, state, label, state, …]` */
  readonly edges: readonly number[];
  /** What ends here: numbers of sentences, or of values of a list. */
  readonly ends?: readonly number[];
}

/** A list that need not be known: what stands there are any words then. */
export const OR_ANYTHING = '?';

export function listLabel(list: string, slot: string): Label {
  return `{${list}:${slot}}`;
}

export function listOfLabel(label: Label): { readonly list: string; readonly slot: string } | undefined {
  if (!label.startsWith('{')) return undefined;
  const [list = '', slot = ''] = label.slice(1, -1).split(':');
  return { list, slot };
}

/** Equal ends of the paths are kept once, as in a word graph: what follows a state decides which state it is. */
export function minimal({ labels, states }: Automaton): Automaton {
  const places = new Map<string, number>();
  const kept: State[] = [];
  const placeOf = new Map<number, number>();
  const visit = (at: number): number => {
    const known = placeOf.get(at);
    if (known !== undefined) return known;
    const { edges, ends } = states[at]!;
    const moved: number[] = [];
    for (let each = 0; each < edges.length; each += 2) moved.push(edges[each]!, visit(edges[each + 1]!));
    const key = `${moved.join()}/${ends?.join() ?? ''}`;
    const place = places.get(key) ?? kept.push({ edges: moved, ...(ends && { ends }) }) - 1;
    places.set(key, place);
    placeOf.set(at, place);
    return place;
  };
  const start = visit(0);
  return { labels, states: rebased(kept, start) };
}

/** With the state where it begins at place 0. */
function rebased(states: readonly State[], start: number): readonly State[] {
  if (start === 0) return states;
  const swapped = [...states];
  [swapped[0], swapped[start]] = [swapped[start]!, swapped[0]!];
  const to = (state: number) => (state === 0 ? start : state === start ? 0 : state);
  return swapped.map(({ edges, ends }) => ({
    edges: edges.map((each, at) => (at % 2 === 1 ? to(each) : each)),
    ...(ends && { ends }),
  }));
}
