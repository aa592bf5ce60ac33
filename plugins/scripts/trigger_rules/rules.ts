/** Rules as they are stored. Each is a principal: it hears and begins what it was granted, and nothing else does for it. */
import { cancel } from 'neira:host/bus';
import { as, granted, register, remove } from 'neira:host/principals';
import { delete as drop, get, list, set } from 'neira:host/storage';
import type { Known, Pacing } from './pace.ts';

export interface Rule extends Pacing {
  readonly id: string;
  readonly event: string;
  readonly filter?: string;
  /** RFC 9535 singular path: pace is kept for each of its values. */
  readonly key?: string;
  readonly scenario_id: string;
  readonly ctx: unknown;
  readonly priority?: string;
  /** Of a definition: it comes and goes with it. */
  readonly of?: string;
  enabled: boolean;
  /** Permissions that it was not granted yet. */
  missing: readonly string[];
  error?: { readonly code: string; readonly message: string };
}

/** Of one value of its key. */
export interface Pace extends Known<Record<string, unknown>> {
  /** The delayed event that brings what waits. */
  readonly timer?: string;
  /** How often events that come of each other began something, by what they come of. */
  readonly chains?: readonly (readonly [string, number])[];
}

/** The name of the one subscription of a rule. */
export const EAR = 'on';
const ruleKey = (id: string) => `rule/${id}`;
const paceKey = (rule: string, key: string) => `pace/${rule}/${key}`;
const runKey = (run: string) => `run/${run}`;

export function loadRule(id: string): Rule | undefined {
  return get<Rule>(ruleKey(id) as never)?.value as Rule | undefined;
}

/** Keeps it, and sees to it that it hears what it may hear. */
export function saveRule(rule: Rule): void {
  const { id, event, filter, key, scenario_id } = rule;
  const subject = event.split('@')[0]!;
  register({
    id,
    title: `${event} begins ${scenario_id}`.slice(0, 200),
    permissions: { bus: { subscribe: [subject], publish: ['scenario.run'] } } as never,
  });
  const has = new Set(granted(id));
  rule.missing = [`bus.subscribe:${subject}`, 'bus.publish:scenario.run'].filter((each) => !has.has(each));
  const me = as(id);
  if (rule.enabled && rule.missing.length === 0)
    me.bus.subscribe({
      name: EAR,
      event,
      ...(filter !== undefined && { filter }),
      ...(key !== undefined && { key }),
    });
  else me.bus.unsubscribe(EAR);
  set(ruleKey(id), rule as never);
}

/** What it did is kept; it hears as before. */
export function noteRule(rule: Rule): void {
  set(ruleKey(rule.id), rule as never);
}

export function removeRule({ id }: Rule): void {
  for (const { key, value } of list<Pace>(`pace/${id}/`, { limit: 1000 })) {
    const { timer } = value as Pace;
    if (timer !== undefined) cancel(timer);
    drop(key);
  }
  drop(ruleKey(id));
  remove(id);
}

export function pageOfRules(limit: number, after: string | undefined, prefix = ''): readonly Rule[] {
  const page = list<Rule>(ruleKey(prefix), {
    limit,
    ...(after !== undefined && { after: ruleKey(after) }),
  } as never);
  return page.map(({ value }) => value as Rule);
}

export function loadPace(rule: string, key: string): Pace {
  return (get<Pace>(paceKey(rule, key) as never)?.value as Pace | undefined) ?? {};
}

export function savePace(rule: string, key: string, pace: Pace): void {
  if (Object.keys(pace).length === 0) drop(paceKey(rule, key));
  else set(paceKey(rule, key), pace as never);
}

export function noteRun(run: string, rule: string, key: string): void {
  set(runKey(run), { rule, key });
}

/** Whose run this was; it is forgotten with that. */
export function takeRun(run: string): { readonly rule: string; readonly key: string } | undefined {
  const found = get<{ rule: string; key: string }>(runKey(run) as never)?.value;
  if (found !== undefined) drop(runKey(run));
  return found as never;
}
