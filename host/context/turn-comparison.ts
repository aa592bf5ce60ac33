/** What is otherwise when a recorded turn is run again, in words that an author can use. */
import type { Effect, TurnOutcome, TurnRecord } from '../store/records.ts';
import { type Asked, type ReplayReport, type Transcript, wasSeen } from './transcript.ts';

/** `before` is absent for what only the replay did, `after` for what only the recorded turn did. */
export interface Difference {
  /** `outcome`, `reply`, `result`, `log`, `request`, `order`, `fuel`, or an effect: `set config/limit`, `publish a.b@1`. */
  readonly what: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/**
 * @param exact of the same version on the same image: fuel, logs and the order of everything count as well, so
 *   that nothing at all may be otherwise.
 */
export function compareTurns(
  recorded: Transcript,
  { turn: replayed, asked }: ReplayReport,
  exact: boolean,
): readonly Difference[] {
  const { turn, seen } = recorded;
  const before = wasSeen(seen) ? seen.asked : [];
  return [
    ...compareOutcomes(turn.outcome, replayed.outcome, exact),
    ...compareEffects(turn.effects, replayed.effects),
    ...compareLists('request', before.map(questionOf), asked.map(questionOf)),
    ...compareLists('log', turn.logs.map(logOf), replayed.logs.map(logOf)),
    ...(exact && turn.fuel !== replayed.fuel
      ? [{ what: 'fuel', before: turn.fuel, after: replayed.fuel }]
      : []),
  ];
}

function compareOutcomes(before: TurnOutcome, after: TurnOutcome, exact: boolean): readonly Difference[] {
  if (before.status === 'ok' && after.status === 'ok') {
    return [
      ...whereTextOther('reply', before.actions, after.actions),
      ...whereTextOther('result', before.result, after.result),
    ];
  }
  // Lines move with every edit; what went wrong does not.
  const shown = (outcome: TurnOutcome) => {
    if (outcome.status === 'ok') return 'ok';
    const { code, message, stack } = outcome.error;
    return { code, message, ...(exact && { stack }) };
  };
  return whereOther('outcome', shown(before), shown(after));
}

/** By what they are about, each in the order of its own kind; then whether the order among them is the same. */
function compareEffects(before: readonly Effect[], after: readonly Effect[]): readonly Difference[] {
  // Most of the time nothing differs, and then nothing has to be made readable.
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  const [old, now] = [bySubject(before), bySubject(after)];
  const differences = [...new Set([...old.keys(), ...now.keys()])].flatMap((what) =>
    compareLists(what, old.get(what) ?? [], now.get(what) ?? []),
  );
  if (differences.length > 0) return differences;
  return whereOther('order', before.map(subjectOf), after.map(subjectOf));
}

function bySubject(effects: readonly Effect[]): ReadonlyMap<string, unknown[]> {
  const found = new Map<string, unknown[]>();
  for (const effect of effects) {
    const list = found.get(subjectOf(effect)) ?? [];
    list.push(viewOfEffect(effect));
    found.set(subjectOf(effect), list);
  }
  return found;
}

export function subjectOf(effect: Effect): string {
  switch (effect.op) {
    case 'publish':
      return `publish ${effect.event.subject}@${effect.event.version}`;
    case 'send':
      return `send ${effect.port} ${effect.target}`;
    case 'record':
      return `save ${effect.type} ${effect.chatId}/${effect.sessionId}`;
    case 'subscribe':
      return `subscribe ${effect.subscription.name}`;
    case 'unsubscribe':
      return `unsubscribe ${effect.name}`;
    case 'cancel':
    case 'cancel-send':
      return `${effect.op} ${effect.id}`;
    case 'principal.register':
      return `register principal ${effect.principal.id}`;
    case 'principal.remove':
      return `remove principal ${effect.id}`;
    default:
      return `${effect.op} ${effect.key}`;
  }
}

/** Values as JSON, not as text of JSON. */
export function viewOfEffect(effect: Effect): unknown {
  const view: Record<string, unknown> = { ...effect };
  for (const field of ['value', 'line', 'payload']) {
    if (typeof view[field] === 'string') view[field] = parsed(view[field]);
  }
  if (effect.op === 'publish') view['event'] = { ...effect.event, envelope: parsed(effect.event.envelope) };
  return view;
}

function compareLists(what: string, before: readonly unknown[], after: readonly unknown[]): Difference[] {
  const found: Difference[] = [];
  for (let index = 0; index < Math.max(before.length, after.length); index++) {
    const name = Math.max(before.length, after.length) > 1 ? `${what} #${index + 1}` : what;
    found.push(...whereOther(name, before[index], after[index]));
  }
  return found;
}

function whereOther(what: string, before: unknown, after: unknown): Difference[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  return [{ what, ...(before !== undefined && { before }), ...(after !== undefined && { after }) }];
}

/** Of JSON texts. */
function whereTextOther(what: string, before: string | undefined, after: string | undefined): Difference[] {
  return before === after ? [] : whereOther(what, parsed(before), parsed(after));
}

function questionOf([, op, args]: Asked): unknown {
  return { op, ...(JSON.parse(args) as object) };
}

function logOf({ level, message }: TurnRecord['logs'][number]): string {
  return `${level}: ${message}`;
}

function parsed(text: string | undefined): unknown {
  return text === undefined ? undefined : (JSON.parse(text) as unknown);
}
