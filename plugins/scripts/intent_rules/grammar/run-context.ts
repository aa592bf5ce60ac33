/** What a scenario is begun with: `ctx` of a rule, `{slot}` in its texts standing for what was said. */
import type { Scalar } from '../understand/lists.ts';

const SLOT = /\{([\p{L}\p{N}_.-]+)\}/gu;
const WHOLE = /^\{([\p{L}\p{N}_.-]+)\}$/u;

/** A text that is nothing but a slot becomes its value, with its type; where that was not said there is no such key. */
export function filledContext(
  ctx: Readonly<Record<string, unknown>>,
  slots: Readonly<Record<string, Scalar>>,
): Readonly<Record<string, unknown>> {
  return filled(ctx, slots) as Readonly<Record<string, unknown>>;
}

function filled(value: unknown, slots: Readonly<Record<string, Scalar>>): unknown {
  if (typeof value === 'string') {
    const [, slot] = WHOLE.exec(value) ?? [];
    if (slot !== undefined) return slots[slot];
    return value.replace(SLOT, (_, name: string) => String(slots[name] ?? ''));
  }
  if (Array.isArray(value))
    return value.map((each) => filled(each, slots)).filter((each) => each !== undefined);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([key, each]) => [key, filled(each, slots)] as const);
  return Object.fromEntries(entries.filter(([, each]) => each !== undefined));
}

export function slotsNamed(value: unknown): readonly string[] {
  if (typeof value === 'string') return [...value.matchAll(SLOT)].map(([, name]) => name!);
  if (value === null || typeof value !== 'object') return [];
  return Object.values(value).flatMap(slotsNamed);
}
