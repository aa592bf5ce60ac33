/**
 * A UI event on its way in: checked, sealed, decided, and run – or recorded, while a gate is locked.
 * It is tried once: envelope, effects and reply are one commit (contract, "UI events").
 */
import { createHash, randomUUIDv7 } from 'node:crypto';
import type { Decision, GateView } from '../../gates/decide.ts';
import type { Mode } from '../../gates/gates.ts';
import { newTrace } from '../base/trace-context.ts';
import { DEFAULT_TENANT, sealEnvelope } from '../bus/envelope.ts';
import { viewOfEffect } from '../context/turn-comparison.ts';
import { NeiraError } from '../errors.ts';
import type { Caller, UiEventBody, UiEventOptions, UiEventReply } from '../http/api.ts';
import type { GateService } from '../registry/gate-service.ts';
import { requireAck } from '../registry/gate-service.ts';
import type { LivePlugin, Tool } from '../registry/live-plugin.ts';
import { ENGINE_GATES } from '../registry/manifest.ts';
import type { Registry } from '../registry/registry.ts';
import { validate } from '../schema.ts';
import type { Ack, EventRecord, TurnFailure } from '../store/records.ts';
import {
  decideDelivery,
  type IncomingEvent,
  refusalOf,
  type Serving,
  type TurnResult,
  type Turns,
} from '../turn.ts';
import { DryAnswers } from './dry-chain.ts';

export interface UiEventParts {
  readonly registry: Registry;
  readonly gates: GateService;
  readonly turns: Turns;
  mode(): Mode;
  submit(record: EventRecord): Promise<Ack>;
}

const TOOLS_GATE = 'ui_tools_registry';
/** From arrival to commit; past it nothing is kept and the answer is 504. */
export const UI_DEADLINE_MS = 10_000;

type Found = { readonly plugin: LivePlugin; readonly tool: Tool } | undefined;

export class UiEvents {
  readonly #parts: UiEventParts;

  constructor(parts: UiEventParts) {
    this.#parts = parts;
  }

  /** @throws NEIRA_INVALID, NEIRA_NOT_FOUND, NEIRA_PLUGIN_INACTIVE, NEIRA_DEADLINE, the plugin's own failure, … */
  async handle(caller: Caller, body: UiEventBody, options: UiEventOptions): Promise<UiEventReply> {
    const found = this.#parts.registry.findTool(body.tool_id);
    if (found) checkAgainstTool(body, found.tool);
    const event = this.#seal(caller, body, options, found);
    const serving = found?.plugin.serving ?? notServing(found?.plugin);
    const decision = decideDelivery(serving, this.#gatesOf(found), event);
    switch (decision.verdict) {
      case 'run':
        return this.#run(requireServing(found), event);
      case 'dry-run':
        return this.#dryRun(requireServing(found), { ...event, dryRun: true }, decision);
      case 'record':
        return this.#record(caller, body, event, decision, found);
      default:
        throw refusalOf(decision, { id: body.tool_id });
    }
  }

  /** In order of generality; without a tool the script engine's stands for the engine's. */
  #gatesOf(found: Found): readonly GateView[] {
    const { gates } = this.#parts;
    const engine = gates.view(ENGINE_GATES[found?.plugin.manifest.kind ?? 'script']);
    const tools = gates.view(TOOLS_GATE);
    return found ? [tools, engine, gates.view(found.plugin.manifest.gate)] : [tools, engine];
  }

