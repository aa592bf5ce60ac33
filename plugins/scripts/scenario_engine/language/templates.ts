/** Texts with `${…}` in them, as {@link Template}s. */
import type { Expression, Template } from '../program.ts';

export interface Found {
  readonly expression: Expression;
  /** Characters before it in the text that it stands in. */
  readonly offset: number;
}

/** How a text cannot be read. */
export class TemplateFault extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** @param onExpression is told of each. @throws {TemplateFault} */
export function textTemplate(text: string, onExpression: (found: Found) => void): Template {
  const parts: unknown[] = [];
  let plain = '';
  let at = 0;
  while (at < text.length) {
    if (text.startsWith('$${', at)) {
      plain += '${';
      at += 3;
    } else if (text.startsWith('${', at)) {
      const end = endOf(text, at + 2);
      const expression = text.slice(at + 2, end).trim();
      if (expression === '') throw new TemplateFault('`${}` holds no expression', at);
      onExpression({ expression, offset: at + 2 });
      if (plain !== '') parts.push(plain);
      plain = '';
      parts.push({ $: expression });
      at = end + 1;
    } else plain += text[at++];
  }
  if (parts.length === 0) return plain;
  if (plain !== '') parts.push(plain);
  return parts.length === 1 ? parts[0] : { $$: parts };
}

/** Where the expression that begins here ends: braces within it, and in texts of it, are its own. */
function endOf(text: string, from: number): number {
  let depth = 0;
  let quote = '';
  for (let at = from; at < text.length; at += 1) {
    const char = text[at]!;
    if (quote !== '') {
      if (char === '\\') at += 1;
      else if (char === quote) quote = '';
    } else if (char === '"' || char === "'") quote = char;
    else if (char === '{') depth += 1;
    else if (char === '}' && depth-- === 0) return at;
  }
  throw new TemplateFault('`${` is not closed by `}`', from - 2);
}

/** `${…}` around a whole expression says no more than the expression. */
export function bareExpression(text: string): Found {
  const trimmed = text.trim();
  if (!trimmed.startsWith('${') || !trimmed.endsWith('}')) return { expression: trimmed, offset: 0 };
  return { expression: trimmed.slice(2, -1).trim(), offset: text.indexOf('${') + 2 };
}
