/**
 * Reads the part of WIT that abi/wit uses, and refuses everything else with its file and line.
 *
 * Written by hand because no package on npm gives WIT as data: jco carries the official parser, but only
 * hands out finished bindings. What is refused here is not wrong WIT; it is WIT that the generators would
 * have to learn first.
 */

export type WitType =
  | { readonly kind: 'primitive'; readonly name: Primitive }
  | { readonly kind: 'named'; readonly name: string }
  | { readonly kind: 'option' | 'list'; readonly of: WitType }
  | { readonly kind: 'result'; readonly ok: WitType | undefined; readonly error: WitType | undefined };

/** How the docs of a function begin that answers only once something else has happened. */
const WAITS = 'Waits:';

const PRIMITIVES = ['bool', 'u8', 'u16', 'u32', 'u64', 's32', 's64', 'f64', 'string'] as const;
export type Primitive = (typeof PRIMITIVES)[number];

export interface WitField {
  readonly name: string;
  readonly type: WitType;
  readonly docs: readonly string[];
}

export type WitDefinition = { readonly name: string; readonly docs: readonly string[] } & (
  | { readonly kind: 'alias'; readonly type: WitType }
  | { readonly kind: 'record'; readonly fields: readonly WitField[] }
  | { readonly kind: 'enum'; readonly cases: readonly string[] }
);

export interface WitFunction {
  readonly name: string;
  readonly docs: readonly string[];
  /** Answers later: a promise in scripts. Its docs say so, in a line that begins with {@link WAITS}. */
  readonly waits: boolean;
  readonly params: readonly WitField[];
  readonly result: WitType | undefined;
}

export interface WitInterface {
  readonly name: string;
  readonly docs: readonly string[];
  readonly definitions: readonly WitDefinition[];
  readonly functions: readonly WitFunction[];
}

export interface WitWorld {
  readonly name: string;
  readonly docs: readonly string[];
  /** Those of the worlds that it includes come first. */
  readonly imports: readonly string[];
  readonly exports: readonly WitFunction[];
}

export interface WitPackage {
  /** `neira:host@1.0.0` */
  readonly id: string;
  readonly interfaces: readonly WitInterface[];
  readonly worlds: readonly WitWorld[];
}

interface Token {
  readonly text: string;
  readonly kind: 'id' | 'sign' | 'end';
  readonly line: number;
  readonly docs: readonly string[];
}

/** The files of one package. @throws Error with `<file>:<line>` for what is not understood. */
export function readWit(files: ReadonlyMap<string, string>): WitPackage {
  const readers = [...files].map(([file, text]) => new WitReader(file, text));
  const parts = readers.map((reader) => reader.file());
  const first = parts[0];
  if (!first) throw new Error('there are no WIT files');
  for (const [index, part] of parts.entries()) {
    if (part.id !== first.id) readers[index]!.refuse(`package ${part.id} beside ${first.id}`, 1);
  }
  const whole = {
    id: first.id,
    interfaces: parts.flatMap((part) => part.interfaces),
    worlds: parts.flatMap((part) => part.worlds),
  };
  const known = new Map(whole.interfaces.map((each) => [each.name, each]));
  for (const reader of readers) reader.checkNames(known);
  return whole;
}

class WitReader {
  readonly #file: string;
  readonly #tokens: readonly Token[];
  #at = 0;
  /** Interfaces and names that this file relies on, looked up once all files are read. */
  readonly #uses: { readonly from: string; readonly name: string; readonly line: number }[] = [];

  constructor(file: string, text: string) {
    this.#file = file;
    this.#tokens = this.#tokenise(text);
  }

  refuse(what: string, line = this.#peek().line): never {
    throw new Error(`${this.#file}:${line}: ${what}`);
  }

  checkNames(known: ReadonlyMap<string, WitInterface>): void {
    for (const { from, name, line } of this.#uses) {
      const found = known.get(from);
      if (!found) this.refuse(`there is no interface ${from}`, line);
      if (name !== '' && !found.definitions.some((each) => each.name === name)) {
        this.refuse(`interface ${from} defines no type ${name}`, line);
      }
    }
  }

