/** abi/types/neira.h: the host functions for plugins in C, over the canonical ABI written out. */
import {
  CanonicalAbi,
  type Core,
  docLines,
  type HostFunction,
  type Parts,
  snakeCase,
} from './canonical-abi.ts';
import { C_HEAD, C_TAIL } from './render-c-frame.ts';
import type { WitDefinition, WitPackage, WitType } from './wit-reader.ts';

const CORE: Readonly<Record<Core, string>> = {
  pointer: 'const char *',
  length: 'size_t',
  i32: 'int32_t',
  i64: 'int64_t',
  f64: 'double',
};

const PRIMITIVE: Readonly<Record<string, string>> = {
  bool: 'bool',
  u8: 'uint8_t',
  u16: 'uint16_t',
  u32: 'uint32_t',
  u64: 'uint64_t',
  s32: 'int32_t',
  s64: 'int64_t',
  f64: 'double',
  string: 'neira_string',
};

const PARTS: Parts = {
  text: (value) => [`${value}.ptr`, `${value}.len`],
  isSome: (value) => `${value}.is_some`,
  some: (value) => `${value}.value`,
  field: (value, name) => `${value}.${snakeCase(name)}`,
  word: (value) => value,
  wide: (value) => value,
};

export function renderC(wit: WitPackage): string {
  const header = new Header(new CanonicalAbi(wit));
  return [C_HEAD, header.types(), header.functions(), C_TAIL].join('\n');
}

class Header {
  readonly #abi: CanonicalAbi;
  readonly #declared = new Set<string>();

  constructor(abi: CanonicalAbi) {
    this.#abi = abi;
  }

  types(): string {
    const parts = this.#abi.definitions.map((each) => this.#definition(each));
    for (const { answer } of this.#abi.functions) {
      if (answer.kind === 'value') parts.push(this.#needed(answer.type));
      if (answer.kind === 'result' && answer.ok) parts.push(this.#needed(answer.ok));
    }
    return parts.filter((text) => text !== '').join('\n');
  }

  functions(): string {
    return this.#abi.functions.map((each) => this.#function(each)).join('\n');
  }

  #definition(each: WitDefinition): string {
    const name = `neira_${snakeCase(each.name)}`;
    const docs = comment(each.docs);
    if (each.kind === 'alias') return `${docs}typedef ${this.#name(each.type)} ${name};\n`;
    if (each.kind === 'enum') {
      const cases = each.cases.map((one) => `${name}_${snakeCase(one)}`.toUpperCase());
      return `${docs}typedef uint8_t ${name};\nenum { ${cases.join(', ')} };\n`;
    }
    const needed = each.fields.map(({ type }) => this.#needed(type)).filter((text) => text !== '');
    const fields = each.fields.map(
      (field) => `${indent(comment(field.docs))}  ${this.#name(field.type)} ${snakeCase(field.name)};`,
    );
    return `${needed.join('')}${docs}typedef struct {\n${fields.join('\n')}\n} ${name};\n`;
  }

  /** Declares the options and lists that `type` is made of, each once. */
  #needed(type: WitType): string {
    if (type.kind !== 'option' && type.kind !== 'list') return '';
    const name = this.#name(type);
    if (this.#declared.has(name)) return '';
    this.#declared.add(name);
    const inner = this.#needed(type.of);
    const of = this.#name(type.of);
    const fields = type.kind === 'option' ? `bool is_some; ${of} value;` : `${of} *ptr; size_t len;`;
    return `${inner}typedef struct { ${fields} } ${name};\n`;
  }

  #name(type: WitType): string {
    switch (type.kind) {
      case 'primitive':
        return PRIMITIVE[type.name]!;
      case 'named':
        return `neira_${snakeCase(type.name)}`;
      case 'option':
      case 'list':
        return `neira_${type.kind}_${this.#name(type.of).replace(/^neira_|_t$/g, '')}`;
      case 'result':
        throw new Error('a result inside another type is not read here');
    }
  }

  #function({ family, fn, module, inMemory, answer }: HostFunction): string {
    const name = `neira_${snakeCase(family.name)}_${snakeCase(fn.name)}`;
    const raw = `neira_import_${snakeCase(family.name)}_${snakeCase(fn.name)}`;
    const flat = fn.params.flatMap((each) =>
      this.#abi.flat(each.type, this.#given(each.type, snakeCase(each.name)), PARTS),
    );
    const passes = inMemory ? ['const void *'] : flat.map(({ core }) => CORE[core]);
    const returns = answer.kind === 'none' ? [] : ['void *'];
    const declared = [...passes, ...returns];
    const imported = `__attribute__((import_module("${module}"), import_name("${fn.name}")))\nvoid ${raw}(${declared.join(', ') || 'void'});\n`;

    const params = fn.params.map((each) => this.#param(each.type, snakeCase(each.name)));
    const outs = this.#outs(answer);
    const args = inMemory ? ['&given'] : flat.map(({ value }) => value);
    const call = (result: string) =>
      `  ${raw}(${[...args, result].filter((each) => each !== '').join(', ')});`;
    const before = fn.params.filter(({ type }) => type.kind === 'option').map((each) => this.#optional(each));
    if (inMemory) before.push(this.#inMemory(fn.params));
    const [head, body] = this.#body(answer, call);
    const signature = `static inline ${head} ${name}(${[...params, ...outs].join(', ') || 'void'}) {`;
    return `${imported}\n${comment(fn.docs)}${[signature, ...before, ...body, '}'].join('\n')}\n`;
  }

  /** Options and records come by pointer: NULL is none. */
  #param(type: WitType, name: string): string {
    if (type.kind === 'option') return `const ${this.#name(type.of)} *${name}`;
    return this.#abi.resolved(type).kind === 'record'
      ? `const ${this.#name(type)} *${name}`
      : `${this.#name(type)} ${name}`;
  }

  /** The argument as a value. */
  #given(type: WitType, name: string): string {
    if (type.kind === 'option') return `given_${name}`;
    return this.#abi.resolved(type).kind === 'record' ? `(*${name})` : name;
  }

  #optional({ name, type }: { readonly name: string; readonly type: WitType }): string {
    const own = snakeCase(name);
    // An option that only an argument has is declared where it is used.
    const of = type.kind === 'option' ? this.#name(type.of) : '';
    return `  struct { bool is_some; ${of} value; } given_${own} = {0};\n  if (${own}) { given_${own}.is_some = true; given_${own}.value = *${own}; }`;
  }

