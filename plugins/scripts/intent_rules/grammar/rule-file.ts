/**
 * A file of rules as its author wrote it → what it says, with the place of each sentence. The format is the one of Home
 * Assistant's sentences, with what is begun when one is understood beside it (`run`), and the short form
 * `"погода {city}" -> scenario.run(weather_now, {city})` under `rules:` (INT-01).
 */
import type { Requirement } from '../understand/language.ts';
import type { Scalar } from '../understand/lists.ts';
import type { Problem } from './problem.ts';
import { misfitsOf } from './shape.ts';
import { readShortForm } from './short-form.ts';
import { readTemplate, type Template, TemplateFault } from './template.ts';
import { type Path, readSource, type Source } from './yaml.ts';

/** What is begun when it is understood. Texts in `ctx` may hold `{slot}`. */
export interface Run {
  readonly scenario: string;
  readonly ctx?: Readonly<Record<string, unknown>>;
  readonly priority?: 'LOW' | 'NORM' | 'HIGH';
}

export interface WrittenSentence {
  readonly text: string;
  readonly template: Template;
  readonly line: number;
  readonly column: number;
}

export interface WrittenRule {
  readonly intent: string;
  readonly line: number;
  readonly sentences: readonly WrittenSentence[];
  readonly slots?: Readonly<Record<string, Scalar>>;
  readonly requires?: Readonly<Record<string, Requirement>>;
  readonly excludes?: Readonly<Record<string, Scalar | readonly Scalar[]>>;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly response?: string;
  readonly run?: Run;
  /** Lists that are not known stand for any words. */
  readonly isShort?: boolean;
}

export interface WrittenList {
  readonly values?: readonly WrittenValue[];
  readonly range?: {
    readonly from: number;
    readonly to: number;
    readonly step?: number;
    readonly fractions?: 'halves' | 'tenths';
    readonly multiplier?: number;
  };
  readonly wildcard?: true;
  readonly names?: boolean;
  readonly inflect?: boolean;
  readonly line: number;
}

export interface WrittenValue {
  readonly template: Template;
  readonly out: Scalar;
  readonly context?: Readonly<Record<string, Scalar>>;
}

export interface RuleFile {
  readonly file: string;
  /** `*`: its lists are known in every language. */
  readonly language: string;
  readonly rules: readonly WrittenRule[];
  readonly lists: Readonly<Record<string, WrittenList>>;
  readonly expansions: Readonly<Record<string, Template>>;
  readonly expansionTexts: Readonly<Record<string, string>>;
  readonly skips: readonly Template[];
}

export type Read =
  | { readonly ok: true; readonly rules: RuleFile }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export function readRuleFile(file: string, text: string): Read {
  const source = readSource(file, text);
  return 'value' in source ? readRules(source) : { ok: false, problems: source };
}

export function readRules(source: Source): Read {
  const misfits = misfitsOf(source.value);
  const reader = new Reader(source);
  for (const { path, message, remedy } of misfits) reader.fault(path, message, remedy);
  if (misfits.length > 0) return { ok: false, problems: reader.problems };
  const rules = reader.read(source.value as Given);
  return reader.problems.length > 0 ? { ok: false, problems: reader.problems } : { ok: true, rules };
}

interface Given {
  readonly language: string;
  readonly intents?: Readonly<Record<string, GivenIntent>>;
  readonly rules?: readonly (string | object)[];
  readonly lists?: Readonly<Record<string, GivenList>>;
  readonly expansion_rules?: Readonly<Record<string, string>>;
  readonly skip_words?: readonly string[];
}

interface GivenIntent {
  readonly run?: Run;
  readonly data: readonly GivenData[];
}

interface GivenData {
  readonly sentences: readonly string[];
  readonly slots?: WrittenRule['slots'];
  readonly requires_context?: WrittenRule['requires'];
  readonly excludes_context?: WrittenRule['excludes'];
  readonly metadata?: WrittenRule['metadata'];
  readonly response?: string;
  readonly run?: Run;
}

