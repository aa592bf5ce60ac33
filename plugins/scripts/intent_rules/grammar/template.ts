/**
 * Sentence templates in the grammar that Home Assistant's sentences are written in (the data's README describes it):
 * `(a|b)` one of them, `(a;b)` all in any order, `[x]` or nothing, `{list}` and `{list:slot}` a value of a list,
 * `<rule>` a named part, `\` before a character that means itself. Groups may stand inside words: `ламп[а|у]`.
 */

export type Template =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'list'; readonly list: string; readonly slot: string }
  | { readonly kind: 'rule'; readonly rule: string }
  | { readonly kind: 'all'; readonly parts: readonly Template[] }
  | { readonly kind: 'one'; readonly parts: readonly Template[] }
  | { readonly kind: 'order'; readonly parts: readonly Template[] };

/** Where in the template it cannot be read, from 0. */
export class TemplateFault extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

const CLOSES: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}', '<': '>' };
const NAME = /^[\p{L}\p{N}_.-]+$/u;
/** `(a;b;c)` is all orders of three; of more there are too many to be meant. */
export const MAX_ORDERED = 6;
const MAX_DEPTH = 40;

/** @throws {TemplateFault} */
export function readTemplate(text: string): Template {
  const reader = new Reader(text);
  const read = reader.group('', 0);
  return read;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** What stands until `close`, which is read as well. */
  group(close: string, from: number, depth = 0): Template {
    if (depth > MAX_DEPTH) throw new TemplateFault(`groups lie ${MAX_DEPTH} deep at most`, from);
    const parts: Template[][] = [[]];
    let divider = '';
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined) {
        if (close !== '')
          throw new TemplateFault(`\`${this.#text[from]}\` is not closed by \`${close}\``, from);
        break;
      }
      if (char === close) {
        this.#at += 1;
        break;
      }
      if (char === '|' || char === ';') {
        if (divider !== '' && divider !== char)
          throw new TemplateFault(
            '`|` and `;` do not mix; put one of them into a group of its own',
            this.#at,
          );
        if (close === '' && char === ';') throw new TemplateFault('`;` stands inside of `( )`', this.#at);
        divider = char;
        parts.push([]);
        this.#at += 1;
      } else parts.at(-1)!.push(this.#part(char, depth));
    }
    const all = parts.map(allOf);
    if (divider === ';' && all.length > MAX_ORDERED)
      throw new TemplateFault(`\`;\` puts ${MAX_ORDERED} parts into any order at most`, from);
    if (all.length === 1) return all[0]!;
    return { kind: divider === ';' ? 'order' : 'one', parts: all };
  }

  #part(char: string, depth: number): Template {
    const from = this.#at;
    if (char === '(' || char === '[') {
      this.#at += 1;
      const inside = this.group(CLOSES[char]!, from, depth + 1);
      return char === '(' ? inside : { kind: 'one', parts: [inside, NOTHING] };
    }
    if (char === '{' || char === '<') return this.#reference(char, from);
    if (char in CLOSING) throw new TemplateFault(`\`${char}\` closes nothing`, from);
    return this.#words();
  }

  #reference(open: string, from: number): Template {
    const end = this.#text.indexOf(CLOSES[open]!, from);
    if (end < 0) throw new TemplateFault(`\`${open}\` is not closed by \`${CLOSES[open]}\``, from);
    const [name = '', slot = name, ...more] = this.#text.slice(from + 1, end).split(':');
    this.#at = end + 1;
    if (!NAME.test(name) || !NAME.test(slot) || more.length > 0)
      throw new TemplateFault(`\`${this.#text.slice(from, end + 1)}\` has no name that it could mean`, from);
    if (open === '{') return { kind: 'list', list: name, slot };
    if (slot !== name) throw new TemplateFault('a rule fills no slot; a list in it does', from);
    return { kind: 'rule', rule: name };
  }

  #words(): Template {
    let text = '';
    for (
      let char = this.#text[this.#at];
      char !== undefined && !SPECIAL.has(char);
      char = this.#text[this.#at]
    ) {
      this.#at += 1;
      text += char === '\\' ? (this.#text[this.#at++] ?? '\\') : char;
    }
    return { kind: 'text', text };
  }
}

const CLOSING: Readonly<Record<string, true>> = { ')': true, ']': true, '}': true, '>': true };
const SPECIAL = new Set([...'()[]{}<>|;']);
const NOTHING: Template = { kind: 'all', parts: [] };

function allOf(parts: readonly Template[]): Template {
  return parts.length === 1 ? parts[0]! : { kind: 'all', parts };
}

/** Names of lists or rules that it refers to, itself. */
export function referencesOf(template: Template): readonly (Template & { kind: 'list' | 'rule' })[] {
  switch (template.kind) {
    case 'text':
      return [];
    case 'list':
    case 'rule':
      return [template];
    default:
      return template.parts.flatMap(referencesOf);
  }
}
