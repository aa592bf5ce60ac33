/**
 * `bus.request`: a command on its way to the one who handles it, and the answer on its way back.
 *
 * The writer keeps both, so that a turn that runs again gets the answer that it got before. What waits here is
 * only whoever stands still for it now.
 */
import { createHash, randomUUIDv7 } from 'node:crypto';
import { childOf } from '../base/trace-context.ts';
import { parseEnvelope, sealEnvelope } from '../bus/envelope.ts';
import { askerOf } from '../context/open-waits.ts';
import { describe, type ErrorCode, type ErrorShape, fromShape, NeiraError } from '../errors.ts';
import type { BusRequest } from '../functions/bus.ts';
import type {
  ChainLink,
  EventDraft,
  RequestAnswer,
  RequestEndRecord,
  RequestIdentity,
  RequestRecord,
} from '../store/bus-records.ts';
import { type Ack, answerText } from '../store/records.ts';
import type { Serving, TurnResult, Turns } from '../turn.ts';
import { Occurrences } from './occurrences.ts';
import type { WaitCall } from './turn-waits.ts';

export interface RequestParts {
  submit(record: RequestRecord | RequestEndRecord): Promise<Ack>;
  serving(plugin: string): Serving | undefined;
  /** For dry runs, which go past the mailboxes. */
  turns(): Pick<Turns, 'deliver'>;
}

/** Answers that came before anybody stood for them. */
const MAX_EARLY = 1000;
/** Of the host itself, which waits until the end. */
const NEVER = new AbortController().signal;

export class Requests {
  readonly #parts: RequestParts;
  readonly #waiting = new Map<number, Set<(answer: string) => void>>();
  readonly #early = new Map<number, string>();
  readonly #timers = new Map<number, NodeJS.Timeout>();
  readonly #occurrences = new Occurrences();

  constructor(parts: RequestParts) {
    this.#parts = parts;
  }

  /** Performs a wait of a turn: answers `V<json>`, `U` or `E<refusal>`. */
  async perform(call: WaitCall): Promise<string> {
    const request = JSON.parse(call.args) as BusRequest;
    const record = this.#recordOf(call, request);
    const ack = requireAck(await this.#parts.submit(record));
    if (record.dry) return this.#runDry(call, record, ack.target!.plugin);
    if (ack.answer !== undefined) return ack.answer;
    return this.#answerTo(ack.request!, record.deadlineMs, call.signal);
  }

  /**
   * Sends a command of the host itself: answers its result, JSON, or undefined for none.
   * @param kept by which the answer is found again for a day, and the command is not done twice
   * @throws NEIRA_COMMAND_UNHANDLED, NEIRA_MAILBOX_FULL, NEIRA_DEADLINE, and what the plugin failed with
   */
  async ask(event: EventDraft, timeoutMs: number, kept?: RequestIdentity): Promise<string | undefined> {
    const caller = `host:${event.id}`;
    const deadlineMs = Date.now() + timeoutMs;
    const identity = kept ?? { caller, digest: '', occurrence: 1 };
    const ack = requireAck(
      await this.#parts.submit({ kind: 'request', identity, deadlineMs, chain: [], event }),
    );
    const id = ack.request!;
    const answer = ack.answer ?? (await this.#answerTo(id, deadlineMs, NEVER));
    if (kept) return resultOf(answer);
    // Nobody asks for it again; what this does not reach, the sweep of the writer does.
    void this.#parts.submit({ kind: 'request-end', id, answer: 'U', closes: caller }).catch(() => {});
    return resultOf(answer);
  }

  answered(answers: readonly RequestAnswer[]): void {
    for (const { id, answer } of answers) {
      clearTimeout(this.#timers.get(id));
      this.#timers.delete(id);
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (waiting) for (const tell of waiting) tell(answer);
      else this.#keepEarly(id, answer);
    }
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #answerTo(id: number, deadlineMs: number, signal: AbortSignal): Promise<string> {
    const early = this.#early.get(id);
    if (early !== undefined) return Promise.resolve(early);
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiting.add(resolve));
      // Whether the turn is over or runs again: the request goes on until its own deadline.
      signal.addEventListener('abort', () => {
        waiting.delete(resolve);
        resolve('U');
      });
      if (!this.#timers.has(id)) this.#timers.set(id, this.#endAt(id, deadlineMs));
    });
  }

  #endAt(id: number, deadlineMs: number): NodeJS.Timeout {
    const inMs = Math.max(deadlineMs - Date.now(), 0);
    const end = () => {
      this.#timers.delete(id);
      const answer = refusal('NEIRA_DEADLINE', { deadlineMs: Math.round(inMs) });
      // The sweep of the writer ends what this cannot.
      void this.#parts.submit({ kind: 'request-end', id, answer }).catch(() => {});
    };
    const timer = setTimeout(end, inMs);
    timer.unref();
    return timer;
  }

