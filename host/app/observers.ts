/** What turns, calls and commits tell of themselves, as metrics and as spans of one trace (OBS-05, OBS-06, BUS-18). */

import { childOf, parseTraceparent } from '../base/trace-context.ts';
import { parseEnvelope } from '../bus/envelope.ts';
import { isNeiraError } from '../errors.ts';
import type { EndedRequest, HttpObserver } from '../http/trace.ts';
import type { CellKill, DeliveryOutcome, Metrics, PublishRefusal } from '../metrics.ts';
import { STUCK_REASON } from '../sandbox/pool.ts';
import type { BusNews, Settlement } from '../store/bus-records.ts';
import type { FinishedSpan, Tracing } from '../tracing.ts';
import type { IncomingEvent } from '../turn.ts';
import type { EndedTurn, TurnObserver } from '../turns/turn-observer.ts';

/** How a delivery ends that never got an outcome; anything else failed. */
const UNRUN: Readonly<Record<string, DeliveryOutcome>> = {
  NEIRA_DEADLINE: 'expired',
  NEIRA_BUSY: 'shed',
  NEIRA_QUARANTINED: 'refused',
};

const OUTCOMES: Readonly<Record<Settlement['state'], DeliveryOutcome>> = {
  done: 'done',
  retry: 'retried',
  dead: 'dead',
};

/** Codes of failed turns that tell of a refused publish. */
const REFUSED_PUBLISH: Readonly<Record<string, PublishRefusal>> = {
  NEIRA_UNKNOWN_EVENT: 'unknown',
  NEIRA_EVENT_UNREGISTERED: 'unknown',
  NEIRA_EVENT_INVALID: 'invalid',
};

export class Observers implements TurnObserver, HttpObserver {
  readonly #metrics: Metrics;
  readonly #tracing: Tracing;
  /** The group whose acks arrive now: the store tells of it just before them. */
  #commit: Commit = { records: 0, micros: 0, atMs: 0 };

  constructor(metrics: Metrics, tracing: Tracing) {
    this.#metrics = metrics;
    this.#tracing = tracing;
  }

  committed(records: number, micros: number): void {
    this.#metrics.committed(records, micros);
    if (this.#tracing.exporting) this.#commit = { records, micros, atMs: Date.now() };
  }

  turnEnded(turn: EndedTurn): void {
    const { plugin, end, ran, settlement } = turn;
    this.#metrics.turnEnded(plugin, end, turn.tookMs, turn.waitMs);
    if (ran) this.#metrics.turnRan(plugin, ran[1], ran[2]);
    if (settlement) this.#metrics.delivered(plugin, OUTCOMES[settlement.state]);
    else if (end === 'ok' || end === 'failed')
      this.#metrics.delivered(plugin, end === 'ok' ? 'done' : 'failed');
    const refusal = turn.error === undefined ? undefined : REFUSED_PUBLISH[turn.error];
    if (refusal !== undefined) this.#metrics.publishRefused(refusal);
    if (this.#tracing.exporting) this.#recordTurn(turn);
  }

  /** What a commit did on the bus. */
  news({ published = {}, shed = {}, expired = {} }: BusNews): void {
    for (const [event, count] of Object.entries(published)) this.#metrics.eventPublished(event, count);
    for (const [plugin, count] of Object.entries(shed)) this.#metrics.delivered(plugin, 'shed', count);
    for (const [plugin, count] of Object.entries(expired)) this.#metrics.delivered(plugin, 'expired', count);
  }

  turnRefused(plugin: string, event: IncomingEvent, error: unknown): void {
    // It lies in its mailbox as before.
    if (event.mailbox) return;
    this.#metrics.delivered(plugin, (isNeiraError(error) && UNRUN[error.code]) || 'failed');
  }

  conflict(plugin: string): void {
    this.#metrics.conflict(plugin);
  }

  cellLost(reason: string): void {
    this.#metrics.cellKilled(killOf(reason));
  }

  requestEnded(request: EndedRequest): void {
    const { method, route, status, tookMs } = request;
    this.#metrics.requestEnded(method, route, status, tookMs);
    if (!this.#tracing.exporting || request.traceparent === '') return;
    const endedAtMs = Date.now();
    this.#tracing.record({
      name: `${method} ${route}`,
      kind: 'server',
      traceparent: request.traceparent,
      parentSpanId: request.parentSpanId,
      startedAtMs: endedAtMs - tookMs,
      endedAtMs,
      attributes: {
        'http.request.method': method,
        'http.route': route,
        'http.response.status_code': status,
      },
      ...(status >= 500 && { error: String(status) }),
    });
  }

  #recordTurn(turn: EndedTurn): void {
    const { event, ran, end, error } = turn;
    const traceparent = event.traceparent ?? parseEnvelope(event.envelope).headers['traceparent'];
    if (traceparent === undefined) return;
    const endedAtMs = Date.now();
    const committed = end === 'ok' || end === 'failed';
    this.#tracing.record({
      name: `turn ${turn.plugin}`,
      kind: 'consumer',
      traceparent: childOf(traceparent, turn.turnId),
      parentSpanId: parseTraceparent(traceparent)?.spanId,
      startedAtMs: ran?.[0] ?? endedAtMs - turn.tookMs,
      endedAtMs,
      attributes: {
        'neira.plugin': turn.plugin,
        'neira.version': turn.version,
        'neira.event': event.subject,
        'neira.event_id': event.eventId,
        'neira.outcome': end,
        'neira.attempt': turn.attempt,
        'neira.conflicts': turn.conflicts,
        'neira.wait_ms': turn.waitMs,
        ...(ran && { 'neira.run_ms': ran[1], 'neira.fuel': Math.round(ran[2]) }),
        ...(error !== undefined && { 'neira.error': error }),
      },
      ...(error !== undefined && { error }),
      ...(committed && { events: [commitEvent(this.#commit)] }),
    });
  }
}

interface Commit {
  readonly records: number;
  readonly micros: number;
  readonly atMs: number;
}

function commitEvent({ records, micros, atMs }: Commit): NonNullable<FinishedSpan['events']>[number] {
  return { name: 'commit', atMs, attributes: { 'neira.records': records, 'neira.commit_us': micros } };
}

function killOf(reason: string): CellKill {
  if (reason === STUCK_REASON) return 'watchdog';
  return /memory/i.test(reason) ? 'memory' : 'crash';
}
