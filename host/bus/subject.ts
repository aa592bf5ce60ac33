/**
 * Subjects and the patterns that select them, as in NATS (BUS-49): tokens with dots between them, where a
 * pattern may have `*` for exactly one token and, at its end, `>` for one or more.
 */
import { NeiraError } from '../errors.ts';

export const MAX_PATTERN_CHARS = 200;
export const MAX_PATTERN_TOKENS = 16;
const MAX_VERSION_DIGITS = 6;

const LITERAL = /^[a-z0-9_]+$/;
const VERSION = new RegExp(`^[1-9][0-9]{0,${MAX_VERSION_DIGITS - 1}}$`);

/** The event of a subscription: `ui.notify@1`, `nlp.intent.>@2`; without a version, any version. */
export interface SubscriptionEvent {
  readonly pattern: string;
  readonly version: number | null;
}

/**
 * The tokens of a pattern.
 * @throws NEIRA_VALUE_INVALID with the reason.
 */
export function parsePattern(text: string): readonly string[] {
  if (text.length > MAX_PATTERN_CHARS) refuse(text, `it is longer than ${MAX_PATTERN_CHARS} characters`);
  const tokens = text.split('.');
  if (tokens.length > MAX_PATTERN_TOKENS) refuse(text, `it has more than ${MAX_PATTERN_TOKENS} tokens`);
  for (const [index, token] of tokens.entries()) {
    if (token === '>' && index < tokens.length - 1) refuse(text, '`>` may only be its last token');
    if (token === '') refuse(text, 'a token is empty');
    if (token !== '>' && token !== '*' && !LITERAL.test(token)) {
      refuse(text, `token ${index + 1} must be \`*\`, \`>\` or consist of a-z, 0-9 and _`);
    }
  }
  return tokens;
}

/** @throws NEIRA_VALUE_INVALID with the reason. */
export function parseSubscriptionEvent(text: string): SubscriptionEvent {
  const at = text.indexOf('@');
  const pattern = at < 0 ? text : text.slice(0, at);
  parsePattern(pattern);
  if (at < 0) return { pattern, version: null };
  const version = text.slice(at + 1);
  if (!VERSION.test(version)) refuse(text, 'after `@` comes the number of a version, such as `@1`');
  return { pattern, version: Number(version) };
}

/** Whether `pattern`, which was parsed before, selects `subject`. */
export function matches(pattern: string, subject: string): boolean {
  return covers(pattern, subject);
}

/**
 * Whether `outer` matches every subject that `inner` matches: a subscription made at run time has to lie
 * within a pattern that the manifest names. Both were parsed before.
 */
export function covers(outer: string, inner: string): boolean {
  const outerTokens = outer.split('.');
  const innerTokens = inner.split('.');
  for (const [index, token] of outerTokens.entries()) {
    const other = innerTokens[index];
    if (other === undefined) return false;
    if (token === '>') return true;
    if (other === '>' || (token !== '*' && token !== other)) return false;
  }
  return outerTokens.length === innerTokens.length;
}

/** How exactly a pattern says what it means: without wildcards most, else by its literal tokens. */
export function exactness(pattern: string): number {
  const tokens = pattern.split('.');
  const literal = tokens.filter((token) => token !== '*' && token !== '>').length;
  return literal === tokens.length ? Number.POSITIVE_INFINITY : literal;
}

function refuse(text: string, reason: string): never {
  const pattern = text.slice(0, MAX_PATTERN_CHARS);
  throw new NeiraError('NEIRA_VALUE_INVALID', { what: 'subject pattern', reason, pattern });
}