  #keepEarly(id: number, answer: string): void {
    this.#early.set(id, answer);
    if (this.#early.size > MAX_EARLY) this.#early.delete(this.#early.keys().next().value!);
  }

  #recordOf(call: WaitCall, { command, version, payload, pii, timeoutMs, as }: BusRequest): RequestRecord {
    const { turn, serving, event, signal } = call;
    const { waitMs } = serving.policy.limits;
    const nowMs = Date.now();
    const untilMs = nowMs + Math.min(timeoutMs ?? waitMs, waitMs);
    const link: ChainLink = { plugin: serving.id, key: event.key ?? null };
    const before = event.mailbox?.chain;
    const chain = before === undefined ? [] : (JSON.parse(before) as ChainLink[]);
    // What one principal asked is not what another asks.
    const what = `${command}@${version}\n${as === undefined ? '' : `${as}\n`}${payload}`;
    const digest = createHash('sha256').update(what).digest('hex');
    return {
      kind: 'request',
      identity: {
        caller: askerOf(turn),
        digest,
        occurrence: this.#occurrences.next(call.attempt, digest, signal),
      },
      deadlineMs: Math.min(untilMs, event.deadlineAtMs ?? untilMs),
      chain: [...chain, link],
      event: sealCommand(call, { command, version, payload, pii, nowMs, as }),
      ...(turn.dryRun && { dry: true }),
    };
  }

  /** A dry run asks dry: the other turn runs, shows what it would answer, and nothing of it stays. */
  async #runDry({ event }: WaitCall, record: RequestRecord, plugin: string): Promise<string> {
    const serving = this.#parts.serving(plugin);
    if (!serving) {
      const remedy = `\`neira plugin show ${plugin}\` tells what it lacks.`;
      throw new NeiraError('NEIRA_PLUGIN_INACTIVE', { plugin, reason: 'it does not run now', remedy });
    }
    const { id, subject, envelope, caller } = record.event;
    const result = await this.#parts.turns().deliver(serving, {
      eventId: id,
      subject,
      envelope,
      key: undefined,
      caller,
      mode: event.mode,
      dryRun: true,
      ...(event.dry && { dry: event.dry }),
      deadlineAtMs: record.deadlineMs,
    });
    if (result.kind === 'dry') event.dry?.ran(plugin, result.record);
    return answerOf(result);
  }
}

/** @throws the refusal that the answer is */
function resultOf(answer: string): string | undefined {
  if (answer[0] === 'E') throw fromShape(JSON.parse(answer.slice(1)) as ErrorShape);
  if (answer[0] === 'M') return answer.slice(answer.indexOf('\n') + 1);
  return answer[0] === 'V' ? answer.slice(1) : undefined;
}

type Done = Extract<Ack, { ok: true }>;

/** @throws what the writer refused with */
function requireAck(ack: Ack): Done {
  if (ack.ok) return ack;
  throw ack.conflict || ack.gone || ack.cut ? new NeiraError('NEIRA_INTERNAL') : fromShape(ack.error);
}

function answerOf(result: TurnResult): string {
  if (result.kind !== 'dry')
    throw new NeiraError('NEIRA_INTERNAL', { reason: `a dry run came back ${result.kind}` });
  const { outcome } = result.record;
  if (outcome.status === 'failed') throw fromShape(outcome.error);
  return answerText(outcome);
}

function sealCommand(
  { event, turn, serving }: WaitCall,
  what: {
    readonly command: string;
    readonly version: number;
    readonly payload: string;
    readonly pii: string | undefined;
    readonly nowMs: number;
    readonly as: string | undefined;
  },
): EventDraft {
  const cause = parseEnvelope(event.envelope);
  const traceparent = event.traceparent ?? cause.headers['traceparent'];
  const id = randomUUIDv7();
  const envelope = sealEnvelope({
    id,
    eventName: what.command,
    version: what.version,
    atMs: what.nowMs,
    source: `plugin:${serving.id}${what.as === undefined ? '' : `/${what.as}`}`,
    correlationId: cause.correlation_id,
    causationId: event.eventId,
    tenant: cause.tenant,
    headers: {
      ...(traceparent !== undefined && { traceparent: childOf(traceparent, turn.turnId) }),
      ...(what.pii !== undefined && { pii: what.pii }),
    },
    payloadJson: what.payload,
  });
  return {
    id,
    subject: what.command,
    version: what.version,
    envelope,
    mode: 'command',
    caller: event.caller,
  };
}

function refusal(code: ErrorCode, details: Record<string, unknown>): string {
  return `E${JSON.stringify({ code, message: describe(code, details), details })}`;
}
