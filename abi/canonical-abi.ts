/**
 * How the component model passes our host functions to code that speaks to it by hand: which core values an argument
 * becomes, and how an answer lies in memory. From one description come abi/types/neira.h and abi/types/neira.rs.
 *
 * Read here is what the WIT uses, and the rest is refused: a list as an argument, an answer that is one core value.
 */
import { families, interfaceNamed, SHARED } from './render-types.ts';
import type { WitDefinition, WitFunction, WitInterface, WitPackage, WitType } from './wit-reader.ts';

export type Core = 'pointer' | 'length' | 'i32' | 'i64' | 'f64';

/** One core value of an argument, and the expression that gives it. */
export interface Flat {
  readonly core: Core;
  readonly value: string;
}

/** How a language says the parts of a value. */
export interface Parts {
  text(value: string): readonly [pointer: string, length: string];
  isSome(value: string): string;
  some(value: string): string;
  field(value: string, name: string): string;
  /** A truth value, an enum or a small number as an i32. */
  word(value: string): string;
  /** A number of 64 bits as an i64. */
  wide(value: string): string;
}

/** More core values than this lie in memory, and one pointer to them is passed. */
const MAX_FLAT = 16;

export interface HostFunction {
  readonly family: WitInterface;
  readonly fn: WitFunction;
  /** `neira:host/storage@1.0.0` */
  readonly module: string;
  /** Its arguments lie in memory, one after the other, as a record would. */
  readonly inMemory: boolean;
  readonly answer:
    | { readonly kind: 'none' }
    | { readonly kind: 'value'; readonly type: WitType }
    /** Or a refusal. */
    | { readonly kind: 'result'; readonly ok: WitType | undefined };
}

export class CanonicalAbi {
  readonly definitions: readonly WitDefinition[];
  readonly functions: readonly HostFunction[];
  readonly #known: ReadonlyMap<string, WitDefinition>;

  constructor(wit: WitPackage) {
    this.definitions = interfaceNamed(wit, SHARED).definitions;
    this.#known = new Map(this.definitions.map((each) => [each.name, each]));
    this.functions = families(wit).flatMap((family) =>
      family.functions.map((fn) => ({
        family,
        fn,
        module: wit.id.replace('@', `/${family.name}@`),
        inMemory: fn.params.reduce((sum, { type }) => sum + this.#width(type), 0) > MAX_FLAT,
        answer: this.#answerOf(fn),
      })),
    );
  }

  /** The type behind the names that stand for it. */
  resolved(type: WitType): WitType | WitDefinition {
    if (type.kind !== 'named') return type;
    const found = this.#known.get(type.name);
    if (!found) throw new Error(`the type ${type.name} is not known`);
    return found.kind === 'alias' ? this.resolved(found.type) : found;
  }

  isText(type: WitType): boolean {
    const found = this.resolved(type);
    return found.kind === 'primitive' && found.name === 'string';
  }

  /** The core values of `value`. */
  flat(type: WitType, value: string, parts: Parts): Flat[] {
    const found = this.resolved(type);
    switch (found.kind) {
      case 'primitive': {
        if (found.name === 'string') {
          const [pointer, length] = parts.text(value);
          return [
            { core: 'pointer', value: pointer },
            { core: 'length', value: length },
          ];
        }
        if (found.name === 'f64') return [{ core: 'f64', value }];
        const wide = found.name === 'u64' || found.name === 's64';
        return [wide ? { core: 'i64', value: parts.wide(value) } : { core: 'i32', value: parts.word(value) }];
      }
      case 'enum':
        return [{ core: 'i32', value: parts.word(value) }];
      case 'option':
        return [
          { core: 'i32', value: parts.word(parts.isSome(value)) },
          ...this.flat(found.of, parts.some(value), parts),
        ];
      case 'record':
        return found.fields.flatMap((each) => this.flat(each.type, parts.field(value, each.name), parts));
      default:
        throw new Error(`a ${found.kind} as an argument is not read here`);
    }
  }

  #width(type: WitType): number {
    const nothing: Parts = {
      text: () => ['', ''],
      isSome: () => '',
      some: () => '',
      field: () => '',
      word: () => '',
      wide: () => '',
    };
    return this.flat(type, '', nothing).length;
  }

  #answerOf({ name, result }: WitFunction): HostFunction['answer'] {
    if (!result) return { kind: 'none' };
    if (result.kind === 'result') return { kind: 'result', ok: result.ok };
    const found = this.resolved(result);
    const single = found.kind === 'primitive' ? found.name !== 'string' : found.kind === 'enum';
    if (single) throw new Error(`${name} answers one core value, which is not read here`);
    return { kind: 'value', type: result };
  }
}

export function snakeCase(name: string): string {
  return name.replaceAll('-', '_');
}

/** Doc lines with the `kebab-names` between backquotes as C and Rust spell them. */
export function docLines(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/`[a-z]+(?:-[a-z]+)+`/g, snakeCase));
}
