/**
 * The host functions in TypeScript, rendered from the WIT: as scripts import them (guest.d.ts), as the host
 * answers them (host.d.ts) and as data (functions.json).
 */
import {
  camelCase,
  type WitDefinition,
  type WitFunction,
  type WitInterface,
  type WitPackage,
  type WitType,
  witText,
} from './wit-reader.ts';

const HEADER = '// Generated from abi/wit/v1 by `npm run gen`. Do not edit.\n';
export const SHARED = 'types';
/** The error type of every host function: thrown as a NeiraError, so it is never a value. */
const REFUSAL = 'refusal';
/** Names that a function of a module may have and a declaration may not. */
const RESERVED_WORDS = new Set([
  'delete',
  'export',
  'import',
  'new',
  'return',
  'switch',
  'typeof',
  'void',
  'with',
]);

interface View {
  /** How `json` is spelled. */
  readonly json: string;
  /** Whether records that carry JSON, and functions that answer it, take a type parameter. */
  readonly generic: boolean;
  /** Aliases of `json` that WIT can say no more about. */
  readonly shapes: Readonly<Record<string, string>>;
}

const GUEST: View = {
  json: 'Json',
  generic: true,
  shapes: {
    texts: 'Readonly<Record<string, string>>',
    'http-values': 'Readonly<Record<string, HttpValue | readonly HttpValue[]>>',
  },
};
const HOST: View = { json: 'JsonText', generic: false, shapes: {} };

/** Modules `neira:host/*` for authors of script plugins. `codes` are those of the error catalogue. */
export function renderGuestTypes(wit: WitPackage, codes: readonly string[]): string {
  const types = new Types(wit, GUEST);
  const modules = families(wit).map((each) =>
    moduleOf(each.name, each.docs, [
      `import type { ${types.importsOf(each).join(', ')} } from 'neira:host/${SHARED}';`,
      ...each.functions.map(
        (fn) => GUEST_INSTEAD[opOf(each, fn)] ?? `${jsDoc(fn.docs)}${exported(fn.name, types.signature(fn))}`,
      ),
    ]),
  );
  const shared = interfaceNamed(wit, SHARED);
  const shapes = shared.definitions.filter((each) => each.name !== REFUSAL && !isJson(each));
  const module = moduleOf(SHARED, shared.docs, [
    GUEST_JSON,
    ...shapes.map((each) => types.definition(each)),
    GUEST_SHAPES,
    `/** The codes of the error catalogue, abi/errors.md. */\nexport type ErrorCode =\n${codes.map((code) => `  | '${code}'`).join('\n')};`,
  ]);
  return `${[HEADER, ...modules, module].join('\n')}`;
}

/** What scripts have in place of a function whose use promises would mix up. */
const GUEST_INSTEAD: Readonly<Record<string, string>> = {
  'principals.act-as': `/**
 * The host functions, each called by this principal and decided by its grants. They may be kept, passed on and
 * interleaved: every call is the principal's, and nothing else is. One that is not registered is
 * NEIRA_PRINCIPAL_UNKNOWN at each call.
 *
 *     const me = as('scenario:morning');
 *     me.storage.set('step', 2);
 *     const answer = await me.bus.request('speech.text.say', { text });
 */
function as_(principal: string): Acting;
export { as_ as as };

export interface Acting {
  readonly id: string;
  readonly storage: typeof import('neira:host/storage');
  readonly io: typeof import('neira:host/io');
  readonly bus: typeof import('neira:host/bus');
}`,
};

const GUEST_JSON = `/**
 * What host functions take: a value that survives \`JSON.stringify\`. Give your own shapes as \`type\`, not as
 * \`interface\`: TypeScript does not accept an interface here.
 */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json | undefined };`;

const GUEST_SHAPES = `/** A sealed message: what \`handle\` is called with. Name the payload's shape: \`Envelope<{ city: string }>\`. */
export interface Envelope<Payload = Json> {
  readonly id: string;
  /** Command \`namespace.verb\` or event \`namespace.noun.past\`. */
  readonly event_name: string;
  readonly version: number;
  /** RFC 3339, UTC. */
  readonly ts: string;
  readonly source: string;
  readonly correlation_id: string;
  /** Id of the event that caused this one; null for what comes from outside. */
  readonly causation_id: string | null;
  readonly tenant: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Payload;
}

/** One thing for whoever sent the event to do or to know, for example \`{ type: 'notify', text }\`. */
export interface Action {
  readonly type: string;
  readonly [name: string]: Json | undefined;
}

/** A part of an HTTP request; \`{ secret }\` is filled in by the host. */
export type HttpValue = string | number | boolean | { readonly secret: string };

/** What \`handle\` answers; nothing is an answer too. */
export interface Reply {
  readonly actions?: readonly Action[];
  /** Of a command: what whoever asked is answered. */
  readonly result?: Json;
}

/** Thrown by every host function that refuses. Branch on \`code\`. */
export class NeiraError extends Error {
  private constructor();
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, Json>>;
}`;

