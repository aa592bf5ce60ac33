/** Programs for the tests of the interpreter, written as nested steps. */
import type { Node, Program } from '../program.ts';

/** A step with the steps inside of it, as a Node has them by number. */
export type Written = { readonly kind: Node['kind']; readonly name: string } & Record<string, unknown>;

export function programOf(steps: readonly Written[], more: Partial<Program> = {}): Program {
  const nodes: unknown[] = [];
  const block = (written: unknown, path: string): number[] =>
    (written as readonly Written[]).map((each) => node(each, path));
  const node = (written: Written, above: string): number => {
    const place = nodes.length;
    const path = above === '' ? written.name : `${above}/${written.name}`;
    nodes.push(undefined);
    const inside = (value: unknown, branch?: string): unknown => {
      if (value === null || typeof value !== 'object') return value;
      const { steps, name } = value as { steps?: unknown; name?: string };
      if (!Array.isArray(steps)) return value;
      return { ...value, steps: block(steps, branch === undefined ? path : `${path}/${name ?? branch}`) };
    };
    const made: Record<string, unknown> = { otherwise: [], ...written, path, line: place + 1 };
    for (const key of ['steps', 'otherwise', 'compensate'])
      if (Array.isArray(written[key])) made[key] = block(written[key], path);
    for (const key of ['branches', 'cases'])
      if (Array.isArray(written[key]))
        made[key] = (written[key] as unknown[]).map((each, at) => inside(each, String(at)));
    if (written['fallback'] !== undefined) made['fallback'] = inside(written['fallback'], 'fallback');
    nodes[place] = made;
    return place;
  };
  const root = block(steps, '');
  return {
    format: 1,
    id: 'test',
    digest: '0'.repeat(64),
    title: 'Test',
    mode: 'parallel',
    max: 10,
    priority: 'NORM',
    expectedOutputs: [],
    permissions: {},
    sends: [],
    maxSteps: 10_000,
    retain: { succeededMs: 0, failedMs: 0 },
    triggers: [],
    schedules: [],
    ...more,
    steps: root,
    nodes: nodes as Node[],
  };
}

export const cel = (source: string) => ({ $: source });

export function call(name: string, command: string, more: Record<string, unknown> = {}): Written {
  return { kind: 'call', name, command, version: 1, with: {}, effect: 'once', ...more };
}

export function set(name: string, values: Record<string, unknown>): Written {
  return { kind: 'set', name, values };
}
