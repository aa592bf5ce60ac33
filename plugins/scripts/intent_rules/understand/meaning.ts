/** Ways that arrived → what was meant: slots filled, context checked, the best first. */
import type { Language, Requirement, Rule } from './language.ts';
import type { Scalar } from './lists.ts';
import type { Followed } from './recognise.ts';
import type { Token } from './tokens.ts';
import { better, type Part, partsOf, type Way } from './ways.ts';

export type Context = Readonly<Record<string, Scalar>>;
export type Slots = Readonly<Record<string, Scalar>>;

export interface Meaning {
  readonly rule: Rule;
  readonly template: string;
  readonly slots: Slots;
  /** 0…1: the share of the sentence that rules and lists say themselves. */
  readonly confidence: number;
  readonly way: Way;
}

/** Other meanings than the first that anybody would look at. */
const MAX_MEANINGS = 4;

export function meaningsOf(
  { arrived }: Followed,
  language: Language,
  tokens: readonly Token[],
  said: string,
  context: Context,
): readonly Meaning[] {
  const found = arrived.flatMap(({ way, state }) => state.ends.map((end) => ({ way, end })));
  found.sort((a, b) => better(a.way, b.way) || a.end - b.end);
  const meanings: Meaning[] = [];
  const known = new Set<string>();
  for (const { way, end } of found) {
    const { rule, template } = language.sentences[end]!;
    const slots = slotsOf(rule, partsOf(way), language, tokens, said, context);
    if (!slots) continue;
    const key = JSON.stringify([rule.intent, slots]);
    if (known.has(key)) continue;
    known.add(key);
    meanings.push({ rule, template, slots, way, confidence: confidenceOf(way, tokens) });
    if (meanings.length === MAX_MEANINGS) break;
  }
  return meanings;
}

/** Nothing where the rule's context does not hold. */
function slotsOf(
  { slots: fixed, requires = {}, excludes = {} }: Rule,
  parts: readonly Part[],
  language: Language,
  tokens: readonly Token[],
  said: string,
  context: Context,
): Slots | undefined {
  const slots: Record<string, Scalar> = {};
  /** What would be known of a value that no list has is not. */
  const isGuess = parts.some(({ kind }) => kind === 'unknown');
  let around: Context = context;
  for (const part of parts) {
    if (part.kind === 'rest' || part.kind === 'unknown') slots[part.slot] = textOf(part, tokens, said);
    if (part.kind !== 'value') continue;
    if (part.hit.number !== undefined) {
      slots[part.slot] = part.hit.number;
      continue;
    }
    const list = language.lists.get(part.list);
    if (list?.kind !== 'values') return undefined;
    const value = part.hit
      .values!.map((place) => list.values[place]!)
      .find(({ context: own = {} }) => mayStand(own, requires, excludes));
    if (!value) return undefined;
    slots[part.slot] = value.out;
    if (value.context) around = { ...around, ...value.context };
  }
  for (const [key, requirement] of Object.entries(requires)) {
    const actual = around[key];
    if (isGuess && actual === undefined) continue;
    if (actual === undefined || actual === null || !isMet(requirement, actual)) return undefined;
    const { slot } = partsOfRequirement(requirement);
    if (slot !== undefined) slots[slot === true ? key : slot] ??= actual;
  }
  for (const [key, excluded] of Object.entries(excludes))
    if (key in around && oneOf(excluded, around[key]!)) return undefined;
  for (const [slot, value] of Object.entries(fixed ?? {})) slots[slot] ??= value;
  return slots;
}

/** What the value knows itself does not contradict the rule; what it does not know may come from elsewhere. */
function mayStand(
  own: Context,
  requires: NonNullable<Rule['requires']>,
  excludes: NonNullable<Rule['excludes']>,
) {
  return (
    Object.entries(requires).every(([key, requirement]) => !(key in own) || isMet(requirement, own[key]!)) &&
    Object.entries(excludes).every(([key, excluded]) => !(key in own) || !oneOf(excluded, own[key]!))
  );
}

function isMet(requirement: Requirement, actual: Scalar): boolean {
  const { value } = partsOfRequirement(requirement);
  return value === undefined || value === null || oneOf(value, actual);
}

function partsOfRequirement(requirement: Requirement): {
  readonly value?: Scalar | readonly Scalar[];
  readonly slot?: string | true;
} {
  if (requirement === null || typeof requirement !== 'object') return { value: requirement };
  if (Array.isArray(requirement)) return { value: requirement as readonly Scalar[] };
  const { value, slot } = requirement as { value?: Scalar | readonly Scalar[]; slot?: boolean | string };
  return { ...(value !== undefined && { value }), ...(slot && { slot }) };
}

function oneOf(given: Scalar | readonly Scalar[], actual: Scalar): boolean {
  return Array.isArray(given) ? given.includes(actual) : given === actual;
}

export function textOf(
  { from, to }: { from: number; to: number },
  tokens: readonly Token[],
  said: string,
): string {
  return said.slice(tokens[from]!.start, tokens[to - 1]!.end);
}

/** What wildcards took counts half, what no list knows not at all; another form of a value costs a little. */
function confidenceOf({ loose, unknown, inflected }: Way, tokens: readonly Token[]): number {
  const length = tokens.reduce((sum, { start, end }) => sum + end - start, 0);
  const share = 1 - (loose / 2 + unknown) / Math.max(length, 1) - 0.02 * inflected;
  return Math.round(Math.max(share, 0) * 100) / 100;
}

/** Rules ask for single values of the context; what else callers put there is theirs. */
export function scalarsOf(ctx: Readonly<Record<string, unknown>>): Context {
  const known = Object.entries(ctx).filter(([, value]) => value === null || typeof value !== 'object');
  return Object.fromEntries(known) as Record<string, Scalar>;
}