  file(): WitPackage {
    this.#word('package');
    const id = `${this.#id()}${this.#sign(':')}${this.#id()}${this.#sign('@')}${this.#id()}`;
    this.#sign(';');
    const interfaces: WitInterface[] = [];
    const worlds: WitWorld[] = [];
    while (this.#peek().kind !== 'end') {
      const { text, docs } = this.#next();
      if (text === 'interface') interfaces.push(this.#interface(docs));
      else if (text === 'world') worlds.push(this.#world(docs, worlds));
      else this.refuse(`\`${text}\` is not read here`, this.#tokens[this.#at - 1]!.line);
    }
    return { id, interfaces, worlds };
  }

  #interface(docs: readonly string[]): WitInterface {
    const name = this.#id();
    const definitions: WitDefinition[] = [];
    const functions: WitFunction[] = [];
    const taken = new Set<string>();
    const types = new Set<string>();
    const take = (each: string, line: number) => {
      if (taken.has(each)) this.refuse(`${each} is there twice`, line);
      taken.add(each);
    };
    const named: { readonly type: WitType; readonly line: number }[] = [];
    this.#sign('{');
    while (!this.#accept('}')) {
      const { text, line, docs: about } = this.#peek();
      if (text === 'use') {
        for (const each of this.#use()) {
          take(each, line);
          types.add(each);
        }
      } else if (text === 'type' || text === 'record' || text === 'enum') {
        this.#next();
        const definition = this.#definition(text, about);
        take(definition.name, line);
        types.add(definition.name);
        definitions.push(definition);
        if (definition.kind === 'alias') named.push({ type: definition.type, line });
        if (definition.kind === 'record')
          named.push(...definition.fields.map(({ type }) => ({ type, line })));
      } else {
        const fn = this.#function(this.#id(), about);
        take(fn.name, line);
        functions.push(fn);
        named.push(...fn.params.map(({ type }) => ({ type, line })));
        if (fn.result) named.push({ type: fn.result, line });
      }
    }
    for (const { type, line } of named) {
      for (const each of namesIn(type))
        if (!types.has(each)) this.refuse(`the type ${each} is not known`, line);
    }
    return { name, docs, definitions, functions };
  }

  #use(): string[] {
    this.#word('use');
    const { line } = this.#peek();
    const from = this.#id();
    const names: string[] = [];
    this.#sign('.');
    this.#sign('{');
    while (!this.#accept('}')) {
      const name = this.#id();
      names.push(name);
      this.#uses.push({ from, name, line });
      this.#comma('}');
    }
    this.#sign(';');
    return names;
  }

  #definition(kind: 'type' | 'record' | 'enum', docs: readonly string[]): WitDefinition {
    const name = this.#id();
    if (kind === 'type') {
      this.#sign('=');
      const type = this.#type();
      this.#sign(';');
      return { kind: 'alias', name, docs, type };
    }
    this.#sign('{');
    if (kind === 'enum') {
      const cases: string[] = [];
      while (!this.#accept('}')) {
        cases.push(this.#id());
        this.#comma('}');
      }
      return { kind, name, docs, cases };
    }
    const fields: WitField[] = [];
    while (!this.#accept('}')) {
      fields.push(this.#field());
      this.#comma('}');
    }
    return { kind, name, docs, fields };
  }

  /** It can include worlds that stand before it in its file. */
  #world(docs: readonly string[], before: readonly WitWorld[]): WitWorld {
    const name = this.#id();
    const imports: string[] = [];
    const exports: WitFunction[] = [];
    this.#sign('{');
    while (!this.#accept('}')) {
      const { text, line, docs: about } = this.#next();
      if (text === 'import') {
        const from = this.#id();
        imports.push(from);
        this.#uses.push({ from, name: '', line });
        this.#sign(';');
      } else if (text === 'export') exports.push(this.#function(this.#id(), about));
      else if (text === 'include') {
        const included = this.#id();
        const world = before.find((each) => each.name === included);
        if (!world) this.refuse(`there is no world ${included} before this one`, line);
        imports.push(...world.imports);
        exports.push(...world.exports);
        this.#sign(';');
      } else this.refuse(`\`${text}\` is not read in a world`, line);
    }
    return { name, docs, imports, exports };
  }

  #function(name: string, docs: readonly string[]): WitFunction {
    this.#sign(':');
    this.#word('func');
    this.#sign('(');
    const params: WitField[] = [];
    while (!this.#accept(')')) {
      params.push(this.#field());
      this.#comma(')');
    }
    const result = this.#accept('->') ? this.#type() : undefined;
    this.#sign(';');
    return { name, docs, waits: docs.some((line) => line.startsWith(WAITS)), params, result };
  }

  #field(): WitField {
    const { docs } = this.#peek();
    const name = this.#id();
    this.#sign(':');
    return { name, type: this.#type(), docs };
  }

  #type(): WitType {
    const { line } = this.#peek();
    const name = this.#id();
    if (name === 'option' || name === 'list') {
      this.#sign('<');
      const of = this.#type();
      this.#sign('>');
      return { kind: name, of };
    }
    if (name === 'result') {
      if (!this.#accept('<')) return { kind: 'result', ok: undefined, error: undefined };
      const ok = this.#accept('_') ? undefined : this.#type();
      const error = this.#accept(',') ? this.#type() : undefined;
      this.#sign('>');
      return { kind: 'result', ok, error };
    }
    if (['tuple', 'variant', 'flags', 'resource', 'own', 'borrow', 'stream', 'future'].includes(name)) {
      this.refuse(`the type ${name} is not read here`, line);
    }
    const primitive = PRIMITIVES.find((each) => each === name);
    return primitive ? { kind: 'primitive', name: primitive } : { kind: 'named', name };
  }

  // --- tokens

  #peek(): Token {
    return this.#tokens[this.#at]!;
  }

  #next(): Token {
    const token = this.#peek();
    if (token.kind !== 'end') this.#at++;
    return token;
  }

