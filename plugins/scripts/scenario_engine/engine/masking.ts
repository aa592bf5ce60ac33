/** What a bag shows to people: secrets stay what they are named, and not what they say (SCN-21, MEM-05). */

const SECRET_NAME =
  /(^|_|\b)(password|passwd|secret|token|api_?key|authorization|cookie|pin|cvc|cvv)($|_|\b)/i;
const MASK = '‹secret›';

export function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value);
  const [only] = entries;
  if (entries.length === 1 && only![0] === 'secret' && typeof only![1] === 'string')
    return `‹secret ${only![1]}›`;
  return Object.fromEntries(
    entries.map(([name, each]) => [
      name,
      SECRET_NAME.test(name) && (typeof each === 'string' || typeof each === 'number') ? MASK : masked(each),
    ]),
  );
}
