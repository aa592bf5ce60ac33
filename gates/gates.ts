/**
 * What a gate is, and the pure questions about gates that need no host.
 *
 * A gate is a feature of the whole host with a stage. `experimental` and `stable` both run; only
 * `stable` satisfies a `requires: stable`. The decision itself is made in decide.ts.
 */

export type Stage = 'locked' | 'experimental' | 'stable';
export type Scope = 'read' | 'write' | 'admin';
export type Mode = 'normal' | 'safe';

export const STAGES: readonly Stage[] = ['locked', 'experimental', 'stable'];
export const SCOPES: readonly Scope[] = ['read', 'write', 'admin'];

/** A text for people, in both languages of the host. */
export interface LocalText {
  readonly en: string;
  readonly ru: string;
}

export interface GateRequirement {
  readonly gate: string;
  readonly stage: 'experimental' | 'stable';
}

export type Signal = 'turns' | 'failures_percent' | 'days';

/** What speaks for promoting a gate: a signal that the host measures, or a statement of a person. */
export type PromotionRule =
  | { readonly signal: Signal; readonly min: number }
  | { readonly signal: Signal; readonly max: number }
  | { readonly manual: LocalText };

export interface GateDeclaration {
  readonly id: string;
  /** Former names, accepted wherever the id is. */
  readonly aliases: readonly string[];
  readonly title: LocalText;
  readonly initial: 'locked';
  readonly requires: readonly GateRequirement[];
  readonly opens: LocalText;
  readonly promotion: {
    readonly experimental: readonly PromotionRule[];
    readonly stable: readonly PromotionRule[];
  };
  /** Simple phrases that open the gate (HOST-43). */
  readonly phrases: { readonly ru: readonly string[]; readonly en: readonly string[] };
}

/** Stages by gate id; a gate that is not in it is locked. */
export type Stages = ReadonlyMap<string, Stage>;

export function isOpen(stage: Stage): boolean {
  return stage !== 'locked';
}

/** The gate of that id or alias. */
export function findGate(
  name: string,
  declarations: readonly GateDeclaration[],
): GateDeclaration | undefined {
  return (
    declarations.find((gate) => gate.id === name) ?? declarations.find((gate) => gate.aliases.includes(name))
  );
}

/** What still stands in the way of opening `gate`; empty when nothing does. */
export function missingRequirements(
  gate: Pick<GateDeclaration, 'requires'>,
  stages: Stages,
): GateRequirement[] {
  return gate.requires.filter((need) => {
    const stage = stages.get(need.gate) ?? 'locked';
    return need.stage === 'stable' ? stage !== 'stable' : !isOpen(stage);
  });
}

/** What the host measured of the plugins behind a gate; absent means not measured. */
export type Measured = Readonly<Partial<Record<Signal, number>>>;

export interface PromotionSignal {
  /** The stage that it speaks for. */
  readonly stage: 'experimental' | 'stable';
  readonly signal: Signal | 'manual';
  /** What a person has to confirm, for `manual`. */
  readonly statement?: LocalText;
  readonly value: number | null;
  /** `≥ 1000`, `≤ 1`; absent for `manual`. */
  readonly target?: string;
  /** null where only a person can say. */
  readonly met: boolean | null;
}

/** Every signal of the gate beside its target (HOST-47). A signal that was not measured is not met. */
export function promotionSignals(
  gate: Pick<GateDeclaration, 'promotion'>,
  measured: Measured,
): PromotionSignal[] {
  const of = (stage: 'experimental' | 'stable') =>
    gate.promotion[stage].map((rule): PromotionSignal => {
      if ('manual' in rule)
        return { stage, signal: 'manual', statement: rule.manual, value: null, met: null };
      const value = measured[rule.signal] ?? null;
      const met = value !== null && ('min' in rule ? value >= rule.min : value <= rule.max);
      return { stage, signal: rule.signal, value, target: targetOf(rule), met };
    });
  return [...of('experimental'), ...of('stable')];
}

