import { createHash } from 'node:crypto';
import { lazyPackage } from '../base/lazy-package.ts';

const jsonPath = lazyPackage<typeof import('jsonpath-rfc9535/parser')>('jsonpath-rfc9535/parser');

type Step = string | number;

/** A longer key becomes its digest. */
export const MAX_KEY_CHARS = 256;
const MAX_PATH_CHARS = 256;
const MAX_COMPILED = 1000;

/**
 * The steps of an RFC 9535 singular path: names and indexes only, so that it selects one value at most.
 * @throws Error with a readable message.
 */
export function parseSingularPath(path: string): readonly Step[] {
  if (path.length > MAX_PATH_CHARS) throw new Error(`is not a path of at most ${MAX_PATH_CHARS} characters`);
  const query = (() => {
    try {
      return jsonPath().default(path);
    } catch (error) {
      throw new Error(`is not an RFC 9535 path: ${(error as Error).message}`);
    }
  })();
  return query.segments.map(({ type, node }) => {
    if (type === 'ChildSegment') {
      if (node.type === 'MemberNameShorthand') return node.value;
      const [selector, ...others] = node.type === 'BracketedSelection' ? node.selectors : [];
      if (others.length === 0 && (selector?.type === 'NameSelector' || selector?.type === 'IndexSelector')) {
        return selector.value;
      }
    }
    throw new Error('is not a singular path: it may select several values');
  });
}

const noKey = (): undefined => undefined;
const compiled = new Map<string, (envelope: unknown) => string | undefined>();

/**
 * The key of an envelope for a subscription: deliveries of one key run one at a time, in order. Without
 * `key`, or where the path finds no text, number or boolean, there is none, and order is not promised.
 * Long keys become their digest. Reads own fields only, so a path never reaches what JavaScript adds to objects.
 */
export function keyOf(subscription: { readonly key?: string }): (envelope: unknown) => string | undefined {
  const path = subscription.key;
  if (path === undefined) return noKey;
  const known = compiled.get(path);
  if (known !== undefined) return known;
  const steps = parseSingularPath(path);
  const read = (envelope: unknown) => {
    let value = envelope;
    for (const step of steps) {
      if (typeof step === 'number') {
        value = Array.isArray(value) ? value.at(step) : undefined;
      } else {
        const holder = typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
        value = Object.hasOwn(holder, step) ? (holder as Record<string, unknown>)[step] : undefined;
      }
    }
    if (!['string', 'number', 'boolean'].includes(typeof value)) return undefined;
    const key = String(value);
    return key.length <= MAX_KEY_CHARS ? key : `sha256:${createHash('sha256').update(key).digest('hex')}`;
  };
  if (compiled.size >= MAX_COMPILED) compiled.clear();
  compiled.set(path, read);
  return read;
}
