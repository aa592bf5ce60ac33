/** Recorded turns as they are kept: successes in segments, failures in the store. */
import { parseEnvelope } from '../bus/envelope.ts';
import { type Transcript, wasSeen } from '../context/transcript.ts';
import { NeiraError } from '../errors.ts';
import type { Effect } from '../store/records.ts';
import type { FailedTurn, KeptLine } from '../store/transcript-reads.ts';

export interface KeptTurnStore {
  transcripts(plugin: string): Iterable<KeptLine>;
  failedTurns(plugin: string, sinceMs: number, untilMs: number): Iterable<FailedTurn>;
}

/** A turn as it is kept. */
export interface KeptTurn {
  readonly id: string;
  readonly plugin: string;
  readonly version: string;
  readonly eventId: string;
  readonly subject: string;
  readonly atMs: number;
  readonly failed?: FailedTurn;
  /** Absent for a failure of which too little is kept to run it again. */
  readonly transcript?: Transcript;
  /** As it is kept. */
  readonly text: string | undefined;
  /** What those before it in its batch had staged; @throws NEIRA_NOT_REPLAYABLE */
  prior(): readonly Effect[];
}

/** A turn that can be run again: its transcript, whole, and the same as text. */
export interface Recording {
  readonly transcript: Transcript;
  readonly text: string;
}

/** `untilMs` is not part of it. */
export interface KeptRange {
  readonly outcome?: 'ok' | 'failed';
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** Of one plugin, the newest first, read as they are asked for. */
export function* keptTurns(
  store: KeptTurnStore,
  plugin: string,
  { outcome, sinceMs, untilMs }: KeptRange,
): Generator<KeptTurn> {
  const lines = outcome === 'failed' ? [] : mapped(store.transcripts(plugin), keptTurn);
  const failures = outcome === 'ok' ? [] : mapped(store.failedTurns(plugin, sinceMs, untilMs), failedTurn);
  for (const turn of newestFirst(lines, failures)) {
    // Kept in the order in which they ended; one that waited long began before others.
    if (turn.atMs < sinceMs - LONGEST_TURN_MS) return;
    if (turn.atMs >= sinceMs && turn.atMs < untilMs) yield turn;
  }
}

/** What `limits.wait_ms` and `limits.turn_ms` allow, and some. */
const LONGEST_TURN_MS = 15 * 60_000;

/** Undefined when there is enough of it to run it again. */
export function whyNotReplayable({ transcript }: KeptTurn): string | undefined {
  if (!transcript) return 'what it was told is not kept';
  if (!wasSeen(transcript.seen)) return `it was told more than ${transcript.seen.overBytes} bytes`;
  return transcript.turn.recipe === undefined ? 'what it ran on is not kept' : undefined;
}

/** With what those before it in its batch had staged. @throws NEIRA_NOT_REPLAYABLE */
export function replayable(turn: KeptTurn): Recording {
  const reason = whyNotReplayable(turn);
  if (reason !== undefined) throw new NeiraError('NEIRA_NOT_REPLAYABLE', { turn: turn.id, reason });
  const { follows, ...transcript } = turn.transcript!;
  if (follows === undefined) return { transcript, text: turn.text! };
  const whole = { ...transcript, prior: turn.prior() };
  return { transcript: whole, text: JSON.stringify(whole) };
}

export function keptTurn(line: KeptLine): KeptTurn {
  const transcript = JSON.parse(line.text) as Transcript;
  const { turnId, plugin, version, eventId, subject, startedAtMs } = transcript.turn;
  return {
    id: turnId,
    plugin,
    version,
    eventId,
    subject,
    atMs: startedAtMs,
    transcript,
    text: line.text,
    prior: () => priorOf(transcript, line),
  };
}

export function failedTurn(failed: FailedTurn): KeptTurn {
  const { turnId: id, plugin, version, eventId, atMs, envelope } = failed;
  const transcript = failed.transcript === null ? undefined : (JSON.parse(failed.transcript) as Transcript);
  const subject = transcript?.turn.subject ?? parseEnvelope(envelope).event_name;
  const prior = () => transcript?.prior ?? [];
  const text = failed.transcript ?? undefined;
  return {
    id,
    plugin,
    version,
    eventId,
    subject,
    atMs,
    failed,
    prior,
    text,
    ...(transcript && { transcript }),
  };
}

/** The turns of a batch lie one behind the other in the same segment. */
function priorOf(transcript: Transcript, line: KeptLine): readonly Effect[] {
  let { follows } = transcript;
  const staged: (readonly Effect[])[] = [];
  for (const text of line.before()) {
    if (follows === undefined) break;
    const before = JSON.parse(text) as Transcript;
    if (before.turn.turnId !== follows) continue;
    staged.unshift(before.turn.effects);
    follows = before.follows;
  }
  if (follows !== undefined) {
    const reason = `the turn ${follows} before it in its batch is not kept`;
    throw new NeiraError('NEIRA_NOT_REPLAYABLE', { turn: transcript.turn.turnId, reason });
  }
  return staged.flat();
}

function* mapped<From, To>(items: Iterable<From>, map: (item: From) => To): Generator<To> {
  for (const item of items) yield map(item);
}

/** Both come with the newest first. */
function* newestFirst(a: Iterable<KeptTurn>, b: Iterable<KeptTurn>): Generator<KeptTurn> {
  const [one, other] = [a[Symbol.iterator](), b[Symbol.iterator]()];
  let [left, right] = [one.next(), other.next()];
  try {
    while (!left.done || !right.done) {
      if (right.done || (!left.done && left.value.atMs >= right.value.atMs)) {
        yield left.value!;
        left = one.next();
      } else {
        yield right.value;
        right = other.next();
      }
    }
  } finally {
    one.return?.();
    other.return?.();
  }
}
