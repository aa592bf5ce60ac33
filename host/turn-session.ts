/** A turn inside its cell: the context that host functions see, and what is told of it when it ends. */
import { parseEnvelope } from './bus/envelope.ts';
import { askerOf, DROP_WAIT } from './context/open-waits.ts';
import { referredSecret } from './context/secret-reveal.ts';
import { type Asked, type Transcript, type TurnInput, wasSeen } from './context/transcript.ts';
import { TurnRandom } from './context/turn-random.ts';
import { TurnRecording } from './context/turn-recording.ts';
import { NeverSeen, TurnReplay } from './context/turn-replay.ts';
import { replyEffect } from './context/turn-reply.ts';
import { afterFailure } from './context/turn-retry.ts';
import { TurnState } from './context/turn-state.ts';
import { describe, NeiraError, toShape } from './errors.ts';
import { prepareRegistrations } from './functions/principals.ts';
import { callHostFunction } from './functions/table.ts';
import type { Program } from './sandbox/messages.ts';
import type { Finished, ReplaySession, TurnSession } from './sandbox/sessions.ts';
import type { Settled } from './sandbox/settled.ts';
import type { DeliveryRef } from './store/bus-records.ts';
import type { Effect, TurnOutcome, TurnRecord } from './store/records.ts';
import {
  type MailboxDelivery,
  type PluginPolicy,
  type StateReader,
  TurnContext,
  type TurnDelivery,
  type TurnOrigin,
} from './turn-context.ts';

export interface CellSide {
  readonly secret: Uint8Array;
  readonly reader: StateReader;
  tellWait(attempt: number, wait: number, op: string, args: string): void;
}

export interface PlaceInBatch {
  readonly state: TurnState;
  /** The turn before it; only the first may stand still: what others saw of it is not committed yet. */
  readonly behind: string | undefined;
}

const NO_READS = { keys: [], ranges: [] };

export function openTurn(
  { secret, reader, tellWait }: CellSide,
  program: Program,
  delivery: TurnDelivery,
  batch?: PlaceInBatch,
): TurnSession {
  const policy = program.policy as PluginPolicy;
  if (policy.principals) prepareRegistrations();
  // Nobody could say what came of a turn that ran on who knows what, and a dry run is no turn that was.
  const recording = policy.recipe === undefined || delivery.dryRun ? undefined : new TurnRecording(reader);
  const state = batch?.state ?? new TurnState();
  if (delivery.prior) state.restage(delivery.prior);
  const stagedBefore = state.effects.length;
  const ends = [...state.lastNumbers];
  const origin = originOf(delivery, delivery.startsAtMs ?? Date.now());
  let cut = false;
  let asked = false;
  const ask = (wait: number, op: string, args: string) => {
    if (op === DROP_WAIT) {
      tellWait(delivery.attempt, wait, op, args);
      return;
    }
    if (batch?.behind !== undefined) {
      cut = true;
      throw new NeiraError('NEIRA_INTERNAL', {
        reason: 'the turn is to begin anew as the first of its batch',
      });
    }
    asked = true;
    recording?.asked(wait, op, args);
    tellWait(delivery.attempt, wait, op, args);
  };
  const observe = (what: string, compute: () => string) => {
    const answer = compute();
    recording?.observed(what, answer);
    return answer;
  };
  const random = new TurnRandom(secret, delivery.deliveryId);
  const turn = new TurnContext(policy, origin, recording ?? reader, random, ask, state, observe);

  function transcriptOf(record: string, failed: boolean): string {
    if (!recording) return '';
    const input: TurnInput = {
      deliveryId: delivery.deliveryId,
      mode: delivery.mode,
      attempts: origin.attempts,
      subscriptions: origin.subscriptions,
      ...(delivery.mailbox && { envelope: delivery.envelope }),
      ...(ends.length > 0 && { ends }),
    };
    const behind = batch?.behind;
    // Those before it are kept beside it, as long as it is; a failure is kept elsewhere, and longer.
    const prior = behind !== undefined && failed && state.effects.slice(0, stagedBefore);
    const head: Omit<Transcript, 'turn'> = {
      input,
      seen: recording.seen,
      ...(behind !== undefined && !prior && { follows: behind }),
      ...(prior && { prior }),
    };
    const text = `${JSON.stringify(head).slice(0, -1)},"turn":${record}}`;
    return turn.confidential.withoutSecrets(text);
  }

  bindByEnvelope(turn, delivery.envelope);
  return {
    call: (op, args, charge) => callHostFunction(turn, op, args, charge),
    dropWait: (wait) => turn.dropWait(wait),
    randomBytes: (count) => random.bytes(count),
    nowMs: () => turn.nowMs,
    suspend: () => turn.suspend(),
    answered(wait, answer, atMs) {
      recording?.answered(wait, answer, atMs);
      return turn.answered(wait, atMs, answer);
    },
    get cut() {
      return cut;
    },
    finish(ended, fuel, runMs, batched) {
      const record = recordOf({ turn, delivery, asked }, ended, {
        fuel,
        runMs,
        batched: batched !== undefined,
      });
      const text = JSON.stringify(record);
      return { record: text, transcript: transcriptOf(text, record.outcome.status === 'failed') };
    },
  };
}

