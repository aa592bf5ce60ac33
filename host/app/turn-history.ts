/** Turns that ran, found and shown: what is kept of them in segments (successes) and in the store (failures). */
import { parseEnvelope } from '../bus/envelope.ts';
import { NeiraError } from '../errors.ts';
import type { TurnDetail, TurnSummary, TurnsQuery } from '../http/turns-api.ts';
import type { Recipe } from '../registry/recipes.ts';
import type { Effect } from '../store/records.ts';
import type { FailedTurn, KeptLine } from '../store/transcript-reads.ts';
import { type Transcript, wasSeen } from '../transcript.ts';
import { viewOfEffect } from '../turn-comparison.ts';
import { momentOf, subjectTest } from './event-filter.ts';

export interface HistoryStore {
  transcribed(): readonly string[];
  transcripts(plugin: string): Iterable<KeptLine>;
  transcript(plugin: string, turnId: string): KeptLine | undefined;
  failedTurn(turnId: string): FailedTurn | undefined;
  failedTurns(plugin: string, sinceMs: number, untilMs: number): Iterable<FailedTurn>;
  recipe(digest: string): string | undefined;
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
  /** What those before it in its batch had staged; @throws NEIRA_NOT_REPLAYABLE */
  prior(): readonly Effect[];
}

interface Filter {
  readonly outcome?: 'ok' | 'failed';
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly matches?: ((subject: string) => boolean) | undefined;
  readonly eventId?: string | undefined;
}

export class TurnHistory {
  readonly #store: HistoryStore;

  constructor(store: HistoryStore) {
    this.#store = store;
  }

