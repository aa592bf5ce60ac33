/**
 * Dry runs of any delivery (design §1.2): the turns run for good, in the sandbox and with the permissions that they
 * have, and what they would commit is shown and dropped. Followed, the whole chain of what would come of it.
 */
import type { Mode } from '../../gates/gates.ts';
import { type Envelope, parseEnvelope, sealEnvelope } from '../bus/envelope.ts';
import type { EventRegistry } from '../bus/event-registry.ts';
import { viewOfEffect } from '../context/turn-comparison.ts';
import { isNeiraError, NeiraError, toShape } from '../errors.ts';
import type { Caller } from '../http/api.ts';
import type { DryRun, DryRunBody, DryTurn } from '../http/dry-run-api.ts';
import { requireAck } from '../registry/gate-service.ts';
import type { KeptTurnStore } from '../registry/kept-turns.ts';
import type { Registry } from '../registry/registry.ts';
import { answerEvent } from '../store/answers.ts';
import type { DeadLetter, EventDraft, RouteRecord, RouteTarget } from '../store/bus-records.ts';
import { type Ack, answerText, type Effect, type TurnRecord } from '../store/records.ts';
import type { Turns } from '../turn.ts';
import { DryOverlay } from './dry-chain.ts';
import { sealEvent } from './event-gateway.ts';
import type { TurnHistory } from './turn-history.ts';

export interface DryRunParts {
  readonly events: EventRegistry;
  readonly registry: Registry;
  readonly history: TurnHistory;
  readonly store: KeptTurnStore & {
    deadLetter(id: number): DeadLetter | undefined;
    submit(record: RouteRecord): Promise<Ack>;
  };
  turns(): Pick<Turns, 'deliver'>;
  mode(): Mode;
}

/** What one dry run may come to. */
const MAX_TURNS = 200;
const MAX_PLANNED_BYTES = 8 * 1024 * 1024;
const TURN_DEADLINE_MS = 30_000;
const UNHANDLED = `E${JSON.stringify({ code: 'NEIRA_COMMAND_UNHANDLED', message: 'Nobody handles it now.' })}`;

/** An event on its way, when it is due, and the turn that would publish it. */
interface Pending {
  readonly event: EventDraft;
  readonly dueMs: number;
  readonly causedBy: number | null;
  /** Without it those who subscribe. */
  readonly targets?: readonly RouteTarget[];
  /** Of a command whose answer comes as an event: the plugin that asked. */
  readonly asker?: string;
}

export class DryRuns {
  readonly #parts: DryRunParts;

  constructor(parts: DryRunParts) {
    this.#parts = parts;
  }

  /** @throws NEIRA_INVALID, NEIRA_NOT_FOUND, NEIRA_EVENT_UNREGISTERED, NEIRA_EVENT_INVALID */
  async run(caller: Caller, body: DryRunBody): Promise<DryRun> {
    const first = this.#first(caller, body);
    const run = new OneRun(this.#parts, caller, body, first);
    return run.toEnd();
  }

  #first(caller: Caller, body: DryRunBody): Pending {
    const { event, dead_letter: letterId, turn, plugin } = body;
    if ([event, letterId, turn].filter((each) => each !== undefined).length !== 1) {
      const message = 'must name one of `event`, `dead_letter` and `turn`';
      throw new NeiraError('NEIRA_INVALID', {
        what: 'The body',
        reason: `it ${message}`,
        errors: [{ path: '', message }],
      });
    }
    const nowMs = Date.now();
    if (event) return { event: this.#seal(caller, event), dueMs: nowMs, causedBy: null };
    const { envelope, to } = letterId === undefined ? this.#ofTurn(turn!) : this.#ofLetter(letterId);
    const draft = draftOf(envelope, this.#parts.events, caller);
    const target = { plugin: plugin ?? to, key: undefined, subscriptions: [] };
    return { event: draft, dueMs: nowMs, causedBy: null, targets: [target] };
  }

  #ofLetter(id: number) {
    const letter = this.#parts.store.deadLetter(id);
    if (!letter) throw new NeiraError('NEIRA_NOT_FOUND', { what: 'dead letter', id: String(id) });
    return { envelope: letter.envelope, to: letter.plugin };
  }

  #ofTurn(id: string) {
    const kept = this.#parts.history.get(id);
    const { transcript, failed } = kept;
    const envelope = transcript?.turn.envelope ?? transcript?.input.envelope ?? failed?.envelope ?? '';
    return { envelope, to: kept.plugin };
  }

