/** Events that rules hear, and what comes of them. */
import { cancel, delivery, publish } from 'neira:host/bus';
import { as } from 'neira:host/principals';
import type { Envelope } from 'neira:host/types';
import parse from 'jsonpath-rfc9535/parser';
import { onDue, onEvent, type Verdict } from './pace.ts';
import { loadPace, loadRule, noteRule, noteRun, type Pace, type Rule, savePace, takeRun } from './rules.ts';

type Event = Record<string, unknown>;

const NAME = /^principal:(.+)\/on$/;
/** So often may what a rule began come back to it. */
const MAX_CHAIN = 8;
const MAX_CHAINS = 32;

/** Only the rules whose filter it passed are looked at: the host says which. */
export async function heard(envelope: Envelope): Promise<void> {
  const rules = delivery().subscriptions.flatMap((name) => NAME.exec(name)?.[1] ?? []);
  for (const id of rules) {
    const rule = loadRule(id);
    if (!rule?.enabled) continue;
    const event = envelope as unknown as Event;
    const key = keyIn(event, rule.key);
    const pace = loadPace(id, key);
    await carryOut(rule, key, pace, onEvent(rule, pace, event, Date.now()));
  }
}

export async function due({ rule_id, key }: { rule_id: string; key: string }): Promise<void> {
  const rule = loadRule(rule_id);
  if (!rule) return;
  const { timer: _come, ...pace } = loadPace(rule_id, key);
  const verdict = onDue(rule, pace, Date.now());
  const { waiting: _gone, ...rest } = pace;
  if (rule.enabled && verdict.what !== 'drop') await carryOut(rule, key, rest, verdict);
  else savePace(rule_id, key, rest);
}

/** What a rule began has ended. */
export function ended({ run_id }: { run_id: string }): void {
  const found = takeRun(run_id);
  if (!found) return;
  const { run, ...pace } = loadPace(found.rule, found.key);
  savePace(found.rule, found.key, run === run_id ? pace : { ...pace, ...(run !== undefined && { run }) });
}

async function carryOut(rule: Rule, key: string, pace: Pace, verdict: Verdict<Event>): Promise<void> {
  if (verdict.what === 'drop') return;
  const { timer, waiting: _before, ...rest } = pace;
  if (timer !== undefined) cancel(timer);
  if (verdict.what === 'wait') {
    const { dueMs, event } = verdict;
    const at = new Date(dueMs).toISOString();
    const arranged = publish('trigger.due', { rule_id: rule.id, key }, { at });
    savePace(rule.id, key, { ...rest, waiting: { event, dueMs }, timer: arranged });
    return;
  }
  savePace(rule.id, key, await begin(rule, key, rest, verdict.event));
}

interface Begun {
  readonly ok: boolean;
  readonly run_id?: string;
  readonly error?: { readonly code: string; readonly message: string };
}

/** By the rule's own grants. A turn that runs again gets the answer that it got before, so nothing is begun twice. */
async function begin(rule: Rule, key: string, pace: Pace, event: Event): Promise<Pace> {
  const { id, scenario_id, ctx, priority } = rule;
  const told = { rule_id: id, scenario_id, event_id: String(event['id']), ...(key !== '' && { key }) };
  const chained = countChain(pace, String(event['correlation_id']));
  if (chained.count > MAX_CHAIN) {
    const message = `what it began came back to it ${MAX_CHAIN} times: does the scenario publish what triggers it?`;
    fail(rule, told, { code: 'TRIGGER_LOOP', message });
    return pace;
  }
  const payload = {
    id: scenario_id,
    ctx,
    event,
    template: true,
    ...(priority !== undefined && { priority }),
  };
  const next = { ...pace, lastMs: Date.now(), chains: chained.chains };
  try {
    const { ok, run_id, error } = (await as(id).bus.request(
      'scenario.run',
      payload as never,
    )) as unknown as Begun;
    if (!ok || run_id === undefined) {
      fail(rule, told, error!);
      return next;
    }
    if (rule.singleton) noteRun(run_id, id, key);
    if (rule.error) {
      delete rule.error;
      noteRule(rule);
    }
    publish('trigger.fired', { ...told, run_id });
    return rule.singleton ? { ...next, run: run_id } : next;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === undefined) throw error;
    fail(rule, told, { code, message });
    return next;
  }
}

function fail(rule: Rule, told: object, { code, message }: { code: string; message: string }): void {
  rule.error = { code, message: message.slice(0, 1000) };
  noteRule(rule);
  publish('trigger.failed', { ...told, error: rule.error } as never);
}

/** Events that come of each other have one correlation. */
function countChain({ chains = [] }: Pace, correlation: string) {
  const count = (chains.find(([id]) => id === correlation)?.[1] ?? 0) + 1;
  const others = chains.filter(([id]) => id !== correlation).slice(-(MAX_CHAINS - 1));
  return { count, chains: [...others, [correlation, count] as const] };
}

/** The value at the rule's key, as a text; nothing where there is none. */
function keyIn(event: Event, path: string | undefined): string {
  if (path === undefined) return '';
  let value: unknown = event;
  for (const { node } of parse(path).segments) {
    const [selector] = node.type === 'BracketedSelection' ? node.selectors : [];
    const step =
      node.type === 'MemberNameShorthand' ? node.value : (selector as { value?: string | number })?.value;
    value = step === undefined ? undefined : (value as Record<string | number, unknown> | null)?.[step];
  }
  return ['string', 'number', 'boolean'].includes(typeof value)
    ? encodeURIComponent(String(value)).slice(0, 256)
    : '';
}