/** What stands behind the modules on the host's side; JSON stays text there. */
export function renderHostTypes(wit: WitPackage): string {
  const types = new Types(wit, HOST);
  const all = families(wit);
  const shapes = interfaceNamed(wit, SHARED).definitions.filter((each) => !isJson(each));
  const interfaces = all.map((each) => {
    const methods = each.functions.map(
      (fn) => `${jsDoc(fn.docs)}${camelCase(fn.name)}${types.signature(fn)}`,
    );
    return `${jsDoc(each.docs)}export interface ${interfaceName(each)} {\n${indent(methods.join('\n\n'))}\n}`;
  });
  const ops = all.flatMap((each) =>
    each.functions.map((fn) => `'${opOf(each, fn)}': ${interfaceName(each)}['${camelCase(fn.name)}'];`),
  );
  return `${[
    HEADER,
    '/** A JSON text (RFC 8259). */\nexport type JsonText = string;\n',
    shapes.map((each) => types.definition(each)).join('\n\n'),
    '',
    interfaces.join('\n\n'),
    '',
    `/** Every host function by the name that calls carry. */\nexport interface HostOps {\n${indent(ops.join('\n'))}\n}`,
    '',
    'export type HostOp = keyof HostOps;',
  ].join('\n')}\n`;
}

/** The host functions as data, for tests and tools. */
export function renderFunctions(wit: WitPackage): string {
  const functions = families(wit).flatMap((each) =>
    each.functions.map((fn) => ({
      op: opOf(each, fn),
      interface: each.name,
      name: camelCase(fn.name),
      ...(fn.waits && { waits: true }),
      params: fn.params.map(({ name, type }) => ({ name: camelCase(name), type: witText(type) })),
      result: fn.result ? witText(fn.result) : null,
    })),
  );
  return `${JSON.stringify({ package: wit.id, functions }, null, 2)}\n`;
}

/** The interfaces that a plugin may import, in the order of the world. */
export function families(wit: WitPackage): WitInterface[] {
  const [world] = wit.worlds;
  if (!world) throw new Error(`${wit.id} has no world`);
  return world.imports.map((name) => interfaceNamed(wit, name));
}

export function interfaceNamed(wit: WitPackage, name: string): WitInterface {
  const found = wit.interfaces.find((each) => each.name === name);
  if (!found) throw new Error(`${wit.id} has no interface ${name}`);
  return found;
}

export function opOf(family: WitInterface, fn: WitFunction): string {
  return `${family.name}.${fn.name}`;
}

function interfaceName(family: WitInterface): string {
  return `${pascalCase(family.name)}Functions`;
}

function isJson(definition: WitDefinition): boolean {
  return definition.name === 'json';
}

/** Types of one view. Shared types live in the interface `types`, which is the only one that defines any. */
class Types {
  readonly #view: View;
  readonly #definitions: ReadonlyMap<string, WitDefinition>;
  /** Records that a function answers with JSON inside: they take the type of that JSON. */
  readonly #generic: ReadonlySet<string>;

  constructor(wit: WitPackage, view: View) {
    this.#view = view;
    this.#definitions = new Map(interfaceNamed(wit, SHARED).definitions.map((each) => [each.name, each]));
    for (const each of families(wit)) {
      if (each.definitions.length > 0) throw new Error(`interface ${each.name} defines types of its own`);
    }
    const answered = families(wit).flatMap((each) => each.functions.flatMap((fn) => namesOf(answerOf(fn))));
    this.#generic = new Set(view.generic ? answered.filter((name) => this.#carriesJson(name)) : []);
  }

