/** Triggers that scenarios name themselves: their rules come, change and go with the definition (BUS-30). */
import { request } from 'neira:host/bus';
import { type Create, ruleOf } from './commands.ts';
import { loadRule, pageOfRules, type Rule, removeRule, saveRule } from './rules.ts';

interface Saved {
  readonly id: string;
  readonly triggers?: readonly (Omit<Create, 'scenario_id'> & { readonly version?: number })[];
}

const prefixOf = (scenario: string) => `scenario:${scenario}:`;

export function follow({ id, triggers = [] }: Saved): void {
  for (const [n, { event, version, ...given }] of triggers.entries()) {
    const named = version === undefined ? event : `${event}@${version}`;
    const rule = ruleOf(`${prefixOf(id)}${n}`, { ...given, event: named, scenario_id: id }, id);
    const before = loadRule(rule.id);
    // One that did not change keeps its pace and its grants.
    if (!before || said(before) !== said(rule)) saveRule({ ...rule, enabled: before?.enabled ?? true });
  }
  for (const rule of pageOfRules(1000, undefined, prefixOf(id)))
    if (Number(rule.id.slice(prefixOf(id).length)) >= triggers.length) removeRule(rule);
}

function said({ event, filter, key, ctx, priority, debounceMs, throttleMs, singleton }: Rule): string {
  return JSON.stringify([event, filter, key, ctx, priority, debounceMs, throttleMs, singleton]);
}

export function unfollow({ id }: { id: string }): void {
  follow({ id, triggers: [] });
}

/** An administrator granted something to a rule. */
export function consented({ principal }: { principal: string }): void {
  const rule = loadRule(principal);
  if (rule) saveRule(rule);
}

/** Scenarios that were saved before anybody listened. Without an engine there are none. */
export async function followAll(): Promise<void> {
  let after: string | undefined;
  do {
    const page = (await request<never>('scenario.list', {
      with: ['triggers'],
      limit: 100,
      ...(after !== undefined && { after }),
    } as never).catch((error: { code?: string }) => {
      if (error.code === 'NEIRA_COMMAND_UNHANDLED' || error.code === 'NEIRA_EVENT_UNREGISTERED')
        return { scenarios: [] };
      throw error;
    })) as { scenarios: readonly Saved[]; next?: string };
    for (const each of page.scenarios) follow(each);
    after = page.next;
  } while (after !== undefined);
}