interface GivenList extends Omit<WrittenList, 'values' | 'line'> {
  readonly values?: readonly (string | number | GivenValue)[];
  readonly plain?: boolean;
}

interface GivenValue {
  readonly in: string | number;
  readonly out?: Scalar;
  readonly context?: WrittenValue['context'];
}

class Reader {
  readonly problems: Problem[] = [];
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  fault(path: Path, message: string, remedy?: string): void {
    const { line, column } = this.#source.placeOf(path);
    this.problems.push({
      file: this.#source.file,
      line,
      column,
      message,
      ...(remedy !== undefined && { remedy }),
    });
  }

  read(given: Given): RuleFile {
    const { language, intents = {}, rules = [], lists = {}, expansion_rules: expansions = {} } = given;
    if (language === '*' && (Object.keys(intents).length > 0 || rules.length > 0))
      this.fault(
        ['language'],
        'sentences are of one language',
        'keep lists for all of them in a file of its own',
      );
    return {
      file: this.#source.file,
      language,
      rules: [
        ...Object.entries(intents).flatMap(([intent, each]) => this.#intent(intent, each)),
        ...rules.flatMap((each, at) => this.#short(each, ['rules', at])),
      ],
      lists: Object.fromEntries(Object.entries(lists).map(([name, each]) => [name, this.#list(name, each)])),
      expansions: Object.fromEntries(
        Object.entries(expansions).map(([name, text]) => [
          name,
          this.#template(text, ['expansion_rules', name]),
        ]),
      ),
      expansionTexts: expansions,
      skips: (given.skip_words ?? []).map((text, at) => this.#template(text, ['skip_words', at])),
    };
  }

  #intent(intent: string, { data, run }: GivenIntent): readonly WrittenRule[] {
    return data.map((each, at) => {
      const path = ['intents', intent, 'data', at];
      const { sentences, slots, requires_context, excludes_context, metadata, response } = each;
      const begun = each.run ?? run;
      return {
        intent,
        line: this.#source.placeOf(path).line,
        sentences: sentences.map((text, n) => this.#sentence(text, [...path, 'sentences', n])),
        ...(slots && { slots }),
        ...(requires_context && { requires: requires_context }),
        ...(excludes_context && { excludes: excludes_context }),
        ...(metadata && { metadata }),
        ...(response !== undefined && { response }),
        ...(begun && { run: begun }),
      };
    });
  }

  #short(given: string | object, path: Path): readonly WrittenRule[] {
    const read = readShortForm(given);
    if ('message' in read) {
      this.fault(path, read.message, read.remedy);
      return [];
    }
    const { line } = this.#source.placeOf(path);
    const { intent, sentence, run } = read;
    return [{ intent, line, sentences: [this.#sentence(sentence, path)], run, isShort: true }];
  }

  #sentence(text: string, path: Path): WrittenSentence {
    return { text, template: this.#template(text, path), ...this.#source.placeOf(path) };
  }

  #list(name: string, { values, plain, ...rest }: GivenList): WrittenList {
    const path = ['lists', name];
    const kinds = [values, rest.range, rest.wildcard].filter((each) => each !== undefined);
    if (kinds.length !== 1) this.fault(path, 'a list has one of `values`, `range` and `wildcard`');
    if (rest.range && rest.range.from > rest.range.to) this.fault([...path, 'range'], '`from` is above `to`');
    return {
      ...rest,
      line: this.#source.placeOf(path).line,
      ...(values && {
        values: values.map((each, at) => {
          const value: GivenValue = typeof each === 'object' ? each : { in: each };
          const text = String(value.in);
          return {
            template: plain ? { kind: 'text', text } : this.#template(text, [...path, 'values', at]),
            out: value.out === undefined ? value.in : value.out,
            ...(value.context && { context: value.context }),
          } as const;
        }),
      }),
    };
  }

  #template(text: string, path: Path): Template {
    try {
      return readTemplate(text);
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error;
      this.fault(path, `${error.message} (at character ${error.at + 1} of \`${text}\`)`);
      return { kind: 'text', text: '' };
    }
  }
}