/** Failures that no run of the code can bring about again: somebody else ended the turn. */
const ENDED_BY_HOST = new Set([
  'NEIRA_WAIT_TIMEOUT',
  'NEIRA_DEADLINE',
  'NEIRA_WAITING_FULL',
  'NEIRA_STOPPING',
]);

/** The turn of a transcript once more, told what it was told then. */
export function openReplay(secret: Uint8Array, program: Program, recording: string): ReplaySession {
  const transcript = JSON.parse(recording) as Transcript;
  const policy = program.policy as PluginPolicy;
  if (policy.principals) prepareRegistrations();
  const { seen, turn: before, prior = [] } = transcript;
  const delivery = deliveryOf(transcript);
  const state = new TurnState();
  state.restage(prior);
  for (const [log, last] of transcript.input.ends ?? []) state.lastNumbers.set(log, last);
  const world = wasSeen(seen) ? new TurnReplay(seen) : undefined;
  if (!world)
    throw new NeiraError('NEIRA_INTERNAL', { reason: 'a transcript that is not whole was replayed' });
  const random = new TurnRandom(secret, delivery.deliveryId, transcript.seed);
  const questions: Asked[] = [];
  const ask = (wait: number, op: string, args: string) => {
    // Where its answer came before it was dropped, it comes again, and changes as little as then.
    if (op === DROP_WAIT) return;
    questions.push([wait, op, args]);
    world.asked(wait, op, args);
  };
  const observe = (what: string, compute: () => string, isPure: boolean) =>
    isPure && !world.hasObserved(what) ? compute() : world.observed(what);
  const origin = originOf(delivery, before.startedAtMs);
  const turn = new TurnContext(policy, origin, world, random, ask, state, observe);
  let missing: string | undefined;
  const told = <Answer>(ask: () => Answer): Answer => {
    try {
      return ask();
    } catch (error) {
      if (error instanceof NeverSeen) missing ??= turn.confidential.mask(error.message);
      throw error;
    }
  };
  const asked = before.asked !== undefined;
  bindByEnvelope(turn, delivery.envelope);
  return {
    envelope: delivery.envelope,
    call: (op, args, charge) => told(() => callHostFunction(turn, op, args, charge)),
    dropWait: (wait) => turn.dropWait(wait),
    randomBytes: (count) => random.bytes(count),
    nowMs: () => turn.nowMs,
    suspend: () => turn.suspend(),
    answered: (wait, answer, atMs) =>
      told(() => {
        const secret = referredSecret(answer);
        if (secret !== undefined) throw new NeverSeen(`the secret ${secret}`);
        return turn.answered(wait, atMs, answer);
      }),
    cut: false,
    nextAnswer: () => world.nextAnswer(),
    ending(): Settled {
      const { outcome } = before;
      if (outcome.status === 'failed' && ENDED_BY_HOST.has(outcome.error.code)) return outcome;
      missing ??= 'an answer that did not come before';
      return {
        status: 'failed',
        error: failureOf(new NeiraError('NEIRA_NEVER_SETTLED', { plugin: policy.plugin })),
      };
    },
    finish(ended, fuel, runMs) {
      const record = told(() => recordOf({ turn, delivery, asked }, ended, { fuel, runMs, batched: true }));
      return { record: JSON.stringify(record), transcript: '' };
    },
    report({ record }: Finished) {
      const told = JSON.stringify({ asked: questions, ...(missing !== undefined && { missing }) });
      return `${told.slice(0, -1)},"turn":${record}}`;
    },
  };
}

function deliveryOf({ turn, input }: Transcript): TurnDelivery {
  const { deliveryId, mode, attempts, subscriptions, envelope } = input;
  return {
    attempt: 1,
    generation: 0,
    turnId: turn.turnId,
    deliveryId,
    eventId: turn.eventId,
    subject: turn.subject,
    envelope: turn.envelope ?? envelope ?? '',
    caller: turn.caller,
    mode,
    dryRun: false,
    ...(turn.deadlineAtMs !== undefined && { deadlineAtMs: turn.deadlineAtMs }),
    ...(turn.delivery && { mailbox: { id: turn.delivery.id, attempts, triesLeftFrom: 0, subscriptions } }),
  };
}

