/** Turns that ran, found and shown to whoever looks back. */
import { parseEnvelope } from '../bus/envelope.ts';
import { type Transcript, wasSeen } from '../context/transcript.ts';
import { viewOfEffect } from '../context/turn-comparison.ts';
import { NeiraError } from '../errors.ts';
import type { TurnDetail, TurnSummary, TurnsQuery } from '../http/turns-api.ts';
import {
  failedTurn,
  type KeptRange,
  type KeptTurn,
  type KeptTurnStore,
  keptTurn,
  keptTurns,
  whyNotReplayable,
} from '../registry/kept-turns.ts';
import type { Recipe } from '../registry/recipes.ts';
import type { FailedTurn, KeptLine } from '../store/transcript-reads.ts';
import { momentOf, subjectTest } from './event-filter.ts';

export interface HistoryStore extends KeptTurnStore {
  transcribed(): readonly string[];
  transcript(plugin: string, turnId: string): KeptLine | undefined;
  failedTurn(turnId: string): FailedTurn | undefined;
  recipe(digest: string): string | undefined;
}

interface Filter extends KeptRange {
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
    let found = 0;
    for (const turn of keptTurns(this.#store, plugin, filter)) {
      if (found >= limit) return;
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

function envelopeOf({ turn, input }: Transcript): string {
  return turn.envelope ?? input.envelope ?? '';
}

function answerView(answer: string): unknown {
  const value = parsed(answer === 'U' ? null : answer.slice(1));
  return answer[0] === 'E' ? { refused: value } : value;
}

function parsed(text: string | null): unknown {
  return text === null ? null : (JSON.parse(text) as unknown);
}
