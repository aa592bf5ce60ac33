import { Environment } from '@marcbachmann/cel-js';

const env = new Environment({ unlistedVariablesAreDyn: true });
const cache = new Map<string, (scope: object) => unknown>();
export function evaluate(expression: string, scope: Record<string, unknown>): unknown {
  let run = cache.get(expression);
  if (!run) cache.set(expression, (run = env.parse(expression) as never));
  try {
    return plain(run!(deep(scope) as object));
  } catch (error) {
    throw { code: 'SCENARIO_EXPRESSION', message: `\`${expression}\`: ${(error as Error).message}` };
  }
}
function plain(v: unknown): unknown {
  if (typeof v === 'bigint') return Number(v);
  if (v instanceof Date) return v.toISOString();
  if (Array.isArray(v)) return v.map(plain);
  if (v instanceof Map) return Object.fromEntries([...v].map(([k, x]) => [k, plain(x)]));
  if (v && typeof v === 'object') return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, plain(x)]));
  return v;
}
export function fill(t: unknown, scope: Record<string, unknown>): unknown {
  if (Array.isArray(t)) return t.map((x) => fill(x, scope));
  if (t && typeof t === 'object') {
    const o = t as Record<string, unknown>;
    if (typeof o['$'] === 'string') return evaluate(o['$'], scope);
    if (Array.isArray(o['$$']))
      return o['$$']
        .map((x) => {
          const v = fill(x, scope);
          return typeof v === 'string' ? v : JSON.stringify(v);
        })
        .join('');
    return Object.fromEntries(Object.entries(o).map(([k, x]) => [k, fill(x, scope)]));
  }
  return t;
}

function deep(v: unknown): unknown {
  if (typeof v === 'number' && Number.isInteger(v)) return BigInt(v);
  if (Array.isArray(v)) return v.map(deep);
  if (v && typeof v === 'object') return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, deep(x)]));
  return v;
}