  #inMemory(params: readonly { readonly name: string; readonly type: WitType }[]): string {
    if (params.length === 1)
      return `  const ${this.#name(params[0]!.type)} given = *${snakeCase(params[0]!.name)};`;
    const fields = params.map(({ name, type }) =>
      type.kind === 'option'
        ? `struct { bool is_some; ${this.#name(type.of)} value; } ${snakeCase(name)};`
        : `${this.#name(type)} ${snakeCase(name)};`,
    );
    const set = params.map(({ name, type }) => {
      const own = snakeCase(name);
      if (type.kind !== 'option') return `given.${own} = ${this.#given(type, own)};`;
      return `given.${own}.is_some = given_${own}.is_some; given.${own}.value = given_${own}.value;`;
    });
    return `  struct { ${fields.join(' ')} } given;\n  ${set.join('\n  ')}`;
  }

  #outs(answer: HostFunction['answer']): string[] {
    if (answer.kind !== 'result') return [];
    return [...(answer.ok ? [`${this.#name(answer.ok)} *answer`] : []), 'neira_refusal *refusal'];
  }

  #body(
    answer: HostFunction['answer'],
    call: (result: string) => string,
  ): readonly [string, readonly string[]] {
    if (answer.kind === 'none') return ['void', [call('')]];
    if (answer.kind === 'value') {
      const type = this.#name(answer.type);
      return [type, [`  ${type} answer;`, call('&answer'), '  return answer;']];
    }
    const ok = answer.ok ? `${this.#name(answer.ok)} ok; ` : '';
    return [
      'bool',
      [
        `  struct { uint8_t is_err; union { ${ok}neira_refusal err; } as; } result;`,
        call('&result'),
        '  if (result.is_err) { if (refusal) *refusal = result.as.err; return false; }',
        ...(answer.ok ? ['  if (answer) *answer = result.as.ok;'] : []),
        '  return true;',
      ],
    ];
  }
}

function comment(docs: readonly string[]): string {
  if (docs.length === 0) return '';
  const lines = docLines(docs).map((line) => line.replaceAll('*/', '* /').replaceAll('/*', '/ *'));
  if (lines.length === 1) return `/** ${lines[0]} */\n`;
  return `/**\n${lines.map((line) => ` * ${line}`.trimEnd()).join('\n')}\n */\n`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
