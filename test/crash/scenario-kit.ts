/** A scenario of thirty steps and more in two forms, one that ends well and one that is undone, and what is true of them. */
import { expect } from 'vitest';
import type { TestHost } from '../kit/boot-host.ts';
import { scenariosOf, type Told } from '../kit/scenario-host.ts';

/** One after the other, in a loop, side by side, with retries, a wait and things to undo. */
const long = (id: string, end: string) => `
id: ${id}
mode: parallel
steps:
  - {name: first, call: tool.do, with: {n: 1}, compensate: {name: undo, call: tool.undo, with: {n: 1}}}
  - {name: flaky, call: tool.do, with: {n: 2, notBeforeMs: '\${ctx.at + 300}'}, retries: {max: 90, backoff: {base: 50ms, factor: 1, jitter: 0}}}
  - name: days
    loop:
      for: '\${[1, 2, 3, 4, 5]}'
      as: day
      steps:
        - {name: charge, call: tool.do, with: {n: '\${day}'}, compensate: {name: refund, call: tool.undo, with: {n: '\${day}'}}, save: last}
        - {name: note, set: {sum: '\${coalesce(bag.?sum.orValue(0), 0) + bag.last.doubled}'}}
  - wait: 100ms
  - name: both
    parallel:
      branches:
        a: [{name: one, call: tool.do, with: {n: 11}}, {name: two, call: tool.do, with: {n: 12}}]
        b: [{name: one, call: tool.do, with: {n: 21, sleepMs: 60}}, {name: two, call: tool.do, with: {n: 22}}]
        c: [{name: one, locks: [desk], call: tool.do, with: {n: 31}}]
  - {name: many, loop: {for: '\${[1, 2, 3, 4, 5, 6]}', as: n, at_a_time: 3, steps: [{name: each, call: tool.do, with: {n: '\${n}'}}]}}
  - ${end}
`;
export const GOOD = long('good', `{name: end, return: '\${bag.sum}'}`);
export const BAD = long('bad', '{name: end, call: tool.do, with: {fails: true}}');
const CALLS = 1 + 1 + 5 + 5 + 6;
/** `first`, and each of the days. */
const UNDONE = 6;

/** Begins both and answers their ids. */
export async function begun(host: TestHost): Promise<{ good: string; bad: string }> {
  const scenarios = scenariosOf(host);
  const ctx = { at: Date.now() };
  return { good: await scenarios.run('good', { ctx }), bad: await scenarios.run('bad', { ctx }) };
}

/** Both came to the end that they would have come to, and everything was done once. */
export async function requireOnce(
  host: TestHost,
  { good, bad }: { good: string; bad: string },
): Promise<void> {
  const scenarios = scenariosOf(host);
  const [one, other] = [await scenarios.ended(good), await scenarios.ended(bad)] as [Told, Told];
  expect(one).toMatchObject({
    state: 'succeeded',
    returned: 30,
    bag: { sum: 30 },
    costs: { calls: expect.any(Number) },
  });
  expect(other).toMatchObject({ state: 'failed', error: { code: 'NEIRA_PLUGIN_FAILED' } });
  expect(other.not_undone).toBeUndefined();
  const effects = await scenarios.effects();
  expect(effects.filter(({ times }) => times !== 1)).toEqual([]);
  const of = (run: string) => effects.filter(({ key }) => key.includes(`/${run}/`));
  expect(of(good)).toHaveLength(CALLS);
  expect(of(bad)).toHaveLength(CALLS + UNDONE);
  const undone = (await scenarios.order()).filter(
    (key) => key.includes(`/${bad}/`) && /\/(undo|refund)/.test(key),
  );
  expect(undone.map((key) => /\[(\d)\]/.exec(key)?.[1] ?? 'first')).toEqual([
    '4',
    '3',
    '2',
    '1',
    '0',
    'first',
  ]);
}