  list(query: TurnsQuery): readonly TurnSummary[] {
    const { plugin, limit } = query;
    const plugins = plugin === undefined ? this.#store.transcribed() : [plugin];
    const filter = filterOf(query);
    return plugins
      .flatMap((each) => [...this.turns(each, filter, limit)])
      .sort((a, b) => b.atMs - a.atMs)
      .slice(0, limit)
      .map((turn) => this.#summary(turn));
  }

  /** @throws NEIRA_NOT_FOUND */
  get(id: string): KeptTurn {
    const failed = this.#store.failedTurn(id);
    if (failed) return failedTurn(failed);
    const plugin = pluginOf(id);
    const line = plugin && this.#store.transcript(plugin, id);
    if (!line) throw new NeiraError('NEIRA_NOT_FOUND', { what: 'turn', id });
    return keptTurn(line);
  }

  /** The newest first, of one plugin. */
  *turns(plugin: string, filter: Filter, limit: number): Generator<KeptTurn> {
    const { outcome, sinceMs, untilMs } = filter;
    const lines = outcome === 'failed' ? [] : mapped(this.#store.transcripts(plugin), keptTurn);
    const failures =
      outcome === 'ok' ? [] : mapped(this.#store.failedTurns(plugin, sinceMs, untilMs), failedTurn);
    let found = 0;
    for (const turn of newestFirst(lines, failures)) {
      if (turn.atMs < sinceMs || found >= limit) return;
      if (!passes(turn, filter)) continue;
      found++;
      yield turn;
    }
  }

  filter(query: Omit<TurnsQuery, 'limit' | 'plugin'>): Filter {
    return filterOf(query);
  }

  detail(id: string): TurnDetail {
    const turn = this.get(id);
    const { transcript, failed } = turn;
    const envelope = parseEnvelope(failed?.envelope ?? envelopeOf(transcript!));
    const common = { ...this.#summary(turn), attempt: (transcript?.input.attempts ?? 0) + 1, envelope };
    if (!transcript) return common;
    const { turn: record, seen, follows } = transcript;
    const { outcome } = record;
    const recipe = this.#recipe(transcript);
    return {
      ...common,
      ...(outcome.status === 'ok' && { actions: JSON.parse(outcome.actions) as unknown }),
      ...(outcome.status === 'ok' &&
        outcome.result !== undefined && { result: JSON.parse(outcome.result) as unknown }),
      planned: record.effects.map(viewOfEffect),
      logs: record.logs.map(({ atMs, level, message }) => ({
        ts: new Date(atMs).toISOString(),
        level,
        message,
      })),
      ...(wasSeen(seen) && {
        reads: {
          keys: seen.keys.map(([, key, value, version]) => ({ key, value: parsed(value), version })),
          ranges: seen.scans.map(([, range, entries, whole]) => ({
            ...range,
            whole,
            entries: entries.map(([key, value, version]) => ({ key, value: parsed(value), version })),
          })),
        },
        requests: seen.asked.map(([wait, op, args]) => {
          const answer = seen.answers.find(([answered]) => answered === wait);
          return {
            op,
            ...(JSON.parse(args) as object),
            ...(answer && { answer: answerView(answer[1]), at: new Date(answer[2]).toISOString() }),
          };
        }),
      }),
      ...(follows !== undefined && { follows }),
      ...(recipe && {
        ground: { engine: recipe.engine, image: recipe.image, granted: recipe.policy.granted },
      }),
    };
  }

  #recipe({ turn }: Transcript): Recipe | undefined {
    const body = turn.recipe === undefined ? undefined : this.#store.recipe(turn.recipe);
    return body === undefined ? undefined : (JSON.parse(body) as Recipe);
  }

  #summary(turn: KeptTurn): TurnSummary {
    const { id, plugin, version, eventId, subject, atMs, failed, transcript } = turn;
    const reason = whyNotReplayable(turn);
    const record = transcript?.turn;
    return {
      id,
      plugin,
      version,
      event_id: eventId,
      event_name: subject,
      at: new Date(atMs).toISOString(),
      outcome: failed ? 'failed' : 'ok',
      ...(failed && { error: errorOf(failed) }),
      ...(record && { run_ms: record.runMs, fuel: record.fuel, effects: record.effects.length }),
      replayable: reason === undefined,
      ...(reason !== undefined && { reason }),
    };
  }
}

/** Undefined when there is enough of it to run it again. */
export function whyNotReplayable({ transcript }: KeptTurn): string | undefined {
  if (!transcript) return 'what it was told is not kept';
  if (!wasSeen(transcript.seen)) return `it was told more than ${transcript.seen.overBytes} bytes`;
  return transcript.turn.recipe === undefined ? 'what it ran on is not kept' : undefined;
}

function errorOf({ error: { code, message, stack } }: FailedTurn) {
  return { code, message, ...(stack !== undefined && { stack }) };
}

/** `<event id>:<plugin>[:<delivery>][#<attempt>]` */
function pluginOf(turnId: string): string | undefined {
  return /^[^:]+:([a-z0-9_.]+)/.exec(turnId)?.[1];
}

function filterOf({
  outcome,
  subject,
  event_id,
  since,
  until,
}: Omit<TurnsQuery, 'limit' | 'plugin'>): Filter {
  return {
    ...(outcome !== undefined && { outcome }),
    sinceMs: since === undefined ? 0 : momentOf(since, 'since'),
    untilMs: until === undefined ? Number.MAX_SAFE_INTEGER : momentOf(until, 'until'),
    matches: subjectTest(subject),
    eventId: event_id,
  };
}

function passes(
  { atMs, subject, eventId }: KeptTurn,
  { untilMs, matches, eventId: wanted }: Filter,
): boolean {
  return atMs < untilMs && (matches?.(subject) ?? true) && (wanted === undefined || eventId === wanted);
}

function keptTurn(line: KeptLine): KeptTurn {
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
    prior: () => priorOf(transcript, line),
  };
}

function failedTurn(failed: FailedTurn): KeptTurn {
  const { turnId: id, plugin, version, eventId, atMs, envelope } = failed;
  const transcript = failed.transcript === null ? undefined : (JSON.parse(failed.transcript) as Transcript);
  const subject = transcript?.turn.subject ?? parseEnvelope(envelope).event_name;
  const prior = () => transcript?.prior ?? [];
  return { id, plugin, version, eventId, subject, atMs, failed, prior, ...(transcript && { transcript }) };
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

function envelopeOf({ turn, input }: Transcript): string {
  return turn.envelope ?? input.envelope ?? '';
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

function answerView(answer: string): unknown {
  const value = parsed(answer === 'U' ? null : answer.slice(1));
  return answer[0] === 'E' ? { refused: value } : value;
}

function parsed(text: string | null): unknown {
  return text === null ? null : (JSON.parse(text) as unknown);
}