  #seal(caller: Caller, body: UiEventBody, options: UiEventOptions, found: Found): IncomingEvent {
    // Rises with time, so that the store appends to its index instead of writing all over it.
    const eventId = randomUUIDv7();
    const nowMs = Date.now();
    const traceparent = options.traceparent ?? newTrace();
    const payload = { tool_id: body.tool_id, params: body.params, context: body.context };
    const payloadJson = JSON.stringify(payload);
    const envelope = sealEnvelope({
      id: eventId,
      eventName: body.event,
      version: 1,
      atMs: nowMs,
      source: `ui:${caller.actor}`,
      correlationId: eventId,
      causationId: null,
      tenant: DEFAULT_TENANT,
      headers: {
        traceparent,
        ...(options.acceptLanguage !== undefined && { 'accept-language': options.acceptLanguage }),
      },
      payloadJson,
    });
    return {
      eventId,
      subject: body.event,
      traceparent,
      envelope,
      key: found?.tool.keyOf({ payload, event_name: body.event, source: `ui:${caller.actor}` }),
      caller: caller.scope,
      mode: this.#parts.mode(),
      dryRun: options.dryRun,
      deadlineAtMs: nowMs + UI_DEADLINE_MS,
      ...(options.idempotencyKey !== undefined && {
        idempotency: {
          key: `${caller.tokenId}:${options.idempotencyKey}`,
          digest: createHash('sha256').update(`${body.event}\n${payloadJson}`).digest('hex'),
        },
      }),
    };
  }

  async #run(serving: Serving, event: IncomingEvent): Promise<UiEventReply> {
    const result = await this.#parts.turns.deliver(serving, event);
    if (result.kind === 'replayed') return JSON.parse(result.reply) as UiEventReply;
    if (result.kind !== 'committed')
      throw new NeiraError('NEIRA_INTERNAL', { reason: `a turn came back ${result.kind}` });
    this.#parts.registry.noteCommit(serving.id);
    const { outcome } = result;
    if (outcome.status === 'failed') throw failed(outcome.error, event.eventId);
    return {
      event_id: event.eventId,
      mode: 'executed',
      ran: true,
      actions: JSON.parse(outcome.actions) as unknown[],
    };
  }

  async #dryRun(serving: Serving, event: IncomingEvent, decision: Decision): Promise<UiEventReply> {
    const { idempotency: _unused, ...rest } = event;
    const dry = new DryAnswers(this.#parts.registry.parts.store, []);
    const { outcome, effects } = dryRecord(await this.#parts.turns.deliver(serving, { ...rest, dry }));
    if (outcome.status === 'failed') throw failed(outcome.error, event.eventId);
    return {
      event_id: event.eventId,
      mode: 'dry-run',
      ran: true,
      actions: JSON.parse(outcome.actions) as unknown[],
      planned: effects.map(viewOfEffect),
      ...(decision.reason !== undefined && { reason: decision.reason }),
    };
  }

  /** HOST-41: validated, journaled, not executed. */
  async #record(
    caller: Caller,
    body: UiEventBody,
    event: IncomingEvent,
    decision: Decision,
    found: Found,
  ): Promise<UiEventReply> {
    const reply: UiEventReply = {
      event_id: event.eventId,
      mode: 'dry-run',
      ran: false,
      actions: [],
      reason: `${decision.reason}. ${decision.remedy}`,
    };
    const after = { event_id: event.eventId, event: body.event, code: decision.code, ...decision.details };
    const ack = requireAck(
      await this.#parts.submit({
        kind: 'event',
        eventId: event.eventId,
        subject: event.subject,
        envelope: event.envelope,
        disposition: 'dry-run',
        ...(found && { plugin: found.plugin.row.id, gate: found.plugin.manifest.gate }),
        ...(event.idempotency && { idempotency: { ...event.idempotency, reply: JSON.stringify(reply) } }),
        journal: [{ actor: caller.actor, action: 'ui.event.dry-run', target: body.tool_id, after }],
      }),
    );
    return ack.replay === undefined ? reply : (JSON.parse(ack.replay) as UiEventReply);
  }
}

/** @throws NEIRA_INVALID with the failing paths */
function checkAgainstTool(body: UiEventBody, { button, params }: Tool): void {
  if (body.event !== button.event) {
    const message = `must be \`${button.event}\`, the event of tool \`${button.id}\``;
    throw new NeiraError('NEIRA_INVALID', {
      what: 'The event',
      reason: `event ${message}`,
      errors: [{ path: 'event', message }],
    });
  }
  validate(params, body.params, 'params');
}

/** A plugin without an image, as the decision sees it: it refuses what a serving one would run. */
function notServing(plugin: LivePlugin | undefined): Serving {
  const reason = plugin?.row.reason ?? plugin?.error?.message;
  const state = plugin && {
    id: plugin.row.id,
    state: plugin.row.state === 'enabled' ? ('registered' as const) : plugin.row.state,
    ...(reason !== undefined && reason !== null && { reason }),
  };
  return {
    id: plugin?.row.id ?? '',
    state,
    generation: 0,
    policy: undefined as never,
    concurrency: 1,
    writes: false,
  };
}

function requireServing(found: Found): Serving {
  const serving = found?.plugin.serving;
  if (!serving) throw new NeiraError('NEIRA_INTERNAL', { reason: 'a plugin without an image was to run' });
  return serving;
}

function dryRecord(result: TurnResult) {
  if (result.kind === 'dry') return result.record;
  throw new NeiraError('NEIRA_INTERNAL', { reason: 'a dry run was committed' });
}

function failed({ code, details, stack }: TurnFailure, eventId: string): NeiraError {
  return new NeiraError(code, { ...details, event_id: eventId, ...(stack !== undefined && { stack }) });
}
