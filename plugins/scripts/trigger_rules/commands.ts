/** `trigger.create`, `delete`, `list`, … (BUS-50). */
import parse from 'jsonpath-rfc9535/parser';
import { Refusal } from './refusal.ts';
import { loadRule, pageOfRules, type Rule, removeRule, saveRule } from './rules.ts';

export interface Create {
  readonly id?: string;
  readonly event: string;
  readonly filter?: string;
  readonly key?: string;
  readonly scenario_id: string;
  readonly ctx?: unknown;
  readonly priority?: string;
  readonly debounce_ms?: number;
  readonly throttle_ms?: number;
  readonly singleton?: boolean;
}

export const COMMANDS: Readonly<Record<string, (payload: never) => object>> = {
  'trigger.create': (given: Create) => {
    const id = given.id ?? crypto.randomUUID();
    if (loadRule(id))
      throw new Refusal('TRIGGER_TAKEN', 409, `there is a rule \`${id}\` already; delete it first`);
    const rule = ruleOf(id, given);
    saveRule(rule);
    return { rule_id: id, ...stateOf(rule) };
  },
  'trigger.delete': ({ rule_id }: { rule_id: string }) => {
    removeRule(requireRule(rule_id));
    return { rule_id };
  },
  'trigger.enable': ({ rule_id }: { rule_id: string }) => switched(rule_id, true),
  'trigger.disable': ({ rule_id }: { rule_id: string }) => switched(rule_id, false),
  'trigger.list': ({
    scenario_id,
    limit = 100,
    after,
  }: {
    scenario_id?: string;
    limit?: number;
    after?: string;
  }) => {
    const page = pageOfRules(limit, after);
    const rules = page.filter((rule) => scenario_id === undefined || rule.scenario_id === scenario_id);
    return { rules: rules.map(viewOf), ...(page.length === limit && { next: page.at(-1)!.id }) };
  },
};

/** @throws {Refusal} TRIGGER_INVALID */
export function ruleOf(id: string, given: Create, of?: string): Rule {
  const { event, filter, key, scenario_id, ctx = {}, priority } = given;
  if (key !== undefined) requirePath(key);
  return {
    id,
    event,
    ...(filter !== undefined && { filter }),
    ...(key !== undefined && { key }),
    scenario_id,
    ctx,
    ...(priority !== undefined && { priority }),
    ...(given.debounce_ms !== undefined && { debounceMs: given.debounce_ms }),
    ...(given.throttle_ms !== undefined && { throttleMs: given.throttle_ms }),
    ...(given.singleton !== undefined && { singleton: given.singleton }),
    ...(of !== undefined && { of }),
    enabled: true,
    missing: [],
  };
}

function requirePath(path: string): void {
  try {
    parse(path);
  } catch (error) {
    throw new Refusal(
      'TRIGGER_INVALID',
      422,
      `\`key\` is no path like $.payload.city: ${(error as Error).message}`,
    );
  }
}

function switched(id: string, enabled: boolean): object {
  const rule = requireRule(id);
  rule.enabled = enabled;
  saveRule(rule);
  return viewOf(rule);
}

function requireRule(id: string): Rule {
  const rule = loadRule(id);
  if (rule) return rule;
  throw new Refusal('TRIGGER_UNKNOWN', 404, `there is no rule \`${id}\``);
}

function stateOf({ id, enabled, missing }: Rule) {
  if (!enabled) return { state: 'disabled' };
  if (missing.length === 0) return { state: 'active' };
  return { state: 'waiting_consent', missing, remedy: `neira plugin grant trigger.rules --principal ${id}` };
}

function viewOf(rule: Rule) {
  const { id, event, filter, key, scenario_id, debounceMs, throttleMs, singleton, error } = rule;
  return {
    id,
    event,
    scenario_id,
    ...(filter !== undefined && { filter }),
    ...(key !== undefined && { key }),
    ...(debounceMs !== undefined && { debounce_ms: debounceMs }),
    ...(throttleMs !== undefined && { throttle_ms: throttleMs }),
    ...(singleton && { singleton }),
    ...stateOf(rule),
    ...(error && { error }),
  };
}
