/**
 * Follows all rules of a language through a sentence at once: from each token on, the states that can be reached, with the
 * best ways there. No way goes back, each is kept or dropped where it arrives, so time is bounded by the length of the
 * sentence, for hits and for misses.
 */
import type { LinkedState } from '../grammar/link.ts';
import type { Language } from './language.ts';
import { type Hit, Sentence } from './lists.ts';
import type { Token } from './tokens.ts';
import { better, type Part, type Way } from './ways.ts';

/** Ways to one state that differ in what they filled in. */
const MAX_WAYS = 8;
/** Ways of one sentence; with more it is nobody's speech. */
const MAX_STEPS = 20_000;
/** Tokens of a name that no list has. */
const MAX_UNKNOWN = 6;

export interface Followed {
  /** That reach the end, with the state where they do. */
  readonly arrived: readonly { readonly way: Way; readonly state: LinkedState }[];
  /** The token that nothing follows, and what could have come there. */
  readonly farthest: { readonly at: number; readonly states: readonly LinkedState[] };
}

/** `isGuessing`: a value that its list does not know may stand in one place. */
export function follow(language: Language, tokens: readonly Token[], isGuessing = false): Followed {
  const chart = new Chart(language, tokens, isGuessing);
  chart.run();
  return chart.followed();
}

class Chart {
  readonly #language: Language;
  readonly #tokens: readonly Token[];
  readonly #isGuessing: boolean;
  readonly #sentence: Sentence;
  readonly #words: readonly number[];
  /** By token, by state: ways, the best first. */
  readonly #ways: (Map<number, Way[]> | undefined)[];
  #steps = 0;

  constructor(language: Language, tokens: readonly Token[], isGuessing: boolean) {
    this.#language = language;
    this.#tokens = tokens;
    this.#isGuessing = isGuessing;
    this.#sentence = new Sentence(tokens, language);
    this.#words = this.#sentence.words;
    this.#ways = [new Map([[language.rules.start, [START]]])];
  }

  run(): void {
    for (let at = 0; at < this.#tokens.length; at += 1) {
      const here = this.#ways[at];
      if (!here) continue;
      for (const [state, ways] of here) {
        for (const end of this.#sentence.skipsAt(at))
          this.#step(ways, { kind: 'skipped', from: at, to: end }, state);
        this.#leave(at, this.#language.rules.states[state]!, ways);
      }
    }
  }

  followed(): Followed {
    const { states } = this.#language.rules;
    const last = this.#ways[this.#tokens.length];
    const arrived = [...(last ?? [])].flatMap(([state, ways]) =>
      states[state]!.ends.length === 0 ? [] : ways.map((way) => ({ way, state: states[state]! })),
    );
    const at = this.#ways.length - 1;
    return { arrived, farthest: { at, states: [...this.#ways[at]!.keys()].map((state) => states[state]!) } };
  }

  #leave(at: number, { words, lists }: LinkedState, ways: readonly Way[]): void {
    const to = words?.get(this.#words[at]!);
    if (to !== undefined) this.#step(ways, { kind: 'word', from: at, to: at + 1 }, to);
    for (let each = 0; each < lists.length; each += 2) this.#list(at, lists[each]!, lists[each + 1]!, ways);
  }

  #list(at: number, label: number, to: number, ways: readonly Way[]): void {
    const { name, list, slot } = this.#language.labels.get(label)!;
    if (list.kind === 'wildcard') {
      for (let end = at + 1; end <= this.#tokens.length; end += 1)
        if (this.#goesOn(to, end)) this.#step(ways, { kind: 'rest', from: at, to: end, slot }, to);
      return;
    }
    const hits = this.#sentence.hitsAt(at, list);
    const isName = list.kind === 'values' && list.areNames;
    for (const hit of hits)
      this.#step(ways, { kind: 'value', from: at, to: hit.end, slot, list: name, hit, isName }, to);
    if (this.#isGuessing && list.kind === 'values') this.#guess(at, name, slot, to, ways, hits);
  }

  #guess(
    at: number,
    list: string,
    slot: string,
    to: number,
    ways: readonly Way[],
    hits: readonly Hit[],
  ): void {
    const sure = ways.filter(({ unknown }) => unknown === 0);
    if (sure.length === 0) return;
    for (let end = at + 1; end <= Math.min(at + MAX_UNKNOWN, this.#tokens.length); end += 1)
      if (this.#goesOn(to, end) && !hits.some((hit) => hit.end === end))
        this.#step(sure, { kind: 'unknown', from: at, to: end, slot, list }, to);
  }

  /** Whether a way that arrives there has anything before it. */
  #goesOn(state: number, at: number): boolean {
    const { words, lists, ends } = this.#language.rules.states[state]!;
    if (at === this.#tokens.length) return ends.length > 0;
    if (words?.has(this.#words[at]!) || this.#sentence.skipsAt(at).length > 0) return true;
    for (let each = 0; each < lists.length; each += 2) {
      const { list } = this.#language.labels.get(lists[each]!)!;
      if (list.kind === 'wildcard' || this.#sentence.hitsAt(at, list).length > 0) return true;
    }
    return false;
  }

  #step(ways: readonly Way[], part: Part, to: number): void {
    const there = this.#ways[part.to] ?? new Map<number, Way[]>();
    this.#ways[part.to] = there;
    const kept = there.get(to) ?? [];
    there.set(to, kept);
    for (const way of ways) {
      if (++this.#steps > MAX_STEPS) return;
      keep(kept, extended(way, part, this.#tokens));
    }
  }
}

const START: Way = {
  named: 0,
  wildcards: 0,
  literal: 0,
  loose: 0,
  unknown: 0,
  inflected: 0,
  part: undefined,
  before: undefined,
};

function extended(way: Way, part: Part, tokens: readonly Token[]): Way {
  const length = tokens[part.to - 1]!.end - tokens[part.from]!.start;
  const isWords = part.kind === 'word' || (part.kind === 'value' && part.hit.number === undefined);
  return {
    named: part.kind === 'value' && part.isName ? Math.max(way.named, length) : way.named,
    wildcards: way.wildcards + (part.kind === 'rest' ? 1 : 0),
    literal: way.literal + (isWords ? length : 0),
    loose: way.loose + (part.kind === 'rest' ? length : 0),
    unknown: way.unknown + (part.kind === 'unknown' ? length : 0),
    inflected: way.inflected + (part.kind === 'value' && part.hit.isInflected ? 1 : 0),
    part,
    before: way,
  };
}

function keep(kept: Way[], way: Way): void {
  let place = kept.length;
  while (place > 0 && better(way, kept[place - 1]!) < 0) place -= 1;
  if (place >= MAX_WAYS) return;
  kept.splice(place, 0, way);
  if (kept.length > MAX_WAYS) kept.pop();
}