  signature(fn: WitFunction): string {
    const params = fn.params.map(({ name, type }, index) => {
      if (type.kind !== 'option') return `${camelCase(name)}: ${this.#text(type)}`;
      if (fn.params.slice(index).some((later) => later.type.kind !== 'option')) {
        throw new Error(`${fn.name}: the option ${name} stands before a parameter that is none`);
      }
      return `${camelCase(name)}?: ${this.#text(type.of)}`;
    });
    const answer = answerOf(fn);
    const answersJson = namesOf(answer).some((name) => name === 'json' || this.#generic.has(name));
    const parameter = this.#view.generic && answersJson ? `<T = ${this.#view.json}>` : '';
    const text = this.#text(answer, parameter === '' ? undefined : 'T');
    return `${parameter}(${params.join(', ')}): ${fn.waits ? `Promise<${text}>` : text};`;
  }

  definition(each: WitDefinition): string {
    const name = pascalCase(each.name);
    const docs = jsDoc(each.docs);
    if (each.kind === 'enum')
      return `${docs}export type ${name} = ${each.cases.map((one) => `'${one}'`).join(' | ')};`;
    if (each.kind === 'alias')
      return `${docs}export type ${name} = ${this.#view.shapes[each.name] ?? this.#text(each.type)};`;
    const generic = this.#generic.has(each.name);
    const fields = each.fields.map((field) => {
      const optional = field.type.kind === 'option';
      const type = field.type.kind === 'option' ? field.type.of : field.type;
      const mark = optional ? '?' : '';
      return `${jsDoc(field.docs)}readonly ${camelCase(field.name)}${mark}: ${this.#text(type, generic ? 'T' : undefined)};`;
    });
    const parameter = generic ? `<T = ${this.#view.json}>` : '';
    return `${docs}export interface ${name}${parameter} {\n${indent(fields.join('\n'))}\n}`;
  }

  /** Names that the module of `family` takes from the shared types. */
  importsOf(family: WitInterface): string[] {
    const mentioned = family.functions.flatMap((fn) => [
      ...namesOf(answerOf(fn)),
      ...fn.params.flatMap(({ type }) => namesOf(type)),
    ]);
    return [...new Set(mentioned)]
      .map((name) => (name === 'json' ? this.#view.json : pascalCase(name)))
      .sort();
  }

  /** `json` is written as `value` where one is given. */
  #text(type: WitType | undefined, value?: string): string {
    if (type === undefined) return 'void';
    switch (type.kind) {
      case 'primitive':
        if (type.name === 'string') return 'string';
        return type.name === 'bool' ? 'boolean' : 'number';
      case 'option':
        return `${this.#text(type.of, value)} | undefined`;
      case 'list':
        return `${this.#text(type.of, value)}[]`;
      case 'result':
        return this.#text(type.ok, value);
      case 'named':
        if (type.name === 'json') return value ?? this.#view.json;
        return value !== undefined && this.#generic.has(type.name)
          ? `${pascalCase(type.name)}<${value}>`
          : pascalCase(type.name);
    }
  }

  #carriesJson(name: string): boolean {
    const found = this.#definitions.get(name);
    return found?.kind === 'record' && found.fields.some(({ type }) => namesOf(type).includes('json'));
  }
}

/** What a function answers once refusals are thrown. */
function answerOf(fn: WitFunction): WitType | undefined {
  if (fn.result?.kind !== 'result') return fn.result;
  const { ok, error } = fn.result;
  if (error?.kind !== 'named' || error.name !== REFUSAL)
    throw new Error(`${fn.name} must refuse with ${REFUSAL}`);
  return ok;
}

function namesOf(type: WitType | undefined): string[] {
  if (type === undefined || type.kind === 'primitive') return [];
  if (type.kind === 'named') return [type.name];
  return type.kind === 'result' ? [...namesOf(type.ok), ...namesOf(type.error)] : namesOf(type.of);
}

function exported(name: string, signature: string): string {
  const camel = camelCase(name);
  if (!RESERVED_WORDS.has(camel)) return `export function ${camel}${signature}`;
  return `function ${camel}_${signature}\nexport { ${camel}_ as ${camel} };`;
}

function moduleOf(name: string, docs: readonly string[], parts: readonly string[]): string {
  return `${jsDoc(docs)}declare module 'neira:host/${name}' {\n${indent(parts.join('\n\n'))}\n}\n`;
}

/** Doc lines with the `kebab-names` between backquotes as scripts spell them. */
function jsDoc(lines: readonly string[]): string {
  if (lines.length === 0) return '';
  const text = lines.map((line) => line.replace(/`[a-z]+(?:-[a-z]+)+`/g, camelCase).replaceAll('*/', '*\\/'));
  if (text.length === 1) return `/** ${text[0]} */\n`;
  return `/**\n${text.map((line) => ` * ${line}`.trimEnd()).join('\n')}\n */\n`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}

function pascalCase(name: string): string {
  return camelCase(`-${name}`);
}
