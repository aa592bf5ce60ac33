/** A file of rules, compiled when it is saved. Everything in it is JSON; `prepare()` only puts units together. */
import type { Rule } from '../understand/language.ts';
import type { Value } from '../understand/lists.ts';
import { foldedWord, tokensOf } from '../understand/tokens.ts';
import { type Automaton, OR_ANYTHING } from './automaton.ts';
import { compile, TooManySentences } from './compile.ts';
import { russianFormsOf } from './inflection.ts';
import type { Problem } from './problem.ts';
import type { RuleFile, Run, WrittenList, WrittenRule } from './rule-file.ts';
import { slotsNamed } from './run-context.ts';
import { nearest } from './shape.ts';
import { referencesOf, type Template } from './template.ts';

export interface Unit {
  readonly format: 1;
  readonly file: string;
  readonly language: string;
  readonly rules: readonly UnitRule[];
  /** `[rule, template, line]`, by the numbers at the automaton's ends. */
  readonly sentences: readonly (readonly [number, string, number])[];
  readonly automaton: Automaton;
  readonly skips?: Automaton;
  /** Names of `<rules>` that it is compiled with: in its sentences and values, and in those rules. */
  readonly uses: readonly string[];
}

export interface UnitRule extends Rule {
  readonly run?: Run;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly response?: string;
}

export interface CompiledList {
  readonly format: 1;
  readonly file: string;
  readonly kind: 'values' | 'range' | 'wildcard';
  readonly automaton?: Automaton;
  readonly values?: readonly Value[];
  readonly names?: true;
  readonly range?: {
    readonly from: number;
    readonly to: number;
    readonly step: number;
    readonly multiplier: number;
  };
  /** Word → other forms of it, with spaces between. */
  readonly forms?: Readonly<Record<string, string>>;
}

export interface Known {
  /** Rules of the language, of all files. */
  readonly expansions: ReadonlyMap<string, Template>;
}

export type Made<T> = { readonly made: T } | { readonly problems: readonly Problem[] };

export function compileUnit(written: RuleFile, { expansions }: Known): Made<Unit> {
  const { file, language, rules } = written;
  const faulty = [...faultyReferences(written, expansions)];
  const problems = faulty.length > 0 ? faulty : unfilled(written, expansions);
  if (problems.length > 0) return { problems };
  const sentences = rules.flatMap((rule, at) =>
    rule.sentences.map((sentence) => ({ ...sentence, rule: at, isShort: rule.isShort === true })),
  );
  const templates = sentences.map(({ template, isShort }, number) => ({
    template: isShort ? open(template) : template,
    number,
  }));
  try {
    const automaton = compile(templates, expansions);
    const skips = written.skips.map((template, number) => ({ template, number }));
    const values = Object.values(written.lists).flatMap((list) => list.values ?? []);
    const { rules: used } = usedBy([...templates, ...skips, ...values], expansions);
    return {
      made: {
        format: 1,
        file,
        language,
        rules: rules.map((rule) => unitRule(file, rule)),
        sentences: sentences.map(({ rule, text, line }) => [rule, text, line] as const),
        automaton,
        ...(skips.length > 0 && { skips: compile(skips, expansions) }),
        uses: [...used],
      },
    };
  } catch (error) {
    if (!(error instanceof TooManySentences)) throw error;
    return { problems: [tooMany(file, 1, error)] };
  }
}

function unitRule(file: string, rule: WrittenRule): UnitRule {
  const { sentences: _, isShort: __, ...rest } = rule;
  return { file, ...rest };
}

/** Its lists need not be known. */
function open(template: Template): Template {
  if (template.kind === 'list') return { ...template, list: template.list + OR_ANYTHING };
  return 'parts' in template ? { ...template, parts: template.parts.map(open) } : template;
}

/** `ctx: {city: "{city}"}` of a rule none of whose sentences says a city. */
function unfilled({ file, rules }: RuleFile, expansions: ReadonlyMap<string, Template>): readonly Problem[] {
  return rules.flatMap(({ run, line, sentences, slots, requires = {} }) => {
    const known = new Set(Object.keys(slots ?? {}));
    for (const each of sentences) for (const slot of usedBy([each], expansions).slots) known.add(slot);
    for (const [key, requirement] of Object.entries(requires)) {
      const { slot } =
        requirement !== null && typeof requirement === 'object' && 'slot' in requirement ? requirement : {};
      if (slot) known.add(slot === true ? key : slot);
    }
    return slotsNamed(run?.ctx)
      .filter((slot) => !known.has(slot))
      .map((slot) => ({
        file,
        line,
        column: 1,
        message: `\`run\` names {${slot}}, which nothing here fills`,
        ...nearest(slot, [...known]),
      }));
  });
}

