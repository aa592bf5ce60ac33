/** `neira:host/storage` for the model. */
import { current } from './engine-host.ts';

export const get = (key: string) => {
  const value = current().read(key);
  return value === undefined ? undefined : { value };
};

export const set = (key: string, value: unknown) => current().write(key, value);
const remove = (key: string) => current().remove(key);

export { remove as delete };

export function add(key: string, amount: number): number {
  const sum = (current().read<number>(key) ?? 0) + amount;
  current().write(key, sum);
  return sum;
}

export function append(key: string, value: unknown): void {
  current().write(`${key}/${String(current().keysBelow(`${key}/`).length).padStart(9, '0')}`, value);
}

export function list(prefix: string, { limit = 100, after = '', reverse = false } = {}) {
  const all = current().keysBelow(prefix);
  const keys = reverse ? all.toReversed() : all;
  const rest = after === '' ? keys : keys.filter((key) => (reverse ? key < after : key > after));
  return rest.slice(0, limit).map((key) => ({ key, value: current().read(key) }));
}

/** Of one object: what the engine remembers of it stays true from one history to the next. */
const shown: Record<string, unknown> = {};

export function settings(): unknown {
  return shown;
}

export function showSettings(values: object): void {
  for (const name of Object.keys(shown)) delete shown[name];
  Object.assign(shown, values);
}