  #accept(text: string): boolean {
    if (this.#peek().text !== text || this.#peek().kind === 'end') return false;
    this.#at++;
    return true;
  }

  #sign(text: string): string {
    if (!this.#accept(text)) this.refuse(`expected \`${text}\` and not \`${this.#peek().text}\``);
    return text;
  }

  #word(text: string): void {
    this.#sign(text);
  }

  #id(): string {
    const token = this.#peek();
    if (token.kind !== 'id') this.refuse(`expected a name and not \`${token.text}\``);
    this.#at++;
    return token.text;
  }

  /** A comma may be left out before what ends the list. */
  #comma(end: string): void {
    if (!this.#accept(',') && this.#peek().text !== end) this.refuse(`expected \`,\` or \`${end}\``);
  }

  #tokenise(text: string): Token[] {
    const tokens: Token[] = [];
    let docs: string[] = [];
    let line = 0;
    for (const whole of text.split('\n')) {
      line++;
      const rest = whole.trim();
      if (rest.startsWith('///')) {
        docs.push(rest.slice(3).trim());
        continue;
      }
      let code = rest.split('//', 1)[0]!.trim();
      if (code.includes('/*')) throw new Error(`${this.#file}:${line}: block comments are not read here`);
      while (code !== '') {
        const found = /^(?:%?([a-zA-Z0-9][a-zA-Z0-9.-]*(?<![.-]))|(->|[{}()<>:;,.=@_]))/.exec(code);
        if (!found) throw new Error(`${this.#file}:${line}: \`${code.slice(0, 20)}\` is not understood`);
        const [matched, id, sign] = found;
        // `types.{json}`: a name ends before the dot; only a version, after `@`, has dots inside.
        const dot = id !== undefined && tokens.at(-1)?.text !== '@' ? id.indexOf('.') : -1;
        const taken = dot < 0 ? matched : matched.slice(0, matched.indexOf('.'));
        const word = taken.startsWith('%') ? taken.slice(1) : taken;
        tokens.push({ text: sign ?? word, kind: sign === undefined ? 'id' : 'sign', line, docs });
        docs = [];
        code = code.slice(taken.length).trimStart();
      }
    }
    tokens.push({ text: 'the end of the file', kind: 'end', line, docs });
    return tokens;
  }
}

function namesIn(type: WitType): string[] {
  switch (type.kind) {
    case 'primitive':
      return [];
    case 'named':
      return [type.name];
    case 'result':
      return [type.ok, type.error].flatMap((each) => (each ? namesIn(each) : []));
    default:
      return namesIn(type.of);
  }
}

/** The type as it is written in WIT. */
export function witText(type: WitType | undefined): string {
  if (type === undefined) return '_';
  switch (type.kind) {
    case 'primitive':
    case 'named':
      return type.name;
    case 'result':
      return `result<${witText(type.ok)}${type.error ? `, ${witText(type.error)}` : ''}>`;
    default:
      return `${type.kind}<${witText(type.of)}>`;
  }
}

/** `save-annotation` → `saveAnnotation` */
export function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