function usedBy(
  templates: readonly { readonly template: Template }[],
  expansions: ReadonlyMap<string, Template>,
) {
  const rules = new Set<string>();
  const slots = new Set<string>();
  const visit = (template: Template) => {
    for (const each of referencesOf(template)) {
      if (each.kind === 'list') slots.add(each.slot);
      else if (!rules.has(each.rule)) {
        rules.add(each.rule);
        visit(expansions.get(each.rule)!);
      }
    }
  };
  for (const { template } of templates) visit(template);
  return { rules, slots };
}

/** Rules that there are not, or that lead to themselves. */
function* faultyReferences(
  { file, rules, skips }: RuleFile,
  expansions: ReadonlyMap<string, Template>,
): Generator<Problem> {
  const fault = new Faults(expansions);
  for (const { sentences } of rules)
    for (const { template, line, column } of sentences) {
      const found = fault.of(template);
      if (found) yield { file, line, column, ...found };
    }
  for (const skip of skips) {
    const found = fault.of(skip);
    if (found) yield { file, line: 1, column: 1, ...found };
  }
}

class Faults {
  readonly #expansions: ReadonlyMap<string, Template>;
  readonly #known = new Map<string, { message: string; remedy?: string } | undefined>();

  constructor(expansions: ReadonlyMap<string, Template>) {
    this.#expansions = expansions;
  }

  of(template: Template, within: readonly string[] = []): { message: string; remedy?: string } | undefined {
    for (const each of referencesOf(template)) {
      if (each.kind !== 'rule') continue;
      const found = this.#named(each.rule, within);
      if (found) return found;
    }
    return undefined;
  }

  #named(rule: string, within: readonly string[]): { message: string; remedy?: string } | undefined {
    if (within.includes(rule))
      return {
        message: `<${rule}> leads to itself: ${[...within, rule].map((each) => `<${each}>`).join(' → ')}`,
      };
    if (this.#known.has(rule)) return this.#known.get(rule);
    const template = this.#expansions.get(rule);
    const found = template
      ? this.of(template, [...within, rule])
      : { message: `there is no rule <${rule}>`, ...nearest(rule, [...this.#expansions.keys()]) };
    this.#known.set(rule, found);
    return found;
  }
}

export function compileList(
  file: string,
  written: WrittenList,
  expansions: ReadonlyMap<string, Template>,
): Made<CompiledList> {
  const fault = new Faults(expansions);
  for (const { template } of written.values ?? []) {
    const found = referencesOf(template).some(({ kind }) => kind === 'list')
      ? { message: 'a value of a list holds no list' }
      : fault.of(template);
    if (found) return { problems: [{ file, line: written.line, column: 1, ...found }] };
  }
  try {
    return { made: madeOf(file, written, expansions) };
  } catch (error) {
    if (error instanceof TooManySentences) return { problems: [tooMany(file, written.line, error)] };
    throw error;
  }
}

function tooMany(file: string, line: number, { message }: TooManySentences): Problem {
  const remedy = 'split it, or write fewer `[ ]` and `( )` one after the other';
  return { file, line, column: 1, message, remedy };
}

function madeOf(file: string, written: WrittenList, expansions: ReadonlyMap<string, Template>): CompiledList {
  const { values, range, names, inflect } = written;
  if (written.wildcard) return { format: 1, file, kind: 'wildcard' };
  if (range) {
    const step = range.fractions === 'halves' ? 0.5 : range.fractions === 'tenths' ? 0.1 : (range.step ?? 1);
    const { from, to, multiplier = 1 } = range;
    return { format: 1, file, kind: 'range', range: { from, to, step, multiplier } };
  }
  const forms = inflect === false ? {} : formsOf(values!, inflect === true);
  return {
    format: 1,
    file,
    kind: 'values',
    automaton: compile(
      values!.map(({ template }, number) => ({ template, number })),
      expansions,
    ),
    values: values!.map(({ out, context }) => ({ out, ...(context && { context }) })),
    ...(names && { names }),
    ...(Object.keys(forms).length > 0 && { forms }),
  };
}

/** Whoever wrote groups into a value has written its forms; the others are found. */
function formsOf(values: NonNullable<WrittenList['values']>, isAsked: boolean): Record<string, string> {
  const forms: Record<string, string> = {};
  const texts = values.flatMap(({ template }) =>
    template.kind === 'text' ? [template.text] : isAsked ? wordsIn(template) : [],
  );
  for (const text of texts)
    for (const { start, end } of tokensOf(text)) {
      const word = text.slice(start, end);
      const key = foldedWord(word);
      if (key in forms) continue;
      const found = russianFormsOf(word);
      if (found.length > 0) forms[key] = found.join(' ');
    }
  return forms;
}

function wordsIn(template: Template): readonly string[] {
  if (template.kind === 'text') return [template.text];
  return 'parts' in template ? template.parts.flatMap(wordsIn) : [];
}
