/**
 * `io.request`: kept before it leaves, its answer kept before the turn sees it (design §4, "Requests").
 *
 * Whoever asks the same again under the same delivery – after a conflict, a lost cell, a crash, a retry – gets the
 * answer that is kept, or waits along with the one that is under way. Where neither is there, the process that sent it is
 * gone: then it is sent again only if that does no harm.
 */
import { createHash, createHmac } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { askerOf } from '../context/open-waits.ts';
import { fromShape, NeiraError } from '../errors.ts';
import type { HttpRequest } from '../functions/http-request.ts';
import type { RequestIdentity } from '../store/bus-records.ts';
import { fault } from '../store/fault.ts';
import type { HttpAnswerRecord, HttpIntentRecord } from '../store/http-records.ts';
import type { Ack } from '../store/records.ts';
import {
  type Ended,
  isRepeatable,
  type Order,
  type RequestOutcome,
  type SendingParts,
  sendRequest,
  unknownOutcome,
} from './http-sending.ts';
import { Occurrences } from './occurrences.ts';
import { RequestQuota } from './request-quota.ts';
import type { WaitCall } from './turn-waits.ts';

export interface HttpRequestParts extends SendingParts {
  submit(record: HttpIntentRecord | HttpAnswerRecord): Promise<Ack>;
  /** Of the home: keeps what the other side sees from telling about deliveries. */
  readonly secret: Uint8Array;
  observe(plugin: string, outcome: RequestOutcome): void;
}

/** The turn is to be told before its own time is over. */
const MARGIN_MS = 100;

interface Question {
  readonly call: WaitCall;
  readonly request: HttpRequest;
  readonly identity: RequestIdentity;
}

interface Beginning extends Question {
  /** Nothing of it was known before, so that nothing has left. */
  readonly isFresh: boolean;
}

type Begun = Pick<Extract<Ack, { ok: true }>, 'request' | 'answer' | 'fresh'>;

export class HttpRequests {
  readonly #parts: HttpRequestParts;
  readonly #quota = new RequestQuota();
  readonly #occurrences = new Occurrences();
  /** Under way in this process, by number; undefined once it was given up with nothing done. */
  readonly #open = new Map<number, Promise<string | undefined>>();
  readonly #closing = new AbortController();