function originOf(delivery: TurnDelivery, startedAtMs: number): TurnOrigin {
  const { turnId, eventId, envelope, caller, mode, dryRun, mailbox } = delivery;
  // Read only when the turn publishes: most that matters of an event is known without it.
  const parsed = lazily(() => parseEnvelope(envelope));
  return {
    turnId,
    eventId,
    get correlationId() {
      return parsed().correlation_id;
    },
    get tenant() {
      return parsed().tenant;
    },
    get traceparent() {
      return parsed().headers['traceparent'];
    },
    caller,
    mode,
    dryRun,
    startedAtMs,
    attempts: mailbox?.attempts ?? 0,
    subscriptions: mailbox?.subscriptions ?? '[]',
  };
}

interface Ran {
  readonly turn: TurnContext;
  readonly delivery: TurnDelivery;
  /** It asked others, whose answers are kept under its delivery. */
  readonly asked: boolean;
}

function recordOf(
  { turn, delivery, asked }: Ran,
  ended: Settled,
  { fuel, runMs, batched }: { readonly fuel: number; readonly runMs: number; readonly batched: boolean },
): TurnRecord {
  const { policy } = turn;
  const { turnId, eventId, envelope, subject, caller, mailbox, deadlineAtMs, idempotency } = delivery;
  const version = () => parseEnvelope(envelope).version;
  // A dry run of a command shows its reply as well.
  const replied = outcomeOf(mailbox || delivery.prior ? withReply(turn, subject, version, ended) : ended);
  const outcome = asMayBeTold(turn, replied);
  turn.end();
  const { confidential } = turn;
  const { personal } = confidential;
  return {
    kind: 'turn',
    turnId,
    plugin: policy.plugin,
    version: policy.version,
    ...(policy.recipe !== undefined && { recipe: policy.recipe }),
    gate: policy.gate.id,
    eventId,
    ...(!mailbox && { envelope }),
    subject,
    caller,
    ...(mailbox && { delivery: refOf(policy, mailbox) }),
    ...(asked && { asked: askerOf(delivery) }),
    ...(ended.status === 'failed' && ended.threw && { threw: true }),
    startedAtMs: turn.origin.startedAtMs,
    ...(deadlineAtMs !== undefined && { deadlineAtMs }),
    reads: batched ? NO_READS : turn.reads,
    effects: outcome.status === 'ok' ? turn.effects.map((effect) => asMayBeSent(turn, effect)) : [],
    outcome,
    fuel,
    runMs,
    storageMb: policy.limits.storageMb,
    ...(idempotency && { idempotency }),
    logs: turn.logs.map((line) => ({ ...line, message: confidential.mask(line.message) })),
    ...(personal && { personal }),
  };
}

/** How it failed stays; why the cell thinks so does not. */
function outcomeOf(settled: Settled): TurnOutcome {
  return settled.status === 'ok' ? settled : { status: 'failed', error: settled.error };
}

/** Marks that the event carries bind whoever gets it. Most carry none, and need not be read for it. */
function bindByEnvelope({ confidential }: TurnContext, envelope: string): void {
  const marks = envelope.includes('"pii"') ? parseEnvelope(envelope).headers['pii'] : undefined;
  if (marks !== undefined) confidential.markAt(envelope, marks);
}

/** A reply must not carry a secret that the turn was shown; an error is told without it. */
function asMayBeTold({ confidential, policy }: TurnContext, settled: TurnOutcome): TurnOutcome {
  if (settled.status === 'failed')
    return { status: 'failed', error: confidential.maskError(settled.error, policy.plugin) };
  try {
    confidential.requireNone(policy.plugin, 'the reply', [settled.actions, settled.result]);
    const pii = settled.result === undefined ? undefined : confidential.marksOf(settled.result);
    return pii === undefined ? settled : { ...settled, pii };
  } catch (error) {
    return { status: 'failed', error: failureOf(error) };
  }
}

/** The console is the log of the host: what is personal is data anywhere else, and not there. */
function asMayBeSent({ confidential }: TurnContext, effect: Effect): Effect {
  if (effect.op !== 'send' || effect.port !== 'console' || !confidential.hasPersonal) return effect;
  const payload = JSON.stringify(confidential.mask(JSON.parse(effect.payload)));
  return { ...effect, target: confidential.mask(effect.target), payload };
}

/** A command is answered by an event as well, which commits with its effects. */
function withReply(turn: TurnContext, subject: string, version: () => number, settled: Settled): Settled {
  const reply = `${subject}.result@`;
  const answers = Object.keys(turn.policy.events).some((fqdn) => fqdn.startsWith(reply));
  if (!answers || settled.status === 'failed') return settled;
  try {
    const effect = replyEffect(turn, { subject, version: version() }, settled.result);
    if (effect) turn.publish(effect);
    return settled;
  } catch (error) {
    return { status: 'failed', error: failureOf(error) };
  }
}

function failureOf(error: unknown) {
  const { code, details } = toShape(error);
  return { code, details, message: describe(code, details) };
}

function refOf(policy: PluginPolicy, mailbox: MailboxDelivery): DeliveryRef {
  const { id, attempts } = mailbox;
  return { id, attempts, afterFailure: afterFailure(policy.retry, mailbox) };
}

function lazily<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
