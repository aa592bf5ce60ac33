/** Steps as the author wrote them, made into nodes (SCN-07…09, SCN-14, SCN-18, SCN-19, CAP-06, CAP-18). */
import type { Expression, Node, Template } from '../program.ts';
import { NAMES, problemOf } from './expressions.ts';
import { faultsOf, type Written } from './failing.ts';
import { type Files, type Place, resolveFile } from './files.ts';
import { DOINGS } from './kinds.ts';
import { KINDS, kindOfStep, misfitsOf, nearest } from './shape.ts';
import { bareExpression, TemplateFault, textTemplate } from './templates.ts';
import type { Path, Source } from './yaml.ts';

const MAX_NODES = 2000;
const MAX_DEPTH = 32;

/** Where a step stands: in the text, in the scenario, and what is known there. */
export interface Spot extends Place {
  /** Of the block that it lies in. */
  readonly above: string;
  /** Variables of loops and fragments, for expressions. */
  readonly names: readonly string[];
  readonly depth: number;
  /** A step around it holds locks. */
  readonly isLocked: boolean;
  /** Fragments that it lies in, to find one in itself. */
  readonly within: readonly string[];
}

export class Compiler {
  readonly files: Files;
  readonly nodes: Node[] = [];
  /** `<name>@<version>` of what is sent, and where it is said first. */
  readonly sends = new Map<string, Place>();
  readonly hears = new Set<string>();
  readonly warnings: { place: Place; message: string }[] = [];

  constructor(files: Files) {
    this.files = files;
  }

  /** Steps of a list in the author's text. */
  block(list: unknown, spot: Spot): readonly number[] {
    const names = new Set<string>();
    return (list as readonly unknown[]).flatMap((step, at) => {
      const place = this.#step(step, at, { ...spot, path: [...spot.path, at] }, names);
      const isLast = at === (list as readonly unknown[]).length - 1;
      const kind = place === undefined ? undefined : this.nodes[place]!.kind;
      if (!isLast && (kind === 'return' || kind === 'abort') && this.nodes[place!]!.when === undefined)
        this.warnings.push({
          place: { ...spot, path: [...spot.path, at + 1] },
          message: 'nothing comes here any more',
        });
      return place === undefined ? [] : [place];
    });
  }