  constructor(parts: HttpRequestParts) {
    this.#parts = parts;
    // Every request that is under way listens.
    setMaxListeners(0, this.#closing.signal);
  }

  /** Performs a wait of a turn: answers `V<json>`, `U` when nobody waits any more, or `E<refusal>`. */
  async perform(call: WaitCall): Promise<string> {
    const request = JSON.parse(call.args) as HttpRequest;
    // A dry run sends nothing: turn-waits.ts has answered it from what is known, or it ends here.
    if (call.turn.dryRun) throw new NeiraError('NEIRA_DRY_RUN_REQUEST', { request: request.what });
    const identity = this.#identityOf(call, request);
    for (;;) {
      const answer = await this.#ask({ call, request, identity });
      if (answer !== undefined) return answer;
      if (this.#closing.signal.aborted) throw new NeiraError('NEIRA_STOPPING');
      if (call.signal.aborted || call.over.aborted) return 'U';
    }
  }

  /** The answer that is kept, that of the request under way, or that of one which is made now. */
  async #ask(question: Question): Promise<string | undefined> {
    const { serving } = question.call;
    const { id: plugin, policy } = serving;
    const over = this.#quota.take(plugin, policy.limits, Date.now());
    let isMade = false;
    try {
      const { request: id, answer, fresh } = await this.#begin(question, over !== undefined);
      if (answer !== undefined) this.#parts.observe(plugin, 'recorded');
      if (answer !== undefined) return answer;
      const open = id === undefined ? undefined : this.#open.get(id);
      if (open) return await open;
      if (over) {
        this.#parts.observe(plugin, 'refused');
        throw new NeiraError('NEIRA_REQUEST_RATE', { plugin, ...over, request: question.request.what });
      }
      isMade = true;
      return await this.#start(id!, { ...question, isFresh: fresh === true });
    } finally {
      if (!over && !isMade) this.#quota.giveBack(plugin);
    }
  }

  /** Gives up what is under way, and keeps what is known of it. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#open.values());
  }

  // --- what is known

  /** @throws NEIRA_TOO_MANY, NEIRA_DISK_FULL, … */
  async #begin({ call, identity }: Question, findOnly: boolean): Promise<Begun> {
    const { mailbox } = call.turn;
    return this.#accepted(
      await this.#parts.submit({
        kind: 'http-intent',
        identity,
        plugin: call.serving.id,
        ...(mailbox && { delivery: mailbox.id }),
        ...(findOnly && { findOnly }),
      }),
    );
  }

  #accepted(ack: Ack): Extract<Ack, { ok: true }> {
    if (ack.ok) return ack;
    throw ack.conflict || ack.gone || ack.cut ? new NeiraError('NEIRA_INTERNAL') : fromShape(ack.error);
  }

  #identityOf({ turn, attempt, signal }: WaitCall, request: HttpRequest): RequestIdentity {
    const { method, url, query, headers, body, redirect, rights } = request;
    const whole = [method, url, query, headers, body ?? null, redirect];
    const text = JSON.stringify(rights ? [...whole, rights.principal] : whole);
    const digest = createHash('sha256').update(text).digest('hex');
    return { caller: askerOf(turn), digest, occurrence: this.#occurrences.next(attempt, digest, signal) };
  }

  /** The same for every attempt, and for the delivery when it is put back by hand. */
  #keyOf({ turn }: WaitCall, { digest, occurrence }: RequestIdentity): string {
    const named = `idempotency\n${turn.deliveryId}\n${digest}\n${occurrence}`;
    return createHmac('sha256', this.#parts.secret).update(named).digest('base64url');
  }

  // --- sending

  #start(id: number, begun: Beginning): Promise<string | undefined> {
    const { id: plugin } = begun.call.serving;
    const running = this.#run(id, begun).finally(() => {
      this.#quota.closed(plugin);
      this.#open.delete(id);
    });
    this.#open.set(id, running);
    return running;
  }

  async #run(id: number, { call, request, identity, isFresh }: Beginning): Promise<string | undefined> {
    fault('http.after-intent');
    const order = this.#orderOf(call, request, identity);
    const ended: Ended =
      isFresh || isRepeatable(order)
        ? await sendRequest(this.#parts, order)
        : unknownOutcome(request, 'the host ended before an answer came');
    fault('http.before-answer');
    this.#parts.observe(call.serving.id, ended.outcome);
    const { answer } = ended;
    this.#accepted(
      await this.#parts.submit({
        kind: 'http-answer',
        id,
        ...(answer !== undefined && { answer }),
        ...(answer !== undefined && ended.passing && { passing: true }),
      }),
    );
    fault('http.after-answer');
    return answer;
  }

  #orderOf(call: WaitCall, request: HttpRequest, identity: RequestIdentity): Order {
    const { turn, serving, event, over } = call;
    const { waitMs } = serving.policy.limits;
    const leftMs = Math.min(waitMs, (event.deadlineAtMs ?? Number.POSITIVE_INFINITY) - Date.now());
    const boundMs = Math.max(leftMs - Math.min(MARGIN_MS, leftMs / 10), 1);
    return {
      request,
      // Who asked on behalf of another may do what that one may.
      policy: { ...serving.policy, ...request.rights },
      turn,
      idempotencyKey: this.#keyOf(call, identity),
      timeoutMs: Math.round(Math.min(request.timeoutMs ?? boundMs, boundMs)),
      over: [over, this.#closing.signal],
      onSent: () => fault('http.sent'),
    };
  }
}
