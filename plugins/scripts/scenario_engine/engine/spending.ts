/** What runs use in a day, and how much they may (SCN-24, SCN-25). Days are those of UTC. */
import { add, get } from 'neira:host/storage';
import type { Program } from '../program.ts';
import type { Run } from '../run/state.ts';
import { failed } from '../run/world.ts';
import { keys } from './keys.ts';
import { settingsNow } from './settings.ts';

interface Budget {
  /** Whose counters. */
  readonly by: string;
  readonly daily: Readonly<Record<string, number>>;
  readonly said: string;
}

/** @throws {StepFailure} SCENARIO_QUOTA; nothing is counted then */
export function spendCosts(
  program: Program,
  run: Pick<Run, 'by'>,
  costs: Readonly<Record<string, number>>,
  nowMs: number,
) {
  const names = Object.keys(costs);
  // What nobody bounds is counted by the run alone.
  const budgets = budgetsOf(program, run.by).filter(({ daily }) => names.some((name) => name in daily));
  if (budgets.length === 0) return;
  const day = new Date(nowMs).toISOString().slice(0, 10);
  for (const { by, daily, said } of budgets)
    for (const [name, n] of Object.entries(costs)) {
      const limit = daily[name];
      if (limit === undefined) continue;
      const used = Number(get(keys.spent(day, by, name))?.value ?? 0);
      if (used + n > limit) throw quota(name, used, n, limit, said, day);
    }
  for (const { by, daily } of budgets)
    for (const [name, n] of Object.entries(costs))
      if (n > 0 && name in daily) add(keys.spent(day, by, name), n);
}

/** All runs of the node, all of the user, and those of the scenario as its definition has it. */
function budgetsOf({ id, quota: own }: Program, user: string): readonly Budget[] {
  const { daily_per_node, daily_per_user } = settingsNow();
  const whose = own?.per === 'user' ? `scenario:${id}:${user}` : `scenario:${id}`;
  return [
    { by: 'node', daily: daily_per_node, said: 'of this node (setting `daily_per_node`)' },
    { by: `user:${user}`, daily: daily_per_user, said: `of ${user} (setting \`daily_per_user\`)` },
    ...(own ? [{ by: whose, daily: own.daily, said: `of \`${id}\` (its \`quota\`)` }] : []),
  ];
}

function quota(name: string, used: number, n: number, limit: number, said: string, day: string) {
  const message = `${used} of ${limit} ${name} ${said} are used on ${day}, and this needs ${n} more; it is free again tomorrow (UTC)`;
  return failed('SCENARIO_QUOTA', message, { name, used, limit });
}