  #step(given: unknown, at: number, spot: Spot, names: Set<string>): number | undefined {
    const step = given as Written;
    const kind = kindOfStep(step);
    if (kind === undefined) {
      this.#noKind(step, spot);
      return undefined;
    }
    const misfits = misfitsOf(step, `step_${kind}`);
    for (const { path, message, remedy } of misfits)
      this.files.add({ source: spot.source, path: [...spot.path, ...path] }, message, remedy);
    if (misfits.length > 0) return undefined;
    if (this.nodes.length >= MAX_NODES || spot.depth > MAX_DEPTH) {
      const most = spot.depth > MAX_DEPTH ? `lie ${MAX_DEPTH} deep` : `are ${MAX_NODES}`;
      if (!this.files.problems.some(({ message }) => message.startsWith('steps')))
        this.files.add(spot, `steps ${most} at most`);
      return undefined;
    }
    const name = (step['name'] as string | undefined) ?? `${kind}_${at + 1}`;
    if (names.has(name))
      this.files.add(this.under(spot, 'name'), `another step beside it is called \`${name}\` as well`);
    names.add(name);
    const path = spot.above === '' ? name : `${spot.above}/${name}`;
    const place = this.nodes.length;
    this.nodes.push(undefined as never);
    this.nodes[place] = this.#node(kind, step, name, path, spot);
    return place;
  }

  #noKind(step: Written, spot: Spot): void {
    const keys = step === null || typeof step !== 'object' ? [] : Object.keys(step);
    const kinds = KINDS.filter((kind) => keys.includes(kind));
    if (kinds.length > 1) {
      this.files.add(
        spot,
        `a step does one thing; this one names ${kinds.join(' and ')}`,
        'make it several steps',
      );
      return;
    }
    if (keys.includes('if') && !keys.some((key) => !['name', 'if', 'else', 'elif'].includes(key))) {
      this.files.add(
        this.under(spot, 'if'),
        '`if` does not say what is done then',
        'write `if: <condition>`, `then: [<steps>]` beside it, and where it is needed `elif: […]` and `else: [<steps>]`',
      );
      return;
    }
    const odd = keys.find((key) => !['name', 'with', 'save', 'if'].includes(key)) ?? '';
    const all = [...KINDS, 'if', 'steps'];
    this.files.add(
      odd === '' ? spot : this.under(spot, odd),
      odd === '' ? 'a step has to say what it does' : `\`${odd}\` is no kind of step`,
      nearest(odd, all).remedy,
    );
  }

  #node(
    kind: NonNullable<ReturnType<typeof kindOfStep>>,
    step: Written,
    name: string,
    path: string,
    spot: Spot,
  ): Node {
    const inside: Spot = {
      ...spot,
      above: path,
      depth: spot.depth + 1,
      isLocked: spot.isLocked || step['locks'] !== undefined,
    };
    if (spot.isLocked && step['locks'] !== undefined)
      this.files.add(
        this.under(spot, 'locks'),
        'a step around it holds locks already',
        'name all of them at the outer step: so no two runs wait for each other',
      );
    const { line, column } = spot.source.placeOf(spot.path);
    const condition = kind === 'if' ? undefined : step['if'];
    return {
      name,
      path,
      line,
      column,
      file: spot.source.file,
      ...(condition !== undefined && {
        when: this.expression(condition, this.under(spot, 'if'), spot.names),
      }),
      ...faultsOf(this, step, spot, inside),
      ...DOINGS[kind](this, step, spot, inside),
    } as Node;
  }

  // --- what steps are made of

  under<P extends Place>(place: P, ...more: Path): P {
    return { ...place, path: [...place.path, ...more] };
  }

  /** With or without `${` and `}` around it. */
  expression(given: unknown, place: Place, names: readonly string[]): Expression {
    if (typeof given === 'boolean') return String(given);
    const { expression, offset } = bareExpression(String(given));
    this.#check(expression, place, names, offset);
    return expression;
  }

  /** Any value, with `${…}` in its texts. */
  template(given: unknown, place: Place, names: readonly string[]): Template {
    if (typeof given === 'string') return this.#text(given, place, names);
    if (Array.isArray(given))
      return given.map((each, at) => this.template(each, this.under(place, at), names));
    if (given === null || typeof given !== 'object') return given;
    return Object.fromEntries(
      Object.entries(given).map(([name, each]) => {
        if (name === '$' || name === '$$')
          this.files.add(this.under(place, name), `no key may be called \`${name}\``);
        return [name, this.template(each, this.under(place, name), names)];
      }),
    );
  }

  #text(text: string, place: Place, names: readonly string[]): Template {
    try {
      return textTemplate(text, ({ expression, offset }) => this.#check(expression, place, names, offset));
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error;
      this.#at(place, error.offset, error.message);
      return text;
    }
  }

  #check(expression: Expression, place: Place, names: readonly string[], offset: number): void {
    const known = [...NAMES, ...names];
    const problem = problemOf(expression, known);
    if (!problem) return;
    const unknown = /Unknown variable: (\w+)/.exec(problem.message)?.[1];
    const message =
      unknown === undefined
        ? `\`${expression}\`: ${problem.message}`
        : `\`${unknown}\` is nothing that expressions know here`;
    const remedy = unknown === undefined ? undefined : nearest(unknown, known).remedy;
    this.#at(place, offset + problem.offset, message, remedy);
  }

  /** So many characters into a text, as long as that stands on one line. */
  #at(place: Place, offset: number, message: string, remedy?: string): void {
    const { line, column } = place.source.placeOf(place.path);
    const { file } = place.source;
    this.files.problems.push({
      file,
      line,
      column: column + offset,
      path: place.path.join('/'),
      message,
      ...(remedy !== undefined && { remedy }),
    });
  }

  /** It sends this, as long as its own `permissions` say so. */
  sendsOf(fqdn: string, step: Written, place: Place): { readonly name: string; readonly version: number } {
    const [name, version = '1'] = fqdn.split('@');
    const allowed = step['permissions'] as readonly string[] | undefined;
    if (allowed && !allowed.includes(name!) && !allowed.includes(fqdn))
      this.files.add(
        place,
        `its \`permissions\` do not allow \`${name}\``,
        `add it, or leave \`permissions\` out`,
      );
    const key = `${name}@${version}`;
    if (!this.sends.has(key)) this.sends.set(key, place);
    return { name: name!, version: Number(version) };
  }

  /** A fragment of this file or another (SCN-18). Undefined where there is none; then that is a problem. */
  fragment(
    named: string,
    spot: Spot,
  ): { readonly steps: unknown; readonly params: readonly string[]; readonly spot: Spot } | undefined {
    const [file, name] = named.split('#') as [string, string];
    const path = resolveFile(spot.source.file, file);
    const place = this.under(spot, 'include');
    if (path === undefined) {
      this.files.add(place, `\`${file}\` lies outside of what belongs to the scenario`);
      return undefined;
    }
    const key = `${path}#${name}`;
    if (spot.within.includes(key)) {
      this.files.add(place, `it includes itself: ${[...spot.within, key].join(' → ')}`);
      return undefined;
    }
    const source: Source | undefined =
      path === spot.source.file ? spot.source : this.files.open(path, 'library');
    const fragments =
      (source?.value as { fragments?: Record<string, { params?: string[]; steps: unknown }> })?.fragments ??
      {};
    const found = fragments[name];
    if (!found) {
      if (source)
        this.files.add(
          place,
          `\`${path}\` has no fragment \`${name}\``,
          nearest(name, Object.keys(fragments)).remedy,
        );
      else if (!this.files.problems.some((each) => each.file === path))
        this.files.add(place, `there is no file \`${path}\``);
      return undefined;
    }
    const { params = [], steps } = found;
    const inside = {
      ...spot,
      source: source!,
      path: ['fragments', name, 'steps'],
      names: params,
      within: [...spot.within, key],
    };
    return { steps, params, spot: inside };
  }
}