  #seal(
    caller: Caller,
    { event_name, version = 1, payload, headers = {} }: NonNullable<DryRunBody['event']>,
  ) {
    const definition = this.#parts.events.find(event_name, version);
    if (!definition) throw new NeiraError('NEIRA_EVENT_UNREGISTERED', { event: `${event_name}@${version}` });
    const source = `client:${caller.actor}`;
    return sealEvent({ definition, payload, headers, source, caller: caller.scope });
  }
}

/** One dry run from its first event to its end. */
class OneRun {
  readonly #parts: DryRunParts;
  readonly #caller: Caller;
  readonly #body: DryRunBody;
  readonly #pending: Pending[];
  readonly #turns: DryTurn[] = [];
  readonly #overlay: DryOverlay;
  /** Of which event, and at which moment, a turn that ran is part of. */
  #current: Pending;
  /** What became of it. */
  #answer = UNHANDLED;
  #bytes = 0;

  constructor(parts: DryRunParts, caller: Caller, body: DryRunBody, first: Pending) {
    this.#parts = parts;
    this.#caller = caller;
    this.#body = body;
    this.#pending = [first];
    this.#current = first;
    this.#overlay = new DryOverlay(parts.store, body.stubs ?? [], first.dueMs, (plugin, record) =>
      this.#ran(plugin, record),
    );
  }

  async toEnd(): Promise<DryRun> {
    for (let next = this.#next(); next; next = this.#next()) {
      this.#current = next;
      this.#overlay.nowMs = next.dueMs;
      this.#answer = UNHANDLED;
      for (const target of await this.#targets(next)) {
        if (this.#isFull) return { turns: this.#turns, complete: false };
        await this.#turn(next, target);
      }
      if (next.asker !== undefined) this.#pending.push(this.#answered(next, next.asker));
    }
    return { turns: this.#turns, complete: true };
  }

  get #isFull(): boolean {
    return this.#turns.length >= MAX_TURNS || this.#bytes > MAX_PLANNED_BYTES;
  }

  /** The one that is due first; of those at one moment the one that came first. */
  #next(): Pending | undefined {
    let first = 0;
    this.#pending.forEach(({ dueMs }, index) => {
      if (dueMs < this.#pending[first]!.dueMs) first = index;
    });
    return this.#pending.splice(first, 1)[0];
  }

  async #targets({ event, targets, causedBy }: Pending): Promise<readonly RouteTarget[]> {
    if (targets) return targets;
    const ack = requireAck(await this.#parts.store.submit({ kind: 'route', events: [event] }));
    const found = ack.targets![0]!;
    const { plugin } = this.#body;
    return causedBy === null && plugin !== undefined ? found.filter((each) => each.plugin === plugin) : found;
  }

  async #turn({ event }: Pending, { plugin }: RouteTarget): Promise<void> {
    const { registry } = this.#parts;
    const live = registry.find(plugin);
    const serving = registry.servingOf(plugin);
    if (!serving) {
      const reason = live ? (registry.whyInactive(live) ?? 'it is starting') : 'it is not registered';
      this.#show(plugin, { outcome: 'not-run', reason, planned: [], logs: [] });
      return;
    }
    const how = { caller: this.#caller.scope, mode: this.#parts.mode(), dryRun: true };
    const { verdict, reason } = registry.decideDelivery(serving, how);
    if (verdict !== 'dry-run') {
      this.#show(plugin, {
        outcome: 'not-run',
        ...(reason !== undefined && { reason }),
        planned: [],
        logs: [],
      });
      return;
    }
    try {
      const result = await this.#parts.turns().deliver(serving, {
        eventId: event.id,
        subject: event.subject,
        envelope: event.envelope,
        key: undefined,
        ...how,
        dry: this.#overlay,
        deadlineAtMs: Date.now() + TURN_DEADLINE_MS,
      });
      if (result.kind === 'dry') this.#overlay.ran(plugin, result.record);
    } catch (error) {
      if (!isNeiraError(error)) throw error;
      const { code, details } = toShape(error);
      const { message } = new NeiraError(code, details);
      this.#show(plugin, { outcome: 'failed', error: { code, message }, planned: [], logs: [] });
    }
  }

  /** What would come of a command to whoever asked. */
  #answered({ event, dueMs }: Pending, plugin: string): Pending {
    const { id, subject: command, version, ask } = event;
    const open = { plugin, id, command, version, ...ask! };
    const answer = answerEvent(open, this.#answer, dueMs, sealEnvelope);
    const target = { plugin, key: ask!.key, subscriptions: [answer.subject] };
    return { event: answer, dueMs, causedBy: this.#turns.length - 1, targets: [target] };
  }

  /** Also of turns that another one asked. */
  #ran(plugin: string, record: TurnRecord): void {
    const { outcome, effects, logs } = record;
    const place = this.#turns.length;
    if (record.eventId === this.#current.event.id)
      this.#answer =
        outcome.status === 'ok' ? answerText(outcome) : `E${JSON.stringify(errorOf(outcome.error))}`;
    this.#bytes += JSON.stringify(effects).length;
    this.#show(plugin, {
      event_id: record.eventId,
      event_name: record.subject,
      outcome: outcome.status,
      ...(outcome.status === 'failed' && { error: errorOf(outcome.error) }),
      ...(outcome.status === 'ok' && { actions: JSON.parse(outcome.actions) as unknown }),
      ...(outcome.status === 'ok' &&
        outcome.result !== undefined && { result: JSON.parse(outcome.result) as unknown }),
      planned: effects.map(viewOfEffect),
      logs: logs.map(({ level, message }) => `${level}: ${message}`),
    });
    if (this.#body.follow) for (const effect of effects) this.#follow(effect, place, plugin);
  }

  #follow(effect: Effect, causedBy: number, plugin: string): void {
    if (effect.op === 'publish') {
      const { event } = effect;
      const asker = event.ask && { asker: plugin };
      this.#pending.push({ event, dueMs: event.atMs ?? this.#current.dueMs, causedBy, ...asker });
    } else if (effect.op === 'cancel') {
      const { id, as } = effect;
      const isMeant = (event: EventDraft) => event.id === id && (as === undefined || event.as === as);
      const index = this.#pending.findIndex(({ event }) => isMeant(event));
      if (index >= 0) this.#pending.splice(index, 1);
    }
  }

  #show(
    plugin: string,
    turn: Omit<DryTurn, 'plugin' | 'event_id' | 'event_name' | 'caused_by' | 'at'> & Partial<DryTurn>,
  ): void {
    const { event, dueMs, causedBy } = this.#current;
    this.#turns.push({
      plugin,
      event_id: event.id,
      event_name: event.subject,
      caused_by: causedBy,
      at: new Date(dueMs).toISOString(),
      ...turn,
    });
  }
}

function draftOf(envelope: string, events: EventRegistry, caller: Caller): EventDraft {
  const { id, event_name: subject, version } = parseEnvelope(envelope) as Envelope;
  const kind = events.find(subject, version)?.kind;
  return {
    id,
    subject,
    version,
    envelope,
    mode: kind === 'command' ? 'command' : 'event',
    caller: caller.scope,
  };
}

function errorOf({ code, message, stack }: Extract<TurnRecord['outcome'], { status: 'failed' }>['error']) {
  return { code, message, ...(stack !== undefined && { stack }) };
}
