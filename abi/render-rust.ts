/** abi/types/neira.rs: the host functions for plugins in Rust without crates, over the canonical ABI written out. */
import {
  CanonicalAbi,
  type Core,
  docLines,
  type HostFunction,
  type Parts,
  snakeCase,
} from './canonical-abi.ts';
import { RUST_HEAD } from './render-rust-frame.ts';
import { camelCase, type WitDefinition, type WitField, type WitPackage, type WitType } from './wit-reader.ts';

const CORE: Readonly<Record<Core, string>> = {
  pointer: '*const u8',
  length: 'usize',
  i32: 'i32',
  i64: 'i64',
  f64: 'f64',
};

/** A value as it lies in memory, which is a struct of plain fields. */
const PARTS: Parts = {
  text: (value) => [`${value}.ptr`, `${value}.len`],
  isSome: (value) => `${value}.is_some`,
  some: (value) => `${value}.value`,
  field: (value, name) => `${value}.${rustName(name)}`,
  word: (value) => `${value} as i32`,
  wide: (value) => `${value} as i64`,
};

const PRIMITIVE: Readonly<Record<string, string>> = { s32: 'i32', s64: 'i64', string: 'String' };

export function renderRust(wit: WitPackage): string {
  const abi = new CanonicalAbi(wit);
  const source = new Source(abi);
  const families = [...new Set(abi.functions.map(({ family }) => family))];
  const modules = families.map((family) => {
    const functions = abi.functions
      .filter((each) => each.family === family)
      .map((each) => source.function(each));
    const body = `use super::*;\n\n${functions.join('\n')}`;
    return `${docs(family.docs)}pub mod ${snakeCase(family.name)} {\n${indent(body)}}\n`;
  });
  return [RUST_HEAD, ...abi.definitions.map((each) => source.definition(each)), ...modules].join('\n');
}

class Source {
  readonly #abi: CanonicalAbi;

  constructor(abi: CanonicalAbi) {
    this.#abi = abi;
  }

  definition(each: WitDefinition): string {
    const name = pascalCase(each.name);
    if (each.kind === 'alias') return `${docs(each.docs)}pub type ${name} = ${this.#owned(each.type)};\n`;
    if (each.kind === 'enum') return enumOf(name, each.docs, each.cases);
    return this.#record(name, each.docs, each.fields);
  }

  #record(name: string, about: readonly string[], fields: readonly WitField[]): string {
    const each = (line: (field: WitField) => string) => fields.map(line).join('\n');
    const own = ({ name: field }: WitField) => rustName(field);
    return `${docs(about)}#[derive(Clone, Debug, Default)]
pub struct ${name} {
${each((field) => `${indent(docs(field.docs))}    pub ${own(field)}: ${this.#owned(field.type)},`)}
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Raw${name} {
${each((field) => `    ${own(field)}: <${this.#owned(field.type)} as Abi>::Raw,`)}
}

impl Abi for ${name} {
    type Raw = Raw${name};
    unsafe fn lift(raw: Self::Raw) -> Self {
        ${name} {
${each((field) => `            ${own(field)}: Abi::lift(raw.${own(field)}),`)}
        }
    }
    fn lower(&self) -> Self::Raw {
        Raw${name} {
${each((field) => `            ${own(field)}: self.${own(field)}.lower(),`)}
        }
    }
}
`;
  }

  function({ fn, module, inMemory, answer }: HostFunction): string {
    const name = rustName(fn.name);
    const flat = fn.params.flatMap((each) => this.#abi.flat(each.type, `raw_${snakeCase(each.name)}`, PARTS));
    const passes = inMemory
      ? ['given: *const u8']
      : flat.map(({ core }, index) => `a${index}: ${CORE[core]}`);
    const result = answer.kind === 'none' ? [] : ['answer: *mut u8'];
    const lowered = fn.params.map((each) => `let raw_${snakeCase(each.name)} = ${this.#lowered(each)};`);
    if (inMemory) {
      const fields = fn.params.map((each) => `raw_${snakeCase(each.name)}`);
      lowered.push(`let given = Given${fields.length}(${fields.join(', ')});`);
    }
    const args = inMemory ? ['address(&given)'] : flat.map(({ value }) => value);
    const [returns, body] = this.#body(answer, (out) => `import(${[...args, ...out].join(', ')})`);
    const params = fn.params.map((each) => `${rustName(each.name)}: ${this.#borrowed(each.type)}`);
    const imported = `#[link(wasm_import_module = "${module}")]
extern "C" {
    #[link_name = "${fn.name}"]
    fn import(${[...passes, ...result].join(', ')});
}`;
    const inner = [imported, ...lowered, body].join('\n');
    return `${docs(fn.docs)}pub fn ${name}(${params.join(', ')})${returns} {\n${indent(inner)}\n}\n`;
  }

  #body(answer: HostFunction['answer'], call: (out: readonly string[]) => string): readonly [string, string] {
    if (answer.kind === 'none') return ['', `unsafe { ${call([])} }`];
    if (answer.kind === 'value')
      return [` -> ${this.#owned(answer.type)}`, `unsafe { answered(|answer| ${call(['answer'])}) }`];
    const ok = answer.ok ? this.#owned(answer.ok) : '()';
    return [` -> Result<${ok}, Refusal>`, `unsafe { answered(|answer| ${call(['answer'])}) }`];
  }