export function targetOf(rule: Exclude<PromotionRule, { manual: LocalText }>): string {
  return 'min' in rule ? `≥ ${rule.min}` : `≤ ${rule.max}`;
}

export type GateClash = { readonly what: 'id' | 'phrase'; readonly value: string; readonly gate: string };

/**
 * The first name or phrase of `candidate` that another gate already answers to. A plugin must not be
 * able to put its own gate behind a phrase that people know for another one.
 */
export function findClash(
  candidate: GateDeclaration,
  others: readonly GateDeclaration[],
): GateClash | undefined {
  const names = [candidate.id, ...candidate.aliases];
  const phrases = new Set(allPhrases(candidate).map(normalisePhrase));
  for (const other of others) {
    const name = names.find((each) => each === other.id || other.aliases.includes(each));
    if (name !== undefined) return { what: 'id', value: name, gate: other.id };
    const phrase = allPhrases(other).find((each) => phrases.has(normalisePhrase(each)));
    if (phrase !== undefined) return { what: 'phrase', value: phrase, gate: other.id };
  }
  return undefined;
}

export interface Suggestion {
  readonly gate: string;
  readonly phrase: string;
}

export type PhraseMatch =
  | { readonly match: 'exact'; readonly gate: GateDeclaration }
  /** Several gates, or none: the nearest phrases, best first, at most three. Nothing may be opened. */
  | { readonly match: 'none'; readonly suggestions: readonly Suggestion[] };

const MAX_PHRASE_CHARS = 200;
/** A suggestion shares at least half of its letters with what was said. */
const NEAR_ENOUGH = 0.5;

/**
 * The gate that `text` opens. Case, ё/е, punctuation and spaces do not matter; every word does: a
 * sentence that merely contains a phrase ("never open the pencil") must not open anything.
 */
export function matchPhrase(text: string, declarations: readonly GateDeclaration[]): PhraseMatch {
  const said = normalisePhrase(text.slice(0, MAX_PHRASE_CHARS + 1));
  if (said === '' || text.length > MAX_PHRASE_CHARS) return { match: 'none', suggestions: [] };
  const known = declarations.flatMap((gate) =>
    allPhrases(gate).map((phrase) => ({ gate, phrase, normal: normalisePhrase(phrase) })),
  );
  const exact = new Set(known.filter((each) => each.normal === said).map((each) => each.gate));
  const [only] = exact;
  if (only !== undefined && exact.size === 1) return { match: 'exact', gate: only };

  const best = new Map<string, { phrase: string; nearness: number }>();
  for (const { gate, phrase, normal } of known) {
    const nearness = 1 - distance(said, normal) / Math.max(said.length, normal.length);
    if (nearness >= NEAR_ENOUGH && nearness > (best.get(gate.id)?.nearness ?? 0)) {
      best.set(gate.id, { phrase, nearness });
    }
  }
  const suggestions = [...best]
    .sort(([, a], [, b]) => b.nearness - a.nearness)
    .slice(0, 3)
    .map(([gate, { phrase }]) => ({ gate, phrase }));
  return { match: 'none', suggestions };
}

export function normalisePhrase(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll('ё', 'е')
    .replace(/\p{Cf}/gu, '')
    .replace(/[^\p{L}\p{N}\p{M}]+/gu, ' ')
    .trim();
}

function allPhrases(gate: GateDeclaration): readonly string[] {
  return [...gate.phrases.ru, ...gate.phrases.en];
}

/** Edit distance, in one row. */
function distance(a: string, b: string): number {
  const row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    let diagonal = row[0]!;
    row[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const above = row[j]!;
      row[j] = Math.min(above + 1, row[j - 1]! + 1, diagonal + (a[i - 1] === b[j - 1] ? 0 : 1));
      diagonal = above;
    }
  }
  return row[b.length]!;
}