  #lowered({ name, type }: WitField): string {
    const own = rustName(name);
    if (type.kind === 'option') {
      const inner = this.#abi.isText(type.of) ? 'raw_text(value)' : 'value.lower()';
      return `RawOption::of(${own}.map(|value| ${inner}))`;
    }
    return this.#abi.isText(type) ? `raw_text(${own})` : `${own}.lower()`;
  }

  #borrowed(type: WitType): string {
    if (type.kind === 'option') return `Option<${this.#borrowed(type.of)}>`;
    if (this.#abi.isText(type)) return '&str';
    return this.#abi.resolved(type).kind === 'record' ? `&${this.#owned(type)}` : this.#owned(type);
  }

  #owned(type: WitType): string {
    switch (type.kind) {
      case 'primitive':
        return PRIMITIVE[type.name] ?? type.name;
      case 'named':
        return pascalCase(type.name);
      case 'option':
        return `Option<${this.#owned(type.of)}>`;
      case 'list':
        return `Vec<${this.#owned(type.of)}>`;
      case 'result':
        throw new Error('a result inside another type is not read here');
    }
  }
}

function enumOf(name: string, about: readonly string[], cases: readonly string[]): string {
  const each = (line: (one: string) => string) => cases.map((one) => line(pascalCase(one))).join('\n');
  return `${docs(about)}#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ${name} {
${each((one) => `    ${one},`)}
}

impl Abi for ${name} {
    type Raw = u8;
    unsafe fn lift(raw: u8) -> Self {
        [${cases.map((one) => `${name}::${pascalCase(one)}`).join(', ')}][raw as usize]
    }
    fn lower(&self) -> u8 {
        *self as u8
    }
}
`;
}

function docs(lines: readonly string[]): string {
  return docLines(lines)
    .map((line) => `/// ${line}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('');
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '    ');
}

function pascalCase(name: string): string {
  return camelCase(`-${name}`);
}

/** Words that Rust keeps for itself; a name of the WIT that is one of them is written raw. */
const KEYWORDS = new Set([
  ...[
    'as',
    'async',
    'await',
    'break',
    'const',
    'continue',
    'dyn',
    'else',
    'enum',
    'extern',
    'false',
    'fn',
    'for',
  ],
  ...[
    'if',
    'impl',
    'in',
    'let',
    'loop',
    'match',
    'mod',
    'move',
    'mut',
    'pub',
    'ref',
    'return',
    'static',
    'struct',
  ],
  ...[
    'trait',
    'true',
    'type',
    'unsafe',
    'use',
    'where',
    'while',
    'abstract',
    'box',
    'do',
    'final',
    'gen',
    'macro',
  ],
  ...['override', 'priv', 'try', 'typeof', 'unsized', 'virtual', 'yield'],
]);

function rustName(name: string): string {
  const own = snakeCase(name);
  return KEYWORDS.has(own) ? `r#${own}` : own;
}
